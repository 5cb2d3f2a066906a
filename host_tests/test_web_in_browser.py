"""The installer's page in a real browser the size of a phone: a new station is commissioned, then looked at."""

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from test_web_on_board import NOWHERE, codes

from tools import image
from tools.csms import Csms

ROOT = Path(__file__).resolve().parent.parent
BROWSER = ROOT / "tools" / "browser"
PICTURES = ROOT / "build" / "pictures"

if not shutil.which("node"):
    pytest.skip("node is missing", allow_module_level=True)
if not (BROWSER / "node_modules" / "playwright-core").is_dir():
    pytest.skip("the browser is missing: make setup", allow_module_level=True)

# One after the other: whichever is first unpacks the browser, and the others must not start half of it.
pytestmark = pytest.mark.xdist_group("browser")


def browse(board, password, steps):
    """What each step saw; see tools/browser/installer.mjs."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    task = {"url": "http://127.0.0.1:%d/" % board.ports[80], "password": password, "pictures": str(PICTURES),
            "steps": steps}
    done = subprocess.run(["node", BROWSER / "installer.mjs", json.dumps(task)], capture_output=True, text=True,
                          timeout=90, env={**os.environ, "NODE_NO_WARNINGS": "1"})
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert not answer["noise"]
    return answer["seen"]


def test_an_installer_commissions_a_new_station_with_a_phone(make_board):
    async def situation():
        async with Csms() as csms:
            board = make_board(image.firmware_files(), size=512 * 4096)
            await board.apower_on()
            password = codes(await board.aread_until("not off by itself"))["password"]
            seen = await asyncio.to_thread(browse, board, password, [
                ["open"], ["picture", "login"],
                ["login", "not-the-password"], ["see", "Wrong"], ["wait", 1100], ["login"],
                ["see", "config.json: the file is missing"], ["cookies"],
                ["settings"], ["type", "station_id", "DEPOT-7"], ["type", "csms_url", "https://csms.example/"],
                ["type", "evses", "cCCS2 cType2\nsType2"], ["save"], ["complaints"], ["picture", "wrong"], ["overflow"],
                ["type", "csms_url", csms.url], ["type", "evses", "cCCS2 type2\nsType2"], ["save"], ["complaints"],
                ["type", "evses", "cCCS2 cType2\nsType2"], ["type", "", '{"watchdog": 0'], ["press"], ["complaints"],
                ["type", "", '{"watchdog": 0}'], ["type", "password", "a-password-of-some-length"],
                ["save"], ["see", "Saved."],
            ])
            assert (seen[2], seen[5], seen[7]) == (403, 200, "")
            assert seen[12] == 422 and seen[15] == 0
            assert seen[13] == [["csms_url", "csms_url: not a URL like wss://host:port/path"]]
            assert seen[18] == 422 and [name for name, _ in seen[19]] == ["evses"]
            assert seen[23] == [["", "not JSON"]]
            assert seen[26:28] == [200, True]

            await (await csms.station()).registered()
            await board.aread_until("Wi-Fi Holdfast")
            seen = await asyncio.to_thread(browse, board, password, [
                ["open"], ["login"], ["view", "status", "registration"], ["picture", "status"], ["overflow"],
                ["view", "log", "somebody logged in"], ["picture", "log"],
                ["settings"], ["value", "station_id"], ["value", "password"], ["value", "evses"], ["value", ""],
                ["picture", "settings"], ["view", "memory", "heap used"], ["view", "flash", "blocks"],
                ["view", "off", "The page is off"],
            ])
            assert seen[15] == "The page is off, the station goes on."
            assert "DEPOT-7" in seen[2] and "Accepted" in seen[2] and seen[4] == 0
            assert seen[8:11] == ["DEPOT-7", "", "cCCS2 cType2\nsType2"]
            assert json.loads(seen[11])["watchdog"] == 0
            assert password not in "\n".join(await board.acommand("log"))

    asyncio.run(situation())


def test_settings_that_nobody_changed_are_saved_as_they_were_and_spaces_do_not_matter(make_board):
    lan = {"mdc": 23, "mdio": 18, "phy_type": "LAN8720", "phy_addr": 0, "power": 12}
    settings = image.make_config(NOWHERE, "DEPOT-7", network={"ethernet": lan, "time_server": "10.0.0.1"}, watchdog=0,
                                 message_limit=4096, web={"minutes": 30}, ca_certificate="/ca.pem",
                                 variables={"OCPPCommCtrlr.HeartbeatInterval": "60"})
    board = make_board({**image.firmware_files(), "config.json": json.dumps(settings)}, size=512 * 4096)
    board.power_on()
    board.read_until("security event")
    password = codes("\n".join(board.command("web on")))["password"]
    for steps in ([], [["type", "evses", " cCCS2  cType2 \n\tsType2 \n"], ["type", "model", " Virtual "]]):
        seen = browse(board, password, [["open"], ["login"], ["settings"], *steps, ["save"]])
        assert seen[-1] == 200
        board.read_until("off after 30 minutes without use", 10)
        assert json.loads(image.read_image(board.image)["config.json"]) == settings


def test_a_phone_out_of_reach_is_told(make_board):
    board = make_board(image.charger_files("ws://127.0.0.1:9/", "DEPOT-7"), size=512 * 4096)
    board.power_on()
    board.read_until("next attempt")
    password = codes("\n".join(board.command("web on")))["password"]
    gone = ["see", "The station does not answer."]
    browse(board, password, [
        ["open"], ["leave"], ["try", password], gone, ["return"],
        ["open"], ["login"], ["view", "status", "station"], ["leave"], gone, ["return"],
        ["open"], ["login"], ["settings"], ["leave"], ["press"], gone,
    ])


def test_what_strangers_put_into_names_stays_text(make_board):
    """A Wi-Fi may have any name, and the log tells it."""
    evil = "<img src=x onerror=alert(1)>"
    files = image.charger_files("ws://127.0.0.1:9/", "DEPOT-7", vendor_name=evil, model="<b>m</b>",
                                network={"wifi": {"ssid": evil}})
    board = make_board(files, size=512 * 4096)
    board.power_on()
    board.read_until("no such network in reach")
    shown = codes("\n".join(board.command("web on")))
    before = ["b", "img", "script"]
    seen = browse(board, shown["password"], [
        ["open"], ["login"], ["view", "log", evil], *[["count", "#lines " + name] for name in before],
        ["settings"], ["value", "vendor_name"], ["count", "img"], ["count", "script"], ["type", "model", ""],
        ["type", "", '{"<img src=y onerror=alert(2)>": 1}'], ["save"], ["complaints"], ["count", "img"], ["inject"],
    ])
    assert evil in seen[2] and seen[3:6] == [0, 0, 0]
    assert seen[7:10] == [evil, 0, 1]
    assert seen[12] == 422 and "<img src=y" in seen[13][0][1] and seen[14] == 0
    assert seen[15] is False


def test_a_page_of_another_site_neither_frames_this_one_nor_changes_anything(make_board):
    """Its requests arrive with its own origin, or go unread."""
    board = make_board(image.charger_files("ws://127.0.0.1:9/", "DEPOT-7"), size=512 * 4096)
    board.power_on()
    board.read_until("next attempt")
    password = codes("\n".join(board.command("web on")))["password"]
    seen = browse(board, password, [["open"], ["login"], ["view", "status", "station"], ["elsewhere"]])
    assert seen[3] == {"framed": False, "off": "refused", "login": "refused"}
    assert "evse 1: idle" in board.command("status")
    assert not [line for line in board.command("log") if "wrong password" in line or "page: off" in line]
