"""The power is cut in every flash operation of a session, in four ways. The CSMS then hears of everything that was on
flash before the cut, each event once or again as it was, and every transaction it hears of ends, once and last.

Usage: MICROPYPATH=firmware:host_tests/core micropython sweep_transactions.py; board.py says what it prints.
"""

import board
from bench import Bench, image_after, nothing, one
from nor import MODES, PowerCut


class Session(Bench):
    """A Bench whose CSMS keeps every TransactionEvent: `told` lists them, `written` those that flash had taken."""

    def __init__(self, nor, told=()):
        super().__init__(nor)
        self.told = list(told)
        self.written = []
        self.urandom.count = 1000 * len(self.told)  # another power-on, other transaction ids

    def _believe(self, frame):
        if frame[0] == 2 and frame[2] == "TransactionEvent":
            self.told.append(frame[3])
        else:
            super()._believe(frame)

    def switch_on(self):
        super().switch_on()
        put = self.records.put

        def noted(name, payload):
            put(name, payload)
            if name.startswith("event-"):
                self.written.append(payload)

        self.records.put = noted


def start(desk):
    desk.plug(1)
    desk.use(1, desk.swipe, "HOLDER01", 1)


def stop(desk):
    desk.swipe("HOLDER01", 1)


def started(desk):
    desk.reserve(1)
    start(desk)


def session_offline(desk):
    desk.down()
    start(desk)
    stop(desk)


def offline(desk):
    desk.down()


def reset_offline(desk):
    desk.call("Reset", {"type": "Immediate"})
    desk.down()


def started_offline(desk):
    desk.reserve(1)
    desk.down()
    start(desk)


def boot(desk):
    desk.up()


STORIES = (
    ("start a session", one, nothing, start),
    ("stop a session", one, start, stop),
    ("a session offline", one, offline, session_offline),
    ("reset in a session", one, start, reset_offline),
    ("boot after a cut in a session", started, None, boot),
    ("boot with events to tell", started_offline, None, boot),
)


def play(image, told, story, number, mode):
    """Play a story with the power cut in one flash operation; return the image, the desk, and the operations."""
    _, _, stage, happens = story
    nor = board.power_on(image)
    desk = Session(nor, told)
    if stage:
        desk.switch_on()
        desk.up()
        stage(desk)
    nor.cut(number, mode)
    try:
        if not stage:
            desk.switch_on()
        happens(desk)
    except PowerCut:
        pass
    return board.power_off(nor), desk, nor.operations


def heard(image, before):
    """Start again, twice; everything the CSMS has been told by then."""
    told = before.told
    for last in (False, True):
        nor = board.power_on(image)
        desk = Session(nor, told)
        desk.switch_on()
        assert not desk.hardware.closed.get(1), "energy after a power cut"
        desk.up()
        assert not last or len(desk.told) == len(told), "told once more in a third run"
        told = desk.told
        image = board.power_off(nor)
    return told


def check(told, written):
    """The events of each transaction: numbers that grow, nothing under the same number but the same, one end, last."""
    transactions = {}
    for event in told:
        transactions.setdefault(event["transactionInfo"]["transactionId"], []).append(event)
    for events in transactions.values():
        known = {}
        for event in events:
            same = (event["eventType"], event["triggerReason"], event["timestamp"], event.get("reservationId"))
            number = event["seqNo"]
            assert known.setdefault(number, same) == same, "two events with number %d" % number
            assert number == max(known), "event %d after event %d" % (number, max(known))
        assert known[max(known)][0] == "Ended", "not ended: %r" % known
        assert [same[0] for same in known.values()].count("Ended") == 1, "ended twice: %r" % known
    for payload in written:
        number = int.from_bytes(payload[36:40], "big")
        assert number in [event["seqNo"] for event in transactions.get(payload[:36].decode(), ())], (
            "event %d was on flash and is lost" % number)


def sweep(story, mode):
    image, desk = image_after(story[1], Session)
    told = desk.told
    _, _, steps = play(image, told, story, None, None)
    cuts = 0
    for number in range(steps):
        cut, desk, _ = play(image, told, story, number, mode)
        check(heard(cut, desk), desk.written)
        cuts += 1
    return cuts


def main():
    for story in STORIES:
        for mode in MODES:
            board.report(story[0], mode, sweep, story, mode)
    print("@end")


main()
