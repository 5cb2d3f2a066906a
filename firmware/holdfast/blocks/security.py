"""Block A on the wire: SecurityEventNotification, and the time that TLS needs before the CSMS can tell it.

An event is told once however often its cause repeats, until the CSMS has confirmed it (A04). Events wait in memory
while offline; those that only a broken connection brings about wait on flash too, and survive a reboot. The others
come anew with every boot, or are not critical.
"""

from holdfast import outbox
from holdfast.blocks.types import empty
from holdfast.clock import rfc3339

RECORDS = "security-"  # and the type of the event: four bytes UTC, 0 for unknown, and the techInfo
TIME_RECORD = "time"  # four bytes UTC: it is at least that late

# Critical ones (Part 2 appendix 2) that must outlive a reboot: while they wait there may be no CSMS for days.
_KEPT = "InvalidCsmsCertificate InvalidTLSVersion InvalidTLSCipherSuite MemoryExhaustion"
_MOST = 8  # events waiting at a time


def happened(station, now, name, info):
    """Remember a security event until the CSMS has heard of it (A04.FR.01, A04.FR.02). `info`: techInfo."""
    utc = station.clock.utc(now)
    if _wait(station, now, name, utc, info) and name in _KEPT.split():
        station.try_store(now, RECORDS + name, (utc or 0).to_bytes(4, "big") + info.encode()[:112])


def _wait(station, now, name, utc, info):
    # An event is its payload, when it happened (monotonic ms), and whether it is on its way.
    waiting = station.security_events
    if len(waiting) < _MOST and name not in [event[0]["type"] for event in waiting]:
        waiting.append([{"type": name, "timestamp": utc and rfc3339(utc), "techInfo": info}, now, False])
        return True


def report(station, now):
    """Send what is not yet on its way."""
    if station.online():
        for event in station.security_events:
            if not event[2]:
                event[2] = True
                station.send(outbox.UPDATE, "SecurityEventNotification", now, (station, event), _event, _confirmed)


def _event(about, at):
    # What happened before the station knew the time gets its time now.
    station, event = about
    event[0]["timestamp"] = event[0]["timestamp"] or station.clock.text(event[1])
    return event[0]


def _confirmed(about, now, payload, error):
    # A CALLERROR means that the CSMS got it and will not have it: sending it again would change nothing.
    station, event = about
    if error != "offline":
        station.security_events.remove(event)
        if event[0]["type"] in _KEPT.split():
            station.forget(RECORDS + event[0]["type"])


def load(station, name, data):
    """Take over a record of a former run: an event, or the time that was known last."""
    if len(data) < 4:
        return False
    utc = int.from_bytes(data[:4], "big")
    if name == TIME_RECORD:
        station.known_time = utc
    else:
        _wait(station, 0, name[len(RECORDS):], utc or None, str(data[4:], "utf-8"))
    return True


def time_told(station, now, utc):
    """The CSMS says that it is `utc`; to be called before the clock is set."""
    is_set = station.clock.is_set
    if is_set and abs(station.clock.utc(now) - utc) > 60:
        happened(station, now, "SettingSystemTime", "more than a minute off")
    # After power-on TLS needs a time that is about right, and only TLS: an hour late is good enough for a certificate,
    # and flash shall not wear. So: after each start once, if the record is older than an hour, then daily.
    if station.config.security_profile > 1 and abs(utc - (station.known_time or 0)) > (86_400 if is_set else 3600) and (
            station.try_store(now, TIME_RECORD, utc.to_bytes(4, "big"))):
        station.known_time = utc


REQUESTS = ()
RESPONSES = (("SecurityEventNotification", empty),)
