"""The development CSMS against a scripted station: what the end-to-end tests conclude from it can be trusted."""

import asyncio
import json
import pathlib
import re
import subprocess
import sys
import time

import pytest
import websockets.asyncio.client
import websockets.exceptions
from csms_peer import BOOT, RESERVE, Scripted, connected, run, status
from ocpp.exceptions import OCPPError

from tools.csms import DROP, SILENCE, CallError, Csms, Delay, LinkClosed, NoAnswer, Raw, Unchecked, Violations

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
