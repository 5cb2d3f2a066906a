"""The firmware in a ROMFS image, and a heap as small as that of an ESP32 without PSRAM."""

from virtual_boards import ask, at_repl

from tools import image, small_heap

# The heap that a stock ESP32 can spare beside Wi-Fi and one TLS socket is 100 kB. Here objects take twice the room.
TARGET = 200  # kB


def test_the_story_over_wss_is_complete_in_the_heap_of_a_small_board():
    problem = small_heap.play(TARGET, "--wss")
    assert not problem, "%s, with %d kB; `python -m tools.small_heap` finds what it takes\n%s" % (
        problem[0], TARGET, problem[1])


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
