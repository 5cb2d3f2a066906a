"""Block H03, a reserved EVSE is used: by whom, what is consumed, and what the transaction says (H01.FR.15)."""

from fakes import Desk, id_token

TWO_SINGLE = (("cType2",), ("sType2",))
GROUP = id_token("FLEET001", "Central")
MEMBER = {"idTokenInfo": {"status": "Accepted", "groupIdToken": GROUP}}
STRANGER = {"idTokenInfo": {"status": "Accepted", "groupIdToken": id_token("FLEET002", "Central")}}


def charges(desk, evse_id):
    return desk.hardware.closed.get(evse_id, False)


def group_desk(authorize, evse_id=1, **extra):
    """A desk with reservation 1 of HOLDER01's group, and what the CSMS says of any token."""
    desk = Desk(evses=TWO_SINGLE)
    desk.reserve(1, evse_id, groupIdToken=GROUP, **extra)
    desk.replies["Authorize"] = authorize
    desk.clear()
    return desk


def test_the_reservation_id_goes_out_with_the_start():
    """H01.FR.15: token first: the Started event carries reservationId and token, and no later event does."""
    desk = Desk()
    desk.reserve(9, 1)
    desk.swipe("HOLDER01", 1)
    desk.clear()
    desk.plug(1)
    desk.unplug(1)
    events = desk.of("TransactionEvent")
    assert [e.get("reservationId") for e in events] == [9] + [None] * (len(events) - 1)
    assert events[0]["eventType"] == "Started"
    assert events[0]["idToken"] == id_token("HOLDER01")


def test_the_reservation_id_goes_out_where_authorization_starts_the_transaction():
    """H01.FR.15: TxStartPoint Authorized: Started by the token carries it, before any cable."""
    desk = Desk(variables={"TxCtrlr.TxStartPoint": "Authorized"})
    desk.reserve(9, 1)
    desk.clear()
    desk.swipe("HOLDER01", 1)
    event = desk.of("TransactionEvent")[0]
    assert (event["eventType"], event["triggerReason"], event["reservationId"]) == ("Started", "Authorized", 9)


def test_the_reservation_id_goes_out_in_a_transaction_that_runs_already():
    """H01.FR.15: TxStartPoint EVConnected, cable first: the Updated/Authorized event carries it, Started does not."""
    desk = Desk(variables={"TxCtrlr.TxStartPoint": "EVConnected"})
    desk.reserve(9, 1)
    desk.clear()
    desk.plug(1)
    desk.swipe("HOLDER01", 1)
    events = desk.of("TransactionEvent")
    assert desk.events()[0] == ("Started", "CablePluggedIn", "EVConnected")
    assert desk.events()[1] == ("Updated", "Authorized", "EVConnected")
    assert [e.get("reservationId") for e in events] == [None, 9, None]


def test_without_a_reservation_there_is_no_reservation_id():
    """H01.FR.15: the field is absent for anybody else."""
    desk = Desk()
    desk.reserve(9, 2)
    desk.swipe("WALKUP01", 1)
    desk.plug(1)
    assert not [e for e in desk.of("TransactionEvent") if "reservationId" in e]


def test_the_reserved_token_charges():
    """H03.FR.01: specific reservation, the same token: charging on that EVSE is allowed, offline too."""
    desk = Desk()
    desk.reserve(1, 1)
    desk.down()
    assert desk.swipe("HOLDER01", 1).find("accepted") >= 0
    desk.plug(1)
    assert charges(desk, 1)


def test_another_token_does_not_charge():
    """H03.FR.01: a token that is not the reserved one is not authorized, and the CSMS is not even asked."""
    desk = Desk()
    desk.reserve(1, 1)
    desk.clear()
    desk.plug(1)
    assert desk.swipe("WALKUP01", 1).find("refused") >= 0
    assert desk.sent == []
    assert not charges(desk, 1)
    assert desk.swipe("HOLDER01", 1).find("accepted") >= 0  # and the right one still does


def test_the_holder_of_a_type_charges_where_that_type_is():
    """H03.FR.02: a type reservation opens any EVSE with that type, and no other."""
    desk = Desk(evses=TWO_SINGLE)
    desk.reserve(1, None, connectorType="sType2")
    desk.reserve(2, 1, "OTHER001")
    assert desk.swipe("HOLDER01", 1).find("refused") >= 0
    assert desk.swipe("HOLDER01", 2).find("accepted") >= 0
    desk.plug(2)
    assert charges(desk, 2)


def test_the_holder_of_an_unspecified_one_charges_anywhere():
    """H03.FR.03: an unspecified reservation opens an EVSE for the token, whichever it is."""
    for evse_id in (1, 2):
        desk = Desk(evses=TWO_SINGLE)
        desk.reserve(1, None)
        desk.swipe("HOLDER01", evse_id)
        desk.plug(evse_id)
        assert charges(desk, evse_id)
        assert desk.of("TransactionEvent")[0]["reservationId"] == 1


def test_a_member_of_the_group_charges_on_the_reserved_evse():
    """H03.FR.04: specific reservation with a group: a token of that group may charge, and consumes it."""
    desk = group_desk(MEMBER)
    desk.swipe("MEMBER01", 1)
    desk.plug(1)
    assert charges(desk, 1)
    assert desk.of("TransactionEvent")[0]["reservationId"] == 1


def test_a_member_of_another_group_does_not():
    """H03.FR.04: another group, no group, or the same name of another type do not open the EVSE."""
    other_type = {"idTokenInfo": {"status": "Accepted", "groupIdToken": id_token("FLEET001", "Local")}}
    for reply in (STRANGER, {"idTokenInfo": {"status": "Accepted"}}, other_type):
        desk = group_desk(reply)
        desk.swipe("MEMBER01", 1)
        desk.plug(1)
        assert not charges(desk, 1)
        assert desk.status(1) == "Reserved"


def test_the_group_counts_only_where_the_reservation_names_one():
    """H03.FR.04: without groupIdToken in the reservation membership is irrelevant."""
    desk = Desk(evses=TWO_SINGLE)
    desk.reserve(1, 1)
    desk.replies["Authorize"] = MEMBER
    desk.clear()
    assert desk.swipe("MEMBER01", 1).find("refused") >= 0
    assert desk.of("Authorize") == []


def test_a_member_of_the_group_charges_where_the_type_is():
    """H03.FR.05: type reservation with a group: a member may charge where the type is."""
    desk = group_desk(MEMBER, None, connectorType="sType2")
    desk.swipe("MEMBER01", 2)
    desk.plug(2)
    assert charges(desk, 2)
    assert desk.of("TransactionEvent")[0]["reservationId"] == 1


def test_a_member_of_the_group_charges_anywhere():
    """H03.FR.06: unspecified reservation with a group: a member may charge on any EVSE."""
    desk = group_desk(MEMBER, None)
    desk.swipe("MEMBER01", 2)
    desk.plug(2)
    assert charges(desk, 2)
    assert desk.of("TransactionEvent")[0]["reservationId"] == 1


def test_no_list_and_no_cache_are_consulted():
    """H03.FR.07: a MAY that is not taken: this station has neither list nor cache, so offline the group is unknown."""
    desk = group_desk(MEMBER)
    desk.down()
    assert desk.swipe("MEMBER01", 1).find("refused") >= 0
    assert desk.status(1) == "Reserved"


def test_the_group_of_an_unknown_token_is_asked_for():
    """H03.FR.08: an AuthorizeRequest tells the group; one is enough."""
    desk = group_desk(MEMBER)
    desk.swipe("MEMBER01", 1)
    assert desk.of("Authorize") == [{"idToken": id_token("MEMBER01")}]


def test_the_holder_of_a_group_reservation_need_not_be_asked_for():
    """H03.FR.08: the reserved token itself opens its EVSE without an AuthorizeRequest."""
    desk = group_desk(MEMBER)
    desk.swipe("HOLDER01", 1)
    assert desk.of("Authorize") == []
    assert desk.station.evses[0].authorization


def test_presenting_the_token_consumes_the_reservation():
    """H03.FR.09: consumed on presentation, before any cable or transaction; gone from flash."""
    desk = Desk()
    desk.reserve(1, 1)
    desk.swipe("HOLDER01", 1)
    assert desk.station.reservations.held == []
    assert desk.records.names() == []


def test_a_remote_start_consumes_the_reservation():
    """H03.FR.09: the matching token may come in a RequestStartTransaction (errata); reservationId goes out once."""
    desk = Desk()
    desk.reserve(1, 1)
    desk.clear()
    answer = desk.call("RequestStartTransaction", {
        "evseId": 1, "idToken": id_token("HOLDER01"), "remoteStartId": 77})
    assert answer["status"] == "Accepted"
    assert desk.station.reservations.held == []
    desk.plug(1)
    event = desk.of("TransactionEvent")[0]
    assert event["reservationId"] == 1
    assert event["transactionInfo"]["remoteStartId"] == 77


def test_a_consumed_reservation_does_not_come_back():
    """H03.FR.09: the holder never plugs in: the authorization lapses, the reservation does not return."""
    desk = Desk()
    desk.reserve(1, 1)
    desk.swipe("HOLDER01", 1)
    desk.wait(120)
    assert desk.station.evses[0].authorization is None
    assert desk.status(1) == "Available"
    assert desk.updates() == []
    desk.reboot()
    assert desk.status(1) == "Available"


def test_a_failing_flash_sends_no_driver_away():
    """H03.FR.09: consumption goes on when the record cannot be removed; it is removed once flash is well again."""
    desk = Desk()
    desk.reserve(1, 1)
    desk.records.fail_with = 5
    assert desk.swipe("HOLDER01", 1).find("accepted") >= 0
    assert desk.records.names() == ["reservation-1"]
    desk.records.fail_with = None
    desk.wait(30)
    assert desk.records.names() == []


def test_a_consumption_elsewhere_leaves_others_alone():
    """H03.FR.09: only the reservation that matched is consumed."""
    desk = Desk()
    desk.reserve(1, 1)
    desk.reserve(2, 2, "OTHER001")
    desk.swipe("HOLDER01", 1)
    desk.plug(1)
    desk.unplug(1)
    assert [r.id for r in desk.station.reservations.held] == [2]
    assert desk.status(2) == "Reserved"


def test_of_two_that_match_the_one_for_this_evse_is_consumed():
    """H03.FR.09: a token with a specific and an unspecified reservation uses the specific one on its EVSE."""
    desk = Desk(evses=(("cType2",), ("sType2",), ("sType2",)))
    desk.reserve(1, None)
    desk.reserve(2, 1)
    desk.swipe("HOLDER01", 1)
    assert [r.id for r in desk.station.reservations.held] == [1]


def test_the_token_without_a_cable_makes_the_connectors_available():
    """H03.FR.10: Reserved, nothing plugged in: every connector of the EVSE becomes Available, then Occupied."""
    desk = Desk()
    desk.reserve(1, 1)
    desk.clear()
    desk.swipe("HOLDER01", 1)
    assert desk.statuses() == [(1, 1, "Available"), (1, 2, "Available")]
    desk.clear()
    desk.plug(1, 2)
    assert desk.statuses() == [(1, 2, "Occupied")]


def test_the_token_with_a_cable_in_makes_the_connector_occupied():
    """H03.FR.10: Reserved with a cable in: that connector becomes Occupied, its sibling Available."""
    desk = Desk()
    desk.reserve(1, 1)
    desk.plug(1, 2)
    desk.clear()
    desk.swipe("HOLDER01", 1)
    assert desk.statuses() == [(1, 1, "Available"), (1, 2, "Occupied")]
    assert charges(desk, 1)
