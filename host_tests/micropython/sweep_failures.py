"""The flash fails while the power stays on: what the record store then says must be what it holds, now, when the flash
has recovered, and after a reboot; also when the failing operation was done all the same, and when the flash is full.

Usage: MICROPYPATH=firmware micropython sweep_failures.py; board.py says what it prints.
"""

import board
from holdfast.flash import Records
from nor import EIO

BLOCKS = 16
NAME = "reservation-7"
OLD = b"old" * 37
NEW = b"new" * 38
OTHERS = (("availability", b"\x01\x02"), ("reservation-1", b"1" * 100), ("restart", b"5"), ("transaction-1", b"t" * 40))

# what is there before, what shall be there after
OPERATIONS = (("put new", None, NEW), ("overwrite", OLD, NEW), ("overwrite, shorter", OLD, b""), ("remove", OLD, None))

# done all the same, reported by an exception
MODES = (
    ("not done, raised", False, True),
    ("not done, returned", False, False),
    ("done, raised", True, True),
    ("done, returned", True, False),
)


def change(records, name, payload):
    if payload is None:
        records.remove(name)
    else:
        records.put(name, payload)


def told(records, before, after):
    """What the caller has to believe after the change."""
    try:
        change(records, NAME, after)
        return after
    except OSError as error:
        assert error.errno == EIO, error
        return before


def check(records, believed, what):
    expected = sorted(OTHERS + (((NAME, believed),) if believed is not None else ()))
    found = sorted(records.load())
    assert found == expected, "%s: believed %r, found %r" % (what, believed, found)
    assert not records.corrupt, what


def images(before):
    nor = board.power_on(board.formatted(BLOCKS))
    records = Records(board.STATE)
    for name, payload in OTHERS:
        records.put(name, payload)
    if before is not None:
        records.put(NAME, before)
    found = []
    for i in range(40):  # fills the directory's block, so that some changes find it full
        found.append(bytes(nor.memory))
        records.put("transaction-2", b"%d" % i)
        records.remove("transaction-2")
    board.power_off(nor)
    return found[:1] + found[-6:]


def sweep(all_images, before, after, done, raised):
    failures = 0
    for image in all_images:
        nor = board.power_on(image)
        change(Records(board.STATE), NAME, after)
        steps = nor.operations
        board.power_off(nor)
        for first in range(steps):
            for count in (1, 2, 3, 1000):
                for goes_on in (False, True):
                    nor = board.power_on(image)
                    records = Records(board.STATE)
                    nor.fail(first, count, done, raised)
                    believed = told(records, before, after)
                    what = "failing %d from step %d, then %s" % (count, first, "going on" if goes_on else "reboot")
                    board.collect(records)
                    if goes_on:
                        nor.heal()
                        board.collect(records)
                        records.put("restart", b"6")
                        records.put("restart", b"5")
                        check(records, believed, what)
                    image_after = board.power_off(nor)
                    nor = board.power_on(image_after)
                    check(Records(board.STATE), believed, what + ", reboot")
                    board.power_off(nor)
                    failures += 1
    return failures


def blind(all_images, before, after, done, raised):
    """Reading fails, too: nobody can know what the flash holds, until it recovers and the store brings the old back."""
    failures = 0
    for image in all_images:
        for first in range(3):
            nor = board.power_on(image)
            records = Records(board.STATE)
            nor.fail(first, 1000, done, raised, reads=True)
            believed = told(records, before, after)
            for _ in range(2):
                try:
                    records.put("restart", b"9")
                    assert nor.operations <= first, "a dead flash took a change"
                except OSError:
                    pass
            nor.heal()
            board.collect(records)
            records.put("restart", b"5")
            check(records, believed, "after blindness")
            image_after = board.power_off(nor)
            nor = board.power_on(image_after)
            check(Records(board.STATE), believed, "after blindness and reboot")
            board.power_off(nor)
            failures += 1
    return failures


def read_sweep(image, before, after, raised):
    """One read fails in a change: the flash's content is the same, and so is what is said of it."""
    nor = board.power_on(image)
    change(Records(board.STATE), NAME, after)
    reads = nor.reads
    board.power_off(nor)
    for number in range(reads):
        nor = board.power_on(image)
        records = Records(board.STATE)
        nor.fail_read(number, raised)
        believed = told(records, before, after)
        nor.heal()
        board.collect(records)
        records.put("restart", b"6")
        records.put("restart", b"5")
        check(records, believed, "read %d" % number)
        image_after = board.power_off(nor)
        nor = board.power_on(image_after)
        check(Records(board.STATE), believed, "read %d, after the reboot" % number)
        board.power_off(nor)
    return reads


def load_sweep(image, raised):
    """One read fails while the records are loaded: they are all there all the same, then and after a reboot."""
    nor = board.power_on(image)
    everything = Records(board.STATE).load()
    reads = nor.reads
    board.power_off(nor)
    for number in range(reads):
        nor = board.power_on(image)
        records = Records(board.STATE)
        nor.fail_read(number, raised)
        found = records.load()
        assert found == everything and not records.corrupt, "read %d: %r, %r" % (number, found, records.problems)
        image_after = board.power_off(nor)
        nor = board.power_on(image_after)
        assert Records(board.STATE).load() == everything, "read %d: a record was lost" % number
        board.power_off(nor)
    return reads


def full():
    """Records until the flash is full; then removing one makes room for another, and nothing was lost."""
    nor = board.power_on(board.formatted(BLOCKS))
    records = Records(board.STATE)
    for name, payload in OTHERS:
        records.put(name, payload)
    try:
        with open(board.FLASH + "/filler", "wb") as file:
            while True:
                file.write(b"." * 4096)
                file.flush()
    except OSError as error:
        assert error.errno == 28, error
    expected = list(OTHERS)
    refused = 0
    number = 0
    while refused < 20:
        name = "reservation-%d" % (1000 + number)
        number += 1
        try:
            records.put(name, b"%d" % number * 28)
            expected.append((name, b"%d" % number * 28))
        except OSError as error:
            assert error.errno == 28, error
            refused += 1
        assert number < 1000
    assert sorted(records.load()) == sorted(expected), "full"
    for name, payload in expected[4:20]:
        records.remove(name)
        records.put(name, payload)
    for name, payload in expected[4:]:
        try:
            records.put(name, b"x" * 116)  # may or may not find room
            expected[expected.index((name, payload))] = (name, b"x" * 116)
        except OSError as error:
            assert error.errno == 28, error
            refused += 1
    assert sorted(records.load()) == sorted(expected), "overwritten"
    image = board.power_off(nor)
    nor = board.power_on(image)
    assert Records(board.STATE).load() == sorted(expected), "after the reboot"
    board.power_off(nor)
    return refused


def main():
    for name, before, after in OPERATIONS:
        all_images = images(before)
        for mode, done, raised in MODES:
            board.report(name, mode, sweep, all_images, before, after, done, raised)
            board.report(name + ", reading fails too", mode, blind, all_images[:3], before, after, done, raised)
        for mode, raised in (("a read fails, raised", True), ("a read fails, returned", False)):
            board.report(name, mode, read_sweep, all_images[0], before, after, raised)
            if name == "remove" and raised:  # os.listdir hides an error that is returned: no board's driver does that
                board.report("load", mode, load_sweep, all_images[0], raised)
    board.report("put and overwrite", "full", full)
    print("@end")


main()
