"""Block H on the wire: ReserveNow, CancelReservation and ReservationStatusUpdate.

Written to flash, then answered, then notified: a status Accepted is never said of something that a power cut could
still undo. The policy is in holdfast/reservations.py.
"""

from .. import clock, log
from ..payload import date_time, id_token, integer, integer_between
from ..reservations import CONNECTOR_TYPES, Reservation, from_record

# Ids have no minimum in the 2.0.1 schemas; 2.1 made it 0, and so does this station.
_id = integer_between(0, 0x7FFFFFFF)

RECORDS = "reservation"

# Endings that the CSMS has not confirmed pile up only while the link is down and somebody reserves at the console.
_MOST = 24


def token_of(value):
    """(id_token, type) of an IdTokenType, or None for None."""
    return value and (value["idToken"], value["type"])


def reserve_now(station, now, request):
    """ReserveNowRequest -> ReserveNowResponse, as a text: ReserveNowStatusEnumType and perhaps a reason code."""
    return reserve(station, now, Reservation(
        request["id"], request.get("evseId"), request.get("connectorType"), clock.parse(request["expiryDateTime"]),
        token_of(request["idToken"]), token_of(request.get("groupIdToken"))))


def reserve(station, now, reservation):
    """Reserve, for the CSMS or for somebody at the console; answers like reserve_now."""
    reservations = station.reservations
    reason = _refusal(station, now, reservation)
    if reason:
        return "Rejected " + reason
    status = reservations.judge(reservation)
    if status != "Accepted":
        return status
    reservation.sequence = reservations.sequence + 1
    reason = station.store(_name(reservation.id), reservation.record())
    if reason:
        return "Rejected " + reason  # the old reservation with this id, if there is one, stays as it was
    reservations.put(reservation)  # H01.FR.02: in place of an older one with the same id
    station.log("info", "reservation %d: EVSE %s for %s, %d minutes" % (
        reservation.id, reservation.evse_id or "any", log.masked(reservation.token[0]),
        (reservation.expiry - station.clock.utc(now)) // 60))
    return status


def _refusal(station, now, reservation):
    """The reason code to reject a reservation for, whatever the EVSEs are doing; None if there is none."""
    true = station.variables.true
    evses = station.evses
    if not true("ReservationCtrlr.Available") or not true("ReservationCtrlr.Enabled"):
        return "NotEnabled"  # H01.FR.01
    if reservation.evse_id is not None:
        evse = station.site.evse(reservation.evse_id)
        if not evse:
            return "UnknownEvse"
        evses = (evse,)
    elif not true("ReservationCtrlr.NonEvseSpecific"):
        return "UnsupportedParam"  # H01.FR.19
    kind = reservation.connector_type
    for evse in evses:
        if kind is None or evse.has_type(kind):
            break
    else:
        return "UnknownConnectorType"
    utc = station.clock.utc(now)
    if utc is None or reservation.expiry <= utc:
        return "InvalidValue"
    reservations = station.reservations
    if len(reservations.held) + len(reservations.ended) >= _MOST and not reservations.find(reservation.id):
        return "OutOfStorage"
    return None


def cancel_reservation(station, now, request):
    """CancelReservationRequest -> CancelReservationResponse, as a text: CancelReservationStatusEnumType and so on."""
    reservation_id = request["reservationId"]
    if station.reservations.find(reservation_id) is None:
        return "Rejected InvalidValue"  # H02.FR.01
    reason = station.store(_name(reservation_id), None)
    if reason:
        return "Rejected " + reason
    station.reservations.drop(reservation_id)  # H02.FR.02; no ReservationStatusUpdate (H02 remark)
    _log(station, reservation_id, "cancelled")
    return "Accepted"


def withdraw(station, now, reservation_id):
    """Cancel for somebody at the console; answers like cancel_reservation. Of this one the CSMS has to hear."""
    reservation = station.reservations.find(reservation_id)
    if not reservation:
        return "Rejected InvalidValue"
    _end(station, reservation, "Removed")
    return "Accepted"


def consume(station, reservation):
    """H03.FR.09: a matching token was presented, the reservation is over. A failing flash sends no driver away."""
    station.reservations.drop(reservation.id)
    station.forget(_name(reservation.id))
    _log(station, reservation.id, "used")


def load(station, now, name, data):
    """Take a reservation over from its record. ValueError or IndexError if the record makes no sense."""
    reservation = from_record(data)
    if name != _name(reservation.id):
        raise ValueError
    station.reservations.put(reservation)


def settle(station, now):
    """End what is over: lapsed, or left without an EVSE that could serve it."""
    reservations = station.reservations
    for reservation in reservations.lapsed(station.clock.utc(now)):
        _end(station, reservation, "Expired")  # H04.FR.01
    for reservation in reservations.homeless():
        _end(station, reservation, "Removed")  # H01.FR.16, H01.FR.17
    for evse in station.evses:
        if evse.shut_in and not station.reservations.is_reserved(evse):
            evse.shut_in = False  # from here on that cable is a walk-up's: it leaves the EVSE to nobody else


def _end(station, reservation, how):
    # `report_endings`, which comes before the event is over, puts it on flash and tells the CSMS.
    reservation.ended = how
    reservation.saved = reservation.queued = False
    station.reservations.put(reservation)
    _log(station, reservation.id, how)


def switch(station, now, enabled):
    """ReservationCtrlr.Enabled was written: reservations come alive again unless somebody charges there by now."""
    reservations = station.reservations
    if enabled and not reservations.enabled:
        for reservation in list(reservations.held):
            evse = station.site.evse(reservation.evse_id)
            if evse and (evse.transaction or evse.authorization):
                _end(station, reservation, "Expired")
    reservations.enabled = enabled


def report_endings(station, now):
    """Send a ReservationStatusUpdate for every ending that is safely on flash and not yet on its way.

    The record keeps the ending until the CSMS has confirmed it, so neither a lost link nor a reboot loses one. A cut
    between the confirmation and the removal of the record sends it twice: at least once is what is promised.
    """
    for reservation in station.reservations.ended:
        if not reservation.saved:
            reservation.saved = station.try_store(now, _name(reservation.id), reservation.record())
        if reservation.saved and station.online() and not reservation.queued:
            reservation.queued = True
            station.send("ReservationStatusUpdate", now, reservation)


def _update(station, reservation, at):
    if reservation not in station.reservations.ended:
        return None  # its id was given to a new reservation meanwhile
    return {"reservationId": reservation.id, "reservationUpdateStatus": reservation.ended}


def _confirmed(station, reservation, now, payload, error):
    # A CALLERROR means that the CSMS got it and will not have it: sending it again would change nothing.
    if error != "offline" and reservation in station.reservations.ended:
        station.reservations.ended.remove(reservation)
        station.forget(_name(reservation.id))


def _name(reservation_id):
    return "reservation-%d" % reservation_id


def _log(station, reservation_id, how):
    station.log("info", "reservation %d: %s" % (reservation_id, how))


REQUESTS = (
    ("ReserveNow", (
        "id", _id,
        "expiryDateTime", date_time,
        "connectorType?", CONNECTOR_TYPES,
        "idToken", id_token,
        "evseId?", integer,
        "groupIdToken?", id_token,
    ), reserve_now),
    ("CancelReservation", ("reservationId", _id), cancel_reservation),
)
CALLS = (("ReservationStatusUpdate", "update", _update, (), _confirmed),)
