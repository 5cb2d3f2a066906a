"""Block H01, ReserveNow: what is promised, to whom it is refused, and what the CSMS then sees."""

from fakes import Desk, id_token
from holdfast.reservations import Reservation

TWO_SINGLE = (("cType2",), ("sType2",))
THREE = (("cCCS2",), ("cCCS2",), ("sType2",))


def any_evse(desk, reservation_id, token="HOLDER01", **extra):
    return desk.reserve(reservation_id, None, token, **extra)


def reason(desk):
    """The reason code of the last answer."""
    return desk.answers[-1][2]["statusInfo"]["reasonCode"]


def test_a_station_that_takes_no_reservations_rejects():
    """H01.FR.01: configured not to accept reservations, it answers Rejected; by both of its switches."""
    for name in ("ReservationCtrlr.Enabled", "ReservationCtrlr.Available"):
        desk = Desk(variables={name: "false"})
        assert desk.reserve() == "Rejected", name
        assert reason(desk) == "NotEnabled"
        assert desk.status(1) == "Available"


def test_a_disabled_station_rejects_by_setvariables_too():
    """H01.FR.01: a CSMS that writes Enabled = false stops new reservations."""
    desk = Desk()
    assert desk.set("ReservationCtrlr.Enabled", "false") == "Accepted"
    assert desk.reserve() == "Rejected"


def test_the_same_id_replaces_the_token():
    """H01.FR.02: a known id replaces the old reservation: the new token opens the EVSE, the old one does not."""
    desk = Desk()
    desk.reserve(7, 1, "OLDTOKEN")
    desk.clear()
    assert desk.reserve(7, 1, "NEWTOKEN") == "Accepted"
    assert desk.statuses() == []  # it was and stays Reserved
    assert desk.swipe("OLDTOKEN", 1).find("refused") >= 0
    assert desk.swipe("NEWTOKEN", 1).find("accepted") >= 0


def test_the_same_id_moves_to_another_evse():
    """H01.FR.02: replacing frees the old EVSE and reserves the new one."""
    desk = Desk()
    desk.reserve(7, 1)
    desk.clear()
    assert desk.reserve(7, 2) == "Accepted"
    assert sorted(desk.statuses()) == [(1, 1, "Available"), (1, 2, "Available"), (2, 1, "Reserved")]


def test_the_same_id_becomes_any_evse():
    """H01.FR.02: a specific reservation replaced by an unspecified one frees its EVSE."""
    desk = Desk()
    desk.reserve(7, 1)
    assert any_evse(desk, 7) == "Accepted"
    assert desk.status(1) == "Available"


def test_a_refused_replacement_leaves_the_old_reservation():
    """H01.FR.02: nothing is replaced by a reservation that cannot be made."""
    desk = Desk()
    desk.reserve(7, 1, "OLDTOKEN")
    desk.fault(2)
    desk.clear()
    assert desk.reserve(7, 2, "NEWTOKEN") == "Faulted"
    assert desk.statuses() == []
    assert desk.swipe("OLDTOKEN", 1).find("accepted") >= 0


def test_a_replacement_that_would_be_dead_on_arrival_leaves_the_old_one():
    """H01.FR.02: a replacement with a past expiry is refused and changes nothing."""
    desk = Desk()
    desk.reserve(7, 1)
    assert desk.reserve(7, 1, "NEWTOKEN", -1) == "Rejected"
    assert desk.station.reservations.find(7).token[0] == "HOLDER01"


def test_a_replacement_may_keep_the_last_free_evse():
    """H01.FR.02: the target is judged as if the old reservation did not exist, for floating ones too."""
    desk = Desk(evses=TWO_SINGLE)
    any_evse(desk, 1)
    any_evse(desk, 2)
    assert any_evse(desk, 2, "NEWTOKEN") == "Accepted"


def test_a_replacement_is_one_write():
    """H01.FR.02: old and new share a record, so that a power cut leaves the one or the other."""
    desk = Desk()
    desk.reserve(7, 1)
    before = desk.records.writes
    desk.reserve(7, 2)
    assert desk.records.writes == before + 1
    assert desk.records.names() == ["reservation-7"]


def test_a_new_id_on_a_free_evse_is_accepted():
    """H01.FR.03: an unknown id is accepted when an EVSE could be reserved."""
    desk = Desk()
    assert desk.reserve(1, 2) == "Accepted"
    assert desk.status(2) == "Reserved"


def test_an_accepted_reservation_is_on_flash_before_the_answer():
    """H01.FR.03: Accepted is only said of what a power cut cannot undo."""
    desk = Desk()
    desk.receive([2, "x", "ReserveNow", {
        "id": 3, "evseId": 1, "expiryDateTime": desk.time(60), "idToken": id_token("HOLDER01")}])
    assert desk.records.names() == ["reservation-3"]  # and the answer is not even taken yet


def test_a_full_flash_rejects():
    """H01.FR.03: what cannot be stored is not accepted, and the reason says why."""
    for errno, code in ((28, "OutOfStorage"), (5, "InternalError")):
        desk = Desk()
        desk.records.fail_with = errno
        assert desk.reserve() == "Rejected"
        assert reason(desk) == code
        assert desk.status(1) == "Available"


def test_any_evse_is_accepted_while_one_is_available():
    """H01.FR.04: no evseId, one EVSE Available, NonEvseSpecific: Accepted."""
    desk = Desk()
    desk.plug(1)
    assert any_evse(desk, 1) == "Accepted"


def test_a_connector_type_is_accepted_while_an_evse_with_it_is_available():
    """H01.FR.06: connectorType given and an Available EVSE has it: Accepted."""
    desk = Desk()
    desk.plug(2)
    assert any_evse(desk, 1, connectorType="cType2") == "Accepted"
    assert any_evse(desk, 2, connectorType="sType2") == "Occupied"


def test_an_evse_and_a_connector_type_together():
    """H01.FR.06: an EVSE with a type is reserved if it has that type."""
    desk = Desk()
    assert desk.reserve(1, 1, connectorType="cType2") == "Accepted"
    assert desk.reserve(2, 2, connectorType="cType2") == "Rejected"
    assert reason(desk) == "UnknownConnectorType"


def test_a_connector_type_that_is_out_of_service_is_unavailable():
    """H01.FR.06, H01.FR.14: an EVSE whose connectors of the type are all inoperative cannot be had for the type."""
    desk = Desk()
    desk.availability("Inoperative", 1, 2)
    assert any_evse(desk, 1, connectorType="cType2") == "Unavailable"
    assert any_evse(desk, 1, connectorType="cCCS2") == "Accepted"


def test_the_last_evse_is_kept_for_an_unspecified_reservation():
    """H01.FR.07: one EVSE stays usable for the token; a walk-up takes the other and no more."""
    desk = Desk(evses=TWO_SINGLE)
    any_evse(desk, 1)
    assert desk.swipe("WALKUP01", 1).find("asking") >= 0
    assert desk.status(2) == "Reserved"
    assert desk.swipe("WALKUP02", 2).find("refused") >= 0
    assert desk.swipe("HOLDER01", 2).find("accepted") >= 0


def test_an_evse_named_by_another_reservation_does_not_count():
    """H01.FR.07: a specific reservation cannot take the EVSE that a floating one needs."""
    desk = Desk(evses=TWO_SINGLE)
    any_evse(desk, 1)
    assert desk.reserve(2, 1, "OTHER001") == "Accepted"
    assert desk.reserve(3, 2, "THIRD001") == "Occupied"


def test_one_connector_of_the_type_is_kept():
    """H01.FR.09: of the EVSEs with the type, one stays usable for the token; others are free for everybody."""
    desk = Desk(evses=THREE)
    any_evse(desk, 1, connectorType="cCCS2")
    desk.swipe("WALKUP01", 2)
    assert [desk.status(i) for i in (1, 2, 3)] == ["Reserved", "Available", "Available"]
    assert desk.swipe("WALKUP02", 1).find("refused") >= 0


def test_an_unspecified_holder_does_not_take_the_only_evse_of_a_type():
    """H01.FR.09: with two reservations for two EVSEs, the holder who may use any leaves the typed one its EVSE."""
    desk = Desk(evses=TWO_SINGLE)
    any_evse(desk, 1, "ANYWHERE")
    any_evse(desk, 2, "TYPED001", connectorType="sType2")
    assert desk.swipe("ANYWHERE", 2).find("refused") >= 0
    assert desk.swipe("ANYWHERE", 1).find("accepted") >= 0
    assert desk.swipe("TYPED001", 2).find("accepted") >= 0


def test_a_reserved_evse_is_occupied_for_others():
    """H01.FR.11: the targeted EVSE is Reserved: Occupied; also for the same token under another id."""
    desk = Desk()
    desk.reserve(1, 1)
    assert desk.reserve(2, 1, "OTHER001") == "Occupied"
    assert desk.reserve(2, 1, "HOLDER01") == "Occupied"


def test_an_evse_in_use_is_occupied():
    """H01.FR.11: the targeted EVSE is Occupied: by a cable, by a driver without one, by a transaction."""
    desk = Desk()
    desk.plug(1)
    assert desk.reserve() == "Occupied"
    desk = Desk()
    desk.swipe("WALKUP01", 1)
    assert desk.reserve() == "Occupied"
    desk.plug(1)
    assert desk.reserve() == "Occupied"


def test_all_evses_taken_is_occupied():
    """H01.FR.11: no evseId, all EVSEs Reserved or Occupied: Occupied."""
    desk = Desk()
    desk.reserve(1, 1)
    desk.plug(2)
    assert any_evse(desk, 2) == "Occupied"


def test_more_reservations_than_evses_are_occupied():
    """H01.FR.11: a third unspecified reservation on two EVSEs finds all of them Reserved."""
    desk = Desk()
    assert [any_evse(desk, i) for i in (1, 2, 3)] == ["Accepted", "Accepted", "Occupied"]


def test_a_faulted_evse_is_faulted():
    """H01.FR.12: the targeted EVSE is Faulted, or all of them: Faulted."""
    desk = Desk()
    desk.fault(1)
    assert desk.reserve() == "Faulted"
    desk.fault(2)
    assert any_evse(desk, 1) == "Faulted"


def test_an_evse_out_of_service_is_unavailable():
    """H01.FR.14: the targeted EVSE, or the whole station, is Unavailable: Unavailable."""
    desk = Desk()
    desk.availability("Inoperative", 1)
    assert desk.reserve() == "Unavailable"
    desk = Desk()
    desk.availability("Inoperative")
    assert any_evse(desk, 1) == "Unavailable"
    assert desk.reserve(1, 2) == "Unavailable"


def test_mixed_states_are_ranked():
    """H01.FR.11, H01.FR.12, H01.FR.14: of mixed states Occupied says most, then Faulted, then Unavailable."""
    for how, expected in ((("plug", "fault"), "Occupied"), (("plug", "off"), "Occupied"),
                          (("fault", "off"), "Faulted"), (("off", "off"), "Unavailable")):
        desk = Desk()
        for evse_id in (1, 2):
            what = how[evse_id - 1]
            if what == "plug":
                desk.plug(evse_id)
            elif what == "fault":
                desk.fault(evse_id)
            else:
                desk.availability("Inoperative", evse_id)
        assert any_evse(desk, 1) == expected, how


def test_without_evse_is_accepted_where_configured():
    """H01.FR.18: NonEvseSpecific true: reservations without an EVSE are accepted, with and without a type."""
    desk = Desk(variables={"ReservationCtrlr.NonEvseSpecific": "true"})
    assert any_evse(desk, 1) == "Accepted"
    assert any_evse(desk, 2, connectorType="cCCS2") == "Accepted"


def test_without_evse_is_rejected_where_not_configured():
    """H01.FR.19: NonEvseSpecific false: reservations without an EVSE are Rejected, with and without a type."""
    desk = Desk(variables={"ReservationCtrlr.NonEvseSpecific": "false"})
    assert any_evse(desk, 1) == "Rejected"
    assert reason(desk) == "UnsupportedParam"
    assert any_evse(desk, 1, connectorType="cCCS2") == "Rejected"
    assert desk.reserve(1, 1) == "Accepted"


def test_nothing_is_reported_while_spare_evses_remain():
    """H01.FR.20: the first of two unspecified reservations changes no connector."""
    desk = Desk()
    desk.clear()
    any_evse(desk, 1)
    assert desk.statuses() == []


def test_the_last_spare_evse_turns_all_of_them_reserved():
    """H01.FR.20: as many unspecified reservations as available EVSEs: every connector is reported Reserved."""
    desk = Desk()
    any_evse(desk, 1)
    desk.clear()
    any_evse(desk, 2)
    assert desk.statuses() == [(1, 1, "Reserved"), (1, 2, "Reserved"), (2, 1, "Reserved")]


def test_a_walk_up_makes_the_remaining_evse_reserved_and_its_leaving_frees_it():
    """H01.FR.20: the count is kept whenever an EVSE changes, not only when a reservation is made."""
    desk = Desk(evses=TWO_SINGLE)
    any_evse(desk, 1)
    desk.clear()
    desk.plug(1)
    assert desk.statuses() == [(1, 1, "Occupied"), (2, 1, "Reserved")]
    desk.clear()
    desk.unplug(1)
    assert desk.statuses() == [(1, 1, "Available"), (2, 1, "Available")]


def test_reserving_an_evse_reports_all_its_connectors():
    """H01.FR.23: an Available EVSE is accepted and all of its connectors are reported Reserved, no other."""
    desk = Desk()
    desk.clear()
    assert desk.reserve(1, 1) == "Accepted"
    assert desk.statuses() == [(1, 1, "Reserved"), (1, 2, "Reserved")]


def test_the_answer_comes_before_the_status():
    """H01.FR.23: the CSMS hears Accepted before it hears Reserved."""
    desk = Desk()
    desk.clear()
    desk.reserve(1, 1)
    assert desk.wire == ["answer", "StatusNotification", "StatusNotification"]


def test_as_many_reservations_of_a_type_as_evses_with_it_turn_those_reserved():
    """H01.FR.24: then all connectors of the EVSEs with the type are Reserved, those of other types there too."""
    desk = Desk()
    desk.clear()
    any_evse(desk, 1, connectorType="cType2")
    assert desk.statuses() == [(1, 1, "Reserved"), (1, 2, "Reserved")]


def test_fewer_reservations_of_a_type_than_evses_with_it_report_nothing():
    """H01.FR.24: one reservation, two EVSEs with the type: nothing is Reserved yet."""
    desk = Desk(evses=THREE)
    desk.clear()
    any_evse(desk, 1, connectorType="cCCS2")
    assert desk.statuses() == []
    any_evse(desk, 2, connectorType="cCCS2")
    assert desk.statuses() == [(1, 1, "Reserved"), (2, 1, "Reserved")]


def test_an_evse_that_does_not_exist_is_rejected():
    for evse_id in (0, 3, 99, -1):
        desk = Desk()
        assert desk.reserve(1, evse_id) == "Rejected", evse_id
        assert reason(desk) == "UnknownEvse"


def test_a_connector_type_that_nobody_has_is_rejected():
    desk = Desk()
    assert any_evse(desk, 1, connectorType="cTesla") == "Rejected"
    assert reason(desk) == "UnknownConnectorType"


def test_an_expiry_that_is_not_in_the_future_is_rejected():
    for seconds in (0, -1, -86400):
        desk = Desk()
        assert desk.reserve(1, 1, seconds=seconds) == "Rejected", seconds
        assert reason(desk) == "InvalidValue"
    assert Desk().reserve(1, 1, seconds=1) == "Accepted"


def test_a_replacement_is_possible_however_many_endings_wait():
    """H01.FR.02: what the CSMS has not confirmed fills the store; a replacement needs no new place in it."""
    desk = Desk()
    desk.reserve(1, 1)
    for number in range(24):
        reservation = Reservation(100 + number, 1, None, 0, ("HOLDER01", "ISO14443"), None)
        reservation.ended = "Expired"
        desk.station.reservations.put(reservation)
    assert desk.reserve(2, 2) == "Rejected"
    assert desk.reserve(1, 1, "OTHER001") == "Accepted"
