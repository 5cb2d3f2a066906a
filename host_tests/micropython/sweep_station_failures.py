"""The flash fails, or is full, while the station runs: what the CSMS is told is what the station does and what it still
knows after a reboot. A refused change is answered Rejected with its reason and changes nothing.

Usage: MICROPYPATH=firmware:host_tests/core micropython sweep_station_failures.py; board.py says what it prints.
"""

import board
from bench import BLOCKS, CALLS, EVENTS, Bench, image_after, nothing
from fakes import id_token

# How an operation fails: done all the same, reported by an exception, and how many of them in a row.
MODES = (
    ("one not done", False, True, 1),
    ("one not done, returned", False, False, 1),
    ("one done", True, True, 1),
    ("all not done", False, True, 1000),
    ("all not done, returned", False, False, 1000),
    ("all done", True, True, 1000),
)


def staged(image, believed, stage):
    nor = board.power_on(image)
    desk = Bench(nor, believed)
    if stage:
        desk.switch_on()
        desk.up()
        stage(desk)
        desk.clear()
    return nor, desk


def verdict(desk):
    """(status, reason code) of the only answer."""
    assert len(desk.answers) == 1, desk.answers
    payload = desk.answers[0][2]
    for result in payload.get("setVariableResult", ()):
        return result["attributeStatus"], result.get("attributeStatusInfo", {}).get("reasonCode")
    return payload["status"], payload.get("statusInfo", {}).get("reasonCode")


def after_reboot(image, before):
    """The state after a reboot, which must not contradict what the CSMS was told; nothing may be owed after a while."""
    nor = board.power_on(image)
    desk = Bench(nor)
    desk.switch_on()
    assert not desk.records.corrupt, "a record was damaged"
    contradiction = desk.contradiction(before)
    assert contradiction is None, contradiction
    state = desk.state()
    board.power_off(nor)
    return state


def check_call(nor, desk, old, new, old_statuses, reason):
    """The answer, what the station does now, and what it knows after a reboot are one and the same."""
    status, told = verdict(desk)
    if status == "Accepted":
        expected = new
    else:
        assert (status, told) == ("Rejected", reason), (status, told)
        assert not desk.of("StatusNotification"), "a refused change was notified"
        assert [desk.status(1), desk.status(2)] == old_statuses
        expected = old
    assert desk.state() == expected, "answered %s, but holds %r" % (status, desk.state())
    board.collect(desk.records)
    found = after_reboot(board.power_off(nor), desk)
    assert found == expected, "answered %s, but after the reboot holds %r" % (status, found)
    return status


def call_sweep(story, done, raised, count):
    _, before, stage, happens = story
    image, built = image_after(before)
    believed = built.believed
    nor, desk = staged(image, believed, stage)
    old = desk.state()
    statuses = [desk.status(1), desk.status(2)]
    happens(desk)
    new = desk.state()
    steps = nor.operations
    board.power_off(nor)
    failures = rejected = 0
    for first in range(steps):
        nor, desk = staged(image, believed, stage)
        nor.fail(first, count, done, raised)
        happens(desk)
        rejected += check_call(nor, desk, old, new, statuses, "InternalError") == "Rejected"
        # Once the flash works again, so does the station, and the refused change is possible.
        nor, desk = staged(image, believed, stage)
        nor.fail(first, count, done, raised)
        happens(desk)
        nor.heal()
        if verdict(desk)[0] == "Rejected":
            desk.clear()
            happens(desk)
            assert verdict(desk)[0] == "Accepted", "the flash works again: %r" % desk.answers
        assert desk.state() == new, "the flash works again: %r" % (desk.state(),)
        assert after_reboot(board.power_off(nor), desk) == new
        failures += 2
    assert done or rejected, "no failure was ever told"
    return failures


def event_sweep(story, done, raised, count):
    """Nobody can be told Rejected: what has happened has happened. It is made good when the flash works again."""
    _, before, stage, happens = story
    image, built = image_after(before)
    believed = built.believed

    def play(fail_at, recovers=True):
        nor, desk = staged(image, believed, stage)
        if fail_at is not None:
            nor.fail(fail_at, count, done, raised)
        if not stage:
            desk.switch_on()
        happens(desk)
        steps = nor.operations
        if recovers:
            nor.heal()
            board.collect(desk.records)
            desk.wait(30)
        board.collect(desk.records)
        state = desk.state()
        return state, after_reboot(board.power_off(nor), desk), steps

    expected_now, expected_later, steps = play(None)
    failures = 0
    for first in range(steps):
        now, later, _ = play(first)
        # The reason for a restart that could not be noted is lost; nothing else is.
        assert now[:-1] == expected_now[:-1], "step %d: %r" % (first, now)
        assert later[:-1] == expected_later[:-1], "step %d: after the reboot %r" % (first, later)
        failures += 1
        if not story[0].startswith("consume"):
            # A driver is not sent away because of the flash: a used reservation that it did not let go of comes back.
            play(first, False)
            failures += 1
    return failures


def filled():
    """A flash with a reservation on it and no room for another, and what the CSMS believes."""
    nor = board.power_on(board.formatted(BLOCKS))
    desk = Bench(nor)
    desk.switch_on()
    desk.up()
    assert desk.reserve(1) == "Accepted"
    try:
        with open(board.FLASH + "/filler", "wb") as file:
            while True:
                file.write(b"." * 4096)
                file.flush()
    except OSError as error:
        assert error.errno == 28, error
    number = refused = 0
    while refused < 8:
        try:
            desk.records.put("filler-%d" % number, b"x" * (116 if refused < 4 else 1))
        except OSError as error:
            assert error.errno == 28, error
            refused += 1
        number += 1
    return board.power_off(nor), desk.believed


def full():
    image, believed = filled()
    nor, desk = staged(image, believed, nothing)
    old = desk.state()
    statuses = [desk.status(1), desk.status(2)]
    desk.reserve(2, 2, "HOLDER0123456789ABCDEFHOLDER01234567", groupIdToken=id_token("G" * 36))
    assert check_call(nor, desk, old, None, statuses, "OutOfStorage") == "Rejected"
    # A full flash still lets go of what it has, and then there is room.
    nor, desk = staged(image, believed, nothing)
    assert desk.cancel(1) == "Accepted"
    assert desk.reserve(2, 2) == "Accepted"
    expected = desk.state()
    assert after_reboot(board.power_off(nor), desk) == expected
    return 2


def main():
    for story in CALLS:
        for mode, done, raised, count in MODES:
            board.report(story[0], mode, call_sweep, story, done, raised, count)
    for story in EVENTS:
        if story[0] != "boot with a damaged record":
            for mode, done, raised, count in MODES:
                board.report(story[0], mode, event_sweep, story, done, raised, count)
    board.report("reserve and cancel", "full", full)
    print("@end")


main()
