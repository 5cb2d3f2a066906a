"""The story that `make run` plays: a reservation's life, through a power cut, between a CSMS and a virtual charger.

Every step is proved by what passes on the wire and told as it happens. The exit code is 0 only if each one was seen;
otherwise the story says what it expected and what came instead. On a terminal it then stays with a prompt.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time

from rich.text import Text

from tools import image, pki
from tools.csms import CallError, Csms, LinkClosed, NoAnswer, NotSeen, Violations
from tools.prompt import Prompt
from tools.timeline import Timeline
from tools.virtual_board import BoardError, VirtualBoard

STATION_ID = "HOLDFAST-1"
PASSWORD = "on the desk, not secret"
RIGHT, WRONG = "ABC123", "DEF456"       # the CSMS knows both tokens: one has the reservation, the other has not
CONNECTORS = {(1, 1), (1, 2), (2, 1)}
EXPIRES_IN = 4                          # seconds, for the reservation that nobody uses
PATIENCE = 5                            # seconds to wait for what has to come at once
BOOT_PATIENCE = 10                      # and for a board to boot and connect

# What may go wrong in a step, apart from faults of the story itself.
FAILURES = (AssertionError, BoardError, CallError, LinkClosed, NoAnswer, OSError)


class Charger:
    """The virtual charger: a board with the firmware of this repository, driven from asyncio."""

    errors = (BoardError, OSError)

    def __init__(self, url, directory, variables=None, in_rom=False, heap="2M", ca=None):
        self.path, self.variables = os.path.join(directory, "charger.img"), variables or {}
        trust = {"ca_certificate": "/ca.pem"} if ca else {}
        files = image.charger_files(
            url, STATION_ID, in_rom=in_rom, password=PASSWORD, variables=self.variables, **trust)
        image.build_image(self.path, {**files, "ca.pem": ca} if ca else files)
        self.board = VirtualBoard(self.path, heap=heap, romfs=image.romfs_image() if in_rom else None)

    async def power_on(self):
        await self.board.apower_on()

    async def power_cycle(self):
        """Cut the power now and switch it on again."""
        await self.board.apower_cut()
        await self.board.apower_on()

    def cut_in_next_write(self):
        """Arm a power cut in the middle of the next flash operation; `wait_off` waits for it."""
        self.board.cut_after(1)

    async def wait_off(self):
        """Returns what the cut did to the flash, in words."""
        cut = await self.board.await_off()
        return "in the middle of flash operation %d, which is left %s" % (cut.operation, cut.mode)

    async def configure(self, url, files, **settings):
        """Switch off and give the board another CSMS, with files and settings that go with it."""
        await self.board.apower_cut()
        settings = image.make_config(url, STATION_ID, variables=self.variables, **settings)
        image.update_image(self.path, {"config.json": json.dumps(settings), **files})

    async def refusal(self):
        """What the board says of a CSMS that it does not trust."""
        text = await asyncio.to_thread(self.board.read_until, ", wss://", BOOT_PATIENCE)
        return text.rpartition("cannot connect: ")[2].removesuffix(", wss://")

    async def command(self, line):
        """A line for the console; returns its output with the text after `ok`, raises BoardError for `error`."""
        answer = await self.board.acommand(line)
        rest = answer.ok[len("ok"):].strip(" :")
        return list(answer) + ([rest] if rest else [])

    def last_lines(self, count=15):
        return self.board.transcript.splitlines()[-count:]

    async def close(self):
        await self.board.aclose()


class Story:
    """The steps, in order. `charger` is a `Charger` or has the same methods; `play` returns whether all were seen."""

    def __init__(self, csms, charger, timeline, authority=None):
        self.csms, self.charger, self.timeline = csms, charger, timeline
        self.link = None
        self.expiry = None
        self.pki = authority            # made when wanted
        self.steps = (
            ("Boot and register", self.boot_and_register),
            ("ReserveNow for EVSE 1", self.reserve_now),
            ("Both connectors of EVSE 1 are Reserved", self.reserved),
            ("Power cut in the middle of the next change", self.power_cut),
            ("Reboot", self.reboot),
            ("Still Reserved", self.still_reserved),
            ("The wrong token is refused", self.wrong_token),
            ("The right token frees the connector", self.right_token),
            ("The transaction carries the reservationId", self.transaction),
            ("A second reservation", self.second_reservation),
            ("CancelReservation", self.cancel_reservation),
            ("A third reservation", self.third_reservation),
            ("Its expiry is reported", self.expired),
            ("Over TLS, a certificate of somebody else is refused", self.wrong_certificate),
            ("Over TLS (wss), security profile 2", self.profile_2),
            ("Over TLS (wss), security profile 3", self.profile_3),
        )

    async def play(self):
        """Play all steps up to the first that fails, then say how it went."""
        for number, (title, step) in enumerate(self.steps, 1):
            self.timeline.say()
            self.timeline.say(Text("%2d. %s" % (number, title), style="bold"))
            try:
                seen = await step()
            except FAILURES as failure:
                return self._failed(number, title, failure)
            if self.csms.violations:
                return self._failed(number, title, Violations("seen, but with messages that the standard forbids"))
            self.timeline.say(Text.assemble(("  ✓ %d. %s" % (number, title), "bold green"), ": " + seen))
        self.timeline.say()
        self.timeline.say(Text("All %d steps were seen on the wire in %.1f s; every message was valid by the official "
                               "schemas." % (len(self.steps), time.monotonic() - self.timeline.start), "bold green"))
        return True

    def _failed(self, number, title, failure):
        self.timeline.say(Text("  ✗ %d. %s" % (number, title), style="bold red"))
        first, *rest = (str(failure) or repr(failure)).splitlines()
        self.timeline.say("    %s" % first)
        for line in rest + self.csms.violations:
            self.timeline.say("    %s" % line)
        self.timeline.say("    the console of the board, last lines:")
        for line in self.charger.last_lines():
            self.timeline.say("      " + line)
        self.timeline.say()
        self.timeline.say(Text("Step %d of %d was not seen: %s" % (number, len(self.steps), title), style="bold red"))
        return False

    # --- the steps: each returns what was seen, or raises

    async def boot_and_register(self):
        await self._boot()
        statuses = await self.link.all_reported(len(CONNECTORS), PATIENCE)
        _check("three Available connectors", statuses == dict.fromkeys(CONNECTORS, "Available"), statuses)
        return "accepted, and three connectors are Available"

    async def reserve_now(self):
        await self._reserve(7, 1, 600)
        return "Accepted, and only then is the status reported"

    async def reserved(self):
        await self._both("Reserved")
        await self._quiet("StatusNotification", evseId=2)
        return "EVSE 2 stays as it was"

    async def power_cut(self):
        self.charger.cut_in_next_write()
        change = asyncio.create_task(self._reserve(7, 1, 1200))
        try:
            cut = await self.charger.wait_off()
            self._say("the power is cut " + cut)
            await change
        except (LinkClosed, NoAnswer):
            pass
        else:
            raise NotSeen("expected no answer to a change that was never finished, but there was one")
        finally:
            change.cancel()
        await self.link.wait_closed()
        return "the change (a later expiry for the same reservation) was never answered"

    async def reboot(self):
        await self._boot()
        return "registered again"

    async def still_reserved(self):
        await self._both("Reserved")
        await self._status(2, 1, "Available")
        return "both connectors of EVSE 1"

    async def wrong_token(self):
        await self._console("swipe %s ISO14443 1" % WRONG)
        await self._quiet("TransactionEvent", 0.8)
        answer = await self.link.call("RequestStartTransaction", {
            "remoteStartId": 1, "evseId": 1, "idToken": {"idToken": WRONG, "type": "ISO14443"}})
        _check("RequestStartTransaction to be Rejected", answer["status"] == "Rejected", answer)
        await self._quiet("TransactionEvent", 0.3)
        await self._quiet("StatusNotification", 0.1)
        return "%s starts nothing, at the reader or from afar; EVSE 1 stays Reserved" % WRONG

    async def right_token(self):
        await self._console("swipe %s ISO14443 1" % RIGHT)
        await self._both("Available")
        return "both connectors of EVSE 1 are Available, the reservation is used up"

    async def transaction(self):
        await self._console("plug 1 1")
        await self._status(1, 1, "Occupied")
        started = await self.link.expect("TransactionEvent", eventType="Started", timeout=PATIENCE)
        _check("reservationId 7 and the token in the transaction", (started.get("reservationId") == 7
               and started.get("idToken", {}).get("idToken") == RIGHT), started)
        await self._console("unplug 1")
        ended = await self.link.expect("TransactionEvent", eventType="Ended", timeout=PATIENCE)
        same = started["transactionInfo"]["transactionId"]
        _check("the same transaction to end", ended["transactionInfo"]["transactionId"] == same, ended)
        await self._status(1, 1, "Available")
        told = self.link.events("TransactionEvent", reservationId=7)
        _check("reservationId to be told once", len(told) == 1, told)
        self.link.forget("TransactionEvent")
        return "reservationId 7, once, in the first event after the authorization"

    async def second_reservation(self):
        await self._reserve(8, 2, 600)
        await self._status(2, 1, "Reserved")
        return "EVSE 2 is Reserved"

    async def cancel_reservation(self):
        answer = await self.link.call("CancelReservation", {"reservationId": 8})
        _check("CancelReservation to be Accepted", answer["status"] == "Accepted", answer)
        await self._status(2, 1, "Available")
        answer = await self.link.call("CancelReservation", {"reservationId": 8})
        _check("a second CancelReservation to be Rejected", answer["status"] == "Rejected", answer)
        await self._quiet("ReservationStatusUpdate")
        return "Accepted, EVSE 2 is Available; a second time it is Rejected"

    async def third_reservation(self):
        self.expiry = time.monotonic() + EXPIRES_IN
        await self._reserve(9, 1, EXPIRES_IN)
        await self._both("Reserved")
        return "EVSE 1 is Reserved for %d seconds" % EXPIRES_IN

    async def expired(self):
        update = await self.link.expect("ReservationStatusUpdate", timeout=EXPIRES_IN + PATIENCE)
        _check("reservation 9 Expired", update == {"reservationId": 9, "reservationUpdateStatus": "Expired"}, update)
        late = update.at - self.expiry
        # The station counts whole seconds: it may cut off most of one.
        _check("Expired at expiryDateTime", -1.2 < late < 3, "%+.1f s" % late)
        await self._both("Available")
        return "Expired, %+.1f s from expiryDateTime, and EVSE 1 is Available" % late

    async def wrong_certificate(self):
        self.pki = self.pki or pki.Pki()
        await self._over_tls(pki.Pki("Somebody else"), password=PASSWORD)
        attempts = len(self.csms.connections)
        await self.charger.power_on()
        refusal = await self.charger.refusal()
        _check("no connection", len(self.csms.connections) == attempts, refusal)
        return refusal

    async def profile_2(self):
        await self._over_tls(self.pki, password=PASSWORD)
        await self._boot()
        event = await self.link.expect("SecurityEventNotification", type="InvalidCsmsCertificate", timeout=PATIENCE)
        return "accepted over %s; told: %s" % (self.link.tls.version(), event["techInfo"])

    async def profile_3(self):
        self.csms.password = None
        client = self.pki.client(STATION_ID)
        await self._over_tls(self.pki, self.pki.root, {"station.pem": client.pem, "station.key": client.key_pem},
                             client_certificate="/station.pem", client_key="/station.key")
        await self._boot()
        _check("no password", "Authorization" not in self.csms.connections[-1]["headers"], "one")
        names = dict(pair[0] for pair in self.link.tls.getpeercert()["subject"])
        _check("the certificate of the station", names == {"commonName": STATION_ID}, names)
        return "accepted by its client certificate, %s" % STATION_ID

    # --- their parts

    async def _over_tls(self, authority, client_root=None, files=(), **settings):
        """Restart the CSMS with a certificate from `authority`; the charger trusts that of the story."""
        await self.csms.stop()
        self.csms.tls = pki.server_context(authority.server(self.csms.host), client_root)
        await self.csms.start()
        await self.charger.configure(self.csms.url, {"ca.pem": self.pki.root.pem, **dict(files)},
                                     ca_certificate="/ca.pem", **settings)

    async def _boot(self):
        await self.charger.power_on()
        self.link = await self.csms.station(BOOT_PATIENCE)
        boot = await self.link.expect("BootNotification", timeout=PATIENCE)
        _check("BootNotification with the reason PowerUp", boot["reason"] == "PowerUp", boot)

    async def _reserve(self, number, evse_id, seconds):
        passed = len(self.link.log)
        answer = await self.link.call("ReserveNow", {
            "id": number, "expiryDateTime": self.csms.time(seconds), "evseId": evse_id,
            "idToken": {"idToken": RIGHT, "type": "ISO14443"}})
        _check("ReserveNow to be Accepted", answer["status"] == "Accepted", answer)
        came = [json.loads(text) for _, direction, text in self.link.log[passed:] if direction == "<-"]
        earlier = came[:[frame[0] for frame in came].index(3)]
        _check("the answer to come before the status", "StatusNotification" not in str(earlier), earlier)

    async def _status(self, evse_id, connector_id, status):
        await self.link.status(evse_id, connector_id, status, PATIENCE)

    async def _both(self, status):
        await self._status(1, 1, status)
        await self._status(1, 2, status)

    async def _quiet(self, action, seconds=0.3, **fields):
        await self.link.nothing(action, seconds, **fields)

    async def _console(self, line):
        self._say("at the charger: " + line)
        for output in await self.charger.command(line):
            self._say("  " + output)

    def _say(self, text):
        self.timeline.frame(time.monotonic(), STATION_ID, "--", text)


def _check(expected, seen_it, seen):
    if not seen_it:
        raise NotSeen("expected %s, seen: %s" % (expected, seen if isinstance(seen, str) else _compact(seen)))


def _compact(seen):
    try:
        return json.dumps(seen)
    except TypeError:       # keys that are pairs
        return repr(seen)


def _setting(text):
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError("not Component.Variable=VALUE")
    return name, value


async def main(arguments=None):
    """Play, and on a terminal stay. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.story", description=__doc__.partition("\n")[0])
    parser.add_argument("--variable", action="append", default=[], metavar="Component.Variable=VALUE", type=_setting,
                        help="a factory setting of the charger; may be repeated")
    parser.add_argument("--wss", action="store_true", help="over TLS from the beginning, security profile 2")
    parser.add_argument("--romfs", action="store_true", help="the charger runs its code in place, from a ROMFS image")
    parser.add_argument("--heap", default="2M", help="of the charger; with --romfs all of it is the firmware's")
    parser.add_argument("--prompt-only", action="store_true", help="do not play, only start both sides and the prompt")
    parser.add_argument("--stay", action="store_true", help="stay with the prompt even without a terminal")
    wanted = parser.parse_args(arguments)
    on_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    timeline = Timeline(empty=False)
    with tempfile.TemporaryDirectory(prefix="holdfast-story-") as directory:
        csms = Csms((RIGHT, WRONG), password=PASSWORD, stations=(STATION_ID,))
        authority = ca = None
        if wanted.wss:
            authority = pki.Pki()
            csms.tls, ca = pki.server_context(authority.server(csms.host)), authority.root.pem
        await csms.start()
        csms.watch(timeline.frame)
        charger = Charger(csms.url, directory, dict(wanted.variable), wanted.romfs, wanted.heap, ca)
        try:
            prompt = Prompt(csms, charger, write=timeline.say)
            timeline.say("A development CSMS at %s, a virtual charger with its console at %s" % (
                csms.url, charger.board.port))
            timeline.say("──▶ is from the charger to the CSMS, ◀── to it; empty answers are left out")
            if wanted.prompt_only:
                await charger.power_on()
                link = await csms.station()
                await link.registered(len(CONNECTORS))
                await link.expect("SecurityEventNotification")      # the last that a boot brings about
                complete = True
            else:
                complete = await Story(csms, charger, timeline, authority).play()
            if on_terminal or wanted.stay or wanted.prompt_only:
                timeline.say()
                timeline.say("Both sides are yours now: help lists the commands, quit ends.")
                await prompt.run()
        finally:
            csms.watchers.clear()
            await charger.close()
            await csms.stop()
    return 0 if complete else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(asyncio.run(main()))
    except KeyboardInterrupt:
        sys.exit(130)
