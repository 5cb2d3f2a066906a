"""The conversation with the CSMS: which CALL is answered by whom, and which own message goes next.

It stands between OCPP-J (rpc.py) and the blocks that know the messages: a CALL is held against the registration and
the rule of its message before its handler sees it, an answer against its rule before whoever asked does.
"""

from . import outbox, rpc
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


class Exchange:
    """The part of Station that talks. `link`: the WebSocket is open; `registration`: RegistrationStatusEnumType of the
    last BootNotificationResponse, None before the first.

    Each of `blocks`, which Station names, may have REQUESTS, rows of (action, rule, handler), and CALLS, rows of
    (action, kind of outbox.py, build, rule of the answer, on_result). handler(station, now, payload) returns the
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
        self.outbox = outbox.Outbox(log, self._finish)
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
        """Queue a CALL for the CSMS; see outbox.Message."""
        message = outbox.Message(_row(self.blocks, "CALLS", action), now, about, droppable)
        self.outbox.add(message, self.link if message.kind == "boot" else self.online())

    def new_id(self):
        """A UUID made by chance, as text."""
        return rpc.uuid(self.urandom)

    def _pump(self, now):
        """Send the next CALL, if none is outstanding."""
        while self.link and not self.rpc.outstanding:
            message = self.outbox.next(now, self.registration == "Accepted")
            if message is None:
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
            if fault is None:
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
