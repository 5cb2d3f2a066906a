"""The configuration: one JSON file, read once at power-on and checked with the agent's own checkers.

A Config is right in every field, or it does not exist: `load` raises ConfigError, which names the field and says what
is wrong with it. What is merely unwise is in `warnings`. The rule that judges is in config_rules.py.
"""

import json
import sys

import holdfast

from . import board

PATH = "/config.json"
PORTS = {"ws": 80, "wss": 443}  # schemes that can be dialled, with the port where the URL names none


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
    authority, _, path = rest.partition("/")
    host, colon, port = authority.partition(":")
    if scheme not in PORTS or not host or colon and not (port.isdigit() and 1 <= int(port) <= 65535):
        raise ValueError("not a URL like wss://host:port/path")
    path = path.rstrip("/")
    return scheme, host, int(port or PORTS[scheme]), path and "/" + path


class Config:
    """The checked values of `load`, by the names of the file; what is optional there is filled in."""

    def __init__(self, values):
        self.password = self.serial_number = None
        self.ca_certificate = self.client_certificate = self.client_key = None  # files, PEM or DER, or nvs:KEY
        self.vendor_name = self.model = "Holdfast"
        self.hardware = "simulated"
        self.pins = None  # as the driver wants them
        self.message_limit = 8192  # bytes of a message from the CSMS
        self.network = None  # see network.py; None: somebody else looks after it
        self.watchdog = 30  # s without progress after which the board is reset, 0: never
        self.web = {}  # the installer's page: "button", a pin, low while pressed, and "minutes" until it goes off
        self.variables = {}
        for name in values:
            setattr(self, name, values[name])
        self.evses = layout(values)
        self.warnings = []
        if self.security_profile == 0:
            self.warnings.append("no password: the CSMS can not know that this is the right station")


def layout(values):
    """The EVSEs of parsed values: for each a tuple of its connector types."""
    return tuple([tuple(evse["connectors"]) for evse in values["evses"]])


def load(content):
    """The Config of a JSON text. Raises ConfigError."""
    try:
        values = json.loads(content)
    except ValueError:
        raise ConfigError("", "not JSON")
    if type(values) is dict:
        _recall(values, "password", "csms_url")
        network = values.get("network")
        _recall(network.get("wifi") if type(network) is dict else None, "wifi_password", "ssid")
    from .config_rules import fault_of

    fault = fault_of(values)
    del fault_of, sys.modules["holdfast.config_rules"], holdfast.config_rules
    if fault:
        raise ConfigError(*fault)
    return Config(values)


def _recall(place, key, beside):
    """Take a password that the file does not have from NVS. There it follows a hash of whom it was given for."""
    if type(place) is dict and "password" not in place and type(place.get(beside)) is str:
        from hashlib import sha256

        # Two places: a new password waits in the one that is not in use until the configuration for it is there.
        for slot in (key, key + "2"):
            secret = board.blob(slot)
            if secret[:8] == sha256(place[beside].encode()).digest()[:8]:
                place["password"] = str(secret[8:], "utf-8")
                break


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
