"""Block C on the wire: a token is presented, AuthorizeRequest if need be, and what follows from the answer.

A token that a reservation names needs no AuthorizeRequest: the CSMS named it, and it must open its EVSE offline too
(H03.FR.01–03). Every other token, and every group, is for the CSMS to judge.
"""

from holdfast import outbox
from holdfast.authorization import ASK, CLAIM, CLOSED, verdict
from holdfast.blocks import transactions
from holdfast.blocks.reservation import consume, token_of
from holdfast.blocks.types import id_token_info
from holdfast.log import masked
from holdfast.reservations import same_token
from holdfast.transactions import Authorization


def present(station, now, evse, token):
    """A token, (id_token, type), is presented at an EVSE. Returns a few words on what came of it."""
    if evse.authorization is not None:
        return _present_again(station, now, evse, token)
    refusal = _unusable(station, evse)
    if refusal:
        return refusal
    what, reservation = verdict(station.reservations, evse, token, None)
    if what == CLAIM:
        grant(station, now, evse, token, None, reservation, "Authorized")
        return "accepted: reservation %d" % reservation.id
    if what == CLOSED:
        station.log("info", "EVSE %d: %s refused, it is reserved" % (evse.id, masked(token[0])))
        return "refused: reserved for somebody else"  # H03 remark: not authorized to charge here
    if not station.online():
        return "refused: offline, and nothing here knows this token"
    ask(station, now, evse, token, "Authorized")
    return "asking the CSMS" + (" for the group" if what == ASK else "")


def _unusable(station, evse):
    if evse.fault is not None:
        return "refused: faulted"
    if not station.site.operative_target(evse):
        return "refused: out of service"
    return None


def _present_again(station, now, evse, token):
    """At an EVSE where somebody is authorized: the same token ends it (C01.FR.03), one of its group too (C09)."""
    if same_token(evse.authorization.token, token):
        withdraw(station, now, evse, "StopAuthorized", "Local", token)
        return "stopped"
    if evse.authorization.group is None:
        return "refused: in use"
    if not station.online():
        return "refused: in use, and offline"

    def judged(at, info, group):
        authorization = evse.authorization
        if info and authorization and authorization.group and group and same_token(authorization.group, group):
            withdraw(station, at, evse, "StopAuthorized", "Local", token)  # C09.FR.03

    _authorize(station, now, evse, token, judged)
    return "asking the CSMS for the group"


def ask(station, now, evse, token, trigger, group=None, remote_start_id=None):
    """Send an AuthorizeRequest for a token at an EVSE and act on the answer. By then anything may have changed."""

    def judged(at, info, learned):
        if info is None or evse.authorization is not None or _unusable(station, evse):
            station.log("info", "EVSE %d: %s not authorized" % (evse.id, masked(token[0])))
            return
        what, reservation = verdict(station.reservations, evse, token, learned or group)
        if what in (ASK, CLOSED):
            station.log("info", "EVSE %d: %s refused, it is reserved" % (evse.id, masked(token[0])))
            return
        grant(station, at, evse, token, learned or group, reservation, trigger, remote_start_id)

    _authorize(station, now, evse, token, judged)


def _authorize(station, now, evse, token, judged):
    """AuthorizeRequest; `judged(now, IdTokenInfoType, or None if not accepted here, group or None)` hears of it."""
    station.send(outbox.DRIVER, "Authorize", now, (evse, token, judged), _request, _answered)


def _request(about, at):
    token = about[1]
    return {"idToken": {"idToken": token[0], "type": token[1]}}


def _answered(about, now, payload, error):
    evse, _, judged = about
    info = payload["idTokenInfo"] if payload else None
    if info and (info["status"] != "Accepted" or evse.id not in info.get("evseId", [evse.id])):  # C01.FR.21
        info = None
    judged(now, info, token_of(info.get("groupIdToken")) if info else None)


def grant(station, now, evse, token, group, reservation, trigger, remote_start_id=None):
    """The token may charge at the EVSE; `reservation` (or None) is consumed by this (H03.FR.09)."""
    if reservation:
        consume(station, reservation)
    evse.authorization = Authorization(token, group, now, reservation and reservation.id, remote_start_id)
    evse.shut_in = False  # H03.FR.10: Occupied now if a cable is in, else Available
    station.log("info", "EVSE %d: %s may charge" % (evse.id, masked(token[0])))
    transactions.follow(station, now, evse, trigger)


def withdraw(station, now, evse, trigger, reason, token=None):
    """The authorization at an EVSE ends: `trigger` of TriggerReasonEnumType, `reason` of ReasonEnumType."""
    evse.authorization = None
    transactions.follow(station, now, evse, trigger, token, reason)


RESPONSES = (
    ("Authorize", (
        "idTokenInfo", id_token_info,
        "certificateStatus?", "Accepted SignatureError CertificateExpired CertificateRevoked NoCertificateAvailable"
                              " CertChainError ContractCancelled",
    )),
)
