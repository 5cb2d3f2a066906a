"""Block C on the wire: a token is presented, AuthorizeRequest if need be, and what follows from the answer.

A token that a reservation names needs no AuthorizeRequest: the CSMS named it, and it must open its EVSE offline too
(H03.FR.01–03). Every other token, and every group, is for the CSMS to judge.
"""

from ..log import masked
from ..payload import id_token_info
from ..reservations import same_token
from ..transactions import Authorization
from . import transactions
from .reservation import consume, token_of


def present(station, now, evse, token):
    """A token, (id_token, type), is presented at an EVSE. Returns a few words on what came of it."""
    if evse.authorization:
        # The same token ends it (C01.FR.03), one of its group too (C09).
        if same_token(evse.authorization.token, token):
            withdraw(station, now, evse, "StopAuthorized", "Local", token)
            return "stopped"
        if not evse.authorization.group:
            return "refused: in use"
        if not station.online():
            return "refused: in use, and offline"
        ask(station, now, evse, token, "StopAuthorized")
        return "asking the CSMS for the group"
    refusal = unusable(station, evse)
    if refusal:
        return refusal
    what, reservation = station.reservations.verdict(evse, token, None)
    if what == "claim":
        grant(station, now, evse, token, None, reservation, "Authorized")
        return "accepted: reservation %d" % reservation.id
    if what == "closed":
        _log(station, evse, token, "refused, it is reserved")
        return "refused: reserved for somebody else"  # H03 remark: not authorized to charge here
    if not station.online():
        return "refused: offline, and nothing here knows this token"
    ask(station, now, evse, token, "Authorized")
    return "asking the CSMS" + (" for the group" if what == "ask" else "")


def unusable(station, evse):
    """Why nobody can begin to charge at an EVSE, whoever it is, in a few words; or None."""
    if evse.fault is not None:
        return "refused: faulted"
    if not station.site.operative_target(evse):
        return "refused: out of service"
    return None


def ask(station, now, evse, token, trigger, group=None, remote_start_id=None):
    """Send an AuthorizeRequest for a token at an EVSE and act on the answer. By then anything may have changed.

    `trigger` is what it is for: to charge by Authorized and RemoteStart, else StopAuthorized by one of the group.
    """
    station.send("Authorize", now, (evse, token, trigger, group, remote_start_id))


def _request(station, about, at):
    token = about[1]
    return {"idToken": {"idToken": token[0], "type": token[1]}}


def _answered(station, about, now, payload, error):
    evse, token, trigger, group, remote_start_id = about
    info = payload and payload["idTokenInfo"]
    accepted = info and info["status"] == "Accepted" and evse.id in info.get("evseId", [evse.id])  # C01.FR.21
    learned = token_of(info.get("groupIdToken")) if accepted else None
    authorization = evse.authorization
    if trigger == "StopAuthorized":
        if learned and authorization and authorization.group and same_token(authorization.group, learned):
            withdraw(station, now, evse, trigger, "Local", token)  # C09.FR.03
        return
    if not accepted or authorization or unusable(station, evse):
        _log(station, evse, token, "not authorized")
        return
    what, reservation = station.reservations.verdict(evse, token, learned or group)
    if what in ("ask", "closed"):
        _log(station, evse, token, "refused, it is reserved")
        return
    grant(station, now, evse, token, learned or group, reservation, trigger, remote_start_id)


def grant(station, now, evse, token, group, reservation, trigger, remote_start_id=None):
    """The token may charge at the EVSE; `reservation` (or None) is consumed by this (H03.FR.09)."""
    if reservation:
        consume(station, reservation)
    evse.authorization = Authorization(token, group, now, reservation and reservation.id, remote_start_id)
    evse.shut_in = False  # H03.FR.10: Occupied now if a cable is in, else Available
    _log(station, evse, token, "may charge")
    transactions.follow(station, now, evse, trigger)


def withdraw(station, now, evse, trigger, reason, token=None):
    """The authorization at an EVSE ends: `trigger` of TriggerReasonEnumType, `reason` of ReasonEnumType."""
    evse.authorization = None
    transactions.follow(station, now, evse, trigger, token, reason)


def _log(station, evse, token, what):
    station.log("info", "EVSE %d: %s %s" % (evse.id, masked(token[0]), what))


CALLS = (
    ("Authorize", "driver", _request, (
        "idTokenInfo", id_token_info,
        "certificateStatus?", "Accepted SignatureError CertificateExpired CertificateRevoked NoCertificateAvailable"
                              " CertChainError ContractCancelled",
    ), _answered),
)
