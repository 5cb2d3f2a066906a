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


def _number(octets, start, end):
    # The number that these digits say, or -1 if there is anything but digits.
    value = 0
    for at in range(start, end):
        if not 48 <= octets[at] <= 57:
            return -1
        value = value * 10 + octets[at] - 48
    return value


def _seconds(octets):
    # What `parse` returns, or None for anything that is no date-time.
    zone = len(octets) - 1
    east = 0
    if octets[zone] not in b"Zz":
        zone -= 5
        hours = _number(octets, zone + 1, zone + 3)
        minutes = _number(octets, zone + 4, zone + 6)
        if octets[zone] not in b"+-" or octets[zone + 3] != 58 or not 0 <= hours <= 23 or not 0 <= minutes <= 59:
            return None
        east = (hours * 60 + minutes) * (44 - octets[zone])  # "+" is 43 and "-" is 45
    if zone != 19 and (octets[19] != 46 or not 21 <= zone <= 29 or _number(octets, 20, zone) < 0):
        return None
    if octets[4] != 45 or octets[7] != 45 or octets[10] not in b"Tt" or octets[13] != 58 or octets[16] != 58:
        return None
    year = _number(octets, 0, 4)
    month = _number(octets, 5, 7)
    day = _number(octets, 8, 10)
    hour = _number(octets, 11, 13)
    minute = _number(octets, 14, 16)
    second = _number(octets, 17, 19)
    if year < 0 or not 1 <= month <= 12 or not 1 <= day <= _days(year, month + 1, 1) - _days(year, month, 1):
        return None
    if not 0 <= hour <= 23 or not 0 <= minute <= 59 or not 0 <= second <= 60:
        return None
    of_day = hour * 3600 + (minute - east) * 60 + second
    if second == 60 and of_day % 86400:
        return None
    return _days(year, month, day) * 86400 + of_day  # last, because a number this large takes memory on 32 bits


def parse(text):
    """Seconds since 1970 UTC of an RFC 3339 date-time (section 5.6), any offset.

    A fraction of one to nine digits is cut off. A leap second, which exists only just before midnight UTC, is the
    second after it. Raises ValueError for everything that is no date-time or not in the calendar.
    """
    # In bytes, because MicroPython keeps every single character it takes out of a string for ever.
    octets = text.encode()
    seconds = _seconds(octets) if 20 <= len(octets) <= 35 else None
    if seconds is None:
        raise ValueError("not an RFC 3339 date-time")
    return seconds


def rfc3339(seconds):
    """The date-time, like "2026-11-23T02:00:00Z", of seconds since 1970 UTC; years 0000 to 9999.

    No fraction and always Z, as OCPP 2.0.1 Part 2 recommends for what a station sends.
    """
    days = seconds // 86400 + 719468  # not divmod, which makes a tuple
    rest = seconds % 86400
    # 400 years are 146097 days. The estimate of the year is corrected by the leap days up to it.
    cycle = days // 146097
    days %= 146097
    year = (days - days // 1460 + days // 36524 - days // 146096) // 365
    days -= 365 * year + year // 4 - year // 100
    year += 400 * cycle
    # `days` since 1 March, in months of 31 30 31 30 31 days.
    month = (5 * days + 2) // 153
    day = days - (153 * month + 2) // 5 + 1
    if month < 10:
        month += 3
    else:
        month -= 9
        year += 1
    return "%04d-%02d-%02dT%02d:%02d:%02dZ" % (year, month, day, rest // 3600, rest // 60 % 60, rest % 60)


class Clock:
    """UTC, told once and kept by the monotonic clock. `is_set` is False until the first `set`."""

    def __init__(self):
        self.is_set = False
        self._utc = self._now = 0
        self._text = None  # rfc3339(self._utc), once somebody asked for it

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
