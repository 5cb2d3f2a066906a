"""Crash reports on flash: bounded, whole, the newest at the end; and few in one run, or they would wear the flash."""

import pytest
from holdfast import board, crash


@pytest.fixture
def path(tmp_path, monkeypatch):
    """Of the reports, at the beginning of a run, the 7th."""
    monkeypatch.setattr(crash, "_written", 0)
    monkeypatch.setattr(board, "boots", 7)
    return str(tmp_path / "crash.txt")


def heads(path):
    return [line for line in crash.read(path).decode().split("\n") if line and not line.startswith(" ")]


def test_a_report_is_a_line_that_says_what_and_in_which_run_and_lines_that_say_where(path):
    assert crash.read(path) == b""
    assert crash.report(path, "link: KeyError: x", ["Traceback", "File link.py"])
    assert crash.read(path) == b"link: KeyError: x; boot 7\n  Traceback\n  File link.py\n"


def test_a_task_that_fails_again_and_again_writes_four_reports_a_run(path, monkeypatch):
    assert [crash.report(path, "report %d" % number, ()) for number in range(6)] == [True] * 4 + [False] * 2
    monkeypatch.setattr(crash, "_written", 0)  # the next run
    assert crash.report(path, "report 6", ())
    assert [head.split(";")[0] for head in heads(path)] == ["report 0", "report 1", "report 2", "report 3", "report 6"]


def test_the_crash_that_ends_a_run_is_reported_whatever_was_reported_before(path, monkeypatch):
    for number in range(5):
        crash.report(path, "report %d" % number, ())
    done = []
    monkeypatch.setattr(crash, "PATH", path)
    monkeypatch.setattr(crash, "traceback", lambda error: ["Traceback", "ValueError: x"])
    monkeypatch.setattr(crash.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(board, "end", done.append)
    monkeypatch.setattr(board, "reset", lambda: done.append("reset"))
    crash.over(ValueError("x"))
    assert heads(path)[-1] == "crash: ValueError: x; boot 7"
    assert done == [board.CRASHED, "reset"]


def test_the_oldest_reports_go_whole_when_there_is_no_room(path, monkeypatch):
    for number in range(40):
        monkeypatch.setattr(crash, "_written", 0)
        crash.report(path, "report %d" % number, ["x" * (number * 7 % 90)] * (number % 6))
        content = crash.read(path)
        assert len(content) <= 2000
        assert content.startswith(b"report ") and content.endswith(b"\n")
        assert heads(path)[-1] == "report %d; boot 7" % number
    assert 3 < len(heads(path)) < 40


def test_a_report_longer_than_all_the_room_is_cut_at_its_beginning(path):
    crash.report(path, "report", ["line %d" % number for number in range(400)])
    assert len(crash.read(path)) == 2000 and crash.read(path).endswith(b"  line 399\n")


def test_what_the_run_before_this_one_left_is_found_and_nothing_older(path, monkeypatch):
    crash.report(path, "older", ["a"])
    crash.report(path, "crash: ValueError: x", ["Traceback", "File main.py"])
    assert crash.of_last_run(path) == []  # that is this run
    monkeypatch.setattr(board, "boots", 8)
    assert crash.of_last_run(path) == ["crash: ValueError: x; boot 7", "  Traceback", "  File main.py"]
    monkeypatch.setattr(board, "boots", 9)
    assert crash.of_last_run(path) == []


def test_flash_that_does_not_take_a_report_is_no_further_trouble(tmp_path, path):
    assert not crash.report(str(tmp_path / "no" / "crash.txt"), "report", ())
    assert crash.of_last_run(str(tmp_path / "nothing")) == []
