"""`make backup` and `make restore`: all records or none, of the right station, and no half after a power cut."""

import contextlib
import json
import os
import random
import subprocess
import zipfile

import pytest
from deployments import Noisy, Watched, boots
from holdfast.flash import framed
from virtual_boards import PROMPT, at_repl

from tools import image, records
from tools.board_console import BoardError
from tools.board_repl import Repl

MAIN = "import os\nprint('starts', 'config.json' in os.listdir('/'), sorted(os.listdir('/records')))\n"
SECRET = "records/" + records.SECRET


def made(*names):
    """Records as they are on a board."""
    return {name: framed(name, b"content of " + name.encode()) for name in names}


OLD, NEW = made("reservation-1", "reservation-2", "availability"), made("reservation-1", "reservation-9")


def files(found, station="HOLDFAST-1"):
    """An image with these records."""
    return {"main.py": MAIN, "config.json": json.dumps({"station_id": station}),
            **{"records/" + name: content for name, content in found.items()}}


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "station.zip"
    records.save(path, "HOLDFAST-1", "0.1.0", NEW)
    return path


def make(target, board, path):
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    return subprocess.run(["make", "--no-print-directory", target, "PORT=" + board.port, "FILE=%s" % path],
                          cwd=image.ROOT, capture_output=True, text=True, timeout=60, env=environment)


def test_a_station_gets_back_what_was_saved_of_it(make_board, tmp_path):
    board = make_board(image.charger_files("ws://127.0.0.1:9/", "HOLDFAST-1"), size=512 * 4096)
    board.power_cut()
    image.update_image(board.image, {"records/" + name: content for name, content in made(
        "variable-OCPPCommCtrlr.HeartbeatInterval").items()})
    board.power_on()
    board.read_until("next attempt", 10)
    path = tmp_path / "station.zip"
    done = make("backup", board, path)
    assert done.returncode == 0 and "records of HOLDFAST-1 saved to" in done.stdout, done.stdout + done.stderr
    assert os.stat(path).st_mode & 0o777 == 0o600
    board.read_until("next attempt", 10)
    _, saved = records.load(path)
    done = make("restore", board, path)
    assert done.returncode == 0 and "restored from" in done.stdout, done.stdout + done.stderr
    board.read_until("next attempt", 10)
    board.power_cut()
    found = image.read_image(board.image)
    assert saved and all(found["records/" + name] == content for name, content in saved.items())


def test_the_records_take_the_place_of_those_that_were_there(make_board, archive):
    board = at_repl(make_board(files(OLD)))
    with Repl(board.port) as repl:
        records.restore(repl, records.load(archive)[1])
    board.close()
    assert {name: content for name, content in image.read_image(board.image).items()} == {
        name: content if isinstance(content, bytes) else content.encode() for name, content in files(NEW).items()}


def test_a_password_stays_on_the_board(make_board, archive):
    password = made(records.SECRET)
    board = at_repl(make_board(files({**OLD, **password})))
    with Repl(board.port) as repl:
        assert records.fetch(repl) == OLD
        records.restore(repl, records.load(archive)[1])
    board.close()
    assert image.read_image(board.image)[SECRET] == password[records.SECRET]


def test_a_password_that_was_damaged_stays_on_the_board_too(make_board):
    board = at_repl(make_board(files({**OLD, records.SECRET + ".bad": b"a-password-of-which-one-bit-is-wrong"})))
    with Repl(board.port) as repl:
        assert records.fetch(repl) == OLD


def spoilt(archive, change):
    """The archive with a change: `change({name in the zip: content})`."""
    with zipfile.ZipFile(archive) as old:
        contents = {name: old.read(name) for name in old.namelist()}
    change(contents)
    with zipfile.ZipFile(archive, "w") as new:
        for name, content in contents.items():
            new.writestr(name, content)
    return archive


@pytest.mark.parametrize("change", [
    lambda contents: contents.update({"records/reservation-9": b"something else"}),
    lambda contents: contents.pop("records/reservation-9"),
    lambda contents: contents.update({"records/reservation-10": b"one more"}),
    lambda contents: contents.update({"records/../main.py": b"import evil"}),
    lambda contents: contents.pop("manifest.json"),
    lambda contents: contents.update({"manifest.json": b"[]"}),
    lambda contents: contents.update({"manifest.json": contents["manifest.json"].replace(b"records 1", b"records 2")}),
])
def test_an_archive_that_is_not_as_it_was_saved_is_refused(archive, change):
    with pytest.raises(BoardError, match="nothing was changed"):
        records.load(spoilt(archive, change))


@pytest.mark.parametrize("name, content", [
    ("../main.py", framed("../main.py", b"import evil")),
    (records.SECRET, framed(records.SECRET, b"somebody else's")),
    ("reservation-3.bad", bytes(records.LARGEST + 1)),
], ids=["outside", "secret", "large"])
def test_an_archive_made_by_somebody_else_brings_nothing_but_records(tmp_path, name, content):
    """Its manifest agrees with it; what is in it is what no station saves."""
    records.save(tmp_path / "station.zip", "HOLDFAST-1", "0.1.0", {name: content})
    with pytest.raises(BoardError, match="nothing was changed"):
        records.load(tmp_path / "station.zip")


def test_an_archive_with_two_records_of_one_name_is_refused(archive):
    with zipfile.ZipFile(archive, "a") as file, pytest.warns(UserWarning, match="Duplicate"):
        file.writestr("records/reservation-9", NEW["reservation-9"])
    with pytest.raises(BoardError, match="nothing was changed"):
        records.load(archive)


def test_a_record_that_the_station_had_set_aside_goes_along(tmp_path):
    found = {"reservation-1.bad": b"no record at all", "counter": b""}
    records.save(tmp_path / "station.zip", "HOLDFAST-1", "0.1.0", found)
    assert records.load(tmp_path / "station.zip")[1] == found


def test_a_record_that_was_damaged_already_is_refused(tmp_path):
    path = tmp_path / "station.zip"
    records.save(path, "HOLDFAST-1", "0.1.0", {"reservation-1": b"no record at all"})
    with pytest.raises(BoardError, match="damaged when it was saved"):
        records.load(path)


def test_a_file_that_is_no_archive_is_told(tmp_path):
    (tmp_path / "x").write_text("hello")
    for path, told in ((tmp_path / "x", "no backup"), (tmp_path / "y", "No such file")):
        with pytest.raises(BoardError, match=told):
            records.load(path)


def test_a_record_that_arrives_damaged_is_not_saved(make_board):
    board = at_repl(make_board(files(OLD)))
    with Repl(board.port) as repl:
        read = repl.read
        repl.read = lambda path: read(path) + b"x"
        with pytest.raises(BoardError, match="arrived damaged; try again"):
            records.fetch(repl)


def test_a_record_that_arrives_damaged_on_the_board_leaves_the_old_ones(make_board, archive):
    board = at_repl(make_board(files(OLD)))
    with Noisy(board.port, "w(d(", "; w(b'x')") as repl, pytest.raises(BoardError, match="so the old ones stay"):
        records.restore(repl, records.load(archive)[1])
    assert "starts True %s" % sorted(OLD) in boots(board)


@pytest.mark.parametrize("left", ["records-new/other", "records-old/reservation-1"])
def test_what_an_interrupted_attempt_left_is_not_in_the_way(make_board, archive, left):
    board = at_repl(make_board({**files(OLD), left: b"left"}))
    with Repl(board.port) as repl:
        records.restore(repl, records.load(archive)[1])
    board.close()
    assert set(image.read_image(board.image)) == set(files(NEW))


def test_a_password_outlives_an_attempt_that_was_interrupted_between_the_old_and_the_new(make_board, archive):
    password = made(records.SECRET)
    before = {name.replace("records/", "records-old/"): content for name, content in files(
        {**OLD, **password}).items()}
    before["config.held"] = before.pop("config.json")
    board = make_board(before)
    board.power_on()
    board.read_until(PROMPT)
    with Repl(board.port) as repl:
        records.restore(repl, records.load(archive)[1])
    board.close()
    found = image.read_image(board.image)
    assert found[SECRET] == password[records.SECRET] and set(found) == set(files(NEW)) | {SECRET}


def test_a_board_that_is_no_station_yet_is_told_with_what_makes_it_one(make_board, tmp_path):
    board = at_repl(make_board({}))
    done = make("backup", board, tmp_path / "station.zip")
    assert done.returncode and "has no configuration: make provision PORT=%s" % board.port in done.stderr
    assert list(tmp_path.glob("station*")) == []


def test_a_file_that_can_not_be_written_is_told_and_the_station_goes_on(make_board, tmp_path):
    board = make_board(image.charger_files("ws://127.0.0.1:9/", "HOLDFAST-1"), size=512 * 4096)
    board.power_on()
    board.read_until("next attempt", 10)
    done = make("backup", board, tmp_path / "nowhere" / "station.zip")
    assert done.returncode and "station.zip: No such file or directory" in done.stderr, done.stderr
    board.read_until("next attempt", 10)


def test_another_station_is_refused(make_board, archive):
    board = at_repl(make_board(files(OLD, "HOLDFAST-2")))
    before = board.flash.programs
    done = make("restore", board, archive)
    assert done.returncode and "is of the station HOLDFAST-1, and this is HOLDFAST-2" in done.stderr
    assert board.flash.programs == before


def test_a_power_cut_leaves_the_old_records_or_the_new_or_no_start(make_board, archive):
    """Where no agent may start, restoring again brings the new ones."""
    seed = random.randrange(1000)
    print("seed", seed)
    draw = random.Random(seed)
    board = at_repl(make_board(files(OLD), seed=seed))
    with open(board.image, "rb") as file:
        before = file.read()
    wanted = records.load(archive)[1]
    start = board.flash.operations
    with Repl(board.port) as repl:
        records.restore(repl, wanted)
    operations = board.flash.operations - start
    seen = set()
    for operation in range(1, operations + 1):
        if operation < operations - 10 and draw.random() < 0.7 or draw.random() < 0.2:
            continue
        board.power_cut()
        with open(board.image, "r+b") as file:
            file.write(before)
        board.power_on()
        board.cut_after(operation)
        with contextlib.suppress(BoardError), Watched(board) as repl:
            records.restore(repl, wanted)
        board.power_cut()
        board.cancel_cut()
        board.power_on()
        text = board.read_until(PROMPT)
        state = [name for name, found in (("old", OLD), ("new", NEW)) if "starts True %s" % sorted(found) in text]
        if not state:
            assert "starts False" in text or "OSError" in text, (seed, operation, text)
            assert "config.json" not in image.read_image(board.image), (seed, operation, text)
            with Repl(board.port) as repl:
                assert records.station_id(repl) == "HOLDFAST-1"
                records.restore(repl, wanted)
            assert set(image.read_image(board.image)) == set(files(NEW)), (seed, operation)
        seen.add(state[0] if state else "no start")
    assert seen >= {"old", "new"}, seen
