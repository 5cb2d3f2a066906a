"""`make provision`: all is checked first, passwords go to NVS and nowhere else, and the CSMS's answer is shown."""

import argparse
import asyncio
import json

import pytest
from virtual_boards import at_repl

from tools import image, pki, provision
from tools.board_console import BoardError
from tools.board_repl import Repl
from tools.csms import Csms
from tools.provision import Site, config

PASSWORD = "correct horse battery staple"
KEY = "wi-fi secret"
QUICK = {"OCPPCommCtrlr.RetryBackOffWaitMinimum": "1", "OCPPCommCtrlr.RetryBackOffRandomRange": "0"}


def site(url="ws://csms.example/ocpp", **more):
    values = {"station_id": "HOLDFAST-1", "csms_url": url, "password": PASSWORD, "watchdog": 0, "variables": QUICK,
              "evses": [{"connectors": ["cCCS2", "cType2"]}, {"connectors": ["sType2"]}], **more}
    return {name: value for name, value in values.items() if value is not None}


def options(board, file, **more):
    return argparse.Namespace(**{"port": board.port, "file": str(file), "board": None, "timeout": 20, "force": False,
                                 **more})


def nvs(board):
    """What is in NVS, as {key: bytes}."""
    with open(board.image + ".nvs") as file:
        found = json.loads(file.readline())["holdfast"]
    return {key: bytes(value) for key, (kind, value) in found.items() if kind == "b"}


@pytest.fixture
def bare(make_board):
    """A board with the agent and without a configuration, at the REPL."""
    board = make_board(image.firmware_files(), size=512 * 4096)
    board.power_on()
    board.read_until("the file is missing", 10)
    return board


def test_a_bare_board_becomes_a_registered_station(bare, tmp_path, capfd):
    async def situation():
        async with Csms(password=PASSWORD) as csms:
            file = tmp_path / "site.json"
            file.write_text(json.dumps(site(csms.url, network={"wifi": {"ssid": "home", "password": KEY}})))
            bare.surround(home=KEY)
            return await asyncio.to_thread(provision.provision, options(bare, file))

    assert asyncio.run(situation()) == 0
    shown = capfd.readouterr().out
    assert "BootNotification: Accepted" in shown and "station: HOLDFAST-1" in shown
    written = json.loads(image.read_image(bare.image)["config.json"])
    assert "password" not in written and written["network"] == {"wifi": {"ssid": "home"}}
    assert nvs(bare)["password"][8:] == PASSWORD.encode() and nvs(bare)["wifi_password"][8:] == KEY.encode()
    for secret in (PASSWORD, KEY):
        assert secret not in shown and secret not in bare.transcript
        assert not [name for name, content in image.read_image(bare.image).items() if secret.encode() in content]


def test_an_answer_that_does_not_come_is_told(bare, tmp_path):
    file = tmp_path / "site.json"
    file.write_text(json.dumps(site("ws://127.0.0.1:9/")))
    with pytest.raises(BoardError, match="no answer of the CSMS within 2 s"):
        provision.provision(options(bare, file, timeout=2))


def test_what_is_wrong_is_told_before_anything_is_written(bare, tmp_path):
    file = tmp_path / "site.json"
    file.write_text(json.dumps(site(evses=[{"connectors": ["cCCS9"]}])))
    before = bare.flash.programs
    with pytest.raises(config.ConfigError, match=r"evses\[0\].connectors\[0\]"):
        provision.provision(options(bare, file))
    bare.read_until("the file is missing", 10)  # and the agent is started again
    assert bare.flash.programs - before < 20 and "config.json" not in image.read_image(bare.image)


def test_a_board_without_an_agent_is_told(make_board, tmp_path):
    board = at_repl(make_board())
    with Repl(board.port) as repl, pytest.raises(BoardError, match="no agent on .*make flash"):
        provision.installed(repl)


def test_a_password_that_the_board_has_may_be_left_out_unless_it_was_for_somebody_else(make_board):
    board = at_repl(make_board())
    with Repl(board.port) as repl:
        provision.write(repl, Site(site()))
        known = provision.known_secrets(repl)
        provision.write(repl, Site(site(password=None, station_id="HOLDFAST-2"), known=known))
        assert nvs(board)["password"][8:] == PASSWORD.encode()
        other = Site(site("ws://other.example/", password=None), known=known)
        assert other.config.security_profile == 0
        provision.write(repl, other)
        assert "password" not in nvs(board)


def test_a_new_password_replaces_one_that_the_csms_has_set_since(make_board):
    board = at_repl(make_board({provision.CHANGED_PASSWORD.lstrip("/"): b"x", "records/reservation-1": b"y"}))
    with Repl(board.port) as repl:
        provision.write(repl, Site(site()))
    board.close()
    assert sorted(image.read_image(board.image)) == ["config.json", "records/reservation-1"]


def test_without_nvs_the_passwords_are_in_the_file(make_board):
    board = at_repl(make_board())
    with Repl(board.port) as repl:
        provision.write(repl, Site(site(network={"wifi": {"ssid": "home", "password": KEY}})), nvs=False)
    written = json.loads(image.read_image(board.image)["config.json"])
    assert written["password"] == PASSWORD and written["network"]["wifi"]["password"] == KEY


def test_certificates_are_taken_along(make_board, tmp_path):
    authority = pki.Pki()
    client = authority.client("SN-1")
    (tmp_path / "ca").write_bytes(authority.root.pem)
    (tmp_path / "station").write_bytes(client.der)
    (tmp_path / "key").write_bytes(client.key_der)
    values = site("wss://csms.example/", password=None, ca_certificate="ca", client_certificate="station",
                  client_key="key")
    board = at_repl(make_board())
    with Repl(board.port) as repl:
        provision.write(repl, Site(values, tmp_path))
    found = image.read_image(board.image)
    written = config.load(found["config.json"].decode())
    assert written.security_profile == 3
    assert found[written.ca_certificate.lstrip("/")] == authority.root.pem
    assert found[written.client_certificate.lstrip("/")] == client.der
    assert found[written.client_key.lstrip("/")] == client.key_der


def test_certificates_that_cannot_be_used_are_told(tmp_path):
    authority = pki.Pki()
    (tmp_path / "ca").write_bytes(authority.root.pem)
    (tmp_path / "station").write_bytes(authority.client("SN-1").pem)
    (tmp_path / "key").write_bytes(authority.client("SN-1").key_pem)
    for changes, told in (({"client_key": "key"}, "client_key: is not the key of client_certificate"),
                          ({"client_key": "ca"}, "client_key: .* is no private key"),
                          ({"ca_certificate": "key"}, "ca_certificate: .* is no certificate"),
                          ({"ca_certificate": "none"}, "ca_certificate: .*No such file")):
        values = site("wss://csms.example/", ca_certificate="ca", client_certificate="station", client_key="key")
        values.update(changes)
        with pytest.raises(config.ConfigError, match=told):
            Site(values, tmp_path)


def interview(lines, **more):
    """The answers of an interview to lines; what was asked, and what came out."""
    lines = iter(lines)
    asked = []

    def ask(question, default="", secret=False):
        asked.append((question, secret))
        line = next(lines)
        return default if line is None else line

    return asked, provision.interview(ask, **more)


def test_the_questions_lead_to_a_site():
    asked, values = interview(["HOLDFAST-1", "ws://csms.example/ocpp", PASSWORD, "wifi", "home", KEY, "", None, None])
    assert [secret for question, secret in asked if "Password" in question] == [True, True]
    found = Site(values)
    assert found.config.evses == (("cCCS2", "cType2"), ("sType2",))
    assert found.secrets == {"password": ("ws://csms.example/ocpp", PASSWORD), "wifi_password": ("home", KEY)}


def test_a_question_is_repeated_with_the_reason():
    asked, values = interview(["no colon: please", "HOLDFAST-1", "http://csms", "ws://csms", "short", PASSWORD,
                               "none", "cCCS9", "sType2", None])
    again = [question for question, _ in asked if "\n" in question]
    assert [question.split(":")[0] for question in again] == ["station_id", "csms_url", "password",
                                                              "evses[0].connectors[0]"]
    assert not [question for question in again if "short" in question]
    assert Site(values).config.evses == (("sType2",),)


@pytest.mark.parametrize("board", ["OLIMEX_ESP32_POE", "ESP32_GENERIC_C3"])
def test_the_wiring_of_a_board_is_proposed(board):
    answers = ["HOLDFAST-1", "ws://csms.example/", "", None]
    answers += [None] if board in provision.ETHERNET else ["home", ""]
    _, values = interview(answers + [None, "sType2", "iec61851", None], board=board)
    found = Site(values).config
    assert ("ethernet" in found.network) == (board in provision.ETHERNET)
    assert len(found.pins) == 1


def test_the_ethernet_pins_are_those_of_the_board():
    for board, pins in provision.ETHERNET.items():
        rows = (image.ROOT / "boards" / board / "pins.csv").read_text().splitlines()
        table = dict(row.replace(" ", "").split(",")[:2] for row in rows if "," in row)
        for name, signal in (("mdc", "MDC"), ("mdio", "MDIO"), ("power", "POWER"), ("ref_clk", "CLOCK")):
            assert table["ETH_" + signal] == "GPIO%d" % pins[name]
