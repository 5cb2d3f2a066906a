"""The pieces a virtual board is made of: the interpreter's process, its flash as seen from outside, its serial port.

They know nothing of each other; tools/virtual_board.py drives them from one thread.
"""

import collections
import ctypes
import fcntl
import os
import pty
import random
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import time
import tty
from pathlib import Path

from tools.board_console import BoardError

START = Path(__file__).resolve().parent / "board" / "start.py"
BLOCK = 4096
JOURNAL_HEAD = struct.Struct("<BBHIIIIII")  # as tools/board/nor.py writes it
PROGRAM = 1
SPARE = 256 * 1024  # bytes of heap for what plays the board, when its code is in ROMFS; more than it needs
CUT_MODES = ("not done", "half done", "garbled", "done")
BACKLOG = 1024 * 1024  # bytes kept for a client of the serial port that does not read

# SIGINT raises KeyboardInterrupt wherever the interpreter is, also in the middle of littlefs, where no board does it.
# So Ctrl-C waits for a moment in which the flash is quiet: nothing read for a while, no operation in progress. A
# program that never leaves the flash alone is interrupted in the end nevertheless. In the middle of a garbage
# collection it would leave the heap locked, so the best moment is one in which the program waits for something; one
# that computes without a pause is given a little time to come to one.
QUIET = 0.0003
PAUSE_WANTED = 0.4  # s that a program which computes without a pause is waited for
PATIENCE = 2.0
# The unix port takes a second SIGINT, sent before it has seen the first, as an order to exit.
INTERRUPT_PAUSE = 0.05

Cut = collections.namedtuple("Cut", "mode kind operation address length")
Cut.__doc__ = """What a power cut did to the flash: mode is one of CUT_MODES, or "idle" when no operation was in
progress; kind is "program" or "erase", operation its number since the board was made, address and length in bytes."""

Counters = collections.namedtuple("Counters", "operations programs erases programmed violations")
Counters.__doc__ = """Flash operations since the board was made, bytes programmed, and programs over unerased bytes."""


def free_ports(*wanted):
    """{wanted: a port of 127.0.0.1 that nobody has}, outside of the range where the system takes its own."""
    found = {}
    while len(found) < len(wanted):
        port = random.SystemRandom().randrange(20000, 32000)
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
        found[wanted[len(found)]] = port
    return found


def size_of(heap):
    """Bytes of a heap size in MicroPython's notation, such as "200K"."""
    unit = {"K": 1024, "M": 1024 * 1024}.get(heap[-1:].upper(), 1)
    return int(heap if unit == 1 else heap[:-1]) * unit


class Flash:
    """The image, and two files in `directory`: what the device inside the interpreter does, and what it shall do."""

    def __init__(self, image, directory, seed, romfs=None):
        self._image = os.open(image, os.O_RDWR)
        try:
            fcntl.flock(self._image, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._image)
            raise BoardError("%s is in use by another virtual board" % image)
        self._size = os.fstat(self._image).st_size
        self._romfs = os.open(romfs, os.O_RDWR) if romfs else None  # of the same chip, at the next address
        self._control = _create(directory, "control", bytes(8))
        self._journal = _create(directory, "journal", bytes(JOURNAL_HEAD.size + BLOCK))
        self._random = random.Random(seed)

    def busy(self):
        """True while a program or erase is in progress."""
        return self._head()[0] != 0

    def close(self):
        for fd in (self._image, self._romfs, self._control, self._journal):
            if fd is not None:
                os.close(fd)

    def counters(self):
        return Counters(*self._head()[4:])

    def fail(self, errno):
        """Programs and erases fail with `errno`; 0: they work."""
        os.pwrite(self._control, bytes((errno,)), 0)

    def cut_at(self, operation):
        """The device asks for a power cut in the operation of this number; 0: in none."""
        os.pwrite(self._control, struct.pack("<I", operation), 4)

    def tear(self, mode=None):
        """Finish the operation that was in progress as a dying power supply would. The interpreter has ended."""
        self.cut_at(0)
        state, kind, length, address, operation = self._head()[:5]
        if not state:
            return Cut("idle", None, operation, None, None)
        noted = os.pread(self._journal, length, JOURNAL_HEAD.size)
        erased = b"\xff" * length
        before, after = (erased, noted) if kind == PROGRAM else (noted, erased)
        mode = mode or self._random.choice(CUT_MODES)
        if mode == "not done":
            found = before
        elif mode == "half done":
            found = after[: length // 2] + before[length // 2 :]
        elif mode == "done":
            found = after
        elif kind == PROGRAM:  # some of the bits that had to be cleared are
            found = bytes(byte | noise for byte, noise in zip(after, self._random.randbytes(length)))
        else:  # a block on its way to erased may read as anything
            found = self._random.randbytes(length)
        if address < self._size:
            os.pwrite(self._image, found, address)
        else:
            os.pwrite(self._romfs, found, address - self._size)
        os.pwrite(self._journal, bytes(1), 0)
        return Cut(mode, "program" if kind == PROGRAM else "erase", operation, address, length)

    def _head(self):
        return JOURNAL_HEAD.unpack(os.pread(self._journal, JOURNAL_HEAD.size, 0))


class Chip:
    """One run of the interpreter, from reset to reset. `serial` is its standard input and output."""

    def __init__(self, micropython, heap, image, directory, raw, cause, unique_id, times, in_place=("", "")):
        self.serial, serial = socket.socketpair()
        self.control, control = socket.socketpair()
        in_rom = []
        if any(in_place):  # what the firmware shall have; what it uses in place and what plays the board come on top
            in_rom = [*in_place, str(size_of(heap))]
            heap = str(size_of(heap) + sum(os.path.getsize(path) for path in in_place if path) + SPARE)
        command = [micropython, "-X", "heapsize=" + heap, "-i", str(START)]
        command += [image, directory, str(control.fileno()), "raw" if raw else "friendly"]
        command += [str(cause), unique_id.hex(), *map(str, times), *in_rom]
        with serial, control:
            self.process = subprocess.Popen(
                command,
                stdin=serial,
                stdout=serial,
                stderr=serial,
                pass_fds=[control.fileno()],
                cwd=directory,
                env={"HOME": directory, "TZ": "UTC0", "PATH": os.environ.get("PATH", "")},
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        self.serial.setblocking(False)
        self.control.setblocking(False)
        self.typed = bytearray()
        self.begun = False  # the file system is mounted, scripts run
        self.started = threading.Event()  # begun, or never will
        self._interrupted_at = 0
        self._patient_until = None  # while an interrupt is wanted
        self._asleep_until = 0
        self._transfers = None
        self._look_at = 0

    def end(self):
        """SIGKILL. Its output can still be read. Returns the exit code, negative for the signal that ended it."""
        self.process.kill()
        return self.process.wait()

    def running(self):
        """True while code runs and Ctrl-C means KeyboardInterrupt: the port handles SIGINT only then."""
        try:
            with open("/proc/%d/status" % self.process.pid) as status:
                for line in status:
                    if line.startswith("SigCgt:"):
                        return bool(int(line.split()[1], 16) & 1 << signal.SIGINT - 1)
        except OSError:
            pass
        return False

    def want_interrupt(self):
        """Ctrl-C: SIGINT as soon as `interrupt_when_quiet` finds the moment, unless one was sent just before."""
        now = time.monotonic()
        if now - self._interrupted_at >= INTERRUPT_PAUSE:
            self._asleep_until = now + PAUSE_WANTED
            self._patient_until = now + PATIENCE
            self._transfers = None

    def want_interrupt_again(self):
        """The device was met in the middle of an operation after all, has finished it, and wants its Ctrl-C back."""
        self._interrupted_at = 0
        self.want_interrupt()

    @property
    def interrupt_wanted(self):
        return self._patient_until is not None

    def interrupt_when_quiet(self, flash):
        now = time.monotonic()
        if self._patient_until is None or now < self._look_at:
            return
        self._look_at = now + QUIET
        before, self._transfers = self._transfers, self._reads()
        quiet = self._transfers == before and not flash.busy() and (self._asleep() or now > self._asleep_until)
        if quiet or now > self._patient_until:
            self._patient_until = None
            self._interrupted_at = now
            if self.running():
                self.process.send_signal(signal.SIGINT)

    def _asleep(self):
        """Does the program wait, for input or for time to pass?"""
        try:
            with open("/proc/%d/stat" % self.process.pid) as file:
                return file.read().rpartition(")")[2].split()[0] == "S"
        except OSError:
            return True

    def _reads(self):
        """Changes with everything that the interpreter reads; it can not use the flash without reading."""
        try:
            with open("/proc/%d/io" % self.process.pid, "rb") as file:
                return [line for line in file if line.startswith((b"rchar", b"syscr"))]
        except OSError:
            return []


class SerialPort:
    """A pty. Like a USB serial adapter it keeps nothing for a client that has not opened it."""

    def __init__(self):
        self.fd, slave = pty.openpty()
        tty.setraw(slave, termios.TCSANOW)
        self.name = os.ttyname(slave)
        os.close(slave)  # from now on poll() says POLLHUP while no client has it open
        os.set_blocking(self.fd, False)
        self._hung_up = select.poll()
        self._hung_up.register(self.fd, 0)
        self._waiting = bytearray()

    def read(self):
        """All that the client has typed; b"" when nothing."""
        data = b""
        while True:
            try:
                data += os.read(self.fd, 4096)
            except OSError:  # EAGAIN: nothing more; EIO: no client
                return data

    def write(self, data):
        """Send to the client, also what it could not take before; call again when the port becomes writable."""
        if self._hung_up.poll(0):
            self._waiting.clear()
            return
        self._waiting += data
        del self._waiting[:-BACKLOG]
        while self._waiting:
            try:
                del self._waiting[: os.write(self.fd, self._waiting)]
            except OSError:
                return

    def close(self):
        os.close(self.fd)


_libc = ctypes.CDLL(None)


def _end_with_parent():
    _libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: no interpreter outlives the thread that drives it


def _create(directory, name, content):
    fd = os.open(os.path.join(directory, name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.pwrite(fd, content, 0)
    return fd
