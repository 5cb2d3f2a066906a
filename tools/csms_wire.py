"""What a message on the wire looks like to the development CSMS: matching, the official schemas, ways to answer.

`matches` compares payloads with what a test asks for, `schema_fault` asks the schemas of the package `ocpp` (and checks
the dates, which that package leaves unchecked), and the behaviours (`SILENCE`, `Hold`, …) say how a CALL is answered.
"""

import asyncio
import datetime
import functools
import re

import jsonschema
import ocpp.messages
from ocpp.exceptions import OCPPError, PropertyConstraintViolationError

# The library validates in a thread pool by default; in line keeps the order of events exact.
ocpp.messages.ASYNC_VALIDATION = False

# OCPP-J 2.0.1, table 8: all error codes that may appear in a CALLERROR.
ERROR_CODES = frozenset((
    "FormatViolation", "GenericError", "InternalError", "MessageTypeNotSupported", "NotImplemented", "NotSupported",
    "OccurrenceConstraintViolation", "PropertyConstraintViolation", "ProtocolError", "RpcFrameworkError",
    "SecurityError", "TypeConstraintViolation"))

# CALLs of a station that are answered with an empty object when nothing else is asked for.
ACKNOWLEDGED = ("FirmwareStatusNotification", "LogStatusNotification", "MeterValues", "NotifyEvent", "NotifyReport",
                "ReservationStatusUpdate", "SecurityEventNotification", "StatusNotification")


class CallError(Exception):
    """A CALLERROR: raised by `StationLink.call`, and returned by a behaviour to answer with one."""

    def __init__(self, code, description="", details=None):
        super().__init__("%s: %s %s" % (code, description, details or {}))
        self.code, self.description, self.details = code, description, details or {}


class NoAnswer(TimeoutError):
    """The station did not answer a CALL in time."""


class LinkClosed(ConnectionError):
    """The connection ended while something was expected from it."""


class NotSeen(AssertionError):
    """An expected message did not come; the text tells what came instead."""


class Violations(AssertionError):
    """The station sent what the standard forbids."""


class Silence:
    """Behaviour: never answer."""


class Drop:
    """Behaviour: abort the TCP connection instead of answering."""


class Delay:
    """Behaviour: answer `seconds` later, as `then` says (default: as usual)."""

    def __init__(self, seconds, then=None):
        self.seconds, self.then = seconds, then


class Hold:
    """Behaviour: answer only after `release()`, as `then` says (default: as usual). `waiting` counts the held CALLs."""

    def __init__(self, then=None):
        self.then, self.waiting, self._released = then, 0, asyncio.Event()

    def release(self):
        self._released.set()

    async def wait(self):
        self.waiting += 1
        try:
            await self._released.wait()
        finally:
            self.waiting -= 1


class Unchecked:
    """Behaviour: answer with a payload that the schema may forbid, to see what the station makes of it."""

    def __init__(self, payload):
        self.payload = payload


class Raw:
    """Behaviour: answer with this text; `%s` in it stands for the message id."""

    def __init__(self, text):
        self.text = text


SILENCE, DROP = Silence(), Drop()


class StationCall(dict):
    """The payload of a CALL from the station; also knows its `action`, `message_id`, `at` (monotonic) and `link`."""

    def __init__(self, payload, action, message_id, at, link):
        super().__init__(payload if isinstance(payload, dict) else {})
        self.action, self.message_id, self.at, self.link, self.consumed = action, message_id, at, link, False


def matches(wanted, value):
    """Whether `value` has everything `wanted` asks for.

    A dict asks for its keys (`"transactionInfo.chargingState"` reaches inside), a list for equal length and matching
    elements, a callable judges the value itself, `ABSENT` and `PRESENT` ask about the key. Anything else must be equal,
    in type too: `True` does not match 1.
    """
    if isinstance(wanted, dict):
        return isinstance(value, dict) and all(matches(part, lookup(value, path)) for path, part in wanted.items())
    if wanted is ABSENT or wanted is PRESENT:
        return (value is ABSENT) == (wanted is ABSENT)
    if value is ABSENT:
        return False
    if isinstance(wanted, (list, tuple)):
        return isinstance(value, list) and len(wanted) == len(value) and all(map(matches, wanted, value))
    if callable(wanted):
        return bool(wanted(value))
    return wanted == value and isinstance(wanted, bool) == isinstance(value, bool)


ABSENT, PRESENT = type("ABSENT", (), {})(), type("PRESENT", (), {})()


def lookup(value, path):
    """The part of nested dicts and lists that a dotted path names, or `ABSENT`."""
    for name in path.split("."):
        if isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        elif isinstance(value, dict) and name in value:
            value = value[name]
        else:
            return ABSENT
    return value


def utc_text(seconds):
    """RFC 3339 text in UTC, with milliseconds, of seconds since 1970."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (moment.microsecond // 1000)


_formats = jsonschema.FormatChecker(formats=())


@_formats.checks("date-time")
def _is_date_time(text):
    """RFC 3339 with at most three fraction digits (Part 2, 2.1.4). The library leaves dates unchecked."""
    if not isinstance(text, str):
        return True
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?(Z|[+-]\d\d:\d\d)", text):
        return False
    try:
        datetime.datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


async def schema_fault(message):
    """None, or the `OCPPError` with which the library (or the date check) refuses a Call or CallResult."""
    try:
        await ocpp.messages.validate_payload(message, "2.0.1")
    except OCPPError as refused:
        return refused
    for fault in _date_validator(message.message_type_id, message.action).iter_errors(message.payload):
        return PropertyConstraintViolationError(details={"cause": fault.message})
    return None


@functools.cache
def _date_validator(message_type_id, action):
    schema = ocpp.messages.get_validator(message_type_id, action, "2.0.1").schema
    return jsonschema.Draft4Validator(schema, format_checker=_formats)


def fits(call, action, match, fields):
    if action not in (None, call.action) or not matches(fields, call):
        return False
    return match is None or (bool(match(call)) if callable(match) else matches(match, call))


def reported_statuses(call):
    """The ((evse id, connector id), status) pairs that a StatusNotification or NotifyEvent reports."""
    if call.action == "StatusNotification":
        yield (call["evseId"], call["connectorId"]), call["connectorStatus"]
    elif call.action == "NotifyEvent":
        for event in call["eventData"]:
            if matches({"component.name": "Connector", "variable.name": "AvailabilityState"}, event):
                yield (lookup(event, "component.evse.id"), lookup(event, "component.evse.connectorId")), \
                    event["actualValue"]
