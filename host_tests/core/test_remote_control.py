"""Block F: RequestStartTransaction and RequestStopTransaction."""

from fakes import Desk, id_token

GROUP = id_token("FLEET001", "Central")
LOCAL = {"AuthCtrlr.AuthorizeRemoteStart": "false"}


def start(desk, token="HOLDER01", evse_id=1, **extra):
    """RequestStartTransaction; returns the payload of the answer."""
    payload = {"idToken": id_token(token), "remoteStartId": 42}
    if evse_id is not None:
        payload["evseId"] = evse_id
    payload.update(extra)
    desk.clear()
    return desk.call("RequestStartTransaction", payload)


def reason(answer):
    return answer["status"], answer["statusInfo"]["reasonCode"]


def test_answered_first_then_authorized():
    """F01.FR.01, F02: AuthorizeRemoteStart true: the token is authorized like a card."""
    desk = Desk()
    assert start(desk) == {"status": "Accepted"}
    assert desk.wire[:2] == ["answer", "Authorize"]
    assert desk.of("Authorize") == [{"idToken": id_token("HOLDER01")}]
    assert desk.station.evses[0].authorization


def test_without_authorization_where_configured():
    """F01.FR.02: AuthorizeRemoteStart false: no AuthorizeRequest."""
    desk = Desk(variables=LOCAL)
    assert start(desk) == {"status": "Accepted"}
    assert desk.of("Authorize") == []
    assert desk.station.evses[0].authorization


def test_a_token_that_the_csms_does_not_authorize_after_all():
    desk = Desk()
    desk.replies["Authorize"] = {"idTokenInfo": {"status": "Invalid"}}
    assert start(desk)["status"] == "Accepted"
    desk.plug(1)
    assert not desk.hardware.closed.get(1)


def test_the_event_says_remote_start():
    """F01.FR.25, F02.FR.21: RemoteStart with remoteStartId and token, cable first and cable later."""
    for cable_first in (True, False):
        desk = Desk()
        if cable_first:
            desk.plug(1)
        start(desk)
        if not cable_first:
            desk.plug(1)
        event = desk.of("TransactionEvent")[0]
        assert (event["eventType"], event["triggerReason"]) == ("Started", "RemoteStart")
        assert event["transactionInfo"]["remoteStartId"] == 42
        assert event["idToken"] == id_token("HOLDER01")
        assert not [e for e in desk.of("TransactionEvent")[1:] if "remoteStartId" in e["transactionInfo"]]


def test_a_transaction_that_runs_already_is_named():
    """F01.FR.13: TxStartPoint EVConnected: the answer carries its transactionId."""
    desk = Desk(variables={"TxCtrlr.TxStartPoint": "EVConnected"})
    desk.plug(1)
    answer = start(desk)
    assert answer == {"status": "Accepted", "transactionId": desk.station.evses[0].transaction.id}
    assert desk.events()[0] == ("Updated", "RemoteStart", "EVConnected")


def test_reserved_for_another_token_is_rejected():
    """F01.FR.21, F02.FR.23."""
    desk = Desk()
    desk.reserve(1, 1)
    assert reason(start(desk, "OTHER001")) == ("Rejected", "Reserved")
    assert desk.status(1) == "Reserved"
    assert desk.of("Authorize") == []


def test_reserved_for_another_group_is_rejected():
    """F01.FR.22, F02.FR.24: the request names a group, and it is not the reservation's."""
    desk = Desk()
    desk.reserve(1, 1, groupIdToken=GROUP)
    assert reason(start(desk, "OTHER001", groupIdToken=id_token("FLEET002", "Central"))) == ("Rejected", "Reserved")


def test_reserved_for_the_group_of_the_request():
    """F01.FR.22: the group in the request matches: accepted, consumed, reservationId goes out."""
    for variables in (None, LOCAL):
        desk = Desk(variables=variables)
        desk.reserve(8, 1, groupIdToken=GROUP)
        assert start(desk, "MEMBER01", groupIdToken=GROUP)["status"] == "Accepted"
        desk.plug(1)
        assert desk.of("TransactionEvent")[0]["reservationId"] == 8


def test_a_group_that_only_the_csms_knows():
    """A14: no group in the request, AuthorizeRemoteStart true: accepted, asked, and decided by the answer."""
    for group, expected in ((GROUP, True), (id_token("FLEET002", "Central"), False), (None, False)):
        desk = Desk()
        desk.reserve(8, 1, groupIdToken=GROUP)
        info = {"status": "Accepted"}
        if group:
            info["groupIdToken"] = group
        desk.replies["Authorize"] = {"idTokenInfo": info}
        assert start(desk, "MEMBER01")["status"] == "Accepted"
        assert (desk.station.evses[0].authorization is not None) == expected
        assert desk.status(1) == ("Available" if expected else "Reserved")


def test_a_group_that_nobody_can_know_is_rejected():
    """A14: no group in the request, AuthorizeRemoteStart false."""
    desk = Desk(variables=LOCAL)
    desk.reserve(8, 1, groupIdToken=GROUP)
    assert reason(start(desk, "MEMBER01")) == ("Rejected", "Reserved")


def test_faulted_or_out_of_service_is_rejected():
    """F01.FR.23, F02.FR.25."""
    desk = Desk()
    desk.fault(1)
    assert start(desk)["status"] == "Rejected"
    desk = Desk()
    desk.availability("Inoperative", 1)
    assert start(desk)["status"] == "Rejected"


def test_an_evse_in_use_is_rejected():
    """F01.FR.24, F02.FR.26: an authorized driver is there already; also for the same token."""
    desk = Desk()
    desk.swipe("DRIVER01", 1)
    desk.plug(1)
    assert reason(start(desk)) == ("Rejected", "TxInProgress")
    assert start(desk, "DRIVER01")["status"] == "Rejected"


def test_an_evse_that_does_not_exist_is_rejected():
    for evse_id in (0, 3, -1):
        assert reason(start(Desk(), evse_id=evse_id)) == ("Rejected", "UnknownEvse")


def test_without_an_evse_the_reserved_one_is_chosen():
    desk = Desk()
    desk.reserve(8, 2)
    assert start(desk, evse_id=None)["status"] == "Accepted"
    assert desk.station.evses[1].authorization
    assert desk.station.reservations.held == []


def test_without_an_evse_the_one_with_a_cable_is_chosen():
    desk = Desk()
    desk.plug(2)
    start(desk, evse_id=None)
    assert desk.hardware.closed.get(2)


def test_without_an_evse_and_nothing_free_is_rejected():
    """F01.FR.07."""
    desk = Desk()
    desk.reserve(1, 1, "OTHER001")
    desk.fault(2)
    assert reason(start(desk, evse_id=None)) == ("Rejected", "NotFound")


def test_a_charging_profile_is_checked_and_ignored():
    """F01.FR.12."""
    profile = {"id": 1, "stackLevel": 0, "chargingProfilePurpose": "TxProfile", "chargingProfileKind": "Relative",
               "chargingSchedule": [{"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [
                   {"startPeriod": 0, "limit": 6.5}]}]}
    assert start(Desk(), chargingProfile=profile)["status"] == "Accepted"
    del profile["stackLevel"]
    assert start(Desk(), chargingProfile=profile) == "OccurrenceConstraintViolation"


def test_the_car_does_not_come_after_a_remote_start():
    """F02.FR.07, TC_F_04: Ended, EVConnectTimeout, Timeout; and the EVSE can be started again."""
    desk = Desk(variables={"TxCtrlr.TxStartPoint": "Authorized"})
    start(desk)
    desk.wait(61)
    assert desk.events() == [("Started", "RemoteStart", "Idle"), ("Ended", "EVConnectTimeout", "Idle")]
    assert start(desk)["status"] == "Accepted"


def test_a_running_transaction_is_stopped():
    """F03.FR.02, F03.FR.07: answered, then Ended, RemoteStop, Remote, and no energy."""
    desk = Desk()
    desk.swipe("DRIVER01", 1)
    desk.plug(1)
    transaction_id = desk.station.evses[0].transaction.id
    desk.clear()
    assert desk.call("RequestStopTransaction", {"transactionId": transaction_id}) == {"status": "Accepted"}
    assert desk.wire[:2] == ["answer", "TransactionEvent"]
    assert desk.events() == [("Ended", "RemoteStop", "EVConnected")]
    assert desk.of("TransactionEvent")[0]["transactionInfo"]["stoppedReason"] == "Remote"
    assert not desk.hardware.closed[1]


def test_a_transaction_that_is_not_there_cannot_be_stopped():
    """F03.FR.08."""
    desk = Desk()
    assert reason(desk.call("RequestStopTransaction", {"transactionId": "nonsense"})) == ("Rejected", "TxNotFound")
