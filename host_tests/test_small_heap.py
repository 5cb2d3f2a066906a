"""The firmware in a ROMFS image, and a heap as small as that of an ESP32 without PSRAM."""

import asyncio
import json
import re
import tempfile

from tls_peers import pki, right
from virtual_boards import PROMPT, ask, at_repl

from tools import gc_cost, image, small_heap
from tools.csms import Csms

# The heap that a stock ESP32 can spare beside Wi-Fi and one TLS socket is 100 kB. Here objects take twice the room.
TARGET = 200  # kB
THRESHOLD = 8192  # bytes allocated until garbage is collected, as agent.py has it


def test_the_story_over_wss_is_complete_in_the_heap_of_a_small_board():
    """Long before the target is missed: in what the README says that it takes, and 3 %. So an agent that takes a tenth
    more when idle is noticed, and a README that does not tell of it."""
    row = next(line for line in (image.ROOT / "README.md").read_text().splitlines() if "tools.small_heap`" in line)
    told, target = map(int, re.findall(r"\| (\d+) kB", row))
    assert target == TARGET
    heap = min(told + told * 3 // 100, TARGET)
    problem = small_heap.play(heap, "--wss")
    assert not problem, "%s, with %d kB; `python -m tools.small_heap` finds what it takes\n%s" % (
        problem[0], heap, problem[1])


def test_the_first_tls_connection_is_made_before_the_heap_has_to_grow(make_board):
    """An ESP32 begins with a heap of 56 KiB (ports/esp32/mpconfigport.h) and takes more when that is full. Until the
    first handshake is over the agent gets along with that, so there is most of ESP-IDF's memory for Mbed TLS."""

    async def situation():
        async with Csms(password="a-password-of-some-length", tls=right()) as csms:
            settings = image.make_config(csms.url, "HOLDFAST-1", password="a-password-of-some-length",
                                         ca_certificate="/ca.pem")
            files = {"config.json": json.dumps(settings), "ca.pem": pki().root.pem}
            board = make_board(files, 512 * 4096, frozen=image.frozen_image(), heap="%dK" % TARGET)
            await board.apower_on()
            await (await csms.station()).registered()
            for line in await board.acommand("memory"):
                if line.startswith("TLS handshake"):
                    assert int(line.split(", ")[-2]) <= 2 * 56 * 1024, line
                    return
            raise AssertionError("memory says nothing about TLS")

    asyncio.run(situation())


def test_collecting_garbage_in_time_leaves_a_heap_in_one_piece():
    """What agent.py says about its threshold for the collector, and why it has one."""
    with tempfile.TemporaryDirectory() as directory:
        gc_cost.build(directory)
        full, chosen = [gc_cost.measure(policy, directory + "/lib") for policy in ("full", str(2 * THRESHOLD))]
    assert chosen["hole"] > 5 * full["hole"]
    assert chosen["peak"] < 0.75 * full["peak"]


def test_the_agent_has_garbage_collected_in_time(make_board):
    board = make_board(image.charger_files("ws://127.0.0.1:9/", "HOLDFAST-1"), 512 * 4096)
    board.power_on()
    board.read_until("next attempt")
    board.write("\x03")
    board.read_until(PROMPT)
    assert ask(board, "import gc; gc.threshold()") == str(THRESHOLD)


def test_the_firmware_has_the_heap_asked_for_and_no_more(make_board):
    board = at_repl(make_board(romfs=image.romfs_image(), heap="200K"))
    ask(board, "import gc; gc.collect()")
    allocated, free = map(int, ask(board, "print(gc.mem_alloc(), gc.mem_free())").split())
    assert 0.97 * 200 * 1024 < allocated + free <= 200 * 1024
    assert allocated < 12 * 1024  # before the firmware: the file system and the REPL
    assert "MemoryError" in ask(board, "bytearray(%d)" % (200 * 1024))
    assert ask(board, "len(bytearray(%d))" % (150 * 1024)) == str(150 * 1024)  # it is in one piece


def test_code_in_romfs_is_found_as_on_a_board_and_takes_no_heap_for_bytecode(make_board):
    taken = []
    in_flash = {name: content for name, content in image.firmware_files().items() if name.startswith("lib/")}
    for files, romfs in ((in_flash, None), ({}, image.romfs_image())):
        board = at_repl(make_board(files, 1 << 20, romfs=romfs))
        ask(board, "import gc; gc.collect(); before = gc.mem_alloc()")
        ask(board, "import holdfast.station")
        ask(board, "gc.collect()")
        taken.append(int(ask(board, "print(gc.mem_alloc() - before)")))
        place = ask(board, "print(holdfast.__file__)")
    assert place == "/agent/lib/holdfast/__init__.mpy"
    assert ask(board, "import sys; print(sys.path)") == "['', '/agent/lib', '.frozen', '/lib']"
    assert taken[1] < 0.7 * taken[0], taken


def test_code_in_romfs_is_still_there_after_a_soft_reset(make_board):
    board = at_repl(make_board(romfs=image.romfs_image(), heap="200K"))
    board.write("\x04")
    board.read_until("soft reboot")
    board.read_until(">>> ")
    assert ask(board, "import holdfast.clock as clock; print(clock.parse('1970-01-01T00:00:09Z'))") == "9"
