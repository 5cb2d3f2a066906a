"""The folders in boards/ are right, and every rule that says so can fail."""

import json
import re
import shutil

import pytest
from holdfast.hardware import iec61851

from tools import board_checks, image, stub_types
from tools.board_checks import BOARDS, PORT_FILES, board_names, read_partitions, read_pins, read_sdkconfig
from tools.chips import CHIPS, ROLES, pin_faults
from tools.manifests import BUILT_IN, FIRMWARE, PACKAGES, ManifestError, evaluate, imports, manifest_faults

NAMES = ("ESP32_GENERIC", "ESP32_GENERIC_C3", "ESP32_GENERIC_S3", "OLIMEX_ESP32_POE")
FLASH = 4 * 1024 * 1024
TABLE = (BOARDS / "ESP32_GENERIC" / "partitions.csv").read_text()
PINS = read_pins((BOARDS / "ESP32_GENERIC" / "pins.csv").read_text())


def test_all_four_boards_are_there():
    assert tuple(board_names()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_wrong_with_a_board(name):
    assert board_checks.faults(name) == []


# --- partition tables


@pytest.mark.parametrize("old, new, fault", [
    ("0x9000,   0x4000", "0x8000,   0x5000", "nvs: begins inside of the bootloader"),
    ("0xd000,   0x2000", "0xd800,   0x1800", "otadata: does not begin at a sector"),
    ("0xd000,   0x2000", "0xd000,   0x1800", "otadata: is not made of whole sectors"),
    ("0xd000,   0x2000", "0xd000,   0x1000", "one otadata of 0x2000 bytes"),
    ("otadata,  data, ota, ", "otadata,  data, undefined, ", "one otadata of 0x2000 bytes"),
    ("0x9000,   0x4000", "0x9000,   0x2000", "one nvs"),
    ("nvs,      data", "keys,     data", "one nvs"),
    ("0x10000,  0x180000", "0x11000,  0x180000", "ota_0: an app begins at a multiple of 0x10000"),
    ("0x10000,  0x180000", "0x10000,  0x190000", "ota_1: overlaps"),
    ("0x10000,  0x180000", "0x10000,  0x170000", "the two slots have to be of the same size"),
    ("0x10000,  0x180000", "0x10000,  0x170000", "ota_1: leaves flash unused"),
    ("ota_0,    app,  ota_0", "ota_0,    app,  factory", "ota_0 and ota_1"),
    ("ota_0,    app,  ota_0", "ota_0,    app,  ota_x", "no such type: app, ota_x"),
    ("ota_0,    app,", "ota_0,    code,", "no such type: code"),
    ("0x370000, 0x90000", "0x370000, 0x100000", "vfs: ends behind the flash"),
    ("0x370000, 0x90000", "0x370000, 0x80000", "vfs has to be last"),
    ("0x310000, 0x60000", "0x310000, 0x61000", "vfs: overlaps romfs"),
    ("0x310000, 0x60000", "0x310000, 0x50000", "one romfs, called romfs, of 0x60000 bytes"),
    ("0x310000, 0x60000", "0x311000, 0x5f000", "romfs: what is mapped begins at a multiple of 0x10000"),
    ("romfs,    data", "agents,   data", "one romfs, called romfs"),
    ("data, 0x8f,", "data, undefined,", "one romfs, called romfs"),
    ("vfs,      data", "storage,  data", "vfs has to be last"),
    ("phy_init, data", "otadata,  data", "otadata: the name is there twice"),
    ("phy_init, data", "a_name_of_16_chr, data", "a_name_of_16_chr: a name has 1 to 15 characters"),
    ("phy_init, data, phy,", "phy_init, data, nvs,", "one nvs"),
    ("0x370000, 0x90000", "0x370000, 0x0", "vfs: is not made of whole sectors"),
])
def test_a_spoilt_partition_table_is_found(old, new, fault):
    assert TABLE.count(old) == 1
    found = board_checks.partition_faults(read_partitions(TABLE.replace(old, new)), FLASH)
    assert any(fault in text for text in found), found


@pytest.mark.parametrize("line", ["vfs, data, fat, , 1M", "vfs, data, fat, 0x9000", "vfs, data, fat, 0x9000, big",
                                  "vfs, data, fat, 0x9000, 1M, encrypted"])
def test_a_line_that_is_no_partition_is_refused(line):
    with pytest.raises(ValueError):
        read_partitions(line)


def test_three_pages_are_enough_for_nvs():
    """Three are what ESP-IDF asks for; four are in the tables here."""
    less = read_partitions(TABLE.replace("0x9000,   0x4000", "0x9000,   0x3000"))
    assert board_checks.partition_faults(less, FLASH) == ["otadata: leaves flash unused before it"]


def test_a_size_may_be_written_with_a_letter():
    assert [one.size for one in read_partitions("a, data, fat, 0x9000, 1M\nb, data, fat, 36K, 16K,")] == [2**20, 2**14]


def test_an_agent_that_has_outgrown_its_slot_is_found():
    partitions = read_partitions(TABLE)
    room = 0x30000 - 4096  # the first block of a slot is its header
    assert board_checks.room_faults(partitions, room) == []
    assert "no room" in board_checks.room_faults(partitions, room + 1)[0]


def test_an_empty_table_is_wrong_and_not_an_error():
    assert board_checks.partition_faults([], FLASH)


# --- pins


@pytest.mark.parametrize("chip, name, number, fault", [
    *[("esp32", "CONTACTOR", pin, "does not exist") for pin in (20, 24, 28, 31, 40)],
    *[("esp32", "CONTACTOR", pin, "belongs to the flash") for pin in (6, 11)],
    *[("esp32", "CONTACTOR", pin, "belongs to the console") for pin in (1, 3)],
    *[("esp32", "CONTACTOR", pin, "is an input only") for pin in (34, 39)],
    *[("esp32", name, 14, "is high at reset") for name in ("CONTACTOR", "LOCK", "UNLOCK")],
    *[("esp32", "MIRROR", pin, "decides how the chip starts") for pin in (0, 2, 5, 12, 15)],
    *[("esp32", name, 2, "decides how the chip starts") for name in ("CONTACTOR", "RESIDUAL", "PILOT_PWM")],
    *[("esp32", "PILOT_ADC", pin, "is not on ADC1") for pin in (0, 4, 13, 14, 25, 27)],
    ("esp32", "ETH_TXD0", 22, "is not where the chip has this signal"),
    ("esp32", "ETH_CLOCK", 5, "is not where the chip has this signal"),
    *[("esp32c3", "MIRROR", pin, "does not exist") for pin in (22, 34)],
    *[("esp32c3", "LED", pin, "belongs to the flash") for pin in (11, 17)],
    *[("esp32c3", "LOCK", pin, "belongs to the console") for pin in (18, 19, 20, 21)],
    *[("esp32c3", "MIRROR", pin, "decides how the chip starts") for pin in (2, 8, 9)],
    *[("esp32c3", name, 5, "is not on ADC1") for name in ("PILOT_ADC", "PROXIMITY")],
    *[("esp32s3", "LED", pin, "does not exist") for pin in (22, 25, 49)],
    *[("esp32s3", "LED", pin, "belongs to the flash") for pin in (26, 32, 33, 37)],
    *[("esp32s3", "LED", pin, "belongs to the console") for pin in (19, 20, 43, 44)],
    ("esp32s3", "LOCK", 18, "is high at reset"),
    *[("esp32s3", "RESIDUAL", pin, "decides how the chip starts") for pin in (0, 3, 45, 46)],
    *[("esp32s3", "PROXIMITY", pin, "is not on ADC1") for pin in (11, 20)],
])
def test_a_pin_that_can_not_do_it_is_found(chip, name, number, fault):
    pins = [(other, pin) for other, pin in PINS if other != name] + [(name, number)]
    assert any(text.startswith("%s: GPIO%d %s" % (name, number, fault)) for text in pin_faults(pins, CHIPS[chip]))


def test_a_pin_that_is_used_twice_is_found():
    pins = [(name, 35 if name == "PILOT_ADC" else pin) for name, pin in PINS]
    assert pin_faults(pins, CHIPS["esp32"]) == ["GPIO35 is used twice"]


def test_a_board_names_the_pins_of_the_driver_and_its_led_and_button():
    assert sorted(ROLES) == ["BUTTON", "CONTACTOR", "LED", "LOCK", "LOCKED", "MIRROR", "PILOT_ADC", "PILOT_PWM",
                             "PROXIMITY", "RESIDUAL", "UNLOCK"]


@pytest.mark.parametrize("role", ROLES)
def test_every_role_needs_a_pin(role):
    assert pin_faults([pin for pin in PINS if pin[0] != role], CHIPS["esp32"]) == ["%s has no pin" % role]


def test_a_name_is_given_once():
    assert "LED is named twice" in pin_faults(PINS + [("LED", 23)], CHIPS["esp32"])


@pytest.mark.parametrize("line", ["LED", "LED,4", "LED, GPIO4", "led,GPIO4", "LED,GPIO4,", "-LED,GPIO4"])
def test_a_line_that_is_no_pin_is_refused(line):
    with pytest.raises(ValueError):
        read_pins(line)


@pytest.mark.parametrize("name", NAMES)
def test_the_configuration_on_the_page_of_a_board_is_that_of_its_pins(name):
    page = (BOARDS / name / "README.md").read_text()
    pins = json.loads("{%s}" % re.search(r'    ("pins": \[.*?\])\n', page, re.DOTALL)[1])["pins"]
    assert iec61851.check(pins, (("sType2",),)) is None
    wired = dict(read_pins((BOARDS / name / "pins.csv").read_text()))
    numbers = {field: value for field, value in pins[0].items() if field.upper() in ROLES}
    assert numbers == {role.lower(): wired[role] for role in ROLES if role not in ("LED", "BUTTON")}


# --- settings


@pytest.mark.parametrize("line", ["CONFIG_A=yes", "CONFIG_A = y", "A=y", "CONFIG_a=y", "CONFIG_A=", 'CONFIG_A="x',
                                  "CONFIG_A=y # why", "CONFIG_A=y\nCONFIG_A=n"])
def test_a_line_that_is_no_setting_is_refused(line):
    with pytest.raises(ValueError):
        read_sdkconfig(line)


@pytest.mark.parametrize("text", ["", "CONFIG_ESPTOOLPY_FLASHSIZE_4MB=n",
                                  "CONFIG_ESPTOOLPY_FLASHSIZE_4MB=y\nCONFIG_ESPTOOLPY_FLASHSIZE_8MB=y"])
def test_there_is_one_size_of_flash(text):
    with pytest.raises(ValueError):
        board_checks.flash_size(read_sdkconfig(text))


# --- a board as a whole: one file spoilt at a time


@pytest.fixture
def spoilt(tmp_path, monkeypatch):
    """spoilt(file, old, new, board) -> the faults of the board with that change."""

    def spoil(file, old, new, board="ESP32_GENERIC"):
        boards = tmp_path / "boards"
        shutil.copytree(BOARDS, boards)
        (tmp_path / "firmware").symlink_to(FIRMWARE)
        text = (boards / board / file).read_text()
        assert old in text
        (boards / board / file).write_text(text.replace(old, new))
        monkeypatch.setattr(board_checks, "BOARDS", boards)
        return "\n".join(board_checks.faults(board))

    return spoil


@pytest.mark.parametrize("file, old, new, fault", [
    ("board.json", '"esp32"', '"esp8266"', "no such chip"),
    *[("board.json", '"%s"' % key, '"other"', "%s is missing" % key) for key in (
        "deploy", "docs", "features", "images", "product", "thumbnail", "url", "vendor")],
    ("board.json", '"0x1000"', '"0x0"', "flash_offset has to be 0x1000"),
    ("pins.csv", "MIRROR,GPIO26", "MIRROR,GPIO2", "decides how the chip starts"),
    ("README.md", "| `LED` | GPIO4 |", "| `LED` | GPIO5 |", "the table says"),
    ("mpconfigboard.h", "MICROPY_HW_MCU_NAME ", "MICROPY_HW_MCU ", "MICROPY_HW_MCU_NAME is not defined"),
    ("mpconfigboard.h", "#define MICROPY_HW_MCU_NAME ", "#define MICROPY_HW_BOARD_NAME ", "is defined twice"),
    ("mpconfigboard.h", "(0)", "(1)", "MICROPY_PY_BLUETOOTH is not 0"),
    ("sdkconfig.board", "=y", "=yes", "not a setting"),
    ("../sdkconfig.holdfast", "=y", "", "not a setting"),
    ("mpconfigboard.h", "MICROPY_VFS_ROM                     (1)", "MICROPY_VFS_ROM (0)", "MICROPY_VFS_ROM is not 1"),
    ("partitions.csv", "0x90000", "0x80000", "vfs has to be last"),
    ("sdkconfig.board", "FLASHSIZE_4MB", "FLASHSIZE_8MB", "vfs has to be last"),
    ("mpconfigboard.cmake", "_esp32_", "_esp32s3_", "settings for esp32 are not included"),
    ("mpconfigboard.cmake", "_esp32_", "_esp32p4_", "is not in PORT_FILES"),
    ("mpconfigboard.cmake", "holdfast.cmake", "missing.cmake", "does not exist"),
    ("../holdfast.cmake", "/partitions.csv", "/table.csv", "partitions.csv is not used"),
    ("../holdfast.cmake", "/sdkconfig.board", "/sdkconfig", "sdkconfig.board is not used"),
    ("manifest.py", "../manifest.py", "manifest2.py", "does not exist"),
    ("../manifest.py", '("ssl")', '("flask")', "require('flask'): not known"),
    ("../manifest.py", "extmod/asyncio", "extmod/uasyncio", "not known here"),
    ("../manifest.py", 'include("$(MPY_DIR)/extmod/asyncio")', "", "nothing to import asyncio from"),
    ("../manifest.py", 'module("main.py", base_path="../firmware", opt=2)', "", "main.py is not frozen"),
    ("../manifest.py", 'module("main.py"', 'module("start.py"', "does not exist"),
    ("../manifest.py", 'module("main.py"', 'module("boot.py"', "frozen twice"),
    ("../manifest.py", '("flashbdev.py",)', '("flashbdev.py", "_boot.py")', "_boot.py is frozen twice"),
    ("../manifest.py", '("flashbdev.py",)', '("blockdev.py",)', "the port has no blockdev.py"),
    ("../manifest.py", '("flashbdev.py",)', '("espnow.py",)', "nothing to import flashbdev.bdev from"),
    ("../manifest.py", "opt=2", "opt=7", "no such level"),
    ("../manifest.py", "package(", "packages(", "packages"),
])
def test_a_spoilt_board_is_found(spoilt, file, old, new, fault):
    found = spoilt(file, old, new)
    assert fault in found, found


def test_a_missing_file_is_found(tmp_path, monkeypatch):
    (tmp_path / "X").mkdir()
    monkeypatch.setattr(board_checks, "BOARDS", tmp_path)
    assert board_checks.faults("X") == ["X/%s: missing" % file for file in (
        "README.md", "board.json", "manifest.py", "mpconfigboard.cmake", "mpconfigboard.h", "partitions.csv",
        "pins.csv", "sdkconfig.board")]


def test_an_agent_that_has_no_room_on_a_board_is_a_fault_of_the_board(monkeypatch):
    monkeypatch.setattr(image, "romfs_image", lambda: bytes(0x30000))
    assert any("has no room" in fault for fault in board_checks.faults("ESP32_GENERIC"))


@pytest.mark.parametrize("found, status, told", [
    ([], 0, "nothing wrong with ESP32_GENERIC, ESP32_GENERIC_C3"),
    (["X/pins.csv: LED has no pin"], 1, "LED has no pin"),
])
def test_the_checks_can_be_asked_for_by_hand(monkeypatch, capsys, found, status, told):
    monkeypatch.setattr(board_checks, "faults", lambda name: found)
    assert board_checks.main() == status
    assert told in capsys.readouterr().out


# --- what is frozen


def test_every_file_of_the_firmware_is_frozen_and_finds_what_it_imports():
    assert manifest_faults(evaluate(BOARDS / "manifest.py")) == []


def test_imports_are_found_wherever_they_stand():
    source = """
import a, b.c
from d import e
def f():
    import g
try:
    import h
except ImportError:
    import i
try:
    import j
except OSError:
    pass
from . import k
"""
    found = [(name, guarded) for name, _, guarded in imports(source, "holdfast.blocks")]
    assert found == [("a", False), ("b.c", False), ("d:e", False), ("g", False), ("h", True), ("i", False),
                     ("j", False), ("holdfast.blocks:k", False)]


def test_an_import_that_leads_nowhere_is_found(tmp_path):
    source = ("import gc, dataclasses\nfrom json import loads\nfrom holdfast import nothing\nfrom holdfast import rpc\n"
              "try:\n    import typing\nexcept ImportError:\n    pass\n")
    (tmp_path / "mine.py").write_text(source)
    manifest = evaluate(BOARDS / "manifest.py")
    manifest.files["mine.py"] = (tmp_path / "mine.py", 2)
    assert manifest_faults(manifest) == ["mine.py:1: nothing to import dataclasses from",
                                         "mine.py:3: nothing to import holdfast.nothing from"]


def test_a_file_of_the_same_name_from_elsewhere_is_found(tmp_path):
    (tmp_path / "main.py").write_text("")
    manifest = evaluate(BOARDS / "manifest.py")
    manifest.files["main.py"] = (tmp_path / "main.py", 2)
    assert manifest_faults(manifest) == ["main.py is frozen from elsewhere"]


def test_a_manifest_that_python_refuses_is_refused(tmp_path):
    (tmp_path / "manifest.py").write_text("module('x.py'")
    with pytest.raises(ManifestError):
        evaluate(tmp_path / "manifest.py")


def test_the_modules_in_c_are_those_of_the_firmware_that_the_stubs_describe():
    modules = stub_types.modules() | {path.stem for path in (stub_types._stubs() / "stdlib").iterdir()}
    assert BUILT_IN - {"_onewire"} <= modules
    assert set(PACKAGES) - {"unittest", "logging"} <= modules


@pytest.mark.parametrize("chip, cpu", [("esp32", "xtensawin"), ("esp32s3", "xtensawin"), ("esp32c3", "rv32imc")])
def test_every_file_of_the_firmware_compiles_for_the_cpu(chip, cpu):
    assert CHIPS[chip].cpu == cpu
    sources = sorted(FIRMWARE.rglob("*.py"))
    assert len(sources) > 30
    for source in sources:
        name = source.relative_to(FIRMWARE).as_posix()
        assert image.compile_mpy(source.read_bytes(), name, ["-O2", "-march=" + cpu])[:2] == b"M\x06"


def test_the_port_files_that_a_board_names_are_all_listed_for_a_reason():
    named = {word for name in NAMES
             for word in board_checks.cmake_references(BOARDS / name / "mpconfigboard.cmake", BOARDS / name)[1]}
    assert named == set(PORT_FILES)


# --- types


def test_the_firmware_agrees_with_the_type_stubs():
    assert stub_types.findings([FIRMWARE]) == []


@pytest.mark.parametrize("found, status, told", [
    ([], 0, "nothing wrong"), (["firmware/x.py:1: error: no such thing"], 1, "x.py:1: error: no such thing")])
def test_the_types_can_be_asked_for_by_hand(monkeypatch, capsys, found, status, told):
    monkeypatch.setattr(stub_types, "findings", lambda paths: found if paths == [FIRMWARE] else ["other files"])
    assert stub_types.main() == status
    assert told in capsys.readouterr().out


WRONG = """
import time
import esp32, machine, network
def f():
    machine.Pin(1, machine.Pin.OUT).set(1)
    machine.PWM(machine.Pin(1), frequency=1000)
    esp32.NVS("a").get_int("b")
    network.WLAN(network.WLAN.IF_STA).connected()
    time.monotonic()
    bytearray(3).first()
    machine.unplug()
"""

RIGHT = """
import asyncio, binascii, tls, vfs
import esp32, machine, network
from machine import Pin
def f():
    machine.PWM(Pin(Pin.board.PILOT_PWM), freq=1000, duty_u16=0).duty_u16(1)
    esp32.Partition(esp32.Partition.RUNNING).info()
    network.LAN(0, mdc=Pin(23), mdio=Pin(18), power=Pin(12), ref_clk=Pin(17), ref_clk_mode=Pin.OUT,
                phy_type=network.PHY_LAN8710, phy_addr=0)
    tls.SSLContext(tls.PROTOCOL_TLS_CLIENT).verify_mode = tls.CERT_REQUIRED
    binascii.crc32(bytearray(3))
    vfs.VfsLfs2(esp32.Partition("vfs"))
async def g(context):
    await asyncio.open_connection("host", 443, context, "host")
"""


def test_what_a_board_does_not_have_is_found(tmp_path):
    (tmp_path / "probe.py").write_text(WRONG)
    found = stub_types.findings([tmp_path / "probe.py"])
    lines = [number for number, line in enumerate(WRONG.split("\n"), 1) if line.startswith("    ")]
    assert [int(re.search(r"probe\.py:(\d+):", line)[1]) for line in found] == lines, found


def test_what_only_the_stubs_do_not_know_is_let_pass(tmp_path):
    (tmp_path / "probe.py").write_text(RIGHT)
    assert stub_types.findings([tmp_path / "probe.py"]) == []


def test_every_false_alarm_is_one(tmp_path, monkeypatch):
    # With the list of them emptied each has to be raised, or it is not needed any more.
    alarms = stub_types.FALSE_ALARMS
    monkeypatch.setattr(stub_types, "FALSE_ALARMS", ())
    (tmp_path / "probe.py").write_text(RIGHT)
    found = stub_types.findings([tmp_path / "probe.py"]) + stub_types.findings([FIRMWARE])
    assert [text for text, _ in alarms if not any(re.search(text, line) for line in found)] == []
