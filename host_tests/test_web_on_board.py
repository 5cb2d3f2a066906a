"""The installer's page on the virtual board: when it is on, who reaches it, and what it never disturbs."""

import asyncio
import contextlib
import http.client
import json
import socket
import time
from types import SimpleNamespace
from unittest.mock import ANY

import pytest
from holdfast.flash import framed
from holdfast.web import server
from tls_peers import clocked_micropython, pki, right
from virtual_boards import PROMPT, SIZE, ask

from tools import image, web_page
from tools.board_console import BoardError
from tools.csms import Csms
from tools.pki import server_context

NOWHERE = "ws://127.0.0.1:9/"
# The agent's clock goes so many times as fast; what waits for the network or for a person is over sooner.
FAST = """
import holdfast.agent
monotonic = holdfast.agent.monotonic
def fast(*ticks):
    now = monotonic(*ticks)
    return lambda: now() * %d
holdfast.agent.monotonic = fast
"""
BUTTON = """
import machine
class Pin:
    IN, PULL_UP = 1, 2
    def __init__(self, *words):
        print("button on", *words)
    def value(self):
        return 0
machine.Pin = Pin
"""

QUERY = b"\x12\x34\1\0\0\1\0\0\0\0\0\0\7captive\5apple\3com\0\0\1\0\1"

# Says of each number that is drawn whether it is by chance.
RADIO = """
import network
import os as real
import holdfast.web.server
class os:
    remove = real.remove
    def urandom(count):
        print("drawn with the radio on:", network.WLAN(network.AP_IF).active())
        return real.urandom(count)
holdfast.web.server.os = os
"""

# A partition that has no room for what is new.
FULL = """
import esp32
take = esp32.NVS.set_blob
esp32.NVS.set_blob = lambda nvs, key, value: key != 'password' and take(nvs, key, value)
"""


def codes(text):
    """What the console showed: {"Wi-Fi key": ..., "password": ...}."""
    lines = [line.strip("# \r").partition(": ") for line in text.split("\n")]
    return {name: value for name, _, value in lines if name in ("Wi-Fi", "Wi-Fi key", "password")}


def started(make_board, boot="", speed=1, **overrides):
    files = image.charger_files(NOWHERE, "HOLDFAST-1", **overrides)
    files["boot.py"] += boot.encode()
    board = make_board(files, size=2 * SIZE * 4, speed=speed)
    board.power_on()
    board.read_until("next attempt")
    return board


def switched_on(board, minutes=""):
    """The codes, made anew and printed for the first time."""
    return codes("\n".join(board.command("web on %s" % minutes)))


class Visitor:
    """A browser without eyes."""

    def __init__(self, board):
        self.host = "127.0.0.1:%d" % board.ports[80]
        self.headers = {}

    def ask(self, path, body=None, **headers):
        """(status, headers, body)"""
        connection = http.client.HTTPConnection(self.host, timeout=15)
        try:
            connection.request("GET" if body is None else "POST", path, body and json.dumps(body),
                               {"Origin": "http://" + self.host, **self.headers, **headers})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode("latin-1")
        finally:
            connection.close()

    def login(self, password):
        status, _, answer = self.ask("/login", {"password": password})
        if status == 200:
            self.headers["X-Token"] = json.loads(answer)["token"]
        return status


def is_on(board):
    try:
        return Visitor(board).ask("/")[0] == 200
    except ConnectionRefusedError:
        return False


def test_the_page_in_the_firmware_is_the_one_that_people_edit():
    assert web_page.carried() == web_page.stripped(), "run: python -m tools.web_page"
    assert web_page.policy() in web_page.TARGET.read_text(), "run: python -m tools.web_page"


# --- when it is on


def test_first_boot_shows_the_codes_once_and_the_page_until_the_station_is_commissioned(make_board):
    board = make_board(image.firmware_files(), size=512 * 4096)
    board.power_on()
    shown = codes(board.read_until("not off by itself"))
    visitor = Visitor(board)
    assert visitor.login(shown["password"]) == 200
    assert "the file is missing" in visitor.ask("/show/status")[2]
    settings = image.make_config(NOWHERE, "HOLDFAST-1", password="a-password-of-some-length")
    assert visitor.ask("/config", settings)[0] == 200
    after = board.read_until("off after 10 minutes without use")
    assert codes(after) == {}
    assert visitor.ask("/show/status")[0] == 401
    assert visitor.login(shown["password"]) == 200
    assert "station: HOLDFAST-1" in visitor.ask("/show/status")[2]
    # The password is in NVS, and the station uses it: no warning that there is none.
    assert settings.pop("password") and json.loads(image.read_image(board.image)["config.json"]) == settings
    assert not any("no password" in line for line in board.command("log"))
    board.command("reboot")
    board.read_until("next attempt")
    assert not is_on(board)


def test_a_phone_is_enough_for_a_station_with_a_certificate_and_tells_its_board_the_time(make_board, tmp_path):
    """The board wakes in the year 2000 and has no time server. And the page is there while TLS is up."""
    client = pki().client("HOLDFAST-1")

    async def situation():
        async with Csms(tls=server_context(pki().server("127.0.0.1"), client_root=pki().root)) as csms:
            board = make_board(image.firmware_files(), size=512 * 4096, micropython=clocked_micropython(tmp_path))
            await board.apower_on()
            password = codes(await board.aread_until("not off by itself"))["password"]
            visitor = Visitor(board)
            await asyncio.to_thread(visitor.login, password)
            settings = image.make_config(csms.url, "HOLDFAST-1", ca_certificate=pki().root.pem.decode(),
                                         client_certificate=client.pem.decode(), client_key=client.key_pem.decode())
            settings["time"] = int(time.time())
            assert await asyncio.to_thread(visitor.ask, "/config", settings) == (200, ANY, "{}")
            await (await csms.station()).registered()
            await asyncio.to_thread(visitor.login, password)
            assert "registration: Accepted" in (await asyncio.to_thread(visitor.ask, "/show/status"))[2]
            assert "TLS handshake" in (await asyncio.to_thread(visitor.ask, "/show/memory"))[2]
            shown = await asyncio.to_thread(visitor.ask, "/config")
            assert json.loads(shown[2])["client_key"] == "nvs:client_key"
            for content in image.read_image(board.image).values():
                assert client.key_der not in content and client.key_pem.splitlines()[1] not in content

    asyncio.run(situation())


def test_certificates_that_tls_cannot_read_are_refused_at_their_field(make_board):
    board = started(make_board)
    visitor = Visitor(board)
    visitor.login(switched_on(board)["password"])
    client = pki().client("HOLDFAST-1")
    good = {"ca_certificate": pki().root.pem.decode(), "client_certificate": client.pem.decode(),
            "client_key": client.key_pem.decode()}
    for field, wrong in (("ca_certificate", good["client_key"]), ("ca_certificate", good["ca_certificate"][:200]),
                         ("client_certificate", good["client_key"]), ("client_key", good["ca_certificate"])):
        settings = image.make_config("wss://127.0.0.1:9/", "HOLDFAST-1", **{**good, field: wrong})
        status, _, answer = visitor.ask("/config", settings)
        told = json.loads(answer)
        assert status == 422 and told["field"][:6] == field[:6], (field, told)
    password = {"ca_certificate": good["client_key"], "password": "a-password-of-some-length"}
    told = json.loads(visitor.ask("/config", image.make_config("wss://127.0.0.1:9/", "HOLDFAST-1", **password))[2])
    assert told["field"] == "ca_certificate", told
    assert "certificate" not in image.read_image(board.image)["config.json"].decode()
    assert "evse 1: idle" in board.command("status")


def test_an_nvs_that_does_not_take_the_password_is_told_and_no_file_gets_it(make_board):
    board = started(make_board, FULL)
    visitor = Visitor(board)
    visitor.login(switched_on(board)["password"])
    status, _, answer = visitor.ask("/config", image.make_config(NOWHERE, "A", password="a-password-of-some-length"))
    assert status == 422 and json.loads(answer) == {"field": "", "error": "not written: NVS does not take it"}
    assert not [content for content in image.read_image(board.image).values() if b"a-password-of" in content]
    assert "evse 1: idle" in board.command("status")


def test_a_new_password_counts_though_the_csms_has_set_one_since(make_board):
    record = "records/variable-SecurityCtrlr.BasicAuthPassword"
    content = framed(record[8:], b"what-the-csms-has-set")
    board = make_board({**image.charger_files(NOWHERE, "HOLDFAST-1"), record: content}, size=512 * 4096)
    board.power_on()
    board.read_until("next attempt")
    visitor = Visitor(board)
    password = switched_on(board)["password"]
    visitor.login(password)
    assert visitor.ask("/config", image.make_config(NOWHERE, "HOLDFAST-1", model="Two"))[0] == 200
    board.read_until("off after 10 minutes without use")
    assert record in image.read_image(board.image)
    visitor.login(password)
    assert visitor.ask("/config", image.make_config(NOWHERE, "A", password="a-password-of-some-length"))[0] == 200
    board.read_until("off after 10 minutes without use")
    assert record not in image.read_image(board.image)


def test_the_longest_password_in_any_script_is_used(make_board):
    board = make_board(image.firmware_files(), size=512 * 4096)
    board.power_on()
    visitor = Visitor(board)
    visitor.login(codes(board.read_until("not off by itself"))["password"])
    assert visitor.ask("/config", image.make_config(NOWHERE, "HOLDFAST-1", password="\u20ac" * 64))[0] == 200
    board.read_until("next attempt")
    assert not any("no password" in line for line in board.command("log"))


def test_a_configuration_that_is_no_json_is_put_right_without_a_cable(make_board):
    board = make_board({**image.charger_files(NOWHERE, "HOLDFAST-1"), "config.json": b"{\xff"}, size=512 * 4096)
    board.power_on()
    visitor = Visitor(board)
    visitor.login(codes(board.read_until("not off by itself"))["password"])
    assert json.loads(visitor.ask("/config")[2]) == {}
    assert visitor.ask("/config", image.make_config(NOWHERE, "HOLDFAST-1"))[0] == 200
    board.read_until("off after 10 minutes without use", 10)


def test_a_configuration_that_is_wrong_is_put_right_without_a_cable(make_board):
    files = image.charger_files(NOWHERE, "HOLDFAST-1", evses=[{"connectors": ["cCCS9"]}])
    board = make_board(files, size=512 * 4096)
    board.power_on()
    visitor = Visitor(board)
    shown = codes(board.read_until("not off by itself"))
    assert visitor.login(shown["password"]) == 200
    assert "evses[0].connectors[0]" in visitor.ask("/show/status")[2]
    assert visitor.ask("/config", image.make_config(NOWHERE, "HOLDFAST-1"))[0] == 200
    board.read_until("off after 10 minutes without use", 10)


def test_a_commissioned_station_has_no_page_until_it_is_told_to(make_board):
    board = started(make_board)
    assert not is_on(board)
    board.command("web on")
    assert is_on(board)
    board.command("web off")
    assert not is_on(board)
    for minutes in ("-1", "1441"):
        with pytest.raises(BoardError, match="MINUTES out of range"):
            board.command("web on " + minutes)
    board.command("web on 5")
    assert is_on(board)


def test_the_page_goes_off_when_nobody_uses_it(make_board):
    board = started(make_board, FAST % 100)
    board.command("web on 0")
    board.command("web on 1")
    board.read_until("web page: off, nobody uses it")
    assert not is_on(board)


def test_it_goes_off_though_somebody_knocks_all_the_time(make_board):
    board = started(make_board, FAST % 4)
    visitor = Visitor(board)
    visitor.login(switched_on(board)["password"])
    door = "127.0.0.1", board.ports[80]
    with contextlib.ExitStack() as stack:
        stack.enter_context(socket.create_connection(door, 5))
        assert visitor.ask("/off", {"": ""})[0] == 200
        for _ in range(20):
            time.sleep(0.1)
            try:
                stack.enter_context(socket.create_connection(door, 5))
            except ConnectionRefusedError:
                break
        else:
            raise AssertionError("still on")


def test_a_long_press_switches_it_on(make_board):
    board = started(make_board, FAST % 10 + BUTTON, web={"button": 0, "minutes": 3})
    board.read_until("off after 3 minutes without use")
    assert is_on(board)


def test_a_button_that_cannot_be_is_told_and_the_station_goes_on(make_board):
    """The virtual board has no pins; a chip may have another one."""
    board = started(make_board, web={"button": 0})
    assert any("web page: no button: no pins here" in line for line in board.command("log"))
    assert "evse 1: idle" in board.command("status") and "no crash reports" in board.command("crash")


def test_safe_mode_has_the_page(make_board):
    crash = "\nimport holdfast.station\nholdfast.station.Station.__init__ = None\n"
    files = {**image.charger_files(NOWHERE, "A", web={"button": 0, "minutes": 3}), "boot.py": crash + BUTTON}
    board = make_board(files, size=512 * 4096, speed=10)
    board.power_on()
    board.read_until("no station: safe mode", 20)
    shown = codes(board.read_until("off after 3 minutes without use"))
    board.read_until("off after 3 minutes without use")  # again, for a long press
    visitor = Visitor(board)
    assert visitor.login(shown["password"]) == 200
    assert "mode: safe mode" in visitor.ask("/show/status")[2]


def test_ctrl_c_ends_the_page(make_board):
    board = started(make_board)
    board.command("web on")
    board.write("\x03")
    board.read_until(PROMPT)
    assert not is_on(board)
    assert ask(board, "import network; network.WLAN(network.AP_IF).active()") == "False"


def test_an_image_without_the_page_says_so(make_board):
    files = image.charger_files(NOWHERE, "HOLDFAST-1", web={"button": 0})
    board = make_board({name: files[name] for name in files if "/web/" not in name}, size=512 * 4096)
    board.power_on()
    board.read_until("next attempt")
    with pytest.raises(BoardError, match="this image has no web page, or"):
        board.command("web on")


# --- who reaches it


def test_the_access_point_has_a_key_of_its_own(make_board):
    board = started(make_board)
    shown = switched_on(board)
    assert shown["Wi-Fi"] == "Holdfast-" + board.unique_id.hex()[-6:] and shown["Wi-Fi key"] != shown["password"]
    board.write("\x03")
    board.read_until(PROMPT)
    settings = ask(board, "import network; s = network.WLAN(1).settings; [s[i] for i in ('ssid', 'key', 'security')]")
    assert settings == str([shown["Wi-Fi"], shown["Wi-Fi key"], 3])
    assert ask(board, "s['max_clients']") == "2"


def test_codes_are_drawn_while_the_radio_is_on(make_board):
    """Without it, esp_random of an ESP32 is not by chance: docs.espressif.com, "Random Number Generation"."""
    for command in ("web on", "web password"):
        board = started(make_board, RADIO)
        assert "drawn with the radio on: True" in board.command(command)
        assert "drawn with the radio on: False" not in board.transcript
        board.write("\x03")
        board.read_until(PROMPT)
        assert ask(board, "import network; network.WLAN(network.AP_IF).active()") == "False"


def test_codes_that_nobody_was_shown_are_made_anew(make_board):
    board = started(make_board, "\nimport holdfast.web.server as s\nlisten = s.Web._bind\ndef fails(*w):\n"
                                "  s.Web._bind = listen\n  raise OSError(12)\ns.Web._bind = fails\n")
    with pytest.raises(BoardError, match="no access point"):
        board.command("web on")
    assert Visitor(board).login(switched_on(board)["password"]) == 200


def test_codes_of_another_length_are_none(make_board):
    board = make_board(image.charger_files(NOWHERE, "HOLDFAST-1"), size=512 * 4096)
    with open(board.image + ".nvs", "w") as file:
        file.write(json.dumps({"holdfast": {"web_codes": ["b", [97] * 40]}}) + "\n")
    board.power_on()
    board.read_until("next attempt")
    assert Visitor(board).login(switched_on(board)["password"]) == 200


def test_two_boards_have_different_passwords(make_board):
    one, other = [switched_on(started(make_board)) for _ in range(2)]
    assert one["password"] != other["password"] and one["Wi-Fi key"] != other["Wi-Fi key"]


def test_the_password_is_kept_nowhere(make_board, tmp_path):
    board = started(make_board)
    password = switched_on(board)["password"]
    Visitor(board).login(password)
    assert password not in "\n".join(board.command("log"))
    assert codes("\n".join(board.command("web on"))) == {}
    kept = json.loads(open(board.image + ".nvs").readline())["holdfast"]["web_codes"]
    assert password.encode() not in bytes(kept[1]) and password.encode() not in open(board.image, "rb").read()


def test_new_codes_end_the_old_ones(make_board):
    board = started(make_board, speed=5)
    old = switched_on(board)["password"]
    new = codes("\n".join(board.command("web password")))["password"]
    assert not is_on(board)
    board.command("web on")
    assert Visitor(board).login(old) == 403
    time.sleep(1.1 / 5)
    assert Visitor(board).login(new) == 200


def test_wrong_passwords_have_to_wait(make_board):
    board = started(make_board)
    password = switched_on(board)["password"]
    assert Visitor(board).login("wrong") == 403
    status, headers, _ = Visitor(board).ask("/login", {"password": password})
    assert status == 429 and headers["Retry-After"] == "1"


def test_every_name_leads_to_the_page(make_board):
    board = started(make_board)
    board.command("web on")
    with socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.settimeout(5)
        udp.sendto(QUERY, ("127.0.0.1", board.ports[53]))
        assert udp.recv(512)[-4:] == bytes((127, 0, 0, 1))
    status, headers, _ = Visitor(board).ask("/hotspot-detect.html", Host="captive.apple.com")
    assert (status, headers["Location"]) == (302, "http://127.0.0.1/")


# --- what it never disturbs


def test_connections_that_say_nothing_are_closed_and_no_more_than_two_are_served(make_board):
    board = started(make_board, FAST % 4)
    board.command("web on")
    silent = [socket.create_connection(("127.0.0.1", board.ports[80])) for _ in range(2)]
    begun = time.monotonic()
    assert is_on(board)  # in the queue until one of them is gone
    assert 0.3 < time.monotonic() - begun < 5
    for one in silent:
        one.settimeout(5)
        assert one.recv(1) == b""
        one.close()
    board.command("web off")
    board.command("web on")  # though the connections that it has closed have not quite gone
    assert is_on(board)


def test_a_request_that_comes_drop_by_drop_is_cut_off(make_board):
    board = started(make_board, FAST % 10)
    board.command("web on")
    with socket.create_connection(("127.0.0.1", board.ports[80])) as slow:
        slow.settimeout(0.05)
        begun = time.monotonic()
        with pytest.raises((BrokenPipeError, ConnectionResetError, EOFError)):
            for octet in b"GET / HTTP/1.1\r\nX: " + 100 * b"x":
                slow.sendall(bytes([octet]))
                with contextlib.suppress(socket.timeout):
                    if not slow.recv(1):
                        raise EOFError
        assert 0.2 < time.monotonic() - begun < 3


def test_a_car_that_charges_notices_nothing_of_a_phone_that_does_what_it_can(make_board):
    """Many connections, and on them all that is no HTTP. Afterwards the page is there for whoever may see it."""
    junk = (b"\0" * 3000, b"GET /%00%zz%c0%af HTTP/1.1\r\nHost: \xff\r\n\r\n", b"\r\n" * 1100,
            b"POST /login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
            b"GET / HTTP/1.1\r\n" * 200,
            b"POST /config HTTP/1.1\r\nHost: a\r\nContent-Length: 6144\r\n\r\n" + b"[" * 6144,
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 100)

    async def situation():
        async with Csms(tokens={"ABC123DEF4": {}}) as csms:
            settings = {"config.json": json.dumps(image.make_config(csms.url, "HOLDFAST-1"))}
            board = make_board(settings, 512 * 4096, frozen=image.frozen_image(), heap="200K")
            await board.apower_on()
            await (await csms.station()).registered()
            await board.acommand("plug 1")
            await board.acommand("swipe ABC123DEF4 ISO14443 1")
            password = codes("\n".join(await board.acommand("web on")))["password"]

            def attack():
                visitor = Visitor(board)
                held = []
                for index in range(2 * len(junk)):
                    held.append(socket.create_connection(("127.0.0.1", board.ports[80]), 10))
                    with contextlib.suppress(OSError):
                        held[-1].sendall(junk[index % len(junk)])
                    with socket.socket(type=socket.SOCK_DGRAM) as udp:
                        udp.sendto(junk[index % len(junk)][:400], ("127.0.0.1", board.ports[53]))
                    if index % 3:
                        held.pop().close()
                for stream in held:
                    stream.close()
                assert visitor.login(password) == 200 and "Charging" in visitor.ask("/show/status")[2]

            await asyncio.to_thread(attack)
            assert "no crash reports" in await board.acommand("crash")
            assert any("Charging in transaction" in line for line in await board.acommand("status"))
            assert not csms.events("TransactionEvent", eventType="Ended")
            assert not csms.events("SecurityEventNotification", type="MemoryExhaustion")

    asyncio.run(situation())


class Stream:
    """Of somebody who begins to ask, has asked `after` ms, takes so many octets of the answer at a time, and goes on
    sending until `ends`, in ms."""

    def __init__(self, takes, ends=None, after=100):
        self.takes = takes
        self.ends = ends
        self.after = after
        self.sent = self.now = 0

    def setblocking(self, on):
        pass

    def recv(self, size):
        if self.ends is not None and self.now >= self.ends:
            return b""
        if 0 < self.now < self.after:
            raise OSError(11, "not yet")
        return b"GET / HTTP/1.1\r\nHost: a\r\nX: " if self.now < self.after else b"\r\n\r\n"

    def send(self, data):
        self.sent += min(self.takes, len(data))
        return min(self.takes, len(data))

    def over(self):
        """When its connection is closed, in ms."""
        connection = server._Connection(self, 0)
        while connection.step(self.now, SimpleNamespace(answer=lambda now, request: bytes(3000))):
            self.now += 100
        return self.now


def test_a_connection_lasts_until_the_other_side_ends_it_or_a_second():
    """Closed with something unread, it would be reset, and the answer perhaps lost."""
    for ends, over in ((500, 500), (None, 1100)):
        stream = Stream(3000, ends)
        assert stream.over() == over and stream.sent == 3000, ends


def test_an_answer_that_is_taken_drop_by_drop_is_cut_off():
    stream = Stream(1, after=4000)
    assert stream.over() == 9000 and stream.sent == 51


def test_no_room_for_an_answer_or_too_little_stack_costs_the_visitor_only():
    for error in (MemoryError, RuntimeError):
        def fails(now, request, error=error):
            raise error

        assert not server._Connection(Stream(1, after=0), 0).step(0, SimpleNamespace(answer=fails))


def test_a_request_that_does_not_end_is_cut_off():
    assert Stream(1, after=8000).over() == 5000


def test_whoever_asks_again_and_again_is_served_ten_times_a_second(make_board):
    board = started(make_board)
    board.command("web on")
    visitor = Visitor(board)
    visitor.ask("/")
    begun = time.monotonic()
    for _ in range(8):
        assert visitor.ask("/")[0] == 200
    assert time.monotonic() - begun > 0.7


def test_a_large_request_is_refused_and_the_heap_does_not_grow(make_board):
    board = started(make_board)
    board.command("web on")
    board.command("memory")
    before = int(board.command("memory")[0].split()[-1])
    for _ in range(3):
        assert Visitor(board).ask("/config", "x" * 100_000)[0] == 413
    assert int(board.command("memory")[0].split()[-1]) - before < 8000


def test_a_heap_that_is_full_costs_the_visitor_not_the_station(make_board):
    board = started(make_board, "\nimport holdfast.web.site as s\ndef full(*w):\n  raise MemoryError\n"
                                "s.Site.answer = full\n")
    board.command("web on")
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        Visitor(board).ask("/")
    assert "evse 1: idle" in board.command("status") and "no crash reports" in board.command("crash")


def test_a_heap_that_is_full_for_a_moment_does_not_end_the_page(make_board):
    board = started(make_board, "\nimport holdfast.web.server as s\nleft = [2, 1]\ndef full(which, f, *w):\n"
                                "  left[which] -= 1\n  if left[which] >= 0:\n    raise MemoryError\n  return f(*w)\n"
                                "s.answer = lambda *w, f=s.answer: full(0, f, *w)\n"
                                "s._Connection = lambda *w, f=s._Connection: full(1, f, *w)\n")
    board.command("web on")
    with socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.settimeout(1)
        for _ in range(3):
            udp.sendto(QUERY, ("127.0.0.1", board.ports[53]))
        assert udp.recv(512)[-4:] == bytes((127, 0, 0, 1))
    with socket.create_connection(("127.0.0.1", board.ports[80])):
        assert is_on(board)


def test_a_fault_of_the_page_itself_ends_the_page_and_nothing_else(make_board):
    board = started(make_board, "\nimport holdfast.web.server as s\ndef fault(*w):\n  raise KeyError\n"
                                "s.answer = fault\n")
    board.command("web on")
    with socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.sendto(QUERY, ("127.0.0.1", board.ports[53]))
    board.read_until("KeyError")
    assert not is_on(board) and "evse 1: idle" in board.command("status")


def test_no_memory_for_the_page_is_told_and_the_station_goes_on(make_board):
    board = started(make_board, "\nimport holdfast.web.server as s\ndef full(*w):\n  raise MemoryError\n"
                                "s.Site.__init__ = full\n")
    with pytest.raises(BoardError, match="no memory for the web page"):
        board.command("web on")
    assert "evse 1: idle" in board.command("status") and "no crash reports" in board.command("crash")
    board.write("\x03")
    board.read_until(PROMPT)
    assert ask(board, "import network; network.WLAN(network.AP_IF).active()") == "False"


def test_of_the_log_the_youngest_lines_are_shown_and_nothing_else(make_board):
    """All of it would take 6 kB for each phone that looks."""
    board = started(make_board)
    visitor = Visitor(board)
    visitor.login(switched_on(board)["password"])
    for _ in range(25):
        board.command("disconnect")
        board.command("connect")
        board.read_until("next attempt")
    shown = visitor.ask("/show/log")[2].split("\n")
    assert len(shown) == 20 and shown == board.command("log")[-20:]


def test_what_belongs_to_the_link_stays_when_the_page_goes_off(make_board):
    board = started(make_board)
    board.command("web on")
    board.command("web off")
    board.write("\x03")
    board.read_until(PROMPT)
    names = ask(board, "import sys; sorted(name for name in sys.modules if name.startswith('holdfast.web'))")
    assert names == "['holdfast.websocket']"


def test_page_and_tls_have_room_beside_each_other_in_the_heap_of_a_small_board(make_board):
    """200 kB here are 100 kB on 32 bits, as in test_small_heap.py."""
    client = pki().client("HOLDFAST-1")

    async def situation():
        async with Csms(password="a-password-of-some-length", tls=right()) as csms:
            settings = image.make_config(csms.url, "HOLDFAST-1", password="a-password-of-some-length",
                                         ca_certificate="/ca.pem")
            files = {"config.json": json.dumps(settings), "ca.pem": pki().root.pem}
            board = make_board(files, 512 * 4096, frozen=image.frozen_image(), heap="200K")
            await board.apower_on()
            await (await csms.station()).registered()
            password = codes("\n".join(await board.acommand("web on")))["password"]
            visitor = Visitor(board)
            assert await asyncio.to_thread(visitor.login, password) == 200
            for what in ("status", "reservations", "log", "memory", "flash") * 2:
                status, _, shown = await asyncio.to_thread(visitor.ask, "/show/" + what)
                assert status == 200, (what, shown)
            assert (await asyncio.to_thread(visitor.ask, "/"))[0] == 200
            settings.update(ca_certificate=pki().root.pem.decode(), client_certificate=client.pem.decode(),
                            client_key=client.key_pem.decode(), security_profile=2)
            assert await asyncio.to_thread(visitor.ask, "/config", settings) == (200, ANY, "{}")
            await (await csms.station()).registered()
            assert csms.events("BootNotification")[-1]["reason"] == "LocalReset"
            assert not csms.events("SecurityEventNotification", type="MemoryExhaustion")
            assert "no crash reports" in await board.acommand("crash")

    asyncio.run(situation())


def test_memory_comes_back_when_it_is_off(make_board):
    board = started(make_board, variables={"OCPPCommCtrlr.RetryBackOffWaitMinimum": "600"})

    def heap():
        time.sleep(0.2)
        return int(board.command("memory")[0].split()[-1])

    board.command("web on")
    board.command("web off")
    heap()
    before = heap()
    board.command("web on")
    on = heap()
    board.command("web off")
    assert on - before > 8000 and abs(heap() - before) < 4000
