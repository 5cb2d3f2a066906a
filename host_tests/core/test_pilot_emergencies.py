"""Who opens which contactor of the IEC 61851 driver, whatever else happens at that moment, and when its task ends."""

from pilot_desk import PilotDesk


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
    assert not desk.is_on(1) and not desk.is_on(2)
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
        assert not desk.is_on(2) and desk.is_on(1) == (gpio == 26)


def test_the_last_resort_opens_one_contactor_whatever_the_other_one_s_driver_raises():
    for error in (MemoryError(), ValueError("x"), TypeError("x"), RuntimeError("x")):
        desk = PilotDesk()
        desk.charging(1)
        desk.charging(2)

        def fail(value=None, error=error):
            raise error

        desk.bench.pwms[25].duty_u16 = fail
        desk.driver.open()
        assert not desk.is_on(1) and not desk.is_on(2)


def test_the_last_resort_gives_no_energy_for_a_while_however_long_the_board_is_up_already():
    desk = PilotDesk()
    desk.bench.rest(3_600_000)
    desk.charging()
    desk.station.open_contactors()
    desk.station.settle(desk.now)  # which permits energy, as nothing is wrong with the EVSE
    desk.run(5000)
    assert desk.bench.duty(1) == 1000 and not desk.is_on()


def test_the_last_resort_does_not_wait_for_a_car_that_is_given_time_to_stop():
    desk = PilotDesk()
    desk.charging()
    desk.swipe("DEADBEEF42", 1)
    desk.run(100)
    assert desk.is_on()
    desk.station.open_contactors()
    assert not desk.is_on()


def test_the_last_resort_opens_although_the_station_broke_down_while_it_ended_a_session():
    desk = PilotDesk()
    desk.charging()
    desk.station.evses[0].authorization = None  # as a stop leaves it that raises before the contactor is commanded
    desk.station.open_contactors()
    assert not desk.is_on()


def test_a_fault_that_somebody_else_found_opens_at_once():
    desk = PilotDesk()
    desk.charging()
    desk.station.fault(desk.now, 1, "EmergencyStop")
    assert not desk.is_on()


def test_the_contactor_is_open_before_the_station_hears_of_a_fault():
    """What the station then does, as writing to flash, takes its time."""
    for name in ("residual", "locked"):
        desk = PilotDesk()
        evse = desk.charging()
        seen = []

        def fault(now, evse_id, code, desk=desk, seen=seen):
            seen.append(desk.is_on())

        desk.station.fault = fault
        if name == "residual":
            desk.bench.pins[33].handler = None  # or its interrupt is sooner
            desk.bench.trip(1)
        else:
            evse.driven = 0
            evse.locked = False
        desk.run(100)
        assert seen == [False], name


def test_an_end_takes_pwm_away_at_once_even_if_nobody_looks_any_more():
    for unsound in (False, True):
        desk = PilotDesk()
        desk.charging()
        if unsound:
            desk.station.open_contactors()
        else:
            desk.swipe("DEADBEEF42", 1)
        assert desk.bench.duty(1) == 1000 and desk.is_on() != unsound


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
        assert not desk.is_on(), before


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
    assert not desk.is_on() and (26, 1) not in desk.bench.changes
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
    assert not desk.is_on() and desk.station.evses[0].fault == "GroundFault"


def test_a_monitor_that_has_tripped_is_noticed_without_its_interrupt_too():
    for evse_id, gpio in ((1, 33), (2, 35)):
        desk = PilotDesk()
        desk.charging(evse_id)
        desk.bench.pins[gpio].handler = None
        desk.bench.trip(evse_id)
        desk.driver.look()
        assert not desk.is_on(evse_id) and desk.station.evses[evse_id - 1].fault == "GroundFault"


def test_run_looks_until_it_is_cancelled_and_then_opens_all_contactors():
    desk = PilotDesk()
    desk.charging(1)
    desk.charging(2)
    naps = desk.run_task(30)
    assert naps == [20] * 30
    assert not desk.is_on(1) and not desk.is_on(2)


def test_what_can_not_even_be_reported_opens_all_contactors():
    desk = PilotDesk()
    desk.charging(1)
    desk.charging(2)

    def fault(now, evse_id, code):
        raise RuntimeError("a bug")

    desk.station.fault = fault
    desk.bench.adcs[36].broken = True
    try:
        desk.run_task(30)
    except RuntimeError:
        assert not desk.is_on(1) and not desk.is_on(2)
        return
    raise AssertionError("nobody knows of it")


def test_the_task_says_when_it_will_have_looked_again_from_the_first_moment_on():
    desk = PilotDesk()
    begun = desk.bench.now()
    assert desk.driver.due == begun + 10_000
    desk.run_task(5)
    assert begun + 10_000 < desk.driver.due <= desk.bench.now() + 10_000
