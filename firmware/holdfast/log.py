"""The log: the last lines in memory, one line for each thing worth telling, and tokens that stay secret.

Promises: memory stays bounded however much is logged; a line is one line, whatever a stranger put into its text, so
no log can be mistaken for a console's answer; `masked` never shows more than a third of a token. Levels are for their
reader: "error" wants somebody to come, "warning" is wrong but handled, "info" is the life of the station, "debug" is
for developers and only kept when asked for.
"""

LEVELS = ("debug", "info", "warning", "error")
_LINE = 160  # characters kept of one line
_ROOM = 6000  # characters kept in all
_KEPT = 1000  # characters that survive a reset


def masked(token):
    """An id token or secret for people to recognize and not to use: "AB***9", at most a third of it, or "***"."""
    size = len(token)
    if size < 6:
        return "***"
    return token[:1 if size < 9 else 2] + "***" + token[-1:]


def printable(text):
    """`text` (str or bytes) in printable ASCII: each byte of anything else, control characters above all, is a "?"."""
    try:
        # In bytes, because MicroPython keeps every single character it takes out of a string for ever.
        octets = text if type(text) is bytes else text.encode()
    except ValueError:  # half a surrogate pair, on CPython
        return "?"
    if octets and min(octets) >= 0x20 and max(octets) < 0x7F:
        return str(octets, "utf-8") if octets is text else text  # as nearly all are
    octets = bytearray(octets)
    for at in range(len(octets)):
        if not 0x20 <= octets[at] < 0x7F:
            octets[at] = 63
    return octets.decode()


class Log:
    """The last `size` lines. Call it to add one: `log("info", "text")`, secrets masked by the caller.

    `when()` returns (utc seconds or None, milliseconds since boot). `echo(line)` is called for each line kept, None:
    nowhere. `threshold`: lowest level kept. `keep(text)` stores text where it survives a reset, `keep()` gives back as
    bytes what was stored before: the log begins with it. `save()` has to be called now and then.
    """

    def __init__(self, when, size=64, echo=None, keep=None):
        self.when = when
        self.size = size
        self.echo = echo
        self.threshold = "info"
        self.keep = keep
        self._lines = []
        self._room = 0
        self._saved = True
        if keep:
            # Whatever is found there is made printable: at power-on it may be anything.
            for octets in keep().split(b"\n"):
                if octets:
                    self._add(printable(octets))

    def __call__(self, level, text):
        if LEVELS.index(level) < LEVELS.index(self.threshold):
            return
        if len(text) > _LINE:
            text = text[:_LINE] + "..."
        utc, now = self.when()
        if utc is None:
            line = "+%ds %s %s" % (now // 1000, level, text)  # since boot: the board has not been told the time yet
        else:
            utc %= 86400
            line = "%02d:%02d:%02d %s %s" % (utc // 3600, utc // 60 % 60, utc % 60, level, text)
        line = printable(line)
        self._add(line)
        self._saved = False
        if self.echo:
            self.echo(line)

    def save(self):
        """Keep the youngest lines beyond a reset, if there are new ones. Not with each line: it takes memory."""
        if self.keep and not self._saved:
            self._saved = True
            first = len(self._lines)
            room = _KEPT
            while first and room > len(self._lines[first - 1]):
                first -= 1
                room -= len(self._lines[first]) + 1
            self.keep("\n".join(self._lines[first:]))

    def _add(self, line):
        self._lines.append(line)
        self._room += len(line)
        while len(self._lines) > self.size or self._room > _ROOM:
            self._room -= len(self._lines.pop(0))

    def last(self, count):
        """The youngest `count` lines, oldest first."""
        return self._lines[max(0, len(self._lines) - count):]
