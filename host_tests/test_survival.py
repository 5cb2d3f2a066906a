"""The agent on the virtual board, alone: damaged file systems, crashes, safe mode, the watchdog, back from the REPL."""

import asyncio
import contextlib
import json
import random
import runpy
import sys
import time
import types

import pytest
from holdfast import board as chip
from holdfast import flash
from virtual_boards import PROMPT, SIZE, ask, nvs, until

from tools import image
from tools.csms import Csms
from tools.virtual_board import BoardError, VirtualBoard

NOWHERE = "ws://127.0.0.1:9/"
QUICK = {"OCPPCommCtrlr.RetryBackOffWaitMinimum": "1", "OCPPCommCtrlr.RetryBackOffRandomRange": "0"}
# Once switched on it hangs when there is nothing more to tell, and never again.
HANG = """
import holdfast.link, machine
tick = holdfast.link.Link.tick
def hang(self, now):
    while machine.reset_cause() == machine.PWRON_RESET and self.station.registration and self.station.all_said():
        pass
    tick(self, now)
holdfast.link.Link.tick = hang
"""


def files(url=NOWHERE, boot="", **overrides):
    found = image.charger_files(url, "HOLDFAST-1", **overrides)
    found["boot.py"] += boot.encode()
    return found


def crashing(board, times):
    """Let main.py end by an exception so many times in a row."""
    for _ in range(times):
        board.read_until("RuntimeError: on purpose", 10)


CRASH = """
import holdfast.station
def fail(*words):
    raise RuntimeError("on purpose")
holdfast.station.Station.__init__ = fail
"""
# The agent's clock goes so many times as fast; that of the chip, with its watchdog, does not.
FAST = """
import holdfast.agent
monotonic = holdfast.agent.monotonic
def fast(*ticks):
    now = monotonic(*ticks)
    return lambda: now() * %d
holdfast.agent.monotonic = fast
"""
# Runs for a moment after power-on, and then crashes.
LAST_WORDS = """
import holdfast.agent, machine
if machine.reset_cause() == machine.PWRON_RESET:
    def fail(agent):
        agent.log("info", "last words")
        raise RuntimeError("on purpose")
    holdfast.agent.Agent._offer_page = fail
"""


# --- the file system


@pytest.mark.parametrize("first, second", [(0, 0), (0xFF, 0), (0, 0xFF)])
def test_damaged_file_system_is_formatted_and_told(make_board, first, second):
    """One of its first two blocks may be erased: only where both are there never was a file system."""
    board = make_board(files(), size=512 * 4096)
    with open(board.image, "r+b") as file:
        file.write(bytes([first] * 4096 + [second] * 4096))
    board.power_on()
    board.read_until("holdfast: file system damaged (84) and formatted: all files are lost")
    board.read_until(PROMPT)
    assert ask(board, "import os; os.listdir('/')") == "[]"


def frozen_station(make_board, url=NOWHERE, **options):
    """A board whose agent is in its image, as a product has it: the file system has only what is the station's own."""
    settings = json.dumps(image.make_config(url, "HOLDFAST-1", variables=QUICK))
    return make_board({"config.json": settings}, size=512 * 4096, frozen=image.frozen_image(), **options)


def test_a_station_whose_file_system_is_damaged_reports_it_and_connects_again_by_itself(make_board):
    async def situation():
        async with Csms() as csms:
            board = frozen_station(make_board, csms.url)
            await board.apower_on()
            await (await csms.station()).registered()
            await until(lambda: "mark0" in nvs(board.image))  # the configuration has been copied
            await board.apower_cut()
            with open(board.image, "r+b") as file:
                file.write(bytes(2 * 4096))
            await board.apower_on()
            await (await csms.station()).registered()
            told = "file system damaged (84) and formatted: all files are lost; brought back: /config.json"
            for command in ("log", "crash"):
                assert told in "".join(await board.acommand(command)), command
            await board.apower_cut()
            await board.apower_on()
            await (await csms.station()).registered()
            assert "".join(await board.acommand("crash")).count("file system damaged") == 1

    asyncio.run(situation())


def test_a_power_cut_while_a_damaged_file_system_is_made_anew_loses_nothing_that_has_a_copy(make_board):
    board = frozen_station(make_board)
    board.power_on()
    board.read_until("next attempt")
    board.write("\x03")
    board.read_until(PROMPT)
    assert ask(board, "from holdfast import keep; keep.keep('', agent.config)") == "['/config.json']"
    board.power_cut()
    with open(board.image, "rb") as file:
        content = bytes(2 * 4096) + file.read()[2 * 4096:]
    with open(board.image + ".nvs", "rb") as file:
        kept = file.read()
    cuts = 0
    restored = False
    while not restored:
        for path, octets in ((board.image, content), (board.image + ".nvs", kept)):
            with open(path, "r+b") as file:
                file.truncate()
                file.write(octets)
        cuts += 1
        seen = len(board.transcript)
        board.cut_after(cuts)
        with contextlib.suppress(BoardError):  # while _boot.py still runs
            board.power_on()
        board.wait_off()
        restored = "brought back" in board.transcript[seen:]
        board.power_on()
        board.read_until("next attempt", 10)  # so it has its configuration
        board.power_cut()
    assert cuts > 5


def mounting(monkeypatch, sound):
    """(answer, what was done) of _boot.py's `_mount`, of a file system that nobody recognizes at first sight."""
    names, done = {}, []
    exec((image.ROOT / "firmware" / "_boot.py").read_text().partition("\n_boot(")[0], names)

    class Vfs:
        def __init__(self, device):
            if not sound and "mkfs" not in done:
                raise OSError(84)

        @staticmethod
        def mkfs(device):
            done.append("mkfs")

    class Device:
        def ioctl(self, request, argument):
            return 4096

        def readblocks(self, block, page, offset):
            page[:] = bytes(512)

    def mount(device, path):
        if type(device) is not Vfs:
            raise OSError(19)  # ENODEV, as vfs.mount says that looks for a type it knows
        done.append("mounted")

    monkeypatch.setitem(sys.modules, "vfs", types.SimpleNamespace(mount=mount, VfsLfs2=Vfs))
    monkeypatch.setattr(time, "sleep", lambda seconds: done.append("waited"))
    return names["_mount"](Device(), done.append), done


def test_what_was_damaged_is_noted_before_it_is_formatted(monkeypatch):
    trouble, done = mounting(monkeypatch, False)
    assert done == ["waited", trouble, "mkfs", "mounted"] and "all files are lost" in trouble


def test_a_file_system_that_only_looks_strange_is_mounted_and_not_formatted(monkeypatch):
    assert mounting(monkeypatch, True) == (None, ["waited", "mounted"])


def test_what_is_noted_is_no_longer_than_the_agent_reads(monkeypatch):
    names, noted = {}, []
    exec((image.ROOT / "firmware" / "_boot.py").read_text().partition("\n_boot(")[0], names)
    nvs = types.SimpleNamespace(set_blob=lambda key, text: noted.append(text), commit=lambda: noted.append("committed"))
    monkeypatch.setitem(sys.modules, "esp32", types.SimpleNamespace(NVS=lambda namespace: nvs))
    names["_note"]("x" * 300)
    assert noted == ["x" * 100, "committed"]


@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_damaged_the_board_comes_up_and_answers(make_board, seed):
    """Never an endless loop, whatever littlefs makes of it."""
    choose = random.Random(seed)
    board = frozen_station(make_board, heap="400K")
    board.power_on()
    board.read_until("next attempt")
    board.power_cut()
    image.update_image(board.image, {"crash.txt": "old\n", **{
        name: flash.framed(name[8:], b"of some length" * 8) for name in map("records/variable-{}".format, range(20))}})
    with open(board.image, "r+b") as file:
        content = file.read()
        used = [block for block in range(512) if content[block * 4096:(block + 1) * 4096] != b"\xff" * 4096]
        for block in choose.sample(used, choose.randint(1, len(used))):
            at = block * 4096 + choose.randrange(0, 4096, 64)
            file.seek(at)
            file.write(choose.choice((bytes(64), b"\xff" * 64, choose.randbytes(64), bytes(4096))))
    for _ in range(2):
        board.power_on()
        assert board.command("status", 10).ok == "ok", seed
        board.power_cut()


def test_the_agent_tells_once_that_the_file_system_was_formatted(make_board):
    board = make_board(files(), size=512 * 4096)
    board.power_on()
    board.read_until("next attempt")
    board.write("\x03")
    board.read_until(PROMPT)
    ask(board, "import esp32; n = esp32.NVS('holdfast')")
    ask(board, "n.set_blob('trouble', 'file system damaged' + '!' * 81); n.commit()")
    board.write("\x04")
    board.read_until("# +0s error file system damaged" + "!" * 81)  # as much as _boot.py notes
    assert any("file system damaged" in line for line in board.command("crash"))
    board.command("reboot")
    board.read_until("next attempt")
    assert not any("file system damaged" in line for line in board.command("log 1"))


def test_flash_that_cannot_be_written_is_left_alone_and_does_not_stop_the_board(tmp_path):
    path = tmp_path / "other.img"
    path.write_bytes(b"precious" * (SIZE // 8))
    with VirtualBoard(path) as board:
        board.fail_flash()
        board.power_on()
        assert "flash fails" in board.read_until(PROMPT)
    assert path.read_bytes() == b"precious" * (SIZE // 8)


# --- crashes and safe mode


def test_three_crashes_in_a_row_lead_to_safe_mode_and_a_loss_of_power_leaves_it(make_board):
    board = make_board(files(boot=CRASH, watchdog=30), size=512 * 4096, speed=10)
    board.power_on()
    crashing(board, 3)
    board.read_until("no station: safe mode after 3 crashes in a row", 10)
    assert "mode: safe mode after 3 crashes in a row, reboot tries again" in board.command("status")
    assert "watchdog: 30 s" in board.command("tasks")
    assert len([line for line in board.command("crash") if "crash: RuntimeError: on purpose" in line]) == 3
    board.write("\x03")
    board.read_until(PROMPT)
    board.power_cut()
    image.update_image(board.image, {"boot.py": ""})
    board.power_on()
    assert "link: waiting" in board.command("status")


def test_a_reboot_in_safe_mode_gives_the_station_its_three_chances_again(make_board):
    board = make_board(files(boot=CRASH), size=512 * 4096, speed=10)
    board.power_on()
    crashing(board, 3)
    board.read_until("no station: safe mode after 3 crashes in a row", 10)
    assert board.command("reboot").ok == "ok restarting"
    crashing(board, 3)
    board.read_until("no station: safe mode after 3 crashes in a row", 10)


def test_a_crash_is_told_to_whoever_is_far_away_and_is_in_the_log_of_the_next_run(make_board):
    async def situation():
        async with Csms() as csms:
            board = make_board(files(csms.url, LAST_WORDS, variables=QUICK), size=512 * 4096, speed=5)
            await board.apower_on()
            link = await csms.station(10)
            await link.registered()
            assert csms.events("BootNotification")[0]["reason"] == "ApplicationReset"
            event = await link.expect("SecurityEventNotification", type="ResetOrReboot")
            assert event["techInfo"] == "ApplicationReset, crash: RuntimeError: on purpose; boot 1"
            log = "\n".join(await board.acommand("log"))
            for line in ("info last words", "crashes in a row: 1", "error crash: RuntimeError: on purpose; boot 1",
                         "error   Traceback (most recent call last):"):
                assert line in log, log
            # Once: what happens later has nothing to do with it.
            await board.acommand("reboot")
            link = await csms.station(10)
            event = await link.expect("SecurityEventNotification", type="ResetOrReboot")
            assert event["techInfo"] == "LocalReset"

    asyncio.run(situation())


def test_a_network_that_crashes_is_not_there_in_safe_mode(make_board):
    crash = "import holdfast.network\nholdfast.network.Network.__init__ = None\n"
    network = {"wifi": {"ssid": "home", "password": "secret-word"}}
    board = make_board(files(boot=crash, network=network), size=512 * 4096, speed=10)
    board.power_on()
    board.read_until("no station: safe mode after 3 crashes in a row", 20)
    assert "mode: safe mode after 3 crashes in a row, reboot tries again" in board.command("status")


def test_safe_mode_gives_the_station_another_chance_after_an_hour(make_board):
    board = make_board(files(boot=FAST % 1000 + CRASH), size=512 * 4096, speed=10)
    board.power_on()
    crashing(board, 3)
    board.read_until("no station: safe mode after 3 crashes in a row", 10)
    board.read_until("restarting: ApplicationReset")
    crashing(board, 3)  # three, not one: the row begins anew
    board.read_until("no station: safe mode after 3 crashes in a row", 10)


def test_a_configuration_that_could_not_be_read_is_read_again_after_an_hour(make_board):
    """A voltage that is too low for the flash is enough, and nobody is there to switch off and on."""
    board = make_board(files(boot=FAST % 10_000) | {"config.json": "{"}, size=512 * 4096, speed=10)
    board.power_on()
    board.read_until("no station: config.json: not JSON")
    board.read_until("restarting: ApplicationReset")
    board.read_until("no station: config.json: not JSON")


def test_a_crash_after_a_long_time_of_health_is_not_one_in_a_row(make_board):
    board = make_board(files(boot=FAST % 1000 + LAST_WORDS), size=512 * 4096, speed=10)
    board.power_on()
    board.read_until("crashes in a row: 1", 10)
    board.read_until("next attempt")
    asyncio.run(until(lambda: nvs(board.image)["crashes"][1] == 0))
    assert "crashes in a row: 0" in board.command("tasks")


def test_a_reboot_on_purpose_is_no_crash(make_board):
    board = make_board(files(), size=512 * 4096)
    board.power_on()
    for _ in range(4):
        board.read_until("next attempt")
        board.command("reboot")
    board.read_until("next attempt")
    assert "mode: " not in "".join(board.command("status"))
    assert not [line for line in board.command("log") if "crashes in a row" in line]


def test_ctrl_c_while_the_agent_starts_is_no_crash(make_board):
    stop = "import holdfast.agent\ndef stop(*words):\n  raise KeyboardInterrupt\nholdfast.agent.Agent._build = stop\n"
    board = make_board(files(boot=stop), size=512 * 4096)
    board.power_on()
    board.read_until(PROMPT)
    assert nvs(board.image)["ended"][1] == chip.ON_PURPOSE


def test_power_cuts_are_no_crashes(make_board):
    board = make_board(files(), size=512 * 4096)
    for _ in range(4):
        board.power_on()
        board.read_until("next attempt")
        board.power_cut()
    board.power_on()
    assert "link: waiting" in board.command("status")


def test_a_task_that_crashes_leaves_a_report_and_the_station_goes_on(make_board):
    board = make_board(files(boot="import holdfast.commands\ndef bad(*w):\n  raise KeyError('x')\n"
                                  "holdfast.commands.Commands._vars = bad\n"), size=512 * 4096, speed=5)
    board.power_on()
    board.read_until("next attempt")
    with pytest.raises(Exception, match="command failed"):
        board.command("vars")
    time.sleep(0.3)
    report = board.command("crash")
    assert report[0].startswith("console: KeyError: x; ") and report[0].endswith("; boot 1")
    assert report[1] == "  Traceback (most recent call last):"


@pytest.mark.parametrize("soft", [False, True])
def test_the_log_of_before_a_reset_is_there_afterwards(make_board, soft):
    board = make_board(files(), size=512 * 4096)
    board.power_on()
    board.read_until("next attempt")
    board.command("fault 1 GroundFault")
    if soft:
        board.write("\x03")
        board.read_until(PROMPT)
        board.write("\x04")
    else:
        board.command("reboot")
    board.read_until("next attempt")
    log = board.command("log")
    assert any("EVSE 1 faulted: GroundFault" in line for line in log)
    assert soft or any("restarting: LocalReset" in line for line in log)


# --- the watchdog, and what the CSMS hears


def test_an_agent_that_hangs_is_reset_by_the_watchdog_and_says_so(make_board):
    async def situation():
        async with Csms() as csms:
            board = make_board(files(csms.url, HANG, watchdog=10, variables=QUICK), size=512 * 4096, speed=5)
            await board.apower_on()
            await (await csms.station()).registered()
            await board.aread_until("started because of: Watchdog", 20)
            await (await csms.station(10)).registered()
            assert [event["reason"] for event in csms.events("BootNotification")] == ["PowerUp", "Watchdog"]

    asyncio.run(situation())


STUCK = """
import asyncio, machine
if machine.reset_cause() == machine.PWRON_RESET:
    import holdfast.%s
    async def stuck(self):
        self._next = self.now()
        await asyncio.Event().wait()
    holdfast.%s = stuck
"""


def test_one_task_that_is_stuck_is_enough_for_the_watchdog_although_the_loop_goes_on(make_board):
    board = make_board(files(boot=FAST % 20 + STUCK % ("link", "link.Link._session"), watchdog=10, variables=QUICK),
                       size=512 * 4096, speed=5)
    board.power_on()
    board.read_until("error tasks that make no progress: link")
    assert [line for line in board.command("tasks") if line.startswith("link: due in -")]
    board.read_until("started because of: Watchdog", 15)
    assert "error tasks that make no progress: link" in "\n".join(board.command("log"))


def test_no_operation_on_slow_flash_is_long_enough_for_the_watchdog(make_board):
    """Erasing a block takes 400 ms at worst, programming 3 ms (W25Q32JV, tSE and tPP)."""

    async def situation():
        async with Csms() as csms:
            board = make_board(files(csms.url, watchdog=10, variables=QUICK), size=512 * 4096, erase_us=400_000,
                               program_us=3000)
            await board.apower_on()
            link = await csms.station(20)
            await link.registered()
            before, longest = board.flash.erases, 0
            while board.flash.erases < before + 4:
                begun = time.monotonic()
                for evse in (1, 2):
                    await link.call("ReserveNow", {"id": evse, "expiryDateTime": csms.time(600), "evseId": evse,
                                                   "idToken": {"idToken": "ABC123", "type": "Central"}})
                    await link.call("CancelReservation", {"reservationId": evse})
                longest = max(longest, time.monotonic() - begun)
            assert longest < 5
            assert "Watchdog" not in board.transcript

    asyncio.run(situation())


@pytest.mark.parametrize("cause, held", [("SOFT_RESET", [True]), ("HARD_RESET", []), ("PWRON_RESET", [])])
def test_a_watchdog_that_a_soft_reset_left_running_is_fed_for_the_tool_that_did_it(monkeypatch, cause, held):
    """As `mpremote cp`, which starts no agent. Only a soft reset leaves it running (library/machine.WDT.html)."""
    machine = types.SimpleNamespace(PWRON_RESET=1, HARD_RESET=2, SOFT_RESET=5)
    machine.reset_cause = lambda: getattr(machine, cause)
    done = []
    monkeypatch.setitem(sys.modules, "machine", machine)
    monkeypatch.setattr(chip, "hold", lambda: done.append(True))
    monkeypatch.setattr(chip, "quiet", lambda: None)
    runpy.run_path(str(image.ROOT / "firmware" / "boot.py"))
    assert done == held


def test_an_agent_that_works_feeds_the_watchdog(make_board):
    board = make_board(files(watchdog=10), size=512 * 4096, speed=5)
    board.power_on()
    board.read_until("next attempt")
    time.sleep(11 / 5)
    assert int(board.command("status")[0].split()[1]) >= 11


# --- back from the REPL


def test_resume_after_ctrl_c_goes_on_with_what_flash_holds(make_board):
    async def situation():
        async with Csms() as csms:
            board = make_board(files(csms.url, variables=QUICK), size=512 * 4096)
            await board.apower_on()
            link = await csms.station()
            await link.registered()
            await link.call("ReserveNow", {"id": 7, "expiryDateTime": csms.time(600), "evseId": 1,
                                           "idToken": {"idToken": "ABC123", "type": "Central"}})
            board.write("\x03")
            await board.aread_until(PROMPT)
            await asyncio.to_thread(ask, board, "station.reservations.held.clear(); agent.link = None")
            board.write("resume()\r")
            await (await csms.station()).registered()
            assert csms.events("BootNotification")[-1]["reason"] == "LocalReset"
            assert (await board.acommand("reservations"))[0].startswith("reservation 7: EVSE 1")
            await asyncio.sleep(0.3)  # the virtual board takes two Ctrl-C for one when they come together
            board.write("\x03")
            await board.aread_until(PROMPT)
            assert await asyncio.to_thread(ask, board, "station is agent.station, station.reservations.held[0].id") == (
                "(True, 7)")

    asyncio.run(situation())


def test_config_of_the_watchdog_is_checked(make_board):
    settings = image.make_config(NOWHERE, "HOLDFAST-1", watchdog=5)
    board = make_board(image.firmware_files() | {"config.json": json.dumps(settings)}, size=512 * 4096)
    board.power_on()
    assert "config error: watchdog: not 0 (off) or 10 to 300 seconds" in board.command("status")


# --- what a person with a serial cable sees


def test_trace_shows_the_frames_and_no_token(make_board):
    async def situation():
        async with Csms() as csms:
            board = make_board(files(csms.url, variables=QUICK), size=512 * 4096)
            await board.apower_on()
            link = await csms.station()
            await link.registered()
            await board.acommand("trace on")
            await link.call("ReserveNow", {"id": 7, "expiryDateTime": csms.time(600), "evseId": 1,
                                           "idToken": {"idToken": "SECRET-TOKEN-1", "type": "Central"}})
            shown = await board.aread_until('# -> [3, ')
            assert "# <- [2, " in shown and "ReserveNow" in shown and "SE***1" in shown
            assert (await board.acommand("trace off")).ok == "ok off"
            assert "SECRET-TOKEN-1" not in board.transcript

    asyncio.run(situation())


def test_tasks_and_flash_and_memory_tell_only_what_was_counted(make_board):
    board = make_board(files(watchdog=30, variables=QUICK), size=512 * 4096)
    board.power_on()
    board.read_until("next attempt")
    tasks = board.command("tasks")
    assert "console: waiting" in tasks and "watchdog: 30 s" in tasks and "boots: 1" in tasks
    assert [line for line in tasks if line.startswith("timer: due in ")]
    flash = board.command("flash")
    assert flash[0].startswith("file system: ") and "estimate: none, too little was counted" in flash
    assert [line.split(":")[0] for line in board.command("memory")] == ["heap used", "heap free"]  # no ESP-IDF here


def test_a_crash_in_safe_mode_too_ends_at_the_repl(make_board):
    board = make_board(files(boot=CRASH + "import holdfast.agent\nholdfast.agent.Agent.run = fail\n"), size=512 * 4096,
                       speed=5)
    board.power_on()
    crashing(board, 4)
    board.read_until("holdfast: crashed in safe mode too: this is the REPL, for 15 minutes")
    board.read_until(PROMPT)
    assert ask(board, "from holdfast import board; board.recall('watchdog')") == "60"  # it runs, and bites in the end


def test_a_configuration_that_was_removed_stays_removed(make_board):
    async def situation():
        async with Csms() as csms:
            board = make_board(files(csms.url, variables=QUICK), size=512 * 4096)
            await board.apower_on()
            await (await csms.station()).registered()
            await until(lambda: "mark0" in nvs(board.image))  # it has been copied
            await board.apower_cut()
            image.update_image(board.image, {}, ["config.json"])
            await board.apower_on()
            assert "config error: config.json: the file is missing" in await board.acommand("status")

    asyncio.run(situation())


def test_copies_that_are_forgotten_do_not_come_back(make_board):
    board = make_board(files(), size=512 * 4096)
    board.power_on()
    board.read_until("next attempt")
    board.write("\x03")
    board.read_until(PROMPT)
    ask(board, "from holdfast import keep")
    assert ask(board, "keep.keep('', agent.config), keep.keep('', agent.config)") == "(['/config.json'], [])"
    ask(board, "import os; os.remove('/config.json')")
    assert ask(board, "keep.restore()") == "['/config.json']"
    ask(board, "os.remove('/config.json'); keep.forget()")
    assert ask(board, "keep.restore(), os.listdir('/').count('config.json')") == "([], 0)"


def test_the_certificates_and_the_key_that_a_configuration_names_come_back_with_it(make_board):
    named = {"ca.pem": b"of the CA", "station.pem": b"of the station", "station.key": b"its key"}
    board = make_board({**files("wss://127.0.0.1:9/", ca_certificate="/ca.pem", client_certificate="/station.pem",
                                client_key="/station.key"), **named}, size=512 * 4096)
    board.power_on()
    board.read_until("next attempt")
    board.write("\x03")
    board.read_until(PROMPT)
    ask(board, "from holdfast import keep; import os")
    copied = ask(board, "keep.keep('', agent.config)")
    assert copied == "['/config.json', '/ca.pem', '/station.pem', '/station.key']"
    for name in named:
        ask(board, "os.remove('%s')" % name)
    assert ask(board, "keep.restore()") == "['/ca.pem', '/station.pem', '/station.key']"
    assert {name: image.read_image(board.image)[name] for name in named} == named
