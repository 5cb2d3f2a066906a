"""The IEC 61851 driver on a bench: its pins, a car on the wire, and the real station above it."""

import asyncio

from fake_machine import Bench
from fakes import Desk
from holdfast.hardware import outlet
from holdfast.hardware.iec61851 import PACE, Hardware

FULL = {"pilot_pwm": 25, "pilot_adc": 36, "pilot_mv": [300, 2100], "contactor": 26, "mirror": 27, "residual": 33,
        "proximity": 39, "pull_up": 1000, "lock": 16, "unlock": 17, "locked": 18, "amps": 32}
SECOND = {"pilot_pwm": 4, "pilot_adc": 37, "pilot_mv": [700, 2400], "contactor": 5, "mirror": 19, "residual": 35,
          "amps": 16, "active_low": ["pilot_pwm", "contactor", "mirror", "residual"]}
EVSES = (("sType2",), ("cType2",))


class PilotDesk(Desk):
    """A Desk whose station has the driver on a Bench below it."""

    def __init__(self, pins=(FULL, SECOND), evses=EVSES):
        self.pins = pins
        super().__init__(evses=evses)

    def power_on(self):
        super().power_on()
        self.bench = Bench(self.pins, self.now)
        self.config.pins = self.pins
        self.driver = self.station.hardware = Hardware(self.config, self.bench.machine, self.bench.clock)
        self.driver.attach(self.station, self.bench.now)

    def run(self, ms):
        """Let the driver look for so long."""
        end = self.bench.now() + ms
        while self.bench.now() < end:
            before = self.bench.now()
            self.driver.look()
            self.bench.rest(PACE - (self.bench.now() - before))
            self.now = self.bench.now()
            self.pump()

    def charging(self, evse_id=1):
        """A car that charges."""
        car = self.bench.evse(evse_id).car
        car.plug()
        self.run(600)
        self.swipe("DEADBEEF42", evse_id)
        self.run(1500)
        car.s2 = True
        self.run(600)
        assert self.bench.evse(evse_id).contact, self.lines
        self.clear()
        return self.bench.evse(evse_id)

    def opened(self, evse_id=1):
        """ms at which the power path last opened, None while it is closed."""
        history = self.bench.evse(evse_id).history
        return history[-1][0] if history and not history[-1][1] else None


def test_all_contactors_are_open_and_all_pilots_at_12_v_at_first():
    desk = PilotDesk()
    for evse_id in (1, 2):
        assert not desk.bench.is_on(desk.bench.evse(evse_id), "contactor")
        assert desk.bench.duty(evse_id) == 1000


def test_nothing_happens_without_a_car():
    desk = PilotDesk()
    desk.clear()
    desk.run(5000)
    assert desk.sent == [] and [line for line in desk.lines if line[0] == "error"] == []


def test_a_car_that_is_plugged_in_is_reported():
    desk = PilotDesk()
    desk.clear()
    desk.bench.evse(2).car.plug()
    desk.run(600)
    assert desk.statuses() == [(2, 1, "Occupied")]


def test_a_session_from_the_plug_to_the_unplugging():
    for evse_id, amps in ((1, 32), (2, 16)):
        desk = PilotDesk()
        evse = desk.bench.evse(evse_id)
        evse.car.plug()
        desk.run(600)
        assert not evse.contact and desk.bench.duty(evse_id) == 1000
        desk.clear()
        desk.swipe("DEADBEEF42", evse_id)
        desk.run(2000)
        assert not evse.contact and abs(desk.bench.duty(evse_id) - amps * 100 / 6) < 1
        evse.car.s2 = True
        desk.run(600)
        assert evse.contact
        assert [event[2] for event in desk.events()] == ["SuspendedEV", "Charging"]
        desk.swipe("DEADBEEF42", evse_id)
        desk.run(100)
        assert evse.contact and desk.bench.duty(evse_id) == 1000  # the car may stop drawing first
        evse.car.s2 = False
        desk.run(300)
        assert not evse.contact
        desk.run(1500)
        assert not evse.locked
        evse.car.unplug()
        desk.run(600)
        assert desk.status(evse_id) == "Available"
        assert desk.events()[-1][0] == "Ended"


def test_a_car_that_pauses_and_goes_on_is_told_as_suspended_and_charging():
    desk = PilotDesk()
    evse = desk.charging()
    left = desk.bench.now()
    evse.car.s2 = False
    desk.run(600)
    assert desk.opened() - left <= 100  # with the contactor's own 25 ms
    evse.car.s2 = True
    desk.run(600)
    assert evse.contact
    assert [event[2] for event in desk.events()] == ["SuspendedEV", "Charging"]


def test_an_unplugged_car_under_load_is_off_the_mains_within_100_ms():
    desk = PilotDesk()
    for evse_id in (1, 2):
        evse = desk.charging(evse_id)
        left = desk.bench.now()
        evse.car.unplug()
        desk.run(600)
        assert desk.opened(evse_id) - left <= 100
        assert desk.status(evse_id) == "Available" and desk.events()[-1][0] == "Ended"


def test_a_stop_that_the_car_ignores_ends_after_6_s():
    desk = PilotDesk()
    desk.charging()
    stopped = desk.bench.now()
    desk.swipe("DEADBEEF42", 1)
    desk.run(8000)
    assert outlet.PATIENCE <= desk.opened() - stopped <= outlet.PATIENCE + 100


def test_the_agent_s_last_resort_opens_at_once_and_for_good():
    desk = PilotDesk()
    desk.charging()
    at = desk.bench.now()
    desk.station.open_contactors()
    desk.run(100)
    assert desk.opened() - at <= 30
    desk.run(5000)
    assert not desk.bench.evse(1).contact


def test_an_end_takes_pwm_away_at_once_even_if_nobody_looks_any_more():
    for unsound in (False, True):
        desk = PilotDesk()
        desk.charging()
        if unsound:
            desk.station.open_contactors()
        else:
            desk.swipe("DEADBEEF42", 1)
        assert desk.bench.duty(1) == 1000
        assert desk.bench.is_on(desk.bench.evse(1), "contactor") != unsound


def test_a_restart_of_the_board_finds_the_car_that_is_plugged_in():
    desk = PilotDesk()
    desk.bench.evse(1).car.plug()
    desk.run(600)
    desk.reboot()
    desk.bench.evse(1).car.plug()
    desk.clear()
    desk.run(600)
    assert desk.statuses() == [(1, 1, "Occupied")]


def test_residual_current_opens_before_the_next_look():
    for evse_id in (1, 2):
        desk = PilotDesk()
        evse = desk.charging(evse_id)
        at = desk.bench.now()
        desk.bench.trip(evse_id)
        assert not desk.bench.is_on(evse, "contactor")
        desk.bench.trip(evse_id, False)  # however short it was
        desk.run(500)
        assert desk.opened(evse_id) - at <= 30
        assert desk.status(evse_id) == "Faulted" and desk.bench.duty(evse_id) == 0
        assert desk.of("TransactionEvent")[-1]["transactionInfo"]["stoppedReason"] == "GroundFault"


def test_a_trip_while_the_contactor_closes_wins():
    desk = PilotDesk()
    port = desk.driver.ports[0]
    pin = desk.bench.pins[26]
    value = pin.value

    def trip_in_between(level):
        value(level)
        if level:
            desk.bench.trip(1)

    pin.value = trip_in_between
    port.outlet.closed = True
    port.obey()
    assert not desk.bench.is_on(desk.bench.evse(1), "contactor")


def test_a_fault_that_is_over_leaves_an_evse_that_works():
    desk = PilotDesk()
    evse = desk.charging()
    desk.bench.trip(1)
    desk.run(1000)
    desk.bench.trip(1, False)
    evse.car.unplug()
    desk.run(12_000)
    assert desk.status(1) == "Available"
    desk.charging()


def test_a_car_without_its_diode_gets_no_energy():
    desk = PilotDesk()
    evse = desk.bench.evse(1)
    evse.car.diode = False
    evse.car.plug(s2=True)
    desk.run(600)
    desk.swipe("DEADBEEF42", 1)
    desk.run(3000)
    assert evse.history == [] and desk.status(1) == "Faulted"
    assert ("error", "EVSE 1 faulted: DiodeMissing") in desk.lines


def test_a_welded_contactor_is_reported():
    desk = PilotDesk()
    evse = desk.charging(2)
    evse.welded = True
    evse.car.s2 = False
    desk.run(1000)
    assert evse.contact and ("error", "EVSE 2 faulted: ContactorWelded") in desk.lines


def test_a_cable_limits_what_is_offered():
    for ohms, amps in ((1500, 13), (680, 20), (220, 32), (100, 32)):
        desk = PilotDesk()
        desk.bench.evse(1).car.cable = ohms
        desk.charging()
        assert abs(desk.bench.duty(1) - amps * 100 / 6) < 1, ohms


def test_every_current_that_can_be_offered_can_also_be_measured():
    # 6 A leaves 100 us of +12 V in a period, 80 A 40 us of -12 V: less than an ADC reading takes.
    for amps in (6, 10, 16, 32, 51, 63, 80):
        pins = dict(SECOND)
        pins["amps"] = amps
        desk = PilotDesk(pins=(pins,), evses=(("cType2",),))
        desk.charging()
        desk.run(3000)
        assert desk.bench.evse(1).contact and desk.driver.ports[0].outlet.fault is None, amps
        left = desk.bench.now()
        desk.bench.evse(1).car.s2 = False
        desk.run(300)
        assert desk.opened() - left <= 100


def test_every_exception_in_the_driver_opens_first_and_is_reported_second():
    def adc(bench):
        return bench.adcs[36]

    def mirror(bench):
        return bench.pins[27]

    def lock(bench):
        return bench.pins[16]

    def pwm(bench):
        return bench.pwms[25]

    for part in (adc, mirror, lock, pwm):
        desk = PilotDesk()
        evse = desk.charging()
        at = desk.bench.now()
        seen = []
        fault = desk.station.fault

        def told(now, evse_id, code, desk=desk, evse=evse, seen=seen, fault=fault):
            seen.append((code, desk.bench.is_on(evse, "contactor")))
            return fault(now, evse_id, code)

        desk.station.fault = told
        part(desk.bench).broken = True
        desk.driver.ports[0].outlet.limit = 16  # so that even the PWM is written to
        desk.run(1000)
        assert desk.opened() - at <= 60, part
        assert seen == [("HardwareFailure", False)], part
        assert len([line for line in desk.lines if "EVSE 1 hardware: OSError" in line[1]]) == 1
        part(desk.bench).broken = False
        evse.car.unplug()
        desk.run(15_000)
        assert desk.status(1) == "Available", part


def test_an_evse_that_fails_does_not_disturb_the_other():
    desk = PilotDesk()
    desk.charging(1)
    desk.charging(2)
    desk.bench.adcs[36].broken = True
    desk.run(3000)
    assert not desk.bench.evse(1).contact and desk.bench.evse(2).contact


def test_a_contactor_that_can_not_be_written_to_leaves_state_f():
    desk = PilotDesk()
    desk.charging()
    desk.bench.pins[26].broken = True
    desk.station.open_contactors()
    assert desk.bench.duty(1) == 0  # so the car stops by itself
    desk.run(100)
    assert desk.status(1) == "Faulted"


def test_what_was_to_be_told_is_told_although_the_hardware_fails_meanwhile():
    desk = PilotDesk()
    evse = desk.charging()
    desk.bench.pwms[25].broken = True  # which is needed again when the car is gone
    evse.car.unplug()
    desk.run(1000)
    assert desk.station.evses[0].plugged is None and desk.status(1) == "Faulted"
    desk.bench.pwms[25].broken = False
    desk.run(12_000)
    desk.charging()


def test_a_failure_inside_a_command_is_told_after_the_command():
    desk = PilotDesk()
    desk.charging()
    told = []
    desk.station.fault = lambda now, evse_id, code: told.append(code)
    desk.bench.pins[26].broken = True
    desk.driver.contactor(1, False)
    assert told == []  # the station is in the middle of an event
    desk.driver.look()
    assert told == ["HardwareFailure"]


def test_a_station_that_raises_costs_the_energy_too():
    desk = PilotDesk()
    evse = desk.charging()

    def suspended(now, evse_id):
        raise RuntimeError("a bug")

    desk.station.suspended = suspended
    evse.car.s2 = False
    desk.run(500)
    assert not evse.contact and desk.driver.ports[0].outlet.fault == "HardwareFailure"


def test_a_loop_that_was_busy_too_long_is_logged():
    desk = PilotDesk()
    desk.charging()
    desk.bench.rest(500)
    desk.run(100)
    assert [text for level, text in desk.lines if "ms without a look" in text and level == "warning"]
    assert desk.bench.evse(1).contact


def test_what_is_not_watched_is_said_once():
    pins = {"pilot_pwm": 25, "pilot_adc": 36, "pilot_mv": [300, 2100], "contactor": 26, "amps": 16}
    desk = PilotDesk(pins=(pins,), evses=(("cType2",),))
    assert [line for line in desk.lines if line[0] == "warning"] == [
        ("warning", "EVSE 1 has no mirror input"), ("warning", "EVSE 1 has no residual input")]
    desk.charging()


def test_one_look_takes_a_few_milliseconds_at_the_most():
    desk = PilotDesk()
    desk.charging(1)
    desk.charging(2)
    before = desk.bench.us
    desk.driver.look()
    assert desk.bench.us - before < 6000
    desk = PilotDesk()
    before = desk.bench.us
    desk.driver.look()
    assert desk.bench.us - before < 1000  # a steady pilot needs no two periods


def test_the_clock_may_wrap_while_a_level_is_measured():
    desk = PilotDesk()
    desk.charging()
    desk.bench.us += (1 << 30) - desk.bench.us % (1 << 30) - 1000
    desk.driver.ports[0].looked = desk.bench.now()
    desk.run(1000)
    assert desk.bench.evse(1).contact


def test_run_looks_until_it_is_cancelled():
    desk = PilotDesk()
    desk.bench.evse(1).car.plug()
    naps = []

    class Enough(Exception):
        pass

    async def sleep_ms(ms):
        naps.append(ms)
        desk.bench.rest(ms)
        if len(naps) == 30:
            raise Enough

    had = getattr(asyncio, "sleep_ms", None)
    asyncio.sleep_ms = sleep_ms
    try:
        asyncio.run(desk.driver.run())
    except Enough:
        pass
    finally:
        if had:
            asyncio.sleep_ms = had
        else:
            del asyncio.sleep_ms
    assert set(naps) == {PACE} and desk.status(1) == "Occupied"
