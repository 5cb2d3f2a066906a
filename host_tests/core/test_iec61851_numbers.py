"""Voltages, duty cycles and cables of IEC 61851-1, by its tables and around their borders."""

from holdfast.hardware import outlet
from vehicle import Vehicle


def test_the_ranges_of_table_a4_are_their_states_whatever_was_before():
    ranges = (("A", 11_000, 13_000), ("B", 8_000, 10_000), ("C", 5_000, 7_000), ("D", 2_000, 4_000),
              ("E", -1_000, 1_000), ("F", -13_000, -11_000))
    for before in ("", "A", "B", "C", "D", "E", "F"):
        for name, low, high in ranges:
            for mv in range(low, high + 1, 100):
                assert outlet.state(mv, before) == name, (mv, before)


def test_a_voltage_at_a_border_stays_what_it_was():
    for mv, above, below in ((10_500, "A", "B"), (7_500, "B", "C"), (4_500, "C", "D"), (1_500, "D", "E")):
        for wobble in range(-250, 251, 50):
            assert outlet.state(mv + wobble, above) == above
            assert outlet.state(mv + wobble, below) == below
        assert outlet.state(mv + 300, below) == above
        assert outlet.state(mv - 301, above) == below


def test_a_voltage_that_no_pilot_has_is_an_error():
    for before in ("", "A", "E"):
        assert outlet.state(13_501, before) == "E"
        assert outlet.state(-5_000, before) == "E"


def test_a_car_makes_the_states_that_the_standard_says():
    car = Vehicle()
    assert outlet.state(car.pilot(12_000)) == "A"
    car.plug()
    assert outlet.state(car.pilot(12_000)) == "B" and abs(car.pilot(12_000) - 9_000) < 100
    car.s2 = True
    assert outlet.state(car.pilot(12_000)) == "C" and abs(car.pilot(12_000) - 6_000) < 100
    car.ventilation = True
    assert outlet.state(car.pilot(12_000)) == "D" and abs(car.pilot(12_000) - 3_000) < 100
    assert outlet.state(car.pilot(-12_000)) == "F"
    car.diode = False
    assert car.pilot(-12_000) > outlet._NEGATIVE
    car.s2 = False
    assert car.pilot(-12_000) > outlet._NEGATIVE  # without S2 the bridged diode shows least


def test_a_car_with_the_worst_resistors_that_are_allowed_makes_the_same_states():
    for r3, r2 in ((1870, 1300), (4610, 1300), (2740, 909), (2740, 1723)):
        for source in (11_400, 12_600):  # +- 5 %
            car = Vehicle()
            car.r3 = r3
            car.r2 = r2
            assert outlet.state(car.pilot(source)) == "A"
            car.plug()
            if r2 == 1300:
                assert outlet.state(car.pilot(source)) == "B", (r3, source)
            car.s2 = True
            if r3 == 2740:
                assert outlet.state(car.pilot(source)) == "C", (r2, source)
            assert car.pilot(-source) <= outlet._NEGATIVE
            car.diode = False
            assert car.pilot(-source) > outlet._NEGATIVE, (r3, r2, source)


def test_a_wire_to_earth_is_an_error_with_the_80_ohm_of_the_standard_s_test():
    car = Vehicle()
    for short in (1, 80, 120):
        car.short = short
        for plugged in (False, True):
            car.plugged = car.s2 = plugged
            assert outlet.state(car.pilot(12_000)) == "E", (short, plugged)


def test_known_currents_have_their_known_duty_cycles():
    for amps, per_mille in ((6, 100), (10, 166), (13, 216), (16, 266), (20, 333), (32, 533), (48, 800), (51, 850),
                            (60, 880), (63, 892), (70, 920), (80, 960)):
        assert outlet.duty(amps) == per_mille, amps


def test_a_duty_cycle_never_offers_more_than_asked_and_hardly_less():
    before = 0
    for amps in range(6, 81):
        offered = outlet.current(outlet.duty(amps))
        assert offered <= amps * 1000
        assert amps * 1000 - offered < (1001 if amps == 52 else 61), amps
        assert offered >= before
        before = offered


def test_less_than_a_car_can_take_is_no_offer():
    for amps in (-1, 0, 1, 5):
        assert outlet.duty(amps) == outlet.OFF


def test_no_limit_announces_digital_communication():
    for amps in range(-10, 200):
        assert outlet.duty(amps) == outlet.OFF or 100 <= outlet.duty(amps) <= 960  # it is 3 to 7 %


def test_more_than_the_standard_has_is_80_amperes():
    assert outlet.duty(81) == outlet.duty(1000) == 960


def test_every_duty_cycle_is_read_as_table_a8_says():
    for per_mille in range(1001):
        if per_mille < 80 or per_mille > 970:
            wanted = 0  # 30 to 70 announces digital communication, the rest is not allowed
        elif per_mille < 100:
            wanted = 6000
        elif per_mille <= 850:
            wanted = per_mille * 60
        else:
            wanted = min(80_000, (per_mille - 640) * 250)
        assert outlet.current(per_mille) == wanted, per_mille


def test_the_nominal_resistors_rate_the_cable():
    for ohms, amps in ((1500, 13), (680, 20), (220, 32), (100, 63)):
        for tolerance in (97, 100, 103):
            assert outlet.cable(ohms * tolerance // 100) == amps


def test_a_resistor_between_two_ratings_counts_as_the_lower_one():
    for ohms, amps in ((75, 63), (140, 63), (141, 32), (150, 32), (308, 32), (309, 20), (330, 20), (936, 20), (937, 13),
                       (1000, 13), (2460, 13)):
        assert outlet.cable(ohms) == amps


def test_a_resistor_that_no_cable_has_rates_nothing():
    for ohms in (-1, 0, 50, 74, 2461, 4500, 100_000):
        assert outlet.cable(ohms) is None


def test_the_hysteresis_opens_no_way_around_the_order_of_states():
    for before in ("", "A", "B", "C", "D", "E"):
        order = [outlet.state(mv, before) for mv in range(13_500, -13_001, -10)]
        assert order == sorted(order), before
