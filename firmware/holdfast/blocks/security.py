"""Block A on the wire: SecurityEventNotification, and the time that TLS needs before the CSMS can tell it.

An event is told once however often its cause repeats, until the CSMS has confirmed it (A04). Events wait in memory
while offline; those that only a broken connection brings about wait on flash too, and survive a reboot. The others
come anew with every boot, or are not critical.
"""

from holdfast import clock, outbox
from holdfast.blocks.types import empty

RECORDS = "security-"  # and the type of the event: four bytes UTC, 0 for unknown, and the techInfo
TIME_RECORD = "time"  # four bytes UTC: it is at least that late

# Critical ones (Part 2 appendix 2) that must outlive a reboot: while they wait there may be no CSMS for days.
_KEPT = ("InvalidCsmsCertificate", "InvalidTLSVersion", "InvalidTLSCipherSuite", "MemoryExhaustion")
_MOST = 8  # events waiting at a time
_ADJUSTED = 60  # s; a clock that is set by more is an event
_HOUR, _DAY = 3600, 86_400


class Event:
    """Something that happened at monotonic `at` (ms), or at `utc` if that was known by then."""

    def __init__(self, name, at, utc, info):
        self.name = name
        self.at = at
        self.utc = utc
        self.info = info
        self.queued = False


def happened(station, now, name, info=""):
    """Remember a security event until the CSMS has heard of it (A04.FR.01, A04.FR.02). `info`: techInfo."""
    waiting = station.security_events
    if len(waiting) >= _MOST or name in [event.name for event in waiting]:
        return
    event = Event(name, now, station.clock.utc(now), info)
    waiting.append(event)
    if name in _KEPT:
        station.try_store(now, RECORDS + name, (event.utc or 0).to_bytes(4, "big") + info.encode()[:100])


def report(station, now):
    """Send what is not yet on its way."""
    if station.online():
        for event in station.security_events:
            if not event.queued:
                event.queued = True
                _send(station, now, event)


def _send(station, now, event):
    def build(at):
        utc = station.clock.utc(event.at) if event.utc is None else event.utc
        payload = {"type": event.name, "timestamp": clock.rfc3339(utc)}
        if event.info:
            payload["techInfo"] = event.info
        return payload

    def confirmed(at, payload, error):
        # A CALLERROR means that the CSMS got it and will not have it: sending it again would change nothing.
        if error != "offline":
            station.security_events.remove(event)
            if event.name in _KEPT:
                station.forget(RECORDS + event.name)

    station.send(outbox.UPDATE, "SecurityEventNotification", now, build, confirmed)


def load(station, name, data):
    """Take over a record of a former run: an event, or the time that was known last."""
    if len(data) < 4:
        return False
    utc = int.from_bytes(data[:4], "big")
    if name == TIME_RECORD:
        station.known_time = utc
    else:
        station.security_events.append(Event(name[len(RECORDS):], 0, utc or None, str(data[4:], "utf-8")))
    return True


def time_told(station, now, utc):
    """The CSMS says that it is `utc`; to be called before the clock is set."""
    if station.clock.is_set and abs(station.clock.utc(now) - utc) > _ADJUSTED:
        happened(station, now, "SettingSystemTime", "by %d s" % (utc - station.clock.utc(now)))
    # After power-on TLS needs a time that is about right, and only TLS: an hour late is good enough for a certificate,
    # and flash shall not wear.
    if station.config.security_profile > 1:
        known = station.known_time or 0
        if abs(utc - known) > (_DAY if station.clock.is_set else _HOUR) and (
                station.try_store(now, TIME_RECORD, utc.to_bytes(4, "big"))):
            station.known_time = utc


REQUESTS = ()
RESPONSES = (("SecurityEventNotification", empty),)
