"""`make provision`: all is checked first, secrets go to NVS and nowhere else, and the CSMS's answer is shown."""

import argparse
import asyncio
import contextlib
import json
import os
import random
import subprocess

import pytest
from deployments import soft_reset
from holdfast import board as chip
from test_web_on_board import Visitor, codes
from tls_peers import clocked_micropython
from virtual_boards import at_repl

from tools import image, pki, provision, records
from tools.board_console import BoardError
from tools.board_repl import Repl
from tools.certificates import key_der
from tools.csms import Csms
from tools.provision import Board, Site, bound, config
from tools.serial_console import log_level

PASSWORD = "correct horse battery staple"
KEY = "wi-fi secret"
QUICK = {"OCPPCommCtrlr.RetryBackOffWaitMinimum": "1", "OCPPCommCtrlr.RetryBackOffRandomRange": "0"}


def site(url="ws://csms.example/ocpp", **more):
    values = {"station_id": "HOLDFAST-1", "csms_url": url, "password": PASSWORD, "watchdog": 0, "variables": QUICK,
              "evses": [{"connectors": ["cCCS2", "cType2"]}, {"connectors": ["sType2"]}], **more}
    return {name: value for name, value in values.items() if value is not None}


def written(path, values):
    path.write_text(json.dumps(values))
    return path


def options(board, file, **more):
    return argparse.Namespace(**{"port": board.port, "file": str(file), "board": None, "timeout": 20, "force": False,
                                 **more})


def nvs(board):
    """What is in NVS, as {key: bytes}."""
    with open(board.image + ".nvs") as file:
        found = json.loads(file.readline() or "{}").get("holdfast", {})
    return {key: bytes(value) for key, (kind, value) in found.items() if kind == "b"}


def put(board, values, folder="."):
    """Write a site to a board at its REPL, over what it has."""
    with Repl(board.port) as repl:
        there = provision.look(repl)
        provision.write(repl, Site(values, folder, there), there)


def effective(board, monkeypatch):
    """What the agent of a board would be: values of its configuration, passwords, contents of certificates and key."""
    files, blobs = image.read_image(board.image), nvs(board)
    monkeypatch.setattr(chip, "blob", lambda key, *_: blobs.get(key, b""))
    found = config.load(files["config.json"].decode())

    def content(name):
        return name and (blobs[name[4:]] if name.startswith("nvs:") else files[name.lstrip("/")])

    return (found.station_id, found.csms_url, found.password, found.network and found.network["wifi"],
            content(found.ca_certificate), content(found.client_certificate), content(found.client_key))


@pytest.fixture
def bare(make_board):
    """A board with the agent and without a configuration, at work."""
    board = make_board(image.firmware_files(), size=512 * 4096)
    board.power_on()
    board.read_until("the file is missing", 10)
    return board


def certificates(folder):
    """The folder, with certificates made in it: of a CA, of a station with its key, and a key that does not fit."""
    folder.mkdir(exist_ok=True)
    authority = pki.Pki()
    client = authority.client("SN-1")
    for name, content in (("ca.pem", authority.root.pem), ("station.pem", client.pem), ("station.key", client.key_pem),
                          ("other.key", authority.client("SN-1").key_pem)):
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def desk(tmp_path):
    return certificates(tmp_path)


CLIENT = {"client_certificate": "station.pem", "client_key": "station.key"}


# --- from nothing to a registered station


def test_a_bare_board_becomes_a_registered_station_and_nobody_hears_its_secrets(bare, tmp_path, capfd):
    frames = []
    answers = []
    visitor = Visitor(bare)

    async def situation():
        async with Csms(password=PASSWORD) as csms:
            csms.watch(lambda *frame: frames.append(frame[-1]))
            file = written(tmp_path / "site.json", site(
                csms.url, network={"wifi": {"ssid": "home", "password": KEY}}))
            bare.surround(home=KEY)
            status = await asyncio.to_thread(provision.provision, options(bare, file))
            for line in ("trace on", "plug 1"):
                await bare.acommand(line)
            await bare.aread_until("# <- [3,")
            for line in ("trace off", "vars", "status", "log 64", "memory", "flash", "tasks", "crash", "web on"):
                await bare.acommand(line)
            assert await asyncio.to_thread(visitor.login, codes(bare.transcript)["password"]) == 200
            for path in ("/config", "/show/status", "/show/log", "/show/memory", "/show/flash", "/show/reservations"):
                answers.append((await asyncio.to_thread(visitor.ask, path))[2])
            return status

    assert asyncio.run(situation()) == 0
    shown = capfd.readouterr().out
    assert "BootNotification: Accepted" in shown and "station: HOLDFAST-1" in shown
    assert shown.splitlines()[-1].endswith("make logs PORT=" + bare.port)
    # The log is shown and nothing else of what the console says: there may be the password of the page in it.
    assert all(log_level("# " + line[2:]) for line in shown.splitlines() if line.startswith("  "))
    assert "BootNotification" in "".join(frames) and "HOLDFAST-1" in answers[0] and "Accepted" in answers[1]
    kept = json.loads(image.read_image(bare.image)["config.json"])
    assert "password" not in kept and kept["network"] == {"wifi": {"ssid": "home"}}
    assert nvs(bare)["password"][8:] == PASSWORD.encode() and nvs(bare)["wifi_password"][8:] == KEY.encode()
    with Repl(bare.port) as repl:
        saved = records.fetch(repl)
    for secret in (PASSWORD, KEY):
        assert secret not in shown and secret not in bare.transcript and secret not in "".join(frames + answers)
        for name, content in [*image.read_image(bare.image).items(), *saved.items()]:
            assert secret.encode() not in content, name


def make(board, *variables):
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    return subprocess.run(["make", "--no-print-directory", "provision", "PORT=" + board.port, *variables],
                          cwd=image.ROOT, capture_output=True, text=True, timeout=60, env=environment,
                          stdin=subprocess.DEVNULL)


def test_make_provision_registers_a_station_over_tls_though_its_board_wakes_in_the_year_2000(make_board, desk):
    """And with a certificate in place of a password: security profile 3."""
    authority = pki.Pki()
    client = authority.client("HOLDFAST-1")
    for name, content in (("ca.pem", authority.root.pem), ("station.pem", client.pem), ("station.key", client.key_pem)):
        (desk / name).write_bytes(content)
    context = pki.server_context(authority.server("127.0.0.1"), client_root=authority.root)
    board = make_board(image.firmware_files(), size=512 * 4096, micropython=clocked_micropython(desk))
    board.power_on()
    board.read_until("the file is missing", 10)

    async def situation():
        async with Csms(tls=context) as csms:
            file = written(desk / "site.json", site(csms.url, password=None, ca_certificate="ca.pem", **CLIENT))
            return await asyncio.to_thread(make, board, "FILE=%s" % file)

    done = asyncio.run(situation())
    assert done.returncode == 0 and "BootNotification: Accepted" in done.stdout, done.stdout + done.stderr
    found = image.read_image(board.image)
    assert json.loads(found["config.json"])["client_key"] == "nvs:client_key"
    assert nvs(board)["client_key"] == client.key_der
    for secret in (client.key_der, client.key_pem.splitlines()[1]):
        assert not [name for name, content in found.items() if secret in content]
        assert secret not in board.transcript.encode()


def test_make_provision_without_anybody_to_ask_is_told(bare):
    done = make(bare)
    assert done.returncode and "nobody to ask: FILE=site.json" in done.stderr


def test_a_board_that_nobody_knows_is_told_with_those_there_are(bare):
    done = make(bare, "BOARD=ESP8266")
    assert done.returncode and "BOARD=… is one of ESP32_GENERIC, " in done.stderr


def test_a_csms_that_lets_the_station_wait_is_told_with_what_follows(bare, tmp_path, capfd):
    async def situation():
        async with Csms(password=PASSWORD) as csms:
            csms.on("BootNotification", {"status": "Rejected", "interval": 60, "currentTime": csms.time()})
            return await asyncio.to_thread(
                provision.provision, options(bare, written(tmp_path / "site.json", site(csms.url))))

    assert asyncio.run(situation()) == 1
    assert "BootNotification: Rejected\nThe CSMS does not know this station" in capfd.readouterr().out


def test_an_answer_that_does_not_come_is_told_and_what_is_unwise_before(bare, tmp_path, capfd):
    file = written(tmp_path / "site.json", site("ws://127.0.0.1:9/", password=None))
    with pytest.raises(BoardError, match="no answer of the CSMS within 2 s.*make logs PORT="):
        provision.provision(options(bare, file, timeout=2))
    assert "warning: no password: " in capfd.readouterr().out


def test_a_board_without_an_agent_is_told(make_board):
    board = at_repl(make_board())
    with pytest.raises(BoardError, match="no agent on .*make flash"), provision.session(options(board, "")):
        raise AssertionError("nobody to tell anything")


def test_a_car_that_charges_is_not_disturbed(make_board, tmp_path):
    files = image.charger_files("ws://127.0.0.1:9/", "DEPOT-7", variables={"TxCtrlr.TxStartPoint": "EVConnected"})
    board = make_board(files, size=512 * 4096)
    board.power_on()
    board.read_until("next attempt")
    board.command("plug 1")
    with pytest.raises(BoardError, match="a car is charging .*FORCE=1"):
        provision.provision(options(board, written(tmp_path / "site.json", site())))
    assert any("in transaction" in line for line in board.command("status"))
    assert image.read_image(board.image)["config.json"] == files["config.json"].encode()


# --- checked before anything is written


@pytest.mark.parametrize("changes, told", [
    ({"evses": [{"connectors": ["cCCS9"]}]}, "evses[0].connectors[0]: not a connector type"),
    ({"station_id": "a:b"}, "station_id: "),
    ({"csms_url": "http://x"}, "csms_url: "),
    ({"password": "short"}, "password: not a string of 16"),
    ({"network": {"wifi": {"ssid": "home", "password": "short"}}}, "network.wifi.password: "),
    ({"network": {"ethernet": {"mdc": 23}}}, "network.ethernet.mdio: missing"),
    ({"hardware": "iec61851", "pins": [{}, {}]}, "pins[0]."),
    ({"network": {"wifi": {"ssid": "home"}, "time_server": "pool.ntp.org:ntp"}}, "network.time_server: not a host, or"),
    ({"variables": {"No.Such": "1"}}, "variables.No.Such: "),
    ({"csms_url": "wss://csms.example/"}, "ca_certificate: missing for security profile 2"),
    ({"csms_url": "wss://csms.example/", "ca_certificate": "no.pem"}, "no.pem: No such file"),
    ({"colour": "red"}, "colour: unknown property"),
])
def test_a_site_that_is_wrong_is_told_with_its_field_and_leaves_the_station_at_work(bare, tmp_path, changes, told):
    before = bare.flash.programs
    file = written(tmp_path / "site.json", site(**changes))
    with pytest.raises(config.ConfigError) as error:
        provision.provision(options(bare, file))
    assert told in str(error.value)
    assert bare.flash.programs == before and "raw REPL" not in bare.transcript


def test_a_site_file_that_is_no_json_is_told(bare, tmp_path):
    (tmp_path / "site.json").write_text("{station_id: 1}")
    done = make(bare, "FILE=%s" % (tmp_path / "site.json"))
    assert done.returncode and "site.json: not JSON: " in done.stderr and "nothing was written" in done.stderr
    done = make(bare, "FILE=%s" % (tmp_path / "none.json"))
    assert done.returncode and "none.json: No such file" in done.stderr


def test_a_password_that_the_board_lacks_too_is_missed_before_anything_is_written(bare, desk):
    """Only the board can tell."""
    file = written(desk / "site.json", site("wss://csms.example/", password=None, ca_certificate="ca.pem"))
    before = bare.flash.programs
    with pytest.raises(config.ConfigError, match="password: missing for security profile 2"):
        provision.provision(options(bare, file))
    bare.read_until("the file is missing", 10)  # and the agent is started again
    assert bare.flash.programs - before < 20 and "config.json" not in image.read_image(bare.image)
    assert "password" not in nvs(bare)


def test_a_key_that_belongs_to_another_certificate_is_told(desk):
    with pytest.raises(config.ConfigError, match="client_key: .*other.key: not the key of client_certificate"):
        Site(site("wss://csms.example/", ca_certificate="ca.pem", client_certificate="station.pem",
                  client_key="other.key"), desk)


def test_a_certificate_that_is_not_of_the_kind_is_told(desk):
    for field, name, told in (("ca_certificate", "station.pem", "CN=SN-1 is not the certificate of a CA"),
                              ("ca_certificate", "station.key", "no certificate"),
                              ("client_certificate", "ca.pem", "CN=.* is the certificate of a CA"),
                              ("client_key", "station.pem", "no private key")):
        values = site("wss://csms.example/", **{"ca_certificate": "ca.pem", **CLIENT, field: name})
        with pytest.raises(config.ConfigError, match="%s: .*%s: %s" % (field, name, told)):
            Site(values, desk)


def test_a_csms_that_the_station_will_refuse_is_a_doubt(desk):
    """The host name above all: it shows only when somebody calls there."""
    async def situation():
        authority = pki.Pki()
        (desk / "ca.pem").write_bytes(authority.root.pem)
        found = []
        for server in (authority.server("127.0.0.1"), authority.server("csms.example"),
                       authority.server("127.0.0.1", days=pki.EXPIRED), pki.Pki().server("127.0.0.1")):
            async with Csms(tls=pki.server_context(server)) as csms:
                values = site(csms.url, ca_certificate="ca.pem")
                found.append(await asyncio.to_thread(provision.doubts, Site(values, desk), Board()))
        return found

    good, other_host, expired, other_ca = asyncio.run(situation())
    assert good == []
    assert "IP address mismatch" in other_host[0] and "expired" in expired[0] and "signature" in other_ca[0]


def test_a_csms_that_cannot_be_reached_from_the_desk_is_no_reason_to_stop(desk):
    found = provision.doubts(Site(site("wss://127.0.0.1:9/", ca_certificate="ca.pem"), desk), Board())
    assert len(found) == 1 and "can not be reached from here" in found[0]


def test_a_url_without_the_name_of_a_host_is_no_reason_to_stop_either(desk):
    """Nobody can ask for such a name: no label between two dots."""
    found = provision.doubts(Site(site("wss://csms..example/", ca_certificate="ca.pem"), desk), Board())
    assert len(found) == 1 and "can not be reached from here" in found[0]


def test_a_board_that_was_another_station_is_a_doubt():
    assert provision.doubts(Site(site()), Board({"station_id": "HOLDFAST-1"})) == []
    assert "this was HOLDFAST-0" in provision.doubts(Site(site()), Board({"station_id": "HOLDFAST-0"}))[0]


# --- what is written


def test_a_password_that_the_board_has_may_be_left_out_unless_it_was_for_somebody_else(make_board):
    board = at_repl(make_board())
    put(board, site())
    put(board, site(password=None, station_id="HOLDFAST-2"))
    assert nvs(board)["password"][8:] == PASSWORD.encode()
    put(board, site("ws://other.example/", password=None))
    assert "password" not in nvs(board) and "password2" not in nvs(board)


def test_the_longest_password_in_any_script_is_found_again(make_board):
    board = at_repl(make_board())
    longest = "\U0001f512" * 64
    put(board, site(password=longest))
    put(board, site(password=None, model="Two"))
    assert nvs(board)["password"][8:] == longest.encode()


def test_a_new_password_replaces_one_that_the_csms_has_set_since(make_board):
    board = at_repl(make_board({"config.json": json.dumps(site()), provision.CHANGED_PASSWORD.lstrip("/"): b"x",
                                "records/reservation-1": b"y"}))
    put(board, site())
    board.close()
    assert sorted(image.read_image(board.image)) == ["config.json", "records/reservation-1"]


def test_a_password_that_the_csms_has_set_is_not_for_another_csms_and_stays_for_the_same(make_board):
    record = provision.CHANGED_PASSWORD.lstrip("/")
    board = at_repl(make_board({"config.json": json.dumps(site()), record: b"x"}))
    put(board, site(password=None))
    assert record in image.read_image(board.image)
    put(board, site("ws://other.example/", password=None))
    assert record not in image.read_image(board.image)


def test_the_name_of_a_wifi_is_the_same_on_the_desk_and_on_the_board(make_board):
    """A phone's may have any; and its password is only for a Wi-Fi of that name."""
    board = at_repl(make_board())
    put(board, site(network={"wifi": {"ssid": "\U0001f50c caf\u00e9", "password": KEY}}))
    with Repl(board.port) as repl:
        name = repl.value("__import__('json').load(open('/config.json', 'rb'))['network']['wifi']['ssid'].encode()")
    assert name == "\U0001f50c caf\u00e9".encode()
    assert nvs(board)["wifi_password"] == bound(name.decode()) + KEY.encode()


def test_without_nvs_the_passwords_and_the_key_are_in_files(make_board, desk):
    board = at_repl(make_board())
    values = site("wss://csms.example/", network={"wifi": {"ssid": "home", "password": KEY}}, ca_certificate="ca.pem",
                  **CLIENT)
    with Repl(board.port) as repl:
        there = Board()
        provision.write(repl, Site(values, desk, there), there)
    found = image.read_image(board.image)
    kept = json.loads(found["config.json"])
    assert kept["password"] == PASSWORD and kept["network"]["wifi"]["password"] == KEY
    assert found[kept["client_key"].lstrip("/")] == key_der((desk / "station.key").read_bytes())
    assert nvs(board) == {}


def test_what_the_new_configuration_does_not_name_is_removed(make_board, desk):
    board = at_repl(make_board())
    put(board, site("wss://csms.example/", ca_certificate="ca.pem", **CLIENT), desk)
    for _ in range(2):
        put(board, site("wss://csms.example/", ca_certificate="ca.pem", **CLIENT), desk)
        assert len(image.read_image(board.image)) == 3 and len(nvs(board)) == 2
    put(board, site())
    assert list(image.read_image(board.image)) == ["config.json"] and len(nvs(board)) == 1


def test_what_it_goes_on_naming_and_what_somebody_else_put_there_stays(make_board, desk):
    board = at_repl(make_board({"config.json": json.dumps(site("wss://csms.example/", ca_certificate="/mine.pem")),
                                "mine.pem": (desk / "ca.pem").read_bytes()}))
    put(board, site("wss://csms.example/", ca_certificate="ca.pem", **CLIENT), desk)
    first = image.read_image(board.image)
    assert sorted(first) == ["ca_certificate.pem", "client_certificate.pem", "config.json", "mine.pem"]
    put(board, json.loads(first["config.json"]), desk)
    assert image.read_image(board.image) == first and set(nvs(board)) == {"password", "client_key"}


class Interrupted(Repl):
    """The cable is pulled after so many commands."""

    def after(self, commands):
        self.left = commands
        return self

    def run(self, code):
        if hasattr(self, "left"):
            self.left -= 1
            if self.left < 0:
                raise BoardError("the cable is gone")
        return super().run(code)


def test_wherever_it_is_interrupted_the_board_is_the_old_station_or_the_new_one(make_board, tmp_path, monkeypatch):
    seed = random.randrange(1000)
    print("seed", seed)
    draw = random.Random(seed)
    wifi = {"wifi": {"ssid": "home", "password": KEY}}
    old = site("wss://csms.example/", network=wifi, ca_certificate="ca.pem", **CLIENT), certificates(tmp_path / "old")
    wifi = {"wifi": {"ssid": "depot", "password": "depot-secret"}}
    new = site("wss://new.example/", network=wifi, station_id="HOLDFAST-2", password="another of 16 characters",
               ca_certificate="ca.pem", **CLIENT), certificates(tmp_path / "new")
    board = at_repl(make_board())
    put(board, *new)
    wanted = effective(board, monkeypatch)
    put(board, *old)
    before = effective(board, monkeypatch)
    assert before[2:4] == (PASSWORD, {"ssid": "home", "password": KEY}) and wanted[2] == "another of 16 characters"
    seen, commands, done = set(), 0, False
    while not done:
        with Interrupted(board.port) as repl, contextlib.suppress(BoardError):
            there = provision.look(repl)
            provision.write(repl.after(commands), Site(*new, there), there)
            done = True
        soft_reset(board.port)
        found = effective(board, monkeypatch)
        assert found in (before, wanted), (seed, commands)
        seen.add(found[0])
        if found == wanted:
            put(board, *old)
        commands += draw.randrange(1, 3)
    assert seen == {"HOLDFAST-1", "HOLDFAST-2"}, seed


def test_an_interrupted_attempt_can_be_done_again(make_board, desk, monkeypatch):
    board = at_repl(make_board())
    values = site("wss://csms.example/", ca_certificate="ca.pem", **CLIENT)
    for commands in (3, 6, 9, 12):
        with Interrupted(board.port) as repl, contextlib.suppress(BoardError):
            there = provision.look(repl)
            provision.write(repl.after(commands), Site(values, desk, there), there)
    put(board, values, desk)
    assert effective(board, monkeypatch)[6] == key_der((desk / "station.key").read_bytes())
    assert len(image.read_image(board.image)) == 3


def test_a_password_in_a_file_of_the_board_does_not_come_over_the_cable(make_board):
    board = at_repl(make_board({"config.json": json.dumps(site(network={"wifi": {"ssid": "home", "password": KEY}}))}))
    with Repl(board.port) as repl:
        found = provision.look(repl)
    assert found.values["station_id"] == "HOLDFAST-1" and "assword" not in json.dumps(found.values)
    assert bound("home").hex() not in found.hashes.values()
