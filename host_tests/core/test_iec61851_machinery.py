"""What is around the pilot: cables with their rating, contactors that weld or stick, locks that jam."""

from holdfast.hardware import outlet
from pilot_wire import PACE, SLOW, Wire


def test_a_cable_limits_the_current():
    for ohms, amps in ((1500, 13), (680, 20), (220, 32), (100, 32)):
        wire = Wire()
        wire.car.cable = ohms
        wire.charging()
        assert wire.outlet.duty == outlet.duty(amps)


def test_a_cable_that_can_not_be_told_carries_nothing():
    for ohms in (None, 10, 5000):
        wire = Wire()
        wire.car.cable = ohms
        wire.car.plug(s2=True)
        wire.wait(1000)
        wire.authorize()
        wire.wait(5000)
        assert wire.closed_at is None and wire.told == ["plugged", "CableUnknown"], ohms


def test_the_cable_before_this_one_does_not_count():
    wire = Wire().charging()
    wire.authorize(False)
    wire.car.unplug()
    wire.wait(1000)
    wire.told = []
    wire.car.cable = None
    wire.car.plug(s2=True)
    wire.wait(1000)
    wire.authorize()
    for _ in range(100):
        wire.look()
        assert not wire.pwm
    assert wire.told == ["plugged", "CableUnknown"]


def test_a_cable_between_two_ratings_is_the_lower_one_however_its_readings_waver():
    wire = Wire().charging()
    ratings = (32, 20, 32, 32, 20, 20, 32)  # around 308 Ohm
    offers = []
    for at in range(1000):
        wire.now += PACE
        wire.outlet.look(wire.now, 6_000, -12_000, ratings[at % 7])
        offers.append(wire.outlet.duty)
    assert offers[-1] == outlet.duty(20) and wire.outlet.closed
    assert [offer for offer in offers if offer not in (outlet.duty(32), outlet.duty(20))] == []
    assert outlet.duty(32) not in offers[offers.index(outlet.duty(20)):]


def test_one_reading_of_another_rating_changes_nothing():
    wire = Wire().charging()
    wire.wait(SLOW)
    wire.now += PACE
    wire.outlet.look(wire.now, 6_000, -12_000, 13)
    wire.wait(1000)
    assert wire.outlet.duty == outlet.duty(32)


def test_a_rating_may_rise_until_there_is_pwm():
    wire = Wire()
    wire.car.cable = 1500  # a plug that is not all the way in
    wire.car.plug()
    wire.wait(1000)
    wire.car.cable = 220
    wire.wait(100)
    wire.charging()
    assert wire.outlet.duty == outlet.duty(32)


def test_a_proximity_contact_lost_while_charging_is_a_fault():
    wire = Wire().charging()
    began = wire.now
    wire.car.cable = None
    wire.wait(2000)
    assert wire.told == ["CableUnknown"] and wire.opened_at - began <= 600


def test_a_welded_contactor_is_a_fault_for_as_long_as_it_is_welded():
    wire = Wire(mirror=True).charging()
    wire.welded = True
    wire.car.s2 = False
    wire.wait(1000)
    assert wire.told == ["suspended", "ContactorWelded"] and wire.outlet.duty == 0
    wire.car.unplug()
    wire.wait(60_000)
    assert wire.told == ["suspended", "ContactorWelded"]
    wire.welded = False
    wire.wait(10_000)
    assert wire.told == ["suspended", "ContactorWelded", "unplugged", "fault_cleared"]


def test_a_contactor_that_is_welded_at_power_on_is_found():
    wire = Wire(mirror=True)
    wire.contact = wire.welded = True
    wire.wait(1000)
    assert wire.told == ["ContactorWelded"]


def test_a_contactor_is_known_to_have_opened_before_it_closes_again():
    wire = Wire(mirror=True).charging()
    wire.welded = True
    wire.car.s2 = False
    wire.wait(80)
    wire.car.s2 = True
    wire.wait(3000)
    assert wire.told == ["ContactorWelded"] and wire.closed_at < wire.opened_at


def test_a_contactor_that_opens_by_itself_is_a_fault():
    wire = Wire(mirror=True).charging()
    wire.stuck = True
    wire.contact = False
    wire.wait(1000)
    assert wire.told == ["ContactorOpen"] and not wire.outlet.closed


def test_a_contactor_that_does_not_close_is_a_fault():
    wire = Wire(mirror=True)
    wire.stuck = True
    wire.car.plug(s2=True)
    wire.wait(1000)
    wire.authorize()
    wire.wait(2000)
    assert wire.told == ["plugged", "ContactorOpen"] and not wire.outlet.closed


def test_the_plug_is_locked_before_there_is_pwm_and_freed_after_the_contactor_opened():
    wire = Wire(lock=True, mirror=True)
    wire.car.plug(s2=True)
    wire.wait(1000)
    assert not wire.locked
    wire.authorize()
    while not wire.pwm:
        wire.look()
    assert wire.locked
    wire.wait(1000)
    assert wire.outlet.closed
    wire.authorize(False)
    while wire.contact:
        assert wire.locked and wire.outlet.motor == 0
        wire.look()
    wire.wait(5000)  # what sequence 2.1 grants
    assert not wire.locked and wire.pulses == [1, -1]


def test_a_lock_serves_one_session_after_the_other():
    wire = Wire(lock=True, mirror=True)
    for _ in range(4):
        wire.charging()
        wire.car.s2 = False
        wire.authorize(False)
        wire.wait(1000)
        wire.car.unplug()
        wire.wait(3000)
        assert wire.told[-1] == "unplugged" and not wire.locked
    assert wire.pulses == [1, -1] * 4


def test_a_contactor_that_is_slow_to_open_keeps_the_plug_locked():
    wire = Wire(lock=True, mirror=True).charging()
    wire.authorize(False)
    wire.stuck = True
    wire.car.s2 = False
    wire.wait(200)
    assert not wire.outlet.closed and wire.contact and wire.pulses == [1]
    wire.stuck = False
    wire.wait(1000)
    assert wire.pulses == [1, -1] and not wire.locked and wire.outlet.fault is None


def test_the_plug_stays_locked_while_the_car_pauses():
    wire = Wire(lock=True).charging()
    wire.car.s2 = False
    wire.wait(60_000)
    assert wire.locked


def test_the_plug_stays_locked_while_a_car_that_was_told_to_stop_still_draws():
    wire = Wire(lock=True).charging()  # and there is no mirror contact to ask
    wire.authorize(False)
    while wire.outlet.closed:
        wire.look()
        assert wire.locked and wire.outlet.motor != -1 or not wire.outlet.closed
    wire.wait(1000)
    assert not wire.locked


def test_a_motor_is_driven_for_half_a_second_and_rests_before_it_is_tried_again():
    wire = Wire(lock=True)
    wire.jammed = True
    wire.car.plug(s2=True)
    wire.wait(1000)
    wire.authorize()
    turns = []
    for _ in range(200):
        was = wire.outlet.motor
        wire.look()
        if wire.outlet.motor != was:
            turns.append(wire.now)
    assert [turns[at + 1] - turns[at] for at in range(5)] == [500, 300, 500, 300, 500]


def test_a_motor_stops_when_its_work_is_not_wanted_any_more():
    wire = Wire(lock=True)
    wire.jammed = True
    wire.car.plug(s2=True)
    wire.wait(1000)
    wire.authorize()
    while not wire.outlet.motor:
        wire.look()
    wire.authorize(False)
    wire.look()
    assert wire.outlet.motor == 0


def test_a_lock_that_jams_is_tried_three_times_and_then_a_fault():
    wire = Wire(lock=True)
    wire.jammed = True
    wire.car.plug(s2=True)
    wire.wait(1000)
    wire.authorize()
    wire.wait(3000)
    assert wire.pulses == [1, 1, 1] and wire.told == ["plugged", "ConnectorLockFailure"]
    assert wire.closed_at is None and wire.outlet.motor == 0


def test_a_lock_that_opens_while_charging_is_a_fault():
    wire = Wire(lock=True).charging()
    wire.locked = False
    wire.look()
    assert not wire.outlet.closed and wire.outlet.fault == "ConnectorLockFailure"


def test_a_lock_that_does_not_let_go_is_a_fault_and_goes_on_trying():
    wire = Wire(lock=True).charging()
    wire.car.s2 = False
    wire.wait(1000)
    wire.jammed = True
    wire.authorize(False)
    wire.wait(3000)
    assert wire.told[-1] == "ConnectorLockFailure"
    wire.wait(6000)
    wire.jammed = False
    wire.wait(20_000)
    assert not wire.locked
    wire.car.unplug()
    wire.wait(10_000)
    assert wire.told[-2:] == ["unplugged", "fault_cleared"]


def test_a_lock_that_does_not_let_go_is_a_fault_without_a_car_too():
    wire = Wire(lock=True).charging()
    wire.jammed = True
    wire.authorize(False)
    wire.car.unplug()
    wire.wait(60_000)
    assert wire.told == ["unplugged", "ConnectorLockFailure"]


def test_the_plug_is_freed_in_a_fault_but_never_under_voltage():
    wire = Wire(lock=True, mirror=True).charging()
    wire.welded = True
    wire.residual = True
    wire.wait(60_000)
    assert wire.told == ["GroundFault"] and wire.locked and wire.contact
    wire.welded = False
    wire.wait(1000)
    assert not wire.locked
