"""A station on the board's littlefs, with a CSMS that remembers what it was told; and the stories that the sweeps play.

A story is (name, before, stage, happens). `before` leaves records on the flash, from which the board is then switched
on; `stage` goes on from there, with the link up; `happens` is what the flash misbehaves in. In a story without a stage
it misbehaves from power-on.
"""

import json

import board
from fakes import Desk, id_token
from holdfast.clock import parse
from holdfast.flash import Records

BLOCKS = 16  # of the flash
LONGEST = "HOLDER0123456789ABCDEFHOLDER01234567"  # 36 characters
GROUP = id_token("GROUP-0123456789-GROUP-0123456789-GR", "Central")
OTHER = "SOMEBODY"
HEARTBEAT = "OCPPCommCtrlr.HeartbeatInterval"


class Bench(Desk):
    """A Desk on the mounted flash. `believed`: reservation id -> (expiry, EVSE, token), as far as the CSMS knows.

    `asked_now`: (action, payload) of the CSMS's CALL that is not answered yet. `used`: ids of reservations whose
    holder presented the token, so that they may be over without the CSMS knowing yet.
    """

    def __init__(self, nor, believed=None):
        """A station that is still switched off."""
        self.nor = nor
        self.believed = dict(believed or {})
        self.asked_now = None
        self.used = []
        self.is_on = False
        self.watched = None  # or a list, see watch
        super().__init__(boot=False)

    def power_on(self):
        if self.is_on:
            self.switch_on()
        self.is_on = True

    def switch_on(self):
        """What Desk does at once: a fresh station on what the flash holds."""
        self.records = Records(board.STATE)
        if self.watched is not None:
            self.watch(self.watched)
        super().power_on()
        take_frames = self.station.take_frames

        def taken():
            # Handed out is as good as told, whatever becomes of the board while the next frame is on its way.
            frames = take_frames()
            for text in frames:
                self._believe(json.loads(text))
            return frames

        self.station.take_frames = taken

    def watch(self, changes):
        """Append (first flash operation, the one after the last, image afterwards) of each change to a list."""
        put, remove = self.records.put, self.records.remove

        def during(change, *arguments):
            first = self.nor.operations
            change(*arguments)
            changes.append((first, self.nor.operations, bytes(self.nor.memory)))

        self.records.put = lambda name, payload: during(put, name, payload)
        self.records.remove = lambda name: during(remove, name)

    def _believe(self, frame):
        if frame[0] == 2:
            if frame[2] == "ReservationStatusUpdate":
                self.believed.pop(frame[3]["reservationId"], None)
            elif "reservationId" in frame[3]:
                self.believed.pop(frame[3]["reservationId"], None)  # a reboot may have it told again
            return
        action, payload = self.asked_now
        self.asked_now = None
        if frame[0] == 3 and frame[2].get("status") == "Accepted":
            if action == "ReserveNow":
                self.believed[payload["id"]] = promised(payload)
            elif action == "CancelReservation":
                del self.believed[payload["reservationId"]]

    def call(self, action, payload):
        self.asked_now = (action, payload)
        return super().call(action, payload)

    def use(self, reservation_id, happens, *arguments):
        self.used.append(reservation_id)
        happens(*arguments)

    def held(self):
        """What `believed` should be."""
        return {r.id: (r.expiry, r.evse_id, r.token[0]) for r in self.station.reservations.held}

    def state(self):
        """Everything that a reboot must not lose."""
        station = self.station
        return (
            [r.record() for r in station.reservations.held],
            sorted([r.record() for r in station.reservations.ended]),
            station.site.operative,
            [evse.operative for evse in station.evses],
            station.variables.get(HEARTBEAT),
            station.boot_reason,
        )

    def contradiction(self, before):
        """How the station's reservations contradict what the CSMS was told; None if they do not.

        `before`: the Bench as it was when the power went.
        """
        held = self.held()
        ended = [r.id for r in self.station.reservations.ended]
        action, payload = before.asked_now or (None, None)
        for reservation_id in set(list(held) + list(before.believed)):
            found = held.get(reservation_id)
            told = before.believed.get(reservation_id)
            if found == told:
                continue
            if found is None and (reservation_id in ended or reservation_id in before.used):
                continue  # it is over, and the CSMS is going to hear; or its driver charges with it
            if action == "ReserveNow" and payload["id"] == reservation_id and found == promised(payload):
                continue  # done, but nobody was told
            if action == "CancelReservation" and payload["reservationId"] == reservation_id and found is None:
                continue
            return "the CSMS was told %r, the station has %r" % (told, found)
        return None


def image_after(before, kind=Bench):
    """The flash of a new board after `before`, switched off, and the Bench (or another `kind` of it) as it was then."""
    nor = board.power_on(board.formatted(BLOCKS))
    desk = kind(nor)
    desk.switch_on()
    desk.up()
    before(desk)
    return board.power_off(nor), desk


def promised(payload):
    return parse(payload["expiryDateTime"]), payload.get("evseId"), payload["idToken"]["idToken"]


# --- the stories


def nothing(desk):
    pass


def one(desk):
    desk.reserve(1)


def two(desk):
    desk.reserve(1, token=LONGEST, groupIdToken=GROUP)
    desk.reserve(2, 2, OTHER)


def floating(desk):
    desk.reserve(1, None)


def short(desk):
    desk.reserve(1, seconds=60)


def short_and_other(desk):
    desk.reserve(1, seconds=60)
    desk.reserve(2, 2, OTHER)


def expired_offline(desk):
    short_and_other(desk)
    desk.down()
    desk.wait(70)


def damaged(desk):
    two(desk)
    content = board.read_file(board.STATE + "/reservation-2")
    board.write_file(board.STATE + "/reservation-2", content[:-1])
    del desk.believed[2]  # nothing can bring it back


def inoperative(desk):
    desk.reserve(2, 2, OTHER)
    desk.availability("Inoperative", 1)


def everything(desk):
    two(desk)
    desk.set(HEARTBEAT, "123")
    desk.call("Reset", {"type": "Immediate"})


def remote_start(desk):
    desk.call("RequestStartTransaction", {"idToken": id_token("HOLDER01"), "remoteStartId": 1, "evseId": 1})


def boot(desk):
    desk.up()


def boot_later(desk):
    desk.skew = 600
    desk.up()


CALLS = (
    ("reserve", nothing, nothing, one),
    ("reserve a second one", one, nothing, lambda desk: desk.reserve(2, 2, LONGEST, groupIdToken=GROUP)),
    ("reserve any EVSE", one, nothing, lambda desk: desk.reserve(2, None, connectorType="sType2")),
    ("replace", two, nothing, lambda desk: desk.reserve(1, 1, OTHER, 7200)),
    ("replace by a longer one", one, nothing, lambda desk: desk.reserve(1, 2, LONGEST, 7200, groupIdToken=GROUP)),
    ("cancel", two, nothing, lambda desk: desk.cancel(1)),
    ("change availability", one, nothing, lambda desk: desk.availability("Inoperative", 2)),
    ("change availability back", inoperative, nothing, lambda desk: desk.availability("Operative", 1)),
    ("set a variable", one, nothing, lambda desk: desk.set(HEARTBEAT, "77")),
)

EVENTS = (
    ("expire", short_and_other, nothing, lambda desk: desk.wait(70)),
    ("expire offline", short, lambda desk: desk.down(), lambda desk: desk.wait(70)),
    ("removed by a fault", two, nothing, lambda desk: desk.fault(1)),
    ("consume at the EVSE", one, lambda desk: desk.plug(1), lambda desk: desk.use(1, desk.swipe, "HOLDER01", 1)),
    ("consume a floating one", floating, nothing, lambda desk: desk.use(1, desk.swipe, "HOLDER01", 2)),
    ("consume remotely", one, nothing, lambda desk: desk.use(1, remote_start, desk)),
    ("reset", two, nothing, lambda desk: desk.call("Reset", {"type": "Immediate"})),
    ("boot", two, None, boot),
    ("boot with an ending to report", expired_offline, None, boot),
    ("boot after a reservation lapsed", short_and_other, None, boot_later),
    ("boot after a reset", everything, None, boot),
    ("boot with a damaged record", damaged, None, boot),
)
