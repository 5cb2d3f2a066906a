"""Block A: security events, each told once and none lost; the password; the time that TLS needs."""

from fakes import NOON, Desk
from holdfast.blocks import security
from holdfast.clock import rfc3339


def events(desk):
    """(type, techInfo) of every SecurityEventNotification since `clear`."""
    return [(p["type"], p.get("techInfo")) for p in desk.of("SecurityEventNotification")]


def refused(desk, name="InvalidCsmsCertificate", info="the certificate of the CSMS has expired"):
    desk.station.security_event(desk.now, name, info)
    desk.pump()


def test_tc_b_01_a_start_is_told_after_the_registration_and_the_statuses():
    desk = Desk()
    assert events(desk) == [("StartupOfTheDevice", "PowerUp")]
    assert desk.wire[0] == "BootNotification"
    assert desk.wire[-1] == "SecurityEventNotification"


def test_tc_b_21_a_restart_that_was_asked_for_is_told_as_such():
    desk = Desk()
    desk.call("Reset", {"type": "Immediate"})
    desk.clear()
    desk.reboot()
    assert events(desk) == [("ResetOrReboot", "RemoteReset")]


def test_a_start_is_not_told_again_after_a_lost_link():
    desk = Desk()
    desk.clear()
    desk.down()
    desk.up()
    assert events(desk) == []


def test_nothing_is_told_before_the_csms_has_accepted_the_station():
    desk = Desk(boot=False)
    desk.replies["BootNotification"] = lambda payload: {
        "currentTime": desk.time(), "interval": 10, "status": "Pending"}
    desk.up()
    desk.wait(5)
    assert events(desk) == []
    desk.replies["BootNotification"] = desk.accept
    desk.wait(10)
    assert events(desk) == [("StartupOfTheDevice", "PowerUp")]


def test_a_refused_csms_is_told_once_after_the_next_good_connection_with_the_time_it_happened():
    """A04.FR.02, TC_A_05."""
    desk = Desk()
    desk.clear()
    desk.down()
    happened = desk.time()
    for _ in range(5):
        refused(desk)
        desk.wait(60)
    assert desk.wire == []
    desk.up()
    assert desk.of("SecurityEventNotification") == [{
        "type": "InvalidCsmsCertificate", "timestamp": happened,
        "techInfo": "the certificate of the CSMS has expired"}]
    desk.down()
    desk.up()
    assert len(events(desk)) == 1
    assert desk.records.names() == []


def test_the_same_trouble_in_another_outage_is_told_again():
    desk = Desk()
    for _ in range(2):
        desk.down()
        refused(desk)
        desk.up()
    assert len([event for event in events(desk) if event[0] == "InvalidCsmsCertificate"]) == 2


def test_a_refused_csms_is_told_even_if_the_station_restarts_before():
    desk = Desk()
    desk.down()
    happened = desk.time()
    refused(desk)
    assert desk.records.names() == ["security-InvalidCsmsCertificate"]
    desk.clear()
    desk.reboot()
    told = desk.of("SecurityEventNotification")
    assert [(p["type"], p["timestamp"]) for p in told][0] == ("InvalidCsmsCertificate", happened)
    assert events(desk)[1] == ("StartupOfTheDevice", "PowerUp")
    assert desk.records.names() == []


def test_an_event_before_the_time_was_known_gets_its_time_later():
    desk = Desk(boot=False)
    desk.station.security_event(desk.now, "InvalidTLSVersion", "no TLS")
    first = desk.time()
    desk.wait(100)
    desk.up()
    told = desk.of("SecurityEventNotification")[1]
    assert told == {"type": "InvalidTLSVersion", "timestamp": first, "techInfo": "no TLS"}


def test_an_event_of_a_run_that_never_knew_the_time_gets_that_of_the_next_start():
    desk = Desk(boot=False)
    refused(desk)
    desk.reboot(link=False)
    started = rfc3339(NOON)  # when the monotonic clock began
    desk.wait(50)
    desk.up()
    assert desk.of("SecurityEventNotification")[0]["timestamp"] == started


def test_an_event_whose_answer_was_lost_with_the_link_is_told_again():
    desk = Desk()
    desk.clear()
    desk.replies["SecurityEventNotification"] = None
    refused(desk)
    assert len(events(desk)) == 1
    desk.down()
    desk.replies["SecurityEventNotification"] = {}
    desk.up()
    assert len(events(desk)) == 2


def test_an_event_that_the_csms_will_not_have_is_done_with():
    desk = Desk()
    desk.clear()
    desk.replies["SecurityEventNotification"] = "InternalError"
    refused(desk)
    desk.down()
    desk.up()
    assert len(events(desk)) == 1
    assert desk.records.names() == []


def test_only_so_many_events_wait():
    desk = Desk()
    desk.down()
    for number in range(20):
        refused(desk, "Event%d" % number, "")
    assert len(desk.station.security_events) == 8


def test_a_record_that_is_too_short_is_set_aside_and_the_station_starts():
    desk = Desk(files={"security-InvalidTLSVersion": b"ab", "time": b""})
    assert desk.station.set_aside == 2
    assert desk.station.known_time is None


def test_an_event_of_any_length_and_alphabet_fits_its_record():
    desk = Desk()
    desk.down()
    refused(desk, info="\u00e4" * 200)
    desk.reboot()
    assert events(desk)[-1][0] == "StartupOfTheDevice"


# --- the password


def test_tc_a_09_a_new_password_is_kept_and_wants_a_new_connection():
    desk = Desk()
    desk.clear()
    assert desk.set("SecurityCtrlr.BasicAuthPassword", "a-new-password-of-some-length") == "Accepted"
    assert desk.station.reconnect
    assert events(desk) == [("ReconfigurationOfSecurityParameters", "BasicAuthPassword")]
    assert desk.wire[0] == "answer"
    desk.reboot()
    assert desk.station.variables.get("SecurityCtrlr.BasicAuthPassword") == "a-new-password-of-some-length"


def test_a_password_is_never_logged_nor_read():
    desk = Desk()
    desk.set("SecurityCtrlr.BasicAuthPassword", "a-new-password-of-some-length")
    answer = desk.call("GetVariables", {"getVariableData": [{
        "component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}]})
    assert answer["getVariableResult"][0]["attributeStatus"] == "Rejected"
    assert "attributeValue" not in answer["getVariableResult"][0]
    assert [text for _, text in desk.lines if "BasicAuthPassword was changed" in text]
    assert not [text for _, text in desk.lines if "a-new-password" in text]
    assert "SecurityCtrlr.BasicAuthPassword" not in desk.station.variables.names()


def test_tc_a_10_a_password_that_is_too_short_or_too_long_is_rejected():
    desk = Desk()
    for wrong in ("fifteen-letters", "x" * 65):
        assert desk.set("SecurityCtrlr.BasicAuthPassword", wrong) == "Rejected"
    assert not desk.station.reconnect
    for right in ("sixteen-letters!", "x" * 64):
        assert desk.set("SecurityCtrlr.BasicAuthPassword", right) == "Accepted"


def test_the_security_profile_is_read_only():
    desk = Desk()
    assert desk.station.variables.get("SecurityCtrlr.SecurityProfile") == "0"
    assert desk.set("SecurityCtrlr.SecurityProfile", "1") == "Rejected"


# --- the time before TLS


def secure_desk(**given):
    desk = Desk(boot=False, **given)
    desk.config.security_profile = 2
    desk.up()
    return desk


def kept(desk):
    return int.from_bytes(desk.records.files["time"], "big")


def test_the_time_is_kept_on_flash_for_the_first_handshake_after_power_on():
    desk = secure_desk()
    assert kept(desk) == desk.utc()
    told = desk.utc()
    desk.reboot(link=False)
    assert not desk.station.clock.is_set
    assert desk.station.known_time == told


def test_without_tls_nobody_keeps_the_time():
    assert Desk().records.names() == []


def test_the_time_is_written_once_a_day():
    desk = secure_desk()
    desk.set("OCPPCommCtrlr.HeartbeatInterval", "5000")
    first = kept(desk)
    writes = desk.records.writes
    desk.wait(86_400 - 600)
    assert desk.records.writes == writes
    desk.wait(6000)
    assert kept(desk) >= first + 86_400
    assert desk.records.writes == writes + 1


def test_after_a_restart_the_time_is_written_when_the_record_is_more_than_an_hour_old():
    desk = secure_desk()
    first = kept(desk)
    desk.wait(3000)
    desk.reboot()
    assert kept(desk) == first
    desk.wait(1000)
    desk.reboot()
    assert kept(desk) == desk.utc()


def test_a_record_from_the_future_is_corrected():
    desk = secure_desk(files={"time": (NOON + 10 * 86_400).to_bytes(4, "big")})
    assert kept(desk) == desk.utc()


def test_a_clock_that_the_csms_moves_far_is_an_event():
    desk = Desk()
    desk.clear()
    desk.skew = 30
    desk.wait(301)
    assert events(desk) == []
    desk.skew = 3630
    desk.wait(301)
    assert events(desk) == [("SettingSystemTime", "more than a minute off")]


def test_a_time_that_cannot_be_kept_does_not_stop_the_registration():
    desk = Desk(boot=False)
    desk.config.security_profile = 2
    desk.records.fail_with = 28
    desk.up()
    assert desk.station.online()
    assert security.TIME_RECORD not in desk.records.files
    assert rfc3339(desk.station.clock.utc(desk.now)) == desk.time()
