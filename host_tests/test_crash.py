"""Crash reports on flash: bounded, whole, the newest at the end; and few in one run, or they would wear the flash."""

import pytest
from holdfast import board, crash


@pytest.fixture
def root(tmp_path, monkeypatch):
    """The directory of the reports, at the beginning of a run, the 7th."""
    monkeypatch.setattr(crash, "_written", 0)
    monkeypatch.setattr(board, "boots", 7)
    return str(tmp_path)


def heads(root):
    return [line for line in crash.read(root).decode().split("\n") if line and not line.startswith(" ")]


def test_a_report_is_a_line_that_says_what_and_in_which_run_and_lines_that_say_where(root):
    assert crash.read(root) == b""
    crash.report(root, "link: KeyError: x", ["Traceback", "File link.py"])
    assert crash.read(root) == b"link: KeyError: x; boot 7\n  Traceback\n  File link.py\n"


def test_a_task_that_fails_again_and_again_writes_four_reports_a_run(root, monkeypatch):
    for number in range(6):
        crash.report(root, "report %d" % number, ())
    monkeypatch.setattr(crash, "_written", 0)  # the next run
    crash.report(root, "report 6", ())
    assert [head.split(";")[0] for head in heads(root)] == ["report 0", "report 1", "report 2", "report 3", "report 6"]


def test_the_crash_that_ends_a_run_is_reported_whatever_was_reported_before(root, monkeypatch):
    for number in range(5):
        crash.report(root, "report %d" % number, ())
    done = []
    monkeypatch.setattr(crash, "_PATH", root + "/crash.txt")
    monkeypatch.setattr(crash, "traceback", lambda error: ["Traceback", "ValueError: x"])
    monkeypatch.setattr(crash.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(board, "end", done.append)
    monkeypatch.setattr(board, "reset", lambda: done.append("reset"))
    crash.over(ValueError("x"))
    assert heads("")[-1] == "crash: ValueError: x; boot 7"
    assert done == [board.CRASHED, "reset"]


def test_the_oldest_reports_go_whole_when_there_is_no_room(root, monkeypatch):
    for number in range(40):
        monkeypatch.setattr(crash, "_written", 0)
        crash.report(root, "report %d" % number, ["x" * (number * 7 % 90)] * (number % 6))
        content = crash.read(root)
        assert len(content) <= 2000
        assert content.startswith(b"report ") and content.endswith(b"\n")
        assert heads(root)[-1] == "report %d; boot 7" % number
    assert 3 < len(heads(root)) < 40


def test_a_report_longer_than_all_the_room_is_cut_at_its_beginning(root):
    crash.report(root, "report", ["line %d" % number for number in range(400)])
    assert len(crash.read(root)) == 2000 and crash.read(root).endswith(b"  line 399\n")


def test_what_the_run_before_this_one_left_is_found_and_nothing_older(root, monkeypatch):
    crash.report(root, "older", ["a"])
    crash.report(root, "crash: ValueError: x", ["Traceback", "File main.py"])
    assert crash.of_last_run(root) == []  # that is this run
    monkeypatch.setattr(board, "boots", 8)
    assert crash.of_last_run(root) == ["crash: ValueError: x; boot 7", "  Traceback", "  File main.py"]
    monkeypatch.setattr(board, "boots", 9)
    assert crash.of_last_run(root) == []


def test_flash_that_does_not_take_a_report_is_no_further_trouble(tmp_path, root):
    crash.report(str(tmp_path / "no"), "report", ())
    assert crash.of_last_run(str(tmp_path / "no")) == [] and not (tmp_path / "no").exists()


@pytest.mark.parametrize("content", [b"x: \xff; boot 6\n  \xc3\n", b"x; boot 6\n\n", b"\n", b" ", b"\0\xff\n", b""])
def test_a_file_that_flash_has_spoiled_is_shown_as_far_as_it_goes_and_written_on(root, content):
    """Of a file that does not fit into its directory littlefs guards nothing but the length."""
    with open(root + "/crash.txt", "wb") as file:
        file.write(content + b" no end" * 290)
    for _ in range(2):
        for line in crash.of_last_run(root) + crash.all_lines(root):
            assert line.isascii()
        crash.report(root, "report", ())
    assert crash.all_lines(root)[-2:] == ["report; boot 7"] * 2


def test_after_a_crash_in_safe_mode_the_repl_is_kept_for_a_while_and_the_watchdog_restarts_the_board(root, monkeypatch):
    done = []
    monkeypatch.setattr(crash, "_PATH", root + "/crash.txt")
    monkeypatch.setattr(crash, "traceback", lambda error: ["ValueError: x"])
    monkeypatch.setattr(board, "crashes", board.LIMIT)
    for name in ("end", "watchdog"):
        monkeypatch.setattr(board, name, done.append)
    monkeypatch.setattr(board, "hold", lambda: done.append("hold"))
    crash.over(ValueError("x"))
    assert done == [board.CRASHED, 60, "hold"]


def test_the_board_restarts_although_there_is_no_memory_for_a_report(monkeypatch):
    def fail(error):
        raise MemoryError

    done = []
    monkeypatch.setattr(crash, "traceback", fail)
    monkeypatch.setattr(crash.time, "sleep", done.append)
    monkeypatch.setattr(board, "end", done.append)
    monkeypatch.setattr(board, "reset", lambda: done.append("reset"))
    with pytest.raises(MemoryError):  # on a board nobody comes back from reset()
        crash.over(ValueError("x"))
    assert done == [board.CRASHED, 2, "reset"]  # in these seconds a person may press Ctrl-C
