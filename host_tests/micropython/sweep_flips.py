"""Every single bit of a stored record is flipped, and the file is cut off and lengthened at every byte: the record is
set aside, never believed, and the other records are not affected.

Usage: MICROPYPATH=firmware micropython sweep_flips.py; board.py says what it prints.
"""

import os

import board
from holdfast.flash import Records
from holdfast.reservations import Reservation

NAME = "reservation-7"
PATH = board.STATE + "/" + NAME
OTHERS = [("availability", b"\x01\x03\x07"), ("reservation-1", b"1" * 100), ("reservation-8", b""), ("restart", b"5")]

PAYLOADS = (
    ("the longest record", bytes(range(116))),
    ("a reservation", Reservation(7, 1, "cCCS2", 1795435200, ("HOLDER0123456789", "ISO14443"), None).record()),
    ("an empty record", b""),
)


def check(records, content):
    """Boot with this content in the record's file."""
    board.write_file(PATH, content)
    assert records.load() == OTHERS, "believed: %r" % content
    assert records.corrupt == [NAME], records.corrupt
    assert board.read_file(PATH + ".bad") == content, "the evidence is not kept"
    assert board.payload_of(NAME) is None
    os.remove(PATH + ".bad")


def flipped(records, content):
    for at in range(len(content)):
        for bit in range(8):
            harmed = bytearray(content)
            harmed[at] ^= 1 << bit
            check(records, bytes(harmed))
    return 8 * len(content)


def truncated(records, content):
    board.write_file(PATH, b"")
    assert records.load() == OTHERS and not records.corrupt, "an empty file is an absent record, not a damaged one"
    for length in range(1, len(content)):
        check(records, content[:length])
    return len(content)


def lengthened(records, content):
    for byte in range(256):
        check(records, content + bytes([byte]))
    check(records, content + content)
    check(records, content + bytes(9000))
    return 258


def misplaced(records, content):
    """The intact file of one record under the name of another."""
    for name, _ in OTHERS:
        check(records, board.read_file(board.STATE + "/" + name))
    return len(OTHERS)


def on_a_board(sweep, payload):
    nor = board.power_on(board.formatted(32))
    records = Records(board.STATE)
    for name, other in OTHERS:
        records.put(name, other)
    records.put(NAME, payload)
    assert board.payload_of(NAME) == payload
    count = sweep(records, board.read_file(PATH))
    board.power_off(nor)
    return count


def main():
    for what, payload in PAYLOADS:
        for sweep in (flipped, truncated, lengthened, misplaced):
            board.report(what, sweep.__name__, on_a_board, sweep, payload)
    print("@end")


main()
