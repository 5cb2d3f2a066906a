"""`pins` in config.json for the IEC 61851 driver: every mistake named, and what is optional left out."""

from holdfast.hardware import check
from pilot_desk import EVSES, FULL, SECOND


def refusal(changes=None, without=(), evses=EVSES, pins=None):
    entry = dict(FULL)
    entry.update(changes or {})
    for name in without:
        del entry[name]
    fault = check("iec61851", [entry, SECOND] if pins is None else pins, evses)
    return fault and "pins%s: %s" % fault[1:]


def test_pins_as_they_should_be_are_accepted():
    assert refusal() is None
    assert refusal({"pilot_mv": [150, 2450], "pull_up": 900, "amps": 6}) is None
    assert refusal({"pilot_mv": [1000, 2000], "pull_up": 1500, "amps": 80}) is None
    assert refusal(without=("mirror", "residual", "proximity", "pull_up", "lock", "unlock", "locked")) is None


def test_pins_that_can_not_be_right_are_refused_by_name():
    for changes, without, wanted in (
            ({}, ("contactor",), "pins[0].contactor: missing"),
            ({"contactor": 49}, (), "pins[0].contactor: out of range"),
            ({"contactor": "26"}, (), "pins[0].contactor: not an integer"),
            ({"contactor": 25}, (), "pins[0]: GPIO 25 is used twice"),
            ({"contactor": 4}, (), "pins[1]: GPIO 4 is used twice"),
            ({"pilot_mv": [2100, 300]}, (), "pins[0]: pilot_mv: under 1000 mV apart"),
            ({"pilot_mv": [1200, 2199]}, (), "pins[0]: pilot_mv: under 1000 mV apart"),
            ({"pilot_mv": [149, 2100]}, (), "pins[0].pilot_mv[0]: out of range"),
            ({"pilot_mv": [300, 2451]}, (), "pins[0].pilot_mv[1]: out of range"),
            ({"pilot_mv": [2100]}, (), "pins[0].pilot_mv: fewer than 2 items"),
            ({"pilot_mv": [300, 2100, 2100]}, (), "pins[0].pilot_mv: more than 2 items"),
            ({"pilot_mv": [300, 3300]}, (), "pins[0].pilot_mv[1]: out of range"),
            ({"pull_up": 899}, (), "pins[0].pull_up: out of range"),
            ({"pull_up": 1501}, (), "pins[0].pull_up: out of range"),
            ({"ventilation": 1}, (), "pins[0].ventilation: not a boolean"),
            ({"amps": 5}, (), "pins[0].amps: out of range"),
            ({"amps": 81}, (), "pins[0].amps: out of range"),
            ({}, ("pull_up",), "pins[0]: proximity needs its pull_up"),
            ({}, ("proximity",), "pins[0]: proximity needs its pull_up"),
            ({}, ("lock",), "pins[0]: lock, unlock and locked go together"),
            ({}, ("locked",), "pins[0]: lock, unlock and locked go together"),
            ({}, ("unlock",), "pins[0]: lock, unlock and locked go together"),
            ({}, ("lock", "unlock"), "pins[0]: lock, unlock and locked go together"),
            ({"active_low": ["contractor"]}, (), "pins[0].active_low[0]: not one of the allowed values"),
            ({"led": 2}, (), "pins[0].led: unknown property")):
        assert refusal(changes, without) == wanted, wanted


def test_every_evse_wants_its_pins_and_one_connector():
    assert refusal(pins=[FULL]) == "pins: fewer than 2 items"
    assert refusal(pins=[FULL, SECOND, SECOND]) == "pins: more than 2 items"
    assert check("iec61851", None, EVSES) is not None
    assert refusal(evses=(("cCCS2", "cType2"), ("cType2",))) == "pins[0]: a pilot serves one connector"


def test_simulated_hardware_has_no_pins():
    assert check("simulated", None, EVSES) is None
    assert check("simulated", [], EVSES) is not None
