"""The device model: which values which variable takes, and how names are looked up."""

from holdfast import device_model
from holdfast.device_model import Variables, check_initial, fault, row

SECRET = "SecurityCtrlr.BasicAuthPassword"
ROWS = [row(name) for name in list(Variables({}).names()) + [SECRET]]


def good(name, value):
    return fault(row(name), value) is None


def test_every_default_is_a_legal_value():
    for entry in ROWS:
        if entry[2]:  # the others are set from the configuration before anybody asks
            assert fault(entry, entry[2]) is None, entry[0]


def test_no_variable_is_listed_twice():
    names = [entry[0].lower() for entry in ROWS]
    assert len(names) == len([name for i, name in enumerate(names) if name not in names[:i]])


def test_names_compare_without_letter_case():
    assert row("reservationctrlr.ENABLED")[0] == "ReservationCtrlr.Enabled"
    assert row("OCPPCommCtrlr.messagetimeout[default]")[0] == "OCPPCommCtrlr.MessageTimeout[Default]"


def test_what_is_not_there_is_none():
    for name in ("", ".", "ReservationCtrlr", "ReservationCtrlr.", "ReservationCtrlr.Enable",
                 "OCPPCommCtrlr.MessageTimeout", "ReservationCtrlr.Enabled[x]", "ReservationCtrlr.Enabled RW",
                 "ReservationCtrlr.Enabled RW boolean", "x\nReservationCtrlr.Enabled", "\n"):
        assert row(name) is None, name


def test_components_are_known_by_their_variables():
    assert device_model.has_component("reservationCtrlr")
    assert not device_model.has_component("Reservation")
    assert not device_model.has_component("ReservationCtrlr.Enabled")
    assert not device_model.has_component("x\nReservationCtrlr")


def test_booleans_are_true_or_false():
    for value in ("true", "false"):
        assert good("ReservationCtrlr.Enabled", value)
    for value in ("True", "1", "", "yes", "false ", "falsetrue"):
        assert not good("ReservationCtrlr.Enabled", value), value


def test_a_boolean_that_is_fixed_takes_that_value_only():
    assert good("TxCtrlr.StopTxOnEVSideDisconnect", "true")
    assert not good("TxCtrlr.StopTxOnEVSideDisconnect", "false")


def test_integers_are_decimal_and_within_limits():
    for value in ("0", "60", "2147483647", "00060"):
        assert good("OCPPCommCtrlr.OfflineThreshold", value), value
    for value in ("", "-", "-1", "+1", "1.0", "1e3", "0x10", " 1", "1 ", "2147483648", "12345678901", "true",
                  "2026-01-01T00:00:00Z", "one", "\u0661", "\u00b2", "--1"):
        assert not good("OCPPCommCtrlr.OfflineThreshold", value), value


def test_both_ends_of_the_limits_are_good():
    integers = [entry for entry in ROWS if ".." in entry[3] and " " not in entry[3]]
    assert len(integers) > 9
    for entry in integers:
        low, high = [int(word) for word in entry[3].split("..")]
        assert fault(entry, str(low)) is None and fault(entry, str(high)) is None, entry[0]
        assert fault(entry, str(low - 1)) and fault(entry, str(high + 1)), entry[0]


def test_lists_hold_allowed_members_once():
    name = "TxCtrlr.TxStartPoint"
    for value in ("EVConnected", "EVConnected,Authorized", "PowerPathClosed,Authorized,EVConnected"):
        assert good(name, value), value
    for value in ("", "Bogus", "EVConnected,", ",", "EVConnected,EVConnected", "EVConnected, Authorized",
                  "evconnected", "EVConnected Authorized", "ParkingBayOccupancy"):
        assert not good(name, value), value


def test_strings_are_limited():
    assert good("SecurityCtrlr.Identity", "x" * 48)
    assert not good("SecurityCtrlr.Identity", "x" * 49)
    assert not good("SecurityCtrlr.Identity", "")


def test_a_configuration_may_set_read_only_variables():
    assert row("ReservationCtrlr.NonEvseSpecific")[1] == "RO"
    assert check_initial("ReservationCtrlr.NonEvseSpecific", "false") is None


def test_a_configuration_is_told_what_is_wrong():
    for name, value, wrong in (
            ("No.Such", "1", "no such variable"), ("ReservationCtrlr.Enabled", "1", "allowed: true|false"),
            ("OCPPCommCtrlr.HeartbeatInterval", "0", "allowed: 1..2147483647"),
            ("SecurityCtrlr.BasicAuthPassword", "short", "allowed: length 16..64"),
            ("TxCtrlr.TxStartPoint", "x", "allowed: EVConnected,Authorized,PowerPathClosed")):
        assert check_initial(name, value) == wrong


def test_initial_values_win_over_defaults():
    variables = Variables({"reservationctrlr.enabled": "false"})
    assert variables.get("ReservationCtrlr.Enabled") == "false"
    assert not variables.true("ReservationCtrlr.Enabled")
    assert variables.true("ReservationCtrlr.Available")


def test_values_can_be_put_and_read():
    variables = Variables({})
    name = "OCPPCommCtrlr.OfflineThreshold"
    assert variables.value(row(name)) == "60"
    variables.put(name, "7")
    assert variables.integer(name) == 7 and variables.value(row(name)) == "7"


def test_a_value_that_cannot_be_is_not_assumed():
    variables = Variables({})
    variables.assume("OCPPCommCtrlr.HeartbeatInterval", "0")
    assert variables.integer("OCPPCommCtrlr.HeartbeatInterval") == 300
    variables.assume("OCPPCommCtrlr.HeartbeatInterval", "86400")
    assert variables.integer("OCPPCommCtrlr.HeartbeatInterval") == 86400


def test_an_unknown_name_is_a_mistake_of_the_firmware():
    try:
        Variables({}).get("No.Such")
    except TypeError:
        return
    assert False


def test_names_lists_every_row_that_can_be_read():
    names = list(Variables({}).names())
    assert SECRET not in names and "ReservationCtrlr.Enabled" in names and "TxCtrlr.TxStopPoint" in names
    assert names == sorted(names)
