"""A station that the tests of the development CSMS move by hand."""

import asyncio
import contextlib
import json

import websockets.asyncio.client

BOOT = {"reason": "PowerUp", "chargingStation": {"vendorName": "Holdfast", "model": "Scripted"}}
RESERVE = {"id": 7, "expiryDateTime": "2030-01-01T00:00:00Z", "evseId": 1,
           "idToken": {"idToken": "ABC123", "type": "ISO14443"}}


def status(connector_status, evse_id=1, connector_id=1):
    return {"timestamp": "2026-01-01T00:00:00Z", "connectorStatus": connector_status, "evseId": evse_id,
            "connectorId": connector_id}


class Scripted:
    """The station's side of a connection, moved by hand."""

    def __init__(self, socket):
        self.socket, self.count = socket, 0

    async def send(self, *frame):
        await self.socket.send(json.dumps(frame))

    async def receive(self, timeout=2):
        return json.loads(await asyncio.wait_for(self.socket.recv(), timeout))

    async def call(self, action, payload):
        """Send a CALL and return the frame that answers it."""
        self.count += 1
        await self.send(2, "s%d" % self.count, action, payload)
        return await self.receive()


@contextlib.asynccontextmanager
async def connected(csms, name="S1", **options):
    options.setdefault("subprotocols", ["ocpp2.0.1"])
    async with websockets.asyncio.client.connect(csms.url + "/" + name, **options) as socket:
        yield Scripted(socket), await csms.station(timeout=2)


def run(test):
    """Run a coroutine function as a test of its own loop."""
    def wrapper():
        asyncio.run(asyncio.wait_for(test(), 20))
    wrapper.__name__, wrapper.__doc__ = test.__name__, test.__doc__
    return wrapper
