"""A station on the desk: fake flash, fake hardware, a scripted CSMS and time that only passes when told to.

Used by core tests on both interpreters and by the tools that measure. Nothing in it sleeps, and nothing is random.
"""

import json

from holdfast.clock import rfc3339
from holdfast.station import Station

# 2026-11-23T12:00:00Z, the time at which every fake CSMS accepts its station.
NOON = 1795435200

# `on_frame(frame, action)` sees every frame a Desk's station sends, parsed; `action` is the one of the CALL that a
# CALLRESULT answers, else None. Under pytest, conftest.py puts a check against OCPP's schemas here.
on_frame = None

_NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-[]"


class FakeRecords:
    """The record store of flash.py, in a dict. `fail_with`: errno that every write then fails with."""

    def __init__(self, files=None):
        self.files = files if files is not None else {}
        self.corrupt = []
        self.fail_with = None
        self.writes = 0

    def _write(self):
        if self.fail_with is not None:
            raise OSError(self.fail_with)
        self.writes += 1

    def put(self, name, payload):
        assert len(payload) <= 116, "record too long"
        assert len(name) <= 64 and all([c in _NAME_CHARACTERS for c in name]), "record name " + name
        self._write()
        self.files[name] = bytes(payload)

    def remove(self, name):
        self._write()
        self.files.pop(name, None)

    def get(self, name):
        return self.files.get(name)

    def names(self):
        return sorted(self.files)

    def load(self):
        return [(name, self.files[name]) for name in sorted(self.files)]


class FakeHardware:
    """Remembers what the contactors were told last: `closed[evse_id]`."""

    def __init__(self):
        self.closed = {}

    def attach(self, station):
        pass

    def contactor(self, evse_id, closed):
        self.closed[evse_id] = closed

    def open(self):
        self.closed = {evse_id: False for evse_id in self.closed}


class FakeConfig:
    """What config.load() would return for a sound file."""

    station_id = "HOLDFAST-1"
    csms_url = "ws://127.0.0.1:9000/ocpp"
    password = None
    security_profile = 0
    vendor_name = "Holdfast"
    model = "Desk"
    serial_number = None
    hardware = "simulated"
    message_limit = 8192

    def __init__(self, evses=(("cCCS2", "cType2"), ("sType2",)), variables=None):
        self.evses = evses
        self.variables = variables or {}


class Urandom:
    """Bytes that count up, so that ids differ and runs repeat."""

    def __init__(self):
        self.count = 0

    def __call__(self, size):
        self.count += 1
        return bytes([(self.count >> (8 * (i % 4))) & 255 for i in range(size)])


class Desk:
    """A station and the CSMS that talks to it. `now` is the monotonic clock in ms.

    `sent` lists (action, payload) of every CALL of the station since `clear`, `answers` its answers, `wire` all its
    frames in order: the action of a CALL, "answer" for an answer. The CSMS answers each at once from
    `replies` (action -> payload, or a function of the payload, or None for silence, or a str: that CALLERROR).
    """

    def __init__(self, files=None, evses=None, variables=None, boot=True):
        self.now = 1000
        self.records = FakeRecords(files)
        self.config = FakeConfig(evses or FakeConfig().evses, variables)
        self.urandom = Urandom()
        self.lines = []
        self.sent = []
        self.answers = []
        self.wire = []
        self.calls = 0
        self.asked = {}  # message id -> action of the CSMS's CALLs
        self.skew = 0
        self.boot_reason = "PowerUp"  # what the edge tells the next run
        self.replies = {
            "BootNotification": self.accept,
            "Heartbeat": lambda payload: {"currentTime": self.time()},
            "Authorize": {"idTokenInfo": {"status": "Accepted"}},
            "StatusNotification": {},
            "ReservationStatusUpdate": {},
            "SecurityEventNotification": {},
            "TransactionEvent": {},
        }
        self.power_on()
        if boot:
            self.up()

    def log(self, level, text):
        self.lines.append((level, text))

    def power_on(self):
        """A fresh station on what the records hold."""
        self.hardware = FakeHardware()
        self.station = Station(self.config, self.records, self.hardware, self.urandom, self.log)
        self.station.start(self.now, self.boot_reason)

    def reboot(self, link=True):
        """Power cut and power on."""
        self.now += 5000
        self.power_on()
        if link:
            self.up()

    def utc(self):
        """What the CSMS takes the time to be."""
        return NOON + self.skew + self.now // 1000

    def time(self, seconds=0):
        """RFC 3339 of so many seconds from now."""
        return rfc3339(self.utc() + seconds)

    def accept(self, payload):
        return {"currentTime": self.time(), "interval": 300, "status": "Accepted"}

    def up(self):
        self.station.link_up(self.now)
        self.pump()

    def down(self):
        self.station.link_down(self.now)
        self.pump()

    def clear(self):
        self.sent = []
        self.answers = []
        self.wire = []
        self.asked = {}

    def wait(self, seconds):
        """Let time pass, with a tick whenever the station asked for one."""
        end = self.now + seconds * 1000
        while self.now < end:
            self.now = min(end, self.now + max(1, self.station.next_tick(self.now)))
            self.station.tick(self.now)
            self.pump()

    def pump(self):
        """Carry frames to and fro until nobody has anything to say."""
        while True:
            frames = self.station.take_frames()
            if not frames:
                return
            for text in frames:
                frame = json.loads(text)
                if on_frame:
                    on_frame(frame, self.asked.get(frame[1]))
                self.wire.append(frame[2] if frame[0] == 2 else "answer")
                if frame[0] == 2:
                    self.sent.append((frame[2], frame[3]))
                    self._reply(frame)
                else:
                    self.answers.append(frame)

    def _reply(self, frame):
        reply = self.replies[frame[2]]
        if callable(reply):
            reply = reply(frame[3])
        if type(reply) is str:
            self.receive([4, frame[1], reply, "", {}])
        elif reply is not None:
            self.receive([3, frame[1], reply])

    def receive(self, frame):
        """Give the station a frame; what it then sends waits for `pump`."""
        self.station.received(self.now, frame if type(frame) is str else json.dumps(frame))

    def call(self, action, payload):
        """A CALL of the CSMS. Returns the payload of the CALLRESULT, or the error code as a str."""
        self.calls += 1
        message_id = "csms-%d" % self.calls
        self.asked[message_id] = action
        self.receive([2, message_id, action, payload])
        self.pump()
        for frame in self.answers:
            if frame[1] == message_id:
                return frame[2]
        return None

    def reserve(self, reservation_id=1, evse_id=1, token="HOLDER01", seconds=3600, **extra):
        """ReserveNow; returns the status, or the error code."""
        payload = {"id": reservation_id, "expiryDateTime": self.time(seconds), "idToken": id_token(token)}
        if evse_id is not None:
            payload["evseId"] = evse_id
        payload.update(extra)
        answer = self.call("ReserveNow", payload)
        return answer["status"] if type(answer) is dict else answer

    def cancel(self, reservation_id=1):
        """CancelReservation; returns the status, or the error code."""
        answer = self.call("CancelReservation", {"reservationId": reservation_id})
        return answer["status"] if type(answer) is dict else answer

    def swipe(self, token, evse_id=None, token_type="ISO14443"):
        words = self.station.presented(self.now, token, token_type, evse_id)
        self.pump()
        return words

    def plug(self, evse_id, connector_id=1):
        self.station.plugged(self.now, evse_id, connector_id)
        self.pump()

    def unplug(self, evse_id):
        self.station.unplugged(self.now, evse_id)
        self.pump()

    def fault(self, evse_id, code="GroundFault"):
        self.station.fault(self.now, evse_id, code)
        self.pump()

    def clear_fault(self, evse_id):
        self.station.fault_cleared(self.now, evse_id)
        self.pump()

    def set(self, name, value):
        """SetVariables of "Component.Variable"; returns the attributeStatus."""
        component, variable = name.split(".")
        answer = self.call("SetVariables", {"setVariableData": [{
            "attributeValue": value, "component": {"name": component}, "variable": {"name": variable}}]})
        return answer["setVariableResult"][0]["attributeStatus"]

    def availability(self, status, evse_id=None, connector_id=None):
        """ChangeAvailability; returns the status."""
        payload = {"operationalStatus": status}
        if evse_id is not None:
            payload["evse"] = {"id": evse_id}
            if connector_id is not None:
                payload["evse"]["connectorId"] = connector_id
        return self.call("ChangeAvailability", payload)["status"]

    def of(self, action):
        """The payloads of all CALLs with that action since `clear`."""
        return [payload for name, payload in self.sent if name == action]

    def statuses(self):
        """(evseId, connectorId, status) of every StatusNotification since `clear`, in order."""
        return [(p["evseId"], p["connectorId"], p["connectorStatus"]) for p in self.of("StatusNotification")]

    def updates(self):
        """(reservationId, status) of every ReservationStatusUpdate since `clear`, in order."""
        return [(p["reservationId"], p["reservationUpdateStatus"]) for p in self.of("ReservationStatusUpdate")]

    def events(self):
        """(eventType, triggerReason, chargingState) of every TransactionEvent since `clear`, in order."""
        return [(p["eventType"], p["triggerReason"], p["transactionInfo"].get("chargingState"))
                for p in self.of("TransactionEvent")]

    def status(self, evse_id, connector_id=1):
        """What the station itself takes a connector's status to be."""
        evse = self.station.site.evse(evse_id)
        return self.station.status_of(evse, evse.connector(connector_id))


def id_token(token, kind="ISO14443"):
    return {"idToken": token, "type": kind}
