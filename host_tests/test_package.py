"""package.json installs the firmware with stock `mpremote mip install`: exactly its files, where MicroPython looks."""

# ruff: noqa: F811 (the fixture make_board is imported, and an argument of the tests)

import os
import subprocess
import sys

from virtual_boards import at_repl, make_board  # noqa: F401

from tools import deploy, image, package

MPREMOTE = os.path.join(os.path.dirname(sys.executable), "mpremote")


def test_package_json_lists_exactly_the_files_of_the_firmware():
    written = (package.ROOT / "package.json").read_text()
    assert written == package.text(), "the firmware has other files: run python -m tools.package"


def test_what_only_an_image_can_run_is_in_no_deployment():
    assert [name for name in deploy.slot_files() if "_boot" in name] == []
    assert [entry for entry in package.package()["urls"] if "_boot" in entry[0]] == []


def test_main_comes_last():
    assert package.package()["urls"][-1] == ["../main.py", "firmware/main.py"]


def test_mip_puts_every_file_where_it_belongs_and_the_agent_starts(make_board):
    board = at_repl(make_board({}, size=image.DEFAULT_SIZE))
    done = subprocess.run([MPREMOTE, "connect", board.port, "mip", "install", "./package.json"], cwd=package.ROOT,
                          capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    board.power_cut()
    board.power_on()
    board.read_until("no station: config.json: the file is missing", 20)  # the agent runs
    assert board.command("status", 10)
    board.close()
    wanted = image.firmware_files(compiled=False)
    for name in package.ONLY_FROZEN:
        wanted.pop(name, None)
        wanted.pop("lib/" + name, None)
    assert image.read_image(board.image) == wanted
