"""Every deliberate difference between the station's payload rules and OCPP's JSON schemas, in one place.

A difference only ever makes the station stricter. It is a name, the reason, a predicate, and the error code that the
station answers with. The predicate is asked about every value of a payload that the schema knows the place of:
`predicate(where, schema, value)`, where `where` is "TypeOrMessage.property" and `schema` the value's own schema. If it
says yes anywhere the station must refuse the payload, and may refuse it for nothing else than the schema does.
test_payload_differential.py holds the rules to that, and fails when a difference is in this list and never seen.
"""

import datetime
import math
import re

from holdfast.payload import PROPERTY

TYPE = "TypeConstraintViolation"

# The grammar of RFC 3339 section 5.6, with a fraction of at most nine digits.
_DATE_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}):([0-9]{2})(?:\.[0-9]{1,9})?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))\Z")


def is_date_time(text):
    """RFC 3339 by way of CPython's datetime: an independent opinion on what holdfast.clock reads."""
    parts = _DATE_TIME.match(text)
    if not parts:
        return False
    day, minutes, second, sign, offset_hours, offset_minutes = parts.groups()
    if day.startswith("0000"):
        day = "0400" + day[4:]  # datetime knows no year 0; 400 has the same calendar
    try:
        moment = datetime.datetime.strptime(f"{day} {minutes}", "%Y-%m-%d %H:%M")
    except ValueError:
        return False
    if sign:
        if int(offset_hours) > 23 or int(offset_minutes) > 59:
            return False
        east = int(offset_hours) * 60 + int(offset_minutes)
        # Only the time of day matters below, so the date may stay inside what datetime can count.
        moment = moment.replace(year=2000) - datetime.timedelta(minutes=east if sign == "+" else -east)
    if second == "60":
        return (moment.hour, moment.minute) == (23, 59)
    return int(second) < 60


# (name, reason, predicate, error code)
DIFFERENCES = (
    ("integers have 32 bits",
     "OCPP 2.0.1 Part 2 (primitive datatypes) gives an integer 32 bits with the sign; JSON schema knows no size.",
     lambda where, schema, value: schema.get("type") == "integer" and type(value) is int
     and not -2**31 <= value < 2**31,
     PROPERTY),
    ("1.0 is no integer",
     "JSON schema counts 1.0 as an integer since draft 6. On the board it is a 32-bit float, in which 16777217 is "
     "16777216: an id that arrives as a float may already be another one.",
     lambda where, schema, value: schema.get("type") == "integer" and type(value) is float and value.is_integer(),
     TYPE),
    ("numbers are finite",
     "JSON has no NaN and no Infinity, but json.loads reads both, and reads 1e999 as the latter.",
     lambda where, schema, value: schema.get("type") == "number" and type(value) is float
     and not math.isfinite(value),
     PROPERTY),
    ("dates are checked",
     "JSON schema's \"format\" is a remark that validators pass over. A station that acts on a date must be able to "
     "read it: RFC 3339, with at most nine digits of fraction.",
     lambda where, schema, value: schema.get("format") == "date-time" and type(value) is str
     and not is_date_time(value),
     PROPERTY),
    ("reservation ids start at 0",
     "OCPP 2.1 sets the minimum that 2.0.1's schemas leave out; a negative id is an error in the CSMS.",
     lambda where, schema, value: where in ("ReserveNowRequest.id", "CancelReservationRequest.reservationId")
     and type(value) is int and value < 0,
     PROPERTY),
    ("tokens are printable ASCII",
     "OCPP 2.0.1 Part 2 makes idToken an identifierString, the schemas allow any character. Printable ASCII is the "
     "generous reading: it keeps tokens comparable without case and fit for a log.",
     lambda where, schema, value: where == "IdTokenType.idToken" and type(value) is str
     and not all(" " <= character <= "~" for character in value),
     PROPERTY),
)
