"""What `make fuzz` throws at the station: generated and mutated frames, handshakes, payloads and hardware events.

Runs unchanged on CPython and on MicroPython. `Fuzzer(seed)` makes the same run again for the same seed. Each round
checks what must hold whatever came in: nothing is raised, every CALL with a readable id gets exactly one answer, a
CALLERROR changes no record, the statuses follow from the facts, and a contactor is closed only over a transaction.
"""

import json
import random
from binascii import b2a_base64
from hashlib import sha1

from fakes import Desk, id_token
from holdfast.websocket import WebSocket

ERROR_CODES = (
    "FormatViolation FormationViolation GenericError InternalError MessageTypeNotSupported NotImplemented NotSupported"
    " OccurrenceConstraintViolation PropertyConstraintViolation ProtocolError RpcFrameworkError SecurityError"
    " TypeConstraintViolation"
)

ODD_VALUES = (
    None, True, False, 0, -1, 1, 2147483647, 2147483648, -2147483649, 10**30, 1.0, 1.5, -0.0, 1e300, "", " ", "a" * 37,
    "a" * 300, "\u00e9" * 36, "\U0001f50c", "\x00", "true", "0", "2026-13-45T99:99:99Z", "2026-11-23",
    "9999-12-31T23:59:59.999999999+23:59", "0000-01-01T00:00:00Z", [], [[]], [None], {}, {"": {}}, {"vendorId": "x"},
    "ISO14443", "Accepted", "Inoperative", "OnIdle",
)


def seeds(desk):
    """One valid CALL of the CSMS for each message the station handles: (action, payload)."""
    variable = {"component": {"name": "ReservationCtrlr"}, "variable": {"name": "Enabled"}}
    setting = dict(variable)
    setting["attributeValue"] = random.choice(("true", "false", "maybe"))
    return (
        ("ReserveNow", {"id": random.randrange(5), "expiryDateTime": desk.time(random.randrange(-5, 90)), "evseId": 1,
                        "idToken": id_token("HOLDER01"), "groupIdToken": id_token("GROUP", "Central")}),
        ("ReserveNow", {"id": random.randrange(5), "expiryDateTime": desk.time(60), "connectorType": "cType2",
                        "idToken": id_token("HOLDER02"), "customData": {"vendorId": "x", "y": [1]}}),
        ("CancelReservation", {"reservationId": random.randrange(5)}),
        ("ChangeAvailability", {"operationalStatus": random.choice(("Operative", "Operative", "Inoperative")),
                                "evse": {"id": 2, "connectorId": 1}}),
        ("GetVariables", {"getVariableData": [variable, dict(variable)]}),
        ("SetVariables", {"setVariableData": [setting]}),
        ("RequestStartTransaction", {"evseId": 2, "remoteStartId": 7, "idToken": id_token("HOLDER01")}),
        ("RequestStopTransaction", {"transactionId": "00000000-0000-4000-8000-000000000000"}),
        ("Reset", {"type": random.choice(("OnIdle", "Later")), "evseId": 9}),
        ("TriggerMessage", {"requestedMessage": "Heartbeat"}),
        ("NoSuchAction", {}),
    )


def mutated(value, depth=0):
    """A copy of a JSON value with something wrong, or not, somewhere in it."""
    dice = random.randrange(16)
    if dice == 0 or depth > 6:
        return random.choice(ODD_VALUES)
    if type(value) is dict:
        copy = dict(value)
        keys = sorted(copy)
        if dice == 1:
            copy[random.choice(("x", "", "id", "evseId", "customData"))] = random.choice(ODD_VALUES)
        elif keys:
            key = random.choice(keys)
            if dice == 2:
                del copy[key]
            elif dice == 3:
                copy[key.upper()] = copy.pop(key)
            else:
                copy[key] = mutated(copy[key], depth + 1)
        return copy
    if type(value) is list:
        return [mutated(item, depth + 1) for item in value] * random.randrange(3)
    if type(value) is str and dice < 6:
        return value * random.randrange(4)
    return random.choice(ODD_VALUES) if dice < 8 else value


def torn(text):
    """A text with bytes cut out, doubled or changed."""
    for _ in range(random.randrange(1, 4)):
        at = random.randrange(len(text) + 1)
        end = min(len(text), at + random.randrange(1, 9))
        dice = random.randrange(4)
        if dice == 0:
            text = text[:at] + text[end:]
        elif dice == 1:
            text = text[:end] + text[at:]
        elif dice == 2:
            text = text[:at] + random.choice(("[", "]", '"', "{", ",", "\\", "0", "\x00", "\u20ac")) + text[end:]
        else:
            text = text[:at]
    return text


class Fuzzer:
    """A station under fire. `round()` throws one thing; `rounds`, `calls` and `refused` count."""

    def __init__(self, seed):
        random.seed(seed)
        self.rounds = self.calls = self.refused = 0
        self.desk = Desk()
        self.desk.reserve(100, 2, "KEEPER", 10**7)
        self.desk.replies["Authorize"] = self._authorize
        self.desk.replies["TransactionEvent"] = self._odd_answer

    def _authorize(self, payload):
        info = {"status": random.choice(("Accepted", "Accepted", "Accepted", "Blocked"))}
        if random.randrange(2):
            info["groupIdToken"] = id_token("GROUP", "Central")
        return {"idTokenInfo": info} if random.randrange(8) else mutated({"idTokenInfo": info})

    def _odd_answer(self, payload):
        return {} if random.randrange(10) else mutated({"idTokenInfo": {"status": "Invalid"}})

    def round(self):
        """One round. Raises AssertionError, or whatever the station let out, when something is wrong."""
        self.rounds += 1
        self.desk.clear()
        del self.desk.lines[:]
        random.choice((self._call, self._call, self._call, self._hardware, self._hardware, self._hardware, self._frame,
                       self._text, self._answer, self._time, self._oversize, self._websocket))()
        if not random.randrange(40):
            self._mend()
        self._check()

    def _call(self):
        action, payload = random.choice(seeds(self.desk))
        if random.randrange(2):
            payload = mutated(payload)
        self._send(json.dumps([2, "fuzz", action, payload]), "fuzz")

    def _mend(self):
        """Put the station back into a mood in which people charge, or the fuzz would soon be one of refusals only."""
        desk = self.desk
        for evse in desk.station.evses:
            if evse.fault is not None:
                desk.clear_fault(evse.id)
        if not desk.station.link:
            desk.up()
        for evse_id in (None, 1, 2):
            desk.availability("Operative", evse_id)
        desk.availability("Operative", 2, 1)
        desk.set("ReservationCtrlr.Enabled", "true")

    def _frame(self):
        action, payload = random.choice(seeds(self.desk))
        frame = mutated([random.choice((2, 2, 2, 3, 4, 9, "2", None)), "fuzz", action, payload])
        if type(frame) is list and random.randrange(2):
            frame = frame[:random.randrange(len(frame) + 1)]
        self._send(json.dumps(frame), None)

    def _text(self):
        action, payload = random.choice(seeds(self.desk))
        self._send(torn(json.dumps([2, "fuzz", action, payload])), None)

    def _answer(self):
        frame = random.choice(([3, "x", {}], [4, "x", "GenericError", "", {}], [3], [4], [3, None], [4, 5, 6, 7, 8]))
        self._send(json.dumps(mutated(frame)), None)

    def _oversize(self):
        head = json.dumps([2, "fuzz", "ReserveNow", {}])
        head = head if random.randrange(2) else torn(head)
        self.desk.station.oversize(self.desk.now, head.encode(), random.choice((9000, None, 2**40)))
        self.desk.pump()

    def _send(self, text, message_id):
        before = self._records()
        self.calls += 1
        self.desk.receive(text)
        frames = [json.loads(frame) for frame in self.desk.station.rpc.frames]
        answers = [frame for frame in frames if frame[0] != 2]
        assert len(answers) <= 1, "answered more than once"
        if message_id:
            assert len(answers) == 1 and answers[0][1] == message_id, "not answered"
        if answers and answers[0][0] == 4:
            self.refused += 1
            assert answers[0][2] in ERROR_CODES.split(), "unknown error code " + answers[0][2]
            assert self._records() == before, "a refused message changed a record"
        self.desk.pump()

    def _records(self):
        return [(name, self.desk.records.files[name]) for name in self.desk.records.names()]

    def _hardware(self):
        desk, station = self.desk, self.desk.station
        evse_id = random.choice((1, 1, 2, 2, 3, 0))
        token = random.choice(("HOLDER01", "holder02", "KEEPER", "X"))
        dice = random.randrange(20)
        try:
            if dice < 5:
                station.plugged(desk.now, evse_id, random.choice((1, 1, 1, 2, 0)))
            elif dice < 7:
                station.unplugged(desk.now, evse_id)
            elif dice < 14:
                station.presented(desk.now, token, "ISO14443", random.choice((None, evse_id)))
            elif dice < 15:
                station.fault(desk.now, evse_id, "Other")
            elif dice < 16:
                station.fault_cleared(desk.now, evse_id)
            elif dice < 17:
                station.suspended(desk.now, evse_id)
            elif dice < 18:
                station.resumed(desk.now, evse_id)
            elif station.link:
                station.link_down(desk.now)
            else:
                station.link_up(desk.now)
        except ValueError:
            pass  # promised for what does not exist
        desk.pump()

    def _time(self):
        dice = random.randrange(20)
        if dice == 0:
            self.desk.reboot()
        elif dice == 1:
            self.desk.skew += random.randrange(-100, 100)
        else:
            self.desk.wait(random.randrange(1, 120))

    def _websocket(self):
        """A server's side of the wire, mutated: handshake, then frames, in odd pieces."""
        socket = WebSocket("desk:80", "/ocpp", "ocpp2.0.1", None, 8192, self.desk.urandom, bytearray())
        key = bytes(socket.take()).split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
        accept = b2a_base64(sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).strip().decode()
        head = ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: ocpp2.0.1\r\n\r\n" % accept)
        if not random.randrange(3):
            head = torn(head)
        data = head.encode()
        for _ in range(random.randrange(4)):
            data += bytes([random.choice((0x81, 0x01, 0x80, 0x89, 0x88, random.randrange(256))),
                           random.choice((5, 125, 126, 127, random.randrange(256)))])
            data += bytes([random.randrange(256) for _ in range(random.randrange(20))])
        at = 0
        while at < len(data):
            end = at + random.randrange(1, 60)
            socket.feed(data[at:end])
            at = end
            while socket.next_event():
                pass
            socket.take()
        socket.feed_eof()

    def _check(self):
        station = self.desk.station
        for evse in station.evses:
            if self.desk.hardware.closed.get(evse.id):
                assert evse.transaction and evse.authorization and evse.plugged, "contactor closed over nobody"
                assert evse.fault is None, "contactor closed over a fault"
            if station.online() and not station.outbox.waiting and not station.rpc.outstanding:
                for connector in evse.connectors:
                    assert connector.queued == station.status_of(evse, connector), "a status was not told"
            if evse.transaction:
                assert "transaction-%d" % evse.id in self.desk.records.files, "a power cut would forget a transaction"
        assert len(station.outbox.waiting) < 200, "the queue grows"
        waiting = station.outbox.waiting + ([station._sent] if station.rpc.outstanding else [])
        waiting = sorted([message.about[0] for message in waiting if message.kind == "event"])
        kept = [name for name in self.desk.records.names() if name.startswith("event-")]
        assert waiting == kept, "what waits is not what is on flash"
        held = station.reservations.held
        assert len(held) <= len(station.evses), "more reservations than EVSEs"
        for reservation in held:
            assert "reservation-%d" % reservation.id in self.desk.records.files, "held, and not on flash"

