"""The agent on a board: it wires station, flash, hardware, link and console together and keeps them running.

The tasks are: the link, the timer, the console, and the hardware's own if it has one. A task that raises what nobody
expected is reported with its traceback and started again a second later: a charger has nobody to restart it. A wrong
configuration leaves the console, which tells what is wrong, and so does safe mode, after crashes in a row. Ctrl-C opens
the contactors and ends it all; `resume` goes on.
"""

import asyncio
import gc
import os
import sys
import time

from . import board, config
from .clock import rfc3339
from .console import Console
from .log import Log
from .watchdog import Watchdog

_PACE = 200  # ms between looks at the timers, at the most
_STALE = 8  # attempts to connect in vain after which an interface that says it is up is not believed
_FORLORN = 256  # after which the board restarts, once it is idle: with OCPP's usual back-off that is a day
_AGAIN = 1000  # ms until a task that failed is started again
_PATIENCE = 10_000  # ms without progress until the watchdog bites: the slowest step is the TLS handshake's
_FAREWELL = 5000  # ms to send what is still to be said before a restart
_THRESHOLD = 8192  # bytes allocated until garbage is collected
_PENANCE = 3_600_000  # ms without a station until it gets another chance
_DAY = 86_400_000


def monotonic(ticks, difference):
    """A function that returns the milliseconds since now, an integer that never wraps.

    `ticks()` and `difference(later, earlier)` as time.ticks_ms and time.ticks_diff, which wrap after 12.4 days on a
    32-bit board. To be called at least every 6 days.
    """
    last = ticks()
    passed = 0

    def now():
        nonlocal last, passed
        read = ticks()
        passed += difference(read, last)
        last = read
        return passed

    return now


class Agent:
    """Everything of one board. `root`: the directory of config.json and the records, "" on a board."""

    def __init__(self, root=""):
        self.now = monotonic(time.ticks_ms, time.ticks_diff)
        self.root = root
        self.station = self.network = self.web = self._button = None
        self.log = Log(self._time, echo=self._echo, keep=board.machine and board.backup)
        self.console = Console(self)
        self.safe = board.crashes >= board.LIMIT
        self._trouble = board.trouble()
        if self._trouble:
            from .keep import restore

            self._trouble += "; brought back: " + (", ".join(restore()) or "none")
        self._build()

    def _build(self):
        """Make the station and what belongs to it, from what flash holds; in safe mode only read the configuration."""
        self.config = self.station = self.link = self.hardware = self.config_error = None
        self._due = 0  # when the station wants its next tick
        self._noted = 0  # when NVS wants to know again what must not be lost
        self._restart = None  # why the board is to be restarted
        self.erase = None  # "all" or "keep": the board is to forget who it is, see factory.py
        self.watchdog = Watchdog(None)
        self._late = []  # the tasks that are, as last told
        gc.collect()
        try:
            self.config = config.read(self.root + config.PATH)
        except config.ConfigError as error:
            self.config_error = str(error)
            self.log("error", "no station: " + self.config_error)
            return
        for warning in self.config.warnings:
            self.log("warning", warning)
        if self.safe:
            self.config_error = "safe mode after %d crashes in a row, reboot tries again" % board.crashes
            self.log("error", "no station: " + self.config_error)
            return
        # Late: should the network or one of these be what crashes, safe mode can do without. The network first, before
        # the heap grows: Wi-Fi wants its memory from ESP-IDF, and has it for good then.
        if self.config.network and not self.network:
            self._join()
        from .flash import Records
        from .hardware import driver
        from .link import Link
        from .station import Station

        self.hardware = driver(self.config)
        self.station = Station(self.config, Records(self.root + "/records"), self.hardware, os.urandom, self.log)
        self.link = Link(self.config, self.station, self.log, self.now, os.urandom, self.changed, self._ask_time)

    def run(self):
        """Run until Ctrl-C. It may come between any two instructions, so only a restart goes on from there."""
        from micropython import kbd_intr

        try:
            try:
                asyncio.run(self._main())
            finally:
                # Whatever it is that ends the run. Tools press Ctrl-C twice, and people too: from here on nobody
                # interrupts any more, and whoever did so just before is heard a moment later.
                kbd_intr(-1)
                try:
                    self._open_contactors()
                except KeyboardInterrupt:
                    self._open_contactors()
                self.log.save()
        except KeyboardInterrupt:
            if self.web:
                self.web.close()
            board.end(board.ON_PURPOSE)
            board.hold()
            if self.link:
                asyncio.new_event_loop()
                asyncio.run(self.link.abandon())
            self._show("\nholdfast: stopped, contactors open; `station` and `agent` are at hand,"
                       " resume() goes on, Ctrl-D starts again\n")
        finally:
            kbd_intr(3)

    def resume(self):
        """Go on after Ctrl-C: as after a restart, the station made anew from what flash holds, but without one."""
        board.end(board.RUNNING)
        board.reason = "LocalReset"
        asyncio.new_event_loop()
        self._build()
        self.run()

    def changed(self):
        """Something was told to the station: its timers may have changed, and it may have something to send."""
        if self.station:
            now = self.now()
            self._due = now + self.station.next_tick(now)
            self.link.poke()

    def restart(self, reason):
        """Restart the board soon. `reason`: BootReasonEnumType."""
        if self.station:
            self.station.restart(self.now(), reason)
        self._restart = reason

    def memory(self):
        """(bytes used, bytes free) of the heap, after tidying up."""
        gc.collect()
        return gc.mem_alloc(), gc.mem_free()

    def page(self, how, minutes=None):
        """Switch the installer's web page; see `switch` in web/server.py. Raises ValueError."""
        try:
            from .web.server import switch

            return switch(self, how, minutes)
        except ImportError:
            raise ValueError("this image has no web page, or this board no Wi-Fi")
        except MemoryError:
            raise ValueError("no memory for the web page")

    # --- the tasks

    async def _main(self):
        if self._trouble:
            self._report(self._trouble, ())
            self._trouble = None
            board.forget("trouble")  # not before what was lost is back: the power may fail in between
        cause = ""  # of the crash that this start comes after
        if board.crashes and board.reason != "LocalReset":  # that is resume()
            from .crash import of_last_run

            self.log("warning", "crashes in a row: %d, started because of: %s" % (board.crashes, board.reason))
            lines = of_last_run(self.root)
            for line in lines:
                self.log("error", line)
            cause = ", ".join(lines[:1])
        # A heap that is collected only when it is full has what stays scattered all over it: after a load of
        # reservations the largest hole is 4 kB. With this threshold it is 70 kB, for half as much time again.
        # Measured by tools/gc_cost.py on 64 bits, where all is twice as large: a heap of 200 kB, a threshold of 16 kB.
        gc.threshold(_THRESHOLD)
        # In safe mode too: what hangs there would hang for ever.
        self.watchdog.wdt = board.watchdog(self.config.watchdog if self.config else 0)
        if self.network:
            asyncio.create_task(self._keep("network", self._watch_network))
        if self.station:
            self.station.start(self.now(), board.reason, cause)
            for problem in self.station.records.problems:
                self.log("error", problem)
            self.hardware.attach(self.station, self.now)
            self.changed()
            asyncio.create_task(self._keep("link", self._run_link))
            if self.hardware.run:
                asyncio.create_task(self._keep("hardware", self.hardware.run))
        asyncio.create_task(self._keep("console", self._console))
        self._offer_page()
        board.remember("trial", 0)  # an agent from ROMFS has come so far that it need not be given up, see _boot.py
        await self._keep("timer", self._timer)

    def _offer_page(self):
        after = board.recall("web")  # it has written a configuration, and somebody waits for the effect
        if after:
            board.remember("web", 0)
        if self.config_error or after:
            # Until there is a configuration that is right nobody knows the pin of the button: then it does not go off.
            self._open_page(None if self.config else 0)
        if self.config and "button" in self.config.web:
            try:
                from .web.button import Button

                self._button = Button(board.button(self.config.web["button"]))
            except (ImportError, ValueError) as error:
                self.log("error", "web page: no button: %s" % error)

    def _open_page(self, minutes=None):
        try:
            for line in self.page("on", minutes):
                self._show("# %s\n" % line)  # not in the log: there may be a password in it
        except ValueError as error:
            self.log("warning", "no web page: %s" % error)

    def _join(self):
        from .network import Network

        try:
            self.network = Network(self.config.network, board.network(), self.log, board.random)
            self.network.step(self.now())
        except ImportError:
            self.log("warning", "no network interface of its own here: `network` is ignored")

    async def _keep(self, name, task):
        """Run a task for as long as it wants, whatever happens to it."""
        report = "report of " + name
        while True:
            try:
                return await task()
            except Exception as error:  # noqa: BLE001 -- the last resort: logged, and started again
                gc.collect()
                # Should what follows fail, this task is dead: then the hardware's watchdog is not fed any more.
                self.watchdog.due[report] = 0
                self._open_contactors()
                if isinstance(error, MemoryError) and self.station:
                    self.station.security_event(self.now(), "MemoryExhaustion", name)
                from .crash import traceback  # late: it is not wanted every day

                lines = traceback(error)
                for line in lines:
                    self.log("error", name + ": " + line)
                self._report(name + ": " + lines.pop(), lines)
                self.watchdog.due.pop(report)
            await asyncio.sleep_ms(_AGAIN)

    async def _watch_network(self):
        while True:
            now = self.now()
            self.watchdog.due["network"] = now + _PATIENCE
            if self.network.step(now) and self.link and self.link.wanted:
                self.link.connect()  # at once: what happened before says nothing about now
            await asyncio.sleep_ms(_AGAIN)

    async def _run_link(self):
        while self.network and not self.network.up:
            await asyncio.sleep_ms(_PACE)
        await self.link.run()

    async def _ask_time(self):
        """Before each attempt to connect, until the CSMS has told the time: TLS judges certificates by it."""
        if self.network and self.network.up and self.link.failures % _STALE == _STALE - 1:
            if self.link.failures >= _FORLORN - 1:
                self.station.reset_when_idle = True
            self.network.renew()  # it may be wrong for ever: the driver was told nothing, and nobody answers
            raise OSError("the network is switched off and on")  # and when it is up that ends the pause
        server = self.network and self.config.network.get("time_server")
        if not server or self.station.registration:
            return
        from .resolver import ask_time

        try:
            utc = await ask_time(server, os.urandom)
            # Anybody can answer for a time server: nobody shall make a certificate good again that has expired.
            if utc < (board.known_time() or 0) - 3600:
                raise OSError("it says %s, and it was later already" % rfc3339(utc))
            self.station.set_clock(self.now(), rfc3339(utc))
            self.log("info", "the time server %s says %s" % (server, rfc3339(utc)))
        except OSError as error:  # the last time known has to do
            self.log("warning", "no time from %s: %s" % (server, error))

    async def _console(self):
        self.watchdog.due["console"] = None  # for a person; what it then does it does at once
        try:
            await self.console.serve(self.now, self._show)
        except Exception:  # whatever it was: raised again below, and logged by `_keep`
            self._show("error the command failed, see the log\n")  # whoever gave it waits for this line
            raise

    async def _timer(self):
        while True:
            now = self.now()
            if self.station:
                if now >= self._due or self.station.rpc.frames:  # the hardware had something to tell
                    self._due = now + _AGAIN  # in case it raises
                    self.station.tick(now)
                    self.changed()
                    gc.collect()
                self.link.tick(now)
                self._restart = self._restart or self.station.reboot_requested
                self.watchdog.due["link"] = self.link.due()
                self.watchdog.due["hardware"] = getattr(self.hardware, "due", None)
            self.watchdog.due["timer"] = now + _PATIENCE
            late = self.watchdog.look(now)
            if late != self._late:
                self._late = late
                if "hardware" in late:
                    self._open_contactors()  # nobody looks at the car
                self.log("error", "tasks that make no progress: " + (", ".join(late) or "none any more"))
            if not self.station:  # it was a crash, or a configuration that could not be read this time
                if now >= _PENANCE:
                    self.restart("ApplicationReset")
            elif now >= board.HEALTHY:
                board.forgive()
            if self._button and self._button.pressed(now):
                self._open_page()
            if now >= self._noted and self.station and self.station.registration == "Accepted":
                self._noted = now + _DAY
                # The word of the CSMS itself, so a time that was wrong is mended: for TLS it could be for ever.
                board.known_time(self.station.clock.utc(now))
                from .keep import keep

                keep(self.root, self.config)
            self.log.save()
            if self._restart:
                await self._farewell()
            await asyncio.sleep_ms(max(0, min(_PACE, self._due - now)) if self.station else _PACE)

    async def _farewell(self):
        """Send what is still to be said, then restart."""
        self.log("info", "restarting: " + self._restart)
        if self.station:
            deadline = self.now() + _FAREWELL
            while self.link.state == "open" and not self.station.all_said() and self.now() < deadline:
                await asyncio.sleep_ms(20)
            self.link.disconnect()
            while self.link.state != "off" and self.now() < deadline:
                await asyncio.sleep_ms(20)
            self._open_contactors()
        self.log.save()
        if self.erase:
            from .factory import erase

            for path in erase(self.root, self.erase == "keep"):
                self._show("# could not be removed: %s\n" % path)
        board.end(board.ON_PURPOSE)
        board.reset()

    # --- small things

    def _open_contactors(self):
        if self.station:
            self.station.open_contactors()

    def _report(self, head, lines):
        """Tell of a crash, in the log and on flash."""
        from .crash import report

        if not lines:
            self.log("error", head)
        utc, now = self._time()
        report(self.root, "%s; %s s up" % (head, now // 1000) + (utc and "; " + rfc3339(utc) or ""), lines)

    def _time(self):
        now = self.now()
        return self.station and self.station.clock.utc(now), now

    def _echo(self, line):
        # The log as it grows, around what somebody is typing.
        if self.console.follow:
            typed = self.console.shown
            self._show("%s# %s\n%s" % ("\n" if typed else "", line, typed))

    def _show(self, text):
        try:
            sys.stdout.write(text)
        except OSError:  # nobody listens any more: no reason to stop a charger
            self.console.follow = False
