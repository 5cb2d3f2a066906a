"""wss:// on the virtual board, whose TLS goes by the clock of the board: years in the dark, certificates, passwords."""

import asyncio
import contextlib
import json
import os
import time

import pytest
from tls_peers import clocked_micropython, pki, right
from virtual_boards import nvs, set_nvs, until

from tools import image
from tools.csms import Csms
from tools.pki import EXPIRED, server_context
from tools.virtual_board import VirtualBoard

OLD, NEW = "the-old-password-of-it", "the-new-password-of-it"
QUICK = {"OCPPCommCtrlr.RetryBackOffWaitMinimum": "1", "OCPPCommCtrlr.RetryBackOffRandomRange": "0",
         "OCPPCommCtrlr.RetryBackOffRepeatTimes": "0"}
HOUR = 3600


class Place:
    """A CSMS, and a board that knows its CA."""

    def __init__(self, directory, password=OLD, **tls):
        self.directory = directory
        self.csms = Csms(password=password, tls=right(**tls))
        self.path = directory / "flash.img"

    @contextlib.asynccontextmanager
    async def board(self, known_time=None, boot="", speed=1, **config):
        client = pki().client("HOLDFAST-1")
        files = image.charger_files(self.csms.url, "HOLDFAST-1", **{
            "password": OLD, "ca_certificate": "/ca.pem", "variables": QUICK, **config})
        files |= {"ca.pem": pki().root.pem, "station.pem": client.pem, "station.key": client.key_pem}
        files["boot.py"] += boot.encode()
        image.build_image(self.path, files, 512 * 1024)
        if known_time:
            set_nvs(self.path, minutes=int(known_time) // 60)
        with VirtualBoard(self.path, micropython=clocked_micropython(self.directory), speed=speed) as board:
            try:
                await board.apower_on()
                yield board
            except BaseException as error:
                error.add_note("console:\n" + "\n".join(board.transcript.splitlines()[-30:]))
                raise

    async def registered(self):
        """The link of a station that has told all that a boot brings about."""
        link = await self.csms.station()
        await link.registered()
        while not link.events("SecurityEventNotification", type="StartupOfTheDevice"):
            await asyncio.sleep(0.02)
        link.forget("SecurityEventNotification")
        return link

    def told(self):
        """The types of all security events, without those of a boot."""
        boot = ("StartupOfTheDevice", "ResetOrReboot")
        return [event["type"] for event in self.csms.events("SecurityEventNotification") if event["type"] not in boot]


@pytest.fixture
def place(tmp_path):
    """place(situation, password, **options of server_context): `await situation(place)` with a CSMS that listens."""

    def run(situation, **tls):
        async def around():
            here = Place(tmp_path, **tls)
            async with here.csms:
                await situation(here)

        asyncio.run(around())

    return run


CLIENT = {"client_certificate": "/station.pem", "client_key": "/station.key", "security_profile": 3}


def test_a_board_in_the_year_2000_that_never_knew_the_time_says_why_it_cannot_connect(place):
    async def situation(here):
        async with here.board() as board:
            await board.aread_until("is not yet valid; by this clock it is 2000-01-01T00:00:")

    place(situation)


def test_a_board_in_the_year_2000_connects_with_the_time_that_it_knew_last(place):
    async def situation(here):
        async with here.board(known_time=time.time() - 20 * HOUR) as board:
            await here.registered()
            assert len(here.csms.connections) == 1
            assert "cannot connect" not in board.transcript
            await board.apower_cut()
            await board.apower_on()  # its clock is at 2000 again
            await here.registered()
            assert "cannot connect" not in board.transcript
            await until(lambda: abs(60 * nvs(here.path)["minutes"][1] - time.time()) < 120)

    place(situation)


def test_the_time_is_known_for_wss_after_years_of_ws(place):
    """The word of a CSMS over ws is as good as none against an attacker, but good enough against the year 2000."""

    async def situation(here):
        async with Csms(password=OLD) as csms:
            async with here.board(speed=5) as board:
                await board.apower_cut()
                insecure = image.make_config(csms.url, "HOLDFAST-1", password=OLD)
                image.update_image(here.path, {"config.json": json.dumps(insecure)})
                await board.apower_on()
                await (await csms.station()).registered()
                await until(lambda: {"minutes", "mark0"} <= set(nvs(here.path)))
                written = os.stat(f"{here.path}.nvs").st_mtime_ns
                await asyncio.sleep(1 / 5)
                assert os.stat(f"{here.path}.nvs").st_mtime_ns == written  # once a day is enough
                await board.apower_cut()
                secure = image.make_config(here.csms.url, "HOLDFAST-1", password=OLD, ca_certificate="/ca.pem")
                image.update_image(here.path, {"config.json": json.dumps(secure)})
                await board.apower_on()
                await here.registered()
                assert "cannot connect" not in board.transcript

    place(situation)


def test_a_time_that_was_wrong_is_mended_by_the_csms_itself(place):
    """It does not lock the station out of TLS for as long as its error is large."""

    async def situation(here):
        async with here.board(known_time=time.time() + 3000 * HOUR):
            await here.registered()
            await until(lambda: abs(60 * nvs(here.path)["minutes"][1] - time.time()) < 120)

    place(situation)


@pytest.mark.parametrize("hours", [-20, 20])
def test_the_clock_of_the_board_follows_what_the_csms_says(place, hours):
    async def situation(here):
        async with here.board(known_time=time.time() + hours * HOUR, speed=5) as board:
            link = await here.registered()
            link.drop()
            await here.csms.station()  # the second handshake goes by what the CSMS said
            board.write("\x03")
            await board.aread_until(">>> ")
            board.write("import time; print('it is', time.time() + 946684800)\r")
            await board.aread_until("it is 1")
            shown = int("1" + (await board.aread_until("\r\n")).split("\r")[0][-9:])
            assert abs(shown - time.time()) < 20

    place(situation)


SLOW_CHIP = """
import holdfast.tls, time
look = holdfast.tls.Handshake._look
def slowly(self, der, depth):
    time.sleep(4)
    return look(self, der, depth)
holdfast.tls.Handshake._look = slowly
"""


def test_a_handshake_that_stops_everything_for_seconds_is_no_reason_for_the_watchdog(place):
    """A whole handshake takes 1.2 s on an ESP32; here it is 8 s, in two steps, and the watchdog as short as can be."""

    async def situation(here):
        async with here.board(known_time=time.time(), boot=SLOW_CHIP, speed=2, watchdog=10) as board:
            await here.csms.station(20)
            assert "Watchdog" not in board.transcript
            line = [line for line in await board.acommand("memory") if line.startswith("TLS handshake")][0]
            before, most, after = [int(number) for number in line.split(": ")[1].split(", ")]
            assert 0 < before <= most and after > 0

    place(situation)


def test_a_csms_with_a_wrong_certificate_is_told_of_once_when_the_right_one_is_back(place):
    """TC_A_05: A00.FR.309 and following, A04.FR.02."""

    async def situation(here):
        async with here.board(known_time=time.time(), speed=5) as board:
            await here.registered()
            good = here.csms.tls
            await here.csms.stop()
            here.csms.tls = server_context(pki().server("127.0.0.1", days=EXPIRED))
            await here.csms.start()
            for _ in range(2):
                await board.aread_until("certificate has expired")
            await here.csms.stop()
            here.csms.tls = good
            await here.csms.start()
            link = await here.csms.station()
            event = await link.expect("SecurityEventNotification")
            assert event["type"] == "InvalidCsmsCertificate"
            assert "has expired" in event["techInfo"]
            await link.nothing("SecurityEventNotification", 0.5)
            assert here.told() == ["InvalidCsmsCertificate"]

    place(situation)


def test_what_was_refused_is_told_after_a_power_cut_too(place):
    async def situation(here):
        good, here.csms.tls = here.csms.tls, server_context(pki().server("127.0.0.1", days=EXPIRED))
        await here.csms.stop()
        await here.csms.start()
        async with here.board(known_time=time.time()) as board:
            await board.aread_until("certificate has expired")
            await board.apower_cut()
            await here.csms.stop()
            here.csms.tls = good
            await here.csms.start()
            await board.apower_on()
            await here.registered()
            await until(lambda: here.told() == ["InvalidCsmsCertificate"])
            await board.apower_cut()
        assert "records/security-InvalidCsmsCertificate" not in image.read_image(here.path)

    place(situation)


def test_tc_a_09_a_new_password_is_used_at_once_and_after_a_power_cut(place):
    async def situation(here):
        async with here.board(known_time=time.time()) as board:
            link = await here.registered()
            here.csms.password = NEW
            answer = await link.call("SetVariables", {"setVariableData": [{
                "attributeValue": NEW, "component": {"name": "SecurityCtrlr"},
                "variable": {"name": "BasicAuthPassword"}}]})
            assert answer["setVariableResult"][0]["attributeStatus"] == "Accepted"
            assert (await link.wait_closed())[0] == 1000
            link = await here.csms.station()
            assert here.csms.connections[-1]["outcome"] == "open"
            await link.nothing("BootNotification", 0.3)
            assert here.told() == ["ReconfigurationOfSecurityParameters"]
            await board.apower_cut()
            await board.apower_on()
            await here.registered()
            assert [one["outcome"] for one in here.csms.connections] == ["open"] * 3
            assert NEW not in board.transcript
            assert OLD not in board.transcript
            assert NEW not in json.dumps(await board.acommand("vars"))

    place(situation)


def test_profile_3_end_to_end(place):
    async def situation(here):
        async with here.board(known_time=time.time(), **CLIENT) as board:
            link = await here.registered()
            assert "Authorization" not in here.csms.connections[0]["headers"]
            answer = await link.call("GetVariables", {"getVariableData": [{
                "component": {"name": "SecurityCtrlr"}, "variable": {"name": "SecurityProfile"}}]})
            assert answer["getVariableResult"][0]["attributeValue"] == "3"
            assert [line for line in await board.acommand("memory") if line.startswith("TLS handshake")]

    place(situation, password=None, client_root=pki().root)
