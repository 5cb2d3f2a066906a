"""The edges of reservation that nobody's test suite covers, by their numbers in the list; see also test_malformed.py.

C.23 is about firmware updates, which this station does not have.
"""


from fakes import Desk, id_token

SINGLE = (("cType2",), ("sType2",))
GROUP = id_token("FLEET001", "Central")


def accepts(desk, token, evse_id, token_type="ISO14443"):
    return desk.swipe(token, evse_id, token_type).find("accepted") >= 0


def test_a_power_cut_before_the_answer_is_sent():
    """C.1: the record is there before the answer: after the boot it is Reserved, and can be cancelled and used."""
    desk = Desk()
    desk.receive([2, "x", "ReserveNow", {
        "id": 3, "evseId": 1, "expiryDateTime": desk.time(600), "idToken": id_token("HOLDER01")}])
    desk.station.take_frames()  # and the power goes before a byte is sent
    desk.clear()
    desk.reboot()
    assert desk.statuses() == [(1, 1, "Reserved"), (1, 2, "Reserved"), (2, 1, "Available")]
    assert desk.cancel(3) == "Accepted"


def test_a_power_cut_after_the_answer():
    """C.1: all connectors Reserved after the boot, and the matching token works, before the link is up even."""
    desk = Desk()
    desk.reserve(3, 1)
    desk.reboot(link=False)
    assert desk.status(1, 1) == desk.status(1, 2) == "Reserved"
    assert accepts(desk, "HOLDER01", 1)


def test_the_last_cancelled_does_not_resurrect():
    """C.2, B2, B13: cancel the last one, also after a reboot, reboot: nothing is Reserved."""
    desk = Desk()
    desk.reserve(3, 1)
    desk.reserve(4, None)
    desk.reboot()
    assert desk.cancel(3) == "Accepted"
    assert desk.cancel(4) == "Accepted"
    desk.clear()
    desk.reboot()
    assert [status for _, _, status in desk.statuses()] == ["Available"] * 3
    assert desk.updates() == []


def test_expiry_while_pending():
    """C.3, B3: Expired, not Removed; after Accepted, and exactly once. Offline and powered off: test_block_h_end."""
    desk = Desk()
    desk.reserve(3, 1, seconds=60)
    desk.replies["BootNotification"] = lambda payload: {"currentTime": desk.time(), "interval": 90, "status": "Pending"}
    desk.now += 60000
    desk.reboot()
    desk.clear()
    desk.wait(60)
    assert desk.updates() == []
    desk.replies["BootNotification"] = desk.accept
    desk.wait(60)
    assert desk.updates() == [(3, "Expired")]
    desk.reboot()
    assert desk.updates() == [(3, "Expired")]


def test_token_and_expiry_in_the_same_second():
    """C.4: whichever comes first, the reservation is consumed or expired, never both."""
    for token_first in (True, False):
        desk = Desk()
        desk.reserve(3, 1, seconds=60)
        desk.clear()
        desk.now += 60000
        if not token_first:
            desk.station.tick(desk.now)
            desk.pump()
        desk.swipe("HOLDER01", 1)
        desk.plug(1)
        desk.wait(10)
        used = [e["reservationId"] for e in desk.of("TransactionEvent") if "reservationId" in e]
        assert (used, desk.updates()) == (([3], []) if token_first else ([], [(3, "Expired")]))


def test_the_clock_jumps_forward():
    """C.5: a reservation that the new time has overtaken expires at once."""
    desk = Desk()
    desk.reserve(3, 1, seconds=600)
    desk.skew = 3600
    desk.clear()
    desk.reboot()
    assert desk.updates() == [(3, "Expired")]


def test_the_clock_jumps_back():
    """C.5: a reservation lives until its expiry by the new time, no sooner and no later."""
    desk = Desk()
    desk.reserve(3, 1, seconds=600)
    desk.skew = -3600
    desk.reboot()
    desk.clear()
    desk.wait(4100)
    assert desk.updates() == []
    desk.wait(100)
    assert desk.updates() == [(3, "Expired")]


def test_replacing_moves_through_every_kind():
    """C.6, B1: same EVSE and new token, other EVSE, unspecified; refused and expired targets change nothing."""
    desk = Desk(evses=SINGLE)
    assert desk.reserve(3, 1) == "Accepted"
    assert desk.reserve(3, 1, "SECOND01") == "Accepted"
    assert desk.reserve(3, 2, "THIRD001") == "Accepted"
    assert (desk.status(1), desk.status(2)) == ("Available", "Reserved")
    desk.fault(1)
    assert desk.reserve(3, 1, "FOURTH01") == "Faulted"
    assert desk.reserve(3, 2, "FOURTH01", -5) == "Rejected"
    assert desk.reserve(3, None, "FIFTH001", connectorType="cType2") == "Faulted"
    assert desk.station.reservations.find(3).token[0] == "THIRD001"
    assert desk.reserve(3, None, "SIXTH001") == "Accepted"
    assert accepts(desk, "SIXTH001", 2)


def test_tokens_are_compared_as_the_errata_say():
    """C.7, B5, B17: letter case does not count, the type does, additionalInfo does not."""
    with_info = id_token("AbCdEf01")
    with_info["additionalInfo"] = [{"additionalIdToken": "extra", "type": "some"}]
    desk = Desk()
    desk.reserve(3, 1, idToken=with_info)
    assert not accepts(desk, "AbCdEf01", 1, "ISO15693")
    assert accepts(desk, "aBcDeF01", 1)


def test_a_group_of_another_type_is_another_group():
    """C.7."""
    desk = Desk()
    desk.reserve(3, 1, groupIdToken=GROUP)
    desk.replies["Authorize"] = {"idTokenInfo": {"status": "Accepted", "groupIdToken": id_token("FLEET001", "Local")}}
    desk.swipe("MEMBER01", 1)
    assert desk.status(1) == "Reserved"


def test_the_token_of_the_group_itself_is_no_member():
    """C.7: presenting a token that is spelled like the group does not open the EVSE without the CSMS."""
    desk = Desk()
    desk.reserve(3, 1, groupIdToken=GROUP)
    desk.replies["Authorize"] = {"idTokenInfo": {"status": "Accepted"}}
    desk.swipe("FLEET001", 1, "Central")
    assert desk.status(1) == "Reserved"


def test_a_group_member_offline():
    """C.8: no list, no cache: the group is unknown, so the token is refused and the reservation lives."""
    desk = Desk()
    desk.reserve(3, 1, groupIdToken=GROUP)
    desk.down()
    assert desk.swipe("MEMBER01", 1).find("refused") >= 0
    assert desk.status(1) == "Reserved"


def test_a_wrong_token_changes_nothing():
    """C.9: no transaction (TxStartPoint Authorized), no status, nothing on the wire; then the right one works."""
    desk = Desk(variables={"TxCtrlr.TxStartPoint": "Authorized"})
    desk.reserve(3, 1)
    desk.clear()
    desk.swipe("WRONG001", 1)
    assert desk.wire == []
    assert accepts(desk, "HOLDER01", 1)
    assert desk.of("TransactionEvent")[0]["reservationId"] == 3


def test_a_car_comes_and_goes_at_a_reserved_evse():
    """C.10, B10: cable, no token, unplug: no status at all, and still Reserved."""
    desk = Desk()
    desk.reserve(3, 1)
    desk.clear()
    desk.plug(1)
    desk.unplug(1)
    assert desk.wire == []
    assert desk.status(1) == "Reserved"


def test_a_car_at_a_reserved_evse_where_transactions_start_with_the_car():
    """C.10: TxStartPoint EVConnected: a transaction without energy, ended when the car leaves."""
    desk = Desk(variables={"TxCtrlr.TxStartPoint": "EVConnected"})
    desk.reserve(3, 1)
    desk.clear()
    desk.plug(1)
    desk.swipe("WRONG001", 1)
    desk.unplug(1)
    assert desk.events() == [("Started", "CablePluggedIn", "EVConnected"), ("Ended", "EVCommunicationLost", "Idle")]
    assert not desk.hardware.closed.get(1)
    assert desk.statuses() == []


def test_expiry_with_a_cable_in():
    """C.11: that connector is Occupied, its sibling Available, and from now on any token may charge."""
    desk = Desk()
    desk.reserve(3, 1, seconds=60)
    desk.plug(1, 2)
    desk.clear()
    desk.wait(61)
    assert desk.statuses() == [(1, 1, "Available"), (1, 2, "Occupied")]
    assert desk.updates() == [(3, "Expired")]
    desk.swipe("WALKUP01", 1)
    assert desk.hardware.closed[1]


def test_a_cable_left_over_from_an_expired_reservation_keeps_nobody_elses_place():
    """C.11: once its EVSE is not Reserved any more, the waiting car counts as a walk-up for floating reservations."""
    desk = Desk(evses=SINGLE)
    desk.reserve(3, 1, seconds=60)
    desk.reserve(4, None, "FLOATING")
    desk.plug(1)
    desk.wait(61)
    assert (desk.status(1), desk.status(2)) == ("Occupied", "Reserved")
    assert not accepts(desk, "WALKUP02", 2)
    assert accepts(desk, "FLOATING", 2)


def test_a_walk_up_takes_one_of_two_evses():
    """C.12: the other goes Reserved, is free again when the walk-up leaves; Removed only when nothing is left."""
    desk = Desk(evses=SINGLE)
    desk.reserve(3, None)
    desk.clear()
    desk.swipe("WALKUP01", 1)
    desk.plug(1)
    assert desk.statuses() == [(2, 1, "Reserved"), (1, 1, "Occupied")]
    desk.unplug(1)
    assert desk.statuses()[2:] == [(1, 1, "Available"), (2, 1, "Available")]
    desk.fault(2)
    assert desk.status(1) == "Reserved"
    assert desk.updates() == []
    desk.fault(1)
    assert desk.updates() == [(3, "Removed")]


def test_the_other_evse_faults_while_a_walk_up_charges():
    """C.12: the walk-up will leave: the reservation waits for that EVSE."""
    desk = Desk(evses=SINGLE)
    desk.reserve(3, None)
    desk.swipe("WALKUP01", 1)
    desk.plug(1)
    desk.clear()
    desk.fault(2)
    assert desk.updates() == []
    desk.unplug(1)
    assert desk.status(1) == "Reserved"


def test_two_unspecified_on_two_evses():
    """C.13, B12: both Reserved, a third is Occupied; one is consumed, the other stays kept."""
    desk = Desk(evses=SINGLE)
    desk.reserve(3, None, "FIRST001")
    desk.reserve(4, None, "SECOND01")
    assert (desk.status(1), desk.status(2)) == ("Reserved", "Reserved")
    assert desk.reserve(5, None, "THIRD001") == "Occupied"
    desk.clear()
    assert accepts(desk, "SECOND01", 1)
    assert desk.statuses() == [(1, 1, "Available")]
    assert desk.status(2) == "Reserved"
    assert accepts(desk, "FIRST001", 2)


def test_the_only_evse_of_a_type_goes_out_of_service():
    """C.14: Removed, and no Available in between."""
    desk = Desk(evses=SINGLE)
    desk.reserve(3, None, connectorType="sType2")
    desk.clear()
    desk.availability("Inoperative", 2)
    assert desk.statuses() == [(2, 1, "Unavailable")]
    assert desk.updates() == [(3, "Removed")]


def test_a_token_with_a_reservation_elsewhere():
    """C.15, B4: used on free EVSE 2, a token's reservation for EVSE 1 is not touched; another token is refused on 1."""
    desk = Desk()
    desk.reserve(3, 1)
    desk.swipe("HOLDER01", 2)
    desk.plug(2)
    assert desk.hardware.closed[2]
    assert "reservationId" not in desk.of("TransactionEvent")[0]
    assert desk.status(1) == "Reserved"
    assert not accepts(desk, "WALKUP01", 1)


def test_a_reservation_for_evse_2_is_not_one_for_evse_1():
    """C.15, B4."""
    desk = Desk()
    desk.reserve(3, 2)
    assert desk.swipe("WALKUP01", 2).find("refused") >= 0
    assert desk.swipe("WALKUP01", 1).find("asking") >= 0


def test_remote_start_while_pending():
    """C.16: Rejected, and the reservation is not consumed. The rest of C.16 is test_remote_control.py."""
    desk = Desk()
    desk.reserve(3, 1)
    desk.replies["BootNotification"] = lambda payload: {"currentTime": desk.time(), "interval": 90, "status": "Pending"}
    desk.reboot()
    answer = desk.call("RequestStartTransaction", {"evseId": 1, "idToken": id_token("HOLDER01"), "remoteStartId": 1})
    assert answer["status"] == "Rejected"
    assert desk.status(1) == "Reserved"


def test_reservation_id_zero_is_an_id():
    """C.17, B15, B21: 0 goes through ReserveNow, reboot, TransactionEvent, update and cancel; negatives are refused."""
    desk = Desk()
    assert desk.reserve(0, 1) == "Accepted"
    desk.reboot()
    desk.swipe("HOLDER01", 1)
    desk.plug(1)
    assert desk.of("TransactionEvent")[0]["reservationId"] == 0
    desk.reserve(0, 2, seconds=10)
    desk.wait(11)
    assert desk.updates() == [(0, "Expired")]
    desk.reserve(0, 2)
    assert desk.cancel(0) == "Accepted"
    for reservation_id in (-1, -2147483648):
        assert desk.reserve(reservation_id, 2) == "PropertyConstraintViolation"
    assert desk.reserve(2147483647, 2) == "Accepted"


def test_requests_that_cannot_be():
    """C.18: unknown EVSEs are Rejected with a reason, wrong payloads get the CALLERROR of their kind."""
    desk = Desk()
    assert [desk.reserve(3, evse_id) for evse_id in (0, 99)] == ["Rejected", "Rejected"]
    assert desk.reserve(3, 1, connectorType="cBogus") == "PropertyConstraintViolation"
    assert desk.reserve("3", 1) == "TypeConstraintViolation"
    assert desk.reserve(3, 1, "x" * 37) == "PropertyConstraintViolation"
    assert desk.reserve(3, 1, surprise=1) == "FormatViolation"
    assert desk.reserve(3, 1, customData={"vendorId": "v"}) == "Accepted"


def test_disabled_and_enabled_again():
    """C.19: the EVSE opens, the record stays, and the reservation is alive again."""
    desk = Desk()
    desk.reserve(3, 1)
    desk.clear()
    desk.set("ReservationCtrlr.Enabled", "false")
    assert desk.statuses() == [(1, 1, "Available"), (1, 2, "Available")]
    assert desk.records.get("reservation-3")
    desk.reboot()
    assert desk.status(1) == "Available"
    desk.set("ReservationCtrlr.Enabled", "true")
    assert desk.status(1) == "Reserved"
    assert accepts(desk, "HOLDER01", 1)


def test_disabled_until_after_expiry():
    """C.19: it lapses all the same, and the CSMS is told."""
    desk = Desk()
    desk.reserve(3, 1, seconds=60)
    desk.set("ReservationCtrlr.Enabled", "false")
    desk.wait(61)
    desk.set("ReservationCtrlr.Enabled", "true")
    assert desk.status(1) == "Available"
    assert desk.updates() == [(3, "Expired")]


def test_disabled_with_a_transaction_meanwhile():
    """C.19: enabled again while somebody charges there: the transaction goes on, the reservation counts as expired."""
    desk = Desk()
    desk.reserve(3, 1)
    desk.set("ReservationCtrlr.Enabled", "false")
    desk.swipe("WALKUP01", 1)
    desk.plug(1)
    desk.clear()
    desk.set("ReservationCtrlr.Enabled", "true")
    assert desk.updates() == [(3, "Expired")]
    assert desk.hardware.closed[1]
    assert desk.events() == []


def test_a_reserved_evse_goes_out_of_service():
    """C.20, B8, B9: EVSE, station, connector: Accepted every time, one status for each connector, no Available."""
    for target, shown in (((1,), [(1, 1), (1, 2)]), ((), [(1, 1), (1, 2), (2, 1)]), ((1, 1), [(1, 1)])):
        desk = Desk()
        desk.reserve(3, 1)
        desk.clear()
        for _ in range(3):
            assert desk.availability("Inoperative", *target) == "Accepted"
        assert desk.statuses() == [place + ("Unavailable",) for place in shown]


def test_a_reserved_evse_faults_and_is_cleared():
    """C.21: Faulted, Removed; then Available, without the reservation."""
    desk = Desk()
    desk.reserve(3, 1)
    desk.clear()
    desk.fault(1)
    desk.clear_fault(1)
    assert [status for _, _, status in desk.statuses()] == ["Faulted", "Faulted", "Available", "Available"]
    assert desk.updates() == [(3, "Removed")]


def test_reset_when_idle_waits_for_the_reservation():
    """C.22: a pending reservation is no idleness: Scheduled; cancelled, the station restarts."""
    desk = Desk()
    desk.reserve(3, 1)
    assert desk.call("Reset", {"type": "OnIdle"}) == {"status": "Scheduled"}
    desk.wait(100)
    assert desk.station.reboot_requested is None
    desk.cancel(3)
    assert desk.station.reboot_requested == "ScheduledReset"


def test_reset_at_once_keeps_the_reservation():
    """C.22, TC_B_24: Immediate: Accepted; after the boot the connectors are Reserved, the others Available."""
    desk = Desk()
    desk.reserve(3, 1)
    assert desk.call("Reset", {"type": "Immediate"}) == {"status": "Accepted"}
    desk.clear()
    desk.reboot()
    assert desk.of("BootNotification")[0]["reason"] == "RemoteReset"
    assert desk.statuses() == [(1, 1, "Reserved"), (1, 2, "Reserved"), (2, 1, "Available")]
