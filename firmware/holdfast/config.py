"""The configuration: one JSON file, read once at power-on and checked with the agent's own checkers.

A Config is right in every field, or it does not exist: `load` raises ConfigError, which names the field and says what
is wrong with it. What is merely unwise is in `warnings`. The initial values of device-model variables are checked
by the device model itself.
"""

import json

from holdfast import device_model
from holdfast.blocks.types import connector_type
from holdfast.hardware import DRIVERS
from holdfast.hardware import check as check_pins
from holdfast.payload import PROPERTY, anything, array_of, integer_between, object_of, one_of

PATH = "/config.json"
PORTS = {"ws": 80, "wss": 443}  # schemes that can be dialled, with the port where the URL names none

_ID_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789*-_=+|@."


class ConfigError(Exception):
    """args: path of the field, like `evses[0].connectors[1]` ("" for the whole file), and what is wrong with it."""

    def __str__(self):
        return "%s: %s" % (self.args[0] or "config.json", self.args[1])


def split_url(url):
    """(scheme, host, port, path) of a CSMS URL; path without a slash at its end. ValueError says what is wrong."""
    scheme, _, rest = url.partition("://")
    # The station id goes to the end of the path, so there is no place for a query; the password has its own field.
    for octet in rest.encode():
        if not 0x20 < octet < 0x7F or octet in b"?#@":
            raise ValueError("a URL without user, query, fragment and spaces is wanted")
    authority, slash, path = rest.partition("/")
    host, colon, port = authority.partition(":")
    if scheme not in PORTS or not host or colon and not (port.isdigit() and 1 <= int(port) <= 65535):
        raise ValueError("not a URL like wss://host:port/path")
    while path.endswith("/"):
        path = path[:-1]
    return scheme, host, int(port or PORTS[scheme]), slash and path and "/" + path


def _expect(expectation, right):
    # A checker that says what is wanted: `right(value)` is true for a good value.
    def check(value):
        if not right(value):
            return (PROPERTY, "", expectation)

    return check


def _text(shortest, longest):
    return _expect("not a string of %d to %d characters" % (shortest, longest),
                   lambda value: type(value) is str and shortest <= len(value) <= longest)


def _station_id(value):
    # OCPP-J 2.0.1 §3.1.1: an identifierString of at most 48 characters, without the colon that Basic auth splits at.
    if type(value) is str and 1 <= len(value) <= 48:
        return all([character in _ID_CHARACTERS for character in value])


def _csms_url(value):
    try:
        split_url(value if type(value) is str else "")
    except ValueError as error:
        return (PROPERTY, "", str(error))


def _network(value):
    from holdfast.network import check  # late: only who configures it needs it

    return check(value)


def _variables(value):
    if type(value) is not dict:
        return (PROPERTY, "", "not an object")
    for name in value:
        # Every value of the device model is a string, numbers too.
        wrong = "not a string" if type(value[name]) is not str else device_model.check_initial(name, value[name])
        if wrong:
            return (PROPERTY, name, wrong)


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


class Config:
    """The checked values of `load`, by the names of the file; what is optional there is filled in."""

    def __init__(self, values):
        self.password = self.serial_number = None
        self.ca_certificate = self.client_certificate = self.client_key = None  # paths of files, PEM or DER
        self.vendor_name = self.model = "Holdfast"
        self.hardware = "simulated"
        self.pins = None  # as the driver wants them
        self.message_limit = 8192  # bytes of a message from the CSMS
        self.network = None  # see network.py; None: somebody else looks after it
        self.watchdog = 30  # s without progress after which the board is reset, 0: never
        self.variables = {}
        for name in values:
            setattr(self, name, values[name])
        self.evses = tuple([tuple(evse["connectors"]) for evse in values["evses"]])
        self.warnings = []
        if self.security_profile == 0:
            self.warnings.append("no password: the CSMS can not know that this is the right station")


def load(content):
    """The Config of a JSON text. Raises ConfigError."""
    try:
        values = json.loads(content)
    except ValueError:
        raise ConfigError("", "not JSON")
    connectors = array_of(_expect("not a connector type of OCPP 2.0.1", lambda value: not connector_type(value)), 1, 4)
    # The rule is made here and not kept: it is wanted once.
    fault = object_of(
        "station_id", _expect("not 1 to 48 letters, digits or characters of *-_=+|@.", _station_id),
        "csms_url", _csms_url,
        "security_profile?", integer_between(0, 3),
        "password?", _text(16, 64),
        "ca_certificate?", _text(1, 64),
        "client_certificate?", _text(1, 64),
        "client_key?", _text(1, 64),
        "vendor_name?", _text(1, 50),  # the lengths of ChargingStationType in BootNotificationRequest
        "model?", _text(1, 20),
        "serial_number?", _text(1, 25),
        "evses", array_of(object_of("connectors", connectors), 1, 8),
        "hardware?", _expect("not one of: " + DRIVERS, lambda value: not one_of(DRIVERS)(value)),
        "pins?", anything,  # for the driver to judge, below
        "message_limit?", _expect("not an integer from 1024 to 65536",
                                  lambda value: type(value) is int and 1024 <= value <= 65536),
        "network?", _network,
        "watchdog?", _expect("not 0 (off) or 10 to 300 seconds",  # a TLS handshake takes some
                             lambda value: type(value) is int and (value == 0 or 10 <= value <= 300)),
        "variables?", _variables,
    )(values)
    if fault:
        raise ConfigError(fault[1], fault[2])
    wrong = _security(values)
    if wrong:
        raise ConfigError(*wrong)
    config = Config(values)
    fault = check_pins(config.hardware, config.pins, config.evses)
    if fault:
        raise ConfigError("pins" + fault[1], fault[2])
    return config


def read(path=PATH):
    """The Config of a file. Raises ConfigError, also when there is no such file."""
    try:
        with open(path, "rb") as file:
            content = str(file.read(), "utf-8")
    except OSError:
        raise ConfigError("", "the file is missing")
    except ValueError:
        raise ConfigError("", "not UTF-8")
    return load(content)
