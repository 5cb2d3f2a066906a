"""Block E on the wire: TransactionEvent. The policy is in holdfast/transactions.py.

An event is on flash before it is told, and until the CSMS has it (E04, E08, E12, B12.FR.05); so is the transaction that
runs, which a power cut ends. Flash that refuses stops neither the driver nor the message: then it is kept in memory.
"""

from .. import transactions
from ..clock import rfc3339
from ..payload import id_token_info, integer, message_content, number

RECORDS = "event transaction"  # event-00000001 in the order they happened, transaction-1 by EVSE


def follow(station, now, evse, trigger, token=None, reason=None):
    """A fact about an EVSE changed for the reason `trigger`: advance its transaction and tell what is to be told."""
    variables = station.variables
    events = transactions.advance(
        evse, trigger, station.site.in_service(evse), variables.get("TxCtrlr.TxStartPoint"),
        variables.get("TxCtrlr.TxStopPoint"), station.new_id, token, reason)
    if events:
        # A cut between two of these writes leaves a gap in the numbers, or an end that is told: nothing twice, and no
        # transaction without an end.
        running = "transaction-%d" % evse.id
        if evse.transaction:
            station.try_store(now, running, evse.transaction.record(station.clock.utc(now)))
        for event in events:
            _tell(station, now, "EVSE %d" % evse.id, event)
        if not evse.transaction:
            station.forget(running)


def _tell(station, now, where, event):
    station.log("info", "%s: transaction %s, %s" % (where, event.kind, event.trigger))
    event.utc = station.clock.utc(now) or event.utc
    station.last_event += 1
    name = "event-%08x" % station.last_event
    data = event.record()
    _queue(station, now, event, name if station.try_store(now, name, data) else None, data)


def _queue(station, now, event, name, data):
    # Waiting, an event is its bytes: they take less memory than what they stand for.
    station.send("TransactionEvent", now, (name, data),
                 event.kind == "Updated" and event.token is None)  # what a token did must be heard (H01.FR.15)


def load(station, now, name, data):
    """Take over a record of a former run: an event that the CSMS has yet to hear, or a transaction that was cut short.

    ValueError or IndexError if it makes no sense.
    """
    if name.startswith("event-"):
        station.last_event = int(name[6:], 16)
        _queue(station, now, transactions.event_from(data), name, data)
        return
    event = transactions.ended_by_power_cut(data, "PowerLoss" if station.boot_reason == "PowerUp" else "Reboot")
    for message in station.outbox.waiting:
        told = transactions.event_from(message.about[1])
        if told.kind == "Ended" and told.transaction_id == event.transaction_id:
            break  # the cut came between the two: it had ended before
    else:
        _tell(station, now, name, event)
    station.forget(name)


def _event(station, about, at):
    event = transactions.event_from(about[1])
    utc = event.utc
    if utc is None or event.stopped_reason in ("PowerLoss", "Reboot"):
        utc = max(utc or 0, station.clock.utc(at))  # the cut was between the last event and this start
    return _given({
        "eventType": event.kind,
        "timestamp": rfc3339(utc),
        "triggerReason": event.trigger,
        "seqNo": event.seq_no,
        "transactionInfo": _given({
            "transactionId": event.transaction_id,
            "chargingState": event.state,
            "stoppedReason": event.stopped_reason,
            "remoteStartId": event.remote_start_id,
        }),
        "reservationId": event.reservation_id,
        "idToken": event.token and {"idToken": event.token[0], "type": event.token[1]},
        "evse": event.evse_id and {"id": event.evse_id, "connectorId": event.connector_id},
    })


def _answered(station, about, now, payload, error):
    # Whatever came of it, it is not sent again.
    name, data = about
    if name:
        station.forget(name)
    info = payload and payload.get("idTokenInfo")
    if info and info["status"] != "Accepted":
        transaction_id = transactions.event_from(data).transaction_id
        for evse in station.evses:
            if evse.transaction and evse.transaction.id == transaction_id and evse.authorization:  # E05
                if station.variables.true("TxCtrlr.StopTxOnInvalidId"):
                    evse.authorization = None
                    follow(station, now, evse, "Deauthorized", None, "DeAuthorized")  # E05.FR.09, E05.FR.10
                else:
                    evse.authorization.refused = True
                    follow(station, now, evse, "ChargingStateChanged")  # E05.FR.02


def _given(fields):
    # An id of 0 is an id: what is absent is None, nothing else.
    for name in list(fields):
        if fields[name] is None:
            del fields[name]
    return fields


CALLS = (
    ("TransactionEvent", "event", _event, (
        "totalCost?", number,
        "chargingPriority?", integer,
        "idTokenInfo?", id_token_info,
        "updatedPersonalMessage?", message_content,
    ), _answered),
)
