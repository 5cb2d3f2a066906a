"""Writes an image onto a board over its serial cable, with esptool: `make flash BOARD=… PORT=…`.

The image is the one that `make firmware` built, or IMAGE=file: from the bootloader on, so that a bare chip needs no
more; what NVS held is gone with it, as MicroPython fills the gaps of an image. Before anything is written the image is
looked at: that it is there, that it is such an image, and that it is for the chip of this board. Then esptool does its
work, and what can be done about its complaints is said.
"""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from tools.board_checks import BOARDS, board_names
from tools.image import ROOT

# What the header of an image says of the chip, at octets 12 and 13 (docs.espressif.com, "Firmware Image Format").
CHIPS = {"esp32": 0, "esp32s3": 9, "esp32c3": 5}
MAGIC = 0xE9
TABLE = 0x8000  # where the partition table is in flash, with two octets of its own to begin with
TABLE_MAGIC = b"\xaa\x50"
BAUD = "460800"

BUILD = """\
there is no image {image}. Build it,

    make firmware BOARD={board} MICROPYTHON_SRC=… IDF_PATH=…

or name one that you have: make flash BOARD={board} PORT={port} IMAGE=file.bin"""
BUTTON = """\
The chip did not answer. Hold the button BOOT (on some boards FLASH or 0), press and release RESET (EN), release BOOT,
and do this again. Without buttons: pin GPIO{pin} to ground while the power comes on."""
NEXT = """\
{board} has its image. It restarts; tell it who it is:

    make provision BOARD={board} PORT={port}

If it was a station before: its records are still there, its passwords and its key, which were in NVS, are not."""
ERASED = """\
{board} has its image, and nothing else is left in its flash. It restarts; tell it who it is:

    make provision BOARD={board} PORT={port}"""


class Refused(Exception):
    """Nothing was written; the text says why, and what to do."""


def description(board):
    """(chip, where the image belongs in flash, as text) of a board, from its board.json."""
    content = json.loads((BOARDS / board / "board.json").read_text())
    return content["mcu"], content["deploy_options"]["flash_offset"]


def check_image(image, board, port):
    """Refused, unless `image` (Path) is a whole image for the chip of `board`."""
    chip, offset = description(board)
    try:
        content = image.read_bytes()
    except FileNotFoundError:
        raise Refused(BUILD.format(image=image, board=board, port=port))
    except OSError as error:
        raise Refused("%s: %s" % (image, error.strerror))
    if len(content) < 24 or content[0] != MAGIC:
        raise Refused("%s is no image of an ESP32: such a one begins with the octet E9" % image)
    found = int.from_bytes(content[12:14], "little")
    if found != CHIPS[chip]:
        named = [name for name, number in CHIPS.items() if number == found]
        raise Refused("%s is for another chip: %s, and %s has an %s"
                      % (image, named[0] if named else "number %d" % found, board, chip))
    table = TABLE - int(offset, 0)
    if content[table:table + 2] != TABLE_MAGIC:
        raise Refused("%s has no bootloader and no partition table: is it micropython.bin, which is one slot only?"
                      " firmware.bin beside it is what a bare chip needs" % image)


def command(board, port, image, erase=False, esptool=None):
    """The command line that writes the image."""
    chip, offset = description(board)
    return [esptool or str(Path(sys.executable).parent / "esptool"), "--chip", chip, "--port", port, "--baud", BAUD,
            "write-flash", *(["--erase-all"] if erase else []), offset, str(image)]


def advice(output, board, port):
    """What can be done about a failure, by what esptool said of it."""
    wrong = re.search(r"This chip is (\S+?), not", output)
    if wrong:
        mcu = wrong[1].lower().replace("-", "")
        others = [name for name in board_names() if description(name)[0] == mcu]
        return "The board at %s has another chip, an %s: BOARD=%s" % (
            port, wrong[1], " or ".join(others) or "… there is no folder for it in boards/")
    if "Could not open" in output:
        if not os.path.exists(port):
            return "There is no %s: is the cable in? `ls /dev/tty[AU]*` shows the ports." % port
        return ("No access to %s: close what has it open, or if it is the right to use it that is missing,"
                " `sudo usermod -a -G dialout $USER`, and log in anew." % port)
    if "Failed to connect" in output or "No serial data" in output:
        return BUTTON.format(pin=9 if description(board)[0] == "esp32c3" else 0)
    return "esptool failed; what it says is above. Slower is safer: a short cable, no hub, and again."


def flash(board, port, image=None, erase=False, esptool=None):
    """Check and write. Returns the exit status. Raises Refused."""
    if board not in board_names():
        raise Refused("BOARD=… is one of %s" % ", ".join(board_names()))
    image = Path(image) if image else ROOT / "build" / "firmware" / board / "firmware.bin"
    check_image(image, board, port)
    line = command(board, port, image, erase, esptool)
    print(shlex.join([Path(line[0]).name, *line[1:]]), flush=True)
    output = ""
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        while data := process.stdout.read1(4096):  # as it comes: it draws its progress
            text = data.decode(errors="replace")
            sys.stdout.write(text)
            sys.stdout.flush()
            output += text
    if process.returncode:
        print("\n" + advice(output, board, port))
        return 1
    print("\n" + (ERASED if erase else NEXT).format(board=board, port=port))
    return 0


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.flash", description=__doc__.split("\n")[0])
    parser.add_argument("board", nargs="?", default="")
    parser.add_argument("port", nargs="?", default="")
    parser.add_argument("--image", help="an image other than the one that make firmware built")
    parser.add_argument("--erase", action="store_true", help="erase all of the flash first, with all that is stored")
    parser.add_argument("--esptool", default=os.environ.get("ESPTOOL"), help="another esptool than the pinned one")
    options = parser.parse_args()
    try:
        return flash(options.board, options.port, options.image, options.erase, options.esptool)
    except Refused as error:
        print("flash: %s" % error, file=sys.stderr)
    except FileNotFoundError as error:
        print("flash: there is no %s" % error.filename, file=sys.stderr)
    except KeyboardInterrupt:
        print("\nflash: interrupted, and the board has no whole image now; do it again", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
