"""The connection under reservations: lost and found lines, crossing CALLs, messages too large, refused handshakes."""

import base64
import json
import time

import pytest
from desk import PATIENCE, STATION_ID, TOKEN1, TOKEN2, iso

from tools.csms import SILENCE

PASSWORD = "correct horse battery"
SPEED = 5
FAST = {"speed": SPEED}  # the board's seconds, where it has to wait for some


# --- lines that are lost

async def test_a_plain_reconnect_sends_no_boot_notification(station):
    """B04.FR.02: only what changed while offline is told, and the reservation is as it was."""
    async with station(board=FAST) as desk:
        assert await desk.reserve(7, 1) == "Accepted"
        await desk.statuses("Reserved", 1)
        desk.link.drop()
        await desk.console("plug 2 1")
        await desk.connected()
        await desk.link.status(2, 1, "Occupied", PATIENCE)
        await desk.quiet()
        assert len(desk.csms.events("BootNotification")) == 1
        assert await desk.cancel(7) == "Accepted"
        await desk.statuses("Available", 1)
        await desk.quiet()


async def test_a_line_that_is_cut_without_a_word_is_noticed(station):
    """OCPP-J §5.4: nothing is answered any more, not even pings; the station gives the line up and dials again."""
    async with station(variables={"OCPPCommCtrlr.WebSocketPingInterval": "1"}, board=FAST) as desk:
        frozen = desk.link
        frozen.freeze()
        await desk.connected()
        assert frozen.closed is None and len(desk.csms.events("BootNotification")) == 1
        assert await desk.reserve(7, 1) == "Accepted"
        await desk.board.aread_until("half-open", PATIENCE)


async def test_back_off_while_the_csms_is_down(station):
    """OCPP-J §5.3: the wait doubles with each attempt, and begins anew after a connection."""
    async with station(board=FAST) as desk:
        assert await desk.reserve(7, 1) == "Accepted"
        await desk.statuses("Reserved", 1)
        stopped = time.monotonic()
        await desk.csms.stop()
        for wait in (1, 2):
            await desk.board.aread_until("next attempt to connect in %d s" % wait, PATIENCE)
        await desk.csms.start()
        await desk.connected()
        assert time.monotonic() - stopped > 2.9 / SPEED
        await desk.quiet()
        desk.link.drop()
        await desk.board.aread_until("next attempt to connect in 1 s", PATIENCE)
        await desk.connected()
        assert await desk.cancel(7) == "Accepted"
        assert len(desk.csms.events("BootNotification")) == 1


async def test_a_transaction_while_offline_uses_the_reservation(station):
    """H01.FR.15, H03.FR.01, H03.FR.09: its events come later, marked offline, the reservationId among them."""
    async with station() as desk:
        assert await desk.reserve(7, 1, TOKEN1) == "Accepted"
        await desk.statuses("Reserved", 1)
        await desk.console("disconnect")
        await desk.link.wait_closed(PATIENCE)
        for line in ("swipe %s ISO14443 1" % TOKEN2, "swipe %s ISO14443 1" % TOKEN1, "plug 1 2", "unplug 1"):
            await desk.console(line)
        await desk.console("connect")
        await desk.connected()
        await desk.sync()
        await desk.statuses("Available", 1)
        events = desk.link.forget("TransactionEvent")
        assert [event["eventType"] for event in events] == ["Started", "Updated", "Ended"]
        assert [event.get("reservationId") for event in events] == [7, None, None]
        assert all(event["offline"] for event in events)
        await desk.quiet()


# --- CALLs that cross

@pytest.mark.parametrize("action", ["Authorize", "StatusNotification"])
async def test_a_call_is_answered_while_an_own_call_is_unanswered(station, action):
    """H01.FR.03, H02.FR.02: the CSMS that answers nothing before it is answered itself gets its answer at once."""
    async with station() as desk:
        held = desk.csms.hold(action)
        await desk.swipe(TOKEN2, 2) if action == "Authorize" else await desk.console("plug 2 1")
        await desk.expect(action)
        assert await desk.reserve(7, 1) == "Accepted"
        assert await desk.remote_start(TOKEN2, 1) == "Rejected"
        assert await desk.cancel(7) == "Accepted"
        assert await desk.reserve(8, 1) == "Accepted"
        assert held.waiting == 1 and desk.link.overlaps == []
        held.release()
        await desk.statuses("Reserved", 1)


async def test_calls_of_both_sides_at_the_same_moment(station):
    """H03.FR.09: the token is presented while CancelReservation is under way: cancelled or used, on both sides."""
    async with station() as desk:
        for number in range(6):
            assert await desk.reserve(number, 1, TOKEN1) == "Accepted"
            desk.board.write("swipe %s ISO14443 1\nplug 1 1\n" % TOKEN1)
            cancelled = await desk.cancel(number)
            await desk.expect("TransactionEvent", {"transactionInfo.chargingState": "Charging"})
            await desk.console("unplug 1")
            await desk.expect("TransactionEvent", eventType="Ended")
            used = desk.csms.events("TransactionEvent", reservationId=number)
            assert (cancelled, len(used)) in (("Accepted", 0), ("Rejected", 1))
            await desk.sync()
            desk.link.forget()


async def test_a_call_that_is_never_answered_holds_up_nothing_for_long(station):
    """H04.FR.01: after MessageTimeout the next CALL goes out, and a late answer to the first is ignored."""
    async with station(variables={"OCPPCommCtrlr.MessageTimeout[Default]": "1"}, board=FAST) as desk:
        desk.csms.on("StatusNotification", SILENCE, times=1)
        assert await desk.reserve(7, 1, seconds=60) == "Accepted"
        unanswered = await desk.link.status(1, 1, "Reserved", PATIENCE)
        await desk.link.status(1, 2, "Reserved", PATIENCE)
        await desk.link.send_raw(json.dumps([3, unanswered.message_id, {}]))
        assert await desk.cancel(7) == "Accepted"
        await desk.statuses("Available", 1)
        await desk.quiet()


# --- messages that are too much

async def test_an_oversize_call_is_answered_with_its_id_and_the_connection_survives(station):
    """H01.FR.03: a CALLERROR for the one, the usual answer to the next."""
    async with station() as desk:
        assert await desk.reserve(7, 1) == "Accepted"
        await desk.statuses("Reserved", 1)
        request = {"id": 7, "evseId": 1, "expiryDateTime": desk.csms.time(60), "idToken": iso(TOKEN2),
                   "customData": {"vendorId": "X", "filler": "x" * 20000}}
        whole, other = [json.dumps([2, "large-%d" % number, "ReserveNow", request]) for number in (1, 2)]
        for message in (whole, [other[at:at + 700] for at in range(0, len(other), 700)]):
            await desk.link.send_raw(message)
            kind, message_id, code, _, _ = json.loads(await desk.link.next_raw(PATIENCE))
            assert (kind, message_id[:6], code) == (4, "large-", "FormatViolation")
        assert await desk.reserve(7, 1, TOKEN2) == "Accepted"
        await desk.quiet()
        assert len(desk.csms.links) == 1


async def test_a_call_of_nearly_the_limit_is_understood(station):
    """H01.FR.03: 8 kB of legal customData disturb nobody."""
    async with station() as desk:
        filler = {"vendorId": "X", "filler": ["x" * 100] * 70}
        assert await desk.reserve(7, 1, customData=filler) == "Accepted"
        await desk.statuses("Reserved", 1)


async def test_malformed_messages_leave_reservations_and_connection_alone(station):
    """H01.FR.03: each gets the CALLERROR that is due to it."""
    async with station() as desk:
        assert await desk.reserve(7, 1) == "Accepted"
        await desk.statuses("Reserved", 1)
        good = {"id": 7, "evseId": 1, "expiryDateTime": desk.csms.time(60), "idToken": iso(TOKEN2)}
        for frame, answer in (
                ([2, "a1", "ReserveNow", {**good, "id": -1}], ["a1", "PropertyConstraintViolation"]),
                ([2, "a2", "ReserveNow", {**good, "id": "7"}], ["a2", "TypeConstraintViolation"]),
                ([2, "a3", "ReserveNow", {**good, "extra": 1}], ["a3", "FormatViolation"]),
                ([2, "a4", "ReserveNow", {"id": 7}], ["a4", "OccurrenceConstraintViolation"]),
                ([2, "a5", "CancelReservation", {"reservationId": True}], ["a5", "TypeConstraintViolation"]),
                ([2, "a6", "ReserveLater", good], ["a6", "NotImplemented"]),
                ([2, "a7", "UnlockConnector", {"evseId": 1, "connectorId": 1}], ["a7", "NotSupported"]),
                ([2, "a8", "CancelReservation"], ["a8", "RpcFrameworkError"]),
                ([2, 8, "CancelReservation", {"reservationId": 7}], ["-1", "RpcFrameworkError"]),
                ([5, "a9", "CancelReservation", {}], ["a9", "MessageTypeNotSupported"]),
                ({}, ["-1", "RpcFrameworkError"])):
            answered = await desk.link.ask_raw(json.dumps(frame), PATIENCE)
            assert [answered[0]] + answered[1:3] == [4] + answer
        for unasked in ('[3, "b1", {}]', '[4, "b2", "InternalError", "", {}]'):
            await desk.link.send_raw(unasked)
        await desk.quiet()
        assert await desk.cancel(7) == "Accepted"


# --- handshakes that are refused

@pytest.mark.parametrize("answered, complaint", [(None, "got ''"), ("ocpp1.6", "got 'ocpp1.6'")])
async def test_another_subprotocol_is_no_connection(cold, answered, complaint):
    """OCPP-J §3.1.2: closed with 1002, with a word in the log about it; nothing of OCPP is sent."""
    async with cold(board=FAST) as desk:
        if answered is None:
            desk.csms.subprotocol = None
        else:
            def other(response):
                del response.headers["Sec-WebSocket-Protocol"]
                response.headers["Sec-WebSocket-Protocol"] = answered

            desk.csms.on_handshake = other
        await desk.board.apower_on()
        line = (await desk.board.aread_until("connection refused: ", PATIENCE)
                + await desk.board.aread_until("\n", PATIENCE)).splitlines()[-1]
        assert complaint in line, line
        if answered:
            link = desk.csms.links[0]
            assert (await link.wait_closed(PATIENCE))[0] == 1002
            assert link.log == []
        desk.csms.subprotocol, desk.csms.on_handshake = "ocpp2.0.1", None
        desk.csms.links.clear()
        await desk.registered()


@pytest.mark.parametrize("status", [401, 404, 503])
async def test_a_csms_that_refuses_is_logged_with_url_and_status(cold, status):
    """OCPP-J §3.2, A00.FR.201–207: Basic auth with the station's id and password, tried again with back-off."""
    async with cold(config={"password": PASSWORD}, password=PASSWORD, board=FAST) as desk:
        if status == 401:
            desk.csms.password = "the password of another station"
        elif status == 404:
            desk.csms.stations = ("ANOTHER",)
        else:
            desk.csms.refuse_connections = 503
        await desk.board.apower_on()
        await desk.board.aread_until("error connection refused: HTTP %d" % status, PATIENCE)
        line = await desk.board.aread_until("\n", PATIENCE)
        assert desk.csms.url + "/" + STATION_ID in line
        desk.csms.password, desk.csms.stations, desk.csms.refuse_connections = PASSWORD, None, False
        await desk.registered()
        header = desk.csms.connections[-1]["headers"]["Authorization"]
        assert base64.b64decode(header.split()[1]).decode() == "%s:%s" % (STATION_ID, PASSWORD)
        assert PASSWORD not in desk.board.transcript
