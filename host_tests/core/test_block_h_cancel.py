"""Block H02, CancelReservation."""

from fakes import Desk

TWO_SINGLE = (("cType2",), ("sType2",))


def test_an_unknown_id_is_rejected():
    """H02.FR.01: a reservation that is not there cannot be cancelled, and those that are stay."""
    desk = Desk()
    assert desk.cancel(1) == "Rejected"
    desk.reserve(1, 1)
    desk.clear()
    assert desk.cancel(2) == "Rejected"
    assert desk.statuses() == []


def test_an_id_that_is_over_is_rejected():
    """H02.FR.01: cancelled, consumed or expired reservations are not known any more."""
    desk = Desk()
    desk.reserve(1, 1)
    desk.cancel(1)
    assert desk.cancel(1) == "Rejected"
    desk.reserve(1, 1)
    desk.swipe("HOLDER01", 1)
    assert desk.cancel(1) == "Rejected"
    desk.reserve(1, 2, seconds=60)
    desk.wait(61)
    assert desk.cancel(1) == "Rejected"


def test_an_ended_reservation_whose_update_waits_cannot_be_cancelled():
    """H02.FR.01: expired is expired, even if the CSMS has not confirmed the update; the update still comes."""
    desk = Desk()
    desk.reserve(1, 1, seconds=60)
    desk.replies["ReservationStatusUpdate"] = None
    desk.wait(61)
    desk.clear()
    assert desk.cancel(1) == "Rejected"
    desk.down()
    desk.replies["ReservationStatusUpdate"] = {}
    desk.up()
    assert desk.updates() == [(1, "Expired")]


def test_a_known_id_is_cancelled():
    """H02.FR.02: Accepted, and the reservation is gone, from flash too."""
    desk = Desk()
    desk.reserve(5, 1)
    assert desk.cancel(5) == "Accepted"
    assert desk.records.names() == []
    assert desk.station.reservations.held == []


def test_only_the_one_with_that_id_is_cancelled():
    """H02.FR.02: other reservations stay as they are."""
    desk = Desk()
    desk.reserve(5, 1)
    desk.reserve(6, 2)
    desk.clear()
    desk.cancel(5)
    assert desk.status(2) == "Reserved"
    assert desk.cancel(6) == "Accepted"


def test_no_update_follows_a_cancel():
    """H02.FR.02: whoever cancelled knows it: no ReservationStatusUpdate."""
    desk = Desk()
    desk.reserve(5, 1, seconds=60)
    desk.cancel(5)
    desk.wait(120)
    assert desk.updates() == []


def test_a_flash_that_refuses_keeps_the_reservation():
    """H02.FR.02: what would come back after a power cut is not called cancelled."""
    desk = Desk()
    desk.reserve(5, 1)
    desk.records.fail_with = 5
    assert desk.cancel(5) == "Rejected"
    assert desk.answers[-1][2]["statusInfo"]["reasonCode"] == "InternalError"
    assert desk.status(1) == "Reserved"
    desk.records.fail_with = None
    assert desk.cancel(5) == "Accepted"


def test_everybody_may_charge_again_after_a_cancel():
    """H02.FR.03: the EVSE of a cancelled reservation is open to other tokens."""
    desk = Desk()
    desk.reserve(5, 1)
    desk.cancel(5)
    desk.swipe("WALKUP01", 1)
    desk.plug(1)
    assert desk.hardware.closed[1]


def test_each_connector_becomes_available():
    """H02.FR.04: Available is reported for each connector of the EVSE, after the answer."""
    desk = Desk()
    desk.reserve(5, 1)
    desk.clear()
    desk.cancel(5)
    assert desk.statuses() == [(1, 1, "Available"), (1, 2, "Available")]
    assert desk.wire[0] == "answer"


def test_a_cable_that_waited_makes_its_connector_occupied():
    """H02.FR.04: a connector with a cable in it is Occupied, which is what it is, and not Available."""
    desk = Desk()
    desk.reserve(5, 1)
    desk.plug(1, 2)
    desk.clear()
    desk.cancel(5)
    assert desk.statuses() == [(1, 1, "Available"), (1, 2, "Occupied")]


def test_cancelling_an_unspecified_one_opens_the_evses_that_are_not_named():
    """H02.FR.05: all EVSEs are open again that no other reservation names."""
    desk = Desk(evses=(("cType2",), ("sType2",), ("sType2",)))
    desk.reserve(1, 1)
    desk.reserve(2, None)
    desk.reserve(3, None)
    assert desk.swipe("WALKUP01", 2).find("refused") >= 0
    desk.cancel(2)
    desk.cancel(3)
    assert desk.swipe("WALKUP01", 2).find("asking") >= 0
    assert desk.swipe("WALKUP02", 3).find("asking") >= 0
    assert desk.swipe("WALKUP03", 1).find("refused") >= 0


def test_cancelling_one_of_two_unspecified_frees_all_connectors():
    """H02.FR.06: EVSEs were as many as reservations: with one fewer, all connectors are Available again."""
    desk = Desk()
    desk.reserve(1, None)
    desk.reserve(2, None)
    desk.clear()
    desk.cancel(1)
    assert desk.statuses() == [(1, 1, "Available"), (1, 2, "Available"), (2, 1, "Available")]


def test_an_evse_that_is_named_stays_reserved():
    """H02.FR.06: an explicitly reserved EVSE is not reported Available."""
    desk = Desk(evses=TWO_SINGLE)
    desk.reserve(1, 1)
    desk.reserve(2, None)
    desk.clear()
    desk.cancel(2)
    assert desk.statuses() == [(2, 1, "Available")]
