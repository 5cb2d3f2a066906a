"""What can be checked about the folders in boards/ without MicroPython's sources and without an ESP-IDF.

`faults(name)` is the list of everything wrong with one board, as texts; empty is right. The single checks take texts,
so that tests can hand them spoilt ones. `python -m tools.board_checks` prints the findings of all boards.
"""

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from tools import image
from tools.chips import CHIPS, pin_faults
from tools.manifests import ManifestError, evaluate, manifest_faults

ROOT = Path(__file__).resolve().parent.parent
BOARDS = ROOT / "boards"
FILES = (
    "README.md", "board.json", "manifest.py", "mpconfigboard.cmake", "mpconfigboard.h", "partitions.csv", "pins.csv",
    "sdkconfig.board",
)

# Files of MicroPython 1.29's ports/esp32 that a board here refers to. `make firmware` looks for them in the checkout.
PORT_FILES = (
    "boards/mpconfigboard_esp32_common.cmake",
    "boards/mpconfigboard_esp32c3_common.cmake",
    "boards/mpconfigboard_esp32s3_common.cmake",
    "boards/sdkconfig.ble",
)

PAGE = 0x1000  # a sector of flash
APP_PAGE = 0x10000  # what the MMU maps
TABLE_END = 0x9000  # after the bootloader and the partition table, CONFIG_PARTITION_TABLE_OFFSET + one sector
NVS_LEAST = 0x3000  # ESP-IDF, "Partition Tables": at least three pages
OTADATA = 0x2000
ROMFS = "0x8f"  # the subtype of the partition for an agent from `make deploy`
SUBTYPES = {
    "app": ["factory", "test"] + ["ota_%d" % slot for slot in range(16)],
    "data": ["ota", "phy", "nvs", "nvs_keys", "efuse", "coredump", "fat", "spiffs", "littlefs", "undefined", ROMFS],
}


@dataclass
class Partition:
    """A line of partitions.csv, in bytes."""

    name: str
    type: str
    subtype: str
    offset: int
    size: int

    @property
    def end(self):
        return self.offset + self.size


def board_names():
    return sorted(path.name for path in BOARDS.iterdir() if path.is_dir())


def read_partitions(text):
    """The Partitions of a partition table. ValueError for a line that is none."""
    partitions = []
    for line in text.splitlines():
        line = line.split("#")[0].strip()
        if line:
            fields = [field.strip() for field in line.split(",")]
            if len(fields) not in (5, 6) or (len(fields) == 6 and fields[5]):
                raise ValueError("not five fields: %s" % line)
            partitions.append(Partition(*fields[:3], *(_bytes(field) for field in fields[3:5])))
    return partitions


def _bytes(field):
    match = re.fullmatch(r"(0x[0-9a-fA-F]+|[0-9]+)([KM]?)", field)
    if not match:
        raise ValueError("not a number of bytes: %r (places are chosen here, not left to a tool)" % field)
    return int(match[1], 0) * {"": 1, "K": 1024, "M": 1024 * 1024}[match[2]]


def partition_faults(partitions, flash_size):
    """What is wrong with a partition table on flash of that many bytes."""
    faults = []
    names = [partition.name for partition in partitions]
    faults += ["%s: the name is there twice" % name for name in sorted(set(names)) if names.count(name) > 1]
    for one in partitions:
        for wrong, why in (
            (not 1 <= len(one.name) <= 15, "a name has 1 to 15 characters"),
            (one.subtype not in SUBTYPES.get(one.type, ()), "no such type: %s, %s" % (one.type, one.subtype)),
            (one.offset < TABLE_END, "begins inside of the bootloader or the partition table"),
            (one.offset % PAGE, "does not begin at a sector"),
            (one.size % PAGE or not one.size, "is not made of whole sectors"),
            (one.type == "app" and one.offset % APP_PAGE, "an app begins at a multiple of 0x10000"),
            (one.subtype == ROMFS and one.offset % APP_PAGE, "what is mapped begins at a multiple of 0x10000"),
            (one.end > flash_size, "ends behind the flash"),
        ):
            if wrong:
                faults.append("%s: %s" % (one.name, why))
    for before, after in zip(partitions, partitions[1:]):
        if after.offset < before.end:
            faults.append("%s: overlaps %s or is out of order" % (after.name, before.name))
        elif after.offset > before.end:
            faults.append("%s: leaves flash unused before it" % after.name)

    def of(*kind):
        return [one for one in partitions if (one.type, one.subtype) == kind]

    if len(of("data", "nvs")) != 1 or of("data", "nvs")[0].size < NVS_LEAST or of("data", "nvs")[0].name != "nvs":
        faults.append("there has to be one nvs, called nvs, of at least 0x3000 bytes")
    if len(of("data", "ota")) != 1 or of("data", "ota")[0].size != OTADATA:
        faults.append("there has to be one otadata of 0x2000 bytes")
    slots = [one for one in partitions if one.type == "app"]
    if [one.subtype for one in slots] != ["ota_0", "ota_1"]:
        faults.append("the apps have to be ota_0 and ota_1")
    elif slots[0].size != slots[1].size:
        faults.append("the two slots have to be of the same size")
    if [one.name for one in of("data", ROMFS)] != ["romfs"] or of("data", ROMFS)[0].size != image.ROMFS_SIZE:
        faults.append("there has to be one romfs, called romfs, of %#x bytes" % image.ROMFS_SIZE)
    if not partitions or partitions[-1].name != "vfs" or partitions[-1].end != flash_size:
        faults.append("vfs has to be last and to reach to the end of the flash")
    return faults


def read_pins(text):
    """[(name, GPIO number)] of a pins.csv, in the form of MicroPython's boardgen. ValueError for any other line."""
    pins = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            match = re.fullmatch(r"([A-Z][A-Z0-9_]*),GPIO([0-9]+)", line)
            if not match:
                raise ValueError("not NAME,GPIOn: %s" % line)
            pins.append((match[1], int(match[2])))
    return pins


def read_sdkconfig(text):
    """{name: value} of a file of ESP-IDF settings; ValueError for a line that is none, or a setting made twice."""
    settings = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            match = re.fullmatch(r'(CONFIG_[A-Z0-9_]+)=(y|n|-?[0-9]+|0x[0-9a-fA-F]+|"[^"]*")', line)
            if not match:
                raise ValueError("not a setting: %r" % line)
            if match[1] in settings:
                raise ValueError("twice: %s" % match[1])
            settings[match[1]] = match[2]
    return settings


def flash_size(settings):
    """Bytes of flash that sdkconfig settings choose; ValueError unless it is exactly one size."""
    chosen = [name for name, value in settings.items() if re.fullmatch(r"CONFIG_ESPTOOLPY_FLASHSIZE_\d+MB", name)
              and value == "y"]
    if len(chosen) != 1:
        raise ValueError("one CONFIG_ESPTOOLPY_FLASHSIZE_…MB=y is needed")
    return int(chosen[0].split("_")[-1][:-2]) * 1024 * 1024


def cmake_references(path, board):
    """The files a board's .cmake names, through those it includes: ([paths in boards/], [paths in ports/esp32])."""
    own, port = [], []
    text = "\n".join(line.split("#")[0] for line in path.read_text().splitlines())
    for word in re.findall(r"[^\s()\"\\]+", text):
        if word.startswith("${MICROPY_BOARD_DIR}/"):
            named = (board / word.removeprefix("${MICROPY_BOARD_DIR}/")).resolve()
            own.append(named)
            if named.suffix == ".cmake" and named.exists():
                more_own, more_port = cmake_references(named, board)
                own += more_own
                port += more_port
        elif word.startswith("boards/"):
            port.append(word)
    return own, port


def header_faults(text):
    """What is wrong with a mpconfigboard.h."""
    names = re.findall(r"^#define (\w+)", text, re.MULTILINE)
    faults = ["%s is defined twice" % name for name in sorted(set(names)) if names.count(name) > 1]
    for name in ("MICROPY_HW_BOARD_NAME", "MICROPY_HW_MCU_NAME"):
        if not re.search(r'^#define %s +"[^"]+"$' % name, text, re.MULTILINE):
            faults.append("%s is not defined" % name)
    if not re.search(r"^#define MICROPY_PY_BLUETOOTH +\(0\)$", text, re.MULTILINE):
        faults.append("MICROPY_PY_BLUETOOTH is not 0, but sdkconfig.ble is taken out")
    if not re.search(r"^#define MICROPY_VFS_ROM +\(1\)$", text, re.MULTILINE):
        faults.append("MICROPY_VFS_ROM is not 1, and nothing reads the partition romfs")
    return faults


def room_faults(partitions, agent):
    """What is wrong with the partition `romfs` for an agent, a ROMFS image of so many bytes."""
    room = [one.size // 2 - image.BLOCK for one in partitions if one.subtype == ROMFS]
    return ["romfs: an agent of %d bytes has no room in one of two slots of %d" % (agent, least)
            for least in room if agent > least]


def faults(name):
    """Everything wrong with boards/<name>, each text beginning with the file."""
    board = BOARDS / name
    missing = [file for file in FILES if not (board / file).is_file()]
    if missing:
        return ["%s/%s: missing" % (name, file) for file in missing]
    found = []

    def check(file, look):
        try:
            found.extend("%s/%s: %s" % (name, file, fault) for fault in look((board / file).read_text()))
        except (ValueError, ManifestError) as error:
            found.append("%s/%s: %s" % (name, file, error))

    check("board.json", lambda text: _description_faults(json.loads(text)))
    mcu = json.loads((board / "board.json").read_text()).get("mcu")
    if mcu not in CHIPS:
        return found
    check("pins.csv", lambda text: pin_faults(read_pins(text), CHIPS[mcu]))
    check("README.md", lambda text: _wiring_faults(text, read_pins((board / "pins.csv").read_text())))
    check("mpconfigboard.h", header_faults)
    check("../sdkconfig.holdfast", lambda text: read_sdkconfig(text) and [])
    check("sdkconfig.board", lambda text: flash_size(read_sdkconfig(text)) and [])
    check("partitions.csv", lambda text: partition_faults(
        read_partitions(text), flash_size(read_sdkconfig((board / "sdkconfig.board").read_text()))))
    check("partitions.csv", lambda text: room_faults(read_partitions(text), len(image.romfs_image())))
    check("mpconfigboard.cmake", lambda text: _cmake_faults(board, mcu))
    check("manifest.py", lambda text: manifest_faults(evaluate(board / "manifest.py")))
    return found


def _description_faults(description):
    if description.get("mcu") not in CHIPS:
        return ["no such chip: %s" % description.get("mcu")]
    wrong = ["%s is missing" % key for key in ("deploy", "docs", "features", "images", "product", "thumbnail", "url",
                                               "vendor") if key not in description]
    offset = description.get("deploy_options", {}).get("flash_offset", "")
    if offset != hex(CHIPS[description["mcu"]].image_offset):
        wrong.append("flash_offset has to be %#x" % CHIPS[description["mcu"]].image_offset)
    return wrong


def _wiring_faults(text, pins):
    """The page of wiring has a table with a row for each pin: | NAME | GPIOn | ..."""
    rows = re.findall(r"^\| `([A-Z0-9_]+)` \| GPIO(\d+) \|", text, re.MULTILINE)
    written = sorted((name, int(number)) for name, number in rows)
    return ["the table says %s, pins.csv %s" % (written, sorted(pins))] if written != sorted(pins) else []


def _cmake_faults(board, mcu):
    own, port = cmake_references(board / "mpconfigboard.cmake", board)
    wrong = ["%s does not exist" % path for path in own if not path.exists()]
    wrong += ["%s is not in PORT_FILES" % path for path in port if path not in PORT_FILES]
    if "boards/mpconfigboard_%s_common.cmake" % mcu not in port:
        wrong.append("the port's settings for %s are not included" % mcu)
    for file in ("sdkconfig.board", "manifest.py", "partitions.csv"):
        if board / file not in own:
            wrong.append("%s is not used" % file)
    return wrong


def main():
    found = [fault for name in board_names() for fault in faults(name)]
    print("\n".join(found) or "boards: nothing wrong with %s" % ", ".join(board_names()))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
