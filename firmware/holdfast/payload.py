"""Payload checks by hand: small rules that compose into one readable rule per message, and the types messages share.

`fault_of(rule, value)` says what is wrong with a parsed JSON value. A rule is one of these:

* a function, such as `integer` or `date_time` below: it takes the value and returns its fault, or None;
* a number: a string of at most so many characters;
* a string: one of the words in it, as in "Accepted Rejected"; case counts;
* a list, [rule] or [rule, least, most]: an array of items with that rule, so many of them, or at least one;
* a tuple, ("id", integer, "evseId?", integer): an object with these properties and no others. Names and rules
  alternate; a name that ends in "?" may be absent. Every object may carry customData, an object with a vendorId and
  whatever else. Faults are reported in the order of the names, unknown properties last.

A fault is a tuple (error code, path, text): the path names the offending place, like `idToken.additionalInfo[0].type`,
and the error code is OCPP-J's for that kind of fault (Part 4, table 8). Nothing here raises, whatever the value,
changes it, or keeps anything in memory.
"""

from . import clock
from .log import printable
from .reservations import TOKEN_TYPES

_FORMAT = "FormatViolation"
_OCCURRENCE = "OccurrenceConstraintViolation"
PROPERTY = "PropertyConstraintViolation"
_TYPE = "TypeConstraintViolation"


def _not(kind):
    return (_TYPE, "", "not " + kind)


def boolean(value):
    """true or false."""
    if type(value) is not bool:
        return _not("a boolean")


def number(value):
    """A number with or without a fraction. NaN and the infinities are none; 1e999 is read as one of them."""
    if type(value) is not int and type(value) is not float:
        return _not("a number")
    if value - value != 0:
        return (PROPERTY, "", "not finite")


def integer_between(lowest, highest):
    """An integer in that range, both ends included. 1.0 and true are none."""

    # What it knows, it holds in defaults of its arguments: 32 bytes, where a closure would take 48 to 96.
    def check(value, lowest=lowest, highest=highest):
        if type(value) is not int:
            return _not("an integer")
        if not lowest <= value <= highest:
            return (PROPERTY, "", "out of range")

    return check


# OCPP 2.0.1 Part 2, primitive datatypes: an integer has 32 bits, one of them for the sign.
integer = integer_between(-0x80000000, 0x7FFFFFFF)


def identifier(value):
    """A string of at most 36 characters, all of them printable ASCII.

    OCPP's identifierString (Part 2, primitive datatypes) has letters, digits and *-_=:+|@. only, but tokens with a
    space or a slash are about, and refusing them helps nobody.
    """
    return fault_of(36, value) or (None if printable(value) == value else (PROPERTY, "", "not printable ASCII"))


def date_time(value):
    """An RFC 3339 date-time that is in the calendar; see `clock.parse`."""
    if type(value) is not str:
        return _not("a string")
    try:
        clock.parse(value)
    except ValueError:
        return (PROPERTY, "", "not an RFC 3339 date-time")


def fault_of(rule, value):
    """What is wrong with a value by that rule: (error code, path, text), or None."""
    kind = type(rule)
    if kind is tuple:
        return _object(rule, value, False)
    if kind is list:
        return _array(rule, value)
    if kind is not int and kind is not str:
        return rule(value)
    if type(value) is not str:
        return _not("a string")
    if kind is int:
        return (PROPERTY, "", "longer than %d characters" % rule) if len(value) > rule else None
    # Looked for inside the one string, where it must stand between spaces or ends: no list, no copies.
    if value and " " not in value:
        start = rule.find(value)
        while start >= 0:
            end = start + len(value)
            if (start == 0 or rule[start - 1] == " ") and (end == len(rule) or rule[end] == " "):
                return None
            start = rule.find(value, start + 1)
    return (PROPERTY, "", "not one of the allowed values")


def _array(rule, value):
    if type(value) is not list:
        return _not("an array")
    least, most = rule[1:] or (1, 65536)  # no message is that long
    if len(value) < least:
        return (_OCCURRENCE, "", "fewer than %d items" % least)
    if len(value) > most:
        return (_OCCURRENCE, "", "more than %d items" % most)
    for index in range(len(value)):
        fault = fault_of(rule[0], value[index])
        if fault:
            return _within("[%d]" % index, fault)


def _object(rule, value, extensible):
    if type(value) is not dict:
        return (_FORMAT, "", "not an object")
    known = 0
    for at in range(0, len(rule), 2):
        name = rule[at]
        optional = name.endswith("?")
        if optional:
            if known == len(value):
                continue  # all there is has been checked
            name = name[:-1]
        if name in value:
            known += 1
            fault = fault_of(rule[at + 1], value[name])
            if fault:
                return _within(name, fault)
        elif not optional:
            return (_OCCURRENCE, name, "missing")
    if extensible or known == len(value):
        return None
    if "customData" in value:
        fault = _object(("vendorId", 255), value["customData"], True)
        if fault:
            return _within("customData", fault)
    names = ["customData"]
    for at in range(0, len(rule), 2):
        names.append(rule[at].rstrip("?"))
    for name in value:
        if name not in names:
            # It comes from outside and goes back to the CSMS, so it is short and plain, or not shown. MicroPython's
            # JSON reader lets names through that are not even strings.
            plain = type(name) is str and 0 < len(name) <= 50 and printable(name) == name
            return (_FORMAT, name if plain else "?", "unknown property")


def _within(name, fault):
    # The fault of a part, told from the whole: `name` is a property or an index like "[3]".
    code, path, text = fault
    if code == _FORMAT and not path:
        code = _TYPE  # only a payload as a whole that is no object spoils the format
    if path and path[0] != "[":
        name += "."
    return (code, name + path, text)


# --- data types

# Those that several OCPP messages share (Part 2, section 2, "Datatypes"). Each bears the name OCPP gives the type, in
# snake case. Field names, lengths and values are those of OCPP's JSON schemas; the order of the fields decides which
# of several faults is reported. Types of one message only stand with that message in its block.

evse = (
    "id", integer,
    "connectorId?", integer,
)

id_token = (
    "idToken", identifier,
    "type", TOKEN_TYPES,
    "additionalInfo?", [(
        "additionalIdToken", 36,
        "type", 50,
    )],
)

message_content = (
    "format", "ASCII HTML URI UTF8",
    "language?", 8,
    "content", 512,
)

id_token_info = (
    "status", "Accepted Blocked ConcurrentTx Expired Invalid NoCredit NotAllowedTypeEVSE NotAtThisLocation"
              " NotAtThisTime Unknown",
    "cacheExpiryDateTime?", date_time,
    "chargingPriority?", integer,
    "language1?", 8,
    "evseId?", [integer],
    "groupIdToken?", id_token,
    "language2?", 8,
    "personalMessage?", message_content,
)
