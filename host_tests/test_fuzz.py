"""The fuzzer runs clean for a few seconds on both interpreters, and does find a station that is broken on purpose."""

import os
import subprocess
import sys

import fakes
import pytest
from holdfast.blocks import availability, reservation
from holdfast.station import Station

from tools.fuzz_engine import Fuzzer


@pytest.fixture(autouse=True)
def without_the_schema_check_of_core_tests(monkeypatch):
    """It knows the CALLs that Desk.call sends, and not those of the fuzzer."""
    monkeypatch.setattr(fakes, "on_frame", None)


def fuzz_until_caught(rounds=4000):
    fuzzer = Fuzzer(2026)
    for _ in range(rounds):
        fuzzer.round()


def test_a_short_run_is_clean_on_both_interpreters():
    done = subprocess.run([sys.executable, "-m", "tools.fuzz", "--seconds", "6"], capture_output=True, text=True,
                          env=dict(os.environ), timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("fuzz ok") == 2 and "seed" in done.stdout


def test_the_same_seed_makes_the_same_run():
    runs = []
    for _ in range(2):
        fuzzer = Fuzzer(7)
        for _ in range(300):
            fuzzer.round()
        runs.append((fuzzer.calls, fuzzer.refused, sorted(fuzzer.desk.records.files.items())))
    assert runs[0] == runs[1]


def test_a_sound_station_passes_the_rounds_that_catch_the_broken_ones():
    fuzz_until_caught()


def test_a_handler_that_raises_is_caught(monkeypatch):
    monkeypatch.setattr(reservation, "_log", lambda station, reservation_id, how: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        fuzz_until_caught()


def test_a_status_that_is_never_told_is_caught(monkeypatch):
    told = availability.report
    monkeypatch.setattr(availability, "report", lambda station, now: now % 7 and told(station, now))
    with pytest.raises(AssertionError, match="status"):
        fuzz_until_caught()


def test_a_reservation_that_is_not_on_flash_is_caught(monkeypatch):
    monkeypatch.setattr(Station, "store", lambda station, name, data: None)
    with pytest.raises(AssertionError, match="flash"):
        fuzz_until_caught()


def test_a_contactor_that_stays_closed_is_caught(monkeypatch):
    command = Station._command_contactors

    def never_open(station):
        closed = dict(station.hardware.closed)
        command(station)
        station.hardware.closed.update({evse: True for evse, state in closed.items() if state})

    monkeypatch.setattr(Station, "_command_contactors", never_open)
    with pytest.raises(AssertionError, match="contactor"):
        fuzz_until_caught()
