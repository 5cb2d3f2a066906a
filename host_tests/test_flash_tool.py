"""`make flash`: what is written where, for each board, and what is said when it cannot be."""

import os
import subprocess
import sys

import pytest

from tools import flash
from tools.board_checks import board_names
from tools.image import ROOT

OFFSETS = {"esp32": "0x1000", "esp32c3": "0x0", "esp32s3": "0x0"}

# Notes its arguments; what it says and how it ends are in the environment.
ESPTOOL = """#!%s
import os, sys
with open(os.environ["CALLS"], "a") as file:
    file.write("\\n".join(sys.argv[1:]))
print(os.environ.get("SAYS", "Hash of data verified."))
sys.exit(int(os.environ.get("ENDS", "0")))
""" % sys.executable


def content(chip, offset):
    """The image of a board that is nothing but what identifies it."""
    table = flash.TABLE - int(offset, 0)
    head = bytes([flash.MAGIC, 3, 2, 0x20]) + bytes(8) + flash.CHIPS[chip].to_bytes(2, "little")
    return head.ljust(table, b"\0") + flash.TABLE_MAGIC + bytes(64)


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


def test_without_a_port_the_ports_that_there_are_are_shown(esptool, tmp_path):
    done = make("BOARD=ESP32_GENERIC")
    assert done.returncode == 2 and not (tmp_path / "calls").exists()
    assert "usage: make flash BOARD=ESP32_GENERIC PORT=/dev/ttyUSB0\nserial ports here:\n" in done.stdout


def test_all_of_the_flash_is_erased_only_if_asked(esptool, image, tmp_path):
    assert make("BOARD=ESP32_GENERIC", "PORT=/dev/x", "IMAGE=%s" % image("ESP32_GENERIC"), "ERASE=1").returncode == 0
    assert "--erase-all" in (tmp_path / "calls").read_text().split("\n")


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


def test_an_unknown_board_is_told_with_those_there_are():
    done = make("BOARD=ESP8266", "PORT=/dev/x")
    assert done.returncode and all(board in done.stderr for board in board_names())


@pytest.mark.parametrize("says, told", [
    ("A fatal error occurred: This chip is ESP32-C3, not ESP32. Wrong chip argument?", "BOARD=ESP32_GENERIC_C3"),
    ("A fatal error occurred: Failed to connect to ESP32: No serial data received.", "Hold the button BOOT"),
    ("A fatal error occurred: Could not open /dev/x, the port is busy or doesn't exist.", "is the cable in?"),
    ("A fatal error occurred: something new", "what it says is above"),
])
def test_a_failure_of_esptool_is_told_with_what_can_be_done(esptool, image, monkeypatch, capfd, says, told):
    monkeypatch.setenv("SAYS", says)
    monkeypatch.setenv("ENDS", "2")
    assert flash.flash("ESP32_GENERIC", "/dev/x", image("ESP32_GENERIC"), esptool=str(esptool)) == 1
    shown = capfd.readouterr().out
    assert says in shown and told in shown and "make provision" not in shown


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
