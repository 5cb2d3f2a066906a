"""pytest only: holds every frame that the station of any core test sends against OCPP's own schemas."""

import functools
import json
import pathlib
import re

import fakes
import jsonschema
import ocpp

SCHEMAS = pathlib.Path(ocpp.__file__).parent / "v201" / "schemas"

# Part 4 table 8. The two spellings of Occur(r)ence: this station sends the one of 2.0.1.
ERROR_CODES = {
    "FormatViolation", "GenericError", "InternalError", "MessageTypeNotSupported", "NotImplemented", "NotSupported",
    "OccurrenceConstraintViolation", "PropertyConstraintViolation", "ProtocolError", "RpcFrameworkError",
    "SecurityError", "TypeConstraintViolation",
}

# What this station sends is UTC in whole seconds, whatever else RFC 3339 allows.
_formats = jsonschema.FormatChecker(formats=())


@_formats.checks("date-time")
def _utc(value):
    return re.fullmatch(r"20[2-9]\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", value) is not None


@functools.cache
def schema(message):
    text = (SCHEMAS / f"{message}.json").read_text(encoding="utf-8-sig")
    return jsonschema.Draft6Validator(json.loads(text), format_checker=_formats)


def check(frame, action):
    """Fail if a frame is not one that OCPP-J allows; `action` of the CALL that a CALLRESULT answers."""
    kind, message_id = frame[0], frame[1]
    assert 0 < len(message_id) <= 36 or kind != 2, frame
    if kind == 2:
        assert len(frame) == 4, frame
        schema(frame[2] + "Request").validate(frame[3])
    elif kind == 3:
        assert len(frame) == 3 and action, frame
        schema(action + "Response").validate(frame[2])
    else:
        assert kind == 4 and len(frame) == 5 and frame[2] in ERROR_CODES, frame
        assert len(frame[3]) <= 255 and type(frame[4]) is dict, frame


fakes.on_frame = check
