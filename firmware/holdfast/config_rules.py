"""What a configuration must be like: the rule for config.json, made of the agent's own checkers.

Imported once at power-on, by `config.load`, which lets go of it again: nobody asks twice.
"""

from . import device_model, payload
from .config import layout, split_url
from .hardware import DRIVERS
from .hardware import check as check_pins
from .reservations import CONNECTOR_TYPES

_ID_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789*-_=+|@."
_PHYS = "LAN8710 LAN8720 IP101 RTL8201 DP83848 KSZ8041 KSZ8081"  # network.PHY_...


def _expect(expectation, rule):
    # The same rule, with a fault that says what is wanted.
    def check(value):
        if payload.fault_of(rule, value):
            return (payload.PROPERTY, "", expectation)

    return check


def _text(shortest, longest):
    return _expect("not a string of %d to %d characters" % (shortest, longest),
                   lambda value: payload.fault_of(longest, value) or len(value) < shortest)


def _octets(fewest, most):
    return _expect("not a text of %d to %d bytes" % (fewest, most),
                   lambda value: type(value) is not str or not fewest <= len(value.encode()) <= most)


def _station_id(value):
    # OCPP-J 2.0.1 §3.1.1: an identifierString of at most 48 characters, without the colon that Basic auth splits at.
    # Any other character, wherever it is, is what `strip` leaves of it.
    return payload.fault_of(48, value) or not value or value.strip(_ID_CHARACTERS)


def _csms_url(value):
    try:
        split_url(value if type(value) is str else "")
    except ValueError as error:
        return (payload.PROPERTY, "", str(error))


def _network(value):
    pin = payload.integer_between(0, 48)
    fault = payload.fault_of((
        "wifi?", ("ssid", _octets(1, 32), "password?", _octets(8, 63)),  # as IEEE 802.11 has them
        "ethernet?", ("mdc", pin, "mdio", pin, "phy_type", _PHYS, "phy_addr", payload.integer_between(0, 31),
                      "power?", pin, "ref_clk?", pin, "ref_clk_out?", payload.boolean),
        "time_server?", 64,
    ), value)
    if fault:
        return fault
    if ("wifi" in value) == ("ethernet" in value):
        return (payload.PROPERTY, "", "wants either wifi or ethernet")
    # A time server is what a URL has before its path: with a port that is no number nobody would ever be asked.
    return _csms_url("ws://" + (value.get("time_server") or "x")) and (
        payload.PROPERTY, "time_server", "not a host, or host:port")


def _variables(value):
    if type(value) is not dict:
        return (payload.PROPERTY, "", "not an object")
    for name in value:
        # Every value of the device model is a string, numbers too.
        wrong = "not a string" if type(value[name]) is not str else device_model.check_initial(name, value[name])
        if not wrong and device_model.row(name)[1] == "WO":
            wrong = "what nobody may read has a field of its own: password"  # and goes to NVS
        if wrong:
            return (payload.PROPERTY, name, wrong)


_WANTED = ("", "password", "password ca_certificate", "ca_certificate client_certificate client_key")


def _security(values):
    """Fill in the security profile, and judge it: (field, what is wrong with it), or None.

    OCPP 2.0.1 Part 2, A00: 1 is Basic auth, 2 the same over TLS, 3 TLS with a client certificate. 0 is no security.
    """
    secure = values["csms_url"].startswith("wss:")
    profile = values.setdefault(
        "security_profile", 2 * secure + (("client_certificate" if secure else "password") in values))
    if (profile > 1) != secure or profile == 0 and "password" in values:
        return "security_profile", "%d does not go with this csms_url and password" % profile
    for field in _WANTED[profile].split():
        if field not in values:
            return field, "missing for security profile %d" % profile


def fault_of(values):
    """What is wrong with parsed values: (path of the field, text), or None. Fills in `security_profile`."""
    fault = payload.fault_of((
        "station_id", _expect("not 1 to 48 letters, digits or characters of *-_=+|@.", _station_id),
        "csms_url", _csms_url,
        "security_profile?", payload.integer_between(0, 3),
        "password?", _text(16, 64),
        "ca_certificate?", _text(1, 64),
        "client_certificate?", _text(1, 64),
        "client_key?", _text(1, 64),
        "vendor_name?", _text(1, 50),  # the lengths of ChargingStationType in BootNotificationRequest
        "model?", _text(1, 20),
        "serial_number?", _text(1, 25),
        "evses", [("connectors", [_expect("not a connector type of OCPP 2.0.1", CONNECTOR_TYPES), 1, 4]), 1, 8],
        "hardware?", _expect("not one of: " + DRIVERS, DRIVERS),
        "pins?", lambda value: None,  # for the driver to judge, below
        "message_limit?", _expect("not an integer from 1024 to 65536", payload.integer_between(1024, 65536)),
        "network?", _network,
        "watchdog?", _expect("not 0 (off) or 10 to 300 seconds",  # a TLS handshake takes some
                             lambda value: type(value) is not int or value and not 10 <= value <= 300),
        "web?", ("button?", payload.integer_between(0, 48), "minutes?", payload.integer_between(1, 1440)),
        "variables?", _variables,
    ), values)
    if fault:
        return fault[1], fault[2]
    fault = _security(values)
    if fault:
        return fault
    fault = check_pins(values.get("hardware", "simulated"), values.get("pins"), layout(values))
    return fault and ("pins" + fault[1], fault[2])
