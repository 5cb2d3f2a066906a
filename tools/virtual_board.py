"""A virtual ESP32: the real MicroPython interpreter behind a serial port, with its flash in a file.

`VirtualBoard(image)` runs a board in a thread; its console is a pty that stock `mpremote connect` works on, and also
reachable from Python: `write`, `read_until`, `command`, each with an awaitable twin. Resets are real restarts of the
interpreter. `power_cut()` is a SIGKILL plus a torn flash operation, if one was in progress; `cut_after()` chooses one.
What runs inside the interpreter is in tools/board. Run as a program it is a board for mpremote: `make board`.
"""

import argparse
import asyncio
import collections
import concurrent.futures
import ctypes
import fcntl
import hashlib
import os
import pty
import random
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import tty
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START = Path(__file__).resolve().parent / "board" / "start.py"

BLOCK = 4096
PWRON_RESET, HARD_RESET, SOFT_RESET = 1, 2, 5  # machine.reset_cause()
JOURNAL_HEAD = struct.Struct("<BBHIIIIII")  # as tools/board/nor.py writes it
PROGRAM, ERASE = 1, 2
CUT_MODES = ("not done", "half done", "garbled", "done")

CTRL_A, CTRL_C = b"\x01", b"\x03"
REMOTE_REQUEST = b"\x18"  # how the file system that `mpremote mount` serves begins a request to the host
RAW_REPL = b"raw REPL; CTRL-B to exit\r\n"
FRIENDLY_REPL = b'Type "help()"'
BACKLOG = 1024 * 1024  # bytes kept for a client of the serial port that does not read

# The unix port takes a second SIGINT, sent before it has seen the first, as an order to exit.
INTERRUPT_PAUSE = 0.05

Cut = collections.namedtuple("Cut", "mode kind operation address length")
Cut.__doc__ = """What a power cut did to the flash: mode is one of CUT_MODES, or "idle" when no operation was in
progress; kind is "program" or "erase", operation its number since the board was made, address and length in bytes."""

Flash = collections.namedtuple("Flash", "operations programs erases programmed violations")
Flash.__doc__ = """Counted since the board was made; violations are programs over bytes that were not erased."""


class BoardError(Exception):
    """The console answered `error`, or the board did not do what was expected of it. `lines`: its output so far."""

    def __init__(self, text, lines=()):
        super().__init__(text)
        self.lines = list(lines)


class Answer(list):
    """The output lines of a console command; `ok` is the line that ended it, `log` the log lines printed meanwhile."""

    def __init__(self, lines, ok, log):
        super().__init__(lines)
        self.ok = ok
        self.log = log


class VirtualBoard:
    """One board. Powered off at first; use it in a `with` statement, or `close()` it.

    `image`: the flash image, an existing file (tools.image makes one). `seed` decides how operations are torn.
    `program_us` and `erase_us` make flash operations last as long as on hardware, so that a power cut can hit one.
    `listener(data)` is called with all console output, in the board's thread.
    """

    def __init__(
        self, image, micropython=None, heap="2M", seed=None, program_us=0, erase_us=0, unique_id=None, listener=None
    ):
        self.image = os.path.abspath(image)
        self.micropython = find_micropython(micropython)
        self.heap = heap
        self.seed = random.SystemRandom().randrange(2**32) if seed is None else seed
        self.unique_id = unique_id or b"\x02" + hashlib.sha256(self.image.encode()).digest()[:5]
        self.last_cut = None
        self.crashes = []  # signal numbers that ended the interpreter unasked
        self._times = (program_us, erase_us)
        self._listener = listener
        self._random = random.Random(self.seed)

        self._image_fd = os.open(self.image, os.O_RDWR)
        try:
            fcntl.flock(self._image_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._image_fd)
            raise BoardError("%s is in use by another virtual board" % self.image)
        self._directory = tempfile.mkdtemp(prefix="holdfast-board-")
        self._control = self._shared_file("control", bytes(8))
        self._journal = self._shared_file("journal", bytes(JOURNAL_HEAD.size + BLOCK))

        self._output = bytearray()
        self._changed = threading.Condition()
        self._read = 0  # how much of the output read_until and command have consumed
        self._one_command = threading.Lock()

        self._chip = None
        self._cut_mode = None
        self._raw = False
        self._jobs = collections.deque()
        self._open_port()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._epoll = select.epoll()
        self._epoll.register(self._wake_read, select.EPOLLIN)
        self._epoll.register(self._master, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="virtual board " + self.port, daemon=True)
        self._thread.start()

    # --- power

    def power_on(self, timeout=10):
        """Switch on, wait until the file system is mounted. The clock starts at 2000-01-01. Nothing if already on."""
        chip = self._do(self._power_on)
        if not chip.started.wait(timeout) or not chip.begun:
            raise BoardError("the interpreter did not start: %s" % self.micropython, self.transcript.splitlines())

    def power_cut(self, mode=None):
        """Cut the power now: SIGKILL, and a flash operation in progress is torn (`mode` of CUT_MODES, None: at random).

        Returns a Cut. What the flash had completed stays: the board may have told someone about it.
        """
        return self._do(lambda: self._power_cut(mode))

    def cut_after(self, operations, mode=None):
        """Cut the power in the `operations`-th flash operation from now (1 is the next one); see `wait_off`."""
        if mode is not None and mode not in CUT_MODES:
            raise ValueError("no such mode: %r" % (mode,))
        if operations < 1:
            raise ValueError("the next flash operation is number 1")
        self._cut_mode = mode
        os.pwrite(self._control, struct.pack("<I", self.flash.operations + operations), 4)

    def cancel_cut(self):
        """Forget a `cut_after` that has not happened yet."""
        os.pwrite(self._control, bytes(4), 4)

    def wait_off(self, timeout=5):
        """Wait for the cut that `cut_after` ordered; returns it."""
        chip = self._chip
        if chip and not chip.off.wait(timeout):
            raise BoardError("the power was not cut within %s s" % timeout, self.transcript.splitlines()[-20:])
        return self.last_cut

    @property
    def is_on(self):
        return self._chip is not None

    def close(self):
        """Power off (untorn) and remove the serial port. Safe to repeat."""
        if self._closing:
            return
        self._do(self._stop_chip)
        self._closing = True
        self._wake()
        self._thread.join()
        self._epoll.close()
        for fd in (self._master, self._wake_read, self._wake_write, self._control, self._journal, self._image_fd):
            os.close(fd)
        shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- flash

    @property
    def flash(self):
        """Counters, as a Flash."""
        return Flash(*JOURNAL_HEAD.unpack(os.pread(self._journal, JOURNAL_HEAD.size, 0))[4:])

    def fail_flash(self, errno=5):
        """From now on programs and erases change nothing and fail, reading works. Hardware says 5, EIO.

        A full file system is another thing (a small image shows it): littlefs does not expect 28 from a device.
        """
        os.pwrite(self._control, bytes((errno,)), 0)

    def heal_flash(self):
        """Flash operations work again."""
        os.pwrite(self._control, bytes(1), 0)

    # --- console

    @property
    def transcript(self):
        """All output since the board was made, over all resets."""
        with self._changed:
            return self._output.decode(errors="replace")

    def write(self, text):
        """Type `text` (str or bytes; "\\x03" is Ctrl-C) on the console."""
        data = text.encode() if isinstance(text, str) else bytes(text)
        self._post(lambda: self._feed(data))

    def read_until(self, text, timeout=5):
        """Wait until `text` appears in output not yet consumed; consume and return everything up to its end."""
        wanted = text.encode() if isinstance(text, str) else bytes(text)
        with self._changed:
            start = self._read
            if not self._changed.wait_for(lambda: self._output.find(wanted, start) >= 0, timeout):
                got = self._output[start:].decode(errors="replace")
                raise BoardError("%r did not appear within %s s; there was %r" % (text, timeout, got), got.splitlines())
            end = self._output.find(wanted, start) + len(wanted)
            self._read = max(self._read, end)
            return self._output[start:end].decode(errors="replace")

    def command(self, line, timeout=5):
        """Type a line on Holdfast's console; returns its output lines as an Answer, raises BoardError for `error ...`.

        Log lines (`# ...`) that come meanwhile are kept apart, the echo of the command is left out.
        """
        with self._one_command:
            with self._changed:
                start = self._output.rfind(b"\n") + 1
            self.write(line + "\r\n")
            lines, log = [], []
            deadline = time.monotonic() + timeout
            while True:
                with self._changed:
                    while (end := self._output.find(b"\n", start) + 1) == 0:
                        if not self._changed.wait(max(0, deadline - time.monotonic())):
                            raise BoardError("no answer to %r within %s s" % (line, timeout), lines)
                    text = self._output[start:end].decode(errors="replace").strip("\r\n")
                    self._read = max(self._read, start := end)
                text = text.removeprefix("> ")
                word = text.split(" ", 1)[0].rstrip(":")
                if text.startswith("# "):
                    log.append(text)
                elif word == "ok":
                    return Answer(lines, text, log)
                elif word == "error":
                    raise BoardError(text, lines)
                elif lines or text.strip() not in ("", line.strip()):
                    lines.append(text)

    # --- the same for asyncio: none of them blocks the event loop

    async def apower_on(self, timeout=10):
        await asyncio.to_thread(self.power_on, timeout)

    async def apower_cut(self, mode=None):
        return await asyncio.to_thread(self.power_cut, mode)

    async def await_off(self, timeout=5):
        return await asyncio.to_thread(self.wait_off, timeout)

    async def aread_until(self, text, timeout=5):
        return await asyncio.to_thread(self.read_until, text, timeout)

    async def acommand(self, line, timeout=5):
        return await asyncio.to_thread(self.command, line, timeout)

    async def aclose(self):
        await asyncio.to_thread(self.close)

    # --- everything below runs in the board's own thread, except _do, _post and _wake

    def _do(self, job):
        """Run `job` in the board's thread and wait for its result."""
        future = concurrent.futures.Future()

        def run():
            try:
                future.set_result(job())
            except (OSError, BoardError, ValueError) as error:
                future.set_exception(error)

        self._post(run)
        return future.result(timeout=30)

    def _post(self, job):
        if self._closing:
            raise BoardError("the board is closed")
        self._jobs.append(job)
        self._wake()

    def _wake(self):
        try:
            os.write(self._wake_write, b"!")
        except BlockingIOError:
            pass  # it is awake

    def _run(self):
        while not self._closing:
            chip = self._chip
            for fd, _events in self._epoll.poll(chip.pause() if chip else None):
                if fd == self._master:
                    self._from_port()
                    self._to_port(b"")
                elif fd == self._wake_read:
                    os.read(self._wake_read, 4096)
                elif self._chip and fd == self._chip.control.fileno():
                    self._from_control()
                elif self._chip and fd == self._chip.serial.fileno():
                    self._feed(b"")
                    self._from_chip()
            while self._jobs:
                self._jobs.popleft()()
            if self._chip:
                self._chip.interrupt_again()

    def _shared_file(self, name, content):
        fd = os.open(os.path.join(self._directory, name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.pwrite(fd, content, 0)
        return fd

    # power

    def _power_on(self):
        if not self._chip:
            try:
                os.unlink(os.path.join(self._directory, "rtc"))
            except FileNotFoundError:
                pass
            self._raw = False
            self._spawn(PWRON_RESET)
        return self._chip

    def _spawn(self, cause):
        mode = "raw" if self._raw else "friendly"
        arguments = [self.image, self._directory, mode, str(cause), self.unique_id.hex(), *map(str, self._times)]
        self._chip = _Chip(self.micropython, self.heap, self._directory, arguments)
        for end in (self._chip.serial, self._chip.control):
            self._epoll.register(end.fileno(), select.EPOLLIN)
        self._tail = b""
        self._banner = None  # while raw REPL mode is being entered: the output that is not passed on
        self._binary = False

    def _stop_chip(self):
        """End the interpreter; its output so far is kept. Returns its exit code, negative for a signal."""
        chip = self._chip
        if not chip:
            return 0
        chip.process.kill()
        code = chip.process.wait()
        self._drain()
        self._chip = None
        for end in (chip.serial, chip.control):
            self._epoll.unregister(end.fileno())
            end.close()
        chip.started.set()
        chip.off.set()
        return code

    def _restart(self, cause, text=b""):
        code = self._stop_chip()
        if code < 0 and -code not in (signal.SIGKILL, signal.SIGINT):
            self.crashes.append(-code)
            text = b"\r\n[the interpreter was ended by signal %d]\r\n" % -code + text
        self._emit(text)
        self._spawn(cause)

    def _power_cut(self, mode):
        if mode is not None and mode not in CUT_MODES:
            raise ValueError("no such mode: %r" % (mode,))
        chip = self._chip
        if chip:
            chip.process.kill()
            chip.process.wait()
            self.last_cut = self._tear(mode)
            self._stop_chip()
        return self.last_cut

    def _tear(self, mode):
        """Finish the flash operation that was in progress as a dying power supply would."""
        head = os.pread(self._journal, JOURNAL_HEAD.size, 0)
        state, kind, length, address, operation = JOURNAL_HEAD.unpack(head)[:5]
        os.pwrite(self._control, bytes(4), 4)
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
        os.pwrite(self._image_fd, found, address)
        os.pwrite(self._journal, bytes(1), 0)
        return Cut(mode, "program" if kind == PROGRAM else "erase", operation, address, length)

    # from the interpreter

    def _from_control(self):
        try:
            requests = self._chip.control.recv(64)
        except (BlockingIOError, ConnectionResetError):
            return
        for request in requests.decode():
            if request == "B":
                self._chip.begun = True
                self._chip.started.set()
                self._feed(b"")
            elif request == "R":
                self._begin_repl()
            elif request == "I":
                self._chip.again_at = time.monotonic() + 0.001
            elif request == "S":
                self._restart(SOFT_RESET, b"MPY: soft reboot\r\n")
                return
            elif request == "H":
                self._raw = False
                self._restart(HARD_RESET)
                return
            elif request == "C":
                self._power_cut(self._cut_mode)
                return

    def _begin_repl(self):
        self._drain()
        if self._raw:
            self._banner = b""
            self._chip.serial.send(CTRL_A)
        self._chip.control.send(b"!")

    def _from_chip(self):
        try:
            data = self._chip.serial.recv(65536)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        if data:
            self._route(data)
            return
        begun = self._chip.begun
        if begun:  # Ctrl-D at the REPL, sys.exit() there, or a crash
            self._chip.process.wait()
            self._restart(SOFT_RESET, b"MPY: soft reboot\r\n")
        else:
            self._stop_chip()

    def _drain(self):
        """Take what the interpreter has written so far."""
        while True:
            try:
                data = self._chip.serial.recv(65536)
            except (BlockingIOError, ConnectionResetError):
                return
            if not data:
                return
            self._route(data)

    def _route(self, data):
        if self._banner is not None:  # hide the friendly banner that a restarted interpreter greets with
            self._banner += data
            start = self._banner.find(RAW_REPL)
            if start < 0:
                return
            data, self._banner = self._banner[start:], None
        data = self._cooked(data)
        tail = self._tail + data
        raw, friendly = tail.rfind(RAW_REPL), tail.rfind(FRIENDLY_REPL)
        if raw != friendly:
            self._raw = raw > friendly
        self._tail = tail[-len(RAW_REPL) :]
        self._emit(data)

    def _cooked(self, data):
        """Line ends as on a UART; not in raw REPL mode nor in the requests of `mpremote mount`, which are binary."""
        if self._raw:
            return data
        running = self._chip.running()
        if running:
            self._binary = False
        if self._binary:
            return data
        rest = b""
        if not running and REMOTE_REQUEST in data:
            self._binary = True
            start = data.index(REMOTE_REQUEST)
            data, rest = data[:start], data[start:]
        return re.sub(rb"(?<!\r)\n", b"\r\n", data) + rest

    def _emit(self, data):
        if not data:
            return
        with self._changed:
            self._output += data
            self._changed.notify_all()
        if self._listener:
            self._listener(data)
        self._to_port(data)

    # to the interpreter

    def _feed(self, data):
        """Pass typed bytes on, in order; Ctrl-C becomes SIGINT while code runs and has not switched it off."""
        chip = self._chip
        if not chip:
            return
        chip.typed += data
        while chip.begun and chip.typed:
            end = chip.typed.find(CTRL_C)
            if end == 0 and chip.running():
                chip.interrupt()
                del chip.typed[:1]
                continue
            part = chip.typed[:1] if end == 0 else chip.typed[:end] if end > 0 else chip.typed
            try:
                sent = chip.serial.send(part)
            except BlockingIOError:
                self._epoll.modify(chip.serial.fileno(), select.EPOLLIN | select.EPOLLOUT)
                return
            except (BrokenPipeError, ConnectionResetError):
                return  # it has just ended, which is noticed elsewhere
            del chip.typed[:sent]
        self._epoll.modify(chip.serial.fileno(), select.EPOLLIN)

    # the serial port

    def _open_port(self):
        """Like a USB serial adapter, the port keeps nothing for a client that has not opened it."""
        self._master, slave = pty.openpty()
        tty.setraw(slave, termios.TCSANOW)
        self.port = os.ttyname(slave)
        os.close(slave)  # from now on poll() says POLLHUP while no client has it open
        os.set_blocking(self._master, False)
        self._hung_up = select.poll()
        self._hung_up.register(self._master, 0)
        self._outbox = bytearray()

    def _from_port(self):
        while True:
            try:
                data = os.read(self._master, 4096)
            except OSError:  # EAGAIN: all read; EIO: no client
                return
            self._feed(data)

    def _to_port(self, data):
        if self._hung_up.poll(0):
            self._outbox.clear()
            return
        self._outbox += data
        del self._outbox[:-BACKLOG]
        while self._outbox:
            try:
                del self._outbox[: os.write(self._master, self._outbox)]
            except OSError:
                return


class _Chip:
    """One run of the interpreter, from reset to reset."""

    def __init__(self, micropython, heap, directory, arguments):
        self.serial, serial = socket.socketpair()
        self.control, control = socket.socketpair()
        image, shared, *rest = arguments
        command = [micropython, "-X", "heapsize=" + heap, "-i", str(START)]
        command += [image, shared, str(control.fileno()), *rest]
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
        self.off = threading.Event()
        self.interrupted_at = 0
        self.again_at = None

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

    def interrupt(self):
        now = time.monotonic()
        if now - self.interrupted_at >= INTERRUPT_PAUSE:
            self.interrupted_at = now
            self.process.send_signal(signal.SIGINT)

    def pause(self):
        """How long the thread may wait for the next thing to happen, in seconds; None for any time."""
        return None if self.again_at is None else max(0, self.again_at - time.monotonic())

    def interrupt_again(self):
        """Ctrl-C came in the middle of a flash operation: the device asked to have it later."""
        if self.again_at is not None and time.monotonic() >= self.again_at:
            self.again_at = None
            if self.running():
                self.interrupted_at = time.monotonic()
                self.process.send_signal(signal.SIGINT)


_libc = ctypes.CDLL(None)


def _end_with_parent():
    _libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: no interpreter outlives the thread that drives it


def find_micropython(path=None):
    """`path`, or $MICROPYTHON, or the one beside this Python, as an absolute path."""
    path = path or os.environ.get("MICROPYTHON") or os.path.join(os.path.dirname(sys.executable), "micropython")
    found = shutil.which(path)
    if not found:
        raise BoardError("no MicroPython at %s" % path)
    return os.path.abspath(found)


def main():
    from tools import image

    parser = argparse.ArgumentParser(prog="python -m tools.virtual_board", description=__doc__.split("\n")[0])
    parser.add_argument("--image", default=str(ROOT / "build" / "board.img"), help="flash image, made if absent")
    parser.add_argument("--micropython", help="unix binary of MicroPython (default: $MICROPYTHON)")
    parser.add_argument("--heap", default="2M", help="its heap (default: %(default)s)")
    parser.add_argument("--size", type=int, default=image.DEFAULT_SIZE, help="bytes of a new image")
    arguments = parser.parse_args()

    if not os.path.exists(arguments.image):
        os.makedirs(os.path.dirname(os.path.abspath(arguments.image)), exist_ok=True)
        files = image.charger_files("ws://127.0.0.1:9000/", "HOLDFAST-1")
        image.build_image(arguments.image, files, arguments.size)
        print("made %s with the firmware and a sample config.json" % os.path.relpath(arguments.image))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with VirtualBoard(arguments.image, arguments.micropython, arguments.heap) as board:
        board.power_on()
        print("a virtual board is at %s; Ctrl-C here takes it away" % board.port)
        print("    mpremote connect %s repl" % board.port, flush=True)
        try:
            while True:
                signal.pause()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
