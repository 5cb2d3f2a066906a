"""The serial console: commands, answers, and what becomes of typed characters."""

from fakes import Desk
from holdfast import __version__
from holdfast.console import LINE, Console
from holdfast.hardware.simulated import Hardware
from holdfast.log import Log

ID = Desk().config.station_id


class FakeLink:
    state = "open"
    handshake = None

    def connect(self):
        self.state = "waiting"

    def disconnect(self):
        self.state = "off"


class FakeAgent:
    """What the console needs of an agent, around the station of a Desk."""

    def __init__(self, boot=True):
        self.desk = Desk(boot=boot)
        self.station = self.desk.station
        self.config = self.desk.config
        self.config_error = None
        self.safe = False
        self.erase = None
        self.link = FakeLink()
        self.hardware = Hardware(self.config)
        self.hardware.attach(self.station, None)
        self.log = Log(lambda: (None, self.desk.now))
        self.restarts = []

    def memory(self):
        return 1000, 2000

    def restart(self, reason):
        self.restarts.append(reason)


class BrokenAgent(FakeAgent):
    """An agent whose configuration is wrong."""

    def __init__(self):
        super().__init__()
        self.station = self.config = self.link = self.hardware = None
        self.config_error = "evses: missing"


def give(agent, line):
    answer = Console(agent).execute(line, agent.desk.now)
    agent.desk.pump()
    return answer


def test_every_command_ends_with_one_line_of_ok_or_error():
    agent = FakeAgent()
    lines = ["help", "status", "reservations", "reserve 1 TOKEN-1234 10", "cancel 1", "vars", "connect", "disconnect",
             "log", "log 3", "log off", "echo off", "memory", "reboot", "plug 1 2", "unplug 1", "swipe TOKEN-1234",
             "swipe TOKEN-1234 Central 2", "fault 1", "fault 1 GroundFault", "clear 1", "suspend 1", "resume 1",
             "time +5", "nonsense", "plug", "plug 9", "plug x", "plug 1 2 3", "cancel 99", "echo loud", "vars Nothing"]
    for line in lines:
        answer = give(agent, line)
        verdicts = [text for text in answer if text.startswith("ok") or text.startswith("error")]
        assert len(verdicts) == 1 and answer[-1] == verdicts[0], line


def test_an_empty_line_is_no_command():
    assert give(FakeAgent(), "") == []
    assert give(FakeAgent(), "   ") == []


def test_an_error_says_what_is_wrong_and_how_it_is_used():
    agent = FakeAgent()
    assert give(agent, "plug") == ["error too few words; usage: plug EVSE [CONNECTOR]"]
    assert give(agent, "plug 1 1 1") == ["error too many words; usage: plug EVSE [CONNECTOR]"]
    assert give(agent, "plug one") == ["error EVSE is a number, not 'one'; usage: plug EVSE [CONNECTOR]"]
    assert give(agent, "plug 1 9") == ["error EVSE 1 has no connector 9; usage: plug EVSE [CONNECTOR]"]
    assert give(agent, "frobnicate") == ["error no command 'frobnicate'; usage: help"]


def test_a_line_that_is_too_long_or_no_ascii_is_refused_as_a_whole():
    assert give(FakeAgent(), "plug 1 " + " " * LINE) == ["error line longer than 200 characters"]
    assert give(FakeAgent(), "swipe \x7f") == ["error only plain ASCII is understood"]


def test_help_lists_the_commands_of_the_simulated_hardware_too():
    answer = give(FakeAgent(), "help")
    assert "reserve EVSE|any TOKEN MINUTES [TYPE] [ID]" in answer
    assert "time +SECONDS" in answer


def test_real_hardware_can_not_be_pretended():
    agent = FakeAgent()
    agent.hardware.simulated = False
    assert give(agent, "plug 1") == ["error no command 'plug'; usage: help"]


def test_status_tells_the_state_of_the_station_and_of_each_connector():
    agent = FakeAgent()
    agent.desk.reserve(7, 1)
    agent.desk.plug(2)
    answer = give(agent, "status")
    for line in ("agent: %s, frozen" % __version__, "station: HOLDFAST-1", "link: open", "registration: Accepted",
                 "reservations: 1", "connector 1.1: Reserved cCCS2", "connector 1.2: Reserved cType2",
                 "connector 2.1: Occupied sType2", "evse 1: idle", "evse 2: cable in connector 1"):
        assert line in answer, line
    assert [line for line in answer if line.startswith("time: 2026-11-23T12:00:")]


def test_status_tells_of_a_clock_that_is_not_set():
    assert "time: not set" in give(FakeAgent(boot=False), "status")


def test_status_tells_of_a_driver_a_transaction_and_a_fault():
    agent = FakeAgent()
    agent.desk.swipe("DEADBEEF42", 1)
    agent.desk.plug(1)
    give(agent, "fault 2 GroundFault")
    answer = give(agent, "status")
    session = [line for line in answer if line.startswith("evse 1: ")][0]
    assert "driver DE***2" in session and "Charging in transaction " in session
    assert "evse 2: faulted (GroundFault)" in answer


def test_reservations_are_listed_without_the_token():
    agent = FakeAgent()
    agent.desk.reserve(7, 1, "DEADBEEF42", 600, groupIdToken={"idToken": "FAMILY-OF-SMITH", "type": "Central"})
    agent.desk.reserve(8, None, "CAFE", 600, connectorType="sType2")
    answer = give(agent, "reservations")
    assert answer[0].startswith("reservation 7: EVSE 1, token DE***2, group FA***H, until 2026-11-23T12:10:0")
    assert answer[1].startswith("reservation 8: EVSE any, token ***, sType2, until 2026-11-23T12:10:0")
    assert answer[2:] == ["ok"]


def test_a_reservation_that_ended_unheard_is_listed_as_such():
    agent = FakeAgent()
    agent.desk.reserve(7, 1, seconds=60)
    agent.desk.down()
    agent.desk.wait(120)
    assert give(agent, "reservations") == ["reservation 7: Expired, not yet told to the CSMS", "ok"]


def test_reserve_and_cancel_work_without_the_csms():
    agent = FakeAgent()
    assert give(agent, "reserve 1 DEADBEEF42 10 Central 5") == ["ok Accepted"]
    assert agent.desk.status(1) == "Reserved"
    assert give(agent, "cancel 5") == ["ok Accepted"]
    assert agent.desk.status(1) == "Available"
    assert give(agent, "cancel 5")[0].startswith("error Rejected")


def test_reserve_any_reserves_no_particular_evse():
    agent = FakeAgent()
    assert give(agent, "reserve any DEADBEEF42 10") == ["ok Accepted"]
    assert agent.station.reservations.held[0].evse_id is None


def test_reserve_refuses_what_could_not_have_come_from_the_csms():
    agent = FakeAgent()
    for line in ("reserve 1 %s 10" % ("x" * 37), "reserve 1 TOKEN-1234 10 Plastic", "reserve 1 TOKEN-1234 0",
                 "reserve 1 TOKEN-1234 9999999", "reserve 1 TOKEN-1234 10 Central -1", "reserve 9 TOKEN-1234 10"):
        assert give(agent, line)[-1].startswith("error "), line
    assert agent.station.reservations.held == []


def test_a_token_that_ocpp_could_not_carry_is_refused_wherever_it_is_wanted():
    agent = FakeAgent()
    for start in ("swipe ", "reserve 1 "):
        answer = give(agent, start + "x" * 37 + " 10")
        assert answer[0].startswith("error TOKEN: longer than 36 characters; usage: " + start[:7]), answer
    for line in ("swipe DEADBEEF42 Plastic", "reserve 1 DEADBEEF42 10 Plastic"):
        assert give(agent, line)[0].startswith("error TYPE: not one of the allowed values; usage: "), line


def test_words_that_stand_for_themselves_are_the_only_ones_taken():
    agent = FakeAgent()
    assert give(agent, "echo loud") == ["error not 'loud'; usage: echo on|off|auto"]
    assert give(agent, "trace yes") == ["error not 'yes'; usage: trace on|off"]


def test_reserve_needs_a_clock():
    answer = give(FakeAgent(boot=False), "reserve 1 TOKEN-1234 10")
    assert answer[0].startswith("error the clock is not set yet; usage: reserve ")


def test_vars_shows_all_one_component_or_one_variable():
    agent = FakeAgent()
    assert len(give(agent, "vars")) > 15
    answer = give(agent, "vars reservationctrlr")
    assert answer == ["ReservationCtrlr.Available: true", "ReservationCtrlr.Enabled: true",
                      "ReservationCtrlr.NonEvseSpecific: true", "ok"]
    assert give(agent, "vars OCPPCommCtrlr.WebSocketPingInterval") == ["OCPPCommCtrlr.WebSocketPingInterval: 60", "ok"]
    assert give(agent, "vars OCPPCommCtrlr.MessageTimeout") == ["OCPPCommCtrlr.MessageTimeout[Default]: 30", "ok"]
    assert give(agent, "vars OCPPCommCtrlr.WebSocketPing")[0].startswith("error no variable")


def test_connect_and_disconnect_reach_the_link():
    agent = FakeAgent()
    assert give(agent, "disconnect") == ["ok disconnecting"]
    assert agent.link.state == "off"
    assert give(agent, "connect") == ["ok connecting"]
    assert agent.link.state == "waiting"


def test_log_shows_the_last_lines():
    agent = FakeAgent()
    for number in range(5):
        agent.log("info", "line %d" % number)
    assert give(agent, "log 2") == ["+1s info line 3", "+1s info line 4", "ok"]
    assert len(give(agent, "log")) == 6


def test_the_level_of_the_log_can_be_chosen():
    agent = FakeAgent()
    assert give(agent, "log debug") == ["ok debug and worse"]
    agent.log("debug", "quiet")
    assert give(agent, "log error") == ["ok error and worse"]
    agent.log("warning", "lost")
    assert [line[4:] for line in agent.log.last(9)] == ["debug quiet"]
    assert give(agent, "log loud")[0].startswith("error ")


def test_memory_and_reboot_reach_the_agent():
    agent = FakeAgent()
    assert give(agent, "memory") == ["heap used: 1000", "heap free: 2000", "ok"]
    assert give(agent, "reboot") == ["ok restarting"]
    assert agent.restarts == ["LocalReset"]


def test_a_wrong_configuration_is_told_and_leaves_the_console_usable():
    agent = BrokenAgent()
    assert "config error: evses: missing" in give(agent, "status")
    assert give(agent, "reservations") == ["error no station: evses: missing; usage: reservations"]
    assert give(agent, "connect")[0].startswith("error no station: evses: missing")
    assert give(agent, "memory")[-1] == "ok"
    assert give(agent, "plug 1") == ["error no command 'plug'; usage: help"]
    assert give(agent, "reboot") == ["ok restarting"]


# --- typing


def typed(text, echo="auto", more=False):
    """(what the terminal showed, the lines that came out)."""
    console = Console(FakeAgent())
    console.echo = echo
    shown, lines = "", []
    for octet in text:
        show, line = console.take(octet, lambda: more)
        shown += show
        if line is not None:
            lines.append(line)
    return shown, lines


def test_cr_lf_and_crlf_all_end_a_line():
    for end in (b"\r", b"\n", b"\r\n"):
        lines = typed(b"plug 1" + end + b"status" + end)[1]
        assert [line for line in lines if line] == ["plug 1", "status"]


def test_typed_characters_are_echoed_behind_a_mark():
    assert typed(b"status\r") == ("> status\n", ["status"])


def test_a_line_that_comes_all_at_once_is_not_echoed():
    assert typed(b"status\r", more=True) == ("", ["status"])


def test_echo_can_be_forced_on_and_off():
    assert typed(b"ok\r", "on", True) == ("> ok\n", ["ok"])
    assert typed(b"ok\r", "off") == ("", ["ok"])


def test_backspace_takes_a_character_back_and_stops_at_the_beginning():
    assert typed(b"\x08\x7fstaX\x7ftus\r") == ("> staX\b \btus\n", ["status"])


def test_control_characters_are_not_part_of_a_line():
    assert typed(b"\x01sta\x02tus\x00\x1b\r")[1] == ["status"]


def test_a_tab_separates_words():
    assert typed(b"plug\t1\r")[1] == ["plug 1"]


def test_bytes_beyond_ascii_spoil_the_line():
    console = Console(FakeAgent())
    line = typed("swipe \u00e4".encode() + b"\r")[1][0]
    assert console.execute(line, 0) == ["error only plain ASCII is understood"]


def test_an_endless_line_takes_no_endless_memory():
    line = typed(b"x" * 1000 + b"\r")[1][0]
    assert len(line) == LINE + 1


def test_a_log_line_finds_what_was_typed_so_far():
    console = Console(FakeAgent())
    for octet in b"stat":
        console.take(octet, lambda: False)
    assert console.shown == "> stat"
    console.take(13, lambda: False)
    assert console.shown == ""




def test_a_factory_reset_wants_the_station_id_as_a_confirmation():
    agent = FakeAgent()
    for wrong in ("factory-reset", "factory-reset no", "factory-reset none", "factory-reset %s what" % ID):
        assert give(agent, wrong)[0].startswith("error ") and agent.erase is None and agent.restarts == []
    assert give(agent, "factory-reset " + ID) == ["ok erasing, then restarting"]
    assert agent.erase == "all" and agent.restarts == ["LocalReset"]


def test_a_factory_reset_may_keep_the_reservations():
    agent = FakeAgent()
    assert give(agent, "factory-reset %s keep" % ID) == ["ok erasing, then restarting"]
    assert agent.erase == "keep"


def test_without_a_configuration_there_is_no_id_to_repeat():
    agent = BrokenAgent()
    assert give(agent, "factory-reset " + ID)[0].startswith("error ")
    assert give(agent, "factory-reset none") == ["ok erasing, then restarting"]
