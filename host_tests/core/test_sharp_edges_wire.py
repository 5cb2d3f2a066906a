"""The second half of the list in test_sharp_edges.py: what goes over the wire, how often, and in which order."""

import gc
import json
import os

from fakes import Desk, id_token


def test_an_update_that_nobody_answers():
    """C.24, B7: three times for each connection, then silence; and again on the next connection."""
    desk = Desk()
    desk.replies["ReservationStatusUpdate"] = None
    desk.reserve(3, 1, seconds=10)
    desk.clear()
    desk.wait(600)
    assert desk.updates() == [(3, "Expired")] * 3
    desk.down()
    desk.up()
    assert len(desk.updates()) == 4


def test_an_update_that_is_refused():
    """C.24: the CSMS got it and will not have it: once, and done with."""
    desk = Desk()
    desk.replies["ReservationStatusUpdate"] = "InternalError"
    desk.reserve(3, 1, seconds=10)
    desk.wait(600)
    desk.down()
    desk.up()
    desk.reboot()
    assert desk.updates() == [(3, "Expired")]
    assert desk.records.names() == []


def test_an_unanswered_update_does_not_block_transaction_events():
    """C.24: between its attempts everything else goes out."""
    desk = Desk()
    desk.replies["ReservationStatusUpdate"] = None
    desk.reserve(3, 1, seconds=10)
    desk.wait(45)
    desk.swipe("WALKUP01", 2)
    desk.plug(2)
    desk.wait(35)
    assert [e["eventType"] for e in desk.of("TransactionEvent")] == ["Started", "Updated"]


def test_a_new_reservation_with_the_id_of_an_ended_one():
    """C.24: the CSMS gave the id away again: the old ending is not told any more, the new reservation lives."""
    desk = Desk()
    desk.reserve(3, 1, seconds=10)
    desk.down()
    desk.wait(20)
    desk.station.reserve(desk.now, 2, "NEWTOKEN", "ISO14443", 60, 3)
    desk.clear()
    desk.up()
    assert desk.updates() == []
    assert desk.status(2) == "Reserved"
    desk.reboot()
    assert desk.status(2) == "Reserved"


def test_the_answer_is_first():
    """C.25: the response precedes the statuses for ReserveNow, CancelReservation, ChangeAvailability, SetVariables."""
    desk = Desk()
    for action in (lambda: desk.reserve(3, 1), lambda: desk.cancel(3), lambda: desk.reserve(3, 1),
                   lambda: desk.set("ReservationCtrlr.Enabled", "false"),
                   lambda: desk.set("ReservationCtrlr.Enabled", "true"),
                   lambda: desk.availability("Inoperative", 1)):
        desk.clear()
        action()
        assert desk.wire[:3] == ["answer", "StatusNotification", "StatusNotification"]


def test_a_status_that_did_not_change_is_not_told():
    """C.26: whatever happens, no connector reports the same status twice in a row."""
    desk = Desk()
    last = {}
    for place in ((1, 1), (1, 2), (2, 1)):
        last[place] = "Available"
    desk.clear()
    for action in (
        lambda: desk.reserve(1, 1), lambda: desk.reserve(1, 1, "SECOND01"), lambda: desk.reserve(2, None),
        lambda: desk.cancel(2), lambda: desk.plug(1), lambda: desk.unplug(1), lambda: desk.swipe("SECOND01", 1),
        lambda: desk.plug(1, 2), lambda: desk.swipe("SECOND01", 1), lambda: desk.unplug(1), lambda: desk.fault(2),
        lambda: desk.fault(2), lambda: desk.clear_fault(2), lambda: desk.availability("Inoperative"),
        lambda: desk.availability("Inoperative", 1), lambda: desk.availability("Operative"),
        lambda: desk.availability("Operative", 1), lambda: desk.wait(700),
    ):
        action()
    for evse_id, connector_id, status in desk.statuses():
        assert last[evse_id, connector_id] != status
        last[evse_id, connector_id] = status
    assert [last[place] for place in sorted(last)] == [desk.status(1, 1), desk.status(1, 2), desk.status(2, 1)]


def heap():
    gc.collect()
    return gc.mem_alloc() if hasattr(gc, "mem_alloc") else len(gc.get_objects())


def cycle(desk, count):
    for _ in range(count):
        assert desk.reserve(1, 1) == "Accepted"
        assert desk.cancel(1) == "Accepted"
        desk.clear()
        desk.lines = []
        desk.asked = {}


def test_a_thousand_reservations_leave_nothing_behind():
    """C.27: neither heap nor flash grows, and each cycle is one write and one removal."""
    desk = Desk()
    cycle(desk, 20)
    before, writes = heap(), desk.records.writes
    cycle(desk, 1000)
    assert desk.records.writes == writes + 2000
    assert desk.records.names() == []
    assert heap() - before <= 1000


def test_a_thousand_sessions_leave_nothing_behind():
    """C.27: reserve, use, leave, a thousand times."""
    desk = Desk()
    marks = []
    for count in (20, 300):
        for _ in range(count):
            desk.reserve(1, 1)
            desk.swipe("HOLDER01", 1)
            desk.plug(1)
            desk.unplug(1)
            desk.clear()
            desk.lines = []
            desk.asked = {}
        marks.append(heap())
    assert desk.records.names() == []
    assert marks[1] - marks[0] <= 1000


def test_mutated_frames_change_no_reservation():
    """C.28: a byte of a frame changed, cut or doubled, many times: no exception, and one answer at the most."""
    seed = int.from_bytes(os.urandom(3), "big")
    desk = Desk()
    desk.reserve(5, 1)
    frames = (
        json.dumps([2, "m", "ReserveNow", {"id": 6, "expiryDateTime": "2001-01-01T00:00:00Z", "evseId": 1,
                                           "idToken": id_token("HOLDER01")}]),
        json.dumps([2, "m", "CancelReservation", {"reservationId": 77}]),
        json.dumps([2, "m", "GetVariables", {"getVariableData": [
            {"component": {"name": "TxCtrlr"}, "variable": {"name": "TxStartPoint"}}]}]),
        json.dumps([3, "m", {"currentTime": "2026-11-23T12:00:00Z"}]),
    )
    desk.asked["m"] = "anything"
    state = seed
    for _ in range(400):
        state = (state * 1103515 + 12345) & 0xFFFFFF
        text = frames[state >> 8 & 3]
        at = (state >> 10) % len(text)
        how = state >> 5 & 3
        if how == 0:
            text = text[:at]
        elif how == 1:
            text = text[:at] + chr(32 + state % 95) + text[at + 1:]
        elif how == 2:
            text = text[:at] + text[at:at + 9] + text[at:]
        else:
            text = text[:at] + text[at + 1:]
        desk.lines = []
        desk.station.received(desk.now, text)
        answers = desk.station.take_frames()
        assert len(answers) <= 1, (seed, text)
    assert [r.id for r in desk.station.reservations.held] == [5], seed
