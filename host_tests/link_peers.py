"""A link in a MicroPython process, and the servers it meets: what test_link.py is made of."""

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import pathlib
import re

import websockets.asyncio.server

HERE = pathlib.Path(__file__).parent
FIRMWARE = HERE.parent / "firmware"
HARNESS = HERE / "micropython" / "link_harness.py"
MICROPYTHON = os.environ.get("MICROPYTHON", "micropython")
PASSWORD = "correct-horse-battery"
VARIABLES = {
    "OCPPCommCtrlr.RetryBackOffWaitMinimum": 1,
    "OCPPCommCtrlr.RetryBackOffRandomRange": 0,
    "OCPPCommCtrlr.RetryBackOffRepeatTimes": 3,
    "OCPPCommCtrlr.WebSocketPingInterval": 0,
    "SecurityCtrlr.BasicAuthPassword": PASSWORD,
}


class Harness:
    """A MicroPython process with a Link in it."""

    def __init__(self, process):
        self.process = process
        self.lines = []

    async def see(self, pattern, timeout=10):
        """Wait for a line that matches; lines before it are passed over (and stay in `lines`)."""
        async with asyncio.timeout(timeout):
            while True:
                line = (await self.process.stdout.readline()).decode().rstrip("\n")
                if not line and self.process.stdout.at_eof():
                    raise AssertionError(f"the harness ended before {pattern!r}: {self.lines}")
                self.lines.append(line)
                if re.search(pattern, line):
                    return line

    async def tell(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        await self.process.stdin.drain()


@contextlib.asynccontextmanager
async def running(port, variables=None, speed=10, limit=8192, path="/ocpp", **settings):
    """The harness at work; `settings` go into the configuration of the link, None takes something out of it."""
    config = {"station_id": "A+1", "csms_url": f"ws://127.0.0.1:{port}{path}", "password": PASSWORD,
              "evses": [{"connectors": ["cCCS2"]}], "message_limit": limit, **settings}
    config = {name: value for name, value in config.items() if value is not None}
    process = await asyncio.create_subprocess_exec(
        MICROPYTHON, "-X", "heapsize=300K", str(HARNESS), str(FIRMWARE), str(speed),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={"CONFIG": json.dumps(config), "VARIABLES": json.dumps(VARIABLES | (variables or {}))})
    harness = Harness(process)
    try:
        yield harness
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


class Server:
    """A WebSocket server that keeps its connections and what it was asked for. `tls`: an ssl.SSLContext."""

    def __init__(self, tls=None):
        self.tls = tls
        self.requests = []
        self.connections = asyncio.Queue()
        self.answer = None  # a function of (connection, request), as process_request of websockets

    async def __aenter__(self):
        self._context = websockets.asyncio.server.serve(
            self._serve, "127.0.0.1", 0, subprotocols=["ocpp2.0.1"], process_request=self._request, ping_interval=None,
            close_timeout=1, ssl=self.tls)
        self._server = await self._context.__aenter__()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *problem):
        await self._context.__aexit__(*problem)

    def _request(self, connection, request):
        self.requests.append(request)
        return self.answer and self.answer(connection, request)

    async def _serve(self, connection):
        await self.connections.put(connection)
        await connection.wait_closed()

    async def connection(self):
        return await asyncio.wait_for(self.connections.get(), 10)


@contextlib.asynccontextmanager
async def tcp_server(handle):
    """A plain TCP server; yields its port. `handle(reader, writer)` may leave at any time."""
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def in_loop(function):
    """Let pytest run a coroutine function."""

    def test():
        asyncio.run(function())

    test.__name__ = function.__name__
    test.__doc__ = function.__doc__
    return test


async def handshake_then(reader, writer, rest):
    """Answer the upgrade request as a WebSocket server would, then send `rest`."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    key = re.search("Sec-WebSocket-Key: (.*)\r\n", head).group(1)
    accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
    writer.write((f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  f"Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: ocpp2.0.1\r\n\r\n").encode() + rest)
    await writer.drain()
