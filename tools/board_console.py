"""The console of a board as a program on the desk uses it: type, wait for output, ask Holdfast's console a command.

Thread-safe; the awaitable twins never block an event loop. Nothing here knows how the bytes reach the board.
"""

import asyncio
import threading
import time


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


class Console:
    """`send(data)` types bytes. Output comes in through `_printed(data)`, which also hands it to `listener`."""

    def __init__(self, send, listener=None):
        self.is_on = False
        self._send = send
        self._listener = listener
        self._output = bytearray()
        self._changed = threading.Condition()
        self._read = 0  # how much of the output read_until and command have consumed
        self._one_command = threading.Lock()

    @property
    def transcript(self):
        """All output since the board was made, over all resets."""
        with self._changed:
            return self._output.decode(errors="replace")

    def write(self, text):
        """Type `text` (str or bytes; "\\x03" is Ctrl-C) on the console."""
        self._send(text.encode() if isinstance(text, str) else bytes(text))

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

        Log lines (`# ...`) that come meanwhile are kept apart; echo (`> ...`) and empty lines are left out.
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
                        if not self.is_on:
                            raise BoardError("the board is off, %r was not answered" % line, lines)
                        if not self._changed.wait(max(0, deadline - time.monotonic())):
                            raise BoardError("no answer to %r within %s s" % (line, timeout), lines)
                    text = self._output[start:end].decode(errors="replace").strip("\r\n")
                    self._read = max(self._read, start := end)
                word = text.split(" ", 1)[0].rstrip(":")
                if text.startswith("# "):
                    log.append(text)
                elif word == "ok":
                    return Answer(lines, text, log)
                elif word == "error":
                    raise BoardError(text, lines)
                elif text and not text.startswith("> "):
                    lines.append(text)

    async def aread_until(self, text, timeout=5):
        return await asyncio.to_thread(self.read_until, text, timeout)

    async def acommand(self, line, timeout=5):
        return await asyncio.to_thread(self.command, line, timeout)

    def _forget(self):
        with self._changed:
            self._read = len(self._output)

    def _printed(self, data):
        with self._changed:
            self._output += data
            self._changed.notify_all()
        if self._listener:
            self._listener(data)
