"""A station of a few lines, only good enough for the story, that can be told to misbehave in one way at a time.

It shows that the story notices: a story that passes with a faulty station proves nothing.
"""

import asyncio
import json
import ssl
import time
import uuid

import websockets.asyncio.client
import websockets.exceptions

from tools import pki

CONNECTORS = ((1, 1), (1, 2), (2, 1))


class Puppet:
    """Has the methods of `tools.story.Charger`. `faults` is a set of words, each of which spoils one thing."""

    errors = (ValueError,)

    def __init__(self, csms, faults=(), expires_in=4):
        self.csms, self.faults, self.expires_in = csms, faults, expires_in
        self.reservations, self.statuses, self.transaction = {}, {}, None
        self.socket, self.task, self.count, self.cut_next = None, None, 0, False
        self.timers = []
        self.tls, self.refused = None, None

    # --- what the story does to a charger

    async def power_on(self):
        if "dead after the cut" in self.faults and self.socket is not None:
            return
        try:
            self.socket = await websockets.asyncio.client.connect(self.csms.url + "/HOLDFAST-1", ssl=self.tls,
                                                                  subprotocols=["ocpp2.0.1"])
        except (ssl.SSLError, OSError, websockets.exceptions.InvalidHandshake) as error:
            self.refused = str(error)
            return
        self.task = asyncio.create_task(self.run())
        reason = "Unknown" if "wrong reason" in self.faults else "PowerUp"
        await self.call("BootNotification", {"reason": reason, "chargingStation": {"vendorName": "V", "model": "M"}})
        if "forgets" in self.faults:
            self.reservations.clear()
        for evse_id, connector_id in CONNECTORS:
            await self.report(evse_id, connector_id)
        if self.refused and "never told" not in self.faults:
            await self.call("SecurityEventNotification", {
                "type": "InvalidCsmsCertificate", "timestamp": "2026-01-01T00:00:00Z", "techInfo": self.refused})
            self.refused = None

    async def configure(self, url, files, **settings):
        self.socket.transport.abort()
        self.tls = ssl.create_default_context(cadata=files["ca.pem"].decode())
        if "trusts anybody" in self.faults:
            self.tls.check_hostname, self.tls.verify_mode = False, ssl.CERT_NONE
        if "station.pem" in files and "no client certificate" not in self.faults:
            with pki.files(files) as paths:
                self.tls.load_cert_chain(paths["station.pem"], paths["station.key"])

    async def refusal(self):
        return self.refused or "nothing"

    def cut_in_next_write(self):
        self.cut_next = True

    async def wait_off(self):
        await self.socket.wait_closed()
        return "nowhere"

    async def command(self, line):
        word, *rest = line.split()
        if word == "swipe":
            await self.swipe(rest[0])
        elif word == "plug":
            await self.report(1, 1, "Occupied")
            self.transaction = str(uuid.uuid4())
            if "no reservationId" not in self.faults:
                await self.event("Started", reservationId=7)
            if "reservationId twice" in self.faults:
                await self.event("Updated", reservationId=7)
        else:
            await self.event("Ended")
            await self.report(1, 1, "Available")
        return []

    def last_lines(self):
        return ["(a puppet has no console)"]

    async def close(self):
        for timer in self.timers:
            timer.cancel()
        if self.task:
            self.task.cancel()
        if self.socket:
            self.socket.transport.abort()

    # --- what it tells

    async def call(self, action, payload):
        self.count += 1
        await self.socket.send(json.dumps([2, "%s-%d" % (uuid.uuid4().hex[:8], self.count), action, payload]))

    async def report(self, evse_id, connector_id, status=None):
        reserved = evse_id in [evse for evse, _, _ in self.reservations.values()]
        payload = {"evseId": evse_id, "connectorId": connector_id, "timestamp": "2026-01-01T00:00:00Z",
                   "connectorStatus": status or ("Reserved" if reserved else "Available")}
        if "invalid" in self.faults:
            payload["timestamp"] = "now"
        await self.call("StatusNotification", payload)

    async def report_evse(self, evse_id):
        connectors = [pair for pair in CONNECTORS if pair[0] == evse_id]
        for pair in connectors[:1] if "one connector only" in self.faults else connectors:
            await self.report(*pair)

    async def event(self, event_type, **fields):
        await self.call("TransactionEvent", {
            "eventType": event_type, "timestamp": "2026-01-01T00:00:00Z", "triggerReason": "Authorized", "seqNo": 0,
            "transactionInfo": {"transactionId": self.transaction}, "evse": {"id": 1, "connectorId": 1},
            **({"idToken": {"idToken": "ABC123", "type": "ISO14443"}} if event_type == "Started" else {}), **fields})

    async def swipe(self, token):
        if token == "ABC123":
            self.reservations.clear()
            await self.report_evse(1)
        elif "serves anybody" in self.faults:
            self.transaction = str(uuid.uuid4())
            await self.event("Started")

    # --- what it is told

    async def run(self):
        try:
            async for text in self.socket:
                frame = json.loads(text)
                if frame[0] == 2:
                    await self.called(*frame[1:])
        except websockets.exceptions.ConnectionClosed:
            pass

    async def called(self, message_id, action, payload):
        if action == "ReserveNow" and self.cut_next:
            self.cut_next = False
            if "answers before it is durable" in self.faults:
                await self.answer(message_id, "Accepted")
            self.socket.transport.abort()
        elif action == "ReserveNow" and "refuses" in self.faults:
            await self.answer(message_id, "Rejected")
        elif action == "ReserveNow":
            evse_id = payload["evseId"]
            self.reservations[payload["id"]] = (evse_id, payload, time.monotonic())
            if "status before answer" in self.faults:
                await self.report_evse(evse_id)
            await self.answer(message_id, "Accepted")
            if "status before answer" not in self.faults:
                await self.report_evse(evse_id)
            if payload["id"] == 9:
                self.timers.append(asyncio.create_task(self.expire(9)))
        elif action == "CancelReservation":
            known = self.reservations.pop(payload["reservationId"], None)
            known = known or ("cancels anything" in self.faults and (2,))
            await self.answer(message_id, "Accepted" if known else "Rejected")
            if known:
                await self.report_evse(2)
        elif action == "RequestStartTransaction":
            await self.answer(message_id, "Accepted" if "starts for anybody" in self.faults else "Rejected")

    async def answer(self, message_id, status):
        await self.socket.send(json.dumps([3, message_id, {"status": status}]))

    async def expire(self, number):
        await asyncio.sleep(0.1 if "expires early" in self.faults else self.expires_in)
        self.reservations.pop(number)
        await self.report_evse(1)
        if "never tells" not in self.faults:
            update = "Removed" if "removes" in self.faults else "Expired"
            await self.call("ReservationStatusUpdate", {"reservationId": number, "reservationUpdateStatus": update})
