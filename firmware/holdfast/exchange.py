"""The conversation with the CSMS: which CALL is answered by whom, and which own message goes next.

It stands between OCPP-J (rpc.py) and the blocks that know the messages: a CALL is held against the registration and
the rule of its message before its handler sees it, an answer against its rule before whoever asked does. What still
has to reach the CSMS waits in an Outbox.
"""

from . import rpc
from .payload import fault_of

# Lists of names are texts, because a text stays in flash and the members of a tuple do not.

# Blocks whose messages are rare take memory only from the first of them on: the module, and what it answers.
_LATE = (
    "variables GetVariables SetVariables",
    "remote_control RequestStartTransaction RequestStopTransaction",
)

# What a CSMS may ask of a station and this one knows by name but does not do: NotSupported, not NotImplemented.
_NOT_SUPPORTED = (
    "CertificateSigned ClearCache ClearChargingProfile ClearDisplayMessage ClearVariableMonitoring CostUpdated"
    " CustomerInformation DataTransfer DeleteCertificate GetBaseReport GetChargingProfiles GetCompositeSchedule"
    " GetDisplayMessages GetInstalledCertificateIds GetLocalListVersion GetLog GetMonitoringReport GetReport"
    " GetTransactionStatus InstallCertificate PublishFirmware SendLocalList SetChargingProfile SetDisplayMessage"
    " SetMonitoringBase SetMonitoringLevel SetNetworkProfile SetVariableMonitoring TriggerMessage UnlockConnector"
    " UnpublishFirmware UpdateFirmware"
)
# What a station that is still Pending answers (B02.FR.01, .05).
_WHILE_PENDING = "GetVariables SetVariables Reset RequestStartTransaction RequestStopTransaction"

# Of these kinds somebody waits for the answer, and is told at once when there will be none.
_URGENT = "boot driver"

_UPDATE_ATTEMPTS = 3
_UPDATE_PAUSE = 10_000  # ms after an unanswered one
# With so many other messages waiting nothing but transaction events is taken in: the CSMS does not keep up.
_MOST_OTHERS = 20
# So many transaction events are kept in memory; beyond that every second Updated goes first (E04.FR.08).
_MOST_EVENTS = 60


class Message:
    """One waiting CALL: `call` is its row in the CALLS of a block (see Exchange), `at` the time it happened.

    `about` is for the sender alone: whatever the functions in the row need to know, where closures would take more.
    """

    offline = False  # happened while offline, or was still here when the link went (E11.FR.07)
    attempts = 0
    not_before = 0

    def __init__(self, call, at, about, droppable):
        self.call = call
        self.kind = call[1]
        self.at = at
        self.about = about
        self.droppable = droppable


class Outbox:
    """What still has to reach the CSMS, with a policy per kind of message.

    | kind | while offline | when it fails |
    | --- | --- | --- |
    | boot (BootNotification) | fails at once | fails: the station tries again after its interval |
    | driver (Authorize) | fails at once | fails: the driver is waiting |
    | status (StatusNotification, Heartbeat) | forgotten: the present state is told on reconnect | forgotten |
    | event (TransactionEvent) | kept in order, marked offline | again, MessageAttempts times (E13), then dropped |
    | update (ReservationStatusUpdate, SecurityEventNotification) | forgotten here | again, thrice; CALLERROR: done |

    Until the CSMS has accepted the station, boot is all that goes out (B01.FR.08, B02.FR.02).

    `finish(message, now, None, error)` is told of those that failed.
    """

    def __init__(self, log, finish):
        self.waiting = []
        self.log = log
        self.finish = finish

    def add(self, message, online):
        """Queue a message that happens now. What is urgent goes first, the others in the order they came."""
        if not online or (message.kind == "driver" and self.is_full()):
            if message.kind in _URGENT:
                self.finish(message, message.at, None, "offline")
            if message.kind != "event":
                return
            message.offline = True
        if message.kind in _URGENT:
            self.waiting.insert(0, message)
        else:
            self.waiting.append(message)
            self._make_room()

    def is_full(self):
        """Is it time to hold back? Statuses then wait until they can be derived anew, drivers are told to wait."""
        return len(self.waiting) >= _MOST_OTHERS and (
            len(self.waiting) - len(self._events()) >= _MOST_OTHERS)

    def link_down(self, now):
        """Keep what must be kept, marked as offline; let the rest fail or go."""
        leaving = self.waiting
        self.waiting = self._events()
        for message in self.waiting:
            message.offline = True  # E11.FR.07
            message.not_before = 0
        for message in leaving:
            if message.kind in _URGENT:
                self.finish(message, now, None, "offline")

    def next(self, now, accepted):
        """Take the next message that may go now, or None. Transaction events never overtake each other."""
        events_wait = False
        for message in self.waiting:
            event = message.kind == "event"
            if (accepted or message.kind == "boot") and not (event and events_wait) and message.not_before <= now:
                self.waiting.remove(message)
                return message
            events_wait = events_wait or event
        return None

    def next_time(self):
        """When `next` has something for an accepted station (monotonic ms), or None if nothing waits."""
        due = None
        events_wait = False
        for message in self.waiting:
            event = message.kind == "event"
            if not (event and events_wait) and (due is None or message.not_before < due):
                due = message.not_before
            events_wait = events_wait or event
        return due

    def failed(self, now, message, error, attempts, interval):
        """A message got a CALLERROR or no answer (`error` as in Rpc.call): queue it again if its policy says so.

        `attempts` and `interval` (ms): MessageAttempts and MessageAttemptInterval of TransactionEvent (E13).
        """
        if error == "offline":
            # The answer died with the connection: that is no attempt that the CSMS refused.
            if message.kind == "event":
                message.offline = True
                self.waiting.insert(0, message)
            else:
                self.finish(message, now, None, error)
            return
        message.attempts += 1
        if message.kind == "event" and message.attempts < attempts:
            message.not_before = now + interval * message.attempts  # E13.FR.03
            self.waiting.insert(0, message)
        elif message.kind == "update" and error == "timeout":
            if message.attempts < _UPDATE_ATTEMPTS:
                message.not_before = now + _UPDATE_PAUSE
                self.waiting.append(message)
            # else its record stays on flash: it is told again after the next reconnect
        else:
            if message.kind == "event":
                self.log("error", "TransactionEvent dropped after %d attempts" % message.attempts)
            self.finish(message, now, None, error)

    def _events(self):
        events = []
        for message in self.waiting:
            if message.kind == "event":
                events.append(message)
        return events

    def _make_room(self):
        if len(self.waiting) <= _MOST_EVENTS or len(self._events()) <= _MOST_EVENTS:
            return
        leaving = []
        drop = False
        for message in self.waiting:
            drop = message.droppable and not drop
            if drop:
                leaving.append(message)
        # Nothing but Started and Ended: the oldest must go, or the station would.
        leaving = leaving or self._events()[:1]
        self.log("error", "%d transaction events dropped: too many wait" % len(leaving))
        for message in leaving:
            self.waiting.remove(message)
            self.finish(message, message.at, None, "dropped")


class Exchange:
    """The part of Station that talks. `link`: the WebSocket is open; `registration`: RegistrationStatusEnumType of the
    last BootNotificationResponse, None before the first.

    Each of `blocks`, which Station names, may have REQUESTS, rows of (action, rule, handler), and CALLS, rows of
    (action, kind, build, rule of the answer, on_result). handler(station, now, payload) returns the
    payload of the answer, or a text: its status and, where there is one, a reason code. It may raise CallError.
    build(station, about, at) makes a payload at the moment of sending, for the time `at` it happened, as a station that
    has just woken learns the time after the first things happened; None: nothing is to be sent any more.
    on_result(station, about, now, payload or None, error or None) is told the outcome.
    """

    blocks = ()

    def __init__(self, variables, urandom, log):
        self.variables = variables
        self.urandom = urandom
        self.log = log
        self.rpc = rpc.Rpc(urandom, self._answer, self._answered, log)
        self.outbox = Outbox(log, self._finish)
        self.link = False
        self.registration = None
        self._sent = None  # the message of the outstanding CALL
        self._last_call = 0

    def take_frames(self):
        """The text frames to send, in order. To be called after every event."""
        frames = self.rpc.frames
        if frames:  # else the list that nobody wrote to will do
            self.rpc.frames = []
        return frames

    def all_said(self):
        """Has everything that could be told been told? Asked before a restart."""
        return not self.rpc.outstanding and not self.outbox.waiting

    def online(self):
        """Connected, and accepted by the CSMS."""
        return self.link and self.registration == "Accepted"

    def send(self, action, now, about=None, droppable=False):
        """Queue a CALL for the CSMS; see Message."""
        message = Message(_row(self.blocks, "CALLS", action), now, about, droppable)
        self.outbox.add(message, self.link if message.kind == "boot" else self.online())

    def new_id(self):
        """A UUID made by chance, as text."""
        return rpc.uuid(self.urandom)

    def _pump(self, now):
        """Send the next CALL, if none is outstanding."""
        while self.link and not self.rpc.outstanding:
            message = self.outbox.next(now, self.registration == "Accepted")
            if not message:
                return
            action, _, build, _, _ = message.call
            payload = build(self, message.about, message.at)
            if payload is None:
                continue
            if message.offline:
                payload["offline"] = True
            self._last_call = now
            timeout = self.variables.integer("OCPPCommCtrlr.MessageTimeout[Default]") * 1000
            self._sent = message
            self.rpc.call(now, action, payload, timeout)

    def _answered(self, now, payload, error):
        """The CALL that was outstanding has its result, or never will."""
        message = self._sent
        self._sent = None
        if error is None:
            fault = fault_of(message.call[3], payload)
            if not fault:
                self._finish(message, now, payload, None)
                return
            self.log("warning", "answer to %s: %s %s" % (message.call[0], fault[1], fault[2]))
            error = fault[0]
        self.outbox.failed(
            now, message, error, self.variables.integer("OCPPCommCtrlr.MessageAttempts[TransactionEvent]"),
            1000 * self.variables.integer("OCPPCommCtrlr.MessageAttemptInterval[TransactionEvent]"))

    def _finish(self, message, now, payload, error):
        message.call[4](self, message.about, now, payload, error)

    def _answer(self, now, action, payload):
        """The payload of the CALLRESULT to a CALL; raises rpc.CallError."""
        if self.registration not in ("Accepted", "Pending"):
            raise rpc.CallError("SecurityError", "not accepted by the CSMS")  # B03.FR.08
        found = _row(self.blocks, "REQUESTS", action)
        if found is None:
            for line in _LATE:
                words = line.split()
                if action in words[1:]:
                    found = _row([late_block(words[0])], "REQUESTS", action)
        if found is None:
            if action in _NOT_SUPPORTED.split():
                raise rpc.CallError("NotSupported", "not supported")
            raise rpc.CallError("NotImplemented", "unknown action")
        if self.registration == "Pending" and action not in _WHILE_PENDING.split():
            raise rpc.CallError("SecurityError", "registration is pending")
        fault = fault_of(found[1], payload)
        if fault:
            raise rpc.CallError(fault[0], "%s: %s" % (fault[1] or "payload", fault[2]))
        answer = found[2](self, now, payload)
        if type(answer) is str:
            status, _, reason = answer.partition(" ")
            answer = {"status": status}
            if reason:
                answer["statusInfo"] = {"reasonCode": reason}
        return answer


def _row(blocks, table, action):
    """The row for an action in that table, "REQUESTS" or "CALLS", of some blocks, or None."""
    for block in blocks:
        for row in getattr(block, table, ()):  # few blocks have both
            if row[0] == action:
                return row
    return None


def late_block(name):
    """The block of that name, imported when it is first wanted."""
    return __import__("holdfast.blocks." + name, None, None, ("REQUESTS",))
