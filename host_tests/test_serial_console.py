"""`make logs` follows the log and `make console` is mpremote's: neither stops the agent, and a reset ends neither."""

import os
import pty
import signal
import subprocess
import sys
import termios
import threading
from types import SimpleNamespace

import pytest
import serial

from tools import image, serial_console
from tools.board_console import BoardError
from tools.serial_console import Lines, SerialConsole, follow, log_level, nobody


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


# Answers as an agent does whose log goes on while it is told: a line comes live and is among those that were kept.
LOGS = """
import sys
on = False
while True:
    line = sys.stdin.readline().strip()
    on = on or line == 'log on'
    if line == 'log':
        print(on and '# 12:00:01 warning between')
        print('12:00:00 info kept\\n12:00:00 error kept\\n12:00:01 warning between\\nok')
        print(on and '# 12:00:02 debug next')
        print('# 12:00:03 error last')
    elif line:
        print('ok')
"""


@pytest.mark.parametrize("level, count", [("debug", 5), ("info", 4), ("warning", 3), ("error", 2)])
def test_the_level_is_the_lowest_that_is_shown_and_each_line_is_shown_once(make_board, level, count):
    board = make_board({"main.py": LOGS})
    board.power_on()
    shown = []
    follow(board.port, level, shown.append, lambda: any("last" in line for line in shown))
    lines = ["12:00:00 info kept", "12:00:00 error kept", "12:00:01 warning between", "12:00:02 debug next",
             "12:00:03 error last"]
    levels = ("debug", "info", "warning", "error")
    assert shown == [line for line in lines if levels.index(line.split()[1]) >= levels.index(level)]
    assert len(shown) == count


def test_a_reset_does_not_end_it(station, followed):
    shown = followed("info")
    shown.wait("next attempt")
    station.write("reboot\r\n")
    shown.wait("next attempt", 2)


def test_a_port_that_is_not_there_is_told_once_and_waited_for(station, tmp_path, monkeypatch):
    port = tmp_path / "ttyUSB7"
    naps = []

    def sleep(seconds):
        naps.append(seconds)
        if len(naps) == 3:
            os.symlink(station.port, port)  # the cable is put in

    monkeypatch.setattr(serial_console, "time", SimpleNamespace(sleep=sleep))
    shown = []
    follow(str(port), "info", shown.append, lambda: len(naps) > 9 or any("next attempt" in line for line in shown))
    assert shown[0].startswith("waiting: there is no %s: is the cable in?" % port)
    assert len(naps) == 3 and not any("waiting" in line for line in shown[1:])


def test_a_port_that_somebody_else_has_open_is_told(station):
    shown, over = Shown(), threading.Event()
    with SerialConsole(station.port):
        thread = threading.Thread(target=follow, args=(station.port, "info", shown, over.is_set))
        thread.start()
        try:
            shown.wait("waiting: no access to %s: does another program have it open" % station.port)
        finally:
            over.set()
            thread.join()


def test_a_missing_right_is_told_with_what_gives_it():
    error = serial.SerialException(13, "could not open port /dev/ttyUSB0")
    error.__context__ = PermissionError(13, "Permission denied")
    assert "usermod -a -G dialout" in nobody("/dev/ttyUSB0", error)


def test_a_board_without_the_agent_is_told(make_board, monkeypatch):
    monkeypatch.setattr(serial_console, "PATIENCE", 0.3)
    board = make_board({"main.py": "while True: pass\n"})
    board.power_on()
    with pytest.raises(BoardError, match="no agent answers.*make console"):
        follow(board.port, "info", print)


def test_the_console_answers_over_the_cable(station):
    with SerialConsole(station.port) as console:
        assert "station: HOLDFAST-1" in console.command("status")


def test_the_speed_is_that_of_micropython_on_an_esp32(station):
    with SerialConsole(station.port):
        port = os.open(station.port, os.O_RDWR | os.O_NOCTTY)
        speeds = termios.tcgetattr(port)[4:6]
        os.close(port)
    assert speeds == [termios.B115200] * 2


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
    process = subprocess.Popen(["make", "--no-print-directory", "logs", "PORT=" + station.port], cwd=image.ROOT,
                               stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True)
    shown = ""
    while "next attempt" not in shown:
        line = process.stdout.readline()
        assert line, shown
        shown += line
    os.killpg(process.pid, signal.SIGINT)
    process.stdout.close()
    process.wait(10)
    assert "station: HOLDFAST-1" in station.command("status") and "contactors open" not in station.transcript


@pytest.mark.parametrize("target", ["console", "logs", "deploy", "provision", "backup", "restore"])
def test_what_speaks_to_a_board_wants_a_port_and_shows_those_there_are(target):
    done = subprocess.run(["make", target], cwd=image.ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "usage: make %s PORT=/dev/ttyUSB0" % target in done.stdout
    assert "serial ports here:\n" in done.stdout


def test_make_console_at_a_port_that_is_not_there_shows_those_there_are():
    done = subprocess.run(["make", "console", "PORT=/dev/ttyUSB_not_there"], cwd=image.ROOT, capture_output=True,
                          text=True)
    assert done.returncode == 2 and "serial ports here:\n" in done.stdout


def test_make_logs_passes_the_level_on(station):
    done = subprocess.run(["make", "logs", "PORT=" + station.port, "LEVEL=loud"], cwd=image.ROOT, capture_output=True,
                          text=True)
    assert done.returncode == 2 and "invalid choice: 'loud'" in done.stderr


def test_a_wrong_level_is_refused():
    done = subprocess.run([sys.executable, "-m", "tools.serial_console", "/dev/null", "--level", "loud"],
                          cwd=image.ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "warning" in done.stderr
