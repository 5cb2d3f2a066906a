"""Block G on the wire: StatusNotification, ChangeAvailability, Heartbeat.

Statuses are compared with what was last told, once after each event, so every change is told exactly once.
"""

from holdfast import outbox
from holdfast.blocks.reservation import storage_reason
from holdfast.blocks.types import empty, evse
from holdfast.payload import date_time, object_of, one_of

CHANGE_AVAILABILITY = object_of(
    "operationalStatus", one_of("Inoperative Operative"),
    "evse?", evse,
)

HEARTBEAT_RESPONSE = object_of("currentTime", date_time)

RECORD = "availability"


def report(station, now):
    """Send a StatusNotification for each connector whose status is not the one that was last sent."""
    if not station.online() or station.outbox.is_full():
        return  # what is not told now is told when this is asked again
    reserved = station.reservations.reserved_evses()
    for place in station.site.evses:
        for connector in place.connectors:
            status = station.site.status(place, connector, reserved & (1 << (place.id - 1)))
            if status != connector.queued:
                connector.queued = status
                station.send(outbox.STATUS, "StatusNotification", now, (station, place, connector, status),
                             _status, _told)


def _status(about, at):
    station, place, connector, status = about
    connector.told = None  # the CSMS may have it or not until it answers
    return {
        "timestamp": station.clock.text(at),
        "connectorStatus": status,
        "evseId": place.id,
        "connectorId": connector.id,
    }


def _told(about, now, payload, error):
    if error is None:
        about[2].told = about[3]


def prepare_reports(station, all_of_them):
    """The link is back: the next `report` tells the statuses that changed meanwhile, or all (B04.FR.01, B04.FR.02)."""
    for place in station.site.evses:
        for connector in place.connectors:
            connector.queued = None if all_of_them else connector.told


def heartbeat(station, now):
    """Send a Heartbeat; its answer sets the clock."""
    station.send(outbox.STATUS, "Heartbeat", now, station, _nothing, _time_told)


def _nothing(station, at):
    return {}


def _time_told(station, now, payload, error):
    if payload:
        station.set_clock(now, payload["currentTime"])


def change_availability(station, now, request):
    """ChangeAvailabilityRequest -> ChangeAvailabilityResponse (G03, G04)."""
    site = station.site
    operative = request["operationalStatus"] == "Operative"
    targets = site.evses
    target = site  # the whole station
    if "evse" in request:
        place = site.evse(request["evse"]["id"])
        target = place
        if place and "connectorId" in request["evse"]:
            target = place.connector(request["evse"]["connectorId"])
        if target is None:
            return station.answer_status("Rejected", "UnknownEvse" if place is None else "UnknownConnectorId")
        targets = [place]
    busy = any([place.transaction for place in targets])
    if target.operative != operative:
        target.operative = operative
        try:
            station.store(RECORD, _record(site))  # G03.FR.08, G04.FR.09: survives a reboot
        except OSError as error:
            target.operative = not operative
            return station.answer_status("Rejected", storage_reason(error))
    # Scheduled takes effect when the transactions have ended. Accepted: done, or so already (G03.FR.03).
    return {"status": "Scheduled" if busy and not operative else "Accepted"}  # G03.FR.05, G04.FR.06


def _record(site):
    """One byte for the station, then two for each EVSE: itself and, bit by bit, its connectors. Ones are operative."""
    data = bytearray([site.operative])
    for place in site.evses:
        data.append(place.operative)
        data.append(sum([connector.operative << connector.id for connector in place.connectors]))
    return bytes(data)


def load(station, data):
    """Take over what ChangeAvailability left. Other EVSEs than there were then keep their default: operative."""
    site = station.site
    site.operative = bool(data[0])
    for place in site.evses:
        at = 2 * place.id - 1
        if at + 1 < len(data):
            place.operative = bool(data[at])
            for connector in place.connectors:
                connector.operative = bool(data[at + 1] >> connector.id & 1)


REQUESTS = (("ChangeAvailability", CHANGE_AVAILABILITY, change_availability),)
RESPONSES = (("StatusNotification", empty), ("Heartbeat", HEARTBEAT_RESPONSE))
