"""Who may see and change what on the installer's page: password, session, token, origin, limits, configuration."""

import json
from binascii import b2a_base64
from hashlib import sha256

from holdfast.config import ConfigError
from holdfast.web.button import LONG, Button
from holdfast.web.http import Request
from holdfast.web.site import Site, hashed, new_code

PACE = 100  # ms from one request to the next
IDLE = 600_000  # ms without a request that end a session
PENALTY = 1000  # ms to wait after the first wrong password
HOST = "192.168.4.1"
PASSWORD = "abcdefghijkm"
GOOD = {"station_id": "CS-1", "csms_url": "ws://csms/ocpp", "evses": [{"connectors": ["cType2"]}],
        "password": "a-secret-of-16-characters"}


class Edge:
    address = HOST

    def __init__(self, config=None):
        self.lines = []
        self.text = json.dumps(config) if config else ""
        self.drawn = 0
        self.fails = ""  # the name of the method that does
        self.refuses = None  # what TLS has against a configuration
        self.utc = None  # the time that was told
        self.nvs = {}
        self.files = {}
        self.order = []  # what was written, in its order

    def random(self, count):
        self.drawn += 1
        return bytes([self.drawn]) * count

    def log(self, level, text):
        self.lines.append(text)

    def show(self, command):
        return [command + ": shown"]

    def read(self):
        return json.loads(self.text) if self.text else None

    def kept(self, key):
        return self.nvs.get(key, b"")

    def keep(self, key, content):
        if self.fails == "keep":
            raise OSError("NVS does not take it")
        self.order.append(key)
        self.nvs[key] = content

    def time(self, utc):
        self.utc = utc

    def check(self, config):
        if self.refuses:
            raise ConfigError(*self.refuses)

    def forget(self, path):
        self.order.append("no " + path)

    def write(self, path, text):
        if self.fails == "write":
            raise OSError(28)
        self.order.append(path)
        if path == "/config.json":
            self.text = text
        else:
            self.files[path] = text


class Phone:
    """A browser: sends the token and its origin, and takes its time."""

    def __init__(self, config=None, login=True):
        self.edge = Edge(config)
        self.now = 1000
        self.site = Site(self.now, self.edge, hashed(PASSWORD, b"salt" * 4))
        self.token = self.head = ""
        self.host = HOST
        self.origin = "http://" + HOST
        if login:
            assert self.login() == 200

    def login(self, password=PASSWORD):
        answer = self.ask("/login", {"password": password})
        if self.status == 200:
            self.token = json.loads(answer)["token"]
        return self.status

    def ask(self, path, body=None, method=None):
        self.now += PACE
        data = b"" if body is None else json.dumps(body).encode()
        lines = ["%s %s HTTP/1.1" % (method or ("GET" if body is None else "POST"), path), "Host: " + self.host,
                 "X-Token: " + self.token, "Content-Length: %d" % len(data)]
        if self.origin:
            lines.append("Origin: " + self.origin)
        request = Request()
        request.feed("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
        assert request.status == 200
        head, _, body = self.site.answer(self.now, request).partition(b"\r\n\r\n")
        self.head = head.decode() + "\r\n"
        self.status = int(self.head.split(" ")[1])
        return body


# --- who gets in


def test_the_page_itself_is_for_everybody_and_holds_nothing():
    phone = Phone(GOOD, login=False)
    assert phone.ask("/")[:2] == b"\x1f\x8b" and phone.status == 200
    assert "Content-Encoding: gzip" in phone.head


def test_the_browser_runs_the_script_of_the_page_and_nothing_else_and_shows_it_in_no_frame():
    phone = Phone(login=False)
    phone.ask("/")
    policy = phone.head.split("Content-Security-Policy: ")[1].split("\r\n")[0].split("; ")
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert [rule.startswith("script-src 'sha256-") for rule in policy].count(True) == 1 and "unsafe-eval" not in policy


def test_nothing_else_without_a_session():
    phone = Phone(GOOD, login=False)
    for path in ("/config", "/show/status", "/show/log", "/nothing"):
        assert phone.ask(path) == b"" and phone.status == 401, path
    for path in ("/config", "/off"):
        assert phone.ask(path, {}) == b"" and phone.status == 401, path
    assert phone.site.wish is None


def test_the_password_opens_a_session():
    phone = Phone()
    assert phone.ask("/show/status") == b"status: shown"


def test_no_browser_sends_by_itself_what_a_session_is_known_by():
    phone = Phone(login=False)
    phone.login()
    assert "cookie" not in phone.head.lower() and len(phone.token) == 32


def test_a_token_that_is_not_the_one_is_none():
    phone = Phone(GOOD)
    right = phone.token
    for token in ("", "None", right[:-1], right + "0", right.upper() + "x", "0" * 32):
        phone.token = token
        for path, body in (("/config", None), ("/show/log", None), ("/off", {}), ("/config", GOOD)):
            assert phone.ask(path, body) == b"" and phone.status == 401, (token, path)
    assert phone.site.wish is None


def test_wrong_passwords_of_every_kind():
    for wrong in ("", "abcdefghijkM", None, 5, [], {"a": 1}, PASSWORD + " "):
        phone = Phone(login=False)
        assert phone.login(wrong) == 403 and not phone.token, wrong
        assert phone.ask("/config") == b"" and phone.status == 401


def test_a_login_that_is_no_object_is_wrong():
    for wrong in ([], "x", 7):
        phone = Phone(login=False)
        phone.ask("/login", wrong)
        assert phone.status == 403, wrong


def test_a_second_login_ends_the_first_session():
    phone = Phone()
    first = phone.token
    phone.login()
    assert phone.token != first
    phone.token = first
    phone.ask("/config")
    assert phone.status == 401


def test_a_session_is_over_when_nobody_uses_it():
    phone = Phone()
    phone.now += IDLE - PACE
    phone.ask("/config")
    assert phone.status == 200
    phone.now += IDLE
    phone.ask("/config")
    assert phone.status == 401


def test_a_session_in_use_goes_on():
    phone = Phone()
    for _ in range(3):
        phone.now += IDLE - PACE
        phone.ask("/show/status")
        assert phone.status == 200


def test_only_who_is_logged_in_keeps_the_page_on():
    phone = Phone()
    used = phone.site.used
    phone.token = ""
    for path in ("/", "/config", "/generate_204"):
        phone.ask(path)
    assert phone.site.used == used


def test_passwords_are_random_and_can_be_typed():
    code = new_code(bytes(range(12)))
    assert len(code) == 12 and not [letter for letter in code if letter in "l1o0" or letter.upper() == letter > "9"]
    assert new_code(bytes(range(1, 13))) != code
    assert PASSWORD.encode() not in hashed(PASSWORD, b"salt" * 4)


# --- limits


def test_each_wrong_password_doubles_the_wait():
    phone = Phone(login=False)
    for wait in (1, 2, 4, 8, 16, 32, 64, 64):
        assert phone.login("wrong") == 403
        phone.now += wait * PENALTY - 2 * PACE
        assert phone.login(PASSWORD) == 429 and "Retry-After: 1\r\n" in phone.head, wait
        phone.now += PACE
    assert phone.login() == 200


def test_the_right_password_ends_the_waiting():
    phone = Phone(login=False)
    phone.login("wrong")
    phone.now += PENALTY
    assert phone.login() == 200
    assert phone.login("wrong") == 403
    phone.now += PENALTY
    assert phone.login() == 200


def test_wrong_passwords_are_in_the_log_without_themselves():
    phone = Phone(login=False)
    phone.login("my-other-password")
    assert phone.edge.lines == ["web page: wrong password, number 1"]


# --- other sites


def test_a_change_wants_the_origin_of_the_page():
    phone = Phone(GOOD)
    for origin in (None, "null", "http://evil.example", "https://" + HOST, "http://%s:8080" % HOST):
        phone.origin = origin
        phone.ask("/off", {})
        assert phone.status == 403 and phone.site.wish is None, origin


def test_a_login_from_another_site_is_refused_and_counts_for_nothing():
    phone = Phone(login=False)
    phone.origin = "http://evil.example"
    assert phone.login() == 403
    phone.origin = "http://" + HOST
    assert phone.login() == 200


def test_a_name_that_was_made_to_point_here_gets_nothing():
    phone = Phone(GOOD)
    phone.host = "evil.example"
    phone.origin = "http://evil.example"
    for path, body in (("/config", None), ("/config", GOOD), ("/off", {})):
        assert phone.ask(path, body) == b"" and phone.status == 302
    assert phone.site.wish is None


def test_phones_that_look_for_the_internet_are_shown_the_page():
    phone = Phone(login=False)
    for host, path in (
            ("connectivitycheck.gstatic.com", "/generate_204"), ("captive.apple.com", "/hotspot-detect.html"),
            ("www.msftconnecttest.com", "/connecttest.txt"), ("detectportal.firefox.com", "/canonical.html"),
            ("www.msftncsi.com", "/ncsi.txt")):
        phone.host = host
        phone.ask(path)
        assert phone.status == 302 and "Location: http://%s/\r\n" % HOST in phone.head, host


def test_methods_that_nobody_needs_change_nothing():
    phone = Phone(GOOD)
    for method in ("PUT", "DELETE", "HEAD", "OPTIONS", "get"):
        phone.ask("/config", method=method)
        assert phone.status == 404, method


# --- what can be seen


def test_only_commands_that_show_something_can_be_asked_for():
    phone = Phone()
    for command in ("status", "reservations", "log", "memory", "flash"):
        assert phone.ask("/show/" + command) == (command + ": shown").encode()
    for command in ("reboot", "reserve", "cancel 1", "", "status/", "../config"):
        phone.ask("/show/" + command.split(" ")[0])
        assert phone.status == 404, command


def test_secrets_never_come_out():
    config = dict(GOOD)
    config["network"] = {"wifi": {"ssid": "Depot", "password": "wifi-password"}}
    phone = Phone(config)
    shown = phone.ask("/config").decode()
    assert "Depot" in shown and "secret" not in shown and "wifi-password" not in shown


def test_a_configuration_that_is_broken_is_shown_as_far_as_it_can_be():
    for text in ("", "[]", '{"network": 5}', '{"network": {"wifi": null}}'):
        phone = Phone()
        phone.edge.text = text
        phone.ask("/config")
        assert phone.status == 200, text


# --- what can be changed


def bound(whom):
    return sha256(whom.encode()).digest()[:8]


def changed(phone, **values):
    config = dict(GOOD)
    config.update(values)
    for name in values:
        if values[name] is None:
            config.pop(name)
    answer = phone.ask("/config", config)
    return json.loads(answer) if answer else None


def test_a_configuration_that_is_right_is_written_and_wants_a_restart():
    phone = Phone()
    assert changed(phone) == {} and phone.status == 200
    written = dict(GOOD)
    assert written.pop("password") == phone.edge.nvs["password"][8:].decode()
    assert json.loads(phone.edge.text) == written and phone.site.wish == "restart"


def test_a_fault_is_told_with_its_field_and_nothing_is_written():
    for field, values in (("station_id", {"station_id": "no spaces"}), ("csms_url", {"csms_url": "http://x"}),
                          ("evses[0].connectors[0]", {"evses": [{"connectors": ["type2"]}]}),
                          ("evses", {"evses": None}), ("password", {"password": "short"}),
                          ("network.wifi.password", {"network": {"wifi": {"ssid": "a", "password": "short"}}}),
                          ("web.minutes", {"web": {"minutes": 0}}), ("colour", {"colour": "red"})):
        phone = Phone()
        told = changed(phone, **values)
        assert phone.status == 422 and told["field"] == field and told["error"], (field, told)
        assert phone.edge.text == "" and phone.site.wish is None


def test_passwords_of_a_file_that_somebody_wrote_by_hand_stay_and_go_to_nvs():
    known = dict(GOOD)
    known["network"] = {"wifi": {"ssid": "Depot", "password": "wifi-password"}}
    phone = Phone(known)
    changed(phone, password=None, network={"wifi": {"ssid": "Depot"}}, model="New")
    assert "assword" not in phone.edge.text and json.loads(phone.edge.text)["model"] == "New"
    assert phone.edge.nvs["password"][8:] == b"a-secret-of-16-characters"
    assert phone.edge.nvs["wifi_password"][8:] == b"wifi-password"


def test_passwords_go_to_nvs_with_whom_they_are_for():
    phone = Phone()
    changed(phone, network={"wifi": {"ssid": "Depot", "password": "wifi-password"}})
    assert "assword" not in phone.edge.text and "Depot" in phone.edge.text
    assert phone.edge.nvs == {"password": bound("ws://csms/ocpp") + b"a-secret-of-16-characters",
                              "wifi_password": bound("Depot") + b"wifi-password"}


def test_a_password_that_is_in_use_stays_until_the_configuration_for_the_new_one_is_there():
    phone = Phone({"csms_url": GOOD["csms_url"]})
    phone.edge.nvs["password"] = bound("ws://csms/ocpp") + b"the-one-that-is-in-use"
    changed(phone, csms_url="ws://other/")
    assert phone.edge.nvs["password"][8:] == b"the-one-that-is-in-use"
    assert phone.edge.nvs["password2"] == bound("ws://other/") + b"a-secret-of-16-characters"
    assert phone.edge.order[:2] == ["password2", "/config.json"]


def test_a_new_password_for_the_same_csms_takes_the_place_of_the_old_one():
    phone = Phone({"csms_url": GOOD["csms_url"]})
    phone.edge.nvs["password"] = bound("ws://csms/ocpp") + b"the-one-that-is-in-use"
    changed(phone)
    assert phone.edge.nvs == {"password": bound("ws://csms/ocpp") + b"a-secret-of-16-characters"}


def test_a_password_that_the_csms_has_set_since_is_over_with_a_new_one_or_another_csms():
    gone = "no /records/variable-SecurityCtrlr.BasicAuthPassword"
    for values, over in (({}, True), ({"password": None, "csms_url": "ws://other/"}, True),
                         ({"password": None, "model": "Two"}, False), ({"model": ""}, False)):
        phone = Phone(GOOD)
        changed(phone, **values)
        assert (gone in phone.edge.order) == over, values
        assert not over or phone.edge.order[-1] == gone


def test_a_configuration_with_a_fault_leaves_nvs_alone():
    phone = Phone()
    changed(phone, model="")
    assert phone.status == 422 and phone.edge.nvs == {}


def pem(kind, content):
    return "-----BEGIN %s-----\r\n%s\r\n-----END %s-----\n" % (kind, b2a_base64(content).decode().strip(), kind)


CERTIFICATE = pem("CERTIFICATE", b"a certificate")
CLIENT = {"csms_url": "wss://csms/", "ca_certificate": CERTIFICATE, "client_certificate": CERTIFICATE,
          "client_key": pem("EC PARAMETERS", b"a curve") + pem("EC PRIVATE KEY", b"a key")}


def test_certificates_become_files_and_a_key_goes_to_nvs():
    phone = Phone()
    assert changed(phone, password=None, **CLIENT) == {}
    assert phone.edge.files == {"/ca_certificate": CERTIFICATE, "/client_certificate": CERTIFICATE}
    assert phone.edge.nvs == {"client_key": b"a key"}
    written = json.loads(phone.edge.text)
    assert written["ca_certificate"] == "/ca_certificate" and written["client_key"] == "nvs:client_key"
    assert phone.edge.order[3] == "/config.json"


def test_certificates_and_keys_in_use_stay_until_the_configuration_for_the_new_ones_is_there():
    phone = Phone()
    changed(phone, password=None, **CLIENT)
    phone.edge.files.clear()
    phone.edge.nvs.clear()
    for names in (("/ca_certificate2", "nvs:client_key2"), ("/ca_certificate", "nvs:client_key")):
        changed(phone, password=None, **CLIENT)
        written = json.loads(phone.edge.text)
        assert (written["ca_certificate"], written["client_key"]) == names
        assert names[0] in phone.edge.files and names[1][4:] in phone.edge.nvs


def test_a_path_of_a_certificate_stays_a_path():
    phone = Phone()
    assert changed(phone, csms_url="wss://csms/", ca_certificate="/ca.der") == {}
    assert phone.edge.files == {} and json.loads(phone.edge.text)["ca_certificate"] == "/ca.der"


def test_a_key_that_cannot_be_read_is_told_at_its_field():
    for wrong in ("-----BEGIN X", "-----BEGIN X-----\nA\n-----END X-----"):
        phone = Phone()
        values = dict(CLIENT)
        values["client_key"] = wrong
        assert changed(phone, **values) == {"field": "client_key", "error": "not PEM"}, wrong
        assert phone.edge.nvs == {} and phone.edge.text == ""


def test_what_tls_cannot_use_is_told_at_its_field_and_the_station_stays_what_it_is():
    phone = Phone(GOOD)
    before = phone.edge.text
    phone.edge.refuses = "ca_certificate", "cannot be used: invalid cert"
    told = changed(phone, **CLIENT)
    assert phone.status == 422 and told == {"field": "ca_certificate", "error": "cannot be used: invalid cert"}
    assert phone.edge.text == before and phone.site.wish is None and "password" not in phone.edge.nvs


def test_certificates_are_not_written_when_something_else_is_wrong():
    phone = Phone()
    assert changed(phone, csms_url="wss://csms/", ca_certificate=CERTIFICATE, model="")["field"] == "model"
    assert phone.edge.files == {}


def test_a_new_configuration_brings_the_time_of_the_phone_along():
    for told in (None, "now", -5, True, 1 << 40, 1.5):
        phone = Phone()
        assert changed(phone, time=told) == {} and phone.edge.utc is None, told
    phone = Phone()
    assert changed(phone, time=1_780_000_000, model="")["field"] == "model" and phone.edge.utc is None
    assert changed(phone, time=1_780_000_000) == {} and phone.edge.utc == 1_780_000_000
    assert "time" not in phone.edge.text


def test_passwords_do_not_stay_for_another_csms_or_network():
    known = dict(GOOD)
    known["network"] = {"wifi": {"ssid": "Depot", "password": "wifi-password"}}
    phone = Phone(known)
    changed(phone, password=None, network={"wifi": {"ssid": "Other"}}, csms_url="ws://other/")
    assert "password" not in phone.edge.text and phone.edge.nvs == {}


def test_flash_that_fails_is_told():
    for fails in ("write", "keep"):
        phone = Phone()
        phone.edge.fails = fails
        assert "not written" in changed(phone)["error"] and phone.site.wish is None
        assert phone.edge.text == ""


def test_what_is_no_configuration_at_all_is_refused():
    phone = Phone()
    nested = []
    for _ in range(64):
        nested = [nested]
    for wrong in ([], "x", 5, {"pins": nested}):
        phone.ask("/config", wrong)
        assert phone.status == 400 and phone.edge.text == ""


def test_the_page_switches_itself_off():
    phone = Phone()
    phone.ask("/off", {})
    assert phone.status == 200 and phone.site.wish == "off"


# --- the button


class Pin:
    level = 1

    def value(self):
        return self.level


def test_a_long_press_counts_once():
    pin = Pin()
    button = Button(pin)
    pin.level = 0
    presses = [button.pressed(now) for now in range(0, 3 * LONG, 200)]
    assert presses.index(True) == LONG // 200 and sum(presses) == 1
    pin.level = 1
    assert not button.pressed(3 * LONG)
    pin.level = 0
    assert [button.pressed(4 * LONG), button.pressed(5 * LONG)] == [False, True]


def test_a_short_press_or_a_bouncing_one_does_nothing():
    pin = Pin()
    button = Button(pin)
    for now in range(0, 10 * LONG, 200):
        pin.level = now // 200 % 20 == 0
        assert not button.pressed(now)
