"""The virtual board has NOR flash: it loses its power as hardware does, fails when told to, and littlefs copes."""

# ruff: noqa: F811 (the fixture make_board is imported, and an argument of the tests)

import random
import subprocess
import time

import pytest
from virtual_boards import CONSOLE, PROMPT, SIZE, ask, at_repl, make_board  # noqa: F401

from tools import image
from tools.board_parts import JOURNAL_HEAD, Flash
from tools.virtual_board import CUT_MODES, ROOT, VirtualBoard, find_micropython

# --- flash


def test_image_made_on_the_host_is_read_by_the_board(make_board):
    board = at_repl(make_board({"lib/deep/er.txt": b"\x00\xff text", "big": b"0123456789" * 1000}))
    assert ask(board, "open('/lib/deep/er.txt', 'rb').read()") == r"b'\x00\xff text'"
    assert ask(board, "open('big').read() == '0123456789' * 1000") == "True"


def test_image_written_by_the_board_is_read_on_the_host(make_board):
    board = at_repl(make_board({"old": b"stays"}))
    ask(board, "import os; os.mkdir('d'); f = open('d/big', 'wb'); f.write(bytes(range(256)) * 40); f.close()")
    board.close()
    assert image.read_image(board.image) == {"old": b"stays", "d/big": bytes(range(256)) * 40}


def test_image_changed_on_the_host_is_read_by_the_board(make_board):
    board = at_repl(make_board({"a": "1", "b": "2"}))
    ask(board, "f = open('c', 'w'); f.write('3'); f.close()")
    board.power_cut()
    image.update_image(board.image, {"a": "changed"}, remove=["b"])
    at_repl(board)
    files = ask(board, "sorted((n[0], open(n[0]).read()) for n in __import__('os').ilistdir())")
    assert files == str([("a", "changed"), ("c", "3")])


def test_blank_flash_is_formatted(tmp_path):
    path = tmp_path / "blank.img"
    path.write_bytes(b"\xff" * SIZE)
    with VirtualBoard(path) as board:
        at_repl(board)
        ask(board, "f = open('x', 'w'); f.write('1'); f.close()")
    assert image.read_image(path) == {"x": b"1"}


def test_file_left_to_the_garbage_collector_is_written_as_on_a_board(make_board):
    board = at_repl(make_board())
    ask(board, "f = open('left', 'w'); f.write('to gc'); f = None")
    ask(board, "import gc; x = [[] for i in range(300)]; x = None; gc.collect(); gc.collect()")
    assert ask(board, "open('left').read()") == "'to gc'"
    assert not board.crashes


DEVICE = """
import sys
sys.path.insert(0, %r)
import nor
class Silent:
    def write(self, data): pass
device = nor.Nor(%r, %r, Silent(), 0, 0)
"""


def on_device(tmp_path, code):
    """Run code against the block device itself, without file system and supervisor; returns what it printed."""
    (tmp_path / "control").write_bytes(bytes(8))
    (tmp_path / "journal").write_bytes(bytes(8192))
    (tmp_path / "flash").write_bytes(b"\xff" * 8192)
    script = DEVICE % (str(ROOT / "tools" / "board"), str(tmp_path / "flash"), str(tmp_path)) + code
    done = subprocess.run([find_micropython(), "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.split()


def test_programming_a_byte_that_is_not_erased_is_an_error_and_changes_nothing(tmp_path):
    code = "print(device.writeblocks(0, b'ab', 10), device.writeblocks(0, b'cd', 11), device.violations)"
    assert on_device(tmp_path, code) == ["0", "-5", "1"]
    assert (tmp_path / "flash").read_bytes()[9:14] == b"\xffab\xff\xff"


def test_erasing_sets_one_whole_block_to_ff(tmp_path):
    code = "print(device.writeblocks(0, b'a', 9), device.writeblocks(1, b'b', 9), device.ioctl(6, 0))"
    assert on_device(tmp_path, code) == ["0", "0", "0"]
    assert (tmp_path / "flash").read_bytes() == b"\xff" * (4096 + 9) + b"b" + b"\xff" * (4096 - 10)


def test_littlefs_never_programs_a_byte_that_is_not_erased(make_board):
    seed = random.randrange(2**32)
    print("seed", seed)
    code = (
        "import os, random; random.seed(%d)\n"
        "for i in range(400):\n"
        "    n = 'f%%d' %% random.randrange(6)\n"
        "    with open(n, 'wb') as f: f.write(bytes(random.randrange(3000)))\n"
        "print('all written')\n"
    ) % seed
    board = make_board({"main.py": code}, size=16 * 4096)
    board.power_on()
    board.read_until("all written", timeout=20)
    assert board.flash.erases > 100 and board.flash.violations == 0


# --- power cuts

WRITER = "import os\nprint('go')\nwith open('record', 'wb') as f: f.write(b'new' * 10)\nprint('written')\n"


@pytest.mark.parametrize("mode", CUT_MODES)
def test_operation_that_is_cut_is_torn_as_asked(make_board, mode):
    board = make_board({"main.py": WRITER, "record": b"old"}, seed=1)
    before = board_bytes(board)
    board.cut_after(1, mode)
    board.power_on()
    cut = board.wait_off()
    assert (cut.mode, cut.kind, cut.operation) == (mode, "program", 1)
    assert "written" not in board.transcript
    found = board_bytes(board)
    outside = found[: cut.address] + found[cut.address + cut.length :]
    assert outside == before[: cut.address] + before[cut.address + cut.length :]
    torn = found[cut.address : cut.address + cut.length]
    half = cut.length // 2
    erased = [torn == b"\xff" * cut.length, torn[half:] == b"\xff" * (cut.length - half)]
    expected = {"not done": [True, True], "half done": [False, True], "garbled": [False, False], "done": [False, False]}
    assert erased == expected[mode]


def board_bytes(board):
    with open(board.image, "rb") as file:
        return file.read()


@pytest.mark.parametrize("mode", CUT_MODES)
def test_erase_that_is_cut_is_torn_as_asked(tmp_path, mode):
    path = tmp_path / "flash"
    path.write_bytes(bytes(3 * 4096))
    flash = Flash(path, tmp_path, seed=1)
    noted = JOURNAL_HEAD.pack(1, 2, 4096, 4096, 9, 0, 9, 0, 0) + bytes(4096)  # operation 9: erase block 1
    (tmp_path / "journal").write_bytes(noted)
    assert flash.tear(mode) == (mode, "erase", 9, 4096, 4096)
    flash.close()
    before, block, after = (path.read_bytes()[start : start + 4096] for start in (0, 4096, 8192))
    assert before == after == bytes(4096)
    if mode == "garbled":
        assert len(set(block)) > 200
    else:
        erased = {"not done": 0, "half done": 2048, "done": 4096}[mode]
        assert block == b"\xff" * erased + bytes(4096 - erased)


def test_file_is_old_or_new_after_a_cut_at_any_operation_in_any_mode(make_board):
    board = make_board({"main.py": WRITER, "record": b"old"})
    print("seed", board.seed)
    at_repl(board)
    board.power_cut()
    operations = board.flash.operations
    image.update_image(board.image, {"record": b"old"})
    seen = set()
    for operation in range(1, operations + 1):
        for mode in CUT_MODES:
            board.cut_after(operation, mode)
            board.power_on()
            board.wait_off()
            content = image.read_image(board.image)["record"]
            seen.add(content)
            at_repl(board)
            board.power_cut()
            image.update_image(board.image, {"record": b"old"})
    assert seen == {b"old", b"new" * 10}


def test_what_the_board_has_acknowledged_survives_a_power_cut(make_board):
    board = make_board({"main.py": CONSOLE})
    for _ in range(5):
        board.power_on()
        board.command("write")
        assert board.power_cut().mode == "idle"
        assert image.read_image(board.image)["record"] == b"new" * 10


def test_power_cut_in_the_middle_of_slow_flash_tears_the_operation(make_board):
    board = make_board({"main.py": WRITER, "record": b"old"}, program_us=500000)
    board.power_on()
    board.read_until("go")
    time.sleep(0.1)
    cut = board.power_cut("half done")
    assert (cut.mode, cut.kind) == ("half done", "program")


def test_board_survives_random_power_cuts(make_board):
    main = "n = 0\nwhile True:\n    n += 1\n    with open('f%d' % (n % 5), 'wb') as f: f.write(b'%d' % n * 20)\n"
    board = make_board({"main.py": main}, program_us=300, erase_us=2000)
    print("seed", board.seed)
    chance = random.Random(board.seed)
    torn = 0
    for _ in range(12):
        board.power_on()
        time.sleep(chance.random() * 0.06)
        torn += board.power_cut().mode != "idle"
        files = image.read_image(board.image)
        assert files.pop("main.py") == main.encode()
        assert all(content[: len(content) // 20] * 20 == content for content in files.values())
    assert torn and board.flash.violations == 0 and not board.crashes


def test_same_seed_tears_in_the_same_way(make_board):
    cuts = []
    for _ in range(2):
        board = make_board({"main.py": WRITER, "record": b"old"}, seed=7)
        for _ in range(5):
            board.cut_after(1)
            board.power_on()
            cuts.append(board.wait_off().mode)
    assert cuts[:5] == cuts[5:] and len(set(cuts)) > 1


def test_cut_is_counted_over_a_soft_reset(make_board):
    board = at_repl(make_board({"boot.py": "def w():\n    with open('x', 'w') as f: f.write('1')\n"}))
    ask(board, "w()")
    before = board.flash.operations
    board.cut_after(2)
    ask(board, "w()")
    board.write("\x04")
    board.read_until(PROMPT)
    assert board.flash.operations == before + 1 and board.is_on
    board.write("w()\r")
    assert board.wait_off().operation == before + 2


def test_nothing_is_cut_after_the_order_was_cancelled(make_board):
    board = make_board({"main.py": CONSOLE})
    board.power_on()
    board.cut_after(1)
    board.cancel_cut()
    board.command("write")
    assert board.is_on


# --- failing flash


def test_failing_flash_is_an_error_to_the_program_and_keeps_the_old_content(make_board):
    board = at_repl(make_board({"a": "old", "boot.py": "def w():\n    with open('a', 'w') as f: f.write('new')\n"}))
    board.fail_flash()
    assert "OSError: [Errno 5] EIO" in ask(board, "w()")
    board.heal_flash()
    board.power_cut()
    at_repl(board)
    assert ask(board, "open('a').read()") == "'old'"


def test_failing_flash_can_still_be_read(make_board):
    board = at_repl(make_board({"a": "old"}))
    board.fail_flash()
    assert ask(board, "open('a').read()") == "'old'"


def test_healed_flash_works_again(make_board):
    board = at_repl(make_board({"a": "old", "boot.py": "def w():\n    with open('a', 'w') as f: f.write('new')\n"}))
    board.fail_flash()
    ask(board, "w()")
    board.heal_flash()
    ask(board, "w()")
    assert ask(board, "open('a').read()") == "'new'"


# --- images


def test_config_names_two_evses_and_takes_other_values():
    config = image.make_config("ws://h/", "S1", message_limit=1000)
    assert config["evses"] == [{"connectors": ["cCCS2", "cType2"]}, {"connectors": ["sType2"]}]
    assert (config["station_id"], config["csms_url"], config["message_limit"]) == ("S1", "ws://h/", 1000)


def test_compiled_module_runs_on_the_board(make_board):
    mpy = image.compile_mpy(b"def answer():\n    return 6 * 7\n", "demo.py", ["-O2"])
    board = at_repl(make_board({"lib/demo.mpy": mpy}))
    assert ask(board, "import demo; demo.answer()") == "42"


def test_source_that_does_not_compile_is_named():
    with pytest.raises(SyntaxError, match="refuses demo: "):
        image.compile_mpy(b"def (:\n", "demo.py")
