"""`make flash`: what is written where, for each board, and what is said when it cannot be."""

import os
import select
import signal
import subprocess
import sys

import pytest

from tools import flash
from tools.board_checks import board_names
from tools.image import ROOT

OFFSETS = {"esp32": "0x1000", "esp32c3": "0x0", "esp32s3": "0x0"}

# Notes its arguments; what it says, what it waits for after it began and how it ends are in the environment. As the
# real one it draws its progress without ending lines, and complains on either of its outputs.
ESPTOOL = """#!%s
import os, sys, time
with open(os.environ["CALLS"], "a") as file:
    file.write("\\n".join(sys.argv[1:]))
print("Writing at 0x00001000 [==>   ] 10.0%%", end="", flush=True)
while "WAITS" in os.environ and not os.path.exists(os.environ["WAITS"]):
    time.sleep(0.01)
ends = int(os.environ.get("ENDS", "0"))
print("\\n" + os.environ.get("SAYS", "Hash of data verified."), file=sys.stderr if ends == 1 else sys.stdout)
sys.exit(ends)
""" % sys.executable


def content(chip, offset):
    """The image of a board that is nothing but what identifies it: ESP-IDF's "Firmware Image Format" and its
    gen_esp32part.py, in which an entry of the partition table begins with AA 50."""
    head = b"\xe9\3\2\x20" + bytes(8) + flash.CHIPS[chip].to_bytes(2, "little")
    return head.ljust(0x8000 - int(offset, 0), b"\0") + b"\xaa\x50" + bytes(64)


@pytest.fixture
def esptool(tmp_path, monkeypatch):
    path = tmp_path / "esptool"
    path.write_text(ESPTOOL)
    path.chmod(0o755)
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("ESPTOOL", str(path))
    return path


@pytest.fixture
def image(tmp_path):
    """image(board) -> the path of an image for it."""

    def make(board):
        path = tmp_path / (board + ".bin")
        path.write_bytes(content(*flash.description(board)))
        return path

    return make


def make(*variables):
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    return subprocess.run(["make", "--no-print-directory", "flash", *variables], cwd=ROOT, capture_output=True,
                          text=True, env=environment)


@pytest.mark.parametrize("board", board_names())
def test_the_image_goes_where_the_chip_of_the_board_starts(board, esptool, image, tmp_path):
    path = image(board)
    done = make("BOARD=" + board, "PORT=/dev/ttyUSB7", "IMAGE=%s" % path)
    assert done.returncode == 0, done.stdout + done.stderr
    chip, offset = flash.description(board)
    assert offset == OFFSETS[chip]
    assert (tmp_path / "calls").read_text().split("\n") == [
        "--chip", chip, "--port", "/dev/ttyUSB7", "--baud", "460800", "write-flash", offset, str(path)]
    assert "make provision BOARD=%s PORT=/dev/ttyUSB7" % board in done.stdout
    assert "its passwords and its key, which were in NVS, are not" in done.stdout


def test_without_a_port_the_ports_that_there_are_are_shown(esptool, tmp_path):
    done = make("BOARD=ESP32_GENERIC")
    assert done.returncode == 2 and not (tmp_path / "calls").exists()
    assert "usage: make flash BOARD=ESP32_GENERIC PORT=/dev/ttyUSB0\nserial ports here:\n" in done.stdout


def test_all_of_the_flash_is_erased_only_if_asked(esptool, image, tmp_path):
    done = make("BOARD=ESP32_GENERIC", "PORT=/dev/x", "IMAGE=%s" % image("ESP32_GENERIC"), "ERASE=1")
    assert done.returncode == 0 and "nothing else is left in its flash" in done.stdout
    assert "--erase-all" in (tmp_path / "calls").read_text().split("\n")


def started(image):
    """`make flash`, as far as esptool has drawn something, which is to be seen at once."""
    line = [sys.executable, "-m", "tools.flash", "ESP32_GENERIC", "/dev/x", "--image", str(image)]
    process = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    seen = b""
    while b"10.0%" not in seen:
        assert select.select([process.stdout], [], [], 20)[0], seen
        seen += os.read(process.stdout.fileno(), 4096)
    return process


def test_the_progress_is_shown_as_it_comes(esptool, image, tmp_path, monkeypatch):
    monkeypatch.setenv("WAITS", str(tmp_path / "go on"))
    process = started(image("ESP32_GENERIC"))
    (tmp_path / "go on").touch()
    rest, _ = process.communicate(timeout=20)
    assert process.returncode == 0 and b"make provision" in rest


def test_ctrl_c_tells_that_the_board_has_half_an_image(esptool, image, tmp_path, monkeypatch):
    monkeypatch.setenv("WAITS", str(tmp_path / "never"))
    process = started(image("ESP32_GENERIC"))
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=20)
    assert process.returncode == 1 and b"the board has no whole image now; do it again" in told


def test_an_esptool_that_is_not_there_is_told(image, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["flash", "ESP32_GENERIC", "/dev/x", "--image", str(image("ESP32_GENERIC")),
                                     "--esptool", "/nowhere/esptool"])
    assert flash.main() == 1
    assert "there is no /nowhere/esptool" in capsys.readouterr().err


def test_the_image_is_the_one_that_make_firmware_builds(esptool, tmp_path, monkeypatch):
    monkeypatch.setattr(flash, "ROOT", tmp_path)
    path = tmp_path / "build" / "firmware" / "ESP32_GENERIC_S3" / "firmware.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(content("esp32s3", "0x0"))
    assert flash.flash("ESP32_GENERIC_S3", "/dev/x", esptool=str(esptool)) == 0
    assert (tmp_path / "calls").read_text().split("\n")[-2:] == ["0x0", str(path)]


def test_a_missing_image_is_told_with_the_next_step(tmp_path, monkeypatch):
    monkeypatch.setattr(flash, "ROOT", tmp_path)
    with pytest.raises(flash.Refused, match=r"(?s)make firmware BOARD=ESP32_GENERIC .*IMAGE=file.bin"):
        flash.flash("ESP32_GENERIC", "/dev/x")


def test_an_image_for_another_chip_is_refused(esptool, image, tmp_path):
    done = make("BOARD=ESP32_GENERIC_S3", "PORT=/dev/x", "IMAGE=%s" % image("ESP32_GENERIC_C3"))
    assert done.returncode and "is for another chip: esp32c3, and ESP32_GENERIC_S3 has an esp32s3" in done.stderr
    assert not (tmp_path / "calls").exists()


def test_the_image_of_one_slot_is_refused(tmp_path):
    path = tmp_path / "micropython.bin"
    path.write_bytes(content("esp32", "0x1000")[:0x7000].ljust(100_000, b"\1"))
    with pytest.raises(flash.Refused, match="firmware.bin beside it"):
        flash.check_image(path, "ESP32_GENERIC", "/dev/x")


def test_a_file_that_is_no_image_is_refused(tmp_path):
    for data in (b"", b"\xe9", b"<html>" * 100):
        (tmp_path / "x.bin").write_bytes(data)
        with pytest.raises(flash.Refused, match="is no image"):
            flash.check_image(tmp_path / "x.bin", "ESP32_GENERIC", "/dev/x")


def test_a_directory_is_no_image(tmp_path):
    with pytest.raises(flash.Refused, match="%s: Is a directory" % tmp_path):
        flash.check_image(tmp_path, "ESP32_GENERIC", "/dev/x")


def test_an_unknown_board_is_told_with_those_there_are():
    done = make("BOARD=ESP8266", "PORT=/dev/x")
    assert done.returncode and all(board in done.stderr for board in board_names())


@pytest.mark.parametrize("says, told", [
    ("A fatal error occurred: This chip is ESP32-C3, not ESP32. Wrong chip argument?", "BOARD=ESP32_GENERIC_C3"),
    ("A fatal error occurred: Failed to connect to ESP32: No serial data received.", "Hold the button BOOT"),
    ("A fatal error occurred: Could not open /dev/x, the port is busy or doesn't exist.", "is the cable in?"),
    ("A fatal error occurred: something new", "what it says is above"),
])
@pytest.mark.parametrize("ends", [1, 2])
def test_a_failure_of_esptool_is_told_with_what_can_be_done(esptool, image, monkeypatch, capfd, says, told, ends):
    monkeypatch.setenv("SAYS", says)
    monkeypatch.setenv("ENDS", str(ends))
    assert flash.flash("ESP32_GENERIC", "/dev/x", image("ESP32_GENERIC"), esptool=str(esptool)) == 1
    shown = capfd.readouterr().out
    assert says in shown and told in shown and "make provision" not in shown


@pytest.mark.parametrize("board", board_names())
def test_the_pin_that_leads_to_the_boot_loader_is_that_of_the_chip(board):
    """ESP32 and S3 begin with GPIO0 low, the C3 with GPIO9 (esptool, "Boot Mode Selection")."""
    pin = "pin GPIO%d to ground" % (9 if "C3" in board else 0)
    assert pin in flash.advice("Failed to connect to ESP32", board, "/dev/x")


def test_the_pinned_esptool_takes_these_arguments(image, tmp_path):
    """It comes as far as the port, and tells of that in the words that the advice knows."""
    line = flash.command("ESP32_GENERIC", str(tmp_path / "no-port"), image("ESP32_GENERIC"), erase=True)
    done = subprocess.run(line, capture_output=True, text=True)
    output = done.stdout + done.stderr
    assert done.returncode and "Could not open" in output and "Usage" not in output
    assert "is the cable in?" in flash.advice(output, "ESP32_GENERIC", str(tmp_path / "no-port"))


def test_the_chips_have_the_numbers_that_esptool_knows():
    from esptool.targets import CHIP_DEFS

    assert {chip: CHIP_DEFS[chip].IMAGE_CHIP_ID for chip in flash.CHIPS} == flash.CHIPS
