"""Block A: security events, each told once and none lost; the password."""

from fakes import NOON, Desk
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


def test_each_event_is_a_line_of_the_log():
    """A04.FR.04: a security log, which is a part of the log."""
    desk = Desk()
    desk.down()
    for _ in range(3):
        refused(desk)
    lines = [text for _, text in desk.lines if text.startswith("security event: ")]
    assert lines == ["security event: StartupOfTheDevice, PowerUp",
                     "security event: InvalidCsmsCertificate, the certificate of the CSMS has expired"]


def test_every_start_that_the_csms_has_not_heard_of_is_told_in_their_order():
    """A04.FR.02: they are critical, so they survive further starts; each is one event."""
    desk = Desk()
    started = []
    for reason in ("PowerUp", "Watchdog", "PowerUp"):
        desk.boot_reason = reason
        desk.reboot(link=False)
        started.append(reason)
        desk.wait(60)
    assert [name[:14] for name in desk.records.names()] == ["security-0000-", "security-0001-", "security-0002-"]
    desk.clear()
    desk.up()
    assert [info for _, info in events(desk)] == started
    assert [name for name, _ in events(desk)] == ["StartupOfTheDevice", "ResetOrReboot", "StartupOfTheDevice"]
    assert desk.records.names() == []


def test_of_a_station_that_starts_all_the_time_the_latest_starts_are_told_and_other_events_too():
    desk = Desk()
    desk.boot_reason = "Watchdog"
    for _ in range(110):
        desk.reboot(link=False)
        desk.lines.clear()
    refused(desk)
    assert desk.records.names()[:4] == ["security-0%d-ResetOrReboot" % number for number in (106, 107, 108, 109)]
    desk.clear()
    desk.up()
    assert [name for name, _ in events(desk)] == ["ResetOrReboot"] * 4 + ["InvalidCsmsCertificate"]
    assert desk.records.names() == []


def test_a_start_costs_two_changes_of_flash_and_no_more():
    desk = Desk()
    before = desk.records.writes
    desk.reboot()
    assert desk.records.writes == before + 2
    desk.wait(3600)
    assert desk.records.writes == before + 2


def test_a_start_after_a_crash_tells_what_the_crash_was():
    desk = Desk(boot=False)
    desk.records.files.clear()
    desk.station.security_events.clear()
    desk.station.start(desk.now, "ApplicationReset", "crash: RuntimeError: on purpose; boot 3")
    desk.up()
    assert events(desk) == [("ResetOrReboot", "ApplicationReset, crash: RuntimeError: on purpose; boot 3")]


def test_a_clock_that_was_set_is_told_after_a_power_cut_too():
    desk = Desk()
    desk.skew = 3630
    desk.replies["SecurityEventNotification"] = None
    desk.wait(301)
    desk.clear()
    desk.replies["SecurityEventNotification"] = {}
    desk.reboot()
    assert ("SettingSystemTime", "more than a minute off") in events(desk)


def test_a_station_that_ran_out_of_memory_restarts_once_it_is_idle():
    desk = Desk()
    desk.swipe("DEADBEEF42", 1)
    desk.plug(1)
    desk.wait(700)
    refused(desk, "MemoryExhaustion", "link")
    assert desk.station.reboot_requested is None
    desk.unplug(1)
    assert desk.station.reboot_requested == "ScheduledReset"


def test_a_station_that_runs_out_of_memory_soon_after_its_start_does_not_restart_for_ever():
    desk = Desk()
    refused(desk, "MemoryExhaustion", "link")
    assert desk.station.reboot_requested is None


def test_a_csms_that_lives_in_another_age_disturbs_nothing():
    for text in ("9999-12-31T23:59:59Z", "2107-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "0000-01-01T00:00:00Z"):
        desk = Desk()
        desk.station.set_clock(desk.now, text)
        desk.station.security_event(desk.now, "InvalidCsmsCertificate", "expired")
        assert desk.records.get("security-InvalidCsmsCertificate"), text


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
    assert "security-InvalidCsmsCertificate" in desk.records.names()
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
    assert len(desk.station.security_events) == 11


def test_no_event_keeps_another_one_out():
    """A04.FR.02: whatever came before, a critical one is not lost."""
    desk = Desk()
    for _ in range(5):
        desk.reboot(link=False)
    others = ["FailedToAuthenticateAtCsms", "ReconfigurationOfSecurityParameters", "SettingSystemTime",
              "MemoryExhaustion", "InvalidTLSVersion", "InvalidTLSCipherSuite", "InvalidCsmsCertificate"]
    for name in others:
        refused(desk, name, "")
    desk.clear()
    desk.up()
    assert [name for name, _ in events(desk)] == ["StartupOfTheDevice"] * 4 + others
    assert desk.records.names() == []


def test_an_event_that_is_not_critical_costs_no_flash():
    """A CSMS that refuses the password does so for days."""
    desk = Desk()
    desk.down()
    before = desk.records.writes
    refused(desk, "FailedToAuthenticateAtCsms", "HTTP 401")
    desk.up()
    assert ("FailedToAuthenticateAtCsms", "HTTP 401") in events(desk)
    assert desk.records.writes == before


def test_an_event_that_was_told_while_flash_refused_is_not_told_again_after_the_next_start():
    desk = Desk()
    desk.down()
    refused(desk)
    desk.records.fail_with = 5
    desk.up()
    assert len(events(desk)) == 2 and desk.records.names() != []
    desk.records.fail_with = None
    desk.wait(60)
    assert desk.records.names() == []


def test_a_record_that_is_too_short_is_set_aside_and_the_station_starts():
    desk = Desk(files={"security-InvalidTLSVersion": b"ab", "security-": b""})
    assert desk.station.set_aside == 2
    assert events(desk) == [("StartupOfTheDevice", "PowerUp")]


def test_an_event_of_any_length_and_alphabet_fits_its_record():
    desk = Desk()
    desk.down()
    refused(desk, info="a" + "\u00e4" * 200)
    desk.clear()
    desk.reboot()
    assert ("InvalidCsmsCertificate", "a" + "?" * 111) in events(desk)
    assert desk.station.set_aside == 0


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


# --- the clock


def test_a_clock_that_the_csms_moves_far_is_an_event():
    desk = Desk()
    desk.clear()
    desk.skew = 30
    desk.wait(301)
    assert events(desk) == []
    desk.skew = 3630
    desk.wait(301)
    assert events(desk) == [("SettingSystemTime", "more than a minute off")]
