"""The serial console of a board whose agent is running: for a script, for a person, and through a pipe."""

import asyncio
import json
import re
import sys

import pytest
from desk import PATIENCE, STATION_ID, TOKEN1, TOKEN2, TOKENS, iso

from tools import image
from tools.csms import Csms
from tools.virtual_board import BoardError

PASSWORD = "correct horse battery"

# Every command of the console, in an order in which each one but the last three has something to do.
COMMANDS = [
    "help", "status", "reserve 1 %s 10" % TOKEN1, "reserve any %s 10 Central 77" % TOKEN2, "reservations", "cancel 77",
    "vars", "vars ReservationCtrlr", "vars TxCtrlr.TxStartPoint", "log", "log 3", "log off", "log on", "memory",
    "plug 2", "unplug 2", "plug 1 2", "swipe %s ISO14443 1" % TOKEN1, "suspend 1", "resume 1", "swipe %s" % TOKEN1,
    "unplug 1", "fault 2 GroundFault", "clear 2", "fault 1", "clear 1", "time +5", "echo off", "disconnect", "connect",
    "plug 9", "swipe", "nonsense",
]
ENDS = re.compile(r"(ok|error)\b")


def answers(transcript):
    """The lines of a transcript, without log and echo, cut after each one that ends an answer."""
    found, lines = [], []
    for line in transcript.splitlines():
        if not line.startswith(("# ", "> ")):
            lines.append(line)
        if ENDS.match(line):
            found.append(lines)
            lines = []
    return found


async def test_each_command_answers_with_output_and_then_one_line_of_ok_or_error(station):
    """Given all at once, as by a script, while the agent runs."""
    async with station() as desk:
        began = len(desk.board.transcript)
        desk.board.write("".join(command + "\n" for command in COMMANDS))
        await desk.board.aread_until("error no command 'nonsense'", PATIENCE)
        await desk.board.aread_until("\n", PATIENCE)
        answered = answers(desk.board.transcript[began:])
        assert len(answered) == len(COMMANDS)
        for command, lines in zip(COMMANDS, answered):
            assert lines[-1].startswith("error" if command in COMMANDS[-3:] else "ok"), (command, lines)
            assert bool(lines[:-1]) == (command.split()[0] in ("help", "status", "reservations", "vars", "memory")
                                        or command in ("log", "log 3")), (command, lines)
            assert all(": " in line for line in lines[:-1]) or command in ("help", "log", "log 3"), lines
        assert {line.split()[0] for line in answered[0][:-1]} >= {command.split()[0] for command in COMMANDS[:-1]}
        await desk.connected()


async def test_what_is_done_at_the_console_is_seen_on_the_wire(station):
    """H01.FR.16, H01.FR.23: cables, faults, pauses, and reservations for service."""
    async with station() as desk:
        assert await desk.console("reserve 1 %s 10" % TOKEN1) == ["ok Accepted"]
        await desk.statuses("Reserved", 1)
        with pytest.raises(BoardError, match="error Occupied"):
            await desk.console("reserve 1 %s 10" % TOKEN2)
        assert await desk.reserve(8, 1, TOKEN2) == "Occupied"
        await desk.console("fault 1 GroundFault")
        await desk.statuses("Faulted", 1)
        await desk.expect("ReservationStatusUpdate", reservationId=1, reservationUpdateStatus="Removed")
        await desk.console("clear 1")
        await desk.statuses("Available", 1)
        await desk.authorize("local", TOKEN2)
        await desk.charge(TOKEN2)
        for command, state in (("suspend 1", "SuspendedEV"), ("resume 1", "Charging")):
            await desk.console(command)
            await desk.expect("TransactionEvent", {"triggerReason": "ChargingStateChanged",
                                                   "transactionInfo.chargingState": state})
        await desk.console("unplug 1")
        await desk.expect("TransactionEvent", {"eventType": "Ended", "triggerReason": "EVCommunicationLost"})
        await desk.link.status(1, 1, "Available", PATIENCE)
        await desk.quiet()


async def test_reboot_at_the_console(station):
    """B01.FR.03, B01.FR.13: LocalReset, with a farewell to the CSMS and the reservations as they were."""
    async with station() as desk:
        assert await desk.reserve(7, 1) == "Accepted"
        await desk.statuses("Reserved", 1)
        assert await desk.console("reboot") == ["ok restarting"]
        assert await desk.link.wait_closed(PATIENCE) == (1000, "bye")
        assert await desk.registered("LocalReset") == {(1, 1): "Reserved", (1, 2): "Reserved", (2, 1): "Available"}
        assert any(line.startswith("reservation 7: EVSE 1, token ") for line in await desk.console("reservations"))


async def test_ctrl_c_leads_to_the_repl_with_the_station_at_hand_and_ctrl_d_back(station):
    """The contactors are open meanwhile, the connection is closed; then everything starts again as it was."""
    async with station() as desk:
        assert await desk.reserve(7, 2, TOKEN1) == "Accepted"
        await desk.statuses("Reserved", 2)
        await desk.authorize("local", TOKEN2)
        await desk.charge(TOKEN2)
        desk.board.write("\x03")
        await desk.board.aread_until(">>> ", PATIENCE)
        assert "contactors open" in desk.board.transcript
        await desk.link.wait_closed(PATIENCE)
        for code, result in (("len(station.evses)", "2"), ("station.reservations.held[0].id", "7"),
                             ("agent.hardware.closed", "[False, False]"), ("station.registration", "'Accepted'")):
            desk.board.write(code + "\r")
            output = await desk.board.aread_until(">>> ", PATIENCE)
            assert output.splitlines()[-2] == result, output
        desk.board.write("\x04")
        assert await desk.registered("LocalReset") == {(1, 1): "Available", (1, 2): "Available", (2, 1): "Reserved"}
        assert await desk.cancel(7) == "Accepted"


async def test_typing_is_shown_and_shown_again_after_a_log_line(station):
    async with station() as desk:
        await desk.console("echo on")
        for character in "stax\x7f":
            desk.board.write(character)
        await desk.board.aread_until("> stax\b \b", PATIENCE)
        assert await desk.reserve(7, 1) == "Accepted"
        await desk.board.aread_until("\n# ", PATIENCE)
        await desk.board.aread_until("\n> sta", PATIENCE)
        desk.board.write("tus\r")
        await desk.board.aread_until("tus", PATIENCE)
        await desk.board.aread_until("station: " + STATION_ID, PATIENCE)
        await desk.board.aread_until("\nok", PATIENCE)


async def test_the_log_never_has_an_id_token_or_the_password_in_full(station):
    """Neither the log as it grows, nor `log`, nor what the other commands show."""
    secret = "0123SECRET9876"
    async with station(config={"password": PASSWORD}, password=PASSWORD) as desk:
        group = {"idToken": secret[::-1], "type": "Central"}
        assert await desk.reserve(7, 1, secret, groupIdToken=group) == "Accepted"
        assert await desk.reserve(8, 1, secret) == "Occupied"
        for line in ("swipe %s ISO14443 2" % secret, "swipe %s Central 1" % secret[::-1],
                     "swipe %s ISO14443 1" % TOKEN1):
            desk.board.write(line + "\n")
        await desk.sync()
        assert await desk.remote_start(secret, 1) == "Accepted"
        request = {"id": 9, "evseId": 1, "expiryDateTime": desk.csms.time(60), "idToken": iso(secret)}
        for text in (json.dumps([2, "a", "ReserveNow", {**request, "idToken": secret}]),
                     json.dumps([2, "b", "ReserveNow", {**request, "idToken": iso(secret * 3)}]),
                     json.dumps([2, "c", "ReserveNow", {**request, "id": secret}]),
                     json.dumps([2, "d", "ReserveNow", {**request, "filler": secret * 1000}]),
                     json.dumps([2, secret, secret, {secret: secret}]), '[2, "e", "ReserveNow", {"id' + secret,
                     json.dumps([2, secret, secret, {secret: secret}, secret])):
            await desk.link.ask_raw(text, PATIENCE)
        await desk.console("plug 1")
        await desk.console("swipe %s ISO14443 1" % secret)
        shown = []
        for command in ("log", "status", "reservations", "vars"):
            shown += await desk.console(command)
        shown += [line for line in desk.board.transcript.splitlines() if line.startswith("# ")]
        for line in shown:
            assert secret.lower() not in line.lower() and secret[::-1] not in line and PASSWORD not in line, line
        assert any("01***6 may charge" in line for line in shown)


async def test_a_wrong_configuration_names_the_field_and_leaves_the_console(cold):
    async with cold() as desk:
        files = image.read_image(desk.path)
        settings = json.loads(files["config.json"])
        settings["evses"][1]["connectors"] = ["sTypo"]
        image.update_image(desk.path, {"config.json": json.dumps(settings)})
        await desk.board.apower_on()
        assert any("config error: evses[1].connectors[0]" in line for line in await desk.console("status"))
        with pytest.raises(BoardError, match="error no station"):
            await desk.console("reserve 1 %s 10" % TOKEN1)
        desk.board.write("\x03")
        await desk.board.aread_until(">>> ", PATIENCE)
        fixed = files["config.json"].decode().replace("\n", "").replace("'", "")
        desk.board.write("f = open('config.json', 'w'); f.write('%s'); f.close()\r\x04" % fixed)
        await desk.registered("LocalReset")


async def test_make_station_is_driven_through_a_pipe(tmp_path):
    """`python -m tools.charger` reads commands from standard input, and ends when the last one is answered."""
    async with Csms(TOKENS) as csms:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tools.charger", "--url", csms.url, "--id", "PIPED", "--exit-at-eof", cwd=image.ROOT,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
        try:
            link = await csms.station(PATIENCE)
            await link.registered(timeout=PATIENCE)
            commands = ["reserve 1 %s 10" % TOKEN1, "swipe %s ISO14443 1" % TOKEN2, "swipe %s ISO14443 1" % TOKEN1,
                        "plug 1", "nonsense", "status"]
            process.stdin.write("".join(command + "\n" for command in commands).encode())
            await link.expect("TransactionEvent", reservationId=1, timeout=PATIENCE)
            output, errors = await asyncio.wait_for(process.communicate(b""), PATIENCE)  # b"": and no more
        finally:
            if process.returncode is None:
                process.kill()
        answered = answers(output.decode())
        assert [lines[-1].split()[0] for lines in answered] == ["ok"] * 4 + ["error", "ok"]
        assert "station: PIPED" in answered[-1] and "\r" not in output.decode()
        assert process.returncode == 0 and b"console also at /dev/" in errors
