"""Payload checks by hand: small checkers that compose into one readable rule per message.

A checker is a function that takes a parsed JSON value and returns None, or a fault: a tuple (error code, path,
text), where the path names the offending place, like `idToken.additionalInfo[0].type`, and the error code is
OCPP-J's for that kind of fault (Part 4, table 8). Checkers never raise, whatever the value, change nothing, and
keep next to nothing in memory.
"""

from holdfast import clock

FORMAT = "FormatViolation"
OCCURRENCE = "OccurrenceConstraintViolation"
PROPERTY = "PropertyConstraintViolation"
TYPE = "TypeConstraintViolation"

_NOT_AN_OBJECT = (FORMAT, "", "not an object")

# What a checker knows, it holds in defaults of its arguments: 32 bytes, where a closure would take 48 to 96.


def _within(name, fault):
    # The fault of a part, told from the whole: `name` is a property or an index like "[3]".
    code, path, text = fault
    if fault is _NOT_AN_OBJECT:
        code = TYPE  # only a payload as a whole that is no object spoils the format
    if path and path[0] != "[":
        name += "."
    return (code, name + path, text)


def anything(value):
    """Any JSON value will do."""
    return None


def boolean(value):
    """true or false."""
    if type(value) is not bool:
        return (TYPE, "", "not a boolean")


def number(value):
    """A number with or without a fraction. NaN and the infinities are none; 1e999 is read as one of them."""
    if type(value) is not int and type(value) is not float:
        return (TYPE, "", "not a number")
    if value - value != 0:
        return (PROPERTY, "", "not finite")


def integer_between(lowest, highest):
    """An integer in that range, both ends included. 1.0 and true are none."""

    def check(value, lowest=lowest, highest=highest):
        if type(value) is not int:
            return (TYPE, "", "not an integer")
        if not lowest <= value <= highest:
            return (PROPERTY, "", "out of range")

    return check


# OCPP 2.0.1 Part 2, primitive datatypes: an integer has 32 bits, one of them for the sign.
integer = integer_between(-0x80000000, 0x7FFFFFFF)


def text(max_length):
    """A string of at most so many characters."""

    def check(value, max_length=max_length):
        if type(value) is not str:
            return (TYPE, "", "not a string")
        if len(value) > max_length:
            return (PROPERTY, "", "longer than %d characters" % max_length)

    return check


def _printable(value):
    try:
        octets = value.encode()
    except ValueError:  # CPython refuses half a surrogate pair; MicroPython encodes it, as bytes above 0x7e
        return False
    for octet in octets:
        if not 0x20 <= octet <= 0x7E:
            return False
    return True


def identifier(max_length):
    """A string of at most so many characters, all of them printable ASCII.

    OCPP's identifierString (Part 2, primitive datatypes) has letters, digits and *-_=:+|@. only, but tokens with a
    space or a slash are about, and refusing them helps nobody.
    """
    fits = text(max_length)

    def check(value, fits=fits):
        return fits(value) or (None if _printable(value) else (PROPERTY, "", "not printable ASCII"))

    return check


def one_of(choices):
    """One of several words: `one_of("Accepted Rejected")`. Case counts."""

    def check(value, choices=choices):
        if type(value) is not str:
            return (TYPE, "", "not a string")
        # Looked for inside the one string, where it must stand between spaces or ends: no list, no copies.
        if value and " " not in value:
            start = choices.find(value)
            while start >= 0:
                end = start + len(value)
                if (start == 0 or choices[start - 1] == " ") and (end == len(choices) or choices[end] == " "):
                    return None
                start = choices.find(value, start + 1)
        return (PROPERTY, "", "not one of the allowed values")

    return check


def date_time(value):
    """An RFC 3339 date-time that is in the calendar; see `clock.parse`."""
    if type(value) is not str:
        return (TYPE, "", "not a string")
    try:
        clock.parse(value)
    except ValueError:
        return (PROPERTY, "", "not an RFC 3339 date-time")


def array_of(checker, minimum=1, maximum=None):
    """A list of at least `minimum` and at most `maximum` items (None: any number), each as `checker` wants it."""

    def check(value, checker=checker, minimum=minimum, maximum=maximum):
        if type(value) is not list:
            return (TYPE, "", "not an array")
        if len(value) < minimum:
            return (OCCURRENCE, "", "fewer than %d items" % minimum)
        if maximum is not None and len(value) > maximum:
            return (OCCURRENCE, "", "more than %d items" % maximum)
        for index in range(len(value)):
            fault = checker(value[index])
            if fault:
                return _within("[%d]" % index, fault)

    return check


_vendor_id = text(255)


def _custom_data(value):
    # What every object may carry.
    if type(value) is not dict:
        return _NOT_AN_OBJECT
    if "vendorId" not in value:
        return (OCCURRENCE, "vendorId", "missing")
    fault = _vendor_id(value["vendorId"])
    return fault and _within("vendorId", fault)


def _unknown(value, fields):
    # The fault of the property that no field declares. What goes back to the CSMS in its path came from outside, so it
    # is short and plain, or not shown. MicroPython's JSON reader lets names through that are not even strings.
    for key in value:
        if key == "customData":
            continue
        plain = type(key) is str and 0 < len(key) <= 50 and _printable(key)
        if not plain or key.endswith("?") or key not in fields and key + "?" not in fields:
            return (FORMAT, key if plain else "?", "unknown property")


def object_of(*fields):
    """An object with these properties and no others: `object_of("id", integer, "evseId?", integer)`.

    Names and checkers alternate; a name that ends in "?" may be absent. Every object may carry customData, an object
    with a vendorId and whatever else. Faults are reported in the order of the fields, unknown properties last.
    """

    def check(value, fields=fields):
        if type(value) is not dict:
            return _NOT_AN_OBJECT
        known = 0
        for at in range(0, len(fields), 2):
            name = fields[at]
            optional = name.endswith("?")
            if optional:
                if known == len(value):
                    continue  # all there is has been checked
                name = name[:-1]
            if name in value:
                known += 1
                fault = fields[at + 1](value[name])
                if fault:
                    return _within(name, fault)
            elif not optional:
                return (OCCURRENCE, name, "missing")
        if known < len(value) and "customData" in value:
            known += 1
            fault = _custom_data(value["customData"])
            if fault:
                return _within("customData", fault)
        if known < len(value):
            return _unknown(value, fields)

    return check
