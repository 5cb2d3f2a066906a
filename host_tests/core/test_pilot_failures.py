"""The IEC 61851 driver when something is broken: the contactor opens first, and it is reported second."""

from fake_machine import Bench
from fakes import FakeConfig
from holdfast.hardware.iec61851 import Hardware
from pilot_desk import EVSES, FULL, SECOND, PilotDesk
from pilot_wire import PACE

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
            seen.append((code, desk.is_on()))
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
        assert not desk.is_on() and desk.status(1) == "Faulted"


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


def test_state_f_that_could_not_be_put_on_the_pilot_is_put_there_as_soon_as_it_can():
    desk = PilotDesk()
    desk.charging()
    desk.bench.pwms[25].broken = desk.bench.adcs[36].broken = True
    desk.driver.look()
    assert desk.bench.duty(1) != 0 and not desk.is_on()
    desk.bench.pwms[25].broken = False
    desk.driver.look()
    assert desk.bench.duty(1) == 0


def test_a_failure_in_the_middle_of_another_fault_is_told_once_too():
    desk = PilotDesk()
    desk.charging()
    desk.bench.trip(1)
    desk.run(100)
    assert desk.station.evses[0].fault == "GroundFault"
    desk.bench.adcs[36].broken = True
    desk.run(1000)
    assert desk.station.evses[0].fault == "HardwareFailure"
    assert len([line for line in desk.lines if "EVSE 1 hardware: OSError" in line[1]]) == 1


def test_a_contactor_that_can_not_be_written_to_leaves_state_f():
    for command in ("open", "end", "fault"):
        desk = PilotDesk()
        desk.charging()
        desk.bench.pins[26].broken = True
        if command == "open":
            desk.station.open_contactors()
        elif command == "end":
            desk.swipe("DEADBEEF42", 1)
            desk.run(7000)
        else:
            desk.station.fault(desk.now, 1, "EmergencyStop")
        assert desk.bench.duty(1) == 0, command  # so the car stops by itself
        desk.run(100)
        assert desk.status(1) == "Faulted", command


def test_a_failure_of_a_moment_is_5_s_of_state_f_at_least():
    desk = PilotDesk()
    desk.charging()
    desk.bench.adcs[36].broken = True
    desk.driver.look()
    desk.bench.adcs[36].broken = False
    failed = desk.bench.now()
    while desk.bench.duty(1) == 0:
        desk.run(PACE)
    assert 5000 <= desk.bench.now() - failed <= 5060


def test_the_first_error_is_the_one_that_is_told():
    desk = PilotDesk()
    desk.charging()

    def fail(mv):
        raise ValueError("the cause")

    desk.bench.adcs[36].spoil = fail
    desk.bench.pwms[25].broken = True
    desk.run(100)
    assert [text for level, text in desk.lines if "EVSE 1 hardware" in text] == [
        "EVSE 1 hardware: " + repr(ValueError("the cause"))]


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


def test_a_loop_that_was_busy_too_long_while_a_car_charged_is_logged():
    def told():
        return [text for level, text in desk.lines if "ms without a look" in text and level == "warning"]

    desk = PilotDesk()
    desk.bench.rest(500)
    desk.charging()
    desk.run(5000)
    assert told() == []
    desk.bench.rest(500)
    desk.run(100)
    assert len(told()) == 1 and desk.bench.evse(1).contact


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
