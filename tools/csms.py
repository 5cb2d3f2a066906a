"""Development CSMS for OCPP 2.0.1: a library for the end-to-end tests, and a program (`make csms`) for any station.

    async with Csms(tokens={"FRIEND": {"groupIdToken": {"idToken": "FAMILY", "type": "Central"}}}) as csms:
        ...start a station that connects to csms.url...
        link = await csms.station()
        await link.registered()
        answer = await link.call("ReserveNow", {"id": 7, "expiryDateTime": csms.time(+600), ...})
        await link.expect("StatusNotification", evseId=1, connectorStatus="Reserved")

Leaving the context raises `Violations` if a station ever sent something the official schemas or OCPP-J forbid.
"""

import argparse
import asyncio
import base64
import collections
import errno
import hmac
import http
import logging
import sys
import time
import urllib.parse

import websockets.asyncio.server

from tools.csms_link import Connection, StationLink
from tools.csms_wire import (  # noqa: F401 -- these are the library's vocabulary
    ABSENT,
    DROP,
    PRESENT,
    SILENCE,
    CallError,
    Delay,
    Hold,
    LinkClosed,
    NoAnswer,
    NotSeen,
    Raw,
    StationCall,
    Unchecked,
    Violations,
    matches,
    utc_text,
)

SUBPROTOCOL = "ocpp2.0.1"
TOKENS = ("ABC123", "DEF456")

# CALLs of a station that are answered with an empty object when nothing else is asked for.
ACKNOWLEDGED = ("FirmwareStatusNotification", "LogStatusNotification", "MeterValues", "NotifyEvent", "NotifyReport",
                "ReservationStatusUpdate", "SecurityEventNotification", "StatusNotification")


class Csms:
    """A CSMS on a local port.

    tokens: dict idToken -> idTokenInfo (its `status` is Accepted if left out), or an iterable of accepted tokens;
        anything else is Invalid. Change `csms.tokens` at any time; case does not matter, as OCPP wants it.
    password: None (no authentication), a text for all stations, or a dict station id -> text.
    stations: None (any), or the station ids that exist; others get HTTP 404.

    `connections` is the history of connection attempts, dicts with `at` (monotonic), `station_id`, `headers` and
    `outcome`: "open", an HTTP status, or "aborted". `heartbeat_interval` and `time_offset` (seconds) go into the
    answers. `refuse_connections`: True aborts every new TCP connection, a number answers with that HTTP status.
    `subprotocol` is what gets agreed (None: nothing). `on_handshake`, if set, may change the response: f(response).
    tls: an ssl.SSLContext (tools/pki.py makes one), then the URL is wss://. May be changed between stop and start.
    """

    def __init__(self, tokens=TOKENS, host="127.0.0.1", port=0, password=None, stations=None, tls=None):
        self.tokens = dict(tokens) if isinstance(tokens, dict) else {token: {} for token in tokens}
        self.host, self.port, self.password, self.stations, self.tls = host, port, password, stations, tls
        self.heartbeat_interval, self.time_offset = 300, 0
        self.refuse_connections, self.subprotocol, self.on_handshake = False, SUBPROTOCOL, None
        self.links, self.connections, self.violations, self.watchers = [], [], [], []
        self.message_ids = collections.defaultdict(set)     # per station: ids are unique over all its connections
        self._behaviours = collections.defaultdict(list)    # action -> [[behaviour, times left or None], ...]
        self._fresh, self._arrival, self._server = collections.deque(), asyncio.Event(), None

    async def __aenter__(self):
        await self.start()
        return self

    async def __aexit__(self, _type, error, _traceback):
        await self.stop()
        if self.violations:
            text = "the station broke the standard:\n" + "\n".join(self.violations)
            if error is None:
                raise Violations(text)
            error.add_note(text)

    @property
    def url(self):
        """What a station's configuration names as the CSMS; the station appends "/" and its identity."""
        return "%s://%s:%d/ocpp" % ("wss" if self.tls else "ws", self.host, self.port)

    async def start(self):
        """Listen; after `stop` on the same port as before."""
        self._server = await websockets.asyncio.server.serve(
            self._serve_station, self.host, self.port, ssl=self.tls, create_connection=Connection, compression=None,
            select_subprotocol=lambda _, offered: self.subprotocol if self.subprotocol in offered else None,
            process_request=self._judge_request, process_response=self._shape_response,
            ping_interval=None, close_timeout=2, max_queue=None, max_size=1 << 20, logger=_QUIET)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self):
        """Abort all connections and stop listening: new ones are refused by the operating system."""
        for link in self.links:
            if not link.closed:
                link.drop()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def station(self, timeout=15):
        """The next connection of a station that nobody was given yet; skips those that ended meanwhile."""
        deadline = time.monotonic() + timeout
        while True:
            while self._fresh:
                link = self._fresh.popleft()
                if not link.closed:
                    return link
            self._arrival.clear()
            try:
                await asyncio.wait_for(self._arrival.wait(), deadline - time.monotonic())
            except asyncio.TimeoutError:
                attempts = ["%s: %s" % (one["station_id"], one["outcome"]) for one in self.connections[-5:]]
                raise NotSeen("no station connected within %s s; attempts so far: %s" % (timeout, attempts)) from None

    @property
    def link(self):
        """The newest connection that is open, or None."""
        return next((link for link in reversed(self.links) if not link.closed), None)

    def events(self, action=None, **fields):
        """All CALLs received over all connections, oldest first (see `StationLink.events`)."""
        return [call for link in self.links for call in link.events(action, **fields)]

    def time(self, seconds=0):
        """RFC 3339 text of the CSMS's time, `seconds` from now."""
        return utc_text(time.time() + self.time_offset + seconds)

    def watch(self, callback):
        """Call back for every frame: f(monotonic time, station id, direction, text).

        The direction is "<-" from the station, "->" to it, "--" for a remark about the connection.
        """
        self.watchers.append(callback)

    # --- what is answered

    def on(self, action, behaviour, times=None):
        """Answer CALLs of this action so, all or the next `times`; the latest `on` goes first, then older ones again.

        A behaviour is a payload dict, a `CallError`, `SILENCE`, `DROP`, `Delay`, `Hold`, `Unchecked`, `Raw`, None (as
        usual), or a function (plain or async) of the `StationCall` that returns one of these.
        """
        self._behaviours[action].append([behaviour, times])

    def hold(self, action, times=None):
        """Leave CALLs of this action unanswered until `.release()` of the result."""
        behaviour = Hold()
        self.on(action, behaviour, times)
        return behaviour

    def as_usual(self, *actions):
        """Forget what `on` said, about these actions or all."""
        for action in actions or list(self._behaviours):
            self._behaviours.pop(action, None)

    def behaviour(self, action):
        """The behaviour whose turn it is, or None. Counts it."""
        entries = self._behaviours[action]
        while entries:
            if entries[-1][1] is None:
                return entries[-1][0]
            if entries[-1][1] > 0:
                entries[-1][1] -= 1
                return entries[-1][0]
            entries.pop()
        return None

    def usual_answer(self, call):
        """What a friendly CSMS answers."""
        if call.action == "BootNotification":
            return {"currentTime": self.time(), "interval": self.heartbeat_interval, "status": "Accepted"}
        if call.action == "Heartbeat":
            return {"currentTime": self.time()}
        if call.action == "Authorize":
            return {"idTokenInfo": self.token_info(call["idToken"])}
        if call.action == "TransactionEvent":
            return {"idTokenInfo": self.token_info(call["idToken"])} if "idToken" in call else {}
        if call.action == "DataTransfer":
            return {"status": "UnknownVendorId"}
        if call.action in ACKNOWLEDGED:
            return {}
        return CallError("NotSupported", "this development CSMS has no answer to %s" % call.action)

    def token_info(self, id_token):
        """The idTokenInfo for an IdTokenType."""
        if id_token["type"] == "NoAuthorization":
            return {"status": "Accepted"}
        for text, info in self.tokens.items():
            if text.lower() == id_token["idToken"].lower():
                return {"status": "Accepted", **info}
        return {"status": "Invalid"}

    # --- connections

    def _judge_request(self, connection, request):
        """None to go on with the handshake, or the HTTP response that ends it."""
        station_id = urllib.parse.unquote(request.path.partition("?")[0].rpartition("/")[2])
        attempt = {"at": time.monotonic(), "station_id": station_id, "path": request.path, "headers": request.headers,
                   "outcome": "open"}
        self.connections.append(attempt)
        response = None
        if self.refuse_connections is True:
            attempt["outcome"] = "aborted"
            connection.transport.abort()
            response = connection.respond(http.HTTPStatus.SERVICE_UNAVAILABLE, "")
        elif self.refuse_connections:
            attempt["outcome"] = int(self.refuse_connections)
            response = connection.respond(http.HTTPStatus(self.refuse_connections), "refused on purpose\n")
        elif self.stations is not None and station_id not in self.stations:
            attempt["outcome"] = 404
            response = connection.respond(http.HTTPStatus.NOT_FOUND, "unknown station\n")
        elif not self._is_authorized(station_id, request.headers.get("Authorization", "")):
            attempt["outcome"] = 401
            response = connection.respond(http.HTTPStatus.UNAUTHORIZED, "wrong or missing credentials\n")
            response.headers["WWW-Authenticate"] = 'Basic realm="ocpp", charset="UTF-8"'
        if response is not None:
            self.tell(attempt["at"], station_id, "--", "refused: %s" % attempt["outcome"])
        return response

    def _is_authorized(self, station_id, header):
        password = self.password.get(station_id) if isinstance(self.password, dict) else self.password
        if self.password is None:
            return True
        if password is None:
            return False
        wanted = "Basic " + base64.b64encode(("%s:%s" % (station_id, password)).encode()).decode()
        return hmac.compare_digest(wanted.encode(), header.encode())

    def _shape_response(self, _connection, _request, response):
        if self.on_handshake is not None:
            self.on_handshake(response)

    async def _serve_station(self, connection):
        station_id = urllib.parse.unquote(connection.request.path.partition("?")[0].rpartition("/")[2])
        if connection.subprotocol is None:
            # Part 4, 3.1.2: the handshake completes without the header, then the connection is closed at once.
            self.tell(time.monotonic(), station_id, "--", "no common subprotocol, closing")
            await connection.close(1002, "no common subprotocol")
            return
        link = StationLink(self, station_id, connection)
        self.links.append(link)
        self._fresh.append(link)
        self._arrival.set()
        self.tell(link.opened_at, station_id, "--", "connected")
        await link.start()

    def tell(self, at, station_id, direction, text):
        for watcher in self.watchers:
            watcher(at, station_id, direction, text)


# What goes wrong on a connection is told by the links; the server's own log would repeat it with tracebacks.
_QUIET = logging.getLogger("holdfast.csms")
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False


async def main(arguments=None):
    """The program: a CSMS for any station, every message as a line, and a prompt."""
    from tools.prompt import Prompt
    from tools.timeline import Timeline

    parser = argparse.ArgumentParser(prog="python -m tools.csms", description="Development CSMS for OCPP 2.0.1.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (0.0.0.0 for boards in the network)")
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--password", help="Basic auth password of every station (default: none is asked for)")
    parser.add_argument("--token", action="append", metavar="TOKEN",
                        help="an accepted token; may be repeated (default: %s)" % ", ".join(TOKENS))
    parser.add_argument("--tls", metavar="DIRECTORY",
                        help="speak wss:// with certificates from there, made if missing; ca.pem is for the station")
    parser.add_argument("--name", action="append", default=[], metavar="HOST",
                        help="with --tls: a host name or address that the certificate is for (default: that of --host)")
    parser.add_argument("--client-certificates", action="store_true",
                        help="with --tls: demand them (security profile 3)")
    wanted = parser.parse_args(arguments)
    tls = None
    if wanted.tls:
        from tools.pki import desk_context

        names = wanted.name or [wanted.host, "localhost"]
        tls = desk_context(wanted.tls, *names, demand=wanted.client_certificates)
    csms = Csms(wanted.token or TOKENS, wanted.host, wanted.port, wanted.password, tls=tls)
    began = time.time() - time.monotonic()
    timeline = Timeline(names=True, clock=lambda at: time.strftime("%H:%M:%S", time.localtime(began + at)))
    csms.watch(timeline.frame)
    prompt = Prompt(csms, write=timeline.say)
    try:
        await csms.start()
    except OSError as error:
        print("can not listen on %s port %d: %s" % (wanted.host, wanted.port, error.strerror), file=sys.stderr)
        print("another CSMS is there already" if error.errno == errno.EADDRINUSE else
              "it has to be an address of this computer: `hostname -I` shows them", file=sys.stderr)
        return 1
    timeline.say("CSMS for OCPP 2.0.1 at %s/STATION-ID, accepted tokens: %s" % (csms.url, ", ".join(csms.tokens)))
    timeline.say("help lists the commands; Ctrl-C or quit ends")
    await prompt.run()
    if not prompt.over and not sys.stdin.isatty():
        await asyncio.Event().wait()        # the input has ended (a service, a container): serve on until a signal
    await csms.stop()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except KeyboardInterrupt:
        sys.exit(0)
