"""The simulated hardware: the console's car, driver and calendar, and contactors that remember."""

from fakes import Desk, FakeConfig
from holdfast.hardware import DRIVERS, driver
from holdfast.hardware.simulated import Hardware


class SimulatedDesk(Desk):
    """A Desk whose station commands a simulated Hardware."""

    def power_on(self):
        super().power_on()
        self.simulated = self.station.hardware = Hardware(self.config)
        self.simulated.attach(self.station, lambda: self.now)

    def do(self, name, *words):
        for usage, handler in self.simulated.commands():
            if usage.split()[0] == name:
                said = handler(self.now, *words)
                self.pump()
                return said
        raise KeyError(name)


def refused(desk, *words):
    try:
        desk.do(*words)
    except ValueError as error:
        return str(error)
    return None


def test_every_driver_that_can_be_configured_exists():
    for name in DRIVERS.split():
        hardware = __import__("holdfast.hardware." + name, None, None, ["Hardware"]).Hardware
        for part in ("attach", "contactor", "open", "run", "simulated"):
            assert hasattr(hardware, part)
        assert hardware.simulated == (name == "simulated")  # nobody pretends to be the car of a real one


def test_the_driver_that_is_configured_is_made():
    assert type(driver(FakeConfig())) is Hardware


def test_all_contactors_are_open_at_first():
    assert Hardware(FakeConfig()).closed == [False, False]


def test_a_charging_session_closes_and_opens_the_contactor():
    desk = SimulatedDesk()
    desk.do("plug", 1, 2)
    assert desk.simulated.closed == [False, False]
    desk.do("swipe", "DEADBEEF42", "ISO14443", 1)
    assert desk.simulated.closed == [True, False]
    desk.do("unplug", 1)
    assert desk.simulated.closed == [False, False]


def test_something_unforeseen_opens_all_contactors_until_the_next_event():
    desk = SimulatedDesk()
    for evse_id in (1, 2):
        desk.do("plug", evse_id)
        desk.do("swipe", "DEADBEEF42", "ISO14443", evse_id)
    assert desk.simulated.closed == [True, True]
    desk.station.open_contactors()
    assert desk.simulated.closed == [False, False]
    desk.do("unplug", 1)
    assert desk.simulated.closed == [False, True]


def test_a_pausing_car_opens_the_contactor_until_it_goes_on():
    desk = SimulatedDesk()
    desk.do("plug", 1)
    desk.do("swipe", "DEADBEEF42")
    desk.do("suspend", 1)
    assert desk.simulated.closed == [False, False]
    desk.do("resume", 1)
    assert desk.simulated.closed == [True, False]


def test_a_fault_opens_the_contactor_and_is_reported():
    desk = SimulatedDesk()
    desk.do("plug", 2)
    desk.do("swipe", "DEADBEEF42")
    assert desk.simulated.closed == [False, True]
    desk.clear()
    desk.do("fault", 2)
    assert desk.simulated.closed == [False, False]
    assert (2, 1, "Faulted") in desk.statuses()
    desk.do("clear", 2)
    assert desk.status(2) == "Occupied"


def test_the_first_connector_is_meant_when_none_is_named():
    desk = SimulatedDesk()
    desk.do("plug", 1)
    assert desk.status(1, 1) == "Occupied"
    assert desk.status(1, 2) == "Available"


def test_what_can_not_happen_is_refused():
    desk = SimulatedDesk()
    for words in (("plug", 9), ("plug", 1, 9), ("unplug", 1), ("clear", 1), ("suspend", 2), ("fault", 0),
                  ("swipe", "DEADBEEF42", "Central", 9)):
        assert refused(desk, *words), words
    desk.do("plug", 1)
    assert refused(desk, "plug", 1, 2)


def test_time_passes_as_told_and_lets_a_reservation_expire():
    desk = SimulatedDesk()
    desk.reserve(7, 1, seconds=600)
    assert desk.do("time", 599) == "+599 s"
    assert desk.status(1) == "Reserved"
    desk.do("time", 2)
    assert desk.updates() == [(7, "Expired")]
    assert desk.status(1) == "Available"


def test_time_can_not_pass_before_it_is_known():
    desk = SimulatedDesk(boot=False)
    assert refused(desk, "time", 5) == "the clock is not set yet"
