"""The configuration file: every field checked, every error named."""

import json
from hashlib import sha256

from holdfast import board, config
from holdfast.config import ConfigError


def good(**changes):
    values = {
        "station_id": "HOLDFAST-1",
        "csms_url": "ws://csms.example:9000/ocpp",
        "password": "0123456789abcdef",
        "vendor_name": "Acme",
        "model": "Two",
        "serial_number": "SN-1",
        "evses": [{"connectors": ["cCCS2", "cType2"]}, {"connectors": ["sType2"]}],
        "hardware": "simulated",
        "message_limit": 4096,
    }
    values.update(changes)
    for name in list(values):
        if values[name] is None:
            del values[name]
    return values


def refusal(values):
    """The text of the ConfigError for these values."""
    try:
        config.load(values if type(values) is str else json.dumps(values))
    except ConfigError as error:
        return str(error)
    raise AssertionError("accepted: %r" % (values,))


def test_a_full_configuration_is_taken_over():
    loaded = config.load(json.dumps(good()))
    assert loaded.station_id == "HOLDFAST-1"
    assert loaded.csms_url == "ws://csms.example:9000/ocpp"
    assert loaded.password == "0123456789abcdef"
    assert (loaded.vendor_name, loaded.model, loaded.serial_number) == ("Acme", "Two", "SN-1")
    assert loaded.evses == (("cCCS2", "cType2"), ("sType2",))
    assert loaded.hardware == "simulated"
    assert loaded.message_limit == 4096
    assert loaded.variables == {}
    assert loaded.warnings == []


def test_what_is_optional_may_be_left_out():
    loaded = config.load(json.dumps(good(password=None, vendor_name=None, model=None, serial_number=None,
                                         hardware=None, message_limit=None)))
    assert loaded.password is None
    assert loaded.serial_number is None
    assert loaded.message_limit == 8192
    assert loaded.hardware == "simulated"


def test_a_missing_password_is_worth_a_warning():
    assert "no password" in config.load(json.dumps(good(password=None))).warnings[0]


def test_each_required_field_is_missed_by_name():
    for name in ("station_id", "csms_url", "evses"):
        change = {name: None}
        assert refusal(good(**change)) == name + ": missing"


def test_an_unknown_field_is_named():
    assert refusal(good(csms="x")) == "csms: unknown property"
    assert refusal(good(evses=[{"connectors": ["cCCS2"], "power": 7}])) == "evses[0].power: unknown property"


def test_a_wrong_connector_type_is_named_with_its_place():
    wrong = refusal(good(evses=[{"connectors": ["cCCS2", "Type2"]}]))
    assert wrong == "evses[0].connectors[1]: not a connector type of OCPP 2.0.1"


def test_there_are_one_to_eight_evses_with_one_to_four_connectors():
    assert refusal(good(evses=[])) == "evses: fewer than 1 items"
    assert refusal(good(evses=[{"connectors": ["cCCS2"]}] * 9)) == "evses: more than 8 items"
    assert refusal(good(evses=[{"connectors": []}])) == "evses[0].connectors: fewer than 1 items"
    assert refusal(good(evses=[{"connectors": ["cCCS2"] * 5}])) == "evses[0].connectors: more than 4 items"


def test_a_station_id_is_an_identifier_without_colon():
    for wrong in ("", "a" * 49, "a:b", "a b", "a/b", "\u00e4", 7, True, ["x"]):
        assert refusal(good(station_id=wrong)).startswith("station_id: not 1 to 48 letters")
    for right in ("a" * 48, "A-b_c=d+e|f@g.h*9"):
        assert config.load(json.dumps(good(station_id=right))).station_id == right


def test_a_password_has_sixteen_to_sixty_four_characters_and_stays_untold():
    for wrong in ("short-secret", "s" * 65, 1234567890123456):
        assert refusal(good(password=wrong)) == "password: not a string of 16 to 64 characters"


def test_names_have_the_lengths_that_bootnotification_allows():
    assert refusal(good(vendor_name="v" * 51)) == "vendor_name: not a string of 1 to 50 characters"
    assert refusal(good(model="m" * 21)) == "model: not a string of 1 to 20 characters"
    assert refusal(good(serial_number="s" * 26)) == "serial_number: not a string of 1 to 25 characters"
    assert refusal(good(model="")) == "model: not a string of 1 to 20 characters"


def test_the_message_limit_is_an_integer_within_bounds():
    for wrong in (1023, 65537, "8192", True, 4096.0):
        assert refusal(good(message_limit=wrong)) == "message_limit: not an integer from 1024 to 65536"
    for right in (1024, 65536):
        assert config.load(json.dumps(good(message_limit=right))).message_limit == right


def test_a_watchdog_waits_for_ten_seconds_to_five_minutes_or_is_off():
    for wrong in (9, 301, -1, True, "30", 30.5, None):
        values = good()
        values["watchdog"] = wrong
        assert refusal(values) == "watchdog: not 0 (off) or 10 to 300 seconds", wrong
    for right in (0, 10, 300):
        assert config.load(json.dumps(good(watchdog=right))).watchdog == right


def test_a_time_server_is_a_host_perhaps_with_a_port():
    """With a port that is no number the task of the link would fail whenever it asks, and never connect."""
    wifi = {"ssid": "home"}
    for wrong in ("pool.ntp.org:ntp", "a:b:c", ":123", "host:0", "host:65536", "ho st", "user@host"):
        told = refusal(good(network={"wifi": wifi, "time_server": wrong}))
        assert told == "network.time_server: not a host, or host:port", wrong
    assert refusal(good(network={"wifi": wifi, "time_server": 7})) == "network.time_server: not a string"
    for right in ("pool.ntp.org", "10.0.0.1:123", ""):
        config.load(json.dumps(good(network={"wifi": wifi, "time_server": right})))


def test_a_network_is_wifi_or_ethernet_as_the_board_has_it():
    lan = {"mdc": 23, "mdio": 18, "phy_type": "LAN8720", "phy_addr": 0, "power": 12}
    for right in ({"wifi": {"ssid": "home", "password": "secret-word"}}, {"ethernet": lan}, {"wifi": {"ssid": "open"}},
                  {"wifi": {"ssid": "a"}, "time_server": "10.0.0.1:123"}):
        assert config.load(json.dumps(good(network=right))).network == right
    for wrong, field in (
            ({}, ""), ({"wifi": {"ssid": "a"}, "ethernet": lan}, ""), ({"wifi": {}}, ".wifi.ssid"),
            ({"wifi": {"ssid": "a", "password": "short"}}, ".wifi.password"), ({"wifi": {"ssid": ""}}, ".wifi.ssid"),
            ({"wifi": {"ssid": "x" * 33}}, ".wifi.ssid"), ({"wifi": {"ssid": "\u00e4" * 17}}, ".wifi.ssid"),
            ({"wifi": {"ssid": "a", "password": "\u00e4" * 32}}, ".wifi.password"),  # 63 octets, says 802.11
            ({"wifi": {"ssid": "a", "password": 12345678}}, ".wifi.password"),
            ({"ethernet": {"mdc": 23}}, ".ethernet.mdio"),
            ({"ethernet": dict(lan, mdc=49)}, ".ethernet.mdc"), ({"ethernet": dict(lan, mdio=-1)}, ".ethernet.mdio"),
            ({"ethernet": dict(lan, phy_type="W5500")}, ".ethernet.phy_type"), ("wifi", "")):
        told = refusal(good(network=wrong))
        assert told.startswith("network" + field + ": "), (wrong, told)


def test_unknown_hardware_is_refused_with_what_there_is():
    assert refusal(good(hardware="gpio")) == "hardware: not one of: simulated iec61851"


def secure(**changes):
    values = {"csms_url": "wss://csms.example/", "ca_certificate": "/ca.pem"}
    values.update(changes)
    return good(**values)


def profile(values):
    return config.load(json.dumps(values)).security_profile


CLIENT = {"client_certificate": "/station.pem", "client_key": "/station.key"}


def test_the_security_profile_follows_from_what_is_configured():
    assert profile(good(password=None)) == 0
    assert profile(good()) == 1
    assert profile(secure()) == 2
    assert profile(secure(password=None, **CLIENT)) == 3


def test_a_named_security_profile_is_taken_where_the_rest_fits():
    assert profile(good(security_profile=1)) == 1
    assert profile(secure(security_profile=2, **CLIENT)) == 2
    assert profile(secure(security_profile=3, **CLIENT)) == 3  # the password waits for a change of profile


def test_a_security_profile_goes_with_its_scheme():
    for number in (0, 1):
        assert refusal(secure(security_profile=number)).startswith("security_profile: %d does not go" % number)
    for number in (2, 3):
        assert refusal(good(security_profile=number)).startswith("security_profile: %d does not go" % number)
    assert refusal(good(security_profile=0)) == "security_profile: 0 does not go with this csms_url and password"
    assert refusal(good(security_profile=4)) == "security_profile: out of range"
    assert refusal(good(security_profile="2")) == "security_profile: not an integer"


def test_what_a_security_profile_needs_is_missed_by_name():
    for values, field, number in (
        (good(security_profile=1, password=None), "password", 1),
        (secure(password=None), "password", 2),
        (secure(ca_certificate=None), "ca_certificate", 2),
        (secure(security_profile=3), "client_certificate", 3),
        (secure(ca_certificate=None, password=None, **CLIENT), "ca_certificate", 3),
        (secure(client_certificate="/station.pem"), "client_key", 3),
    ):
        assert refusal(values) == "%s: missing for security profile %d" % (field, number)


def test_paths_of_certificates_are_short_strings():
    for field in ("ca_certificate", "client_certificate", "client_key"):
        change = {field: 7}
        assert refusal(secure(**change)) == field + ": not a string of 1 to 64 characters"


def test_a_url_that_can_not_be_dialled_is_refused():
    for wrong in ("", "csms.example", "http://csms.example/", "ws://", "ws:///path", "ws://:80/", "ws://host:0/",
                  "ws://host:65536/", "ws://host:80x/", "ws://host:/", "ws://user:pw@host/", "ws://host/?a=b",
                  "ws://host/#a", "ws://ho st/", "ws://host/a\r\nX-Evil: 1", "ws://h\u00f6st/", 7):
        assert refusal(good(csms_url=wrong)).startswith("csms_url: ")


def test_a_url_is_taken_apart():
    assert config.split_url("ws://host") == ("ws", "host", 80, "")
    assert config.split_url("wss://host/") == ("wss", "host", 443, "")
    assert config.split_url("ws://host/") == ("ws", "host", 80, "")
    assert config.split_url("ws://10.0.0.1:9000/a/b//") == ("ws", "10.0.0.1", 9000, "/a/b")


def test_a_file_that_is_no_json_or_no_object_is_refused():
    assert refusal("hello") == "config.json: not JSON"
    assert refusal("[]") == "config.json: not an object"
    assert refusal("") == "config.json: not JSON"


def test_a_missing_file_is_told_as_such():
    try:
        config.read("/no/such/config.json")
    except ConfigError as error:
        assert str(error) == "config.json: the file is missing"
    else:
        raise AssertionError("no error")


def test_initial_variables_are_strings_of_the_device_model():
    loaded = config.load(json.dumps(good(variables={"OCPPCommCtrlr.HeartbeatInterval": "300"})))
    assert loaded.variables == {"OCPPCommCtrlr.HeartbeatInterval": "300"}
    assert refusal(good(variables={"OCPPCommCtrlr.HeartbeatInterval": 300})) == (
        "variables.OCPPCommCtrlr.HeartbeatInterval: not a string")
    assert refusal(good(variables=[])) == "variables: not an object"
    for name in ("SecurityCtrlr.BasicAuthPassword", "securityctrlr.basicauthpassword"):
        assert refusal(good(variables={name: "a-secret-of-16-characters"})).endswith("has a field of its own: password")
    assert refusal(good(variables={"Nonsense.Name": "1"})).startswith("variables.Nonsense.Name: ")


def with_secrets(secrets, values):
    """What load makes of the values on a board whose NVS has these secrets: {key: (whom for, password)}."""
    original = board.blob
    board.blob = lambda key: key in secrets and (
        sha256(secrets[key][0].encode()).digest()[:8] + secrets[key][1].encode()) or b""
    try:
        return config.load(json.dumps(values))
    finally:
        board.blob = original


def test_a_password_that_the_file_does_not_have_comes_from_nvs():
    secrets = {"password": ("ws://csms.example:9000/ocpp", "fedcba9876543210"), "wifi_password": ("home", "12345678")}
    loaded = with_secrets(secrets, good(password=None, network={"wifi": {"ssid": "home"}}))
    assert loaded.password == "fedcba9876543210" and loaded.security_profile == 1
    assert loaded.network["wifi"]["password"] == "12345678"


def test_a_password_may_be_in_the_second_place_where_the_first_is_for_somebody_else():
    secrets = {"password": ("ws://other.example/", "0000000000000000"),
               "password2": ("ws://csms.example:9000/ocpp", "fedcba9876543210")}
    assert with_secrets(secrets, good(password=None)).password == "fedcba9876543210"
    secrets["password"] = secrets["password2"][0], "the-first-one-of-two"
    assert with_secrets(secrets, good(password=None)).password == "the-first-one-of-two"


def test_a_password_in_the_file_is_the_one_that_counts():
    secrets = {"password": ("ws://csms.example:9000/ocpp", "fedcba9876543210"), "wifi_password": ("home", "12345678")}
    loaded = with_secrets(secrets, good(network={"wifi": {"ssid": "home", "password": "87654321"}}))
    assert loaded.password == "0123456789abcdef"
    assert loaded.network["wifi"]["password"] == "87654321"


def test_a_password_is_not_given_to_somebody_else():
    secrets = {"password": ("ws://csms.example/", "fedcba9876543210"), "wifi_password": ("office", "12345678")}
    loaded = with_secrets(secrets, good(password=None, network={"wifi": {"ssid": "home"}}))
    assert loaded.password is None and loaded.security_profile == 0
    assert "password" not in loaded.network["wifi"]


def test_what_is_in_nvs_does_not_hide_what_is_wrong_with_the_file():
    secrets = {"password": ("ws://csms.example/", "fedcba9876543210"), "wifi_password": ("home", "12345678")}
    for values in ([], {}, {"csms_url": 1}, good(network=1), good(network={"wifi": 1}), good(network={"wifi": {}})):
        try:
            with_secrets(secrets, values)
        except ConfigError:
            pass
        else:
            raise AssertionError("accepted: %r" % (values,))
