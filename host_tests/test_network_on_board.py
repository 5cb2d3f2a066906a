"""The network of a board: Wi-Fi before the link, time before TLS, and names that are slow to become addresses."""

import asyncio
import os
import pathlib
import socket
import subprocess
import threading

import pytest
from virtual_boards import set_nvs

from tools import image
from tools.csms import Csms

FIRMWARE = pathlib.Path(__file__).parent.parent / "firmware"
MICROPYTHON = os.environ.get("MICROPYTHON", "micropython")
WIFI = {"wifi": {"ssid": "home", "password": "secret-word"}}
QUICK = {"OCPPCommCtrlr.RetryBackOffWaitMinimum": "1", "OCPPCommCtrlr.RetryBackOffRandomRange": "0"}


class TimeServer:
    """An SNTP server on loopback that says it is `utc`; `lie(answer)` may change what it sends."""

    def __init__(self, utc, lie=lambda answer: answer):
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.name = "127.0.0.1:%d" % self._socket.getsockname()[1]
        self._utc = utc
        self._lie = lie
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                request, peer = self._socket.recvfrom(64)
            except OSError:
                return
            seconds = (self._utc + 2_208_988_800) % 2**32
            answer = bytes((0x24, 2)) + bytes(22) + request[40:48] + bytes(8) + seconds.to_bytes(4, "big") + bytes(4)
            self._socket.sendto(self._lie(answer), peer)

    def close(self):
        self._socket.close()


def test_the_link_waits_for_wifi_and_comes_back_with_it(make_board):
    async def situation():
        async with Csms() as csms:
            files = image.charger_files(csms.url, "HOLDFAST-1", network=WIFI, variables=QUICK)
            board = make_board(files, size=512 * 4096, speed=5)
            await board.apower_on()
            await board.aread_until("warning Wi-Fi home: no such network in reach, trying again")
            assert "link: waiting" in await board.acommand("status")
            board.surround(home="secret-word")
            await board.aread_until("info Wi-Fi home: 192.168.4.2, -60 dBm", 20)
            await (await csms.station()).registered()
            board.surround()
            await board.aread_until("warning Wi-Fi home lost")

    asyncio.run(situation())


def test_the_network_that_is_back_ends_the_pause_between_two_attempts(make_board):
    async def situation():
        async with Csms() as csms:
            patient = {"OCPPCommCtrlr.RetryBackOffWaitMinimum": "600"}
            files = image.charger_files(csms.url, "HOLDFAST-1", network=WIFI, variables=patient)
            board = make_board(files, size=512 * 4096, speed=5)
            board.surround(home="secret-word")
            await board.apower_on()
            link = await csms.station(10)
            await link.registered()
            assert [line for line in await board.acommand("tasks") if line.startswith("network: due in ")]
            board.surround()
            await board.aread_until("warning Wi-Fi home lost")
            link.drop()
            await board.aread_until("next attempt to connect in 6")
            board.surround(home="secret-word")
            await csms.station(20)

    asyncio.run(situation())


def test_the_password_of_the_wifi_is_nowhere_on_the_console(make_board):
    board = make_board(image.charger_files("ws://127.0.0.1:9/", "HOLDFAST-1", network=WIFI), size=512 * 4096)
    board.surround(home="other-word")
    board.power_on()
    board.read_until("wrong password")
    for command in ("status", "vars", "log", "tasks", "memory", "crash"):
        board.command(command)
    assert "secret-word" not in board.transcript


def start_with_time_server(make_board, server, **integers):
    """A board that has such a time server, and in NVS these integers."""
    network = WIFI | {"time_server": server.name}
    files = image.charger_files("ws://127.0.0.1:9/", "HOLDFAST-1", network=network, variables=QUICK)
    board = make_board(files, size=512 * 4096, speed=4)
    set_nvs(board.image, **integers)
    board.surround(home="secret-word")
    board.power_on()
    return board


def test_the_time_is_asked_for_before_the_first_connection(make_board):
    server = TimeServer(1_800_000_000)
    board = start_with_time_server(make_board, server)
    output = board.read_until("cannot connect", 10)
    assert "says 2027-01-15T08:00:00Z" in output
    assert [line for line in board.command("status") if line.startswith("time: 2027-01-15T08:00:0")]
    server.close()


def test_a_time_server_that_lies_is_not_believed_and_does_not_keep_the_station_from_connecting(make_board):
    server = TimeServer(1_800_000_000, lambda answer: answer[:24] + bytes(8) + answer[32:])
    board = start_with_time_server(make_board, server)
    board.read_until("warning no time from", 10)
    board.read_until("cannot connect", 10)
    assert "time: not set" in board.command("status")
    server.close()


def test_a_time_server_is_asked_before_each_attempt_until_the_csms_has_told_the_time(make_board):
    """One wrong answer is enough to find every certificate expired."""
    answers = [b"not yet", 2_900_000_000, 1_800_000_000]

    def change(answer):
        now = answers.pop(0)
        return now if type(now) is bytes else answer[:40] + (now + 2_208_988_800).to_bytes(5, "big")[1:] + answer[44:]

    server = TimeServer(1_800_000_000, change)
    board = start_with_time_server(make_board, server)
    output = board.read_until("says 2061-11-23T19:33:20Z", 20)
    assert output.count("no time from") == output.count("cannot connect") == 1
    board.read_until("says 2027-01-15T08:00:00Z", 20)
    server.close()


def test_a_time_server_is_not_asked_once_the_csms_has_told_the_time(make_board):
    async def situation():
        asked = []
        server = TimeServer(1_800_000_000, lambda answer: asked.append(answer) or answer)
        async with Csms() as csms:
            network = WIFI | {"time_server": server.name}
            board = make_board(image.charger_files(csms.url, "HOLDFAST-1", network=network, variables=QUICK),
                               size=512 * 4096)
            board.surround(home="secret-word")
            await board.apower_on()
            link = await csms.station(10)
            await link.registered()
            link.drop()
            await csms.station(10)
            assert len(asked) == 1
        server.close()

    asyncio.run(situation())


def start_after_failures(make_board, number):
    """A board with Wi-Fi that has tried to connect so many times in vain."""
    files = image.charger_files("ws://127.0.0.1:9/", "HOLDFAST-1", network=WIFI, variables=QUICK)
    files["boot.py"] += b"""
import holdfast.link
make = holdfast.link.Link.__init__
def late(self, *words):
    make(self, *words)
    self.failures = %d
holdfast.link.Link.__init__ = late
""" % number
    board = make_board(files, size=512 * 4096)
    board.surround(home="secret-word")
    board.power_on()
    return board


def test_after_a_day_in_vain_the_board_restarts_when_it_is_idle(make_board):
    board = start_after_failures(make_board, 255)
    board.read_until("cannot connect: the network is switched off and on", 10)
    board.command("plug 1")  # or within a minute
    board.read_until("restarting: ScheduledReset")


def test_an_interface_that_only_believes_to_be_up_is_switched_off_and_on(make_board):
    board = start_after_failures(make_board, 7)
    board.read_until("cannot connect: the network is switched off and on", 10)
    board.read_until("next attempt to connect in 32 s")
    board.read_until("warning Wi-Fi home lost", 5)
    board.read_until("info Wi-Fi home: 192.168.4.2, -60 dBm", 5)
    board.read_until("cannot connect: [Errno 111]", 5)  # not after 32 s


def test_a_time_server_cannot_put_the_clock_back_behind_what_the_csms_said(make_board):
    """Or it could make certificates good again that have expired."""
    server = TimeServer(1_800_000_000)
    board = start_with_time_server(make_board, server, minutes=(1_800_000_000 + 7200) // 60)
    output = board.read_until("cannot connect", 10)
    assert "no time from" in output and "it says 2027-01-15T08:00:00Z, and it was later already" in output
    assert "time: not set" in board.command("status")
    server.close()


@pytest.mark.parametrize("answer, outcome", [
    ("[(2, 1, 0, '', ('10.1.2.3', 80))]", "10.1.2.3"),  # as on an ESP32
    ("[(2, 1, 0, '', b'\\x02\\x00\\x00P\\x0a\\x01\\x02\\x03' + bytes(8))]", "10.1.2.3"),  # as on the unix port
    ("fail()", "OSError"),
    ("time.sleep(60)", "OSError no address for csms.example.com"),
])
def test_a_slow_name_server_does_not_stall_the_loop(answer, outcome):
    program = """
import sys
sys.path.insert(0, %r)
import asyncio, time
from holdfast import resolver
resolver._NAMES = 20
def fail():
    raise OSError(-2)
class Slow:
    AF_INET = 2
    def getaddrinfo(self, *words):
        time.sleep(0.5)
        return %s
resolver.socket = Slow()
laps = 0
async def run():
    global laps
    while True:
        laps += 1
        await asyncio.sleep_ms(10)
async def main():
    asyncio.create_task(run())
    try:
        print(await resolver.resolve("csms.example.com"))
    except OSError as error:
        print("OSError", error.args[1])
    print("stalled" if laps < 20 else "went on")
    resolver._asked.clear()
    Slow.getaddrinfo = lambda *words: fail()
    try:
        print("again", await resolver.resolve("csms.example.com"))
    except OSError:
        print("again nothing")
asyncio.run(main())
""" % (str(FIRMWARE), answer)
    done = subprocess.run([MICROPYTHON, "-c", program], capture_output=True, text=True, timeout=20)
    lines = done.stdout.splitlines()
    assert lines[0].startswith(outcome), done.stdout + done.stderr
    assert lines[1] == "went on"
    assert lines[2] == ("again nothing" if outcome.startswith("OSError") else "again 10.1.2.3")


def test_a_name_is_asked_for_again_after_a_thread_that_had_no_memory():
    program = """
import sys
sys.path.insert(0, %r)
import asyncio
from holdfast import resolver
resolver._NAMES = 20
class Socket:
    AF_INET = 2
    def getaddrinfo(self, *words):
        asked.append(1)
        if len(asked) == 1:
            raise MemoryError
        return [(2, 1, 0, "", ("10.1.2.3", 80))]
asked = []
resolver.socket = Socket()
async def main():
    for _ in range(2):
        try:
            print(await resolver.resolve("csms.example.com"))
        except OSError as error:
            print("OSError", error.args[1])
asyncio.run(main())
""" % str(FIRMWARE)
    done = subprocess.run([MICROPYTHON, "-c", program], capture_output=True, text=True, timeout=20)
    assert done.stdout == "OSError no address for csms.example.com\n10.1.2.3\n", done.stdout + done.stderr


def test_whoever_asks_while_a_name_server_is_silent_waits_for_the_thread_that_waits_already():
    program = """
import sys
sys.path.insert(0, %r)
import asyncio, time
from holdfast import resolver
resolver._NAMES = 4
class Socket:
    AF_INET = 2
    def getaddrinfo(self, *words):
        asked.append(1)
        time.sleep(60)
asked = []
resolver.socket = Socket()
async def main():
    for _ in range(3):
        try:
            await resolver.resolve("csms.example.com")
        except OSError as error:
            print(error.args[0], len(asked))
asyncio.run(main())
""" % str(FIRMWARE)
    done = subprocess.run([MICROPYTHON, "-c", program], capture_output=True, text=True, timeout=20)
    assert done.stdout == "110 1\n" * 3, done.stdout + done.stderr
