"""The development CSMS against a scripted station: what the end-to-end tests conclude from it can be trusted."""

import asyncio
import contextlib
import json
import pathlib
import re
import subprocess
import sys
import time

import pytest
import websockets.asyncio.client
import websockets.exceptions
from ocpp.exceptions import OCPPError

from tools.csms import (
    ABSENT,
    DROP,
    PRESENT,
    SILENCE,
    CallError,
    Csms,
    Delay,
    LinkClosed,
    NoAnswer,
    NotSeen,
    Raw,
    Unchecked,
    Violations,
    matches,
)

BOOT = {"reason": "PowerUp", "chargingStation": {"vendorName": "Holdfast", "model": "Scripted"}}
RESERVE = {"id": 7, "expiryDateTime": "2030-01-01T00:00:00Z", "evseId": 1,
           "idToken": {"idToken": "ABC123", "type": "ISO14443"}}


def status(connector_status, evse_id=1, connector_id=1):
    return {"timestamp": "2026-01-01T00:00:00Z", "connectorStatus": connector_status, "evseId": evse_id,
            "connectorId": connector_id}


class Scripted:
    """The station's side of a connection, moved by hand."""

    def __init__(self, socket):
        self.socket, self.count = socket, 0

    async def send(self, *frame):
        await self.socket.send(json.dumps(frame))

    async def receive(self, timeout=2):
        return json.loads(await asyncio.wait_for(self.socket.recv(), timeout))

    async def call(self, action, payload):
        """Send a CALL and return the frame that answers it."""
        self.count += 1
        await self.send(2, "s%d" % self.count, action, payload)
        return await self.receive()


@contextlib.asynccontextmanager
async def connected(csms, name="S1", **options):
    options.setdefault("subprotocols", ["ocpp2.0.1"])
    async with websockets.asyncio.client.connect(csms.url + "/" + name, **options) as socket:
        yield Scripted(socket), await csms.station(timeout=2)


def run(test):
    """Run a coroutine function as a test of its own loop."""
    def wrapper():
        asyncio.run(asyncio.wait_for(test(), 20))
    wrapper.__name__, wrapper.__doc__ = test.__name__, test.__doc__
    return wrapper


# --- matching

def test_a_dict_matches_when_the_named_parts_match():
    payload = {"evseId": 1, "transactionInfo": {"transactionId": "t", "chargingState": "Charging"}, "list": [{"a": 1}]}
    assert matches({"evseId": 1}, payload)
    assert matches({"transactionInfo": {"chargingState": "Charging"}}, payload)
    assert matches({"transactionInfo.chargingState": "Charging", "list.0.a": 1}, payload)
    assert matches({"reservationId": ABSENT, "evseId": PRESENT, "transactionInfo.transactionId": str.islower}, payload)
    assert not matches({"evseId": 2}, payload)
    assert not matches({"evseId": True}, payload)
    assert not matches({"reservationId": PRESENT}, payload)
    assert not matches({"evseId": ABSENT}, payload)
    assert not matches({"list": []}, payload)
    assert not matches({"transactionInfo.chargingState.deeper": "Charging"}, payload)


@run
async def test_expect_takes_the_oldest_match_and_leaves_the_rest():
    async with Csms() as csms, connected(csms) as (station, link):
        await station.call("StatusNotification", status("Reserved", 1, 1))
        await station.call("StatusNotification", status("Reserved", 1, 2))
        await station.call("Heartbeat", {})
        assert (await link.expect("StatusNotification", connectorId=2))["evseId"] == 1
        assert (await link.expect("StatusNotification", connectorStatus="Reserved"))["connectorId"] == 1
        with pytest.raises(NotSeen, match="not consumed: Heartbeat"):
            await link.expect("StatusNotification", timeout=0.05)
        await link.expect("Heartbeat")
        assert len(link.events("StatusNotification")) == 2 and len(link.events()) == 3
        assert link.statuses == {(1, 1): "Reserved", (1, 2): "Reserved"}


@run
async def test_expect_waits_for_what_comes_later():
    async with Csms() as csms, connected(csms) as (station, link):
        waiting = asyncio.create_task(link.expect("Heartbeat"))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await station.call("Heartbeat", {})
        call = await waiting
        assert call == {} and call.action == "Heartbeat" and call.message_id == "s1" and call.link is link


@run
async def test_expect_in_order_refuses_the_wrong_order():
    async with Csms() as csms, connected(csms) as (station, link):
        await station.call("Heartbeat", {})
        await station.call("StatusNotification", status("Available"))
        with pytest.raises(NotSeen, match="expected Heartbeat"):
            await link.expect_in_order(("StatusNotification", {"evseId": 1}), "Heartbeat", timeout=0.05)
        calls = await link.expect_in_order("Heartbeat", ("StatusNotification", {"evseId": 1}))
        assert [call.action for call in calls] == ["Heartbeat", "StatusNotification"]


@run
async def test_nothing_fails_for_what_waits_and_for_what_arrives():
    async with Csms() as csms, connected(csms) as (station, link):
        await link.nothing("Heartbeat", 0.05)
        await station.call("Heartbeat", {})
        await link.nothing("StatusNotification", 0.05)
        with pytest.raises(NotSeen, match="Heartbeat came"):
            await link.nothing("Heartbeat", 0.05)
        assert len(link.forget()) == 1
        waiting = asyncio.create_task(link.nothing(seconds=2))
        await station.call("StatusNotification", status("Available"))
        with pytest.raises(NotSeen):
            await waiting


@run
async def test_expect_ends_at_once_when_the_connection_does():
    async with Csms() as csms, connected(csms) as (station, link):
        waiting = asyncio.create_task(link.expect("Heartbeat", timeout=15))
        await asyncio.sleep(0)
        await station.socket.close(1000)
        with pytest.raises(NotSeen, match="the connection ended: 1000"):
            await waiting


@run
async def test_registered_waits_for_boot_and_every_connector():
    async with Csms() as csms, connected(csms) as (station, link):
        assert (await station.call("BootNotification", BOOT))[2]["status"] == "Accepted"
        for evse_id, connector_id in ((1, 1), (1, 2), (2, 1)):
            await station.call("StatusNotification", status("Available", evse_id, connector_id))
        assert await link.registered(3) == {(1, 1): "Available", (1, 2): "Available", (2, 1): "Available"}
        await link.nothing(seconds=0.01)


# --- what the station may not send

@run
async def test_the_context_raises_for_a_payload_against_the_schema():
    with pytest.raises(Violations, match="connectorStatus"):
        async with Csms() as csms, connected(csms) as (station, link):
            answer = await station.call("StatusNotification", {"timestamp": "2026-01-01T00:00:00Z", "evseId": 1,
                                                               "connectorId": 1})
            assert answer[:2] == [4, "s1"]


def test_every_kind_of_violation_is_recorded():
    @run
    async def scenario():
        for label, frame in (
                ("extra property", [2, "1", "Heartbeat", {"extra": 1}]),
                ("wrong type", [2, "1", "StatusNotification", status("Available", evse_id=True)]),
                ("no enum value", [2, "1", "StatusNotification", status("available")]),
                ("no date", [2, "1", "StatusNotification", dict(status("Available"), timestamp="yesterday")]),
                ("four fraction digits", [2, "1", "StatusNotification",
                                          dict(status("Available"), timestamp="2026-01-01T00:00:00.1234Z")]),
                ("February 30", [2, "1", "StatusNotification",
                                 dict(status("Available"), timestamp="2026-02-30T00:00:00Z")]),
                ("unknown action", [2, "1", "Hearbeat", {}]),
                ("id not a string", [2, 1, "Heartbeat", {}]),
                ("id too long", [2, "x" * 37, "Heartbeat", {}]),
                ("three elements", [2, "1", "Heartbeat"]),
                ("five elements", [2, "1", "Heartbeat", {}, {}]),
                ("payload null", [2, "1", "Heartbeat", None]),
                ("unasked answer", [3, "1", {}]),
                ("unknown error code", [4, "1", "Nonsense", "", {}]),
                ("message type 9", [9, "1", {}]),
                ("no array", {"a": 1})):
            async with Csms() as csms:
                async with connected(csms) as (station, link):
                    await station.socket.send(json.dumps(frame))
                    await station.call("Heartbeat", {})
                assert csms.violations, label
                csms.violations.clear()
    scenario()


@run
async def test_a_message_id_used_again_on_a_later_connection_is_a_violation():
    async with Csms() as csms:
        for _ in range(2):
            async with connected(csms) as (station, link):
                await station.call("Heartbeat", {})
        assert len(csms.violations) == 1 and "used before" in csms.violations[0]
        csms.violations.clear()


@run
async def test_a_response_against_the_schema_is_a_violation():
    async with Csms() as csms, connected(csms) as (station, link):
        waiting = asyncio.create_task(link.call("ReserveNow", RESERVE))
        _, message_id, _, _ = await station.receive()
        await station.send(3, message_id, {"status": "accepted"})
        assert await waiting == {"status": "accepted"}
        assert "ReserveNow" in csms.violations[0]
        csms.violations.clear()


@run
async def test_a_failure_of_the_test_itself_is_not_hidden_by_violations():
    with pytest.raises(ZeroDivisionError) as caught:
        async with Csms() as csms, connected(csms) as (station, link):
            await station.call("Heartbeat", {"extra": 1})
            raise ZeroDivisionError
    assert "extra" in caught.value.__notes__[0]


# --- CALLs to the station

@run
async def test_call_returns_the_payload_as_it_was_on_the_wire():
    async with Csms() as csms, connected(csms) as (station, link):
        waiting = asyncio.create_task(link.call("ReserveNow", RESERVE))
        kind, message_id, action, payload = await station.receive()
        assert (kind, action, payload) == (2, "ReserveNow", RESERVE)
        answer = {"status": "Rejected", "statusInfo": {"reasonCode": "OutOfStorage", "additionalInfo": "soc csms url"}}
        await station.send(3, message_id, answer)
        assert await waiting == answer
        assert [(direction, json.loads(text)[0]) for _, direction, text in link.log] == [("->", 2), ("<-", 3)]
        assert link.log[0][0] <= link.log[1][0] <= time.monotonic()


@run
async def test_call_raises_the_callerror_of_the_station():
    async with Csms() as csms, connected(csms) as (station, link):
        waiting = asyncio.create_task(link.call("ReserveNow", {"id": "7"}, check=False))
        message_id = (await station.receive())[1]
        await station.send(4, message_id, "TypeConstraintViolation", "id is no integer", {"path": "id"})
        with pytest.raises(CallError) as caught:
            await waiting
        assert (caught.value.code, caught.value.details) == ("TypeConstraintViolation", {"path": "id"})


@run
async def test_call_refuses_to_send_what_the_schema_forbids():
    async with Csms() as csms, connected(csms) as (station, link):
        with pytest.raises(OCPPError):
            await link.call("ReserveNow", {"id": "7"})
        assert link.log == []


@run
async def test_call_has_one_outstanding_and_send_call_may_cross():
    async with Csms() as csms, connected(csms) as (station, link):
        first = asyncio.create_task(link.call("CancelReservation", {"reservationId": 1}))
        second = asyncio.create_task(link.call("CancelReservation", {"reservationId": 2}))
        one = await station.receive()
        with pytest.raises(asyncio.TimeoutError):
            await station.receive(0.05)
        crossing = await link.send_call("CancelReservation", {"reservationId": 3})
        three = await station.receive()
        assert three[3] == {"reservationId": 3}
        await station.send(3, three[1], {"status": "Rejected"})
        assert await link.answer_to(crossing) == {"status": "Rejected"}
        await station.send(3, one[1], {"status": "Accepted"})
        two = await station.receive()
        await station.send(3, two[1], {"status": "Accepted"})
        assert await first == await second == {"status": "Accepted"}


@run
async def test_an_answer_that_comes_too_late_is_kept_apart():
    async with Csms() as csms, connected(csms) as (station, link):
        with pytest.raises(NoAnswer):
            await link.call("CancelReservation", {"reservationId": 1}, timeout=0.05)
        message_id = (await station.receive())[1]
        await station.send(3, message_id, {"status": "Accepted"})
        assert json.loads(await link.next_raw()) == [3, message_id, {"status": "Accepted"}]


@run
async def test_call_ends_when_the_station_goes_away():
    async with Csms() as csms, connected(csms) as (station, link):
        waiting = asyncio.create_task(link.call("CancelReservation", {"reservationId": 1}))
        await station.receive()
        station.socket.transport.abort()
        with pytest.raises(LinkClosed):
            await waiting
        with pytest.raises(LinkClosed):
            await link.call("CancelReservation", {"reservationId": 1})
        assert await link.wait_closed() == (1006, "")


@run
async def test_raw_frames_go_out_unchanged_and_their_answers_come_back():
    async with Csms() as csms, connected(csms) as (station, link):
        asking = asyncio.create_task(link.ask_raw("[2, \"m1\"]"))
        assert await station.socket.recv() == "[2, \"m1\"]"
        await station.call("Heartbeat", {})
        await station.send(4, "m1", "RpcFrameworkError", "", {})
        assert await asking == [4, "m1", "RpcFrameworkError", "", {}]
        await link.send_raw(["[", "2]"])
        assert await station.socket.recv() == "[2]"
        await link.send_raw(b"\x00")
        assert await station.socket.recv() == b"\x00"
        link.write(b"\x89\x01x")
        await link.send_raw('[2, "m2", "CancelReservation", {}]')
        await station.receive()
        await station.send(3, "m2", {"status": 5})
        await link.next_raw()
        assert "CancelReservation" in csms.violations.pop()


# --- answers to the station

@run
async def test_the_usual_answers():
    async with Csms(tokens={"FRIEND": {"groupIdToken": {"idToken": "FAMILY", "type": "Central"}}}) as csms:
        async with connected(csms) as (station, link):
            boot = (await station.call("BootNotification", BOOT))[2]
            assert boot["status"] == "Accepted" and boot["interval"] == 300
            info = (await station.call("Authorize", {"idToken": {"idToken": "friend", "type": "ISO14443"}}))[2]
            assert info == {"idTokenInfo": {"status": "Accepted",
                                            "groupIdToken": {"idToken": "FAMILY", "type": "Central"}}}
            info = (await station.call("Authorize", {"idToken": {"idToken": "FOE", "type": "ISO14443"}}))[2]
            assert info == {"idTokenInfo": {"status": "Invalid"}}
            event = {"eventType": "Started", "timestamp": "2026-01-01T00:00:00Z", "triggerReason": "Authorized",
                     "seqNo": 0, "transactionInfo": {"transactionId": "t"}}
            assert (await station.call("TransactionEvent", event))[2] == {}
            event["idToken"] = {"idToken": "", "type": "NoAuthorization"}
            assert (await station.call("TransactionEvent", event))[2] == {"idTokenInfo": {"status": "Accepted"}}
            update = {"reservationId": 7, "reservationUpdateStatus": "Expired"}
            assert (await station.call("ReservationStatusUpdate", update))[2] == {}
            assert (await station.call("SignCertificate", {"csr": "x"}))[2] == "NotSupported"


@run
async def test_time_can_be_shifted():
    async with Csms() as csms, connected(csms) as (station, link):
        before = (await station.call("Heartbeat", {}))[2]["currentTime"]
        csms.time_offset = 86400 * 366
        after = (await station.call("Heartbeat", {}))[2]["currentTime"]
        assert int(after[:4]) == int(before[:4]) + 1 and after.endswith("Z")


@run
async def test_the_latest_behaviour_goes_first_and_counts():
    async with Csms() as csms, connected(csms) as (station, link):
        csms.on("Heartbeat", {"currentTime": "2020-01-01T00:00:00Z"})
        csms.on("Heartbeat", CallError("InternalError", "out of order"), times=2)
        assert (await station.call("Heartbeat", {}))[2] == "InternalError"
        assert (await station.call("Heartbeat", {}))[2] == "InternalError"
        assert (await station.call("Heartbeat", {}))[2] == {"currentTime": "2020-01-01T00:00:00Z"}
        csms.on("Heartbeat", None, times=1)
        assert (await station.call("Heartbeat", {}))[2]["currentTime"] > "2020-01-02"
        csms.as_usual("Heartbeat")
        assert (await station.call("Heartbeat", {}))[2]["currentTime"] > "2020-01-02"


@run
async def test_a_behaviour_may_be_a_function_of_the_call():
    async with Csms() as csms, connected(csms) as (station, link):
        async def slowly(call):
            await asyncio.sleep(0.01)
            return Delay(0.01, {"status": "Accepted", "data": call["data"]})
        csms.on("DataTransfer", slowly)
        answer = await station.call("DataTransfer", {"vendorId": "v", "data": "hello"})
        assert answer[2] == {"status": "Accepted", "data": "hello"}


@run
async def test_silence_and_hold_leave_the_station_waiting():
    async with Csms() as csms, connected(csms) as (station, link):
        csms.on("Heartbeat", SILENCE, times=1)
        await station.send(2, "a", "Heartbeat", {})
        with pytest.raises(asyncio.TimeoutError):
            await station.receive(0.05)
        held = csms.hold("StatusNotification")
        await station.send(2, "b", "StatusNotification", status("Available"))
        await link.expect("StatusNotification")
        assert held.waiting == 1
        assert (await station.call("Heartbeat", {}))[0] == 3
        assert [pair[:2] for pair in link.overlaps] == [
            ("Heartbeat", "StatusNotification"), ("Heartbeat", "Heartbeat"), ("StatusNotification", "Heartbeat")]
        held.release()
        assert await station.receive() == [3, "b", {}]
        assert (await station.call("StatusNotification", status("Available")))[0] == 3


@run
async def test_drop_raw_and_unchecked_answers():
    async with Csms() as csms, connected(csms) as (station, link):
        csms.on("Heartbeat", Unchecked({"currentTime": 5}), times=1)
        assert (await station.call("Heartbeat", {}))[2] == {"currentTime": 5}
        csms.on("Heartbeat", Raw('[3, "%s"]'), times=1)
        assert await station.call("Heartbeat", {}) == [3, "s2"]
        csms.on("Heartbeat", DROP)
        with pytest.raises(websockets.exceptions.ConnectionClosedError):
            await station.call("Heartbeat", {})


@run
async def test_a_behaviour_the_schema_forbids_fails_the_test():
    with pytest.raises(Violations, match="the CSMS failed to answer Heartbeat"):
        async with Csms() as csms, connected(csms) as (station, link):
            csms.on("Heartbeat", {})
            await station.send(2, "a", "Heartbeat", {})
            await link.expect("Heartbeat")
            await asyncio.sleep(0)


# --- connections

@run
async def test_basic_auth_answers_401_without_the_right_password():
    async with Csms(password="correct horse") as csms:
        for credentials in ("", "S1:wrong@", "S2:correct%20horse@"):
            url = csms.url.replace("ws://", "ws://" + credentials) + "/S1"
            with pytest.raises(websockets.exceptions.InvalidStatus) as caught:
                await websockets.asyncio.client.connect(url, subprotocols=["ocpp2.0.1"])
            assert caught.value.response.status_code == 401
            assert caught.value.response.headers["WWW-Authenticate"].startswith("Basic")
        url = csms.url.replace("ws://", "ws://S1:correct%20horse@") + "/S1"
        async with websockets.asyncio.client.connect(url, subprotocols=["ocpp2.0.1"]):
            assert (await csms.station()).id == "S1"
        assert [attempt["outcome"] for attempt in csms.connections] == [401, 401, 401, "open"]


@run
async def test_unknown_stations_get_404_when_a_list_is_given():
    async with Csms(stations=("S 1",)) as csms:
        with pytest.raises(websockets.exceptions.InvalidStatus) as caught:
            await websockets.asyncio.client.connect(csms.url + "/S2", subprotocols=["ocpp2.0.1"])
        assert caught.value.response.status_code == 404
        async with connected(csms, "S%201") as (station, link):
            assert link.id == "S 1"


@run
async def test_without_the_subprotocol_the_handshake_completes_and_the_connection_closes():
    async with Csms() as csms:
        async with websockets.asyncio.client.connect(csms.url + "/S1", subprotocols=["ocpp1.6"]) as socket:
            assert socket.subprotocol is None
            with pytest.raises(websockets.exceptions.ConnectionClosedError):
                await socket.recv()
            assert socket.close_code == 1002
        csms.subprotocol = None
        async with websockets.asyncio.client.connect(csms.url + "/S1", subprotocols=["ocpp2.0.1"]) as socket:
            assert socket.subprotocol is None
        with pytest.raises(NotSeen, match="no station connected"):
            await csms.station(timeout=0.05)


@run
async def test_connections_can_be_refused_in_three_ways():
    async with Csms() as csms:
        csms.refuse_connections = 503
        with pytest.raises(websockets.exceptions.InvalidStatus) as caught:
            await websockets.asyncio.client.connect(csms.url + "/S1", proxy=None)
        assert caught.value.response.status_code == 503
        csms.refuse_connections = True
        with pytest.raises((OSError, EOFError, websockets.exceptions.InvalidHandshake)):
            await websockets.asyncio.client.connect(csms.url + "/S1")
        assert [attempt["outcome"] for attempt in csms.connections] == [503, "aborted"]
        await csms.stop()
        with pytest.raises(OSError):
            await websockets.asyncio.client.connect(csms.url + "/S1")
        csms.refuse_connections = False
        await csms.start()
        async with connected(csms) as (station, link):
            await station.call("Heartbeat", {})
        assert csms.connections[0]["at"] < csms.connections[-1]["at"]


@run
async def test_the_handshake_can_be_spoilt():
    async with Csms() as csms:
        def spoil(response):
            response.headers.pop("Sec-WebSocket-Accept", None)
            response.headers["Sec-WebSocket-Accept"] = "wrong"
        csms.on_handshake = spoil
        with pytest.raises(websockets.exceptions.InvalidHandshake):
            await websockets.asyncio.client.connect(csms.url + "/S1", subprotocols=["ocpp2.0.1"])


@run
async def test_drop_ends_without_a_close_frame_and_close_with_one():
    async with Csms() as csms:
        async with connected(csms) as (station, link):
            link.drop()
            with pytest.raises(websockets.exceptions.ConnectionClosedError):
                await station.receive()
            assert station.socket.close_code == 1006
        async with connected(csms) as (station, link):
            closing = asyncio.create_task(link.close(1001, "bye"))
            with pytest.raises(websockets.exceptions.ConnectionClosed):
                await station.receive()
            assert (station.socket.close_code, station.socket.close_reason) == (1001, "bye")
            assert await closing == (1001, "bye")


@run
async def test_a_frozen_link_answers_no_ping():
    async with Csms() as csms, connected(csms, ping_interval=None) as (station, link):
        assert await link.ping() >= 0
        await (await station.socket.ping())
        assert len(link.pings) == 1
        link.freeze()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(await station.socket.ping(), 0.05)
        link.thaw()
        await asyncio.wait_for(await station.socket.ping(), 2)


@run
async def test_the_next_station_is_the_next_connection():
    async with Csms() as csms:
        seen = []
        csms.watch(lambda at, station_id, direction, text: seen.append((station_id, direction)))
        async with connected(csms, "A") as (station, link):
            async with connected(csms, "B") as (other, other_link):
                assert (link.id, other_link.id, csms.link) == ("A", "B", other_link)
            await other_link.wait_closed()
            assert csms.link is link
            await station.call("Heartbeat", {})
        assert seen[:5] == [("A", "--"), ("B", "--"), ("B", "--"), ("A", "<-"), ("A", "->")]
        assert len(csms.events("Heartbeat")) == 1


# --- the program

def test_make_csms_shows_what_passes_and_takes_commands():
    program = subprocess.Popen(
        [sys.executable, "-m", "tools.csms", "--port", "0", "--password", "sesame", "--token", "FRIEND"],
        cwd=pathlib.Path(__file__).parent.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def read_until(text):
        lines = []
        for line in program.stdout:
            lines.append(line)
            if text in line:
                return "".join(lines)
        raise AssertionError("%r is not in %s" % (text, lines))

    async def station(url):
        async with websockets.asyncio.client.connect(url, subprotocols=["ocpp2.0.1"]) as socket:
            scripted = Scripted(socket)
            await scripted.call("BootNotification", BOOT)
            info = (await scripted.call("Authorize", {"idToken": {"idToken": "FRIEND", "type": "ISO14443"}}))[2]
            assert info["idTokenInfo"]["status"] == "Accepted"
            program.stdin.write("cancel 7\n")
            program.stdin.flush()
            _, message_id, action, payload = await scripted.receive()
            assert (action, payload) == ("CancelReservation", {"reservationId": 7})
            await scripted.send(3, message_id, {"status": "Rejected"})
            shown = await asyncio.to_thread(read_until, "reservation 7: cancel Rejected")
            assert re.search(r"S1 +──▶ +BootNotification +PowerUp, Holdfast Scripted", shown)
            assert re.search(r"S1 +◀── +CancelReservation +id 7", shown)
            program.stdin.write("status\nquit\n")
            program.stdin.flush()
            await asyncio.to_thread(read_until, "CSMS: S1 is connected")
    try:
        url = re.search(r"ws://(\S+)/STATION-ID", read_until("ws://"))[1]
        with pytest.raises(websockets.exceptions.InvalidStatus):
            asyncio.run(station("ws://%s/S1" % url))
        asyncio.run(asyncio.wait_for(station("ws://S1:sesame@%s/S1" % url), 20))
        assert program.wait(10) == 0
    finally:
        program.kill()
        program.wait()
