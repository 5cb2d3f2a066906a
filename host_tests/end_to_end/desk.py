"""The desk of the end-to-end tests: the firmware on a virtual board, a development CSMS, and a real socket in between.

`async with running(Desk(...))` boots and registers a station; its methods are the steps that OCPP's test cases are
made of. Leaving it holds everything that was sent against what is true of every test: the official schemas, the rules
of transactions, no status told twice, no token in the log, flash programmed as NOR flash allows.
"""

import asyncio
import collections
import contextlib
import functools
import itertools
import json
import shutil

from tools import image
from tools.csms import Csms, NotSeen
from tools.virtual_board import VirtualBoard

STATION_ID = "HOLDFAST-1"
TOKEN1, TOKEN2, MEMBER = "ABC123DEF4", "1234567890", "FEEDC0FFEE"
GROUP = {"idToken": "FAMILY", "type": "Central"}
TOKENS = {TOKEN1: {}, TOKEN2: {}, MEMBER: {"groupIdToken": GROUP}}

ONE_EVSE = [{"connectors": ["cCCS2", "cType2"]}]
SIZE = 512 * 1024
ELSEWHERE = ("Heartbeat", "SecurityEventNotification")  # CALLs that other tests are about
PATIENCE = 20  # seconds for what has to come at once, on a machine that has other things to do


def iso(token):
    """A token as IdTokenType."""
    return {"idToken": token, "type": "ISO14443"}


@functools.cache
def blank_image(directory):
    """The path of an image with the firmware and no configuration, made once."""
    path = directory / "firmware.img"
    image.build_image(path, image.firmware_files(), SIZE)
    return path


class Desk:
    """One station and its CSMS. `variables` are factory settings, `evses` the layout, as in config.json; what is in
    `config` goes there too. `csms` options go to Csms. `link` is the connection in use, `board` the virtual board."""

    def __init__(self, base, directory, evses=None, variables=None, config=None, board=None, **csms):
        self.csms = Csms(**{"tokens": TOKENS, **csms})
        self.path = directory / "flash.img"
        self.link = None
        self._base = base
        self._config = {"variables": {"OCPPCommCtrlr.RetryBackOffWaitMinimum": "1",
                                      "OCPPCommCtrlr.RetryBackOffRandomRange": "0", **(variables or {})},
                        **(config or {}), **({"evses": evses} if evses else {})}
        self._options = board or {}
        self._remote_start_ids = itertools.count(1)

    async def __aenter__(self):
        await self.csms.start()
        shutil.copyfile(self._base, self.path)
        settings = image.make_config(self.csms.url, STATION_ID, **self._config)
        image.update_image(self.path, {"config.json": json.dumps(settings)})
        self.connectors = [(evse_id, connector_id) for evse_id, evse in enumerate(settings["evses"], 1)
                           for connector_id in range(1, len(evse["connectors"]) + 1)]
        self.board = VirtualBoard(self.path, **self._options)
        return self

    async def __aexit__(self, kind, error, traceback):
        violations = self.board.flash.violations
        await self.board.aclose()
        if error is not None:
            error.add_note("console:\n" + "\n".join(self.board.transcript.splitlines()[-40:]))
            for link in self.csms.links[-2:]:
                for at, direction, text in link.log[-25:]:
                    error.add_note("%.3f %s %s" % (at % 1000, direction, text))
        await self.csms.__aexit__(kind, error, traceback)
        if error is None:
            assert violations == 0, "flash was programmed without being erased"
            self._check()

    # --- power and link

    async def power_on(self):
        """Switch on, and wait until the station is registered and has reported all connectors."""
        await self.board.apower_on()
        return await self.registered()

    async def registered(self, reason="PowerUp"):
        """The station boots: its BootNotification, then the statuses of all connectors, as a dict."""
        await self.connected()
        boot = await self.link.expect("BootNotification", timeout=PATIENCE)
        assert boot["reason"] == reason, boot
        return await self.link.all_reported(len(self.connectors), PATIENCE)

    async def connected(self):
        """The next connection."""
        self.link = await self.csms.station(PATIENCE)
        return self.link

    async def power_cycle(self):
        """Cut the power, switch it on again."""
        await self.board.apower_cut()
        return await self.power_on()

    # --- the CSMS's side

    async def call(self, action, payload, **options):
        return await self.link.call(action, payload, timeout=PATIENCE, **options)

    async def reserve(self, reservation_id, evse_id=None, token=TOKEN1, seconds=600, **more):
        """ReserveNow; returns its status."""
        request = {"id": reservation_id, "expiryDateTime": self.csms.time(seconds), "idToken": iso(token), **more}
        if evse_id is not None:
            request["evseId"] = evse_id
        self.answer = await self.call("ReserveNow", request)
        return self.answer["status"]

    async def cancel(self, reservation_id):
        """CancelReservation; returns its status."""
        return (await self.call("CancelReservation", {"reservationId": reservation_id}))["status"]

    async def remote_start(self, token, evse_id=None, **more):
        """RequestStartTransaction; returns its status."""
        request = {"remoteStartId": next(self._remote_start_ids), "idToken": iso(token), **more}
        if evse_id is not None:
            request["evseId"] = evse_id
        return (await self.call("RequestStartTransaction", request))["status"]

    async def change_availability(self, status, **evse):
        """ChangeAvailability of the station, or of `evse`, IdOfEvse and connectorId; returns its status."""
        request = {"operationalStatus": status, **({"evse": evse} if evse else {})}
        return (await self.call("ChangeAvailability", request))["status"]

    async def set_variable(self, name, value):
        """SetVariables for one Component.Variable; returns its status."""
        component, _, variable = name.partition(".")
        answer = await self.call("SetVariables", {"setVariableData": [
            {"component": {"name": component}, "variable": {"name": variable}, "attributeValue": value}]})
        return answer["setVariableResult"][0]["attributeStatus"]

    async def get_variable(self, name):
        """GetVariables for one Component.Variable; returns its value."""
        component, _, variable = name.partition(".")
        answer = await self.call("GetVariables", {"getVariableData": [
            {"component": {"name": component}, "variable": {"name": variable}}]})
        return answer["getVariableResult"][0]["attributeValue"]

    async def statuses(self, status, evse_id=None):
        """Wait until each connector, of one EVSE or of all, has reported this status."""
        for evse, connector in self.connectors:
            if evse_id in (None, evse):
                await self.link.status(evse, connector, status, PATIENCE)

    async def expect(self, action, match=None, **fields):
        return await self.link.expect(action, match, timeout=PATIENCE, **fields)

    async def sync(self):
        """Wait until the station has taken all that was sent, and said all it had to say about it.

        It answers in order, so a round trip in which it has not called anything means that nothing is waiting; one
        more, because a CALL that is seen here may not have been answered yet.
        """
        quiet = rounds = 0
        while quiet < 2:
            rounds += 1
            assert rounds < 100, "the station never stops calling: %s" % self.link.calls[-5:]
            count = len(self.link.calls)
            await self.get_variable("SecurityCtrlr.Identity")
            quiet = quiet + 1 if len(self.link.calls) == count else 0

    async def quiet(self):
        """Wait as `sync` does; then no CALL may be left that nobody expected."""
        await self.sync()
        left = [call for call in self.link.calls if not call.consumed and call.action not in ELSEWHERE]
        if left:
            raise NotSeen("unexpected: %s" % [(call.action, call) for call in left])

    # --- at the charger

    async def console(self, line):
        """A line for the console; its output, the words after `ok` last. Raises BoardError for `error`."""
        answer = await self.board.acommand(line, PATIENCE)
        return list(answer) + [answer.ok]

    async def swipe(self, token, evse_id=None):
        return await self.console("swipe %s ISO14443%s" % (token, "" if evse_id is None else " %d" % evse_id))

    async def pass_time(self, seconds):
        """Both sides find that `seconds` have passed."""
        self.csms.time_offset += seconds
        await self.console("time +%d" % seconds)

    # --- reusable states of OCPP's test cases (Part 6)

    async def authorize(self, how, token, evse_id=1, asked=True, **more):
        """State Authorized: A, local, or B, remote; `asked`: the station sends an AuthorizeRequest. Returns when it has
        taken the answer. What becomes of the connectors' statuses is for the test to say."""
        if how == "local":
            await self.swipe(token, evse_id)
        else:
            assert await self.remote_start(token, evse_id, **more) == "Accepted"
        if asked:
            await self.expect("Authorize", {"idToken": iso(token)})
        await self.sync()

    async def charge(self, token, evse_id=1, connector_id=1, how="local", reservation_id=None):
        """State EnergyTransferStarted, for a driver who is authorized already: plug in, and energy flows.

        Checks, and returns, the first TransactionEvent after the authorization.
        """
        await self.console("plug %d %d" % (evse_id, connector_id))
        await self.link.status(evse_id, connector_id, "Occupied", PATIENCE)
        return await self.charging(token, evse_id, connector_id, how, reservation_id)

    async def charging(self, token, evse_id=1, connector_id=1, how="local", reservation_id=None):
        """The same with a cable that is in already."""
        last = await self.expect("TransactionEvent", {"triggerReason": "ChargingStateChanged",
                                                      "transactionInfo.chargingState": "Charging"})
        self.link.forget("TransactionEvent")
        events = [event for event in self.link.events("TransactionEvent")
                  if event["transactionInfo"]["transactionId"] == last["transactionInfo"]["transactionId"]]
        told, = [event for event in events if "idToken" in event]
        assert told["idToken"] == iso(token)
        assert told.get("reservationId") == reservation_id
        assert [event["evse"] for event in events if "evse" in event] == [
            {"id": evse_id, "connectorId": connector_id}]
        if how == "remote":
            assert told["triggerReason"] == "RemoteStart" and "remoteStartId" in told["transactionInfo"]
        return told

    # --- what is true of every test

    def _check(self):
        assert self.board.crashes == []
        transcript = self.board.transcript
        assert "Traceback" not in transcript, transcript
        for token in TOKENS:
            for line in transcript.splitlines():
                assert not (line.startswith("# ") and token in line), line
        for link in self.csms.links:
            told = {}
            for call in link.events("StatusNotification"):
                connector = (call["evseId"], call["connectorId"])
                assert told.get(connector) != call["connectorStatus"], "told twice: %s" % call
                told[connector] = call["connectorStatus"]
        transactions = collections.defaultdict(list)
        for event in self.csms.events("TransactionEvent"):
            if event not in transactions[event["transactionInfo"]["transactionId"]]:    # a repeated one
                transactions[event["transactionInfo"]["transactionId"]].append(event)
        for events in transactions.values():
            assert [event["seqNo"] for event in events] == list(range(len(events))), events
            assert [event["eventType"] == "Started" for event in events] == [True] + [False] * (len(events) - 1), events
            assert [event["timestamp"] for event in events] == sorted(event["timestamp"] for event in events), events
            for name in ("reservationId", "evse"):
                assert sum(name in event for event in events) <= 1, events


@contextlib.asynccontextmanager
async def running(desk):
    """A desk whose station is on and registered."""
    async with desk:
        statuses = await desk.power_on()
        assert statuses == dict.fromkeys(desk.connectors, "Available")
        await desk.sync()
        yield desk


def run(coroutine):
    """Run a test."""
    return asyncio.run(asyncio.wait_for(coroutine, 100))
