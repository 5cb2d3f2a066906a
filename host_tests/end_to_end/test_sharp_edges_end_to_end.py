"""Sharp edges of reservations that only real flash, real resets and a real socket can show.

Time passes by the console's `time` and the CSMS's offset, not by waiting.
"""

import json

import pytest
from desk import GROUP, PATIENCE, TOKEN1, TOKEN2, iso

from tools.csms import CallError, Delay, LinkClosed
from tools.virtual_board import CUT_MODES

RESERVED_1 = {(1, 1): "Reserved", (1, 2): "Reserved", (2, 1): "Available"}
AVAILABLE = {(1, 1): "Available", (1, 2): "Available", (2, 1): "Available"}


def updates(desk):
    """All ReservationStatusUpdates so far, over all connections, as (id, status)."""
    return [(call["reservationId"], call["reservationUpdateStatus"])
            for call in desk.csms.events("ReservationStatusUpdate")]


# --- power cuts: what the CSMS was told is so, and what it was not told is old or new, and it can find out which

@pytest.mark.parametrize("mode", CUT_MODES)
async def test_a_power_cut_before_the_answer_to_reserve_now(station, mode):
    """H01.FR.23, B01.FR.13: whatever becomes of the reservation, statuses and CancelReservation agree about it."""
    async with station() as desk:
        cuts = 0
        while True:
            desk.board.cut_after(cuts + 1, mode)
            try:
                assert await desk.reserve(7, 1) == "Accepted"
                break
            except LinkClosed:
                cuts += 1
            assert (await desk.board.await_off(PATIENCE)).mode == mode
            statuses = await desk.power_on()
            assert statuses in (AVAILABLE, RESERVED_1)
            assert await desk.cancel(7) == ("Accepted" if statuses == RESERVED_1 else "Rejected")
            await desk.sync()
            desk.link.forget()
        assert cuts >= 1
        desk.board.cancel_cut()
        await desk.statuses("Reserved", 1)
        await desk.quiet()


@pytest.mark.parametrize("mode", CUT_MODES)
async def test_a_power_cut_before_the_answer_to_cancel_reservation(station, mode):
    """H02.FR.02, B01.FR.13: the reservation is there or not, and the statuses say which."""
    async with station() as desk:
        assert await desk.reserve(7, 1) == "Accepted"
        await desk.statuses("Reserved", 1)
        desk.board.cut_after(1, mode)
        with pytest.raises(LinkClosed):
            await desk.cancel(7)
        await desk.board.await_off(PATIENCE)
        statuses = await desk.power_on()
        assert statuses in (AVAILABLE, RESERVED_1)
        assert await desk.cancel(7) == ("Accepted" if statuses == RESERVED_1 else "Rejected")
        if statuses == RESERVED_1:
            await desk.statuses("Available", 1)
        await desk.quiet()


@pytest.mark.parametrize("mode", CUT_MODES)
async def test_a_power_cut_before_the_answer_to_a_replacement(station, mode):
    """H01.FR.02, B01.FR.13: one of the two reservations is there, never both, never none."""
    async with station() as desk:
        assert await desk.reserve(7, 1, TOKEN1) == "Accepted"
        await desk.statuses("Reserved", 1)
        desk.board.cut_after(1, mode)
        with pytest.raises(LinkClosed):
            await desk.reserve(7, 2, TOKEN2)
        await desk.board.await_off(PATIENCE)
        statuses = await desk.power_on()
        evse_id, token = (1, TOKEN1) if statuses == RESERVED_1 else (2, TOKEN2)
        assert sorted(statuses.values()).count("Reserved") == 3 - evse_id
        await desk.authorize("local", token, evse_id, asked=False)
        await desk.statuses("Available", evse_id)
        await desk.charge(token, evse_id, reservation_id=7)
        assert await desk.cancel(7) == "Rejected"
        await desk.quiet()


@pytest.mark.parametrize("then", ["cancel", "matching token", "other token"])
async def test_a_power_cut_right_after_the_answer_to_reserve_now(station, then):
    """B01.FR.13, H02.FR.02, H03.FR.01: the reservation that was Accepted is whole after the reboot."""
    async with station() as desk:
        assert await desk.reserve(0, 1, TOKEN1) == "Accepted"
        assert await desk.power_cycle() == RESERVED_1
        if then == "cancel":
            assert await desk.cancel(0) == "Accepted"
            await desk.statuses("Available", 1)
        elif then == "matching token":
            await desk.authorize("local", TOKEN1, asked=False)
            await desk.statuses("Available", 1)
            await desk.charge(TOKEN1, reservation_id=0)
        else:
            await desk.swipe(TOKEN2, 1)
            assert await desk.remote_start(TOKEN2, 1) == "Rejected"
        await desk.quiet()


async def test_the_last_reservation_cancelled_does_not_come_back(station):
    """H02.FR.02: nothing is Reserved after a reboot, by ReserveNow or by the console."""
    async with station() as desk:
        assert await desk.reserve(7, 1) == "Accepted"
        assert await desk.cancel(7) == "Accepted"
        assert await desk.power_cycle() == AVAILABLE
        await desk.console("reserve 2 %s 10" % TOKEN1)
        await desk.console("cancel 1")
        await desk.expect("ReservationStatusUpdate", reservationId=1, reservationUpdateStatus="Removed")
        await desk.sync()
        assert await desk.power_cycle() == AVAILABLE
        assert await desk.cancel(7) == "Rejected"
        await desk.quiet()


# --- expiry while nobody could be told

async def test_expired_while_the_power_was_off(station):
    """H04.FR.01: one Expired, after the BootNotification was Accepted, and no Reserved at all."""
    async with station() as desk:
        assert await desk.reserve(7, 1, seconds=60) == "Accepted"
        await desk.board.apower_cut()
        desk.csms.time_offset += 61
        assert await desk.power_on() == AVAILABLE
        await desk.expect("ReservationStatusUpdate", reservationId=7, reservationUpdateStatus="Expired")
        await desk.quiet()
        assert await desk.power_cycle() == AVAILABLE
        await desk.quiet()
        assert updates(desk) == [(7, "Expired")]


@pytest.mark.parametrize("how", ["disconnected", "dropped"])
async def test_expired_while_offline(station, how):
    """H04.FR.01, H04.FR.03: after the reconnect the statuses that changed, then one Expired, which a reboot keeps."""
    async with station() as desk:
        assert await desk.reserve(7, 1, seconds=60) == "Accepted"
        await desk.statuses("Reserved", 1)
        if how == "disconnected":
            await desk.console("disconnect")
        else:
            desk.csms.refuse_connections = True
            desk.link.drop()
        await desk.link.wait_closed()
        await desk.pass_time(61)
        desk.csms.refuse_connections = False
        await desk.console("connect")
        await desk.connected()
        await desk.link.expect_in_order(
            ("StatusNotification", {"evseId": 1, "connectorId": 1, "connectorStatus": "Available"}),
            ("StatusNotification", {"evseId": 1, "connectorId": 2, "connectorStatus": "Available"}),
            ("ReservationStatusUpdate", {"reservationId": 7, "reservationUpdateStatus": "Expired"}), timeout=PATIENCE)
        await desk.quiet()
        await desk.power_cycle()
        await desk.quiet()
        assert updates(desk) == [(7, "Expired")]


async def test_a_status_whose_confirmation_was_lost_with_the_line_is_corrected(station):
    """B04.FR.02, H04.FR.03: the CSMS has seen Reserved, the station can not know that; by now it is Available."""
    async with station() as desk:
        held = desk.csms.hold("StatusNotification")
        assert await desk.reserve(7, 1, seconds=60) == "Accepted"
        await desk.link.status(1, 1, "Reserved", PATIENCE)
        desk.link.drop()
        await desk.board.aread_until("connection closed", PATIENCE)
        held.release()
        await desk.pass_time(61)
        await desk.connected()
        await desk.link.status(1, 1, "Available", PATIENCE)
        await desk.expect("ReservationStatusUpdate", reservationId=7, reservationUpdateStatus="Expired")
        await desk.quiet()


async def test_expired_while_pending(station):
    """H04.FR.01, B02.FR.02: while Pending nothing is told, and RequestStartTransaction and ReserveNow are refused."""
    async with station() as desk:
        accept = []
        desk.csms.on("BootNotification", lambda _: None if accept else {
            "currentTime": desk.csms.time(), "interval": 1, "status": "Pending"})
        assert await desk.reserve(7, 1, TOKEN1, seconds=60) == "Accepted"
        await desk.board.apower_cut()
        desk.csms.time_offset += 61
        await desk.board.apower_on()
        await desk.connected()
        await desk.expect("BootNotification")
        await desk.board.aread_until("registration: Pending", PATIENCE)
        assert await desk.remote_start(TOKEN1, 1) == "Rejected"
        with pytest.raises(CallError, match="SecurityError"):
            await desk.reserve(8, 2)
        await desk.quiet()
        accept.append(True)
        await desk.expect("BootNotification")  # after the interval
        assert await desk.link.all_reported(3, PATIENCE) == AVAILABLE
        await desk.expect("ReservationStatusUpdate", reservationId=7, reservationUpdateStatus="Expired")
        await desk.quiet()
        assert updates(desk) == [(7, "Expired")]


async def test_a_power_cut_before_the_confirmation_of_expired(station):
    """H04.FR.01: the update is sent again after the reboot; at least once is what the station promises."""
    async with station() as desk:
        assert await desk.reserve(7, 1, seconds=60) == "Accepted"
        desk.csms.hold("ReservationStatusUpdate", times=1)
        await desk.pass_time(61)
        await desk.expect("ReservationStatusUpdate")
        assert await desk.power_cycle() == AVAILABLE
        await desk.expect("ReservationStatusUpdate", reservationId=7, reservationUpdateStatus="Expired")
        await desk.quiet()
        await desk.power_cycle()
        await desk.quiet()
        assert updates(desk) == [(7, "Expired")] * 2


async def test_expired_answered_with_a_callerror_is_not_repeated(station):
    """H04.FR.01: no endless loop, and a transaction goes on meanwhile."""
    async with station() as desk:
        desk.csms.on("ReservationStatusUpdate", Delay(0.1, CallError("InternalError")))
        assert await desk.reserve(7, 1, seconds=60) == "Accepted"
        await desk.statuses("Reserved", 1)
        await desk.pass_time(61)
        await desk.statuses("Available", 1)
        await desk.expect("ReservationStatusUpdate")
        await desk.authorize("local", TOKEN2)
        await desk.charge(TOKEN2)
        await desk.quiet()
        await desk.power_cycle()
        desk.link.forget("TransactionEvent")
        await desk.quiet()
        assert updates(desk) == [(7, "Expired")]


@pytest.mark.parametrize("seconds, statuses", [(+86400, AVAILABLE), (-86400, RESERVED_1)])
async def test_the_clock_jumps_when_the_station_registers(station, seconds, statuses):
    """H04.FR.01: with the time of the BootNotificationResponse the reservation is judged, not before."""
    async with station() as desk:
        assert await desk.reserve(7, 1) == "Accepted"
        desk.csms.time_offset += seconds
        assert await desk.power_cycle() == statuses
        if statuses == AVAILABLE:
            await desk.expect("ReservationStatusUpdate", reservationId=7, reservationUpdateStatus="Expired")
        await desk.quiet()


# --- remote start, availability, reset

@pytest.mark.parametrize("evse_id", [1, 2])
async def test_remote_start_without_an_evse_goes_where_the_reservation_is(station, evse_id):
    """H01.FR.15, H03.FR.09: the EVSE that is reserved for the token is chosen."""
    async with station() as desk:
        assert await desk.reserve(7, evse_id, TOKEN1) == "Accepted"
        await desk.statuses("Reserved", evse_id)
        assert await desk.remote_start(TOKEN1) == "Accepted"
        await desk.statuses("Available", evse_id)
        await desk.charge(TOKEN1, evse_id, how="remote", reservation_id=7)
        await desk.quiet()


async def test_a_token_is_the_same_by_its_type_and_by_letters_of_any_case(station):
    """C01.FR.25, H03.FR.01: the same characters with another type are another token."""
    async with station() as desk:
        assert await desk.reserve(7, 1, TOKEN1) == "Accepted"
        await desk.statuses("Reserved", 1)
        await desk.console("swipe %s Central 1" % TOKEN1)
        assert await desk.remote_start(None, 1, idToken={"idToken": TOKEN1, "type": "KeyCode"}) == "Rejected"
        await desk.quiet()
        more = {"additionalInfo": [{"additionalIdToken": "1", "type": "x"}]}
        assert await desk.remote_start(None, 1, idToken={**iso(TOKEN1.lower()), **more}) == "Accepted"
        await desk.statuses("Available", 1)
        await desk.charge(TOKEN1.lower(), how="remote", reservation_id=7)
        await desk.quiet()


async def test_reservations_switched_off_and_on_again_over_a_reboot(station):
    """H01.FR.01: with Enabled=false they are unused but stored, also the setting; with true alive again."""
    async with station() as desk:
        assert await desk.reserve(7, 1, TOKEN1) == "Accepted"
        await desk.statuses("Reserved", 1)
        assert await desk.set_variable("ReservationCtrlr.Enabled", "false") == "Accepted"
        await desk.statuses("Available", 1)
        assert await desk.power_cycle() == AVAILABLE
        assert await desk.reserve(8, 2) == "Rejected"
        assert await desk.set_variable("ReservationCtrlr.Enabled", "true") == "Accepted"
        await desk.statuses("Reserved", 1)
        assert await desk.power_cycle() == RESERVED_1
        await desk.authorize("local", TOKEN1, asked=False)
        await desk.statuses("Available", 1)
        await desk.quiet()


@pytest.mark.parametrize("evse, changed", [
    ({}, [(1, 1), (1, 2), (2, 1)]),
    ({"id": 1}, [(1, 1), (1, 2)]),
    ({"id": 1, "connectorId": 2}, [(1, 2)]),
], ids=["station", "EVSE", "connector"])
async def test_change_availability_of_what_is_reserved(station, evse, changed):
    """H01.FR.17: one Unavailable for each connector and no Available before it; one connector is not the EVSE."""
    async with station() as desk:
        assert await desk.reserve(7, 1) == "Accepted"
        await desk.statuses("Reserved", 1)
        assert await desk.change_availability("Inoperative", **evse) == "Accepted"
        for connector in changed:
            await desk.link.status(*connector, "Unavailable", PATIENCE)
        removed = (1, 1) in changed
        if removed:
            await desk.expect("ReservationStatusUpdate", reservationId=7, reservationUpdateStatus="Removed")
        await desk.quiet()
        statuses = await desk.power_cycle()
        assert statuses == {**({} if removed else RESERVED_1), **AVAILABLE, **({} if removed else RESERVED_1),
                            **dict.fromkeys(changed, "Unavailable")}
        assert await desk.cancel(7) == ("Rejected" if removed else "Accepted")


async def test_reset_on_idle_waits_for_the_reservation(station):
    """B11.FR.07, B12.FR.03: Scheduled; the restart comes when the reservation is cancelled, and says so."""
    async with station() as desk:
        assert await desk.reserve(7, 1) == "Accepted"
        await desk.statuses("Reserved", 1)
        assert (await desk.call("Reset", {"type": "OnIdle"}))["status"] == "Scheduled"
        await desk.quiet()
        assert await desk.cancel(7) == "Accepted"
        await desk.statuses("Available", 1)
        assert await desk.link.wait_closed(PATIENCE) == (1000, "bye")
        assert await desk.registered("ScheduledReset") == AVAILABLE


# --- the order of things on the wire

async def test_the_answer_comes_before_what_follows_from_it(station):
    """H01.FR.23, H02.FR.04: ReserveNow, CancelReservation, ChangeAvailability, RequestStartTransaction."""
    async with station() as desk:
        steps = [("ReserveNow", {"id": 7, "evseId": 1, "expiryDateTime": desk.csms.time(600), "idToken": iso(TOKEN1)}),
                 ("CancelReservation", {"reservationId": 7}),
                 ("ChangeAvailability", {"operationalStatus": "Inoperative"}),
                 ("ChangeAvailability", {"operationalStatus": "Operative"}),
                 ("ReserveNow", {"id": 8, "evseId": 1, "expiryDateTime": desk.csms.time(600), "idToken": iso(TOKEN1)}),
                 ("RequestStartTransaction", {"remoteStartId": 1, "evseId": 1, "idToken": iso(TOKEN1)})]
        for action, payload in steps:
            passed = len(desk.link.log)
            assert (await desk.call(action, payload))["status"] == "Accepted"
            await desk.sync()
            kinds = [json.loads(text)[0] for _, way, text in desk.link.log[passed:] if way == "<-"]
            assert kinds[0] == 3 and 2 in kinds, (action, kinds)


async def test_no_status_is_told_that_did_not_change(station):
    """H01.FR.23: what changes nothing tells nothing (that none is told twice is checked in every test here)."""
    async with station() as desk:
        assert await desk.reserve(7, 1, TOKEN1) == "Accepted"
        await desk.statuses("Reserved", 1)
        assert await desk.reserve(7, 1, TOKEN1, seconds=900) == "Accepted"
        assert await desk.reserve(8, 1, TOKEN2) == "Occupied"
        assert await desk.reserve(9, None, TOKEN2, groupIdToken=GROUP) == "Accepted"
        await desk.statuses("Reserved", 2)
        assert await desk.reserve(9, 2, TOKEN2) == "Accepted"
        for line in ("plug 1 2", "swipe %s ISO14443 1" % TOKEN2, "swipe %s ISO14443 2" % TOKEN1, "unplug 1",
                     "plug 2 1", "suspend 2", "unplug 2"):
            await desk.console(line)
        assert await desk.change_availability("Operative") == "Accepted"
        await desk.quiet()
        desk.link.drop()
        await desk.connected()
        await desk.quiet()
