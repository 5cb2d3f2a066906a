"""`make deploy`: only what changed goes over the cable, and an interrupted one leaves the old agent or the new one."""

import contextlib
import itertools
import random
import re
import signal
import subprocess
import sys
import time

import pytest
from deployments import Loose, Noisy, Unplugged, Watched, boots, make, soft_reset
from test_interview import typed
from virtual_boards import PROMPT, at_repl

from tools import board_repl, deploy, image, records
from tools.board_console import BoardError
from tools.board_repl import Repl, visit

NOWHERE = "ws://127.0.0.1:9/"
PARTS = ("holdfast/__init__.py", "holdfast/other.py", "holdfast/inner/__init__.py")


def agent(version, **more):
    """A small agent in many parts. When it starts it says which version each of them has."""
    files = {name: b"V = %d\n" % version for name in PARTS}
    files["boot.py"] = b"import holdfast\nB = holdfast.V, %d\n" % version
    files["main.py"] = (b"import holdfast.other, holdfast.inner\n"
                        b"print('agent', B, holdfast.other.V, holdfast.inner.V, %d)\n" % version)
    files["holdfast/same.py"] = b"# in every version\n" * 40
    files.update(more)
    return files


def flat(files):
    """The same as `mpremote mip install` puts it."""
    return {name if "/" not in name else "lib/" + name: content for name, content in files.items()}


def said(version):
    return "agent (%d, %d) %d %d %d\r\n" % ((version,) * 5)


def cut(board, operation, files):
    """Deploy, until the power is cut in the n-th flash operation from now; what the board says afterwards."""
    board.cut_after(operation)
    with Watched(board) as repl, contextlib.suppress(BoardError):
        deploy.deploy(repl, files)
    board.power_cut()  # should there have been fewer operations
    board.cancel_cut()
    board.power_on()
    return board.read_until(PROMPT)


def put(board, files):
    with Repl(board.port) as repl:
        return deploy.deploy(repl, files)


def test_an_empty_board_gets_the_agent(make_board):
    board = at_repl(make_board())
    assert put(board, agent(1)) == (6, 0)
    assert said(1) in boots(board)


def test_what_is_there_already_is_not_touched(make_board):
    board = at_repl(make_board())
    put(board, agent(1))
    before = board.flash
    assert put(board, agent(1)) is None
    assert board.flash.programs == before.programs


def test_only_what_changed_goes_over_the_cable(make_board):
    board = at_repl(make_board())
    put(board, agent(1))
    assert put(board, agent(2)) == (5, 1)
    assert put(board, agent(2, **{"holdfast/same.py": b"# not any more\n"})) == (1, 5)
    assert put(board, agent(2)) == (0, 0), "all of it is still in the other slot"
    assert said(2) in boots(board)


def test_a_file_that_the_new_agent_does_not_have_is_gone(make_board):
    board = at_repl(make_board(size=128 * 4096))
    put(board, agent(1, **{"holdfast/former/deep/gone.py": b""}))
    put(board, agent(2))
    put(board, agent(3))
    with Repl(board.port) as repl:
        for slot in deploy.SLOTS:
            assert sorted(name for name in repl.tree(slot) if "former" in name) == [], slot
    assert said(3) in boots(board)


def test_a_file_that_was_put_into_the_slot_by_hand_does_not_stay(make_board):
    """A .py beside its .mpy would be the one that is imported."""
    board = at_repl(make_board(size=128 * 4096))
    put(board, agent(1))
    with Repl(board.port) as repl:
        repl.write("/agent-a/holdfast/stray.py", b"")
    assert put(board, agent(1)) == (0, 6)
    with Repl(board.port) as repl:
        assert "holdfast/stray.py" not in repl.tree("/agent-b")
    assert said(1) in boots(board)


@pytest.mark.parametrize("name", ["boot.py", "main.py"])
def test_a_file_that_was_changed_in_the_root_by_hand_is_put_right(make_board, name):
    board = at_repl(make_board(size=128 * 4096))
    put(board, agent(1))
    with Repl(board.port) as repl:
        repl.run("with open('/%s', 'a') as f: f.write('# mine')" % name)
    assert put(board, agent(1)) is not None
    board.power_cut()
    assert b"# mine" not in image.read_image(board.image)[name]
    assert said(1) in boots(board)


def test_a_file_with_another_name_is_not_copied_from_where_it_is_about_to_be_removed(make_board):
    board = at_repl(make_board(size=128 * 4096))
    put(board, agent(1, **{"holdfast/a.py": b"# moved\n", "holdfast/c.py": b"C = 1\n", "holdfast/d.py": b"D = 1\n"}))
    put(board, agent(2))
    put(board, agent(3, **{"holdfast/b.py": b"# moved\n", "holdfast/c.py": b"D = 1\n", "holdfast/d.py": b"C = 1\n"}))
    board.power_cut()
    found = image.read_image(board.image)
    assert [found["agent-a/holdfast/%s.py" % name] for name in "bcd"] == [b"# moved\n", b"D = 1\n", b"C = 1\n"]
    assert said(3) in boots(board)


@pytest.mark.parametrize("what, more, told", [
    ("w(d(", "; w(b'x')", "what arrived in /agent-b is not what was sent, so the old agent stays"),
    ("copy(", "\nwith open('/agent-b/holdfast/same.py', 'a') as f: f.write('x')", "what arrived in /agent-b"),
    ("/boot.py.new", "; w(b'x')", "/boot.py arrived damaged, nothing was changed"),
])
def test_what_arrives_damaged_is_noticed_and_leaves_the_old_agent(make_board, what, more, told):
    board = at_repl(make_board(size=128 * 4096))
    put(board, agent(1))
    with Noisy(board.port, what, more) as repl, pytest.raises(BoardError, match=told):
        deploy.deploy(repl, agent(2))
    assert said(1) in boots(board)
    put(board, agent(2))
    assert said(2) in boots(board)


def test_a_board_installed_by_mip_is_taken_over(make_board):
    board = at_repl(make_board(flat(agent(1))))
    assert said(1) in board.transcript
    assert put(board, agent(2)) == (5, 1)
    assert said(2) in boots(board)


def test_mip_takes_over_from_deploy(make_board):
    board = make_board(flat(agent(1)), size=128 * 4096)
    board.power_on()
    put(board, agent(2))
    board.power_cut()
    image.update_image(board.image, flat(agent(3)))
    assert said(3) in boots(board)


@pytest.mark.parametrize("before", ["nothing", "mip", "deploy"])
def test_a_power_cut_leaves_the_old_agent_or_the_new_one(make_board, before):
    seed = random.randrange(1000)
    print("seed", seed)
    draw = random.Random(seed)
    board = at_repl(make_board(flat(agent(1)) if before == "mip" else {}, size=128 * 4096, seed=seed))
    if before == "deploy":
        put(board, agent(1))
    start = board.flash.operations
    version = old = 2
    put(board, agent(version))
    operations = board.flash.operations - start
    for _ in range(6):
        version += 1
        text = cut(board, draw.randrange(1, operations), agent(version))
        assert said(old) in text or said(version) in text, (seed, text)
        if said(version) in text:
            old = version
    put(board, agent(100))
    assert said(100) in boots(board)


@pytest.mark.parametrize("before", ["mip", "nothing"])
def test_a_power_cut_while_the_agents_change_places(make_board, before):
    """The first deployment is the one that changes boot.py and main.py both. Every second operation, or so."""
    seed = random.randrange(1000)
    print("seed", seed)
    draw = random.Random(seed)
    board = at_repl(make_board(flat(agent(1)) if before == "mip" else {}, size=64 * 4096, seed=seed))
    filled = []

    def progress(done, total):
        if done == total:
            filled[:] = [board.flash.operations, open(board.image, "rb").read()]

    with Repl(board.port) as repl:
        deploy.deploy(repl, agent(2), progress)
    operations = board.flash.operations - filled[0]
    seen = set()
    for operation in range(1, operations + 1):
        if 1 < operation < operations and draw.random() < 0.5:
            continue
        board.power_cut()
        with open(board.image, "r+b") as file:
            file.write(filled[1])
        board.power_on()
        text = cut(board, operation, agent(2))
        old = said(1) in text if before == "mip" else "agent" not in text
        assert old != (said(2) in text), (seed, operation, text)
        seen.add(old)
    assert True in seen and (False in seen or before == "nothing"), "there the last operation is the change"


def test_a_pulled_cable_leaves_the_old_agent_or_the_new_one(make_board):
    """The next soft reset closes what was open, and littlefs keeps what was written: no power cut does that."""
    board = at_repl(make_board(flat(agent(1)), size=128 * 4096))
    old = 1
    for version in range(2, 80, 3):
        try:
            with Loose(board.port, 2 + version) as repl:
                deploy.deploy(repl, agent(version))
            new = True
        except Unplugged:
            new = False
        soft_reset(board.port)
        text = boots(board)
        assert said(old) in text or said(version) in text, text
        if said(version) in text:
            old = version
        if new:
            assert old == version
            return
    raise AssertionError("no deployment came to its end")


@pytest.mark.parametrize("before", ["mip", "deploy"])
def test_a_cable_pulled_while_the_agents_change_places(make_board, before):
    """At each command from the last file on: among them are those that replace boot.py and main.py."""
    board = make_board(flat(agent(1)) if before == "mip" else {}, size=128 * 4096)
    at_repl(board)
    if before == "deploy":
        put(board, agent(1))
    board.power_cut()
    saved = open(board.image, "rb").read()
    for commands in itertools.count(1):
        board.power_cut()
        with open(board.image, "r+b") as file:
            file.write(saved)
        board.power_on()
        repl = Loose(board.port, 0)

        def progress(done, total, repl=repl, commands=commands):
            if done == total:
                repl.left = commands

        try:
            deploy.deploy(repl, agent(2), progress)
            unplugged = False
        except Unplugged:
            unplugged = True
        repl.close()
        soft_reset(board.port)
        text = boots(board)
        assert (said(1) in text) != (said(2) in text), (commands, text)
        if not unplugged:
            assert said(2) in text and commands > 5
            return


def test_a_killed_deployment_leaves_the_old_agent(make_board):
    board = make_board(image.charger_files(NOWHERE, "HOLDFAST-1"), size=512 * 4096)
    board.power_on()
    board.read_until("next attempt", 10)
    deployment = subprocess.Popen([sys.executable, "-m", "tools.deploy", board.port], cwd=image.ROOT)
    try:
        deadline = time.monotonic() + 20
        start = board.flash.programs
        while board.flash.programs < start + 200:
            assert time.monotonic() < deadline and deployment.poll() is None
            time.sleep(0.01)
    finally:
        deployment.send_signal(signal.SIGKILL)
        deployment.wait()
    board.power_cut()
    assert deploy.chosen(image.read_image(board.image)["boot.py"]) is None
    board.power_on()
    assert "station: HOLDFAST-1" in board.command("status")


def test_ctrl_c_leaves_the_old_agent_at_work_and_says_so(make_board):
    board = make_board(image.charger_files(NOWHERE, "HOLDFAST-1"), size=512 * 4096)
    board.power_on()
    board.read_until("next attempt", 10)
    deployment = subprocess.Popen([sys.executable, "-m", "tools.deploy", board.port], cwd=image.ROOT,
                                  stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 20
    start = board.flash.programs
    while board.flash.programs < start + 200:
        assert time.monotonic() < deadline and deployment.poll() is None
        time.sleep(0.01)
    deployment.send_signal(signal.SIGINT)
    _, told = deployment.communicate(timeout=20)
    assert deployment.returncode == 1 and "deploy: interrupted; the board has the agent that it had" in told
    board.read_until("next attempt", 10)
    assert "station: HOLDFAST-1" in board.command("status")


@pytest.mark.parametrize("sent", [b"", b"\x05A\x01", b"\x05A\x01print('half", b"while True: pass\x04"],
                         ids=["at its prompt", "before a command", "within a command", "at work"])
def test_wherever_ctrl_c_comes_the_board_is_restarted(make_board, sent):
    board = at_repl(make_board({"main.py": "print('main.py runs')"}))
    repl = Repl(board.port)
    repl._transport.serial.write(sent)
    repl.restart()
    board.read_until("main.py runs", 10)


def test_make_deploy_puts_the_real_agent_onto_a_stock_board_and_says_what_comes_next(make_board):
    files = {"config.json": image.charger_files(NOWHERE, "HOLDFAST-1")["config.json"]}
    board = at_repl(make_board(files, size=512 * 4096))
    done = make("deploy", board)
    assert done.returncode == 0, done.stdout + done.stderr
    count = len(deploy.slot_files())
    assert "%d files" % count in done.stdout and "%d sent, 0 were on the board" % count in done.stdout
    assert "make provision PORT=%s tells it who it is" % board.port in done.stdout
    board.read_until("next attempt", 10)
    assert "station: HOLDFAST-1" in board.command("status")
    done = make("deploy", board)
    assert "nothing to do" in done.stdout
    board.read_until("next attempt", 10)
    assert deploy.chosen(image.read_image(board.image)["boot.py"]) == "/agent-a"


def test_how_far_it_is_can_be_told_within_a_large_file_too(make_board):
    board = at_repl(make_board(size=128 * 4096))
    told = []
    files = agent(1, **{"holdfast/large.py": b"# much\n" * 1000})
    with Repl(board.port) as repl:
        deploy.deploy(repl, files, lambda *one: told.append(one))
    total = sum(map(len, files.values()))
    assert {whole for _, whole in told} == {total} and told[-1][0] == total
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert len({done for done, _ in told}) == len(files) + 6, "seven parts of the large one"


def test_make_deploy_shows_how_far_it_is_on_a_terminal(make_board):
    files = {"config.json": image.charger_files(NOWHERE, "HOLDFAST-1")["config.json"]}
    board = at_repl(make_board(files, size=512 * 4096))
    status, seen = typed(["make", "--no-print-directory", "deploy", "PORT=" + board.port], [])
    total = re.findall(r"deploying .*?([\d.]+)/([\d.]+) kB", seen)
    amounts = [float(done) for done, _ in total]
    assert status == 0 and amounts == sorted(amounts), seen
    assert [amount for amount in amounts if 0 < amount < float(total[-1][1])], "and not only its beginning and its end"
    assert total[-1][0] == total[-1][1] == "%.1f" % (sum(map(len, deploy.slot_files().values())) / 1000)


AT_WORK = ("import sys\nwhile True:\n line = sys.stdin.readline()\n"
           " print('evse 1: driver AB***9, Charging in transaction 7\\r\\nok')\n")


@pytest.mark.parametrize("target", ["deploy", "provision", "backup", "restore"])
def test_a_station_at_work_is_not_interrupted_unless_told(make_board, tmp_path, target):
    board = make_board({"main.py": AT_WORK, "config.json": '{"station_id": "HOLDFAST-1"}'})
    board.power_on()
    path = tmp_path / "file"
    if target == "provision":
        path.write_text(image.charger_files(NOWHERE, "HOLDFAST-1")["config.json"])
    elif target == "restore":
        records.save(path, "HOLDFAST-1", "0.1.0", {})
    done = make(target, board, "FILE=%s" % path)
    assert done.returncode and "a car is charging (evse 1: driver AB***9" in done.stderr and "FORCE=1" in done.stderr
    assert board.flash.programs == 0
    done = make(target, board, "FILE=%s" % path, "FORCE=1")
    assert "a car is charging" not in done.stderr and "raw REPL" in board.transcript


def test_a_station_at_work_that_is_slow_to_answer_is_not_interrupted_either(make_board, monkeypatch):
    """A TLS handshake keeps an agent from answering for seconds."""
    monkeypatch.setattr(board_repl, "PATIENCE", (0.2, 10))
    board = make_board({"main.py": "import time\n" + AT_WORK.replace("readline()\n", "readline()\n time.sleep(0.5)\n")})
    board.power_on()
    with pytest.raises(BoardError, match="a car is charging"):
        visit(board.port)


def test_a_board_at_its_prompt_is_asked_once(make_board):
    board = at_repl(make_board())
    with visit(board.port) as repl:
        assert repl.value("6 * 7") == 42
    assert board.transcript.count("NameError") == 1


class Answers:
    """A board that is nothing but what it is asked for by `deploy.check`."""

    port = "/dev/x"

    def __init__(self, free, mpy=deploy.MPY, wide=False):
        self.free, self.mpy, self.wide = free, mpy, wide

    def value(self, expression):
        return self.mpy if "_mpy" in expression else (self.free, self.wide)

    def run(self, code):
        return "False\n"


@pytest.mark.parametrize("wide", [False, True])
def test_a_board_with_just_the_heap_takes_it_and_one_with_an_octet_less_is_refused(wide):
    need = (deploy.AGENT + deploy.NETWORK) * (1 + wide)  # objects of 64 bits are twice as large
    assert deploy.check(Answers(need, wide=wide)) is deploy.deploy
    with pytest.raises(BoardError, match="(?s)too small.*%d more.*make flash" % (deploy.NETWORK * (1 + wide))):
        deploy.check(Answers(need - 1, wide=wide))


def test_a_micropython_that_reads_other_mpy_files_is_told_which_one_would():
    with pytest.raises(BoardError, match="version 5, not 6: it wants MicroPython 1.29, from https://micropython.org"):
        deploy.check(Answers(10**9, mpy=5))


def test_garbage_is_not_taken_for_a_lack_of_heap(make_board):
    board = at_repl(make_board())
    with Repl(board.port) as repl:
        repl.run("for i in range(200): bytearray(8000)")
        assert deploy.check(repl) is deploy.deploy


def test_a_board_without_the_heap_is_refused_and_told_what_fits(make_board):
    board = at_repl(make_board(heap="256K"))
    done = make("deploy", board)
    assert done.returncode and "is too small for the agent" in done.stderr
    assert "make flash BOARD=… PORT=%s" % board.port in done.stderr
    assert board.flash.programs == 0


def test_a_frozen_agent_is_noticed(make_board):
    board = at_repl(make_board({"lib/holdfast.py": ""}))
    with Repl(board.port) as repl:
        repl.run("import sys, holdfast")
        before = repl.value("sys.path")
        assert deploy.frozen(repl, "asyncio") and not deploy.frozen(repl, "holdfast")
        assert repl.value("sys.path") == before


def test_a_full_file_system_is_told_before_anything_is_written(make_board):
    board = at_repl(make_board({"big": bytes(20 * 4096)}, size=48 * 4096))
    with Repl(board.port) as repl, pytest.raises(BoardError, match="bytes free, and"):
        deploy.deploy(repl, agent(1))
    assert board.flash.programs == 0


def test_a_port_that_is_not_there_is_told():
    with pytest.raises(BoardError, match="is the cable in"):
        visit("/dev/ttyUSB_not_there")
