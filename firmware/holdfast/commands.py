"""What can be said to the console: every command, its usage and its answer.

Apart from console.py, which listens, because a station on its pole is hardly ever spoken to: this is imported with the
first line that somebody types. At the end is what `trace` shows of OCPP's frames as they pass: no secrets.
"""

import json
import os

import holdfast

from . import board
from .clock import rfc3339
from .console import LINE
from .log import LEVELS, masked, printable
from .payload import fault_of
from .reservations import TOKEN_TYPES

# What can be said, one command a line. `factory-reset` is what `_factory_reset` does, and so on. Words in small letters
# stand for themselves, those in brackets may be missing.
_USAGES = """help
status
reservations
reserve EVSE|any TOKEN MINUTES [TYPE] [ID]
cancel ID
vars [Component[.Variable]]
connect
disconnect
log [N|on|off|LEVEL]
echo on|off|auto
memory
reboot
factory-reset STATION-ID [keep]
crash
flash
tasks
trace on|off
web on|off|password [MINUTES]"""
_NUMBERS = ("EVSE", "EVSE|any", "CONNECTOR", "MINUTES", "ID", "N", "+SECONDS")
_RULES = {"TOKEN": 36, "TYPE": TOKEN_TYPES}  # as in IdTokenType, see payload.py

_YEAR = 31_557_600  # s
_ENDURANCE = 100_000  # erases that a sector of NOR flash stands, as data sheets promise
_ERASES = 20  # changes of a record on littlefs that it takes for one erase, as `make size` measures
_FRAME = 1500  # characters of a frame shown
# Fields of OCPP's messages that are nobody's business, beside tokens, passwords and URLs with a user in them: of
# SetNetworkProfile the key of a VPN and the PIN of a SIM card, of CustomerInformation who the customer is.
_SECRET = ("key", "simpin", "customeridentifier")


def _value(name, word):
    """A word of a command as what its usage says it is."""
    name = name.strip("[]")
    if name.islower() and word not in name.split("|"):
        raise ValueError("not '%s'" % word)
    fault = name in _RULES and fault_of(_RULES[name], word)
    if fault:
        raise ValueError("%s: %s" % (name, fault[2]))
    if name not in _NUMBERS or (word == "any" and "any" in name):
        return word
    try:
        return int(word)
    except ValueError:
        raise ValueError("%s is a number, not '%s'" % (name, word))


class Commands:
    """The commands of one console. Its `agent` has what they work on: `station`, `link`, `hardware`, `config` (all None
    when the configuration is wrong, told in `config_error`), `log`, `memory()`, `restart(reason)`, `changed()`."""

    def __init__(self, console):
        self.console = console
        self.agent = console.agent

    def execute(self, line, now):
        """Do what one line says at monotonic ms `now`; returns the lines to show, none for an empty line."""
        if len(line) > LINE:
            return ["error line longer than %d characters" % LINE]
        if printable(line) != line:
            return ["error only plain ASCII is understood"]
        words = line.split()
        if not words:
            return []
        found = [command for command in self._commands() if command[0].split()[0] == words[0]]
        if not found:
            return ["error no command '%s'; usage: help" % words[0]]
        usage, handler = found[0]
        wanted = usage.split()[1:]
        given = words[1:]
        try:
            if len(given) < len(wanted) - usage.count(" ["):
                raise ValueError("too few words")
            if len(given) > len(wanted):
                raise ValueError("too many words")
            result = handler(now, *[_value(wanted[i], given[i]) for i in range(len(given))])
        except ValueError as error:
            return ["error %s; usage: %s" % (error, usage)]
        return result + ["ok"] if type(result) is list else ["ok " + result]

    def _commands(self):
        # (usage, handler) of every command. A handler returns its output as a list, or a few words as a str.
        found = [(usage, getattr(self, "_" + usage.split()[0].replace("-", "_"))) for usage in _USAGES.split("\n")]
        hardware = self.agent.hardware
        return found + hardware.commands() if hardware and hardware.simulated else found

    def _station(self):
        if not self.agent.station:
            raise ValueError("no station: " + self.agent.config_error)
        return self.agent.station

    def _help(self, now):
        return [usage for usage, _ in self._commands()]

    def _status(self, now):
        agent = self.agent
        path = holdfast.__file__
        place = "ROMFS" if path.startswith("/agent/") else "files" if path.startswith("/lib/") else "frozen"
        lines = ["uptime: %d s" % (now // 1000), "agent: %s, %s" % (holdfast.__version__, place)]
        if not agent.station:
            return lines + ["%s: %s" % ("mode" if agent.safe else "config error", agent.config_error)]
        station = agent.station
        utc = station.clock.utc(now)
        lines += [
            "station: " + agent.config.station_id,
            "csms: " + agent.config.csms_url,
            "link: " + agent.link.state,
            "registration: %s" % (station.registration or "none"),
            "time: " + ("not set" if utc is None else rfc3339(utc)),
            "reservations: %d" % len(station.reservations.held),
            "records set aside: %d" % station.set_aside,
        ]
        for evse in station.evses:
            facts = []
            if evse.fault is not None:
                facts.append("faulted (%s)" % evse.fault)
            if not evse.operative or not station.site.operative:
                facts.append("inoperative")
            if evse.plugged is not None:
                facts.append("cable in connector %d" % evse.plugged)
            if evse.authorization:
                facts.append("driver " + masked(evse.authorization.token[0]))
            if evse.transaction:
                facts.append("%s in transaction %s" % (evse.transaction.state, evse.transaction.id))
            lines.append("evse %d: %s" % (evse.id, ", ".join(facts) or "idle"))
            for connector in evse.connectors:
                lines.append("connector %d.%d: %s %s" % (
                    evse.id, connector.id, station.status_of(evse, connector), connector.type))
        return lines

    def _reservations(self, now):
        reservations = self._station().reservations
        lines = []
        for held in reservations.held:
            line = "reservation %d: EVSE %s, token %s" % (held.id, held.evse_id or "any", masked(held.token[0]))
            if held.group:
                line += ", group " + masked(held.group[0])
            if held.connector_type:
                line += ", " + held.connector_type
            lines.append(line + ", until " + rfc3339(held.expiry))
        for ended in reservations.ended:
            lines.append("reservation %d: %s, not yet told to the CSMS" % (ended.id, ended.ended))
        return lines

    def _reserve(self, now, evse_id, token, minutes, token_type="ISO14443", reservation_id=None):
        if not 1 <= minutes <= 525600 or not 0 <= (reservation_id or 0) <= 0x7FFFFFFF:
            raise ValueError("MINUTES or ID out of range")
        if evse_id == "any":
            evse_id = None
        if self._station().clock.utc(now) is None:
            raise ValueError("the clock is not set yet")
        return self._answer(self._station().reserve(now, evse_id, token, token_type, minutes, reservation_id))

    def _cancel(self, now, reservation_id):
        return self._answer(self._station().cancel(now, reservation_id))

    def _answer(self, answer):
        if answer != "Accepted":
            raise ValueError(answer)
        return answer

    def _vars(self, now, wanted=""):
        variables = self._station().variables
        wanted = wanted.lower()
        lines = []
        for name in variables.names():
            # A whole component, a variable with all its instances, or one of these.
            following = name[len(wanted):][:1]
            if name.lower().startswith(wanted) and (not wanted or following in ("", ".", "[")):
                lines.append("%s: %s" % (name, variables.get(name)))
        if not lines:
            raise ValueError("no variable '%s'" % wanted)
        return lines

    def _connect(self, now):
        self._station()
        self.agent.link.connect()
        return "connecting"

    def _disconnect(self, now):
        self._station()
        self.agent.link.disconnect()
        return "disconnecting"

    def _log(self, now, how="64"):
        if how in ("on", "off"):
            self.console.follow = how == "on"
            return how
        if how in LEVELS:
            self.agent.log.threshold = how
            return how + " and worse"
        return self.agent.log.last(_value("N", how))

    def _echo(self, now, how):
        self.console.echo = how
        return how

    def _memory(self, now):
        used, free = self.agent.memory()
        lines = ["heap used: %d" % used, "heap free: %d" % free]
        if self.agent.link and self.agent.link.handshake:
            lines.append("TLS handshake, heap used before, at most, after: %d, %d, %d" % self.agent.link.handshake)
        least = largest = free = 0
        regions = board.heaps()
        for region in regions:
            free += region[1]
            largest = max(largest, region[2])
            least += region[3]
        if regions:
            lines += ["IDF heap free: %d" % free, "IDF heap largest block: %d" % largest,
                      "IDF heap least free: %d" % least]
        return lines

    def _crash(self, now):
        from .crash import all_lines

        return all_lines(self.agent.root) or ["no crash reports"]

    def _flash(self, now):
        station = self._station()
        _, size, blocks, free = os.statvfs(self.agent.root or "/")[:4]
        lines = ["file system: %d of %d blocks of %d bytes free" % (free, blocks, size),
                 "counted since: the start, %d s ago" % (now // 1000)]
        changes = 0
        for kind, count in sorted(station.records.changes.items()):
            lines.append("records/%s*: %d changes" % (kind, count))
            changes += count
        if changes < _ERASES or now < 3_600_000:
            return lines + ["estimate: none, too little was counted"]
        # littlefs moves what is written often through all free blocks.
        years = _ENDURANCE * free * _ERASES // changes * (now // 1000) // _YEAR
        return lines + ["estimate: %d years at this rate, with %d erases a block" % (years, _ENDURANCE)]

    def _tasks(self, now):
        watchdog = self.agent.watchdog
        lines = []
        for task, due in sorted(watchdog.due.items()):
            lines.append("%s: %s" % (task, "waiting" if due is None else "due in %d ms" % (due - now)))
        feeding = "off" if watchdog.wdt is None else "%d s" % self.agent.config.watchdog
        return lines + ["watchdog: " + feeding, "boots: %d" % board.boots, "crashes in a row: %d" % board.crashes]

    def _trace(self, now, how):
        self._station()
        self.agent.link.trace = None if how == "off" else lambda direction, text: self.agent._show(
            "# %s %s\n" % (direction, redacted(text)))
        return how

    def _web(self, now, how, minutes=None):
        return self.agent.page(how, minutes)

    def _reboot(self, now):
        self.agent.restart("LocalReset")
        return "restarting"

    def _factory_reset(self, now, station_id, how="all"):
        config = self.agent.config
        if station_id != (config.station_id if config else "none"):
            raise ValueError("to confirm, repeat the station id (none, without a configuration)")
        self.agent.erase = how
        self.agent.restart("LocalReset")
        return "erasing, then restarting"


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
