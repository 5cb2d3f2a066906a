"""Transactions and power cuts: what happened reaches the CSMS, once, in order, with its own time; what ran is ended."""

from fakes import Desk, id_token
from holdfast.clock import parse
from holdfast.reservations import name_at, place
from holdfast.transactions import _NAMES, Event, Transaction, ended_by_power_cut, event_from


def charging(**options):
    """A desk with a car that charges at EVSE 1."""
    desk = Desk(**options)
    desk.plug(1)
    desk.swipe("DRIVER01", 1)
    desk.clear()
    return desk


def kept(desk, prefix="event-"):
    return [name for name in desk.records.names() if name.startswith(prefix)]


def numbers(desk):
    return [event["seqNo"] for event in desk.of("TransactionEvent")]


def test_every_name_is_found_where_it_stands():
    for index, name in enumerate(_NAMES.split()):
        assert place(_NAMES, name) == index + 1
        assert name_at(_NAMES, index + 1) == name


def test_an_event_with_everything_comes_back_from_its_bytes():
    event = Event("Ended", "StopAuthorized", Transaction("0" * 36), "SuspendedEVSE")
    event.utc = 4102444800  # 2100-01-01
    event.stopped_reason = "DeAuthorized"
    event.token = ("x" * 36, "NoAuthorization")
    event.reservation_id = event.remote_start_id = 0
    event.evse_id = 5
    event.connector_id = 3
    data = event.record()
    assert len(data) == 96
    again = event_from(data)
    for name in ("kind", "trigger", "transaction_id", "seq_no", "state", "utc", "stopped_reason", "token",
                 "reservation_id", "remote_start_id", "evse_id", "connector_id"):
        assert getattr(again, name) == getattr(event, name), name


def test_an_event_with_nothing_comes_back_from_its_bytes():
    again = event_from(Event("Updated", "ChargingStateChanged", Transaction("0" * 36), None).record())
    for name in ("state", "utc", "stopped_reason", "token", "reservation_id", "remote_start_id", "evse_id",
                 "connector_id"):
        assert getattr(again, name) is None, name


def test_bytes_that_no_event_was_made_of_are_refused():
    good = Event("Started", "Authorized", Transaction("0" * 36), "Idle").record()
    for data, what in ((b"", event_from), (good[:-1], event_from), (good[:-8] + b"\xff" * 8, event_from),
                       (b"", lambda data: ended_by_power_cut(data, "Reboot"))):
        try:
            what(data)
            raise AssertionError("taken for an event: %r" % data)
        except (ValueError, IndexError):
            pass


def test_an_event_is_on_flash_before_it_is_told_and_not_after_the_answer():
    desk = Desk()
    counts = []
    desk.replies["TransactionEvent"] = lambda payload: counts.append(len(kept(desk))) or {}
    desk.plug(1)
    desk.swipe("DRIVER01", 1)
    assert counts == [2, 1]  # Started and Updated happen together
    assert kept(desk) == []


def test_what_happened_offline_is_told_after_a_power_cut():
    """E12, E04: a whole session, with its own times, marked offline, in order."""
    desk = Desk()
    desk.reserve(7, 1)
    desk.down()
    desk.clear()
    happened = desk.time()
    desk.swipe("HOLDER01", 1)
    desk.plug(1, 2)
    desk.wait(100)
    desk.swipe("HOLDER01", 1)
    desk.unplug(1)
    desk.reboot(link=False)
    desk.skew = 3600
    desk.up()
    events = desk.of("TransactionEvent")
    assert [event["eventType"] for event in events] == ["Started", "Updated", "Ended"]
    assert numbers(desk) == [0, 1, 2]
    assert [event["offline"] for event in events] == [True, True, True]
    assert [event["timestamp"] for event in events][:2] == [happened, happened]
    assert parse(events[2]["timestamp"]) - parse(happened) == 100
    assert events[0]["reservationId"] == 7 and events[0]["idToken"] == id_token("HOLDER01")
    assert events[0]["evse"] == {"id": 1, "connectorId": 2}
    assert events[2]["transactionInfo"]["stoppedReason"] == "Local"
    assert kept(desk) == kept(desk, "transaction-") == []


def test_a_third_run_tells_nothing_anew():
    desk = charging()
    desk.reboot()
    desk.clear()
    desk.reboot()
    assert desk.events() == []


def test_a_power_cut_ends_what_was_running():
    """The energy is off, whatever is plugged in; the CSMS hears why, with the next number of that transaction."""
    desk = charging()
    transaction_id = desk.station.evses[0].transaction.id
    desk.reboot()
    event = desk.of("TransactionEvent")[0]
    assert desk.events() == [("Ended", "AbnormalCondition", None)]
    assert event["transactionInfo"] == {"transactionId": transaction_id, "stoppedReason": "PowerLoss"}
    assert event["seqNo"] == 2
    assert not desk.hardware.closed.get(1)
    assert kept(desk, "transaction-") == []


def test_the_end_is_not_earlier_than_what_came_before():
    """The CSMS's clock may be behind the one that the station had."""
    desk = charging()
    last = desk.utc()
    desk.skew = -600
    desk.reboot()
    assert parse(desk.of("TransactionEvent")[0]["timestamp"]) == last


def test_the_end_is_told_with_the_time_of_the_next_start():
    desk = charging()
    desk.now += 7200000
    desk.reboot()
    assert parse(desk.of("TransactionEvent")[0]["timestamp"]) == desk.utc()


def test_another_end_of_a_run_is_a_reboot():
    desk = charging()
    desk.boot_reason = "Watchdog"
    desk.reboot()
    assert desk.of("TransactionEvent")[0]["transactionInfo"]["stoppedReason"] == "Reboot"


def test_an_immediate_reset_without_a_link_is_told_after_it():
    """B12.FR.05: the Ended event survives the reboot that was asked for, and is the only one."""
    desk = charging()
    desk.replies["TransactionEvent"] = None  # the link is about to go
    assert desk.call("Reset", {"type": "Immediate"})["status"] == "Accepted"
    desk.down()
    desk.replies["TransactionEvent"] = {}
    desk.clear()
    desk.reboot()
    assert desk.events() == [("Ended", "ResetCommand", "EVConnected")]
    assert desk.of("TransactionEvent")[0]["transactionInfo"]["stoppedReason"] == "ImmediateReset"
    assert kept(desk) == kept(desk, "transaction-") == []


def test_a_cut_between_the_end_and_its_last_record_ends_it_once():
    desk = charging()
    running = dict(desk.records.files)
    desk.down()
    desk.swipe("DRIVER01", 1)
    desk.records.files["transaction-1"] = running["transaction-1"]
    desk.reboot()
    assert [event[:2] for event in desk.events()] == [("Ended", "StopAuthorized")]
    assert kept(desk, "transaction-") == []


def test_both_evses_end_after_a_power_cut():
    desk = charging()
    desk.plug(2)
    desk.swipe("DRIVER02", 2)
    ids = [evse.transaction.id for evse in desk.station.evses]
    desk.clear()
    desk.reboot()
    assert [event["transactionInfo"]["transactionId"] for event in desk.of("TransactionEvent")] == ids


def test_what_nobody_knew_the_time_of_gets_one():
    """A station that never learned the time before the cut: the earliest time it can tell is that of the next start."""
    desk = Desk(boot=False, variables={"TxCtrlr.TxStartPoint": "EVConnected"})
    desk.plug(1)
    desk.reboot(link=False)
    woken = desk.time()
    desk.wait(60)
    desk.up()
    events = desk.of("TransactionEvent")
    assert [(event["eventType"], event["timestamp"]) for event in events] == [("Started", woken), ("Ended", woken)]


def test_events_of_two_runs_keep_their_order():
    desk = charging()
    desk.down()
    for _ in range(3):
        desk.station.suspended(desk.now, 1)
        desk.station.resumed(desk.now, 1)
    desk.reboot(link=False)
    desk.plug(1)
    desk.reserve(1, 1)
    desk.reboot(link=False)
    desk.up()
    assert numbers(desk) == list(range(2, 9))
    assert desk.events()[-1] == ("Ended", "AbnormalCondition", None)


def test_an_event_that_is_given_up_leaves_flash():
    """E13: after MessageAttempts times it is dropped, here and there."""
    desk = Desk(variables={"OCPPCommCtrlr.MessageAttempts[TransactionEvent]": "1"})
    desk.replies["TransactionEvent"] = "InternalError"
    desk.plug(1)
    desk.swipe("DRIVER01", 1)
    assert kept(desk) == []


def test_events_dropped_for_want_of_room_leave_flash():
    desk = charging()
    desk.down()
    for _ in range(100):
        desk.station.suspended(desk.now, 1)
        desk.station.resumed(desk.now, 1)
        desk.lines.clear()  # of the desk, which has the memory of a small board here
    assert len(kept(desk)) == len(desk.station.outbox.waiting) <= 60


def test_an_event_without_an_answer_stays_on_flash():
    desk = Desk()
    desk.replies["TransactionEvent"] = None
    desk.plug(1)
    desk.swipe("DRIVER01", 1)
    assert len(kept(desk)) == 2
    desk.down()
    assert len(kept(desk)) == 2


def test_flash_that_refuses_stops_neither_the_driver_nor_the_message():
    desk = Desk()
    desk.records.fail_with = 5
    desk.clear()
    desk.plug(1)
    desk.swipe("DRIVER01", 1)
    assert desk.hardware.closed[1]
    assert [event[0] for event in desk.events()] == ["Started", "Updated"]
    desk.records.fail_with = None
    desk.wait(30)
    desk.swipe("DRIVER01", 1)
    assert desk.events()[-1][0] == "Ended"
    desk.clear()
    desk.reboot()
    assert desk.events() == []


def test_the_answer_to_an_event_of_a_former_run_stops_nobody():
    """E05: that transaction is over; the one that runs by now has nothing to do with its token."""
    desk = charging()
    desk.down()
    desk.reboot(link=False)
    desk.replies["TransactionEvent"] = lambda payload: (
        {"idTokenInfo": {"status": "Blocked"}} if payload.get("offline") else {})
    desk.plug(1)
    desk.up()
    desk.swipe("DRIVER02", 1)
    assert desk.hardware.closed[1]


def test_a_record_that_is_no_event_is_told_to_the_log_and_stops_nothing():
    desk = charging()
    desk.down()
    desk.swipe("DRIVER01", 1)
    desk.records.files["event-00000001"] = b"sound, but something else"
    desk.records.files["transaction-2"] = b"and so is this"
    desk.records.files["event-later"] = b""
    desk.reboot()
    assert desk.station.set_aside == 3
    assert desk.events() == [("Ended", "StopAuthorized", "EVConnected")]
