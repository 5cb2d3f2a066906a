"""Block E on the wire: TransactionEvent. The policy is in holdfast/transactions.py."""

from holdfast import outbox, rpc, transactions
from holdfast.blocks.types import id_token_info, message_content
from holdfast.payload import integer, number, object_of

TRANSACTION_EVENT_RESPONSE = object_of(
    "totalCost?", number,
    "chargingPriority?", integer,
    "idTokenInfo?", id_token_info,
    "updatedPersonalMessage?", message_content,
)


def follow(station, now, evse, trigger, token=None, reason=None):
    """A fact about an EVSE changed for the reason `trigger`: advance its transaction and tell what is to be told."""
    variables = station.variables

    def new_id():
        return rpc.uuid(station.urandom)

    for event in transactions.advance(
            evse, trigger, station.site.in_service(evse),
            variables.get("TxCtrlr.TxStartPoint").split(","), variables.get("TxCtrlr.TxStopPoint").split(","),
            new_id, token, reason):
        station.log("info", "EVSE %d: transaction %s, %s" % (evse.id, event.kind, event.trigger))
        station.send(outbox.TRANSACTION, "TransactionEvent", now, (station, evse, event), _event, _answered,
                     event.kind == "Updated" and event.token is None)  # what a token did must be heard (H01.FR.15)


def _event(about, at):
    station, _, event = about
    info = {"transactionId": event.transaction_id, "chargingState": event.state}
    _add(info, "stoppedReason", event.stopped_reason)
    _add(info, "remoteStartId", event.remote_start_id)
    payload = {
        "eventType": event.kind,
        "timestamp": station.clock.text(at),
        "triggerReason": event.trigger,
        "seqNo": event.seq_no,
        "transactionInfo": info,
    }
    # An id of 0 is an id: what is absent is None, nothing else.
    _add(payload, "reservationId", event.reservation_id)
    if event.token:
        payload["idToken"] = {"idToken": event.token[0], "type": event.token[1]}
    if event.evse_id is not None:
        payload["evse"] = {"id": event.evse_id, "connectorId": event.connector_id}
    return payload


def _answered(about, now, payload, error):
    station, evse, event = about
    info = payload and payload.get("idTokenInfo")
    if info and info["status"] != "Accepted" and evse.transaction and evse.transaction.id == event.transaction_id:
        _token_refused(station, now, evse)


def _add(payload, name, value):
    if value is not None:
        payload[name] = value


def _token_refused(station, now, evse):
    """The CSMS does not accept the token of a running transaction (E05)."""
    if evse.authorization is None:
        return
    if station.variables.true("TxCtrlr.StopTxOnInvalidId"):
        evse.authorization = None
        follow(station, now, evse, "Deauthorized", None, "DeAuthorized")  # E05.FR.09, E05.FR.10
    else:
        evse.authorization.refused = True
        follow(station, now, evse, "ChargingStateChanged")  # E05.FR.02


REQUESTS = ()
RESPONSES = (("TransactionEvent", TRANSACTION_EVENT_RESPONSE),)
