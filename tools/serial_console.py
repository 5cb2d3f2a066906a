"""Holdfast's console at the end of a serial cable; as a program it follows the log: `make logs PORT=… LEVEL=warning`.

The agent goes on meanwhile: nothing here stops it, so a station in the field can be watched. A port that goes away, as
the USB of a chip does when it is reset, is waited for.
"""

import argparse
import contextlib
import os
import re
import sys
import threading
import time

import serial

from tools.board_console import BoardError, Console

BAUD = 115200
LEVELS = ("debug", "info", "warning", "error")
PATIENCE = 3  # s for an answer of the agent
COLOURS = {"error": "31", "warning": "33", "debug": "2"}


class SerialConsole(Console):
    """Use it in a `with` statement. Raises serial.SerialException when the port cannot be opened."""

    def __init__(self, port, listener=None):
        super().__init__(self._write, listener)
        self._serial = serial.Serial(port, BAUD, timeout=0.05, write_timeout=2, exclusive=True)
        self.is_on = True  # until the port is gone
        self._closing = False
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    def _write(self, data):
        try:
            self._serial.write(data)
        except serial.SerialException as error:
            raise BoardError("the port is gone: %s" % error)

    def _receive(self):
        while not self._closing:
            try:
                data = self._serial.read(1)
                data += self._serial.read(self._serial.in_waiting)
            except (OSError, TypeError):  # pyserial's own way to say that the port was closed
                break
            if data:
                self._printed(data)
        with self._changed:
            self.is_on = False
            self._changed.notify_all()

    def close(self):
        self._closing = True
        self._thread.join()
        with contextlib.suppress(OSError):
            self._serial.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def nobody(port, error):
    """Why there is no talking to the board, and what to do."""
    cause = error.__cause__ or error.__context__ or error
    if "Permission" in str(cause) or "denied" in str(cause):
        return "no right to use %s: `sudo usermod -a -G dialout $USER`, and log in anew" % port
    if not os.path.exists(port):
        return "there is no %s: is the cable in? `ls /dev/tty[AU]*` shows the ports" % port
    return "no access to %s: does another program have it open, a console for instance?" % port


class Lines:
    """Output in pieces of any size becomes whole lines: call it with data, and `take(line)` is called with text."""

    def __init__(self, take):
        self._take = take
        self._rest = b""

    def __call__(self, data):
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line.decode(errors="replace").rstrip("\r"))


def log_level(line):
    """The level of a line of the log, None if it is none."""
    found = re.match(r"# \S+ (%s) " % "|".join(LEVELS), line)
    return found and found[1]


def follow(port, level, show, over=lambda: False):
    """Show the log of the board at `port` from `level` on, what it has kept and then what comes, until `over()`."""
    wanted = LEVELS[LEVELS.index(level):]

    def take(line):
        if log_level(line) in wanted:
            show(line[2:])

    told = None
    while not over():
        try:
            with SerialConsole(port) as console:
                told = None
                _follow(console, take, over)
        except serial.SerialException as error:
            reason = nobody(port, error)
            if reason != told:
                show("waiting: " + reason)
                told = reason
            time.sleep(0.5)


def _follow(console, take, over):
    """Pass on what the log has kept and then what comes; returns when the port is gone."""
    try:
        console.command("log on", PATIENCE)
        kept = console.command("log", PATIENCE)
    except BoardError as error:
        if console.is_on:
            raise BoardError("no agent answers (%s); `make console` shows what is there" % error)
        return
    known = ["# " + line for line in kept]
    for line in known + [line for line in kept.log if line not in known]:
        take(line)
    lines = Lines(take)
    while console.is_on and not over():
        try:
            lines(console.read_until("\n", 0.5).encode())
        except BoardError:
            pass  # nothing was said


def coloured(line):
    colour = COLOURS.get(log_level("# " + line))
    return "\x1b[%sm%s\x1b[0m" % (colour, line) if colour and sys.stdout.isatty() else line


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.serial_console", description=__doc__.split("\n")[0])
    parser.add_argument("port")
    parser.add_argument("--level", choices=LEVELS, default="debug", help="the lowest level that is shown")
    options = parser.parse_args()
    try:
        follow(options.port, options.level, lambda line: print(coloured(line), flush=True))
    except BoardError as error:
        sys.exit("logs: %s" % error)
    except KeyboardInterrupt:
        print()


if __name__ == "__main__":
    main()
