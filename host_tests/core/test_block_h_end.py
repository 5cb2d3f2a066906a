"""Block H04, and H01.FR.16/.17: reservations that end unused, and how surely the CSMS hears of it."""

from fakes import Desk

TWO_SINGLE = (("cType2",), ("sType2",))


def test_expiry_is_reported():
    """H04.FR.01: at expiryDateTime a ReservationStatusUpdate Expired goes out, once."""
    desk = Desk()
    desk.reserve(4, 1, seconds=60)
    desk.clear()
    desk.wait(58)
    assert desk.updates() == []
    desk.wait(3)
    assert desk.updates() == [(4, "Expired")]
    desk.wait(600)
    assert desk.updates() == [(4, "Expired")]
    assert desk.records.names() == []


def test_expiry_while_offline_is_reported_on_reconnect():
    """H04.FR.01: a lost link does not lose the update."""
    desk = Desk()
    desk.reserve(4, 1, seconds=60)
    desk.down()
    desk.wait(100)
    assert desk.status(1) == "Available"
    desk.clear()
    desk.up()
    assert desk.updates() == [(4, "Expired")]


def test_expiry_while_powered_off_is_reported_after_boot():
    """H04.FR.01: a reservation that lapsed while the power was off is reported once the clock is set."""
    desk = Desk()
    desk.reserve(4, 1, seconds=60)
    desk.now += 100000
    desk.reboot(link=False)
    assert desk.status(1) == "Reserved"  # the station cannot know better before it knows the time
    desk.clear()
    desk.up()
    assert desk.updates() == [(4, "Expired")]
    assert (1, 1, "Reserved") not in desk.statuses()


def test_an_update_that_was_not_confirmed_survives_a_reboot():
    """H04.FR.01: the record keeps the ending until the CSMS has confirmed it."""
    desk = Desk()
    desk.reserve(4, 1, seconds=60)
    desk.replies["ReservationStatusUpdate"] = None
    desk.wait(61)
    desk.replies["ReservationStatusUpdate"] = {}
    desk.clear()
    desk.reboot()
    assert desk.updates() == [(4, "Expired")]
    desk.clear()
    desk.reboot()
    assert desk.updates() == []


def test_an_expiry_that_flash_does_not_take_is_told_later():
    """H04.FR.01: the CSMS hears of the ending once it is safe; the EVSE is free at once."""
    desk = Desk()
    desk.reserve(4, 1, seconds=60)
    desk.records.fail_with = 5
    desk.wait(61)
    assert desk.status(1) == "Available"
    assert desk.updates() == []
    desk.records.fail_with = None
    desk.wait(15)
    assert desk.updates() == [(4, "Expired")]


def test_expiry_of_a_type_reservation_is_reported():
    """H04.FR.01: reservations without an EVSE expire like any other."""
    desk = Desk()
    desk.reserve(4, None, seconds=60, connectorType="cType2")
    desk.wait(61)
    assert desk.updates() == [(4, "Expired")]


def test_after_expiry_everybody_may_charge():
    """H04.FR.02: the EVSE of an expired reservation is open to other tokens, and closed to nobody."""
    desk = Desk()
    desk.reserve(4, 1, seconds=60)
    desk.wait(61)
    desk.swipe("WALKUP01", 1)
    desk.plug(1)
    assert desk.hardware.closed[1]
    assert "reservationId" not in desk.of("TransactionEvent")[0]


def test_after_expiry_all_connectors_are_reported_available():
    """H04.FR.03: StatusNotification Available for all connectors of the EVSE, before the update."""
    desk = Desk()
    desk.reserve(4, 1, seconds=60)
    desk.clear()
    desk.wait(61)
    assert desk.statuses() == [(1, 1, "Available"), (1, 2, "Available")]
    assert desk.wire == ["StatusNotification", "StatusNotification", "ReservationStatusUpdate"]


def test_a_faulted_evse_removes_its_reservation():
    """H01.FR.16: the targeted EVSE becomes Faulted: cancelled, and ReservationStatusUpdate Removed."""
    desk = Desk()
    desk.reserve(4, 1)
    desk.clear()
    desk.fault(1)
    assert desk.statuses() == [(1, 1, "Faulted"), (1, 2, "Faulted")]
    assert desk.updates() == [(4, "Removed")]
    assert desk.cancel(4) == "Rejected"


def test_a_cleared_fault_does_not_bring_the_reservation_back():
    """H01.FR.16: after the fault the EVSE is Available, and the removed reservation stays removed."""
    desk = Desk()
    desk.reserve(4, 1)
    desk.fault(1)
    desk.clear()
    desk.clear_fault(1)
    assert desk.statuses() == [(1, 1, "Available"), (1, 2, "Available")]
    desk.reboot()
    assert desk.status(1) == "Available"


def test_a_fault_removes_a_floating_reservation_only_if_nothing_else_serves_it():
    """H01.FR.16: an unspecified reservation moves to what is left, and is removed when nothing is left."""
    desk = Desk(evses=TWO_SINGLE)
    desk.reserve(4, None)
    desk.clear()
    desk.fault(1)
    assert desk.statuses() == [(1, 1, "Faulted"), (2, 1, "Reserved")]
    assert desk.updates() == []
    desk.fault(2)
    assert desk.updates() == [(4, "Removed")]


def test_of_floating_reservations_the_youngest_is_removed():
    """H01.FR.16: two reservations, one EVSE left: who came first keeps it."""
    desk = Desk(evses=TWO_SINGLE)
    desk.reserve(4, None)
    desk.reserve(3, None)
    desk.clear()
    desk.fault(1)
    assert desk.updates() == [(3, "Removed")]
    assert desk.status(2) == "Reserved"


def test_the_last_evse_of_the_type_faults():
    """H01.FR.16: a type reservation is removed with the last EVSE that has the type."""
    desk = Desk(evses=TWO_SINGLE)
    desk.reserve(4, None, connectorType="sType2")
    desk.clear()
    desk.fault(1)
    assert desk.updates() == []
    desk.fault(2)
    assert desk.updates() == [(4, "Removed")]


def test_an_evse_taken_out_of_service_removes_its_reservation():
    """H01.FR.17: the targeted EVSE becomes Unavailable: Accepted, cancelled, ReservationStatusUpdate Removed."""
    desk = Desk()
    desk.reserve(4, 1)
    desk.clear()
    assert desk.availability("Inoperative", 1) == "Accepted"
    assert desk.statuses() == [(1, 1, "Unavailable"), (1, 2, "Unavailable")]  # and no Available in between
    assert desk.updates() == [(4, "Removed")]


def test_the_station_taken_out_of_service_removes_every_reservation():
    """H01.FR.17: the whole station Unavailable: specific and floating reservations are removed."""
    desk = Desk()
    desk.reserve(4, 1)
    desk.reserve(5, None)
    desk.clear()
    assert desk.availability("Inoperative") == "Accepted"
    assert sorted(desk.updates()) == [(4, "Removed"), (5, "Removed")]


def test_one_connector_taken_out_of_service_removes_nothing_while_another_serves():
    """H01.FR.17: the EVSE is not Unavailable while a matching connector is operative; with the last one it is."""
    desk = Desk()
    desk.reserve(4, 1)
    desk.clear()
    desk.availability("Inoperative", 1, 1)
    assert desk.statuses() == [(1, 1, "Unavailable")]
    assert desk.updates() == []
    desk.availability("Inoperative", 1, 2)
    assert desk.updates() == [(4, "Removed")]


def test_the_reserved_connector_type_taken_out_of_service():
    """H01.FR.17: a type reservation goes with the last operative connector of that type."""
    desk = Desk()
    desk.reserve(4, None, connectorType="cType2")
    desk.clear()
    desk.availability("Inoperative", 1, 2)
    assert desk.updates() == [(4, "Removed")]
    assert desk.status(1, 1) == "Available"


def test_removed_while_offline_is_reported_on_reconnect():
    """H01.FR.16: the update is owed whether or not the link is up."""
    desk = Desk()
    desk.reserve(4, 1)
    desk.down()
    desk.fault(1)
    desk.clear_fault(1)
    desk.clear()
    desk.up()
    assert desk.updates() == [(4, "Removed")]


def test_a_removal_survives_a_power_cut():
    """H01.FR.16: Removed before the cut stays Removed after it, and is reported."""
    desk = Desk()
    desk.reserve(4, 1)
    desk.down()
    desk.fault(1)
    desk.clear()
    desk.reboot()
    assert desk.updates() == [(4, "Removed")]
    assert desk.status(1) == "Available"
