"""The two programs around the virtual board: the charger with Holdfast on it, and the board for mpremote."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from tools import image

URL = "ws://127.0.0.1:9"  # the discard port: nobody answers, which is all that is needed here


@pytest.fixture
def start(tmp_path):
    """start(module, *arguments) -> a running program with pipes; killed after the test if it still runs."""
    processes = []

    def run(module, *arguments):
        command = [sys.executable, "-m", module, *arguments]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        environment = dict(os.environ, TMPDIR=str(tmp_path))  # also what a killed program leaves behind
        process = subprocess.Popen(command, cwd=image.ROOT, env=environment, **pipes)
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.kill()
        process.wait()
        for end in (process.stdin, process.stdout, process.stderr):
            end.close()


def test_commands_from_a_pipe_are_answered_and_the_charger_ends(start):
    charger = start("tools.charger", "--url", URL, "--id", "PIPE-1", "--exit-at-eof")
    output, errors = charger.communicate("status\n\nnonsense\n", timeout=20)
    assert charger.returncode == 0, errors
    assert "station: PIPE-1\n" in output
    assert [line.split()[0] for line in output.splitlines() if line.startswith(("ok", "error"))] == ["ok", "error"]


def test_charger_goes_on_after_the_end_of_the_pipe_until_ctrl_c(start):
    charger = start("tools.charger", "--url", URL, "--id", "PIPE-2")
    charger.stdin.write("status\n")
    charger.stdin.close()
    while charger.stdout.readline() != "ok\n":
        assert charger.poll() is None
    assert charger.poll() is None
    charger.send_signal(signal.SIGINT)
    assert charger.wait(10) == 0


def test_charger_takes_its_configuration_from_a_file(start, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"station_id": "other", "evses": [{"connectors": ["cType2"]}]}))
    arguments = ["--url", URL, "--id", "FILE-1", "--config", str(tmp_path / "config.json"), "--exit-at-eof"]
    output, errors = start("tools.charger", *arguments).communicate("status\n", timeout=20)
    assert "station: FILE-1\n" in output and "evse 1:" in output and "evse 2:" not in output, errors


def test_image_that_was_named_is_kept_with_what_the_board_wrote(start, tmp_path):
    path = tmp_path / "kept.img"
    image.build_image(path, {"mine": "written before"})
    start("tools.charger", "--url", URL, "--id", "KEPT-1", "--image", str(path), "--exit-at-eof").communicate(
        "status\n", timeout=20
    )
    files = image.read_image(path)
    assert files["mine"] == b"written before"
    assert json.loads(files["config.json"])["station_id"] == "KEPT-1"


def test_no_interpreter_outlives_its_board(start, tmp_path):
    board = start("tools.virtual_board", "--image", str(tmp_path / "board.img"))
    while "mpremote connect" not in board.stdout.readline():
        assert board.poll() is None
    children = []
    for task in os.listdir("/proc/%d/task" % board.pid):
        with open("/proc/%d/task/%s/children" % (board.pid, task)) as file:
            children += file.read().split()
    assert len(children) == 1
    board.kill()
    board.wait()
    deadline = time.monotonic() + 5
    while running(children[0]):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def running(pid):
    """False for a process that is gone, or ended and only waits for somebody to notice."""
    try:
        with open("/proc/%s/stat" % pid) as file:
            return file.read().rsplit(") ", 1)[1][0] != "Z"
    except FileNotFoundError:
        return False


def test_board_program_makes_an_image_prints_its_port_and_ends_with_ctrl_c(start, tmp_path):
    path = tmp_path / "new" / "board.img"
    board = start("tools.virtual_board", "--image", str(path))
    while not (port := re.search(r"mpremote connect (/dev/pts/\d+)", board.stdout.readline())):
        assert board.poll() is None
    mpremote = os.path.join(os.path.dirname(sys.executable), "mpremote")
    listing = subprocess.run([mpremote, "connect", port[1], "ls"], capture_output=True, text=True, timeout=20).stdout
    assert "config.json" in listing and "main.py" in listing
    board.send_signal(signal.SIGINT)
    assert board.wait(10) == 0


def test_csms_and_charger_speak_tls_with_certificates_made_for_them(start, tmp_path):
    pki = str(tmp_path / "pki")
    csms = start("tools.csms", "--port", "0", "--tls", pki, "--client-certificates")
    url = re.search(r"wss://\S+/ocpp", csms.stdout.readline()).group()
    charger = start("tools.charger", "--url", url, "--id", "TLS-1", "--tls", pki)
    lines = iter(charger.stdout.readline, "")
    assert next(line for line in lines if "registration: Accepted" in line)
    charger.stdin.write("memory\n")
    charger.stdin.flush()
    shown = next(line for line in lines if line.startswith("TLS handshake"))
    assert len([number for number in re.findall(r"\d+", shown) if int(number) > 0]) == 3
