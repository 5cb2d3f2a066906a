"""Block C: a token is presented, at an EVSE or at a reader for all of them."""

from fakes import Desk, id_token

SINGLE = (("cType2",), ("sType2",))
GROUP = id_token("FLEET001", "Central")


def info(status="Accepted", **extra):
    extra["status"] = status
    return {"idTokenInfo": extra}


def authorized(desk):
    """The ids of the EVSEs where somebody may charge."""
    return [evse.id for evse in desk.station.evses if evse.authorization]


def test_an_unknown_token_is_asked_for():
    """C01.FR.02."""
    desk = Desk()
    desk.clear()
    assert desk.swipe("DRIVER01", 1) == "EVSE 1: asking the CSMS"
    assert desk.of("Authorize") == [{"idToken": id_token("DRIVER01")}]
    assert authorized(desk) == [1]


def test_a_token_that_is_not_accepted_charges_nothing():
    """C01.FR.02, TC_C_02: no energy, no TransactionEvent, no status."""
    for status in ("Invalid", "Blocked", "Expired", "Unknown", "NoCredit", "NotAtThisTime", "ConcurrentTx"):
        desk = Desk()
        desk.plug(1)
        desk.replies["Authorize"] = info(status)
        desk.clear()
        desk.swipe("DRIVER01", 1)
        assert desk.wire == ["Authorize"], status
        assert not desk.hardware.closed.get(1)


def test_a_token_is_good_for_the_evses_that_the_csms_names():
    """C01.FR.21."""
    desk = Desk()
    desk.replies["Authorize"] = info(evseId=[2])
    desk.swipe("DRIVER01", 1)
    desk.swipe("DRIVER01", 2)
    assert authorized(desk) == [2]


def test_an_authorize_that_fails_authorizes_nobody():
    for reply in ("InternalError", {"idTokenInfo": {}}, {"idTokenInfo": {"status": "Fine"}}):
        desk = Desk()
        desk.replies["Authorize"] = reply
        desk.swipe("DRIVER01", 1)
        assert authorized(desk) == [], reply


def test_an_authorize_that_is_not_answered_authorizes_nobody():
    desk = Desk()
    desk.replies["Authorize"] = None
    desk.swipe("DRIVER01", 1)
    desk.wait(60)
    assert authorized(desk) == []


def test_an_authorize_that_the_link_loses_authorizes_nobody():
    desk = Desk()
    desk.replies["Authorize"] = None
    desk.swipe("DRIVER01", 1)
    desk.down()
    desk.up()
    assert authorized(desk) == []


def test_offline_an_unknown_token_is_refused():
    desk = Desk()
    desk.down()
    assert desk.swipe("DRIVER01", 1).find("refused") >= 0
    desk.up()
    assert desk.of("Authorize") == []


def test_the_same_token_ends_it_without_asking():
    """C01.FR.03, C01.FR.25: letter case does not count."""
    desk = Desk()
    desk.swipe("DRIVER01", 1)
    desk.plug(1)
    desk.clear()
    assert desk.swipe("driver01", 1) == "EVSE 1: stopped"
    assert desk.of("Authorize") == []
    assert not desk.hardware.closed[1]


def test_the_same_string_of_another_type_is_another_token():
    """C01.FR.25."""
    desk = Desk()
    desk.swipe("DRIVER01", 1)
    assert desk.swipe("DRIVER01", 1, "ISO15693").find("refused") >= 0
    assert authorized(desk) == [1]


def test_another_token_does_not_stop_a_transaction():
    """TC_C_04."""
    desk = Desk()
    desk.swipe("DRIVER01", 1)
    desk.plug(1)
    desk.clear()
    desk.swipe("OTHER001", 1)
    assert desk.of("TransactionEvent") == []
    assert desk.hardware.closed[1]


def test_a_token_of_the_same_group_stops_a_transaction():
    """C09.FR.03, C09.FR.05: asked for, then Ended with the token that stopped it."""
    desk = Desk()
    desk.replies["Authorize"] = info(groupIdToken=GROUP)
    desk.swipe("DRIVER01", 1)
    desk.plug(1)
    desk.clear()
    desk.swipe("FRIEND01", 1)
    assert desk.of("Authorize") == [{"idToken": id_token("FRIEND01")}]
    assert desk.events() == [("Ended", "StopAuthorized", "EVConnected")]
    assert desk.of("TransactionEvent")[0]["idToken"] == id_token("FRIEND01")


def test_a_token_of_the_group_that_is_not_accepted_does_not_stop_a_transaction():
    """C09.FR.11."""
    desk = Desk()
    desk.replies["Authorize"] = info(groupIdToken=GROUP)
    desk.swipe("DRIVER01", 1)
    desk.plug(1)
    for reply in (info("Blocked", groupIdToken=GROUP), info(groupIdToken=id_token("FLEET002", "Central")), info()):
        desk.replies["Authorize"] = reply
        desk.swipe("FRIEND01", 1)
        assert desk.hardware.closed[1], reply


def test_an_authorization_lapses_when_no_car_comes():
    """C01.FR.26: after EVConnectionTimeOut, as it is set."""
    desk = Desk(variables={"TxCtrlr.EVConnectionTimeOut": "20"})
    desk.swipe("DRIVER01", 1)
    desk.wait(19)
    assert authorized(desk) == [1]
    desk.wait(2)
    assert authorized(desk) == []


def test_an_authorization_is_forgotten_when_the_car_leaves():
    """E09.FR.01: to plug in again needs a new authorization."""
    desk = Desk()
    desk.swipe("DRIVER01", 1)
    desk.plug(1)
    desk.unplug(1)
    desk.plug(1)
    assert not desk.hardware.closed[1]


def test_a_faulted_evse_takes_nobody():
    desk = Desk()
    desk.fault(1)
    desk.clear()
    assert desk.swipe("DRIVER01", 1).find("refused") >= 0
    assert desk.sent == []


def test_by_the_time_of_the_answer_the_evse_is_reserved():
    """The CSMS reserves while it thinks about a token: the token is refused."""
    desk = Desk()
    desk.replies["Authorize"] = None
    desk.swipe("DRIVER01", 1)
    message_id = desk.station.rpc.outstanding[0]
    desk.reserve(1, 1)
    desk.receive([3, message_id, info()])
    desk.pump()
    assert authorized(desk) == []
    assert desk.status(1) == "Reserved"


def test_by_the_time_of_the_answer_somebody_else_is_there():
    desk = Desk()
    desk.replies["Authorize"] = None
    desk.swipe("DRIVER01", 1)
    message_id = desk.station.rpc.outstanding[0]
    desk.call("RequestStartTransaction", {"evseId": 1, "idToken": id_token("OTHER001"), "remoteStartId": 1})
    desk.receive([3, message_id, info()])
    desk.pump()
    assert desk.station.evses[0].authorization.token[0] == "DRIVER01"
    desk.receive([3, desk.station.rpc.outstanding[0], info()])
    desk.pump()
    assert desk.station.evses[0].authorization.token[0] == "DRIVER01"


def test_by_the_time_of_the_answer_the_evse_is_faulted():
    desk = Desk()
    desk.replies["Authorize"] = None
    desk.swipe("DRIVER01", 1)
    message_id = desk.station.rpc.outstanding[0]
    desk.fault(1)
    desk.receive([3, message_id, info()])
    desk.pump()
    assert authorized(desk) == []


def test_one_reader_finds_the_cable_that_waits():
    desk = Desk(evses=SINGLE)
    desk.plug(2)
    assert desk.swipe("DRIVER01").startswith("EVSE 2")


def test_one_reader_finds_the_transaction_of_the_token():
    desk = Desk(evses=SINGLE)
    desk.swipe("DRIVER01", 2)
    desk.plug(2)
    assert desk.swipe("DRIVER01") == "EVSE 2: stopped"


def test_one_reader_finds_the_reservation_of_the_token():
    """C.15: also where a cable waits at another EVSE."""
    desk = Desk(evses=SINGLE)
    desk.reserve(1, 2)
    desk.plug(1)
    assert desk.swipe("HOLDER01") == "EVSE 2: accepted: reservation 1"


def test_one_reader_finds_the_type_that_was_reserved():
    desk = Desk(evses=SINGLE)
    desk.reserve(1, None, connectorType="sType2")
    assert desk.swipe("HOLDER01") == "EVSE 2: accepted: reservation 1"


def test_one_reader_sends_a_stranger_to_what_is_free():
    desk = Desk(evses=SINGLE)
    desk.reserve(1, 1)
    assert desk.swipe("DRIVER01").startswith("EVSE 2")


def test_a_group_that_could_not_open_the_evse_is_not_asked_for():
    """H03.FR.08: the reservation that has a group is for the other EVSE."""
    desk = Desk(evses=SINGLE)
    desk.reserve(1, None, connectorType="cType2")
    desk.reserve(2, None, "HOLDER02", connectorType="sType2", groupIdToken=GROUP)
    desk.clear()
    assert desk.swipe("MEMBER01", 1) == "EVSE 1: refused: reserved for somebody else"
    assert desk.swipe("MEMBER01", 2) == "EVSE 2: asking the CSMS for the group"


def test_one_reader_asks_for_the_group_last():
    """A free EVSE is better than one that may turn out to be the token's group's."""
    desk = Desk(evses=SINGLE)
    desk.reserve(1, 1, groupIdToken=GROUP)
    assert desk.swipe("DRIVER01").startswith("EVSE 2")
    assert desk.swipe("DRIVER02") == "EVSE 1: asking the CSMS for the group"


def test_one_reader_and_nothing_for_the_token():
    desk = Desk(evses=SINGLE)
    desk.reserve(1, 1)
    desk.fault(2)
    assert desk.swipe("DRIVER01") == "refused: no EVSE for this token"


def test_no_token_stands_in_the_log_in_full():
    desk = Desk()
    desk.reserve(1, 1, "SECRETTOKEN42")
    desk.swipe("OTHERSECRET99", 1)
    desk.swipe("SECRETTOKEN42", 1)
    desk.plug(1)
    for _, text in desk.lines:
        assert text.find("SECRETTOKEN42") < 0 and text.find("OTHERSECRET99") < 0, text
