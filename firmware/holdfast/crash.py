"""Crash reports: what ended a run or a task, kept on flash for whoever comes to look.

One file, bounded, the newest report at its end; replaced as a whole, so a power cut leaves the old one or the new one.
Only a few are written in one run: a task that fails every second must not wear the flash.
"""

import gc
import io
import sys
import time

from . import board
from .log import printable

_PATH = "/crash.txt"
_ROOM = 2000  # bytes of all reports
_MOST = 4  # reports of one run

_written = 0


def traceback(error):
    """The lines of an exception's traceback, the exception itself last."""
    trace = io.StringIO()
    sys.print_exception(error, trace)
    return trace.getvalue().strip().replace("\n  ", "\n").split("\n")


def report(root, head, lines):
    """Add a report to the file in the directory `root`: a line that says what and when, and further lines."""
    global _written
    _written += 1
    if _written > _MOST:
        return
    text = "%s; boot %d\n" % (head, board.boots)
    for line in lines:
        text += "  " + line + "\n"
    text = text.encode()[-_ROOM:]
    older = read(root)
    # Whole reports only: each begins with a line that is not indented.
    while len(older) + len(text) > _ROOM or older[:1] == b" ":
        older = older[older.find(b"\n") + 1 or _ROOM:]
    try:
        with open(root + _PATH, "wb") as file:
            file.write(older + text)
    except OSError:
        pass  # the log has it


def read(root):
    """All reports, as bytes; b"" when there are none."""
    try:
        with open(root + _PATH, "rb") as file:
            return file.read(_ROOM)
    except OSError:
        return b""


def all_lines(root):
    """The lines of all reports; printable, as littlefs notices no damage in the content of a file of their length."""
    return [printable(line) for line in read(root).split(b"\n")[:-1]]


def of_last_run(root):
    """The lines of the report that the run before this one left, if it did."""
    found = all_lines(root)
    at = len(found) - 1
    while at >= 0 and found[at][:1] == " ":
        at -= 1
    return found[at:] if at >= 0 and found[at].endswith("; boot %d" % (board.boots - 1)) else []


def over(error):
    """The run is over. Reports it and restarts the board; after a crash in safe mode the REPL has some time first."""
    global _written
    _written = 0  # there is room for this one, whatever the tasks have written
    board.end(board.CRASHED)
    gc.collect()
    try:
        lines = traceback(error)
        for line in lines:
            print(line)
        report("", "crash: " + lines[-1], lines[:-1])
    finally:  # there may be no memory for a report
        if board.crashes >= board.LIMIT:
            # On a pole nobody comes to the REPL, and what is wrong may go away by itself.
            board.watchdog(60)
            board.hold()
            print("holdfast: crashed in safe mode too: this is the REPL, for %d minutes" % (board.AT_REPL // 60))
        else:
            time.sleep(2)  # for Ctrl-C
            board.reset()
