"""The IEC 61851 driver when something is broken: the contactor opens first, and it is reported second."""

import asyncio

from fake_machine import Bench
from fakes import FakeConfig
from holdfast.hardware.iec61851 import PACE, Hardware
from pilot_desk import EVSES, FULL, SECOND, PilotDesk


def is_on(desk, evse_id=1):
    """Is the contactor commanded to be closed?"""
    return desk.bench.is_on(desk.bench.evse(evse_id), "contactor")


def run_task(desk, looks):
    """Let the driver's own task look so often, then cancel it."""

    async def sleep_ms(ms):
        naps.append(ms)
        desk.bench.rest(ms)
        await asyncio.sleep(0)

    async def main():
        task = asyncio.create_task(desk.driver.run())
        while len(naps) < looks and not task.done():
            await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass

    naps = []
    had = getattr(asyncio, "sleep_ms", None)
    asyncio.sleep_ms = sleep_ms
    try:
        asyncio.run(main())
    finally:
        if had:
            asyncio.sleep_ms = had
        else:
            del asyncio.sleep_ms
    return naps


# --- exceptions in the driver

PARTS = {
    "pilot input": lambda bench: bench.adcs[36],
    "proximity input": lambda bench: bench.adcs[39],
    "mirror contact": lambda bench: bench.pins[27],
    "residual-current input": lambda bench: bench.pins[33],
    "lock feedback": lambda bench: bench.pins[18],
    "lock motor": lambda bench: bench.pins[16],
    "lock motor backwards": lambda bench: bench.pins[17],
    "PWM": lambda bench: bench.pwms[25],
}


def test_every_exception_in_the_driver_opens_first_and_is_reported_second():
    for name in PARTS:
        desk = PilotDesk()
        evse = desk.charging()
        at = desk.bench.now()
        seen = []
        fault = desk.station.fault

        def told(now, evse_id, code, desk=desk, seen=seen, fault=fault):
            seen.append((code, is_on(desk)))
            return fault(now, evse_id, code)

        desk.station.fault = told
        part = PARTS[name](desk.bench)
        part.broken = True
        desk.driver.ports[0].outlet.limit = 0  # so that even the PWM is written to
        desk.run(1000)
        assert desk.opened() - at <= 60, name
        assert seen == [("HardwareFailure", False)], name
        assert len([line for line in desk.lines if "EVSE 1 hardware: OSError" in line[1]]) == 1, name
        part.broken = False
        evse.car.unplug()
        desk.run(15_000)
        assert desk.status(1) == "Available", name


def test_after_an_exception_the_contactor_opens_before_the_pilot_goes_to_state_f():
    for evse_id, gpio, contactor, pilot in ((1, 36, (26, 0), (25, 0)), (2, 37, (5, 1), (4, 65535))):
        desk = PilotDesk()
        desk.charging(evse_id)
        del desk.bench.changes[:]
        desk.bench.adcs[gpio].broken = True
        desk.driver.look()
        assert desk.bench.changes[:2] == [contactor, pilot]


def test_an_exception_stops_the_lock_motor_too():
    desk = PilotDesk()
    evse = desk.bench.evse(1)
    evse.car.plug()
    desk.run(600)
    desk.swipe("DEADBEEF42", 1)
    while not desk.bench.is_on(evse, "lock"):
        desk.run(PACE)
    desk.bench.adcs[36].broken = True
    desk.driver.look()
    assert not desk.bench.is_on(evse, "lock")


def test_every_exception_that_is_no_accident_of_input_and_output_opens_too():
    for error in (MemoryError(), ValueError("x"), TypeError("x"), ZeroDivisionError(), AttributeError("x")):
        desk = PilotDesk()
        desk.charging()

        def fail(mv, error=error):
            raise error

        desk.bench.adcs[36].spoil = fail
        desk.driver.look()
        assert not is_on(desk) and desk.status(1) == "Faulted"


def test_a_failure_that_goes_on_is_reported_once_and_a_new_one_again():
    desk = PilotDesk()
    evse = desk.charging()
    for _ in range(2):
        desk.bench.adcs[36].broken = True
        desk.run(3000)
        desk.bench.adcs[36].broken = False
        evse.car.unplug()
        desk.run(15_000)
    assert len([line for line in desk.lines if "EVSE 1 hardware: OSError" in line[1]]) == 2


def test_a_contactor_that_can_not_be_written_to_leaves_state_f():
    desk = PilotDesk()
    desk.charging()
    desk.bench.pins[26].broken = True
    desk.station.open_contactors()
    assert desk.bench.duty(1) == 0  # so the car stops by itself
    desk.run(100)
    assert desk.status(1) == "Faulted"


def test_a_contactor_that_can_not_be_closed_is_a_failure():
    desk = PilotDesk()
    desk.bench.evse(1).car.plug(s2=True)
    desk.run(600)
    desk.bench.pins[26].broken = True
    desk.swipe("DEADBEEF42", 1)
    desk.run(3000)
    assert desk.bench.evse(1).history == [] and desk.status(1) == "Faulted"


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


def test_a_loop_that_was_busy_too_long_is_logged():
    desk = PilotDesk()
    desk.charging()
    desk.bench.rest(500)
    desk.run(100)
    assert [text for level, text in desk.lines if "ms without a look" in text and level == "warning"]
    assert desk.bench.evse(1).contact


def test_hardware_that_fails_at_power_on_fails_with_every_contactor_open():
    def fail(*args, **options):
        raise ValueError("no such pin")

    for wrong, pins in ((False, (dict(FULL, pilot_adc=12), SECOND)), (True, (FULL, SECOND))):
        bench = Bench(pins)
        if wrong:
            bench.machine.PWM = fail
        bench.machine.Pin(26, bench.machine.Pin.OUT, value=1)  # as a reset that was none of the pins left it
        config = FakeConfig(EVSES)
        config.pins = pins
        try:
            Hardware(config, bench.machine, bench.clock)
        except ValueError:
            assert not bench.is_on(bench.evse(1), "contactor") and not bench.is_on(bench.evse(2), "contactor")
            assert (5, 1) in bench.changes  # driven, not only left alone
            continue
        raise AssertionError("nothing failed")


def test_outputs_are_switched_off_before_anything_else_is_set_up():
    bench = Bench((FULL, SECOND))
    config = FakeConfig(EVSES)
    config.pins = (FULL, SECOND)
    Hardware(config, bench.machine, bench.clock)
    assert bench.touched[:4] == [26, 16, 17, 5] and bench.touched.count(26) == bench.touched.count(5) == 1


# --- who opens what

def test_an_evse_that_fails_does_not_disturb_the_other():
    for evse_id, other, gpio in ((1, 2, 36), (2, 1, 37)):
        desk = PilotDesk()
        desk.charging(1)
        desk.charging(2)
        desk.bench.adcs[gpio].broken = True
        desk.run(3000)
        assert not desk.bench.evse(evse_id).contact and desk.bench.evse(other).contact


def test_the_agent_s_last_resort_opens_all_at_once_and_for_good():
    desk = PilotDesk()
    desk.charging(1)
    desk.charging(2)
    at = desk.bench.now()
    desk.station.open_contactors()
    assert not is_on(desk, 1) and not is_on(desk, 2)
    desk.run(100)
    assert desk.opened(1) - at <= 30 and desk.opened(2) - at <= 30
    desk.run(5000)
    assert not desk.bench.evse(1).contact and not desk.bench.evse(2).contact


def test_the_last_resort_opens_one_contactor_although_the_other_fails():
    for gpio in (26, 25):  # the contactor itself, and the pilot
        desk = PilotDesk()
        desk.charging(1)
        desk.charging(2)
        (desk.bench.pins if gpio == 26 else desk.bench.pwms)[gpio].broken = True
        desk.log = desk.station.log = None  # and nobody can be told
        desk.driver.open()
        assert not is_on(desk, 2) and is_on(desk, 1) == (gpio == 26)


def test_the_last_resort_does_not_wait_for_a_car_that_is_given_time_to_stop():
    desk = PilotDesk()
    desk.charging()
    desk.swipe("DEADBEEF42", 1)
    desk.run(100)
    assert is_on(desk)
    desk.station.open_contactors()
    assert not is_on(desk)


def test_the_last_resort_opens_although_the_station_broke_down_while_it_ended_a_session():
    desk = PilotDesk()
    desk.charging()
    desk.station.evses[0].authorization = None  # as a stop leaves it that raises before the contactor is commanded
    desk.station.open_contactors()
    assert not is_on(desk)


def test_a_fault_that_somebody_else_found_opens_at_once():
    desk = PilotDesk()
    desk.charging()
    desk.station.fault(desk.now, 1, "EmergencyStop")
    assert not is_on(desk)


def test_an_end_takes_pwm_away_at_once_even_if_nobody_looks_any_more():
    for unsound in (False, True):
        desk = PilotDesk()
        desk.charging()
        if unsound:
            desk.station.open_contactors()
        else:
            desk.swipe("DEADBEEF42", 1)
        assert desk.bench.duty(1) == 1000 and is_on(desk) != unsound


def test_a_station_that_raises_costs_the_energy_too():
    desk = PilotDesk()
    evse = desk.charging()

    def suspended(now, evse_id):
        raise RuntimeError("a bug")

    desk.station.suspended = suspended
    evse.car.s2 = False
    desk.run(500)
    assert not evse.contact and desk.driver.ports[0].outlet.fault == "HardwareFailure"


def test_a_trip_while_the_contactor_closes_wins():
    for before in (True, False):
        desk = PilotDesk()
        port = desk.driver.ports[0]
        pin = desk.bench.pins[26]
        value = pin.value

        def trip_in_between(level, desk=desk, value=value, before=before):
            if level and before:
                desk.bench.trip(1)
            value(level)
            if level and not before:
                desk.bench.trip(1)

        pin.value = trip_in_between
        port.outlet.closed = True
        port.obey()
        assert not is_on(desk), before


def test_a_trip_after_the_look_and_before_its_orders_keeps_the_contactor_open():
    desk = PilotDesk()
    desk.charging()
    order = desk.driver.ports[0].outlet
    look = order.look

    def trip_afterwards(*readings):
        events = look(*readings)
        desk.bench.trip(1)
        desk.bench.trip(1, False)  # however short it was
        order.look = look
        return events

    order.look = trip_afterwards
    del desk.bench.changes[:]
    desk.driver.look()
    assert not is_on(desk) and (26, 1) not in desk.bench.changes
    desk.driver.look()
    assert desk.station.evses[0].fault == "GroundFault"


def test_a_trip_is_not_forgotten_because_the_contactor_could_not_be_written_to():
    desk = PilotDesk()
    desk.charging()
    desk.bench.pins[26].broken = True
    try:
        desk.bench.trip(1)
    except OSError:
        pass  # MicroPython prints it
    desk.bench.pins[26].broken = False
    desk.bench.trip(1, False)
    desk.run(100)
    assert not is_on(desk) and desk.station.evses[0].fault == "GroundFault"


# --- the task

def test_run_looks_until_it_is_cancelled_and_then_opens_all_contactors():
    desk = PilotDesk()
    desk.charging(1)
    desk.charging(2)
    naps = run_task(desk, 30)
    assert naps == [20] * 30
    assert not is_on(desk, 1) and not is_on(desk, 2)


def test_what_can_not_even_be_reported_opens_all_contactors():
    desk = PilotDesk()
    desk.charging(1)
    desk.charging(2)

    def fault(now, evse_id, code):
        raise RuntimeError("a bug")

    desk.station.fault = fault
    desk.bench.adcs[36].broken = True
    try:
        run_task(desk, 30)
    except RuntimeError:
        assert not is_on(desk, 1) and not is_on(desk, 2)
        return
    raise AssertionError("nobody knows of it")


def test_the_task_says_when_it_will_have_looked_again_from_the_first_moment_on():
    desk = PilotDesk()
    begun = desk.bench.now()
    assert desk.driver.due == begun + 10_000
    run_task(desk, 5)
    assert begun + 10_000 < desk.driver.due <= desk.bench.now() + 10_000
