"""One prompt for both sides: commands that the CSMS sends, commands for the console of the board, and both views.

`Prompt.execute(line)` does one command and returns the lines of its output, so that tests and pipes use it as a
terminal does; `Prompt.run()` reads lines until `quit`: with history and completion on a terminal, plainly from a pipe.
"""

import argparse
import asyncio
import json
import pathlib
import re
import shlex
import sys

from tools.csms import CallError, LinkClosed, NoAnswer

HISTORY = pathlib.Path(__file__).resolve().parent.parent / "build" / "prompt-history"
ID_TOKEN_TYPES = ("Central", "eMAID", "ISO14443", "ISO15693", "KeyCode", "Local", "MacAddress", "NoAuthorization")
CONNECTOR_TYPES = (
    "cCCS1", "cCCS2", "cG105", "cTesla", "cType1", "cType2", "s309-1P-16A", "s309-1P-32A", "s309-3P-16A", "s309-3P-32A",
    "sBS1361", "sCEE-7-7", "sType2", "sType3", "Other1PhMax16A", "Other1PhOver16A", "Other3Ph", "Pan", "wInductive",
    "wResonant", "Undetermined", "Unknown")


class PromptError(Exception):
    """A command that cannot be done; the text says why."""


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that neither prints nor exits."""

    def __init__(self, usage):
        super().__init__(prog=usage.split()[0], usage=usage, add_help=False, allow_abbrev=False)

    def error(self, message):
        raise PromptError("%s; usage: %s" % (message, self.usage))


def commands():
    """{name: (parser, one line of help, "csms" or "board")} of every command."""
    table = {}

    def command(usage, help_text, side, *arguments):
        parser = Parser(usage)
        for name, options in arguments:
            parser.add_argument(name, **options)
        table[parser.prog] = (parser, help_text, side)

    evse, evse_if_any = ("evse", {"type": int}), ("evse", {"type": int, "nargs": "?"})
    token_type = ("--token-type", {"choices": ID_TOKEN_TYPES, "default": "ISO14443"})
    command("reserve [EVSE] [--token T] [--minutes M] [--id N] [--type CONNECTOR] [--group G] [--token-type T]",
            "ReserveNow: one EVSE, any, or any with that type of connector", "csms",
            evse_if_any, ("--token", {"default": "ABC123"}), token_type, ("--minutes", {"type": float, "default": 10}),
            ("--id", {"type": int}), ("--type", {"choices": CONNECTOR_TYPES}), ("--group", {}))
    command("cancel ID", "CancelReservation", "csms", ("id", {"type": int}))
    command("start TOKEN [EVSE] [--group G] [--token-type T]", "RequestStartTransaction", "csms",
            ("token", {}), evse_if_any, token_type, ("--group", {}))
    command("availability EVSE operative|inoperative",
            "ChangeAvailability: an EVSE (2), a connector (1.2), the station (0)", "csms",
            ("evse", {}), ("state", {"choices": ("operative", "inoperative")}))
    command("reset [OnIdle|Immediate]", "Reset the station", "csms",
            ("when", {"nargs": "?", "choices": ("OnIdle", "Immediate"), "default": "Immediate"}))
    command("get C.V", "GetVariables, as in: get OCPPCommCtrlr.HeartbeatInterval", "csms", ("variable", {}))
    command("set C.V VALUE", "SetVariables", "csms", ("variable", {}), ("value", {}))
    command("plug EVSE [CONNECTOR]", "put the cable into the car", "board", evse,
            ("connector", {"type": int, "nargs": "?"}))
    command("unplug EVSE", "take the cable out", "board", evse)
    command("swipe TOKEN [TYPE] [EVSE]", "present a token at the reader", "board",
            ("token", {}), ("type", {"nargs": "?"}), evse_if_any)
    command("fault EVSE [CODE]", "the hardware of an EVSE fails", "board", evse, ("code", {"nargs": "?"}))
    command("clear EVSE", "the fault is gone", "board", evse)
    command("suspend EVSE", "the car pauses", "board", evse)
    command("resume EVSE", "the car goes on", "board", evse)
    command("time +SECONDS", "shift the clock of the station", "board", ("shift", {}))
    command("power-cut", "pull the plug of the board, tear what it writes, and power on again", "board")
    command("station LINE", "any line for the console of the station, as in: station log", "board",
            ("line", {"nargs": argparse.REMAINDER}))
    command("status", "what the CSMS knows, and what the station says", "csms")
    command("use STATION", "talk to this station from now on, when several are connected", "csms", ("station", {}))
    command("help [COMMAND]", "the commands, or one of them", "csms", ("command", {"nargs": "?"}))
    command("quit", "leave", "csms")
    return table


class Ledger:
    """The reservations as the messages tell them. Give `frame` to `Csms.watch`."""

    def __init__(self):
        self.reservations = {}      # id -> text
        self._asked = {}

    def frame(self, _at, _station_id, direction, text):
        try:
            kind, message_id, *rest = json.loads(text) if direction != "--" else (None, None)
            if kind == 2:
                self._told(*rest, asked_as=message_id if direction == "->" else None)
            elif kind == 3 and direction == "<-":
                self._answered(*self._asked.pop(message_id, (None, None)), rest[0].get("status"))
        except (ValueError, LookupError, TypeError, AttributeError):
            return      # not a message at all: the link records that

    def _told(self, action, payload, asked_as):
        if asked_as and action in ("ReserveNow", "CancelReservation"):
            self._asked[asked_as] = (action, payload)
        elif action == "ReservationStatusUpdate":
            self.reservations.pop(payload["reservationId"], None)
        elif action == "TransactionEvent" and "reservationId" in payload:
            self.reservations.pop(payload["reservationId"], None)

    def _answered(self, action, payload, status):
        if status == "Accepted" and action == "ReserveNow":
            place = "EVSE %s" % payload["evseId"] if "evseId" in payload else "any EVSE"
            self.reservations[payload["id"]] = "%s%s for %s until %s" % (
                place, " with " + payload["connectorType"] if "connectorType" in payload else "",
                payload["idToken"]["idToken"], payload["expiryDateTime"])
        elif status == "Accepted" and action == "CancelReservation":
            self.reservations.pop(payload["reservationId"], None)


class Prompt:
    """The commands for a `Csms` and, if there is one, a board: an object with async `command(line)` -> lines and
    `power_cycle()`. Whatever the board raises as `board.errors` (a tuple of exceptions) is shown as an error.
    """

    def __init__(self, csms, board=None, write=print):
        self.csms, self.board, self.write = csms, board, write
        self.commands = {name: entry for name, entry in commands().items() if board or entry[2] == "csms"}
        self.ledger = Ledger()
        csms.watch(self.ledger.frame)
        self.over, self._station_id, self._next_id, self._remote_starts = False, None, 1, 0

    async def run(self):
        """Read and do commands until `quit` or the end of the input."""
        if sys.stdin.isatty() and sys.stdout.isatty():
            await self._run_on_terminal()
        else:
            while not self.over:
                line = await asyncio.to_thread(sys.stdin.readline)
                if not line:
                    return
                await self.show(line)

    async def show(self, line):
        """Do one command and write its output."""
        try:
            for output in await self.execute(line):
                self.write("  " + output)
        except PromptError as error:
            self.write("  error: %s" % error)

    async def execute(self, line):
        """Do one command; returns the lines of its output, raises PromptError."""
        name, arguments = self.parse(line)
        if name is None:
            return []
        if name == "station":
            return await self._to_board(line.strip()[len("station"):].strip())
        if name == "swipe" and arguments.type and arguments.type.isdecimal() and arguments.evse is None:
            return await self._to_board("swipe %s ISO14443 %s" % (arguments.token, arguments.type))
        if self.commands[name][2] == "board" and name != "power-cut":
            return await self._to_board(" ".join(shlex.split(line)))
        return await getattr(self, "_" + name.replace("-", "_"))(arguments)

    def parse(self, line):
        """(command name, parsed arguments) or (None, None) for an empty line; raises PromptError."""
        try:
            words = shlex.split(line) if line.strip().partition(" ")[0] != "station" else line.split()
        except ValueError as error:
            raise PromptError(error)
        if not words:
            return None, None
        if words[0] not in self.commands:
            raise PromptError("no such command: %s (try help)" % words[0])
        return words[0], self.commands[words[0]][0].parse_args(words[1:])

    def completions(self, text):
        """The words that may come at the end of this beginning of a line."""
        words = text.split(" ")
        parser = self.commands.get(words[0], (None,))[0]
        if len(words) == 1:
            candidates = list(self.commands)
        elif parser is None:
            candidates = []
        else:
            candidates = self._arguments(parser, words[1:-1])
        return [word for word in candidates if word.startswith(words[-1])]

    def _arguments(self, parser, given):
        options = {name: action for action in parser._actions for name in action.option_strings}
        positional = [action for action in parser._actions if not action.option_strings]
        wanted = None               # the option whose value comes next
        for word in given:
            if wanted:
                wanted = None
            elif word in options:
                wanted = options[word]
            else:
                positional = positional[1:]
        if wanted:
            return self._values(wanted)
        values = self._values(positional[0]) if positional else []
        return values + [name for name in options if name not in given]

    def _values(self, action):
        if action.choices:
            return list(action.choices)
        return {
            "evse": lambda: sorted({str(evse_id) for evse_id, _ in self._statuses()}),
            "connector": lambda: sorted({str(connector_id) for _, connector_id in self._statuses()}),
            "token": lambda: list(self.csms.tokens),
            "type": lambda: list(ID_TOKEN_TYPES),
            "id": lambda: [str(number) for number in self.ledger.reservations],
            "station": lambda: sorted({link.id for link in self.csms.links}),
            "command": lambda: list(self.commands),
            "line": lambda: ["help", "log", "memory", "reservations", "vars"],
        }.get(action.dest, list)()

    # --- the CSMS's side

    async def _reserve(self, wanted):
        number = self._next_id if wanted.id is None else wanted.id
        while wanted.id is None and number in self.ledger.reservations:
            number += 1
        payload = {"id": number, "expiryDateTime": self.csms.time(wanted.minutes * 60),
                   "idToken": {"idToken": wanted.token, "type": wanted.token_type}}
        if wanted.evse is not None:
            payload["evseId"] = wanted.evse
        if wanted.type:
            payload["connectorType"] = wanted.type
        if wanted.group:
            payload["groupIdToken"] = {"idToken": wanted.group, "type": "Central"}
        answer = await self._call("ReserveNow", payload)
        self._next_id = number + 1
        return ["reservation %d: %s" % (number, _outcome(answer))]

    async def _cancel(self, wanted):
        answer = await self._call("CancelReservation", {"reservationId": wanted.id})
        return ["reservation %d: cancel %s" % (wanted.id, _outcome(answer))]

    async def _start(self, wanted):
        self._remote_starts += 1
        payload = {"remoteStartId": self._remote_starts,
                   "idToken": {"idToken": wanted.token, "type": wanted.token_type}}
        if wanted.evse is not None:
            payload["evseId"] = wanted.evse
        if wanted.group:
            payload["groupIdToken"] = {"idToken": wanted.group, "type": "Central"}
        return ["start: " + _outcome(await self._call("RequestStartTransaction", payload))]

    async def _availability(self, wanted):
        place = re.fullmatch(r"(\d+)(?:\.(\d+))?", wanted.evse)
        if not place:
            raise PromptError("an EVSE like 2, a connector like 1.2, or 0 for the station")
        payload = {"operationalStatus": wanted.state.capitalize()}
        if place[1] != "0":
            payload["evse"] = {"id": int(place[1])}
            if place[2]:
                payload["evse"]["connectorId"] = int(place[2])
        return ["availability: " + _outcome(await self._call("ChangeAvailability", payload))]

    async def _reset(self, wanted):
        return ["reset: " + _outcome(await self._call("Reset", {"type": wanted.when}))]

    async def _get(self, wanted):
        answer = await self._call("GetVariables", {"getVariableData": [_variable(wanted.variable)]})
        return ["%s: %s" % (wanted.variable, _attribute(result)) for result in answer["getVariableResult"]]

    async def _set(self, wanted):
        entry = {**_variable(wanted.variable), "attributeValue": wanted.value}
        answer = await self._call("SetVariables", {"setVariableData": [entry]})
        return ["%s: %s" % (wanted.variable, _attribute(result)) for result in answer["setVariableResult"]]

    async def _status(self, _):
        link = self._link()
        lines = ["CSMS: %s at %s" % ("%s is connected" % link.id if link else "no station is connected", self.csms.url)]
        lines += ["  EVSE %s connector %s: %s" % (*place, status) for place, status in sorted(self._statuses().items())]
        lines += ["  reservation %d: %s" % entry for entry in sorted(self.ledger.reservations.items())]
        if self.board:
            lines += ["station:"] + ["  " + line for line in await self._to_board("status")]
        return lines

    async def _use(self, wanted):
        self._station_id = wanted.station
        return await self._status(None)

    async def _help(self, wanted):
        if wanted.command:
            if wanted.command not in self.commands:
                raise PromptError("no such command: %s" % wanted.command)
            parser, help_text, _ = self.commands[wanted.command]
            return [parser.usage, "  " + help_text]
        lines = []
        for parser, help_text, _ in self.commands.values():
            if len(parser.usage) > 40:
                lines.append(parser.usage)
            lines.append("%-40s  %s" % (parser.usage if len(parser.usage) <= 40 else "", help_text))
        return lines

    async def _quit(self, _):
        self.over = True
        return []

    def _link(self):
        for link in reversed(self.csms.links):
            if not link.closed and self._station_id in (None, link.id):
                return link
        return None

    def _statuses(self):
        statuses = {}
        for link in self.csms.links:
            if self._station_id in (None, link.id):
                statuses.update(link.statuses)
        return statuses

    async def _call(self, action, payload):
        link = self._link()
        if link is None:
            raise PromptError("no station is connected")
        try:
            return await link.call(action, payload, check=False)
        except (CallError, NoAnswer, LinkClosed) as error:
            raise PromptError(error)

    # --- the board's side

    async def _to_board(self, line):
        try:
            return await self.board.command(line)
        except self.board.errors as error:
            raise PromptError(error)

    async def _power_cut(self, _):
        try:
            await self.board.power_cycle()
        except self.board.errors as error:
            raise PromptError(error)
        return ["the power was cut and is back"]

    # --- the terminal

    async def _run_on_terminal(self):
        # Late, because a pipe needs none of it.
        from prompt_toolkit import PromptSession
        from prompt_toolkit.completion import Completer, Completion
        from prompt_toolkit.history import FileHistory
        from prompt_toolkit.patch_stdout import patch_stdout

        prompt = self

        class Words(Completer):
            def get_completions(self, document, _event):
                beginning = document.text_before_cursor.lstrip()
                last = len(beginning.split(" ")[-1])
                for word in prompt.completions(beginning):
                    yield Completion(word, start_position=-last)

        HISTORY.parent.mkdir(parents=True, exist_ok=True)
        session = PromptSession("holdfast> ", completer=Words(), history=FileHistory(str(HISTORY)),
                                reserve_space_for_menu=4)
        with patch_stdout(raw=True):
            while not self.over:
                try:
                    line = await session.prompt_async()
                except KeyboardInterrupt:
                    continue
                except EOFError:
                    return
                await self.show(line)


def _outcome(answer):
    info = answer.get("statusInfo", {})
    return ", ".join([answer["status"]] + [info[name] for name in ("reasonCode", "additionalInfo") if name in info])


def _variable(text):
    """`Component.Variable` or `Component.Variable[Instance]` as the component and variable of a message."""
    parts = re.fullmatch(r"([^.\[\]]+)\.([^.\[\]]+)(?:\[([^\]]+)\])?", text)
    if not parts:
        raise PromptError("a variable like OCPPCommCtrlr.HeartbeatInterval or Component.Variable[Instance]")
    variable = {"name": parts[2], "instance": parts[3]} if parts[3] else {"name": parts[2]}
    return {"component": {"name": parts[1]}, "variable": variable}


def _attribute(result):
    status = result["attributeStatus"]
    if status == "Accepted" and "attributeValue" in result:
        return result["attributeValue"]
    info = result.get("attributeStatusInfo", {})
    return ", ".join([status] + [info[name] for name in ("reasonCode", "additionalInfo") if name in info])
