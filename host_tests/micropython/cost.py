"""What a reservation change costs in flash operations: reservations made and cancelled, with other records around.

Usage: MICROPYPATH=firmware micropython cost.py. Prints one JSON object per run; tools/flash_cost.py reads them. The
flash has the ESP32's geometry, littlefs the ESP32's mount options.
"""

import json
import random

import board
from holdfast.flash import Records
from holdfast.reservations import Reservation

CHANGES = 1000
BLOCKS = 64

LETTERS = "0123456789ABCDEF"


def token(shortest, longest):
    return "".join([random.choice(LETTERS) for _ in range(random.randint(shortest, longest))])


def reservation(number, shortest, longest, group):
    made = Reservation(
        number, 1 + number % 2, "cCCS2", 1795435200 + 60 * number, (token(shortest, longest), "ISO14443"),
        (token(shortest, longest), "Central") if group else None)
    made.sequence = number
    return made.record()


KINDS = (
    ("RFID cards, 8 to 20 characters", lambda number: reservation(number, 8, 20, False)),
    ("RFID cards with a group", lambda number: reservation(number, 8, 20, True)),
    ("longest tokens, with a group", lambda number: reservation(number, 36, 36, True)),
    ("files of 100 to 124 bytes", lambda number: bytes(random.randint(95, 116))),
)


def measure(make, around):
    """The counts over CHANGES changes, made and cancelled by turns, and the sizes of the files.

    `around`: size of one of the other records. How full the directory is decides when littlefs moves it, and with
    some sizes that falls in step with the changes.
    """
    random.seed(7)
    nor = board.power_on(board.formatted(BLOCKS))
    records = Records(board.STATE)
    records.put("availability", b"\x01\x01\x06\x01\x02")
    records.put("variable-OCPPCommCtrlr.HeartbeatInterval", b"300")
    records.put("variable-SecurityCtrlr.OrganizationName", b"x" * around)
    records.put("reservation-1", make(1))  # one is held all the time, on this EVSE or the other
    nor.reset_counts()
    sizes = []
    for number in range(2, 2 + CHANGES // 2):
        payload = make(number)
        sizes.append(len(payload) + 5)
        records.put("reservation-%d" % number, payload)
        records.remove("reservation-%d" % (number - 1))
    board.power_off(nor)
    return {
        "programs": nor.programs / CHANGES, "erases": nor.erases / CHANGES, "bytes": nor.programmed / CHANGES,
        "changes": CHANGES, "smallest": min(sizes), "largest": max(sizes),
    }


def main():
    for kind, make in KINDS:
        for around in range(4, 100, 12):
            figures = measure(make, around)
            figures["kind"] = kind
            print(json.dumps(figures))


main()
