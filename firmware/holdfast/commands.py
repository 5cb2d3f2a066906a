"""What can be said to the console: every command, its usage and its answer.

Apart from console.py, which listens, because a station on its pole is hardly ever spoken to: this is imported with the
first line that somebody types.
"""

from holdfast.clock import rfc3339
from holdfast.console import LINE
from holdfast.log import LEVELS, masked, printable
from holdfast.payload import fault_of, id_token

_NUMBERS = ("EVSE", "EVSE|any", "CONNECTOR", "MINUTES", "ID", "N", "+SECONDS")


def _value(name, word):
    """A word of a command as what its usage says it is."""
    name = name.strip("[]")
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
        found = [command for command in self.commands() if command[0] == words[0]]
        if not found:
            return ["error no command '%s'; usage: help" % words[0]]
        name, usage, handler = found[0]
        wanted = usage.split()
        least = len([word for word in wanted if word[0] != "["])
        given = words[1:]
        try:
            if not least <= len(given) <= len(wanted):
                raise ValueError("too few words" if len(given) < least else "too many words")
            result = handler(now, *[_value(wanted[i], given[i]) for i in range(len(given))])
        except ValueError as error:
            return [("error %s; usage: %s %s" % (error, name, usage)).strip()]
        return result + ["ok"] if type(result) is list else ["ok " + result]

    def commands(self):
        """(name, usage, handler) of every command. A handler returns its output as a list, or a few words as a str."""
        own = (
            ("help", "", self._help),
            ("status", "", self._status),
            ("reservations", "", self._reservations),
            ("reserve", "EVSE|any TOKEN MINUTES [TYPE] [ID]", self._reserve),
            ("cancel", "ID", self._cancel),
            ("vars", "[Component[.Variable]]", self._vars),
            ("connect", "", self._connect),
            ("disconnect", "", self._disconnect),
            ("log", "[N|on|off|LEVEL]", self._log),
            ("echo", "on|off|auto", self._echo),
            ("memory", "", self._memory),
            ("reboot", "", self._reboot),
            ("factory-reset", "STATION-ID [keep]", self._factory_reset),
            ("crash", "", lambda now: self._debug("crash", now)),
            ("flash", "", lambda now: self._debug("flash", now)),
            ("tasks", "", lambda now: self._debug("tasks", now)),
            ("trace", "on|off", lambda now, how: self._debug("trace", now, how)),
            ("web", "on|off|password [MINUTES]", lambda now, how, minutes=None: self.agent.page(how, minutes)),
        )
        if self.agent.safe:
            own += (("resume", "", self._resume),)
        hardware = self.agent.hardware
        return own + hardware.commands() if hardware and hardware.simulated else own

    def _station(self):
        if not self.agent.station:
            raise ValueError("no station: " + self.agent.config_error)
        return self.agent.station

    def _help(self, now):
        return [(name + " " + usage).strip() for name, usage, _ in self.commands()]

    def _status(self, now):
        agent = self.agent
        lines = ["uptime: %d s" % (now // 1000)]
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
        fault = fault_of(id_token, {"idToken": token, "type": token_type})
        if fault:
            raise ValueError("%s: %s" % fault[1:])
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
        status, reason = answer
        if status != "Accepted":
            raise ValueError("%s %s" % (status, reason) if reason else status)
        return status

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
        if how not in ("on", "off", "auto"):
            raise ValueError("not '%s'" % how)
        self.console.echo = how
        return how

    def _memory(self, now):
        used, free = self.agent.memory()
        lines = ["heap used: %d" % used, "heap free: %d" % free]
        if self.agent.link and self.agent.link.handshake:
            lines.append("TLS handshake, heap used before, at most, after: %d, %d, %d" % self.agent.link.handshake)
        return lines + self._debug("memory", now)

    def _debug(self, name, now, *words):
        from holdfast.debug import execute  # late: on most days nobody asks

        return execute(self.agent, now, name, words)

    def _resume(self, now):
        self.agent.leave_safe_mode()
        return "leaving safe mode"

    def _reboot(self, now):
        self.agent.restart("LocalReset")
        return "restarting"

    def _factory_reset(self, now, station_id, how="all"):
        config = self.agent.config
        if station_id != (config.station_id if config else "none"):
            raise ValueError("to confirm, repeat the station id (none, without a configuration)")
        if how not in ("all", "keep"):
            raise ValueError("not '%s'" % how)
        self.agent.erase = how
        self.agent.restart("LocalReset")
        return "erasing, then restarting"
