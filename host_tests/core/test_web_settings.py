"""The installer's page: what can be changed, where it goes, and what a fault leaves as it was."""

import json
from binascii import b2a_base64
from hashlib import sha256

from phone import GOOD, Phone


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
    assert phone.edge.lines == ["web page: somebody logged in", "web page: new configuration"]


def test_a_fault_is_told_with_its_field_and_nothing_is_written():
    for field, values in (("station_id", {"station_id": "no spaces"}), ("csms_url", {"csms_url": "http://x"}),
                          ("evses[0].connectors[0]", {"evses": [{"connectors": ["type2"]}]}),
                          ("evses", {"evses": None}), ("password", {"password": "short"}),
                          ("network.wifi.password", {"network": {"wifi": {"ssid": "a", "password": "short"}}}),
                          ("web.minutes", {"web": {"minutes": 0}}), ("web.button", {"web": {"button": 49}}),
                          ("colour", {"colour": "red"})):
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


def test_a_password_that_is_in_use_in_the_second_place_stays_there():
    phone = Phone({"csms_url": GOOD["csms_url"]})
    phone.edge.nvs["password"] = bound("ws://before/") + b"of-a-csms-before-this"
    phone.edge.nvs["password2"] = bound("ws://csms/ocpp") + b"the-one-that-is-in-use"
    changed(phone, csms_url="ws://other/")
    assert phone.edge.nvs == {"password": bound("ws://other/") + b"a-secret-of-16-characters",
                              "password2": bound("ws://csms/ocpp") + b"the-one-that-is-in-use"}


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
    objects = {}
    for _ in range(64):
        nested = [nested]
        objects = {"": objects}
    for wrong in ([], "x", 5, {"pins": nested}, {"pins": objects}):
        phone.ask("/config", wrong)
        assert phone.status == 400 and phone.edge.text == ""


def test_the_page_switches_itself_off():
    phone = Phone()
    phone.ask("/off", {})
    assert phone.status == 200 and phone.site.wish == "off"
