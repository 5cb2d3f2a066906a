"""Block F on the wire: RequestStartTransaction and RequestStopTransaction. Answered first, then done."""

from ..payload import fault_of, id_token, integer
from .authorization import ask, grant, unusable, withdraw
from .reservation import token_of


def request_start(station, now, request):
    """RequestStartTransactionRequest -> RequestStartTransactionResponse."""
    token = token_of(request["idToken"])
    group = token_of(request.get("groupIdToken"))
    if "evseId" in request:
        evse = station.site.evse(request["evseId"])
        reason = "UnknownEvse"
    else:
        evse = station.reservations.choose(token, group)
        reason = "NotFound"  # F01.FR.07
    if station.registration != "Accepted":
        reason = "CSNotAccepted"  # B02.FR.05
    elif evse:
        authorize = station.variables.true("AuthCtrlr.AuthorizeRemoteStart")
        what, reservation = station.reservations.verdict(evse, token, group)
        if evse.authorization:
            reason = "TxInProgress"  # F01.FR.24
        elif unusable(station, evse):
            reason = "OutOfService"  # F01.FR.23
        # F01.FR.21, .22. Where only the token's group can open the EVSE, the CSMS tells it in the AuthorizeResponse.
        elif what == "closed" or what == "ask" and not authorize:
            reason = "Reserved"
        else:
            answer = {"status": "Accepted"}
            if evse.transaction:
                answer["transactionId"] = evse.transaction.id  # F01.FR.13
            remote_start_id = request["remoteStartId"]
            if what == "claim" or not authorize:
                grant(station, now, evse, token, group, reservation, "RemoteStart", remote_start_id)
            else:
                ask(station, now, evse, token, "RemoteStart", group, remote_start_id)  # F01.FR.01
            return answer
    return "Rejected " + reason


def request_stop(station, now, request):
    """RequestStopTransactionRequest -> RequestStopTransactionResponse."""
    if station.registration != "Accepted":
        return "Rejected CSNotAccepted"  # B02.FR.05
    for evse in station.evses:
        if evse.transaction and evse.transaction.id == request["transactionId"]:
            withdraw(station, now, evse, "RemoteStop", "Remote")  # F03.FR.02, F03.FR.07
            return "Accepted"
    return "Rejected TxNotFound"  # F03.FR.08


def charging_profile(value):
    """ChargingProfileType, checked although this station charges as fast as it may.

    The rule is large and seldom needed, so it takes memory only from the first profile on.
    """
    from .charging_profile import CHARGING_PROFILE
    return fault_of(CHARGING_PROFILE, value)


REQUESTS = (
    ("RequestStartTransaction", (
        "evseId?", integer,
        "groupIdToken?", id_token,
        "idToken", id_token,
        "remoteStartId", integer,
        "chargingProfile?", charging_profile,  # checked, then ignored: there is no smart charging here (F01.FR.12)
    ), request_start),
    ("RequestStopTransaction", ("transactionId", 36), request_stop),
)
