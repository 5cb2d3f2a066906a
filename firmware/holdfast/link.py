"""The link to the CSMS: dials, pings, notices a dead line, and tries again with OCPP's back-off.

One task reads, one writes, and nobody else touches the stream. Reading waits while something is left to write, so a
CSMS that does not listen cannot fill the memory with answers. MicroPython's streams lose or repeat data when a read or
write is cancelled half-way: nothing is cancelled here without closing the connection. `tick` is the one watchdog over
dialling, handshake, writing, closing and half-open lines. Messages come from and go to the station; what they mean is
not known here.
"""

import asyncio
import gc
from binascii import b2a_base64

from . import board
from .config import split_url
from .resolver import resolve
from .websocket import WebSocket

_SUBPROTOCOL = "ocpp2.0.1"
_PATIENCE = 30_000  # ms to dial and agree on WebSocket, and for a write to be taken
_GOODBYE = 5_000  # ms for the CSMS to answer a close frame
_DAY = 86_400  # s


def backoff_seconds(failures, minimum, random_range, repeat_times, random):
    """Seconds to wait before the next attempt, `failures` attempts having failed since the link was lost.

    OCPP-J 2.0.1 §5.3: RetryBackOffWaitMinimum, doubled at most RetryBackOffRepeatTimes times, and each time a new
    random part of 0 to RetryBackOffRandomRange: `random(n)` returns an integer from 0 to n. 1 second to a day.
    """
    wait = minimum << min(failures, repeat_times, 17)  # 2**17 s are more than a day
    return max(1, min(_DAY, wait + random(random_range)))


def request_target(path, station_id):
    """The path to ask for: that of the CSMS, and the percent-encoded station id (OCPP-J 2.0.1 §3.1.1)."""
    encoded = ""
    for octet in station_id.encode():
        character = chr(octet)
        encoded += character if character.isdigit() or character.isalpha() or character in "-_." else "%%%02X" % octet
    return path + "/" + encoded


async def open_stream(url, context=None):
    """A connected stream to the host of a CSMS URL, over TLS with a `context`. Most errors come with the first write.

    Raises OSError, and ValueError for a certificate.
    """
    _, host, port, _ = split_url(url)
    return (await asyncio.open_connection(await resolve(host), port, context, host))[0]


class Link:
    """The link of one station. `run()` is its task, `tick(now)` has to be called about every second.

    `now()` gives monotonic milliseconds. `changed()` is called after every event that went to the station. `prepare()`
    is a coroutine to wait for before each attempt. `state` is "off" (disconnect), "waiting" (for the next attempt),
    "connecting", "open" or "closing".
    """

    def __init__(self, config, station, log, now, urandom, changed, prepare=None):
        self.config = config
        self.station = station
        self.log = log
        self.now = now
        self.urandom = urandom
        self.changed = changed
        self.prepare = prepare
        self.wanted = True
        self.state = "waiting"
        self.url = request_target(config.csms_url, config.station_id)
        self.failures = 0  # attempts since the link was last open
        self._rest = False  # the next attempt has to wait
        self._command = asyncio.Event()  # connect() or disconnect() came
        self._wake = asyncio.Event()  # there may be something to write
        self._idle = asyncio.Event()  # nothing is left to write
        self._chunk = bytearray(512)
        self._message = bytearray(1024)  # for the CALLs of every day; grows for larger ones, and is used again
        self._task = None
        self._error = None  # why the reader was cancelled
        self._ws = None
        self._stream = None
        self._deadline = None  # (ms, what did not happen until then)
        self.trace = None  # trace(direction, text) is shown every frame
        self._next = None  # when the task wants to be back: from a pause, or from cleaning up
        self._interval = 0  # WebSocketPingInterval in ms
        self._heard = self._pinged = 0  # when data came last, when a ping went last
        self._unanswered = 0  # pings
        self.handshake = None  # bytes of heap used before, during and after the last TLS handshake

    def connect(self):
        """Dial now, and again whenever the link is lost."""
        self.wanted = True
        if self.state in ("off", "waiting"):
            self._command.set()

    def disconnect(self):
        """Close the link and leave it closed until connect()."""
        self.wanted = False
        if self.state == "waiting":
            self._command.set()
        elif self.state == "open":
            self._close("bye")
            self.poke()
        elif self.state == "connecting":
            self._drop(OSError("disconnected"))

    def _close(self, reason):
        self.state = "closing"
        self._until(_GOODBYE, "no answer to the close frame")
        self._ws.close(reason)

    def poke(self):
        """The station may have something to send."""
        self._idle.clear()
        self._wake.set()

    def tick(self, now):
        """Look after the connection; `now` in monotonic ms."""
        if self._deadline and now >= self._deadline[0]:
            self._drop(OSError(self._deadline[1]))
        elif self.state == "open" and self._interval and now - self._pinged >= self._interval:
            # A pong may be stuck behind a large message, so data of any kind counts as life, but not for ever.
            if self._unanswered and (self._heard < self._pinged or self._unanswered > 2):
                self._drop(OSError("half-open, no answer to a ping"))
            else:
                self._unanswered += 1
                self._pinged = now
                self._ws.ping()
                self.poke()

    def due(self):
        """The ms by which the link's task has to show that it lives; None while it waits for the CSMS or for a command.

        Those waits are ended by `tick`, which cancels them.
        """
        return self._next and self._next + _PATIENCE

    async def run(self):
        """Keep the link for ever. Anything but a lost connection is raised; call it again to go on."""
        self._task = asyncio.current_task()
        while True:
            if not self.wanted:
                self.state = "off"
                await self._command.wait()
                self._command.clear()
                self._rest = False
                self.failures = 0
            elif self._rest:
                await self._pause()
                self._rest = False
            else:
                self._rest = True
                await self._session()

    async def abandon(self):
        """Close the socket without a word, after the event loop has been stopped."""
        if self._stream:
            await self._stream.wait_closed()

    async def _pause(self):
        get = self.station.variables.integer
        seconds = backoff_seconds(
            self.failures, get("OCPPCommCtrlr.RetryBackOffWaitMinimum"),
            get("OCPPCommCtrlr.RetryBackOffRandomRange"), get("OCPPCommCtrlr.RetryBackOffRepeatTimes"), board.random)
        self.failures += 1
        self.state = "waiting"
        self.log("info", "next attempt to connect in %d s" % seconds)
        self._next = self.now() + seconds * 1000
        try:
            await asyncio.wait_for(self._command.wait(), seconds)
        except asyncio.TimeoutError:
            pass
        self._next = None
        self._command.clear()

    async def _session(self):
        """One connection, from dialling to closing."""
        writer = error = tls = None
        self._error = None
        self.state = "connecting"
        self._until(_PATIENCE, "no answer to the handshake")
        self.poke()  # and what is left to write is the request, until the handshake is over
        gc.collect()  # before TLS takes its memory from where the heap would grow to
        try:
            if self.prepare:
                await self.prepare()
                self._until(_PATIENCE, "no answer to the handshake")
            if self.config.csms_url.startswith("wss"):
                tls = self._tls()
            self._stream = await open_stream(self.config.csms_url, tls and tls.context)
            self._ws = self._handshake()
            writer = asyncio.create_task(self._write())
            chunk = memoryview(self._chunk)
            while True:
                size = await self._stream.readinto(self._chunk)
                if size is None:
                    continue  # a false alarm of the poll
                self._heard = self.now()
                if tls:
                    self.handshake = tls.connected()
                    tls = None
                if size:
                    self._ws.feed(chunk[:size])
                else:
                    self._ws.feed_eof()
                over = self._handle_events()
                await self._idle.wait()
                if over:
                    break
        except (OSError, ValueError) as lost:
            error = lost
        except asyncio.CancelledError:
            error = self._error
            if error is None:
                raise
        finally:
            if writer:
                writer.cancel()
            if self._stream:
                await self._stream.wait_closed()  # closes it, at once
            self._stream = self._ws = self._deadline = self._next = None
            was_open = self.state in ("open", "closing")
            self.state = "waiting"
            if was_open:
                self.station.link_down(self.now())
                self.changed()
        if error and tls and not self._idle.is_set():  # a CSMS that hangs up later has nothing against a certificate
            words, event = await tls.explain(error)  # which takes some seconds at most
            if event:
                self.station.security_event(self.now(), event, words)
            error = OSError(words)
        if error and not isinstance(error, OSError):
            raise error
        if error:
            self.log("warning", ("link lost: %s" if was_open else "cannot connect: %s") % error + ", " + self.url)

    def _tls(self):
        from .tls import Handshake  # late: a station without wss:// has no use for it

        clock = self.station.clock
        return Handshake(self.config, clock.utc(self.now()) if clock.is_set else board.known_time(), clock.is_set,
                         self.station.variables.true("SecurityCtrlr.AllowCSMSTLSWildcards"))

    def _handshake(self):
        _, host, port, path = split_url(self.config.csms_url)
        authorization = None
        password = self.station.variables.get("SecurityCtrlr.BasicAuthPassword")
        if password and self.config.security_profile < 3:
            secret = "%s:%s" % (self.config.station_id, password)
            authorization = "Basic " + b2a_base64(secret.encode()).decode().strip()
        return WebSocket("%s:%d" % (host, port), request_target(path, self.config.station_id), _SUBPROTOCOL,
                         authorization, self.config.message_limit, self.urandom, self._message)

    def _handle_events(self):
        """Hand what arrived to the station. Returns True when the connection is over."""
        over = False
        while True:
            event = self._ws.next_event()
            if event is None:
                break
            kind = event[0]
            now = self._heard
            if kind == "text":
                if self.trace:
                    self.trace("<-", event[1])
                self.station.received(now, event[1])
            elif kind == "oversize":
                self.station.oversize(now, event[1], event[2])
            elif kind == "pong":
                self._unanswered = 0
            elif kind == "open":
                self.log("info", "connected to " + self.url)
                self.state = "open"
                self._deadline = None
                self.failures = self._unanswered = 0
                self._pinged = now
                self.station.link_up(now)
            elif kind == "refused":
                status = "HTTP " if event[1] not in (0, 101) else ""
                self.log("error", "connection refused: %s%s, %s" % (status, event[2], self.url))
                if event[1] in (401, 403):
                    self.station.security_event(now, "FailedToAuthenticateAtCsms", "HTTP %d" % event[1])
                over = True
            else:
                self.log("warning" if self.wanted else "info", "connection closed: %d %s" % (event[1], event[2]))
                over = True
        if over:
            self._until(_GOODBYE, "the CSMS does not read")
        elif self.state == "open":
            # Asked for again after each message, because the message may have been the one that changes it.
            self._interval = 1000 * self.station.variables.integer("OCPPCommCtrlr.WebSocketPingInterval")
        self.changed()
        self.poke()
        return over

    async def _write(self):
        """The only task that writes: first what WebSocket has to say, then the frames of the station."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while True:
                    if self.state == "open":
                        for text in self.station.take_frames():
                            if self.trace:
                                self.trace("->", text)
                            self._ws.send_text(text)
                    data = self._ws.take()
                    if not data and self.state == "open" and self.station.reconnect and self.station.all_said():
                        self.station.reconnect = self._rest = False
                        self._close("new password")
                        continue
                    if not data:
                        break
                    if not self._deadline:
                        self._until(_PATIENCE, "the CSMS does not read")
                    deadline = self._deadline
                    self._stream.write(data)
                    await self._stream.drain()
                    if self.state == "open" and self._deadline is deadline:
                        self._deadline = None
                self._idle.set()
        except Exception as error:  # noqa: BLE001 -- handed to the reader's task, which raises what it does not expect
            self._drop(error)

    def _until(self, patience, complaint):
        self._deadline = (self.now() + patience, complaint)

    def _drop(self, error):
        # The reader cleans up, wherever it waits. Only one reason counts, or the second would cancel what follows.
        if self._error is None:
            self._error = error
            self._next = self.now()
            self._task.cancel()
