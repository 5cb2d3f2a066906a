"""The board's clock: takes the place of MicroPython's `time` on the desk and backs `machine.RTC`.

As on an ESP32 the epoch is 2000-01-01, the clock starts there at power-on, runs on through resets once it is set, and
`time()` is an integer. Ticks and sleeps are the interpreter's own, or those of a board that lives faster: `hurry`.
"""

import struct
import time as host
from time import (  # noqa: F401 (part of the module that this one replaces)
    sleep,
    sleep_ms,
    sleep_us,
    ticks_add,
    ticks_cpu,
    ticks_diff,
    ticks_ms,
    ticks_us,
)

EPOCH_2000 = 946684800
_state = None


def power_up(directory):
    """Take up the clock where it was; after a power cut the file `rtc` is gone and both clock and memory begin anew.

    The file holds board time minus host time in ns, then the length and the bytes of the RTC memory.
    """
    global _state
    path = directory + "/rtc"
    try:
        _state = open(path, "r+b")
    except OSError:
        _state = open(path, "w+b")
        _state.write(struct.pack("<q", -host.time_ns()) + bytes(2 + 2048))


def hurry(speed):
    """From now on everything that waits takes so many times less, and the ticks say that it took as long as ever.

    This module has to be `time` already, or asyncio would go by the interpreter's own. The clock, that of time() and
    the RTC, goes on as it was.
    """
    global sleep, sleep_ms, sleep_us, ticks_ms, ticks_us
    begun = host.ticks_us()  # on 64 bits it does not begin anew within a lifetime

    def ticks_us():
        return begun + (host.ticks_us() - begun) * speed

    def ticks_ms():
        return ticks_us() // 1000

    def sleep(seconds):
        host.sleep(seconds / speed)

    def sleep_ms(ms):
        host.sleep_us(ms * 1000 // speed)

    def sleep_us(us):
        host.sleep_us(us // speed)

    import asyncio.core

    wait = asyncio.core.IOQueue.wait_io_event
    asyncio.core.IOQueue.wait_io_event = lambda self, ms: wait(self, -(-ms // speed) if ms > 0 else ms)


def _offset():
    _state.seek(0)
    return struct.unpack("<q", _state.read(8))[0]


def time_ns():
    return host.time_ns() + _offset()


def time():
    return time_ns() // 1000000000


def gmtime(seconds=None):
    return host.gmtime((time() if seconds is None else seconds) + EPOCH_2000)


localtime = gmtime


def mktime(t):
    return int(host.mktime(t)) - EPOCH_2000


class RTC:
    def datetime(self, value=None):
        """(year, month, day, weekday, hours, minutes, seconds, microseconds); with a value: set the clock."""
        if value is None:
            now = time_ns()
            year, month, day, hours, minutes, seconds, weekday = gmtime(now // 1000000000)[:7]
            return (year, month, day, weekday, hours, minutes, seconds, now // 1000 % 1000000)
        year, month, day, _weekday, hours, minutes, seconds, microseconds = value
        wanted = mktime((year, month, day, hours, minutes, seconds, 0, 0, 0)) * 1000000000 + microseconds * 1000
        _state.seek(0)
        _state.write(struct.pack("<q", wanted - host.time_ns()))

    def memory(self, data=None):
        """Up to 2048 bytes that survive resets but no power cut."""
        if data is None:
            _state.seek(8)
            length = struct.unpack("<H", _state.read(2))[0]
            return _state.read(length)
        if len(data) > 2048:
            raise ValueError("buffer too long")
        _state.seek(8)
        _state.write(struct.pack("<H", len(data)) + data)
