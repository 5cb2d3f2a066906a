"""An agent in ROMFS: `make deploy` onto a board with an image of ours, and which agent _boot.py chooses.

Whatever is cut, pulled out or spoilt, it is one agent or the other, all of it, and in the end the frozen one.
"""

import contextlib
import itertools
import os
import random
import subprocess
import sys
from types import SimpleNamespace

import pytest
from deployments import Loose, Noisy, Unplugged, Watched, boots, make
from holdfast import __version__
from virtual_boards import PROMPT, ask, at_repl, nvs

from tools import deploy, image, romfs
from tools.board_console import BoardError
from tools.board_repl import Repl
from tools.virtual_board import CUT_MODES, build_of

NOWHERE = "ws://127.0.0.1:9/"
PARTS = ("holdfast/__init__.py", "holdfast/other.py", "holdfast/inner/__init__.py")
MAIN = b"""
import esp32, holdfast, holdfast.inner, holdfast.other
print('agent', holdfast.V, holdfast.other.V, holdfast.inner.V)
nvs = esp32.NVS('holdfast')
nvs.set_i32('trial', 0)
nvs.commit()
"""
FROZEN = 0  # the version of the agent in the image
GIVEN_UP = "failed three times in a row: the frozen one runs"


def agent(version, **more):
    """A small agent of three blocks, two of which are the same in every version."""
    files = {name: b"V = %d\n" % version for name in PARTS}
    files["holdfast/same.py"] = random.Random(1).randbytes(9000)
    files.update(more)
    return files


def said(version):
    return "agent %d %d %d\r\n" % ((version,) * 3)


@pytest.fixture
def board(make_board):
    """A board with an image of ours, in which the agent FROZEN is, and with an empty partition for others."""
    frozen = image.frozen_image({**agent(FROZEN), "boot.py": b"", "main.py": MAIN})
    return at_repl(make_board(romfs=b"", frozen=frozen))


def put(board, files):
    with Repl(board.port) as repl:
        assert deploy.check(repl) is romfs.deploy
        return romfs.deploy(repl, files)


def state(board):
    """What is in flash and NVS, to be brought back by `restore`; the board must be off."""
    return [(path, open(path, "rb").read()) for path in (board.romfs, board.image + ".nvs")]


def restore(saved):
    for path, content in saved:
        with open(path, "r+b") as file:
            file.truncate()
            file.write(content)


def spoil(board, slot, offset, size=1):
    """Make bits of a slot 0, as flash that wears out does."""
    with open(board.romfs, "r+b") as file:
        file.seek(slot * image.ROMFS_SIZE // 2 + offset)
        before = file.read(size)
        file.seek(-size, 1)
        file.write(bytes(octet & octet - 1 if octet else 255 for octet in before))


# --- a deployment


def test_an_empty_partition_leaves_the_frozen_agent_without_a_word(board):
    assert said(FROZEN) in board.transcript and "holdfast:" not in board.transcript
    assert ask(board, "'/agent/lib' in __import__('sys').path") == "False"


def test_an_agent_that_is_deployed_runs_instead_of_the_frozen_one(board):
    assert put(board, agent(1)) == (3 * 4096, 3, 3)
    assert said(1) in boots(board)
    assert board.flash.violations == 0


def test_what_is_there_already_is_not_written_again(board):
    put(board, agent(1))
    before = board.flash
    assert put(board, agent(1)) is None
    assert board.flash == before


def test_of_a_new_version_only_the_files_that_changed_go_over_the_cable(board):
    put(board, agent(1))
    sent, written, blocks = put(board, agent(2))
    assert sent < 4096 and written == blocks == 3, "the other slot was empty, but the board has most of it"
    sent, written, blocks = put(board, agent(3))
    assert sent < 4096 and written == 1, "and then the blocks are there too"
    assert said(3) in boots(board)


def test_a_change_of_length_moves_what_follows_without_sending_it(board):
    put(board, agent(1))
    sent, written, _ = put(board, agent(2, **{"holdfast/a.py": b"# longer\n" * 10}))
    assert sent < 4096 + 90 and written == 3
    assert said(2) in boots(board)


def test_the_version_before_the_last_is_still_there(board):
    put(board, agent(1))
    put(board, agent(2))
    assert put(board, agent(1)) == (0, 0, 3)
    assert said(1) in boots(board)


@pytest.mark.parametrize("before", ["frozen", "deployed", "failed"])
def test_a_power_cut_leaves_the_old_agent_or_the_new_one(board, before):
    """In every flash operation of a deployment, and the one that matters most left in every way that it can be."""
    seed = random.randrange(1000)
    print("seed", seed)
    draw = random.Random(seed)
    old = FROZEN
    if before != "frozen":
        put(board, agent(1))
        put(board, agent(2))
        old = 2
    if before == "failed":
        # Two agents are there and neither of them runs: the older one must not, should the deployment be interrupted.
        boots(board)
        ask(board, "import esp32; n = esp32.NVS('holdfast'); n.set_i32('failed', 2); n.commit()")
        old = FROZEN
    assert said(old) in boots(board)
    board.power_cut()
    saved = state(board)
    at_repl(board)
    start = board.flash.operations
    put(board, agent(3))
    operations = board.flash.operations - start
    assert operations == (8 if before == "frozen" else 4), "a header erased, blocks, a header programmed"
    seen = set()
    for operation in range(1, operations + 1):
        for mode in CUT_MODES if operation in (1, operations) else [draw.choice(CUT_MODES)]:
            board.power_cut()
            restore(saved)
            at_repl(board)
            board.cut_after(operation, mode)
            with Watched(board) as repl, contextlib.suppress(BoardError):
                romfs.deploy(repl, agent(3))
            board.wait_off()
            text = boots(board)
            assert (said(old) in text) != (said(3) in text), (seed, operation, mode, text)
            assert said(3) not in text or (operation, mode) == (operations, "done"), (seed, operation, mode)
            assert "damaged" not in text or operation in (1, operations), "a slot is empty while it is being filled"
            seen.add(said(3) in text)
    assert seen == {False, True}
    put(board, agent(4))
    assert said(4) in boots(board)
    assert board.flash.violations == 0


def test_a_pulled_cable_leaves_the_old_agent_or_the_new_one(board):
    old = FROZEN
    for count in itertools.count(1):
        try:
            with Loose(board.port, count) as repl:
                romfs.deploy(repl, agent(count))
            unplugged = False
        except Unplugged:
            unplugged = True
        Repl(board.port).close()  # a soft reset, as any tool makes
        text = boots(board)
        assert said(old) in text or said(count) in text, (count, text)
        old = count if said(count) in text else old
        if not unplugged:
            assert old == count and count > 8
            return


HALF = image.ROMFS_SIZE // 2 // 4096  # the first block of the second slot, which is the one that is filled below


@pytest.mark.parametrize("what, more, told", [
    ("nothing", "", None),
    ("part[0:", "\npart[9] ^= 1", "a block arrived damaged, try again"),
    ("put(%d," % (HALF + 1), "\nrom.writeblocks(%d, bytearray(4096))" % (HALF + 1), "so the old agent stays; try"),
    ("b'HOLDFAST", "\nrom.writeblocks(%d, bytearray(4096))" % HALF, "the flash of .* does not keep what is written"),
])
def test_what_is_damaged_on_its_way_into_the_flash_is_noticed_and_leaves_the_old_agent(board, what, more, told):
    put(board, agent(1))
    files = agent(2, **{"holdfast/more.py": random.Random(2).randbytes(5000)})
    with Noisy(board.port, what, more) as repl:
        if told:
            with pytest.raises(BoardError, match=told):
                romfs.deploy(repl, files)
        else:
            romfs.deploy(repl, files)
    assert said(1 if told else 2) in boots(board)


def test_how_far_it_is_can_be_told(board):
    told = []
    with Repl(board.port) as repl:
        romfs.deploy(repl, agent(1), lambda *one: told.append(one))
    assert told == [(4096, 3 * 4096), (2 * 4096, 3 * 4096), (3 * 4096, 3 * 4096)]


def test_boot_and_main_stay_those_of_the_image(board):
    put(board, agent(1, **{"boot.py": b"1 / 0\n", "main.py": b"1 / 0\n"}))
    assert said(1) in boots(board)
    assert ask(board, "__import__('os').listdir('/agent/lib')") == "['holdfast']"


def test_a_damaged_agent_is_deployed_again_although_it_is_the_same(board):
    put(board, agent(1))
    board.power_cut()
    spoil(board, 0, 5000)
    assert said(FROZEN) in boots(board)
    assert put(board, agent(1)) is not None
    assert said(1) in boots(board)


def test_a_header_that_tells_of_more_than_a_slot_holds_is_not_in_the_way(board):
    head = image.slot_header(build_of(image.frozen_image({**agent(FROZEN), "boot.py": b"", "main.py": MAIN})), 1, b"")
    board.power_cut()
    with open(board.romfs, "r+b") as file:
        file.write(head[:20] + b"\xff\xff\xff\xff" + head[24:])
    assert "agent 1 in ROMFS is damaged" in boots(board)
    put(board, agent(2))
    assert said(2) in boots(board)


def test_a_file_that_is_a_part_of_another_is_put_where_it_belongs(board):
    part = random.Random(3).randbytes(300)
    files = {"holdfast/a.py": part + bytes(50), "holdfast/b.py": part, "holdfast/c.py": bytes(90) + part}
    put(board, agent(1, **files))
    sent, _, _ = put(board, agent(2, **files))
    assert sent < 4096
    assert said(2) in boots(board)


def test_a_new_agent_has_all_of_its_chances(board):
    ask(board, "import esp32; n = esp32.NVS('holdfast'); n.set_i32('trial', 3); n.commit()")
    put(board, agent(1))
    board.power_cut()
    assert nvs(board.image)["trial"][1] == 0


def test_an_agent_runs_although_its_number_would_be_that_of_one_that_was_given_up(board):
    """Where the slot of that one cannot be read any more, its number is known from NVS only."""
    put(board, agent(1))
    put(board, agent(2))
    boots(board)
    ask(board, "import esp32; n = esp32.NVS('holdfast'); n.set_i32('failed', 2); n.commit()")
    board.power_cut()
    spoil(board, 1, 5000)
    boots(board)
    put(board, agent(3))
    assert said(3) in boots(board)


def test_make_deploy_brings_the_real_agent_and_says_what_it_did(make_board):
    files = {"config.json": image.charger_files(NOWHERE, "HOLDFAST-1")["config.json"]}
    board = make_board(files, 512 * 4096, romfs=b"", frozen=image.frozen_image())
    board.power_on()
    board.read_until("next attempt", 10)
    blocks = -(-len(image.romfs_image()) // 4096)
    done = make("deploy", board)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "an agent in ROMFS, verified by its hash: %d of its %d blocks written" % (blocks, blocks) in done.stdout
    assert "make provision PORT=%s tells it who it is" % board.port in done.stdout
    board.read_until("next attempt", 10)
    status = board.command("status")
    assert "station: HOLDFAST-1" in status and "agent: %s, ROMFS" % __version__ in status
    assert "nothing to do" in make("deploy", board).stdout
    board.read_until("next attempt", 10)
    board.write("\x03")
    board.read_until(PROMPT)
    assert ask(board, "__import__('sys').modules['holdfast.agent'].__file__") == "'/agent/lib/holdfast/agent.mpy'"


# --- refusals, before anything is written


def test_an_agent_too_large_for_a_slot_is_refused_and_told_what_fits(board):
    room = image.ROMFS_SIZE // 2 - 4096
    with Repl(board.port) as repl, pytest.raises(BoardError, match="(?s)room for %d.*make flash" % room):
        romfs.deploy(repl, {"holdfast/big.py": bytes(room)})
    assert board.flash.operations == 0


def test_an_image_of_ours_without_the_partition_is_refused_and_told_what_fits(make_board):
    board = at_repl(make_board(frozen=image.frozen_image({"holdfast/__init__.py": b""})))
    with Repl(board.port) as repl, pytest.raises(BoardError, match="(?s)no ROMFS partition.*make backup.*make flash"):
        deploy.check(repl)


def test_a_partition_alone_is_none_of_ours(make_board):
    """Without a frozen agent there is no _boot.py either that would look for slots."""
    board = at_repl(make_board(romfs=b""))
    with Repl(board.port) as repl:
        assert deploy.check(repl) is deploy.deploy


# --- which agent runs


@pytest.mark.parametrize("offset", [17, 20, 24, 55, 4096, 4096 + 9000])
def test_a_damaged_slot_leaves_the_older_agent_and_is_told(board, offset):
    put(board, agent(1))
    put(board, agent(2))
    board.power_cut()
    spoil(board, 1, offset)
    text = boots(board)
    assert said(1) in text and "in ROMFS is damaged" in text
    trouble = ask(board, "import esp32; b = bytearray(99); print(b[:esp32.NVS('holdfast').get_blob('trouble', b)])")
    assert "in ROMFS is damaged" in trouble


def test_the_outputs_are_switched_off_by_the_frozen_agent_before_another_is_looked_for(make_board):
    files = {"holdfast/__init__.py": b"", "holdfast/board.py": b"def quiet():\n print('quiet 0')\n", "boot.py": b""}
    board = make_board(romfs=b"", frozen=image.frozen_image({**files, "main.py": b"from holdfast import board\n"
                                                                                b"board.quiet()\n"}))
    at_repl(board)
    assert "quiet 0\r\nquiet 0\r\n" in board.transcript
    put(board, {**files, "holdfast/board.py": b"def quiet():\n print('quiet 1')\n"})
    assert "quiet 0\r\nquiet 1\r\n" in boots(board)


@pytest.mark.parametrize("error", [b"OSError(19)", b"ValueError('no such pin')", b"AttributeError('quiet')"])
def test_outputs_that_can_not_be_switched_off_do_not_keep_a_board_from_its_agent(make_board, error):
    files = {**agent(FROZEN), "holdfast/board.py": b"def quiet():\n raise %s\n" % error}
    board = at_repl(make_board(romfs=b"", frozen=image.frozen_image({**files, "boot.py": b"", "main.py": MAIN})))
    assert said(FROZEN) in board.transcript
    put(board, agent(1))
    assert said(1) in boots(board)


def test_two_damaged_slots_leave_the_frozen_agent(board):
    put(board, agent(1))
    put(board, agent(2))
    board.power_cut()
    spoil(board, 0, 5000)
    spoil(board, 1, 5000)
    text = boots(board)
    assert said(FROZEN) in text and "in ROMFS is damaged" in text
    put(board, agent(3))
    assert said(3) in boots(board)


def test_what_hangs_together_but_is_no_romfs_leaves_the_frozen_agent(board):
    board.power_cut()
    build = build_of(image.frozen_image({**agent(FROZEN), "boot.py": b"", "main.py": MAIN}))
    with open(board.romfs, "r+b") as file:
        file.write(image.romfs_partition((build, 1, b"not a ROMFS")))
    text = boots(board)
    assert said(FROZEN) in text and "agent 1 in ROMFS is damaged" in text


def test_another_image_brings_its_own_agent(make_board, board):
    """Else whoever flashes a newer image would still have what was once deployed onto an older one."""
    put(board, agent(1))
    board.power_cut()
    newer = make_board(romfs=b"", frozen=image.frozen_image({**agent(5), "boot.py": b"", "main.py": MAIN}))
    with open(newer.romfs, "r+b") as file:
        file.write(open(board.romfs, "rb").read())
    text = boots(newer)
    assert said(5) in text and "damaged" not in text
    put(newer, agent(6))
    assert said(6) in boots(newer)
    assert said(1) in boots(board), "and back on the older one there is what belongs to it"


def test_the_romfs_of_stock_mpremote_is_mounted_by_micropython_and_does_not_replace_the_agent(board, tmp_path):
    (tmp_path / "rom" / "lib" / "holdfast").mkdir(parents=True)
    (tmp_path / "rom" / "lib" / "holdfast" / "__init__.py").write_text("V = 99\n")
    (tmp_path / "rom" / "lib" / "extra.py").write_text("V = 98\n")
    command = [os.path.join(os.path.dirname(sys.executable), "mpremote"), "connect", board.port, "romfs"]
    shown = subprocess.run([*command, "query"], capture_output=True, text=True, timeout=30).stdout
    assert "%d bytes (96 blocks of 4096 bytes each)" % image.ROMFS_SIZE in shown and "Not a valid ROMFS" in shown
    done = subprocess.run([*command, "deploy", tmp_path / "rom"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout
    assert said(FROZEN) in boots(board)
    assert ask(board, "import extra; extra.V, extra.__file__") == "(98, '/rom/lib/extra.mpy')"
    put(board, agent(1))
    text = boots(board)
    assert said(1) in text


# --- agents that fail


def real(make_board, **broken):
    """A board with the real agent frozen, and one in ROMFS of which modules were replaced."""
    files = image.firmware_files()
    frozen = image.frozen_image(files)
    files = {name: content for name, content in files.items() if name not in image.RUN_BY_NAME}
    for module, source in broken.items():
        name = "lib/holdfast/%s.mpy" % module
        files[name] = image.compile_mpy(source, "holdfast/%s.py" % module)
    config = image.charger_files(NOWHERE, "HOLDFAST-1")["config.json"]
    return make_board({"config.json": config}, 512 * 4096, romfs=image.romfs(files), frozen=frozen, speed=10)


def runs_from(board):
    board.write("\x03")
    board.read_until(PROMPT)
    return ask(board, "print(__import__('sys').modules['holdfast.agent'].__file__)")


def test_an_agent_that_crashes_three_times_in_a_row_gives_way_to_the_frozen_one(make_board):
    board = real(make_board, station=b"raise RuntimeError('on purpose')\n")
    board.power_on()
    for _ in range(3):
        board.read_until("RuntimeError: on purpose", 10)
    board.read_until("holdfast: agent 1 from ROMFS " + GIVEN_UP, 10)
    board.read_until("next attempt", 10)
    assert any(GIVEN_UP in line for line in board.command("crash"))
    assert not any("safe mode" in line for line in board.command("status"))
    for _ in range(2):  # for good, and it is told once
        board.command("reboot")
        board.read_until("next attempt", 10)
    assert "\nRuntimeError" not in board.transcript.partition(GIVEN_UP)[2]
    assert board.transcript.count("holdfast: agent 1 from ROMFS") == 1
    assert runs_from(board) == "/.frozen/holdfast/agent.mpy"


def test_an_agent_that_cannot_even_count_its_crashes_gives_way_to_the_frozen_one(make_board):
    board = real(make_board, board=b"raise RuntimeError('on purpose')\n")
    for _ in range(3):
        board.power_on()
        board.read_until(PROMPT)
        board.power_cut()
    board.power_on()
    board.read_until("holdfast: agent 1 from ROMFS " + GIVEN_UP, 10)
    board.read_until("next attempt", 10)


def test_the_same_agent_may_be_deployed_again_after_it_was_given_up(board):
    put(board, agent(1))
    boots(board)
    ask(board, "import esp32; n = esp32.NVS('holdfast'); n.set_i32('failed', 1); n.commit()")
    assert said(FROZEN) in boots(board)
    sent, _, _ = put(board, agent(1))
    assert sent < 4096
    assert said(1) in boots(board)


def test_neither_power_cuts_nor_tools_use_up_the_chances_of_an_agent_that_works(make_board):
    board = real(make_board)
    for _ in range(5):
        board.power_on()
        board.read_until("next attempt", 10)
        board.power_cut()
    board.power_on()
    board.read_until("next attempt", 10)
    for _ in range(5):
        Repl(board.port).close()
    board.write("\x02\x04")
    board.read_until("next attempt", 10)
    assert runs_from(board) == "/agent/lib/holdfast/agent.mpy"


class Machine:
    PWRON_RESET, HARD_RESET, WDT_RESET, SOFT_RESET = 1, 2, 3, 5

    def __init__(self, cause):
        self.reset_cause = lambda: getattr(self, cause + "_RESET")


class Nvs:
    """esp32.NVS of one namespace; `fails`: nothing can be written."""

    def __init__(self, values, fails=False):
        self.values, self.fails = values, fails

    def NVS(self, namespace):
        assert namespace == "holdfast"
        return self

    def get_i32(self, key):
        if key not in self.values:
            raise OSError(-0x1102)
        return self.values[key]

    def set_i32(self, key, value):
        self.values[key] = value

    def commit(self):
        if self.fails:
            raise OSError(-0x1105, "ESP_ERR_NVS_NOT_ENOUGH_SPACE")


ON_PURPOSE, RUNNING, CRASHED = range(3)


def boot_py():
    """The functions of _boot.py, none of which has run."""
    names = {}
    exec((image.ROOT / "firmware" / "_boot.py").read_text().partition("\n_boot(")[0], names)
    return names


def given_up(monkeypatch, cause, fails=False, **values):
    """What _boot.py's `_failed(7)` answers, and what NVS holds then."""
    names = boot_py()
    nvs = Nvs(values, fails)
    monkeypatch.setitem(sys.modules, "machine", Machine(cause))
    monkeypatch.setitem(sys.modules, "esp32", nvs)
    return names["_failed"](7), nvs.values


@pytest.mark.parametrize("cause, values, given", [
    ("PWRON", {}, False),
    ("HARD", {"ended": CRASHED, "crashes": 1}, False),
    ("HARD", {"ended": CRASHED, "crashes": 2}, True),
    ("PWRON", {"ended": CRASHED, "crashes": 2}, False),  # who switches off and on wants another try
    ("WDT", {"ended": RUNNING, "crashes": 2}, True),
    ("HARD", {"ended": ON_PURPOSE, "crashes": 2}, False),
    ("HARD", {"trial": 2}, False),
    ("HARD", {"trial": 3}, True),
    ("PWRON", {"trial": 3}, True),
    ("SOFT", {"trial": 3}, False),
    ("HARD", {"trial": 3, "failed": 6}, True),
])
def test_an_agent_is_given_up_after_three_crashes_or_three_starts_that_led_nowhere(monkeypatch, cause, values, given):
    text, kept = given_up(monkeypatch, cause, **values)
    if given:
        assert text == "agent 7 from ROMFS " + GIVEN_UP
        assert kept["failed"] == 7 and kept["crashes"] == -1 and kept["trial"] == 0
    else:
        assert text is None
        assert kept["trial"] == values.get("trial", 0) + (cause != "SOFT") and kept.get("failed") is None


def test_an_agent_that_was_given_up_stays_so_without_a_word(monkeypatch):
    assert given_up(monkeypatch, "PWRON", failed=7) == ("", {"failed": 7})


def test_where_nothing_can_be_counted_the_frozen_agent_runs(monkeypatch):
    text, _ = given_up(monkeypatch, "PWRON", fails=True)
    assert text.startswith("NVS fails") and "the frozen agent runs" in text


def test_a_board_without_a_file_system_and_without_nvs_goes_on_and_says_so(monkeypatch, capsys):
    for name in [name for name in sys.modules if name.startswith("holdfast")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "holdfast", None)  # the image has no agent either
    monkeypatch.setitem(sys.modules, "flashbdev", SimpleNamespace(bdev=None))
    nvs = Nvs({}, fails=True)
    nvs.set_blob = lambda key, value: None
    monkeypatch.setitem(sys.modules, "esp32", nvs)
    mounted = []
    names = boot_py()
    names["_boot"](lambda device, note: mounted.append(device), lambda failed: "no ROMFS (19)", None, names["_note"])
    assert mounted == [] and capsys.readouterr().out == "holdfast: no ROMFS (19)\n"


# --- the image


def test_a_romfs_image_is_the_one_that_mpremote_builds(tmp_path):
    files = {"lib/holdfast/" + name: content for name, content in agent(1).items()} | {"a.txt": b"", "lib/z": b"1"}
    for name, content in files.items():
        (tmp_path / "rom" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "rom" / name).write_bytes(content)
    command = [sys.executable, "-m", "mpremote", "romfs", "--no-mpy", "-o", tmp_path / "own", "build", tmp_path / "rom"]
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    assert image.romfs(files) == (tmp_path / "own").read_bytes()


def test_a_partition_has_room_for_two_and_no_more():
    room = image.ROMFS_SIZE // 2 - 4096
    slot = (bytes(8), 1, bytes(room))
    assert len(image.romfs_partition(slot, slot)) == image.ROMFS_SIZE
    with pytest.raises(ValueError):
        image.romfs_partition((bytes(8), 1, bytes(room + 1)))
