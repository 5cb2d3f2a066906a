"""The power is cut in every flash operation of a station's life, in four ways. After the reboot its state is the old or
the new one, and never other than what the CSMS was told in the frames handed out before the cut.

Usage: MICROPYPATH=firmware:host_tests/core micropython sweep_station.py; board.py says what it prints.
"""

import board
from bench import BLOCKS, CALLS, EVENTS, Bench
from nor import MODES, PowerCut


def images(before, odd):
    """Flash images after `before`: the first as it is, the others with less and less room in the records' directory.

    The room shrinks by 64 bytes at a time; littlefs writes 32 at the least, so `odd` gives the images in between.
    And what the CSMS believes then.
    """
    nor = board.power_on(board.formatted(BLOCKS))
    desk = Bench(nor)
    desk.switch_on()
    desk.up()
    before(desk)
    found = [bytes(nor.memory)]
    desk.records.put("filler-1", b"")
    if odd:
        desk.records.put("filler-2", b"")
        desk.records.remove("filler-2")
    nor.reset_counts()
    i = 0
    while not nor.erases:  # there is room
        found.append(bytes(nor.memory))
        i += 1
        desk.records.put("filler-1", b"%d" % i)
    board.power_off(nor)
    return found[:1] + found[-15:], desk.believed


def play(image, believed, stage, happens, number, mode, watched=None):
    """Play a story on an image, with the power cut; return the image, the desk, and the steps and erases it took."""
    nor = board.power_on(image)
    desk = Bench(nor, believed)
    if stage:
        desk.switch_on()
        desk.up()
        stage(desk)
        if watched is not None:
            desk.watch(watched)
        nor.cut(number, mode)
    try:
        if not stage:
            if watched is not None:
                desk.watched = watched
            nor.cut(number, mode)
            desk.switch_on()
        happens(desk)
    except PowerCut:
        pass
    image = board.power_off(nor)
    assert nor.violations == 0, "littlefs programmed what was not erased"
    return image, desk, nor.operations, nor.erases


def rebooted(image, before=None):
    """The state that a board wakes with on this image; it must not contradict what the CSMS was told, and go on."""
    nor = board.power_on(image)
    desk = Bench(nor)
    desk.switch_on()
    state = desk.state()
    if before:
        contradiction = desk.contradiction(before)
        assert contradiction is None, contradiction
        desk.up()
        assert not desk.station.reservations.ended, "an ending was not reported"
        assert desk.set("OCPPCommCtrlr.OfflineThreshold", "99") == "Accepted", "the flash takes nothing any more"
        nor = board.power_on(board.power_off(nor))
        desk = Bench(nor)
        desk.switch_on()
        assert not desk.station.reservations.ended, "an ending that the CSMS has confirmed is not forgotten"
    board.power_off(nor)
    return state


def chosen(story):
    """The images to sweep a story on: the first, and some where it makes littlefs erase a block.

    A list of (image, what the CSMS believes, flash operations of the story, [(first, end, state after a change)]).
    """
    _, before, stage, happens = story
    found = []
    for odd in (False, True):
        candidates, believed = images(before, odd)
        for image in candidates:
            changes = []
            _, _, steps, erases = play(image, believed, stage, happens, None, None, changes)
            if erases or not found:
                states = [(0, 0, rebooted(image))]
                for first, end, after in changes:
                    states.append((first, end, rebooted(after)))
                found.append((image, believed, steps, states))
    assert len(found) > 1, "no history in which littlefs erases a block"
    return found[:1] + found[-4:]


def sweep(cases, story, mode):
    if not cases:  # the first of the four modes
        cases.extend(chosen(story))
    cuts = 0
    for image, believed, steps, states in cases:
        for number in range(steps):
            cut, desk, _, _ = play(image, believed, story[2], story[3], number, mode)
            # What was changed completely before the cut is there; of what was being changed the old or the new.
            allowed = [state for first, end, state in states if end <= number][-1:]
            allowed += [state for first, end, state in states if first <= number < end]
            state = rebooted(cut, desk)
            assert state in allowed, "cut %d of %d: %r is none of %r" % (number, steps, state, allowed)
            cuts += 1
    return cuts


def main():
    for story in CALLS + EVENTS:
        cases = []
        for mode in MODES:
            board.report(story[0], mode, sweep, cases, story, mode)
    print("@end")


main()
