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
import hashlib
import json
import os
import random
import re
import select
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from tools import image as images
from tools.board_console import Answer, BoardError, Console
from tools.board_parts import CUT_MODES, QUIET, Chip, Cut, Flash, SerialPort, free_ports

__all__ = ["CUT_MODES", "Answer", "BoardError", "Cut", "VirtualBoard", "find_micropython"]

ROOT = Path(__file__).resolve().parent.parent
PWRON_RESET, HARD_RESET, WDT_RESET, SOFT_RESET = 1, 2, 3, 5  # machine.reset_cause()

CTRL_A, CTRL_C = b"\x01", b"\x03"
REMOTE_REQUEST = b"\x18"  # how the file system that `mpremote mount` serves begins a request to the host
RAW_REPL = b"raw REPL; CTRL-B to exit\r\n"
FRIENDLY_REPL = b'Type "help()"'
PROMPT = b">>> "
SOFT_REBOOT = b"MPY: soft reboot\r\n"


class VirtualBoard(Console):
    """One board. Powered off at first; use it in a `with` statement, or `close()` it.

    `image`: the flash image, an existing file (tools.image makes one). `seed` decides how operations are torn.
    `program_us` and `erase_us` make flash operations last as long as on hardware, so that a power cut can hit one.
    `speed`: everything that the board waits for by its ticks takes so many times less, and its watchdog bites so much
    earlier; its clock tells the time as ever.
    `listener(data)` is called with all console output, in the board's thread.

    `romfs`: the board has a partition for agents whose code is used in place, in the file beside the image; at first
    with this one (tools.image.romfs_image), or none, b"". `frozen`: the agent of the board's image
    (tools.image.frozen_image). With either of them `heap` is what the firmware has for itself, as on a board.
    """

    def __init__(
        self, image, micropython=None, heap="2M", seed=None, program_us=0, erase_us=0, unique_id=None, listener=None,
        romfs=None, frozen=b"", speed=1,
    ):  # fmt: skip
        super().__init__(self._post_typed, listener)
        self.image = os.path.abspath(image)
        self.micropython = find_micropython(micropython)
        self.heap = heap
        self.seed = random.SystemRandom().randrange(2**32) if seed is None else seed
        self.unique_id = unique_id or b"\x02" + hashlib.sha256(self.image.encode()).digest()[:5]
        self.last_cut = None
        self.crashes = []  # signal numbers that ended the interpreter unasked
        self._speed = speed
        self._times = (program_us, erase_us, speed)

        self._directory = tempfile.mkdtemp(prefix="holdfast-board-")
        try:
            self.romfs = "" if romfs is None else self.image + ".romfs"
            self._frozen = frozen and os.path.join(self._directory, "frozen")
            if frozen:
                Path(self._frozen).write_bytes(frozen)
            if self.romfs and not os.path.exists(self.romfs):
                Path(self.romfs).write_bytes(images.romfs_partition(romfs and (build_of(frozen), 1, romfs)))
            self._flash = Flash(self.image, self._directory, self.seed, self.romfs)
            self.ports = free_ports(53, 80)  # {port the board serves: where it is on 127.0.0.1}
            Path(self._directory, "ports").write_text(json.dumps(self.ports))
        except (OSError, BoardError):
            shutil.rmtree(self._directory)
            raise

        self._chip = None
        self._cut_mode = None
        self._raw = False  # the host has the REPL in raw mode; it stays so over a soft reset
        self._watchdog = None  # [seconds, when it bites], once machine.WDT was made
        self._jobs = collections.deque()
        self._port = SerialPort()
        self.port = self._port.name
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._epoll = select.epoll()
        self._epoll.register(self._wake_read, select.EPOLLIN)
        self._epoll.register(self._port.fd, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="virtual board " + self.port, daemon=True)
        self._thread.start()

    # --- power

    def power_on(self, timeout=10):
        """Switch on, wait until the file system is mounted. Nothing if already on.

        The clock starts at 2000-01-01; `read_until` forgets what was printed before.
        """
        chip = self._do(self._power_on)
        if not chip.started.wait(timeout) or not chip.begun:
            raise BoardError("the interpreter did not start: %s" % self.micropython, self.transcript.splitlines())

    def power_cut(self, mode=None):
        """Cut the power now: SIGKILL, and a flash operation in progress is torn (`mode` of CUT_MODES, None: at random).

        Returns a Cut. What the flash had completed stays: the board may have told someone about it.
        """
        _check_mode(mode)
        return self._do(lambda: self._power_cut(mode))

    def cut_after(self, operations, mode=None):
        """Cut the power in the `operations`-th flash operation from now (1 is the next one); see `wait_off`."""
        _check_mode(mode)
        if operations < 1:
            raise ValueError("the next flash operation is number 1")
        self._cut_mode = mode
        self._flash.cut_at(self.flash.operations + operations)

    def cancel_cut(self):
        """Forget a `cut_after` that has not happened yet."""
        self._flash.cut_at(0)

    def wait_off(self, timeout=5):
        """Wait until the power is off, as `cut_after` ordered; returns the Cut."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self.is_on, timeout):
                raise BoardError("the power was not cut within %s s" % timeout, self.transcript.splitlines()[-20:])
            return self.last_cut

    def close(self):
        """Power off (untorn) and remove the serial port. Safe to repeat."""
        if self._closing:
            return
        self._do(self._switch_off)
        self._closing = True
        self._wake()
        self._thread.join()
        self._epoll.close()
        self._port.close()
        self._flash.close()
        os.close(self._wake_read)
        os.close(self._wake_write)
        shutil.rmtree(self._directory, ignore_errors=True)

    async def apower_on(self, timeout=10):
        await asyncio.to_thread(self.power_on, timeout)

    async def apower_cut(self, mode=None):
        return await asyncio.to_thread(self.power_cut, mode)

    async def await_off(self, timeout=5):
        return await asyncio.to_thread(self.wait_off, timeout)

    async def aclose(self):
        await asyncio.to_thread(self.close)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- flash

    @property
    def flash(self):
        """Counters of the flash: (operations, programs, erases, programmed, violations)."""
        return self._flash.counters()

    def fail_flash(self, errno=5):
        """From now on programs and erases change nothing and fail, reading works. Hardware says 5, EIO.

        A full file system is another thing (a small image shows it): littlefs does not expect 28 from a device.
        """
        self._flash.fail(errno)

    def heal_flash(self):
        """Flash operations work again."""
        self._flash.fail(0)

    # --- the surroundings

    def surround(self, **air):
        """What the fake network interfaces meet from now on: ssid="password" of each access point, cable=True."""
        path = os.path.join(self._directory, "air")
        with open(path + ".new", "w") as file:
            json.dump(air, file)
        os.replace(path + ".new", path)

    # --- everything below runs in the board's own thread, except _do, _post, _post_typed and _wake

    def _do(self, job):
        """Run `job` in the board's thread and wait for its result."""
        future = concurrent.futures.Future()

        def run():
            try:
                future.set_result(job())
            except OSError as error:
                future.set_exception(error)

        self._post(run)
        return future.result(timeout=30)

    def _post(self, job):
        if self._closing:
            raise BoardError("the board is closed")
        self._jobs.append(job)
        self._wake()

    def _post_typed(self, data):
        self._post(lambda: self._type(data))

    def _wake(self):
        try:
            os.write(self._wake_write, b"!")
        except BlockingIOError:
            pass  # it is awake

    def _run(self):
        while not self._closing:
            for fd, _events in self._epoll.poll(self._patience()):
                if fd == self._wake_read:
                    os.read(fd, 4096)
                elif fd == self._port.fd:
                    self._type(self._port.read())
                    self._port.write(b"")
                elif self._chip and fd == self._chip.control.fileno():
                    self._from_control()
                elif self._chip and fd == self._chip.serial.fileno():
                    self._type(b"")
                    self._from_serial()
            while self._jobs:
                self._jobs.popleft()()
            if self._chip:
                self._chip.interrupt_when_quiet(self._flash)
                if self._chip.typed:
                    self._type(b"")
            if self._watchdog and time.monotonic() > self._watchdog[1]:
                self._raw = False
                self._restart(WDT_RESET)

    def _patience(self):
        """How long epoll may wait."""
        if self._chip and self._chip.interrupt_wanted:
            return QUIET
        return self._watchdog and max(0, self._watchdog[1] - time.monotonic()) + 0.001

    # power

    def _power_on(self):
        if not self.is_on:
            try:
                os.unlink(os.path.join(self._directory, "rtc"))
            except FileNotFoundError:
                pass
            self._raw = False
            self._forget()
            self._spawn(PWRON_RESET)
            self._power(True)
        return self._chip

    def _power_cut(self, mode):
        if self.is_on:
            self._stop_chip()
            self.last_cut = self._flash.tear(mode)
            self._power(False)
        return self.last_cut

    def _switch_off(self):
        if self.is_on:
            self._stop_chip()
            self._power(False)

    def _power(self, on):
        if not on:
            self._watchdog = None
        with self._changed:
            self.is_on = on
            self._changed.notify_all()

    def _spawn(self, cause):
        if cause != SOFT_RESET:
            self._watchdog = None
        self._chip = Chip(
            self.micropython, self.heap, self.image, self._directory, self._raw, cause, self.unique_id, self._times,
            (self.romfs, self._frozen or ""),
        )  # fmt: skip
        for end in (self._chip.serial, self._chip.control):
            self._epoll.register(end.fileno(), select.EPOLLIN)
        self._tail = b""
        self._banner = None  # while raw REPL mode is being entered: the output that is not passed on
        self._binary = False

    def _stop_chip(self):
        """End the interpreter; its output so far is kept. Returns its exit code, negative for a signal."""
        code = self._chip.end()
        self._drain()
        chip, self._chip = self._chip, None
        for end in (chip.serial, chip.control):
            self._epoll.unregister(end.fileno())
            end.close()
        chip.started.set()
        return code

    def _feed(self):
        self._watchdog[1] = time.monotonic() + self._watchdog[0]

    def _restart(self, cause, text=b""):
        code = self._stop_chip()
        if code < 0 and -code not in (signal.SIGKILL, signal.SIGINT):
            self.crashes.append(-code)
            cause = HARD_RESET  # on the hardware it would have been a panic
            text = b"\r\n[the interpreter was ended by signal %d]\r\n" % -code + text
        self._emit(text)
        self._spawn(cause)

    # from the interpreter

    def _from_control(self):
        try:
            requests = self._chip.control.recv(64)
        except (BlockingIOError, ConnectionResetError):
            return
        for index, request in enumerate(requests.decode()):
            if request == "D":  # machine.WDT was made; the seconds follow
                if not self._watchdog:
                    self._watchdog = [int(requests[index + 1:].split(b";")[0]) / self._speed, None]
                self._feed()
            elif request == "F":
                self._feed()
            elif request == "B":  # boot.py begins
                self._chip.begun = True
                self._chip.started.set()
                self._type(b"")
            elif request == "R":  # the REPL begins when this is answered
                self._drain()
                if self._raw:
                    self._banner = b""
                    self._chip.serial.send(CTRL_A)
                self._chip.control.send(b"!")
            elif request == "I":
                self._chip.want_interrupt_again()
            elif request == "S":
                return self._restart(SOFT_RESET, SOFT_REBOOT)
            elif request == "H":
                self._raw = False
                return self._restart(HARD_RESET)
            elif request == "C":
                self._power_cut(self._cut_mode)
                return

    def _from_serial(self):
        try:
            data = self._chip.serial.recv(65536)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        if data:
            self._route(data)
        elif self._chip.begun:  # Ctrl-D at the REPL, sys.exit() there, or a crash
            self._chip.process.wait()
            self._restart(SOFT_RESET, SOFT_REBOOT)
        else:
            self._switch_off()  # not a MicroPython, or one that can not run the boot part

    def _drain(self):
        """Take what the interpreter has written so far."""
        try:
            while data := self._chip.serial.recv(65536):
                self._route(data)
        except (BlockingIOError, ConnectionResetError):
            pass

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
        if running or data.endswith(PROMPT):
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
        if data:
            self._printed(data)
            self._port.write(data)

    # to the interpreter

    def _type(self, data):
        """Pass typed bytes on, in order; Ctrl-C becomes SIGINT while code runs and has not switched it off."""
        chip = self._chip
        if not chip:
            return
        chip.typed += data
        while chip.begun and chip.typed and not chip.interrupt_wanted:
            end = chip.typed.find(CTRL_C)
            if end == 0 and chip.running():
                chip.want_interrupt()
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


def build_of(frozen):
    """How the image of a board with this agent frozen is told from others, see tools/board/esp32.py; 8 bytes."""
    return hashlib.sha256(frozen or b"MicroPython").digest()[:8]


def _check_mode(mode):
    if mode is not None and mode not in CUT_MODES:
        raise ValueError("no such way to tear an operation: %r" % (mode,))


def find_micropython(path=None):
    """`path`, or $MICROPYTHON, or the one beside this Python, as an absolute path."""
    path = path or os.environ.get("MICROPYTHON") or os.path.join(os.path.dirname(sys.executable), "micropython")
    found = shutil.which(path)
    if not found:
        raise BoardError("no MicroPython at %s" % path)
    return os.path.abspath(found)


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.virtual_board", description=__doc__.split("\n")[0])
    parser.add_argument("--image", default=str(ROOT / "build" / "board.img"), help="flash image, made if absent")
    parser.add_argument("--micropython", help="unix binary of MicroPython (default: $MICROPYTHON)")
    parser.add_argument("--heap", default="2M", help="its heap (default: %(default)s)")
    parser.add_argument("--romfs", action="store_true", help="an agent in ROMFS and a frozen one; --heap is all theirs")
    parser.add_argument("--size", type=int, default=images.DEFAULT_SIZE, help="bytes of a new image")
    arguments = parser.parse_args()

    if not os.path.exists(arguments.image):
        os.makedirs(os.path.dirname(os.path.abspath(arguments.image)), exist_ok=True)
        files = images.charger_files("ws://127.0.0.1:9000", "HOLDFAST-1", in_rom=arguments.romfs)
        images.build_image(arguments.image, files, arguments.size)
        print("made %s with the firmware and a sample config.json" % os.path.relpath(arguments.image))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    code = {"romfs": images.romfs_image(), "frozen": images.frozen_image()} if arguments.romfs else {}
    with VirtualBoard(arguments.image, arguments.micropython, arguments.heap, **code) as board:
        board.power_on()
        print("a virtual board is at %s; Ctrl-C here takes it away" % board.port)
        print("    .venv/bin/mpremote connect %s repl" % board.port)
        print("    http://127.0.0.1:%d/ is its installer's page while that is on" % board.ports[80], flush=True)
        try:
            while True:
                signal.pause()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
