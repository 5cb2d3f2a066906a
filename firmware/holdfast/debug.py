"""What somebody with a serial cable wants to know: crashes, memory, flash, tasks, and the frames of OCPP as they pass.

Imported with the first command that is about it: a station that nobody looks at has no use for it.
"""

import json
import os

from holdfast import board, crash
from holdfast.log import masked

_YEAR = 31_557_600  # s
_ENDURANCE = 100_000  # erases that a sector of NOR flash stands, as data sheets promise
_ERASES = 20  # changes of a record on littlefs that it takes for one erase, as `make size` measures
_FRAME = 1500  # characters of a frame shown
# Fields of OCPP's messages that are nobody's business, beside tokens, passwords and URLs with a user in them: of
# SetNetworkProfile the key of a VPN and the PIN of a SIM card, of CustomerInformation who the customer is.
_SECRET = ("key", "simpin", "customeridentifier")


def execute(agent, now, name, words):
    """The output of a command: crash, flash, memory, tasks or trace."""
    return globals()["_" + name](agent, now, *words)


def _crash(agent, now):
    return str(crash.read(agent.root + crash.PATH), "utf-8").split("\n")[:-1] or ["no crash reports"]


def _memory(agent, now):
    lines = []
    least = largest = free = 0
    regions = board.heaps()
    for region in regions:
        free += region[1]
        largest = max(largest, region[2])
        least += region[3]
    if regions:
        lines = ["IDF heap free: %d" % free, "IDF heap largest block: %d" % largest, "IDF heap least free: %d" % least]
    return lines


def _flash(agent, now):
    if not agent.station:
        raise ValueError("no station: " + agent.config_error)
    _, size, blocks, free = os.statvfs(agent.root or "/")[:4]
    lines = ["file system: %d of %d blocks of %d bytes free" % (free, blocks, size),
             "counted since: the start, %d s ago" % (now // 1000)]
    changes = 0
    for kind, count in sorted(agent.station.records.changes.items()):
        lines.append("records/%s*: %d changes" % (kind, count))
        changes += count
    if changes < _ERASES or now < 3_600_000:
        return lines + ["estimate: none, too little was counted"]
    # littlefs moves what is written often through all free blocks.
    years = _ENDURANCE * free * _ERASES // changes * (now // 1000) // _YEAR
    return lines + ["estimate: %d years at this rate, with %d erases a block" % (years, _ENDURANCE)]


def _tasks(agent, now):
    lines = []
    for task, due in sorted(agent.watchdog.due.items()):
        lines.append("%s: %s" % (task, "waiting" if due is None else "due in %d ms" % (due - now)))
    feeding = "off" if agent.watchdog.wdt is None else "%d s" % agent.config.watchdog
    return lines + ["watchdog: " + feeding, "boots: %d" % board.boots, "crashes in a row: %d" % board.crashes]


def _trace(agent, now, how):
    if how not in ("on", "off"):
        raise ValueError("not '%s'" % how)
    if not agent.link:
        raise ValueError("no station: " + agent.config_error)
    agent.link.trace = None if how == "off" else lambda direction, text: agent._show(
        "# %s %s\n" % (direction, redacted(text)))
    return how


def redacted(text):
    """A frame with tokens and passwords masked, and no longer than can be read. What cannot be looked at is not shown.

    Never raises: who only watches must not disturb, whatever the CSMS sends.
    """
    try:
        shown = json.dumps(_without_secrets(json.loads(text), ""))
    except ValueError:
        return "%d characters that are no JSON" % len(text)
    except (MemoryError, RuntimeError):  # too large, or too deep
        return "%d characters, too much to show" % len(text)
    return shown if len(shown) <= _FRAME else shown[:_FRAME] + "..."


def _without_secrets(value, key):
    """`value` as it may be shown, if it is what `key` names."""
    if type(value) is list:
        return [_without_secrets(item, key) for item in value]
    if type(value) is dict:
        found = {}
        for name in value:
            # The value of a variable is as secret as the name of the variable.
            alias = str(value.get("variable")) if name == "attributeValue" else name
            found[name] = _without_secrets(value[name], alias)
        return found
    key = key.lower()
    if type(value) is str and key.endswith("idtoken"):
        return masked(value)
    if "password" in key or key in _SECRET or type(value) is str and "://" in value and "@" in value:
        return "***"
    return value
