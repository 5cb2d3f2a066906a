"""The serial console: one command a line, for people and for scripts.

A command is answered with its output, one `name: value` a line where that fits, and then exactly one line that begins
with `ok` or `error`. Other lines may come in between: `# ...` is the log, `> ...` the echo of what somebody types; a
line whose characters come all at once was not typed, and is not echoed. CR, LF and CRLF end a line, backspace works.
Only `Console.serve` touches the serial port; the commands themselves are in commands.py.
"""

import asyncio
import select
import sys

LINE = 200  # characters a command may have


class Console:
    """The console of an agent. Characters become lines; `shown` is what the terminal has of the one so far."""

    def __init__(self, agent):
        self.agent = agent
        self.follow = True  # show the log as it grows
        self.echo = "auto"  # "on", "off", or "auto": what is typed by hand
        self.shown = self._line = ""
        self._visible = False

    def execute(self, line, now):
        """Do what one line says at monotonic ms `now`; returns the lines to show, none for an empty line."""
        from .commands import Commands  # late: see there

        return Commands(self).execute(line, now)

    def take(self, octet, more):
        """One octet was typed: (text to show, finished line or None). `more()`: do further characters wait already?"""
        if octet in (10, 13):
            line = self._line
            show = "\n" if self.shown else ""
            self._line = self.shown = ""
            return show, line
        if octet == 9:
            octet = 32
        if octet in (8, 127):
            if not self._line:
                return "", None
            self._line = self._line[:-1]
            show = "\b \b"
        elif octet < 32:
            return "", None  # no character: cursor keys and the like
        else:
            if not self._line:
                self._visible = self.echo == "on" or self.echo == "auto" and not more()
            show = chr(octet) if octet < 127 else "?"
            # One too long, or one that is no ASCII, is kept as such, so that the whole line is refused.
            if len(self._line) <= LINE:
                self._line += show if octet < 127 else "\x7f"
        if not self._visible:
            return "", None
        if not self.shown:
            show = "> " + show
        self.shown = "> " + self._line
        return show, None

    async def serve(self, now, write):
        """Read commands from standard input for ever, or until it ends; `write(text)` shows text.

        Octet by octet, because on a board a read waits for as much as was asked for.
        """
        self.shown = self._line = ""  # Ctrl-C may have come in the middle of a line
        reader = asyncio.StreamReader(sys.stdin.buffer)
        poll = select.poll()
        poll.register(sys.stdin.buffer, select.POLLIN)
        while True:
            octet = await reader.read(1)
            if octet == b"":
                return  # a pipe was closed; the agent goes on
            if octet:
                show, line = self.take(octet[0], lambda: poll.poll(0))
                if show:
                    write(show)
                if line is not None:
                    for answer in self.execute(line, now()):
                        write(answer + "\n")
                    self.agent.changed()
