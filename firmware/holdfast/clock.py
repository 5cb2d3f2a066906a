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


def _digits(octets, start, end):
    value = 0
    for at in range(start, end):
        digit = octets[at] - 48
        if not 0 <= digit <= 9:
            raise ValueError("date-time: digit expected")
        value = value * 10 + digit
    return value


def _offset(octets):
    # Seconds east of UTC of "Z" or "+01:00".
    if octets == b"Z" or octets == b"z":
        return 0
    if len(octets) != 6 or octets[0] not in b"+-" or octets[3] != 58:
        raise ValueError("date-time: Z or an offset expected")
    hours = _digits(octets, 1, 3)
    minutes = _digits(octets, 4, 6)
    if hours > 23 or minutes > 59:
        raise ValueError("date-time: no such offset")
    return (hours * 3600 + minutes * 60) * (-1 if octets[0] == 45 else 1)


def parse(text):
    """Seconds since 1970 UTC of an RFC 3339 date-time (section 5.6), any offset.

    A fraction of one to nine digits is cut off. A leap second, which exists only just before midnight UTC, is the
    second after it. Raises ValueError for everything that is no date-time or not in the calendar.
    """
    # In bytes, because MicroPython keeps every single character it takes out of a string for ever.
    octets = text.encode()
    if len(octets) < 20 or octets[4] != 45 or octets[7] != 45 or octets[10] not in b"Tt":
        raise ValueError("date-time: YYYY-MM-DDThh:mm:ss expected")
    if octets[13] != 58 or octets[16] != 58:
        raise ValueError("date-time: hh:mm:ss expected")
    year = _digits(octets, 0, 4)
    month = _digits(octets, 5, 7)
    day = _digits(octets, 8, 10)
    hour = _digits(octets, 11, 13)
    minute = _digits(octets, 14, 16)
    second = _digits(octets, 17, 19)
    if not 1 <= month <= 12 or not 1 <= day <= _days(year, month + 1, 1) - _days(year, month, 1):
        raise ValueError("date-time: no such day")
    if hour > 23 or minute > 59 or second > 60:
        raise ValueError("date-time: no such time of day")
    zone = 19
    if octets[19] == 46:
        zone = 20
        while zone < len(octets) and 48 <= octets[zone] <= 57:
            zone += 1
        if not 21 <= zone <= 29:
            raise ValueError("date-time: one to nine digits of fraction expected")
    seconds = _days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - _offset(octets[zone:])
    if second == 60 and seconds % 86400:
        raise ValueError("date-time: no leap second there")
    return seconds


def rfc3339(seconds):
    """The date-time, like "2026-11-23T02:00:00Z", of seconds since 1970 UTC; years 0000 to 9999.

    No fraction and always Z, as OCPP 2.0.1 Part 2 recommends for what a station sends.
    """
    days, rest = divmod(seconds, 86400)
    days += 719468
    # 400 years are 146097 days. The estimate of the year is corrected by the leap days up to it.
    cycle, days = divmod(days, 146097)
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

    def set(self, utc, now):
        """It is `utc` (seconds since 1970) at the monotonic millisecond `now`. Replaces what was known before."""
        self.is_set = True
        self._utc = utc
        self._now = now

    def utc(self, now):
        """Seconds since 1970 at the monotonic millisecond `now`, or None while nobody has told the time."""
        if not self.is_set:
            return None
        return self._utc + (now - self._now) // 1000

    def shift(self, seconds):
        """Put the clock forward (or back, if negative), until the next `set`. Without a known time nothing changes."""
        self._utc += seconds
