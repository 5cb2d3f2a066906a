"""Block G on the wire: StatusNotification, ChangeAvailability, Heartbeat.

Statuses are compared with what was last told, once after each event, so every change is told exactly once.
"""

from ..payload import date_time, evse

RECORDS = "availability"


def report(station, now):
    """Send a StatusNotification for each connector whose status is not the one that was last sent."""
    if not station.online() or station.outbox.is_full():
        return  # what is not told now is told when this is asked again
    reserved = station.reservations.reserved_evses()
    for place in station.evses:
        for connector in place.connectors:
            status = station.site.status(place, connector, reserved & place.bit)
            if status != connector.queued:
                connector.queued = status
                station.send("StatusNotification", now, (place, connector, status))


def _status(station, about, at):
    place, connector, status = about
    connector.told = None  # the CSMS may have it or not until it answers
    return {
        "timestamp": station.clock.text(at),
        "connectorStatus": status,
        "evseId": place.id,
        "connectorId": connector.id,
    }


def _told(station, about, now, payload, error):
    if error is None:
        about[1].told = about[2]


def prepare_reports(station, every):
    """The link is back: the next `report` tells every status (B04.FR.01), or what changed meanwhile (B04.FR.02)."""
    for place in station.evses:
        for connector in place.connectors:
            connector.queued = None if every else connector.told


def _nothing(station, about, at):
    return {}


def _time_told(station, about, now, payload, error):
    if payload:
        station.set_clock(now, payload["currentTime"])


def change_availability(station, now, request):
    """ChangeAvailabilityRequest -> ChangeAvailabilityResponse (G03, G04)."""
    site = station.site
    operative = request["operationalStatus"] == "Operative"
    places = site.evses
    target = site  # the whole station
    wanted = request.get("evse")
    if wanted:
        target = place = site.evse(wanted["id"])
        if place and "connectorId" in wanted:
            target = place.connector(wanted["connectorId"])
        if target is None:
            return "Rejected UnknownConnectorId" if place else "Rejected UnknownEvse"
        places = (place,)
    if target.operative != operative:
        target.operative = operative
        reason = station.store(RECORDS, _record(site))  # G03.FR.08, G04.FR.09: survives a reboot
        if reason:
            target.operative = not operative
            return "Rejected " + reason
    for place in places:
        if place.transaction and not operative:
            return "Scheduled"  # G03.FR.05, G04.FR.06: it takes effect when the transactions have ended
    return "Accepted"  # done, or so already (G03.FR.03)


def _record(site):
    """One byte for the station, then two for each EVSE: itself and, bit by bit, its connectors. Ones are operative."""
    data = bytes((site.operative,))
    for place in site.evses:
        bits = 0
        for connector in place.connectors:
            bits |= connector.operative << connector.id
        data += bytes((place.operative, bits))
    return data


def load(station, now, name, data):
    """Take over what ChangeAvailability left. Other EVSEs than there were then keep their default: operative."""
    site = station.site
    site.operative = bool(data[0])
    for place in site.evses:
        at = 2 * place.id - 1
        if at + 1 < len(data):
            place.operative = bool(data[at])
            for connector in place.connectors:
                connector.operative = bool(data[at + 1] >> connector.id & 1)


REQUESTS = (
    ("ChangeAvailability", (
        "operationalStatus", "Inoperative Operative",
        "evse?", evse,
    ), change_availability),
)
CALLS = (
    ("StatusNotification", "status", _status, (), _told),
    ("Heartbeat", "status", _nothing, ("currentTime", date_time), _time_told),
)
