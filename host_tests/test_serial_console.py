"""`make logs` follows the log and `make console` is mpremote's: neither stops the agent, and a reset ends neither."""

import os
import pty
import signal
import subprocess
import sys
import threading

import pytest

from tools import image
from tools.board_console import BoardError
from tools.serial_console import Lines, SerialConsole, follow, log_level


@pytest.fixture
def station(make_board):
    """A station without a CSMS, at work."""
    board = make_board(image.charger_files("ws://127.0.0.1:9/", "HOLDFAST-1"), size=512 * 4096)
    board.power_on()
    board.read_until("next attempt", 10)
    return board


class Shown(list):
    """Lines that somebody waits for."""

    def __init__(self):
        super().__init__()
        self.changed = threading.Condition()

    def __call__(self, line):
        with self.changed:
            self.append(line)
            self.changed.notify_all()

    def wait(self, text, times=1):
        with self.changed:
            assert self.changed.wait_for(lambda: sum(text in line for line in self) >= times, 10), list(self)


@pytest.fixture
def followed(station):
    """followed(level): the lines that `make logs` shows of the station, as they come."""

    over = threading.Event()
    threads = []

    def start(level):
        shown = Shown()
        threads.append(threading.Thread(target=follow, args=(station.port, level, shown, over.is_set)))
        threads[-1].start()
        return shown

    yield start
    over.set()
    for thread in threads:
        thread.join()


def test_output_becomes_lines_however_it_is_cut():
    found = []
    lines = Lines(found.append)
    for piece in (b"# on", b"e\r", b"\n\r\ntwo\r\nth"):
        lines(piece)
    assert found == ["# one", "", "two"]


def test_only_a_line_of_the_log_has_a_level():
    assert log_level("# 12:00:00 warning x") == "warning" and log_level("# +3s info x") == "info"
    assert log_level("12:00:00 warning x") is None and log_level("# what warning") is None


def test_what_was_logged_is_shown_and_what_comes(station, followed):
    shown = followed("info")
    shown.wait("next attempt")
    before = len(shown)
    station.write("disconnect\r\nconnect\r\n")
    shown.wait("next attempt", 2)
    assert len(shown) > before and "ok" not in " ".join(line.split()[0] for line in shown)
    assert "\x03" not in station.transcript and "contactors open" not in station.transcript


def test_the_level_is_the_lowest_that_is_shown(station, followed):
    shown = followed("error")
    station.write("reboot\r\n")
    station.read_until("next attempt", 10)
    assert list(shown) == []


def test_a_reset_does_not_end_it(station, followed):
    shown = followed("info")
    shown.wait("next attempt")
    station.write("reboot\r\n")
    shown.wait("next attempt", 2)


def test_a_board_without_the_agent_is_told(make_board):
    board = make_board({"main.py": "while True: pass\n"})
    board.power_on()
    with pytest.raises(BoardError, match="no agent answers"):
        follow(board.port, "info", print)


def test_the_console_answers_over_the_cable(station):
    with SerialConsole(station.port) as console:
        assert "station: HOLDFAST-1" in console.command("status")


def test_make_console_leads_to_the_agent_and_leaves_it_alone(station):
    master, terminal = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    process = subprocess.Popen(["make", "--no-print-directory", "console", "PORT=" + station.port], cwd=image.ROOT,
                               stdin=terminal, stdout=terminal, stderr=terminal, env=environment)
    os.close(terminal)
    output = b""
    while b"to exit this shell" not in output:
        output += os.read(master, 4096)
    os.write(master, b"status\r")
    while b"station: HOLDFAST-1" not in output:
        output += os.read(master, 4096)
    os.write(master, b"\x1d")
    assert process.wait(10) == 0
    os.close(master)
    assert "contactors open" not in station.transcript
    assert "station: HOLDFAST-1" in station.command("status")


def test_make_logs_shows_the_log_until_ctrl_c(station):
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    process = subprocess.Popen(["make", "--no-print-directory", "logs", "PORT=" + station.port, "LEVEL=info"],
                               cwd=image.ROOT, stdout=subprocess.PIPE, text=True, env=environment,
                               start_new_session=True)
    shown = ""
    while "next attempt" not in shown:
        line = process.stdout.readline()
        assert line, shown
        shown += line
    os.killpg(process.pid, signal.SIGINT)
    process.stdout.close()
    process.wait(10)
    assert "station: HOLDFAST-1" in station.command("status") and "contactors open" not in station.transcript


def test_make_logs_wants_a_port():
    done = subprocess.run(["make", "logs"], cwd=image.ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "usage: make logs PORT=" in done.stdout


def test_a_wrong_level_is_refused():
    done = subprocess.run([sys.executable, "-m", "tools.serial_console", "/dev/null", "--level", "loud"],
                          cwd=image.ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "warning" in done.stderr
