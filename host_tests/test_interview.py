"""The questions of `make provision`: asked again with the reason, filled in with what is known, and on a terminal."""

import asyncio
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from test_provision import CLIENT, KEY, PASSWORD, bare, desk, site  # noqa: F401

from tools import image
from tools.csms import Csms
from tools.interview import ETHERNET, Interview
from tools.provision import Board, Site, bound


def interview(lines, **more):
    """What was asked, as [(question, default, secret)], and the values that came out. None: the default is taken."""
    lines = list(lines)
    asked = []

    def ask(question, default="", secret=False):
        asked.append((question, default, secret))
        line = lines.pop(0)
        return default if line is None else line

    values = Interview(ask, **more).values_of_a_site()
    assert lines == []
    return asked, values


def repeated(asked):
    """The reasons with which questions were asked again."""
    return [question.split("\n")[0] for question, _, _ in asked if "\n" in question]


def test_the_answers_lead_to_a_site():
    asked, values = interview(["HOLDFAST-1", "ws://csms.example/ocpp", PASSWORD, "wifi", "home", KEY, "", None, None])
    assert [secret for question, _, secret in asked if "Password" in question] == [True, True]
    assert [default for question, default, _ in asked if "Time server" in question] == ["pool.ntp.org"]
    found = Site(values)
    assert found.config.evses == (("cCCS2", "cType2"), ("sType2",)) and found.config.hardware == "simulated"
    assert found.secrets == {"password": bound("ws://csms.example/ocpp") + PASSWORD.encode(),
                             "wifi_password": bound("home") + KEY.encode()}


def test_a_question_is_repeated_with_the_reason_and_without_the_secret():
    asked, values = interview(["", "no colon: please", "HOLDFAST-1", "http://csms", "ws://csms", "short", PASSWORD,
                               "wires", "none", "cCCS9", "sType2", None])
    assert [reason.split(":")[0] for reason in repeated(asked)] == ["station_id", "station_id", "csms_url", "password",
                                                                    "evses[0].connectors[0]"]
    assert not [question for question, _, _ in asked if "short" in question]
    assert Site(values).config.evses == (("sType2",),)


def test_a_time_server_is_judged_too_and_may_be_none():
    for answer, kept in (("ntp.example:124", {"time_server": "ntp.example:124"}), ("", {})):
        asked, values = interview(["HOLDFAST-1", "ws://csms.example/", "", "wifi", "home", KEY, "ntp.example:ntp",
                                   answer, None, None])
        assert repeated(asked) == ["network.time_server: not a host, or host:port"]
        assert values["network"] == {"wifi": {"ssid": "home", "password": KEY}, **kept}


def test_a_certificate_is_judged_as_soon_as_it_is_named(desk):  # noqa: F811
    names = {name: str(desk / name) for name in ("ca.pem", "station.pem", "station.key", "other.key", "none.pem")}
    asked, values = interview(["HOLDFAST-1", "wss://csms.example/", "", names["none.pem"], names["station.pem"],
                               names["ca.pem"], names["station.key"], names["station.pem"], names["other.key"],
                               names["station.key"], "", "none", None, None])
    told = repeated(asked)
    for reason, wanted in zip(told, ("ca_certificate: an answer is needed", "none.pem: No such file",
                                     "station.pem: CN=SN-1 is not the certificate of a CA",
                                     "station.key: no certificate", "other.key: not the key")):
        assert wanted in reason
    assert len(told) == 5 and Site(values).config.security_profile == 3


def test_over_tls_a_station_without_a_certificate_needs_a_password(desk):  # noqa: F811
    asked, values = interview(["HOLDFAST-1", "wss://csms.example/", str(desk / "ca.pem"), "", "", PASSWORD, "none",
                               None, None])
    assert repeated(asked) == ["password: an answer is needed"] and Site(values).config.security_profile == 2


def test_what_the_board_has_is_proposed_and_what_is_not_asked_for_stays(desk):  # noqa: F811
    there = Board({**Site(site("wss://csms.example/", password=None, ca_certificate="ca.pem", **CLIENT,
                               network={"wifi": {"ssid": "home"}, "time_server": "ntp.example"}), desk).values,
                   "hardware": "simulated", "model": "Two"}, {"wifi_password": bound("home").hex()})
    asked, values = interview([None] * 11, before=there.values, known=there.knows)
    found = Site(values, board=there)
    assert found.values == there.values and found.files == found.secrets == {}
    assert found.kept == ["client_key", "wifi_password"]


def test_who_leaves_tls_leaves_certificates_and_security_profile_behind(desk):  # noqa: F811
    secure = site("wss://csms.example/", password=None, ca_certificate="ca.pem", security_profile=3, **CLIENT)
    there = Board(Site(secure, desk).values, hashes={})
    assert there.values["security_profile"] == 3
    asked, values = interview([None, "ws://csms.example/", PASSWORD, "none", None, None], before=there.values)
    assert Site(values, board=there).config.security_profile == 1 and "ca_certificate" not in values


def test_a_button_that_the_board_has_stays():
    before = site(password=None, web={"button": 7, "minutes": 3})
    asked, values = interview([None, None, "", "none", None, None], before=before, board="ESP32_GENERIC")
    assert values["web"] == {"button": 7, "minutes": 3}


def test_a_certificate_that_stays_has_its_key_and_a_new_one_wants_a_new_key(desk):  # noqa: F811
    there = Board(Site(site("wss://csms.example/", password=None, ca_certificate="ca.pem", **CLIENT), desk).values,
                  hashes={})
    asked, values = interview([None, None, "", str(desk / "station.pem"), "", str(desk / "station.key"), "", "none",
                               None, None], before=there.values)
    assert repeated(asked) == ["client_key: an answer is needed"]
    assert set(Site(values, board=there).secrets) == {"client_key2"}


def test_a_password_for_another_csms_has_to_be_given_anew():
    there = Board(site(password=None), {"password": bound("ws://csms.example/ocpp").hex()})
    asked, values = interview([None, "ws://other.example/", "", "none", None, None], before=there.values,
                              known=there.knows)
    assert [question for question, _, _ in asked if "Password of the station" in question][0].endswith("(empty: none)")
    assert Site(values, board=there).config.security_profile == 0


@pytest.mark.parametrize("board", ["OLIMEX_ESP32_POE", "ESP32_GENERIC_C3"])
def test_the_wiring_of_a_board_is_proposed(board):
    answers = ["HOLDFAST-1", "ws://csms.example/", "", None]
    answers += [None] if board in ETHERNET else ["home", ""]
    _, values = interview(answers + [None, "sType2", "iec61851", None], board=board)
    found = Site(values).config
    assert ("ethernet" in found.network) == (board in ETHERNET)
    assert len(found.pins) == 1
    assert found.web == {"button": {"OLIMEX_ESP32_POE": 34, "ESP32_GENERIC_C3": 9}[board]}


def test_the_ethernet_pins_are_those_of_the_board():
    for board, pins in ETHERNET.items():
        rows = (image.ROOT / "boards" / board / "pins.csv").read_text().splitlines()
        table = dict(row.replace(" ", "").split(",")[:2] for row in rows if "," in row)
        for name, wire in (("mdc", "MDC"), ("mdio", "MDIO"), ("power", "POWER"), ("ref_clk", "CLOCK")):
            assert table["ETH_" + wire] == "GPIO%d" % pins[name]


# --- on a terminal


def typed(command, answers, timeout=40):
    """Run a command on a terminal, and answer each question that begins with one of `answers` (pairs of its beginning
    and the keys to press). Returns the exit status and all that was to be seen."""
    environment = {**os.environ, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}
    for name in ("MAKEFLAGS", "MAKELEVEL"):
        environment.pop(name, None)
    master, terminal = pty.openpty()
    process = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, cwd=image.ROOT,
                               env=environment, start_new_session=True)
    os.close(terminal)
    answers = list(answers)
    seen = new = ""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if not select.select([master], [], [], 0.2)[0]:
            if process.poll() is not None:
                break
            continue
        try:
            data = os.read(master, 4096).decode(errors="replace")
        except OSError:  # nobody is at the other end any more
            process.wait(10)
            break
        data = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", data)
        seen += data
        new += data
        if answers and answers[0][0] in new:
            os.write(master, answers.pop(0)[1].encode())
            new = ""
    if process.poll() is None:
        process.kill()
    os.close(master)
    return process.wait(), seen


def test_make_provision_asks_at_a_terminal_until_the_station_is_registered(bare):  # noqa: F811
    """The shortest path of the README, as somebody types it."""
    async def situation():
        async with Csms(password=PASSWORD) as csms:
            return await asyncio.to_thread(
                typed, ["make", "--no-print-directory", "provision", "PORT=" + bare.port, "BOARD=ESP32_GENERIC"], [
                    ("Station id", "DEPOT-7\r"), ("URL of the CSMS", "\x15%s\r" % csms.url),
                    ("Password of the station", PASSWORD + "\r"), ("Network:", "\x15none\r"), ("Connectors", "\r"),
                    ("Hardware", "\r")])

    status, seen = asyncio.run(situation())
    assert status == 0 and "BootNotification: Accepted" in seen, seen
    assert PASSWORD[:13] not in seen and PASSWORD not in bare.transcript
    assert json.loads(image.read_image(bare.image)["config.json"])["station_id"] == "DEPOT-7"


def test_make_csms_listens_where_a_board_can_reach_it_and_wants_the_password():
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    address = "127.%d.%d.2" % (os.getpid() >> 8 & 255, os.getpid() & 255)  # nobody else's, whose CSMS has port 9000 too
    process = subprocess.Popen(["make", "--no-print-directory", "csms", "ADDRESS=" + address, "PASSWORD=" + PASSWORD],
                               cwd=image.ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                               env=environment, start_new_session=True)
    try:
        assert "CSMS for OCPP 2.0.1 at ws://%s:9000/ocpp/STATION-ID" % address in process.stdout.readline()
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen("http://%s:9000/ocpp/HOLDFAST-1" % address, timeout=5)
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.stdout.close()
        process.wait(10)


@pytest.mark.parametrize("address, told", [("192.0.2.99", "an address of this computer: `hostname -I` shows them"),
                                           ("127.0.0.1", "another CSMS is there already")])
def test_make_csms_at_an_address_that_it_cannot_have_is_told(address, told):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        line = [sys.executable, "-m", "tools.csms", "--host", address, "--port", str(taken.getsockname()[1])]
        done = subprocess.run(line, cwd=image.ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 1 and "can not listen on %s" % address in done.stderr and told in done.stderr


def test_ctrl_c_among_the_questions_leaves_the_board_at_work(bare):  # noqa: F811
    before = bare.flash.programs
    status, seen = typed([sys.executable, "-m", "tools.provision", bare.port],
                         [("Station id", "DEPOT-7\r"), ("URL of the CSMS", "\x03")])
    assert status == 1 and "nothing more is written" in seen, seen
    assert "config error: config.json: the file is missing" in bare.command("status")
    assert bare.flash.programs - before < 20 and "config.json" not in image.read_image(bare.image)
