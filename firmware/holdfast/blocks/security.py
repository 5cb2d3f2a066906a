"""Block A on the wire: SecurityEventNotification.

What comes again and again, as a CSMS that is refused, is told once until the CSMS has confirmed it; of its own starts
the station tells each. Events wait while offline. Critical ones wait on flash too, so that they reach the CSMS whatever
happens to the power (guaranteed delivery, A04.FR.02); a bounded number of them, and written once each.
"""

from ..clock import rfc3339
from ..log import printable

RECORDS = "security"  # and the type of the event, for a start after a number; in it four bytes UTC, and the techInfo

# The critical ones that this station has (Part 2 appendix 2), starts apart.
_CRITICAL = "InvalidCsmsCertificate InvalidTLSVersion InvalidTLSCipherSuite MemoryExhaustion SettingSystemTime"
_STARTS = "StartupOfTheDevice ResetOrReboot"
_MOST = 11  # events waiting at a time: none of those that this station has keeps another one out
_MOST_STARTS = 4  # of them: then the oldest goes, or a board that starts all the time would leave no room for others


def happened(station, now, name, info):
    """Remember a security event until the CSMS has heard of it (A04.FR.01, A04.FR.02). `info`: techInfo."""
    record = "security-" + name if name in _CRITICAL.split() else None
    if name in _STARTS.split():
        starts = []
        for event in station.security_events:
            if event[0]["type"] in _STARTS.split():
                starts.append(event)
        number = int(starts[-1][3].split("-")[1]) + 1 if starts else 0
        if len(starts) >= _MOST_STARTS:
            _forget(station, starts[0])
        record = "security-%04d-%s" % (number, name)  # so that they are found in this order
    info = printable(info)[:255]  # the most that techInfo may have
    utc = station.clock.utc(now)
    if _wait(station, now, name, utc, info, record):
        if record:
            # 0: the time is not known yet.
            station.try_store(now, record, (utc or 0).to_bytes(4, "big") + info.encode()[:112])
        station.log("info", "security event: %s, %s" % (name, info))  # A04.FR.04


def _wait(station, now, name, utc, info, record):
    # An event is its payload, when it happened (monotonic ms), whether it is on its way, and its record if it has one.
    waiting = station.security_events
    for event in waiting:
        if event[0]["type"] == name and name not in _STARTS.split():
            return False
    if len(waiting) < _MOST:
        waiting.append([{"type": name, "timestamp": utc and rfc3339(utc), "techInfo": info}, now, False, record])
        return True


def report(station, now):
    """Send what is not yet on its way."""
    if station.online():
        for event in station.security_events:
            if not event[2]:
                event[2] = True
                station.send("SecurityEventNotification", now, event)


def _event(station, event, at):
    # What happened before the station knew the time gets its time now.
    event[0]["timestamp"] = event[0]["timestamp"] or station.clock.text(event[1])
    return event[0]


def _confirmed(station, event, now, payload, error):
    # A CALLERROR means that the CSMS got it and will not have it: sending it again would change nothing.
    if error != "offline":
        _forget(station, event)


def _forget(station, event):
    station.security_events.remove(event)
    if event[3]:
        station.forget(event[3])


def load(station, now, name, data):
    """Take over the record of an event in a former run. ValueError if it makes no sense."""
    if len(data) < 4:
        raise ValueError
    utc = int.from_bytes(data[:4], "big")
    _wait(station, 0, name.split("-")[-1], utc or None, str(data[4:], "utf-8"), name)


CALLS = (("SecurityEventNotification", "update", _event, (), _confirmed),)
