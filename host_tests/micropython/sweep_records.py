"""The power is cut in every flash operation of the record store, in four ways; after the reboot every record is the old
or the new one, everything else on the file system is as it was, and the store takes new records.

Usage: MICROPYPATH=firmware micropython sweep_records.py; board.py says what it prints.
Every operation is repeated with more and more history behind it, so that the cuts also hit littlefs's compaction, where
it erases a block and moves the directory to it.
"""

import random

import board
from holdfast.flash import Records, framed
from nor import MODES, PowerCut

BLOCKS = 24
OLD = b"old" * 37
NEW = b"new" * 38
OTHERS = (("availability", b"\x01\x02"), ("reservation-1", b"1" * 100), ("restart", b"5"), ("transaction-1", b"t" * 40))
BYSTANDERS = ((board.FLASH + "/big", b"big" * 3000), (board.FLASH + "/config.json", b"{}" * 250))


def raw(name, content):
    board.write_file(board.STATE + "/" + name, content)


def nothing(records):
    pass


def with_others(records):
    for name, payload in OTHERS:
        records.put(name, payload)


def with_old(records):
    with_others(records)
    records.put("reservation-7", OLD)


def with_damaged(records):
    with_others(records)
    raw("reservation-7", b"\xff" + framed("reservation-7", OLD))


def with_many_damaged(records):
    with_damaged(records)
    for i in range(8):
        raw("reservation-%d.bad" % (10 + i), b"bad")


def with_leftovers(records):
    with_old(records)
    raw("reservation-8", b"")
    raw("reservation-9.tmp", framed("reservation-9", OLD))


def in_doubt(nor, records, content):
    """A change failed in the way that leaves the file open; the flash recovered."""
    nor.fail(1, 1000)
    try:
        records.put("reservation-7", content)
        raise AssertionError("a failing flash was not noticed")
    except OSError:
        pass
    nor.heal()


# name, what is there before, a preparation on the running board or None, the operation
OPERATIONS = (
    ("first put ever", nothing, None, lambda records: records.put("reservation-7", NEW)),
    ("put new", with_others, None, lambda records: records.put("reservation-7", NEW)),
    ("overwrite", with_old, None, lambda records: records.put("reservation-7", NEW)),
    ("remove", with_old, None, lambda records: records.remove("reservation-7")),
    ("load", with_old, None, lambda records: records.load()),
    ("load with leftovers", with_leftovers, None, lambda records: records.load()),
    ("load with set-aside", with_damaged, None, lambda records: records.load()),
    ("load with many set aside", with_many_damaged, None, lambda records: records.load()),
    ("put after a failed put", with_others, in_doubt, lambda records: records.put("restart", b"6")),
    ("put after a failed overwrite", with_old, in_doubt, lambda records: records.put("restart", b"6")),
)


def histories(empty, prepare):
    """Images with what `prepare` does and 0, 1, 2, … changes of another record after it: the directory's log fills up,
    in steps of as few bytes as littlefs can write."""
    nor = board.power_on(empty)
    for path, content in BYSTANDERS:
        board.write_file(path, content)
    records = Records(board.STATE)
    prepare(records)
    images = []
    for i in range(40):
        images.append(bytes(nor.memory))
        records.put("transaction-2", b"%d" % i)
        images.append(bytes(nor.memory))
        records.remove("transaction-2")
    board.power_off(nor)
    return images


def state(image):
    """What a board finds that boots from this image; checks everything that must not change, and that it goes on."""
    nor = board.power_on(image)
    records = Records(board.STATE)
    found = records.load()
    for path, content in BYSTANDERS:
        assert board.read_file(path) == content, path + " is damaged"
    damaged = [content for path, content in board.tree(board.STATE) if "reservation-7.bad" in path]
    records.put("after", b"the cut")
    records.remove("restart")
    records.put("restart", b"7")
    image = board.power_off(nor)
    assert nor.violations == 0, "littlefs programmed what was not erased"
    nor = board.power_on(image)
    after = Records(board.STATE).load()
    expected = [record for record in found if record[0] != "restart"] + [("after", b"the cut"), ("restart", b"7")]
    assert after == sorted(expected), "the flash took no new records after the cut"
    board.power_off(nor)
    return found, damaged


def run(image, doubt, operation, number, mode):
    """Do the operation with the power cut in one of its steps; return the image, and the steps and erases it took."""
    nor = board.power_on(image)
    records = Records(board.STATE)
    if doubt:
        doubt(nor, records, NEW)
    nor.cut(number, mode)
    try:
        operation(records)
    except PowerCut:
        pass
    image = board.power_off(nor)
    # After a failure littlefs does not know what it has programmed already.
    assert doubt or nor.violations == 0, "littlefs programmed what was not erased"
    return image, nor.operations, nor.erases


def interesting(images, doubt, operation):
    """The images to sweep: the first two, and some where the operation meets a full block and makes littlefs erase.

    A list of (number of changes before, image, image afterwards, steps).
    """
    chosen = []
    compactions = 0
    for history, image in enumerate(images):
        done, steps, erases = run(image, doubt, operation, None, None)
        if history < 2 or erases:
            chosen.append((history, image, done, steps))
            compactions += erases > 0
            if compactions == 4:
                break
    assert compactions, "no history in which littlefs erases a block"
    return chosen


def sweep(chosen, empty, prepare, doubt, operation, mode):
    if not chosen:  # the first of the four modes
        chosen.extend(interesting(histories(empty, prepare), doubt, operation))
    cuts = 0
    for history, image, done, steps in chosen:
        allowed = [state(run(image, doubt, nothing, None, mode)[0]), state(done)]
        for number in range(steps):
            cut, _, _ = run(image, doubt, operation, number, mode)
            found = state(cut)
            assert found in allowed, "cut %d after %d changes: found %r" % (number, history, found)
            cuts += 1
    return cuts


def life(empty, mode):
    """Random changes of six records; the power is cut in one of every few, and the board goes on with what is left."""
    random.seed(2026)
    expected = {}
    image = empty
    cuts = 0
    while cuts < 60:
        nor = board.power_on(image)
        records = Records(board.STATE)
        assert records.load() == sorted(expected.items()), "after %d cuts" % cuts
        nor.cut(random.randrange(60), mode)
        try:
            while True:
                name = "reservation-%d" % random.randrange(6)
                before = expected.get(name)
                after = bytes([random.randrange(256)]) * random.randrange(117)
                if before is not None and random.randrange(2):
                    after = None
                if after is None:
                    records.remove(name)
                    del expected[name]
                else:
                    records.put(name, after)
                    expected[name] = after
        except PowerCut:
            cuts += 1
        image = board.power_off(nor)
        assert nor.violations == 0, "littlefs programmed what was not erased"
        nor = board.power_on(image)
        found = board.payload_of(name)
        assert found == before or found == after, "%s after %d cuts: %r" % (name, cuts, found)
        image = board.power_off(nor)
        expected.pop(name, None)
        if found is not None:
            expected[name] = found
    return cuts


def main():
    empty = board.formatted(BLOCKS)
    for name, prepare, doubt, operation in OPERATIONS:
        chosen = []
        for mode in MODES:
            board.report(name, mode, sweep, chosen, empty, prepare, doubt, operation, mode)
    for mode in MODES:
        board.report("a long life", mode, life, empty, mode)
    print("@end")


main()
