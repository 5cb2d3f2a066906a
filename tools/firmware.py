"""Builds the image of a board with MicroPython's sources and an ESP-IDF: `make firmware BOARD=… `.

Both are only named, never fetched: what is missing is said before anything is built, all of it at once, with the
commands that get it. The build is MicroPython's own, `make -C ports/esp32`, with the board's folder from here; its
results are in build/firmware/BOARD: firmware.bin (everything, from the bootloader on) and micropython.bin (one slot).
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from tools.board_checks import BOARDS, PORT_FILES, board_names, faults, read_partitions
from tools.manifests import INCLUDES, evaluate

ROOT = Path(__file__).resolve().parent.parent
MICROPYTHON = (1, 29)
IDF = "v5.5.2"
IDF_RANGE = ((5, 3, 0), (5, 5, 4))  # what MicroPython 1.29 supports

GET_MICROPYTHON = """\
    git clone --branch v1.29.0 https://github.com/micropython/micropython.git ~/micropython
    git -C ~/micropython submodule update --init lib/micropython-lib
    make firmware BOARD={board} MICROPYTHON_SRC=~/micropython …"""
GET_LIBRARY = "    git -C {source} submodule update --init lib/micropython-lib"
GET_IDF = """\
    git clone --branch v5.5.2 --recursive --shallow-submodules https://github.com/espressif/esp-idf.git ~/esp-idf
    ~/esp-idf/install.sh {chip}
    make firmware BOARD={board} IDF_PATH=~/esp-idf …"""
GET_TOOLS = "    {idf}/install.sh {chip}"

# On Linux these are not among what install.sh installs (ESP-IDF, "Standard Toolchain Setup", step 1).
PROGRAMS = ("cmake", "ninja")
GET_PROGRAMS = """\
    sudo apt-get install git wget flex bison gperf python3-venv cmake ninja-build libffi-dev libssl-dev libusb-1.0-0"""


def missing(board, source, idf):
    """What a build of `board` lacks: [(what, how to get it)], empty when it can begin. Paths are text, or None."""
    chip = _chip(board)
    found = []
    if not source:
        found.append(("MICROPYTHON_SRC is not set: a checkout of MicroPython", GET_MICROPYTHON.format(board=board)))
    else:
        found += _missing_micropython(board, Path(source).expanduser())
    if not idf:
        found.append(("IDF_PATH is not set: an ESP-IDF %s" % IDF, GET_IDF.format(board=board, chip=chip)))
    else:
        found += _missing_idf(board, chip, Path(idf).expanduser())
    programs = [name for name in PROGRAMS if not shutil.which(name) and not (_tools() / name).is_dir()]
    if programs:
        found.append(("not installed, and ESP-IDF builds with it: %s" % ", ".join(programs), GET_PROGRAMS))
    return found


def _missing_micropython(board, source):
    get = GET_MICROPYTHON.format(board=board)
    try:
        text = (source / "py" / "mpconfig.h").read_text()
    except OSError:
        return [("MICROPYTHON_SRC=%s is no checkout of MicroPython: py/mpconfig.h is not there" % source, get)]
    version = tuple(int(re.search(r"#define MICROPY_VERSION_%s (\d+)" % part, text)[1]) for part in ("MAJOR", "MINOR"))
    if version < MICROPYTHON:
        return [("MICROPYTHON_SRC=%s is MicroPython %d.%d, 1.29 or newer is needed" % (source, *version),
                 "    git -C %s fetch --tags && git -C %s checkout v1.29.0" % (source, source))]
    library = source / "lib" / "micropython-lib"
    found = []
    if not library.is_dir() or not any(library.iterdir()):
        found.append(("%s is empty: micropython-lib, for require()" % library, GET_LIBRARY.format(source=source)))
    wanted = [source / "ports" / "esp32" / file for file in ("Makefile",) + PORT_FILES]
    wanted += [source / target.removeprefix("$(MPY_DIR)/") / "manifest.py" for target in INCLUDES]
    wanted += [source / "ports" / "esp32" / "modules" / name
               for name, (own, _) in evaluate(BOARDS / board / "manifest.py").files.items() if own is None]
    return found + [("%s is not there: is this the MicroPython that boards/ is written for?" % path,
                     "    git -C %s checkout v1.29.0" % source) for path in wanted if not path.is_file()]


def _missing_idf(board, chip, idf):
    get = GET_IDF.format(board=board, chip=chip)
    try:
        text = (idf / "tools" / "cmake" / "version.cmake").read_text()
    except OSError:
        return [("IDF_PATH=%s is no ESP-IDF: tools/cmake/version.cmake is not there" % idf, get)]
    version = tuple(int(re.search(r"IDF_VERSION_%s (\d+)" % part, text)[1]) for part in ("MAJOR", "MINOR", "PATCH"))
    if not IDF_RANGE[0] <= version <= IDF_RANGE[1]:
        return [("IDF_PATH=%s is ESP-IDF v%d.%d.%d, MicroPython 1.29 wants v5.3 to v5.5.4, best %s"
                 % (idf, *version, IDF),
                 "    git -C %s fetch --tags && git -C %s checkout %s && git -C %s submodule update --init --recursive"
                 % (idf, idf, IDF, idf))]
    tools = _tools()
    compiler = "riscv32-esp-elf" if chip == "esp32c3" else "xtensa-esp-elf"
    if not (tools / compiler).is_dir():
        return [("the compiler is not installed: no %s in %s" % (compiler, tools),
                 GET_TOOLS.format(idf=idf, chip=chip))]
    return []


def _tools():
    return Path(os.environ.get("IDF_TOOLS_PATH", "~/.espressif")).expanduser() / "tools"


def commands(board, source, idf, out):
    """The lines of bash that build `board` into the folder `out`."""
    port = "make -C %s BOARD_DIR=%s BUILD=%s" % tuple(
        shlex.quote(str(path)) for path in (Path(source).expanduser() / "ports" / "esp32", BOARDS / board, out))
    return [
        "export IDF_PATH=%s" % shlex.quote(str(Path(idf).expanduser())),
        '. "$IDF_PATH/export.sh"',
        "make -C %s" % shlex.quote(str(Path(source).expanduser() / "mpy-cross")),
        port + " submodules",
        port + " all",
    ]


def build(board, source, idf):
    """Check, build, report. Returns the exit status."""
    if board not in board_names():
        print("make firmware BOARD=…: one of %s" % ", ".join(board_names()))
        return 2
    wrong = faults(board)
    if wrong:
        print("\n".join(wrong))
        return 1
    lacking = missing(board, source, idf)
    if lacking:
        print("An image for %s can not be built yet.\n" % board)
        for what, how in lacking:
            print("* %s\n%s\n" % (what, how))
        return 1
    out = ROOT / "build" / "firmware" / board
    out.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["bash", "-e", "-c", "\n".join(commands(board, source, idf, out))], cwd=ROOT)
    if done.returncode:
        print("The build of %s failed; the messages above are MicroPython's and ESP-IDF's." % board)
        return 1
    slot = [one for one in read_partitions((BOARDS / board / "partitions.csv").read_text()) if one.name == "ota_0"][0]
    size = (out / "micropython.bin").stat().st_size
    print("%s\n%s: %d of the %d bytes of a slot" % (out / "firmware.bin", out / "micropython.bin", size, slot.size))
    print("onto a board: make flash BOARD=%s PORT=…" % board)
    return 0


def _chip(board):
    return re.search(r"mpconfigboard_(\w+)_common", (BOARDS / board / "mpconfigboard.cmake").read_text())[1]


def main():
    parser = argparse.ArgumentParser(description="Build the image of a board.")
    parser.add_argument("board", nargs="?", default="")
    parser.add_argument("--micropython", default=os.environ.get("MICROPYTHON_SRC"))
    parser.add_argument("--idf", default=os.environ.get("IDF_PATH"))
    options = parser.parse_args()
    return build(options.board, options.micropython, options.idf)


if __name__ == "__main__":
    sys.exit(main())
