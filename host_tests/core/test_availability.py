"""Block G: ChangeAvailability, and which StatusNotifications go out when."""

from fakes import Desk

ALL = [(1, 1), (1, 2), (2, 1)]


def charge(desk, evse_id=1):
    desk.swipe("DRIVER01", evse_id)
    desk.plug(evse_id)


def test_an_evse_goes_out_of_service_and_back():
    """G03.FR.01, G03.FR.07: Accepted, then a status for each of its connectors."""
    desk = Desk()
    desk.clear()
    assert desk.availability("Inoperative", 1) == "Accepted"
    assert desk.wire[0] == "answer"
    assert desk.statuses() == [(1, 1, "Unavailable"), (1, 2, "Unavailable")]
    desk.clear()
    assert desk.availability("Operative", 1) == "Accepted"
    assert desk.statuses() == [(1, 1, "Available"), (1, 2, "Available")]


def test_the_station_goes_out_of_service_and_back():
    """G04."""
    for status, shown in (("Inoperative", "Unavailable"), ("Operative", "Available")):
        desk = Desk()
        if status == "Operative":
            desk.availability("Inoperative")
        desk.clear()
        assert desk.availability(status) == "Accepted"
        assert desk.statuses() == [(evse_id, connector_id, shown) for evse_id, connector_id in ALL]


def test_a_connector_goes_out_of_service_alone():
    desk = Desk()
    desk.clear()
    assert desk.availability("Inoperative", 1, 2) == "Accepted"
    assert desk.statuses() == [(1, 2, "Unavailable")]


def test_back_in_service_the_original_state_returns():
    """G04: what was taken out on its own stays out when the whole returns."""
    desk = Desk()
    desk.availability("Inoperative", 2)
    desk.availability("Inoperative")
    desk.clear()
    desk.availability("Operative")
    assert desk.statuses() == [(1, 1, "Available"), (1, 2, "Available")]
    assert desk.status(2) == "Unavailable"


def test_what_is_so_already_is_accepted_and_not_reported():
    """G03.FR.03."""
    desk = Desk()
    desk.availability("Inoperative", 1)
    writes = desk.records.writes
    desk.clear()
    assert desk.availability("Inoperative", 1) == "Accepted"
    assert desk.availability("Operative", 2) == "Accepted"
    assert desk.statuses() == []
    assert desk.records.writes == writes


def test_during_a_transaction_it_is_scheduled():
    """G03.FR.05, G04.FR.06: Scheduled; the transaction goes on, then Unavailable."""
    for evse_id in (1, None):
        desk = Desk()
        charge(desk)
        desk.clear()
        assert desk.availability("Inoperative", evse_id) == "Scheduled"
        assert desk.availability("Inoperative", evse_id) == "Scheduled"
        assert desk.hardware.closed[1]
        assert desk.status(1) == "Occupied"
        desk.unplug(1)
        assert desk.status(1) == "Unavailable"


def test_a_scheduled_change_can_be_taken_back():
    desk = Desk()
    charge(desk)
    desk.availability("Inoperative", 1)
    assert desk.availability("Operative", 1) == "Accepted"
    desk.unplug(1)
    assert desk.status(1) == "Available"


def test_when_the_station_is_scheduled_idle_evses_close_at_once():
    desk = Desk()
    charge(desk)
    desk.clear()
    assert desk.availability("Inoperative") == "Scheduled"
    assert desk.statuses() == [(2, 1, "Unavailable")]


def test_it_survives_a_reboot():
    """G03.FR.08, G04.FR.09: for the station, an EVSE and a connector."""
    for target, expected in (((), "UUU"), ((1,), "UUA"), ((1, 2), "AUA"), ((2, 1), "AAU")):
        desk = Desk()
        desk.availability("Inoperative", *target)
        desk.reboot()
        assert "".join([desk.status(e, c)[0] for e, c in ALL]) == expected, target


def test_what_does_not_exist_is_rejected():
    desk = Desk()
    for target in ((0,), (3,), (-1,), (1, 0), (1, 3), (2, 2)):
        assert desk.availability("Inoperative", *target) == "Rejected", target
    assert [desk.status(e, c) for e, c in ALL] == ["Available"] * 3


def test_what_flash_does_not_take_is_rejected():
    desk = Desk()
    desk.records.fail_with = 28
    assert desk.availability("Inoperative", 1) == "Rejected"
    assert desk.answers[-1][2]["statusInfo"]["reasonCode"] == "OutOfStorage"
    assert desk.status(1) == "Available"


def test_nobody_charges_where_it_is_out_of_service():
    desk = Desk()
    desk.availability("Inoperative", 1)
    desk.plug(1)
    assert desk.swipe("DRIVER01", 1).find("refused") >= 0
    assert not desk.hardware.closed.get(1)


def test_a_driver_without_a_transaction_loses_the_authorization():
    """The token was presented, no car had come: there is no transaction to wait for."""
    desk = Desk()
    desk.swipe("DRIVER01", 1)
    assert desk.availability("Inoperative", 1) == "Accepted"
    desk.availability("Operative", 1)
    desk.plug(1)
    assert not desk.hardware.closed.get(1)


def test_plugging_in_reports_that_connector_only():
    """G01.FR.08."""
    desk = Desk()
    desk.clear()
    desk.plug(1, 2)
    assert desk.statuses() == [(1, 2, "Occupied")]
    desk.clear()
    desk.unplug(1)
    assert desk.statuses() == [(1, 2, "Available")]


def test_after_a_short_time_offline_only_what_changed_is_told():
    """B04.FR.02."""
    desk = Desk()
    desk.down()
    desk.plug(2)
    desk.wait(50)
    desk.clear()
    desk.up()
    assert desk.statuses() == [(2, 1, "Occupied")]


def test_after_a_long_time_offline_everything_is_told():
    """B04.FR.01."""
    desk = Desk()
    desk.down()
    desk.wait(61)
    desk.clear()
    desk.up()
    assert len(desk.statuses()) == 3


def test_the_time_offline_counts_from_the_loss_of_the_link():
    """B59: OfflineThreshold is not about the last message."""
    desk = Desk()
    desk.wait(250)
    desk.down()
    desk.wait(30)
    desk.clear()
    desk.up()
    assert desk.statuses() == []


def test_a_status_that_was_never_confirmed_is_told_again():
    desk = Desk()
    desk.replies["StatusNotification"] = None
    desk.plug(2)
    desk.down()
    desk.replies["StatusNotification"] = {}
    desk.clear()
    desk.up()
    assert desk.statuses() == [(2, 1, "Occupied")]


def test_what_changed_and_changed_back_while_offline_is_not_told():
    desk = Desk()
    desk.down()
    desk.plug(2)
    desk.unplug(2)
    desk.clear()
    desk.up()
    assert desk.statuses() == []


def test_a_status_that_may_have_arrived_before_the_link_was_lost_is_corrected():
    """B04.FR.02: the CSMS got Occupied, its answer did not come back; meanwhile it is Available again."""
    desk = Desk()
    desk.replies["StatusNotification"] = None
    desk.plug(2)
    desk.down()
    desk.unplug(2)
    desk.replies["StatusNotification"] = {}
    desk.clear()
    desk.up()
    assert desk.statuses() == [(2, 1, "Available")]
