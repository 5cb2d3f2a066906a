"""The sweeps over flash operations, on MicroPython's own littlefs: power cuts, failing flash, damaged records.

The programs in host_tests/micropython do the work, each in one run; here each operation and mode is a test of its own.
"""

import functools
import os
import pathlib
import subprocess

import pytest

HERE = pathlib.Path(__file__).parent
FIRMWARE = HERE.parent / "firmware"
PROGRAMS = HERE / "micropython"
# A sweep takes some ten seconds, more where others want the processor, too.
pytestmark = pytest.mark.timeout(300)

MICROPYTHON = os.environ.get("MICROPYTHON", "micropython")

CUTS = ("not done", "half done", "garbled", "done, not acknowledged")

STORE = (
    "first put ever", "put new", "overwrite", "remove", "load", "load with leftovers", "load with set-aside",
    "load with many set aside", "put after a failed put", "put after a failed overwrite", "a long life",
)
STORE_CHANGES = ("put new", "overwrite", "overwrite, shorter", "remove")
STORE_FAILURES = ("not done, raised", "not done, returned", "done, raised", "done, returned")

DAMAGED = ("the longest record", "a reservation", "an empty record")
DAMAGES = ("flipped", "truncated", "lengthened", "misplaced")

STATION_CALLS = (
    "reserve", "reserve a second one", "reserve any EVSE", "replace", "replace by a longer one", "cancel",
    "change availability", "change availability back", "set a variable",
)
STATION_EVENTS = (
    "expire", "expire offline", "removed by a fault", "consume at the EVSE", "consume a floating one",
    "consume remotely", "reset", "boot", "boot with an ending to report", "boot after a reservation lapsed",
    "boot after a reset",
)
SESSIONS = (
    "start a session", "stop a session", "a session offline", "reset in a session", "boot after a cut in a session",
    "boot with events to tell",
)
STATION_FAILURES = (
    "one not done", "one not done, returned", "one done", "all not done", "all not done, returned", "all done",
)


def product(operations, modes):
    return [(operation, mode) for operation in operations for mode in modes]


SWEEPS = {
    "sweep_records": product(STORE, CUTS),
    "sweep_failures":
        product(STORE_CHANGES, STORE_FAILURES)
        + product([change + ", reading fails too" for change in STORE_CHANGES], STORE_FAILURES)
        + product(STORE_CHANGES, ["a read fails, raised", "a read fails, returned"])
        + [("load", "a read fails, raised"), ("put and overwrite", "full")],
    "sweep_flips": product(DAMAGED, DAMAGES),
    "sweep_station": product(STATION_CALLS + STATION_EVENTS + ("boot with a damaged record",), CUTS),
    "sweep_transactions": product(SESSIONS, CUTS),
    "sweep_station_failures":
        product(STATION_CALLS + STATION_EVENTS, STATION_FAILURES) + [("reserve and cancel", "full")],
}


@functools.cache
def outcome(program):
    """Run one sweep; return {(operation, mode): (passed, how many cuts or why it failed)} and all it printed."""
    done = subprocess.run(
        [MICROPYTHON, "-X", "heapsize=64M", str(PROGRAMS / (program + ".py"))],
        env={**os.environ, "MICROPYPATH": f"{FIRMWARE}:{HERE / 'core'}"}, capture_output=True, text=True, timeout=280)
    results = {}
    for line in done.stdout.splitlines():
        verdict, _, rest = line.partition(" ")
        if verdict in ("@ok", "@failed"):
            operation, mode, what = rest.split(" | ", 2)
            results[operation, mode] = (verdict == "@ok", what)
    return results, done.stdout + done.stderr


def sweeps(*programs):
    return [
        pytest.param(program, operation, mode, id=f"{operation}-{mode}", marks=pytest.mark.xdist_group(program))
        for program in programs for operation, mode in SWEEPS[program]
    ]


def check(program, operation, mode, record):
    results, output = outcome(program)
    assert (operation, mode) in results, f"{program} stopped before {operation}, {mode}:\n{output}"
    passed, what = results[operation, mode]
    assert passed, f"{what}\n{output}"
    record("cuts", int(what))
    assert int(what) > 0, "the sweep did nothing"


@pytest.mark.parametrize("program, operation, mode", sweeps("sweep_records"))
def test_power_cut_leaves_the_old_or_the_new_record(program, operation, mode, record_property):
    check(program, operation, mode, record_property)


@pytest.mark.parametrize("program, operation, mode", sweeps("sweep_failures"))
def test_failing_flash_leaves_what_the_store_says(program, operation, mode, record_property):
    check(program, operation, mode, record_property)


@pytest.mark.parametrize("program, operation, mode", sweeps("sweep_flips"))
def test_damaged_record_is_set_aside_and_never_believed(program, operation, mode, record_property):
    check(program, operation, mode, record_property)


@pytest.mark.parametrize("program, operation, mode", sweeps("sweep_station"))
def test_power_cut_leaves_what_the_csms_was_told(program, operation, mode, record_property):
    check(program, operation, mode, record_property)


@pytest.mark.parametrize("program, operation, mode", sweeps("sweep_transactions"))
def test_power_cut_loses_no_event_and_no_end_of_a_transaction(program, operation, mode, record_property):
    check(program, operation, mode, record_property)


@pytest.mark.parametrize("program, operation, mode", sweeps("sweep_station_failures"))
def test_failing_flash_is_answered_with_the_truth(program, operation, mode, record_property):
    check(program, operation, mode, record_property)


@pytest.mark.parametrize("program", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in SWEEPS])
def test_every_sweep_that_ran_is_reported(program):
    results, output = outcome(program)
    assert sorted(results) == sorted(SWEEPS[program])
    assert output.splitlines()[-1:] == ["@end"], output
