"""Calendar time without a time module: RFC 3339 in both directions, and the clock the CSMS sets.

Everything inside Holdfast counts whole seconds since 1970-01-01T00:00:00Z as an integer. The board wakes up
without knowing that number; a `Clock` turns the monotonic milliseconds it does have into UTC, once
BootNotification or Heartbeat has told it the time. Pure arithmetic: nothing here asks the hardware.
"""


def _days(year, month, day):
    # Days since 1970-01-01 in the Gregorian calendar. Years are counted from March, so that the leap day is the
    # last of its year; month 13 stands for January of the next year.
    if month <= 2:
        month += 12
        year -= 1
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * month - 457) // 5 + day - 719469


def _number(octets, start, end, most):
    # The number that these digits say, at most `most`; ValueError if it is more, or if there is anything but digits.
    value = 0
    for at in range(start, end):
        digit = octets[at] - 48
        if not 0 <= digit <= 9:
            value = most
        value = value * 10 + digit
    if value > most:
        raise ValueError("not an RFC 3339 date-time")
    return value


def parse(text):
    """Seconds since 1970 UTC of an RFC 3339 date-time (section 5.6), any offset.

    A fraction of one to nine digits is cut off. A leap second, which exists only just before midnight UTC, is the
    second after it. Raises ValueError for everything that is no date-time or not in the calendar.
    """
    # In bytes, because MicroPython keeps every single character it takes out of a string for ever.
    octets = text.encode()
    zone = len(octets) - 1  # where the offset begins
    if not 19 <= zone <= 34:
        raise ValueError("not an RFC 3339 date-time")
    east = 0
    if octets[zone] | 32 != 122:  # neither "Z" nor "z"
        zone -= 5
        east = _number(octets, zone + 1, zone + 3, 23) * 60 + _number(octets, zone + 4, zone + 6, 59)
        east *= 44 - octets[zone]  # "+" is 43 and "-" is 45
    year = _number(octets, 0, 4, 9999)
    month = _number(octets, 5, 7, 12)
    day = _number(octets, 8, 10, 31)
    second = _number(octets, 17, 19, 60)
    of_day = _number(octets, 11, 13, 23) * 3600 + (_number(octets, 14, 16, 59) - east) * 60 + second
    _number(octets, 20, zone, 999_999_999)  # the fraction
    days = _days(year, month, day)
    if (octets[4] != 45 or octets[7] != 45 or octets[10] | 32 != 116 or octets[13] != 58 or octets[16] != 58
            or (zone != 19 and (octets[19] != 46 or not 21 <= zone <= 29))
            or (zone < len(octets) - 1 and (octets[zone] not in b"+-" or octets[zone + 3] != 58))
            or not month or not day or days >= _days(year, month + 1, 1)
            or (second == 60 and of_day % 86400)):
        raise ValueError("not an RFC 3339 date-time")
    return days * 86400 + of_day


def rfc3339(seconds):
    """The date-time, like "2026-11-23T02:00:00Z", of seconds since 1970 UTC; years 0000 to 9999.

    No fraction and always Z, as OCPP 2.0.1 Part 2 recommends for what a station sends.
    """
    days = seconds // 86400  # not divmod, which makes a tuple
    rest = seconds % 86400
    # In months since January of the year 0, of which 4800 have 146097 days: an estimate that may be late, made right.
    month = 23641 + days * 4800 // 146097
    while days < _days(month // 12, month % 12 + 1, 1):
        month -= 1
    year = month // 12
    month = month % 12 + 1
    return "%04d-%02d-%02dT%02d:%02d:%02dZ" % (
        year, month, days - _days(year, month, 1) + 1, rest // 3600, rest // 60 % 60, rest % 60)


class Clock:
    """UTC, told once and kept by the monotonic clock. `is_set` is False until the first `set`."""

    is_set = False
    _utc = _now = 0
    _text = None  # rfc3339(self._utc), once somebody asked for it

    def set(self, utc, now):
        """It is `utc` (seconds since 1970) at the monotonic millisecond `now`. Replaces what was known before."""
        self.is_set = True
        self._utc = utc
        self._now = now
        self._text = None

    def utc(self, now):
        """Seconds since 1970 at the monotonic millisecond `now`, or None while nobody has told the time."""
        if not self.is_set:
            return None
        passed = (now - self._now) // 1000
        if passed:
            # Kept and not made anew for each who asks: on 32 bits a number this large takes memory, and so does a text.
            self._utc += passed
            self._now += passed * 1000
            self._text = None
        return self._utc

    def text(self, now):
        """The same as an RFC 3339 date-time. To be asked only when the clock is set."""
        utc = self.utc(now)
        if self._text is None:
            self._text = rfc3339(utc)
        return self._text

    def shift(self, seconds):
        """Put the clock forward (or back, if negative), until the next `set`. Without a known time nothing changes."""
        self._utc += seconds
        self._text = None
