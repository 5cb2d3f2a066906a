"""Deployments onto a virtual board that lose their power or their cable on the way, for both ways of installing."""

import os
import subprocess

from mpremote.transport_serial import SerialTransport
from virtual_boards import PROMPT

from tools import image
from tools.board_repl import Repl


def boots(board):
    """What the board says when it is switched on."""
    board.power_cut()
    board.power_on()
    return board.read_until(PROMPT)


class Watched(Repl):
    """A Repl that does not wait for the answers of a board without power."""

    def __init__(self, board):
        super().__init__(board.port)
        serial = self._transport.serial
        read = serial.read
        serial.timeout = 0.02

        def watched(size=1):
            data = b""
            while len(data) < size:
                data += read(size - len(data))
                if not data and not board.is_on:
                    raise OSError("no power")
            return data

        serial.read = watched


class Unplugged(Exception):
    pass


class Loose(Repl):
    """A Repl whose cable is pulled out at its n-th command."""

    def __init__(self, port, commands):
        super().__init__(port)
        self.left = commands

    def run(self, code):
        if hasattr(self, "left"):
            self.left -= 1
            if self.left == 0:
                self.close()
                raise Unplugged
        return super().run(code)


def soft_reset(port):
    """Press Ctrl-D, as any tool does that comes after one that was interrupted.

    A board then runs the finalisers of all that is left (ports/esp32/main.c: gc_sweep_all), so the file that was being
    written is closed, and littlefs keeps what was written of it. The unix port ends its process instead and closes
    nothing, so it is done here by hand.
    """
    transport = SerialTransport(port)
    transport.enter_raw_repl(soft_reset=False)
    transport.exec("try:\n f.close()\nexcept (NameError, OSError):\n pass")
    transport.close()
    Repl(port).close()


class Noisy(Repl):
    """A Repl over a cable that adds `more` to the first command in which there is `what`."""

    def __init__(self, port, what, more):
        super().__init__(port)
        self.what, self.more = what, more

    def run(self, code):
        if hasattr(self, "what") and self.what in code:
            code, self.what = code + self.more, "\0"
        return super().run(code)


def make(target, board, *variables):
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    return subprocess.run(["make", "--no-print-directory", target, "PORT=" + board.port, *variables], cwd=image.ROOT,
                          capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, env=environment)
