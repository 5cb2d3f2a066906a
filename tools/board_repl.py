"""The REPL of a board as a program on the desk uses it, over mpremote's own serial transport.

`Repl(port)` stops the agent, which opens its contactors, and starts a fresh interpreter without it; `restart` brings
the agent back. Files are written, listed with their hashes, copied and replaced here, so that what the tools promise
about an interrupted transfer is in one place: whatever is only half there has another name.
"""

import ast
import base64
import contextlib
import hashlib
import io
import posixpath

import serial
from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport

from tools.board_console import BoardError
from tools.serial_console import SerialConsole, nobody

PART = 1024  # bytes in one command: a board compiles each, in its heap
WAIT = 10  # s for a board to come to its REPL
PATIENCE = 1.5, 4  # s for an answer of an agent, and how often it is asked, before it is taken for none

# What the board gets to know for the time of the visit. Names are short-lived: a soft reset forgets them.
HELPERS = """
import os, binascii, hashlib
def digest(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while True:
            part = f.read(512)
            if not part:
                return binascii.hexlify(h.digest()).decode()
            h.update(part)
def tree(top):
    try:
        found = list(os.ilistdir(top))
    except OSError:
        return
    for entry in found:
        path = top + "/" + entry[0]
        if entry[1] & 0x4000:
            print(repr((path, None)))
            tree(path)
        else:
            print(repr((path, digest(path))))
def copy(source, target):
    with open(source, "rb") as f:
        with open(target, "wb") as g:
            while True:
                part = f.read(512)
                if not part:
                    break
                g.write(part)
def erase(top):
    try:
        found = list(os.ilistdir(top))
    except OSError:
        return
    for entry in found:
        path = top + "/" + entry[0]
        erase(path) if entry[1] & 0x4000 else os.remove(path)
    os.rmdir(top)
"""


def sha256(content):
    """As `tree` tells it."""
    return hashlib.sha256(content).hexdigest()


class Repl:
    """A board at its raw REPL. BoardError says what went wrong, in words for whoever holds the cable."""

    def __init__(self, port):
        self.port = port
        self._chatter = io.StringIO()  # the transport prints what it did not understand
        try:
            with contextlib.redirect_stdout(self._chatter):
                self._transport = SerialTransport(port, timeout=WAIT)
        except (TransportError, OSError) as error:
            raise BoardError(nobody(port, error))
        try:
            with self._told(), contextlib.redirect_stdout(self._chatter):
                self._transport.enter_raw_repl(timeout_overall=WAIT)
            self.run(HELPERS)
        except BoardError:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Leave the board as it is, at its REPL."""
        with contextlib.suppress(OSError):
            self._transport.close()

    @contextlib.contextmanager
    def _told(self):
        try:
            yield
        except TransportExecError as error:
            raise BoardError("the board: %s" % error.error_output.strip().splitlines()[-1])
        except (TransportError, OSError) as error:
            raise BoardError("the board at %s does not answer as MicroPython does (%s)" % (self.port, error))

    def run(self, code):
        """Run code on the board; what it printed."""
        with self._told():
            return self._transport.exec(code).decode(errors="replace").replace("\r\n", "\n")

    def value(self, expression):
        """A literal that an expression evaluates to on the board."""
        with self._told():
            return self._transport.eval(expression)

    def tree(self, top):
        """{path below `top`: sha256, or None for a directory} of everything in a directory; {} if there is none."""
        with self._told():
            lines = self._transport.exec("tree(%r)" % top).decode().split("\n")
        entries = [self._literal(line) for line in lines if line.strip()]
        return {path[len(top) + 1:]: digest for path, digest in entries}

    def _literal(self, line):
        try:
            return ast.literal_eval(line.strip())
        except (ValueError, SyntaxError):
            raise BoardError("the board at %s printed %r in between" % (self.port, line))

    def exists(self, path):
        """Is there a file or directory of this name?"""
        name, directory = posixpath.basename(path), posixpath.dirname(path) or "/"
        return self.value("any([entry[0] == %r for entry in os.ilistdir(%r)])" % (name, directory))

    def read(self, path):
        """The content of a file, None if there is none."""
        if not self.exists(path):
            return None
        with self._told():
            return bytes(self._transport.fs_readfile(path))

    def mkdir(self, path):
        """Make a directory, if there is none."""
        if not self.exists(path):
            self.run("os.mkdir(%r)" % path)

    def write(self, path, content, progress=None):
        """Write a file. It is not whole before this returns, so no agent may look for it by this name.

        `progress(bytes so far)`.
        """
        self.run("f = open(%r, 'wb'); w = f.write; d = binascii.a2b_base64" % path)
        for start in range(0, len(content), PART):
            part = content[start:start + PART]
            self.run("w(d(%r))" % base64.b64encode(part).decode())
            if progress:
                progress(start + len(part))
        self.run("f.close()")

    def replace(self, path, content):
        """Write a file so that at every moment the old or the new one is there. Its name must not end in `.new`.

        Not even a file that is overwritten in place does that here: should the cable be pulled while it is open, the
        next soft reset would close it, and keep the half.
        """
        new = path + ".new"
        self.write(new, content)
        if self.run("print(digest(%r))" % new).strip() != sha256(content):
            raise BoardError("%s arrived damaged, nothing was changed; try again" % path)
        self.run("os.rename(%r, %r)" % (new, path))  # within one directory, littlefs does this in one step

    def restart(self):
        """Reset the board, and let go of it."""
        for _ in range(3):  # somebody's Ctrl-C may have come within a command, and ours too early to end that
            with contextlib.suppress(TransportError, OSError), contextlib.redirect_stdout(self._chatter):
                self._transport.enter_raw_repl(soft_reset=False, timeout_overall=2)
                self._transport.exec_raw_no_follow("import machine; machine.reset()")
                break
        self.close()


def visit(port, force=False):
    """The Repl of a board whose agent has nothing to do right now; BoardError if it has, unless `force`."""
    if not force:
        try:
            with SerialConsole(port) as console:
                busy = [line for line in status(console, *PATIENCE) if "in transaction" in line]
        except serial.SerialException as error:
            raise BoardError(nobody(port, error))
        if busy:
            raise BoardError("a car is charging (%s), and this would end it; FORCE=1 does it all the same" % busy[0])
    return Repl(port)


def status(console, timeout, tries=2):
    """The lines of the agent's `status`, [] if there is no agent."""
    for _ in range(tries):
        try:
            return console.command("status", timeout)
        except BoardError as error:
            # At first it may be the end of what somebody began to type. And an agent in a TLS handshake is silent.
            if any(line.startswith("NameError") for line in error.lines):
                break  # MicroPython's prompt, which knows no such name
    return []
