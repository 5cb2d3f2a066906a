"""The whole agent on real MicroPython, driven through standard input as by a script on a pipe."""

import contextlib
import json
import os
import pathlib
import queue
import signal
import subprocess
import threading
import time

import pytest

HERE = pathlib.Path(__file__).parent
FIRMWARE = HERE.parent / "firmware"
MICROPYTHON = os.environ.get("MICROPYTHON", "micropython")
PROGRAM = """
import sys
sys.path.insert(0, %r)
from holdfast.agent import Agent
agent = Agent(%r)
station = agent.station
%s
agent.run()
print("contactors", agent.hardware and agent.hardware.closed)
"""


class Running:
    """A MicroPython process with an agent in it."""

    def __init__(self, process):
        self.process = process
        self.lines = queue.Queue()
        self.seen = []
        self.hang_up = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.decode(errors="replace").rstrip("\n"))
            if self.hang_up.is_set():
                break
        self.process.stdout.close()
        self.lines.put(None)

    def see(self, text, timeout=10):
        """Wait for a line with `text` in it."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                line = self.lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {text!r} in {self.seen}") from None
            assert line is not None, f"the agent ended before {text!r}: {self.seen}"
            self.seen.append(line)
            if text in line:
                return line

    def give(self, line):
        """A command; returns its output lines without the log, the last is the verdict."""
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        output = []
        while not output or not output[-1].startswith(("ok", "error")):
            line = self.see("")
            if not line.startswith("# "):
                output.append(line)
        return output


@pytest.fixture
def run(tmp_path):
    """run(change of the configuration, extra code): a Running agent."""
    with contextlib.ExitStack() as stack:

        def start(changes=None, code="", config=None):
            values = {"station_id": "A1", "csms_url": "ws://127.0.0.1:9/", "password": "0123456789abcdef",
                      "evses": [{"connectors": ["cCCS2", "cType2"]}, {"connectors": ["sType2"]}]}
            values.update(changes or {})
            if config != "":
                (tmp_path / "config.json").write_text(config or json.dumps(values))
            program = tmp_path / "program.py"
            program.write_text(PROGRAM % (str(FIRMWARE), str(tmp_path), code))
            process = subprocess.Popen([MICROPYTHON, "-X", "heapsize=600K", str(program)], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            stack.callback(process.wait)
            stack.callback(process.kill)
            return Running(process)

        yield start


def test_the_console_answers_while_the_csms_cannot_be_reached(run):
    agent = run()
    assert "link: waiting" in agent.give("status")
    assert agent.give("plug 1")[-1] == "ok plugged in"
    assert "connector 1.1: Occupied cCCS2" in agent.give("status")


@pytest.mark.parametrize("config, complaint", [
    ("", "config.json: the file is missing"),
    ("{", "config.json: not JSON"),
    ('{"station_id": "A1", "csms_url": "ws://h/", "evses": [{"connectors": ["Type2"]}]}',
     "evses[0].connectors[0]: not a connector type of OCPP 2.0.1"),
])
def test_a_wrong_configuration_leaves_the_console_and_no_link(run, config, complaint):
    agent = run(config=config)
    agent.see("error no station: " + complaint)
    assert "config error: " + complaint in agent.give("status")
    assert agent.give("memory")[-1] == "ok"
    assert agent.give("connect")[-1].startswith("error no station")


def test_a_missing_password_is_a_warning_in_the_log(run):
    agent = run(config='{"station_id": "A1", "csms_url": "ws://127.0.0.1:9/", "evses": [{"connectors": ["cCCS2"]}]}')
    agent.see("warning no password")


def test_what_is_wrong_with_the_records_is_in_the_log(run, tmp_path):
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "reservation-1").write_bytes(b"not a record")
    agent = run()
    agent.see("reservation-1.bad: damaged, set aside")


def test_the_end_of_a_pipe_ends_the_console_and_not_the_agent(run):
    agent = run({"variables": {"OCPPCommCtrlr.RetryBackOffWaitMinimum": "1",
                               "OCPPCommCtrlr.RetryBackOffRandomRange": "0"}})
    agent.process.stdin.close()
    agent.see("next attempt to connect in 1 s")
    agent.see("next attempt to connect in 2 s")
    assert agent.process.poll() is None


def test_a_reader_that_hangs_up_does_not_end_the_agent(run):
    agent = run()
    agent.hang_up.set()
    for command in (b"memory\n", b"status\n", b"plug 1\n"):
        agent.process.stdin.write(command)
        agent.process.stdin.flush()
        time.sleep(0.3)
    assert agent.process.stdout.closed
    assert agent.process.poll() is None


def test_a_command_that_fails_unexpectedly_is_logged_and_the_console_lives_on(run):
    agent = run(code="def bad(*words): raise KeyError('surprise')\nstation.plugged = bad")
    assert agent.give("plug 1") == ["error the command failed, see the log"]
    agent.see("# +")
    assert any("console: KeyError: surprise" in line for line in agent.give("log"))
    assert any("Traceback" in line for line in agent.give("log"))
    assert not [line for line in agent.give("tasks") if line.startswith("report")]
    assert agent.give("unplug 1")[-1].startswith("error EVSE 1 has no cable in")


def test_a_timer_that_fails_is_logged_and_goes_on(run):
    agent = run(code="def bad(now):\n  station.tick = good\n  raise RuntimeError('tick')\n"
                     "good = station.tick\nstation.tick = bad\nstation.next_tick = lambda now: 100\n")
    agent.see("error timer: RuntimeError: tick")
    assert agent.give("status")[-1] == "ok"
    time.sleep(1.2)
    assert agent.process.poll() is None


def test_a_task_that_fails_at_once_is_started_again_a_second_later(run):
    agent = run(code="async def fail():\n  raise KeyError('surprise')\nagent.link.run = fail")
    agent.see("error link: KeyError: surprise")
    begun = time.monotonic()
    agent.see("error link: KeyError: surprise")
    assert 0.8 < time.monotonic() - begun < 5


def test_a_network_where_there_is_none_is_a_warning(run):
    agent = run({"network": {"wifi": {"ssid": "home"}}})
    agent.see("warning no network interface of its own here: `network` is ignored")
    assert "link: waiting" in agent.give("status")


def test_a_task_that_dies_because_its_failure_cannot_be_reported_starves_the_watchdog(run):
    agent = run(code="""
import holdfast.crash
def no_memory(error):
    raise MemoryError
traceback, holdfast.crash.traceback = holdfast.crash.traceback, no_memory
async def fail():
    raise KeyError("surprise")
agent.link.run = fail
def bad(*words):
    holdfast.crash.traceback = traceback
    raise KeyError("something else")
station.plugged = bad
""")
    agent.see("error tasks that make no progress: report of link")
    agent.give("plug 1")  # a failure that can be reported makes up for nothing
    agent.see("console: KeyError: something else")
    assert [line for line in agent.give("tasks") if line.startswith("report of link: due in -")]


def test_a_task_that_is_out_of_memory_is_a_security_event(run):
    agent = run(code="""
def full(now):
    station.tick = tick
    raise MemoryError
tick = station.tick
station.tick = full
station.next_tick = lambda now: 100
""")
    agent.see("security event: MemoryExhaustion, timer")
    assert agent.give("status")[-1] == "ok"


def test_ctrl_c_opens_the_contactors_and_tells_how_to_go_on(run):
    agent = run(code="agent.hardware.closed[1] = True\nfrom holdfast import board\n"
                     "board.hold = lambda: print('the watchdog is kept quiet')")
    agent.give("status")
    agent.process.send_signal(signal.SIGINT)
    agent.see("the watchdog is kept quiet")
    assert "Ctrl-D starts again" in agent.see("holdfast: stopped, contactors open")
    agent.see("contactors [False, False]")


def test_a_second_ctrl_c_while_the_contactors_open_does_not_leave_one_closed(run):
    agent = run(code="""
agent.hardware.closed[0] = agent.hardware.closed[1] = True
open_contactors = agent.station.open_contactors
def interrupted():
    agent.station.open_contactors = open_contactors
    agent.station.hardware.contactor(1, False)
    raise KeyboardInterrupt
agent.station.open_contactors = interrupted
""")
    agent.give("status")
    agent.process.send_signal(signal.SIGINT)
    agent.see("contactors [False, False]")


def test_whatever_ends_the_run_opens_the_contactors_first(run):
    agent = run(code="""
agent.hardware.closed[1] = True
def wild():
    raise RuntimeError("wild")
agent._offer_page = wild
go = agent.run
def run():
    try:
        go()
    except RuntimeError as error:
        print("ended by", error)
agent.run = run
""")
    agent.see("ended by wild")
    agent.see("contactors [False, False]")


def test_reboot_ends_the_program_where_there_is_no_board_to_reset(run):
    agent = run(code="agent.hardware.closed[0] = True")
    assert agent.give("reboot") == ["ok restarting"]
    agent.see("restarting: LocalReset")
    assert agent.process.wait(10) == 0


def test_a_reboot_is_possible_with_a_wrong_configuration(run):
    agent = run(config="{")
    assert agent.give("reboot") == ["ok restarting"]
    assert agent.process.wait(10) == 0


def test_log_lines_can_be_silenced(run):
    agent = run()
    agent.give("log off")
    agent.give("fault 1")
    agent.give("clear 1")
    before = len(agent.seen)
    assert any("EVSE 1 faulted" in line for line in agent.give("log"))
    assert not [line for line in agent.seen[before - 3:] if line.startswith("# ")]


def test_several_commands_in_one_piece_are_answered_one_by_one(run):
    agent = run()
    agent.process.stdin.write(b"plug 1\r\nunplug 1\rnonsense\nmemory\n")
    agent.process.stdin.flush()
    for verdict in ("ok plugged in", "ok unplugged", "error no command", "ok"):
        agent.see(verdict)
