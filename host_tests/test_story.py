"""`make run`: the story with the real firmware, with stations that misbehave, and the prompt that comes after it."""

import asyncio
import fcntl
import io
import json
import os
import pathlib
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time

import pytest
import websockets.asyncio.client
from puppet import Puppet
from rich.console import Console

from tools import story
from tools.csms import Csms
from tools.prompt import Prompt, PromptError
from tools.timeline import Timeline, describe

ROOT = pathlib.Path(__file__).parent.parent
TITLES = [title for title, _ in story.Story(None, None, None).steps]


# --- a station that misbehaves

def play_with(faults):
    """Play the story with a puppet; returns (whether it was complete, everything it printed)."""
    async def play():
        output = io.StringIO()
        csms = Csms()
        await csms.start()
        puppet = Puppet(csms, faults, story.EXPIRES_IN - 1)  # as early as one may be that counts whole seconds
        timeline = Timeline(Console(file=output, width=200))
        csms.watch(timeline.frame)
        try:
            return await story.Story(csms, puppet, timeline).play(), output.getvalue()
        finally:
            await puppet.close()
            await csms.stop()
    complete, output = asyncio.run(asyncio.wait_for(play(), 60))
    return complete, output


@pytest.fixture
def hurry(monkeypatch):
    monkeypatch.setattr(story, "PATIENCE", 0.5)
    monkeypatch.setattr(story, "BOOT_PATIENCE", 0.5)
    monkeypatch.setattr(story, "EXPIRES_IN", 2)
    # What a puppet says too much it says at once, and from the same event loop.
    monkeypatch.setattr(story.Story, "_quiet", lambda self, action, seconds=0.3, **fields:
                        self.link.nothing(action, seconds / 5, **fields))


def test_the_story_is_complete_with_a_station_that_does_everything_right(hurry):
    complete, output = play_with(set())
    assert complete, output
    assert re.findall(r"✓ \d+\. (.*?):", output) == TITLES
    assert "All %d steps were seen on the wire" % len(TITLES) in output


@pytest.mark.parametrize("fault, title", (
    ("wrong reason", "Boot and register"),
    ("invalid", "Boot and register"),
    ("refuses", "ReserveNow for EVSE 1"),
    ("status before answer", "ReserveNow for EVSE 1"),
    ("one connector only", "Both connectors of EVSE 1 are Reserved"),
    ("answers before it is durable", "Power cut in the middle of the next change"),
    ("dead after the cut", "Reboot"),
    ("forgets", "Still Reserved"),
    ("serves anybody", "The wrong token is refused"),
    ("starts for anybody", "The wrong token is refused"),
    ("no reservationId", "The transaction carries the reservationId"),
    ("reservationId twice", "The transaction carries the reservationId"),
    ("cancels anything", "CancelReservation"),
    ("removes", "Its expiry is reported"),
    ("expires early", "Its expiry is reported"),
    ("never tells", "Its expiry is reported"),
    ("trusts anybody", "Over TLS, a certificate of somebody else is refused"),
    ("never told", "Over TLS (wss), security profile 2"),
    ("no client certificate", "Over TLS (wss), security profile 3"),
))
def test_the_story_notices_a_station_that(fault, title, hurry):
    complete, output = play_with({fault})
    assert not complete
    failed = re.findall(r"✗ \d+\. (.*)", output)
    assert failed == [title], output
    assert "was not seen: %s" % title in output
    assert re.findall(r"✓ \d+\. (.*?):", output) == TITLES[:TITLES.index(title)]


# --- the real firmware

def start(*command, **options):
    environment = {**os.environ, "PROMPT_TOOLKIT_NO_CPR": "1", "TERM": "xterm"}
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.STDOUT, env=environment, **options)


def play_for_real(*command, typed=""):
    """(exit code, output) of a program without a terminal."""
    process = start(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    output, _ = process.communicate(typed, timeout=60)
    return process.returncode, output


def test_make_run_plays_every_step_and_ends_with_0():
    code, output = play_for_real("make", "--silent", "run")
    assert code == 0, output
    assert re.findall(r"✓ \d+\. (.*?):", output) == TITLES, output
    assert "\x1b" not in output


def test_make_run_ends_with_1_when_the_station_takes_no_reservations():
    code, output = play_for_real(sys.executable, "-m", "tools.story", "--variable", "ReservationCtrlr.Available=false")
    assert code == 1, output
    assert "✗ 2. ReserveNow for EVSE 1\n    expected ReserveNow to be Accepted, seen: " in output
    shown = output.partition("the console of the board, last lines:\n")[2]
    assert re.match(r"(?:      # .*\n)*      # .* connected to ws://", shown), output
    assert "Step 2 of %d was not seen" % len(TITLES) in output


def test_both_sides_can_be_driven_from_a_pipe():
    code, output = play_for_real(
        sys.executable, "-m", "tools.story", "--prompt-only",
        typed="reserve 1 --token ABC123 --minutes 10 --id 7\nswipe DEF456 1\nstatus\npower-cut\nfly\nhelp\nquit\n")
    assert code == 0, output
    for expected in ("  reservation 7: Accepted", "EVSE 1: refused: reserved for somebody else", "reservations: 1",
                     "EVSE 1 connector 2: Reserved", "the power was cut and is back", "error: no such command: fly"):
        assert expected in output, output


class Terminal:
    """A program on a pseudo terminal."""

    def __init__(self, *command):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        self.process = start(*command, stdin=slave, stdout=slave, start_new_session=True)
        os.close(slave)
        self.output = ""

    def type(self, line):
        os.write(self.master, line.encode() + b"\r")

    def read_until(self, text, timeout=30):
        """Read until the text appears after what was read before; escape sequences are left out."""
        deadline, fresh = time.monotonic() + timeout, ""
        while text not in fresh:
            assert select.select([self.master], [], [], max(0, deadline - time.monotonic()))[0], self.output
            fresh += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", os.read(self.master, 65536).decode(errors="replace"))
        self.output += fresh
        return fresh

    def close(self):
        """Wait for the end; returns the exit code."""
        try:
            return self.process.wait(timeout=10)
        finally:
            self.process.kill()
            os.close(self.master)


def test_on_a_terminal_it_stays_and_one_prompt_drives_both_sides():
    terminal = Terminal(sys.executable, "-m", "tools.story")
    try:
        terminal.read_until("holdfast>")
        assert re.findall(r"✓ \d+\. (.*?):", terminal.output) == TITLES, terminal.output
        for line, expected in (("reserve 2 --token DEF456 --minutes 10 --id 20", "reservation 20: Accepted"),
                               ("status", "evse 2: idle"), ("swipe DEF456 ISO14443 2", "accepted: reservation 20"),
                               ("plug 2", "reservationId 20"), ("cancel 20", "reservation 20: cancel Rejected"),
                               ("set TxCtrlr.EVConnectionTimeOut 60", "TxCtrlr.EVConnectionTimeOut: Accepted"),
                               ("station vars TxCtrlr.EVConnectionTimeOut", "TxCtrlr.EVConnectionTimeOut: 60")):
            terminal.type(line)
            terminal.read_until(expected, 10)
        terminal.type("quit")
    finally:
        assert terminal.close() == 0


# --- the prompt

class Repeating:
    """A board's console that repeats what it was told."""

    errors = (ValueError,)

    def __init__(self):
        self.lines, self.cycles = [], 0

    async def command(self, line):
        self.lines.append(line)
        if line == "plug 9":
            raise ValueError("error no such EVSE")
        return ["done: " + line]

    async def power_cycle(self):
        self.cycles += 1


class Answering:
    """A station that answers every CALL from a table and notes it."""

    def __init__(self, answers):
        self.answers, self.calls = answers, []

    async def run(self, url):
        async with websockets.asyncio.client.connect(url + "/S1", subprotocols=["ocpp2.0.1"]) as socket:
            async for text in socket:
                _, message_id, action, payload = json.loads(text)
                self.calls.append((action, payload))
                await socket.send(json.dumps([3, message_id, self.answers[action]]))


def at_prompt(test, answers=None, board=True):
    """Run `await test(prompt, station, board)` with an `Answering` station connected."""
    async def scenario():
        async with Csms() as csms:
            station, console = Answering(answers or {}), Repeating()
            prompt = Prompt(csms, console if board else None)
            task = asyncio.create_task(station.run(csms.url))
            await csms.station()
            try:
                await test(prompt, station, console)
            finally:
                task.cancel()
    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_reserve_becomes_a_reserve_now():
    async def test(prompt, station, board):
        assert await prompt.execute("reserve 1 --token ABC123 --minutes 10 --id 7") == ["reservation 7: Accepted"]
        action, payload = station.calls.pop()
        assert (action, payload["id"], payload["evseId"]) == ("ReserveNow", 7, 1)
        assert payload["idToken"] == {"idToken": "ABC123", "type": "ISO14443"}
        assert payload["expiryDateTime"][:16] == prompt.csms.time(600)[:16]
        assert await prompt.execute("reserve --token DEF456 --type cCCS2 --group FAMILY") == ["reservation 8: Accepted"]
        payload = station.calls.pop()[1]
        assert "evseId" not in payload and payload["connectorType"] == "cCCS2"
        assert payload["groupIdToken"] == {"idToken": "FAMILY", "type": "Central"}
    at_prompt(test, {"ReserveNow": {"status": "Accepted"}})


def test_the_other_commands_of_the_csms():
    async def test(prompt, station, board):
        for line, call, output in (
                ("cancel 7", ("CancelReservation", {"reservationId": 7}), "reservation 7: cancel Rejected, NotFound"),
                ("cancel 0", ("CancelReservation", {"reservationId": 0}), "reservation 0: cancel Rejected, NotFound"),
                ("start ABC123 2", ("RequestStartTransaction", {"remoteStartId": 1, "evseId": 2, "idToken": {
                    "idToken": "ABC123", "type": "ISO14443"}}), "start: Accepted"),
                ("availability 0 inoperative", ("ChangeAvailability", {"operationalStatus": "Inoperative"}),
                 "availability: Scheduled"),
                ("availability 1.2 operative", ("ChangeAvailability", {
                    "operationalStatus": "Operative", "evse": {"id": 1, "connectorId": 2}}), "availability: Scheduled"),
                ("reset", ("Reset", {"type": "Immediate"}), "reset: Accepted"),
                ("reset OnIdle", ("Reset", {"type": "OnIdle"}), "reset: Accepted"),
                ("get A.B[C]", ("GetVariables", {"getVariableData": [{
                    "component": {"name": "A"}, "variable": {"name": "B", "instance": "C"}}]}), "A.B[C]: 5"),
                ("set A.B 'two words'", ("SetVariables", {"setVariableData": [{
                    "component": {"name": "A"}, "variable": {"name": "B"}, "attributeValue": "two words"}]}),
                 "A.B: Rejected, ReadOnly")):
            assert await prompt.execute(line) == [output]
            assert station.calls.pop() == call
    name = {"component": {"name": "A"}, "variable": {"name": "B"}}
    at_prompt(test, {
        "CancelReservation": {"status": "Rejected", "statusInfo": {"reasonCode": "NotFound"}},
        "RequestStartTransaction": {"status": "Accepted"}, "ChangeAvailability": {"status": "Scheduled"},
        "Reset": {"status": "Accepted"},
        "GetVariables": {"getVariableResult": [{"attributeStatus": "Accepted", "attributeValue": "5", **name}]},
        "SetVariables": {"setVariableResult": [{
            "attributeStatus": "Rejected", "attributeStatusInfo": {"reasonCode": "ReadOnly"}, **name}]}})


def test_commands_of_the_board_go_to_its_console():
    async def test(prompt, station, board):
        for line in ("plug 1 2", "unplug 1", "swipe ABC123 ISO14443 1", "fault 1 GroundFailure", "clear 1", "suspend 1",
                     "resume 1", "time +60"):
            assert await prompt.execute(line) == ["done: " + line]
        assert await prompt.execute("swipe ABC123 2") == ["done: swipe ABC123 ISO14443 2"]
        assert await prompt.execute("station log --all 'as it is'") == ["done: log --all 'as it is'"]
        assert await prompt.execute("power-cut") and board.cycles == 1
        with pytest.raises(PromptError, match="no such EVSE"):
            await prompt.execute("plug 9")
        assert len(board.lines) == 11 and station.calls == []
    at_prompt(test)


def test_a_wrong_command_says_how_it_is_used():
    async def test(prompt, station, board):
        for line, text in (("cancel", "usage: cancel ID"), ("cancel seven", "invalid int value"), ("fly", "try help"),
                           ("reserve 1 --type x", "invalid choice"), ("plug one", "usage: plug EVSE"),
                           ("get Heartbeat", "a variable like"), ("swipe 'ABC", "No closing quotation"),
                           ("availability all operative", "an EVSE like 2"), ("help fly", "no such command")):
            with pytest.raises(PromptError, match=re.escape(text)):
                await prompt.execute(line)
        assert await prompt.execute("  ") == []
        assert station.calls == board.lines == []
    at_prompt(test)


def test_the_prompt_of_the_csms_alone_has_no_commands_for_a_board():
    async def test(prompt, station, board):
        assert "plug" not in prompt.commands and "reserve" in prompt.commands
        assert not any("plug" in line for line in await prompt.execute("help"))
    at_prompt(test, board=False)


def test_status_shows_both_views():
    async def test(prompt, station, board):
        await prompt.execute("reserve 1 --id 7")
        await prompt.execute("reserve --id 8 --type cType2")
        await prompt.execute("cancel 7")
        prompt.csms.link.statuses[(1, 2)] = "Reserved"
        output = "\n".join(await prompt.execute("status"))
        assert "S1 is connected" in output and "EVSE 1 connector 2: Reserved" in output
        assert "reservation 8: any EVSE with cType2 for ABC123 until" in output and "reservation 7" not in output
        assert "done: status" in output
    at_prompt(test, {"ReserveNow": {"status": "Accepted"}, "CancelReservation": {"status": "Accepted"}})


def test_help_names_every_command():
    async def test(prompt, station, board):
        output = "\n".join(await prompt.execute("help"))
        for name in prompt.commands:
            assert re.search(r"^%s\b" % name, output, re.MULTILINE)
        assert await prompt.execute("help cancel") == ["cancel ID", "  CancelReservation"]
    at_prompt(test)


def test_completion_offers_what_may_come_next():
    async def test(prompt, station, board):
        prompt.csms.link.statuses.update({(1, 1): "Available", (1, 2): "Available", (2, 1): "Available"})
        prompt.ledger.reservations[7] = "EVSE 1"
        for text, words in (("re", ["reserve", "reset", "resume"]), ("reserve ", ["1", "2", "--token"]),
                            ("reserve 1 --token ", ["ABC123", "DEF456"]), ("reserve 1 --type cC", ["cCCS1", "cCCS2"]),
                            ("reserve 1 --token X --t", ["--token-type", "--type"]), ("cancel ", ["7"]),
                            ("plug 1 ", ["1", "2"]), ("plug 1 1 ", []), ("reset O", ["OnIdle"]), ("nonsense ", []),
                            ("swipe A", ["ABC123"]), ("swipe ABC123 L", ["Local"]), ("help ca", ["cancel"])):
            assert prompt.completions(text)[:len(words) or None] == words, text
    at_prompt(test)


def test_without_a_station_the_prompt_says_so():
    async def scenario():
        async with Csms() as csms:
            with pytest.raises(PromptError, match="no station is connected"):
                await Prompt(csms).execute("cancel 7")
            assert "no station is connected" in (await Prompt(csms).execute("status"))[0]
    asyncio.run(scenario())


# --- the timeline

def test_frames_are_told_in_words():
    for frame, action, words in (
            ([2, "1", "StatusNotification", {"evseId": 1, "connectorId": 2, "connectorStatus": "Reserved"}], None,
             ("StatusNotification", "EVSE 1 connector 2 Reserved")),
            ([2, "1", "TransactionEvent", {
                "eventType": "Started", "triggerReason": "Authorized", "seqNo": 0, "reservationId": 0, "offline": True,
                "transactionInfo": {"transactionId": "0123456789", "chargingState": "Charging"},
                "evse": {"id": 1, "connectorId": 2}, "idToken": {"idToken": "T", "type": "Local"}}], None,
             ("TransactionEvent", "Started, Authorized, EVSE 1 connector 2, Charging, T (Local), reservationId 0, "
                                  "offline, transaction 01234567… #0")),
            ([3, "1", {"status": "Rejected", "statusInfo": {"reasonCode": "OutOfStorage"}}], "ReserveNow",
             ("↳ ReserveNow", "Rejected, OutOfStorage")),
            ([4, "1", "NotSupported", "no", {}], "Fly", ("↳ Fly", "CALLERROR NotSupported no ")),
            ([3, "1", {}], None, ("↳ 1", "")),
            ([2, "1"], None, ("?", '[2, "1"]')), (5, None, ("?", "5"))):
        assert describe(json.dumps(frame), action) == words
    assert describe(b"\xff") == ("?", "b'\\xff'")
