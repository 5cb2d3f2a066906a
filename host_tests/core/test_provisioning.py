"""Block B: BootNotification and registration, the clock, Heartbeat's pace, Reset."""

from fakes import NOON, Desk, FakeConfig
from holdfast.clock import rfc3339


def answers(desk, status, interval=60):
    """Let the CSMS answer every BootNotification like this."""
    desk.replies["BootNotification"] = lambda payload: {
        "currentTime": desk.time(), "interval": interval, "status": status}


def fresh(status, interval=60):
    """A station whose first BootNotification has been answered like this."""
    desk = Desk(boot=False)
    answers(desk, status, interval)
    desk.up()
    return desk


def boots(desk):
    return len(desk.of("BootNotification"))


def test_the_first_thing_said_is_boot_notification():
    """B01.FR.01: who this is, and why it boots."""
    desk = Desk()
    assert desk.wire[0] == "BootNotification"
    assert desk.of("BootNotification") == [{
        "chargingStation": {"model": "Desk", "vendorName": "Holdfast", "firmwareVersion": "0.1.0"},
        "reason": "PowerUp",
    }]


def test_a_serial_number_is_told_where_there_is_one():
    desk = Desk(boot=False)
    desk.config.serial_number = "SN-1"
    desk.power_on()
    desk.up()
    assert desk.of("BootNotification")[0]["chargingStation"]["serialNumber"] == "SN-1"


def test_after_acceptance_every_connector_is_told():
    """B01.FR.05."""
    desk = Desk()
    assert desk.statuses() == [(1, 1, "Available"), (1, 2, "Available"), (2, 1, "Available")]


def test_reserved_and_unavailable_survive_a_reboot():
    """B01.FR.07, B01.FR.13."""
    desk = Desk()
    desk.reserve(1, 1)
    desk.availability("Inoperative", 2)
    desk.clear()
    desk.reboot()
    assert desk.statuses() == [(1, 1, "Reserved"), (1, 2, "Reserved"), (2, 1, "Unavailable")]
    assert desk.updates() == []


def test_the_clock_is_set_by_the_csms():
    """B01.FR.06: currentTime of the BootNotificationResponse."""
    desk = Desk()
    assert desk.station.clock.utc(desk.now) == NOON + 1


def test_the_interval_becomes_the_heartbeat():
    """B01.FR.04; 0 leaves the station its own."""
    assert fresh("Accepted", 17).station.variables.get("OCPPCommCtrlr.HeartbeatInterval") == "17"
    assert fresh("Accepted", 0).station.variables.get("OCPPCommCtrlr.HeartbeatInterval") == "300"


def test_a_pending_station_says_nothing_but_boot_notification():
    """B02.FR.02, .04: silent until the interval is over, then it asks again."""
    desk = fresh("Pending")
    desk.clear()
    desk.plug(1)
    desk.fault(2)
    desk.wait(58)
    assert desk.sent == []
    desk.wait(3)
    assert desk.wire == ["BootNotification"]


def test_a_pending_station_answers_what_the_csms_needs():
    """B02.FR.01: variables can be read and written."""
    desk = fresh("Pending")
    assert desk.set("OCPPCommCtrlr.OfflineThreshold", "5") == "Accepted"
    answer = desk.call("GetVariables", {"getVariableData": [
        {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "OfflineThreshold"}}]})
    assert answer["getVariableResult"][0]["attributeValue"] == "5"


def test_a_pending_station_starts_and_stops_nothing():
    """B02.FR.05: RequestStartTransaction and RequestStopTransaction are Rejected."""
    desk = fresh("Pending")
    start = {"evseId": 1, "idToken": {"idToken": "A", "type": "Central"}, "remoteStartId": 1}
    assert desk.call("RequestStartTransaction", start)["status"] == "Rejected"
    assert desk.call("RequestStopTransaction", {"transactionId": "x"})["status"] == "Rejected"


def test_a_pending_station_reserves_nothing():
    desk = fresh("Pending")
    assert desk.reserve() == "SecurityError"
    assert not [name for name in desk.records.names() if name.startswith("reservation")]


def test_a_rejected_station_is_silent_until_the_interval_is_over():
    """B03.FR.02."""
    desk = fresh("Rejected", 100)
    desk.clear()
    desk.plug(1)
    desk.wait(99)
    assert desk.sent == []
    answers(desk, "Accepted")
    desk.wait(2)
    assert desk.wire[0] == "BootNotification"
    assert len(desk.statuses()) == 3


def test_a_rejected_station_that_reconnects_still_waits():
    """B03.FR.02: a new connection does not shorten the interval."""
    desk = fresh("Rejected", 100)
    desk.wait(10)
    desk.down()
    desk.clear()
    desk.up()
    desk.wait(85)
    assert desk.sent == []
    desk.wait(6)
    assert boots(desk) == 1


def test_an_interval_that_ran_out_while_offline_boots_once():
    desk = fresh("Rejected", 100)
    desk.down()
    desk.wait(200)
    desk.clear()
    desk.replies["BootNotification"] = None
    desk.up()
    assert desk.station.next_tick(desk.now) > 0
    desk.wait(5)
    desk.receive([3, desk.station.rpc.outstanding[0], desk.accept({})])
    desk.pump()
    assert boots(desk) == 1


def test_without_an_interval_the_station_takes_its_own():
    """B02.FR.08."""
    for interval in (0, -5):
        desk = fresh("Pending", interval)
        desk.clear()
        desk.wait(9)
        assert boots(desk) == 0
        desk.wait(60)
        assert boots(desk) in (1, 2)


def test_an_unanswered_boot_notification_is_tried_again():
    desk = Desk(boot=False)
    desk.replies["BootNotification"] = None
    desk.up()
    desk.wait(50)
    assert boots(desk) == 1
    answers(desk, "Accepted")
    desk.wait(30)
    assert boots(desk) == 2
    assert desk.station.registration == "Accepted"


def test_a_refused_boot_notification_is_tried_again():
    desk = Desk(boot=False)
    desk.replies["BootNotification"] = "InternalError"
    desk.up()
    answers(desk, "Accepted")
    desk.wait(40)
    assert desk.station.registration == "Accepted"


def test_a_link_that_drops_before_the_answer_boots_again():
    desk = Desk(boot=False)
    desk.replies["BootNotification"] = None
    desk.up()
    desk.down()
    answers(desk, "Accepted")
    desk.up()
    assert boots(desk) == 2
    assert desk.station.registration == "Accepted"


def test_heartbeats_keep_the_interval_of_silence():
    desk = fresh("Accepted", 100)
    desk.clear()
    desk.wait(99)
    assert desk.of("Heartbeat") == []
    desk.wait(2)
    assert len(desk.of("Heartbeat")) == 1
    desk.wait(50)
    desk.plug(1)  # a StatusNotification is as good as a Heartbeat
    desk.wait(60)
    assert len(desk.of("Heartbeat")) == 1
    desk.wait(45)
    assert len(desk.of("Heartbeat")) == 2


def test_a_heartbeat_sets_the_clock():
    desk = fresh("Accepted", 100)
    desk.skew = 1000
    desk.wait(102)
    assert desk.station.clock.utc(desk.now) == desk.utc()


def test_a_busy_station_still_asks_for_the_time_once_a_day():
    desk = fresh("Accepted", 80000)
    desk.clear()
    for _ in range(25):
        desk.wait(3600)
        desk.plug(2)
        desk.unplug(2)
    assert len(desk.of("Heartbeat")) == 1


def test_reset_at_once():
    """B12.FR.02: Immediate: Accepted, and the edge is asked for a restart that will be a RemoteReset."""
    desk = Desk()
    assert desk.call("Reset", {"type": "Immediate"}) == {"status": "Accepted"}
    assert desk.station.reboot_requested == "RemoteReset"
    desk.clear()
    desk.reboot()
    assert desk.of("BootNotification")[0]["reason"] == "RemoteReset"
    desk.clear()
    desk.reboot()
    assert desk.of("BootNotification")[0]["reason"] == "PowerUp"


def test_reset_at_once_ends_the_transactions():
    """B12.FR.04, TC_B_22: answered, then Ended, ResetCommand, ImmediateReset, no energy."""
    desk = Desk()
    desk.swipe("DRIVER01", 1)
    desk.plug(1)
    desk.clear()
    desk.call("Reset", {"type": "Immediate"})
    assert desk.wire[:2] == ["answer", "TransactionEvent"]
    assert desk.events() == [("Ended", "ResetCommand", "EVConnected")]
    event = desk.of("TransactionEvent")[0]
    assert event["transactionInfo"]["stoppedReason"] == "ImmediateReset"
    assert "idToken" not in event
    assert not desk.hardware.closed[1]


def test_reset_when_idle_is_at_once_if_it_is():
    """B11.FR.01, .03."""
    desk = Desk()
    assert desk.call("Reset", {"type": "OnIdle"}) == {"status": "Accepted"}
    assert desk.station.reboot_requested == "RemoteReset"


def test_reset_when_idle_waits_for_the_transaction():
    """B12.FR.01, .03: Scheduled; done when the transaction has ended, and told as ScheduledReset."""
    desk = Desk()
    desk.swipe("DRIVER01", 1)
    desk.plug(1)
    assert desk.call("Reset", {"type": "OnIdle"}) == {"status": "Scheduled"}
    desk.wait(100)
    assert desk.station.reboot_requested is None
    desk.unplug(1)
    assert desk.station.reboot_requested == "ScheduledReset"
    desk.clear()
    desk.reboot()
    assert desk.of("BootNotification")[0]["reason"] == "ScheduledReset"


def test_reset_of_one_evse_is_rejected():
    """B11.FR.09: this station resets as a whole or not at all."""
    desk = Desk()
    assert desk.call("Reset", {"type": "Immediate", "evseId": 1})["status"] == "Rejected"
    assert desk.station.reboot_requested is None


def test_a_reason_that_flash_does_not_take_prevents_no_reset():
    desk = Desk()
    desk.records.fail_with = 28
    assert desk.call("Reset", {"type": "Immediate"})["status"] == "Accepted"
    assert desk.station.reboot_requested == "RemoteReset"


def test_records_that_make_no_sense_stop_no_boot():
    files = {
        "reservation-1": b"", "reservation-2": b"\xff" * 60, "reservation-x": b"\x00" * 30, "availability": b"",
        "variable-TxCtrlr.TxStartPoint": b"Bogus", "variable-No.Such": b"1", "stranger": b"?", "restart": b"\xff\xfe",
    }
    desk = Desk(files=files)
    assert desk.station.registration == "Accepted"
    assert desk.station.reservations.held == []
    assert desk.station.set_aside >= 7
    assert desk.station.variables.get("TxCtrlr.TxStartPoint") == "PowerPathClosed"


def test_a_reservation_for_an_evse_that_is_gone_is_removed():
    """The configuration has fewer EVSEs than when it was made: the CSMS hears Removed."""
    desk = Desk()
    desk.reserve(3, 2)
    desk.config = FakeConfig((("cCCS2",),))
    desk.clear()
    desk.reboot()
    assert desk.updates() == [(3, "Removed")]


def test_nothing_expires_before_the_clock_is_set():
    desk = Desk()
    desk.reserve(1, 1, seconds=10)
    desk.now += 60000
    desk.power_on()
    desk.wait(600)
    assert desk.station.clock.utc(desk.now) is None
    assert desk.status(1) == "Reserved"
    assert desk.swipe("WALKUP01", 1).find("refused") >= 0


def test_timestamps_before_the_clock_was_set_are_right_afterwards():
    """What happened before the time was known is told with the time it happened."""
    desk = Desk()
    desk.reserve(1, 1)
    desk.reboot(link=False)
    happened = desk.utc()
    desk.swipe("HOLDER01", 1)
    desk.plug(1)
    desk.wait(40)
    desk.clear()
    desk.up()
    event = desk.of("TransactionEvent")[0]
    assert event["timestamp"] == rfc3339(happened)
    assert event["offline"]
