"""Measures the heap of the agent that load.py has loaded, on the 32-bit MicroPython of run.mjs.

Prints one JSON object as its last line, figures in bytes:

* "parts": pairs of a name and bytes, from the end of the imports until the CSMS has accepted the station and been told
  its statuses; "buffers": what the link's message and read buffers are of it
* "pair", "pair_wire": allocated by ReserveNow and CancelReservation and all that follows from them, on average: in the
  station, text in and texts out, and with WebSocket and link around it; "steps", "steps_wire": [event, bytes] of one;
  "json": what reading and writing these texts alone allocates
"""

import gc
import json
import struct
import sys

PAIRS = 10

RESERVE_NOW = {
    "id": 7, "expiryDateTime": "2026-11-23T14:00:00Z", "idToken": {"idToken": "ABC12345", "type": "ISO14443"},
    "evseId": 1,
}
CANCEL_RESERVATION = {"reservationId": 7}
REGISTRATION = {"currentTime": "2026-11-23T12:00:00Z", "interval": 300, "status": "Accepted"}

SWITCHING = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Protocol: ocpp2.0.1\r\nSec-WebSocket-Accept: %s\r\n\r\n"
)


class Csms:
    """The other end, and a ledger of what the agent allocates. The link's tasks do not run: this does their work."""

    def __init__(self):
        self.station = self.link = None
        self.wire = True  # go by way of the WebSocket and the link
        self.ledger = []
        self.json = 0  # what json alone allocates for the same texts
        self.calls = 0
        self.answer = None

    def hear(self, event, text):
        """Give the agent a text; the texts that it sends then."""
        now = self.link._heard = self.link._heard + 100
        data = frame(text)
        before = gc.mem_alloc()
        if self.wire:
            self.link._ws.feed(data)
            self.link._handle_events()
            sent = self.write()
        else:
            self.station.received(now, text)
            sent = self.station.take_frames()
        self.ledger.append((event, gc.mem_alloc() - before))
        if not self.wire:
            self.json += parsing(text) + sum([writing(text) for text in sent])
        return unframed(sent) if self.wire else sent

    def write(self):
        """What the link's writer would write."""
        for text in self.station.take_frames():
            self.link._ws.send_text(text)
        return self.link._ws.take()

    def serve(self, texts):
        """Answer CALLs until there are none."""
        while texts:
            received = json.loads(texts.pop(0))
            if received[0] == 2:
                payload = REGISTRATION if received[2] == "BootNotification" else {}
                texts += self.hear("answer to " + received[2], json.dumps([3, received[1], payload]))
            else:
                self.answer = received[2]

    def call(self, action, payload):
        """A CALL of the CSMS, and all that follows."""
        self.calls += 1
        self.serve(self.hear(action, json.dumps([2, "csms-%d" % self.calls, action, payload])))
        if self.answer != {"status": "Accepted"}:
            raise ValueError("%s: %s" % (action, self.answer))


def frame(text):
    """A text as a WebSocket frame from the server."""
    size = len(text)
    return (struct.pack(">BB", 0x81, size) if size < 126 else struct.pack(">BBH", 0x81, 126, size)) + text.encode()


def unframed(data):
    """The texts in a client's WebSocket frames."""
    texts = []
    while data:
        size, at = data[1] & 127, 2
        if size == 126:
            size, at = struct.unpack(">H", data[2:4])[0], 4
        key, data = data[at:at + 4], data[at + 4:]
        texts.append(bytes([data[i] ^ key[i % 4] for i in range(size)]).decode())
        data = data[size:]
    return texts


def parsing(text):
    """What json allocates to read a text."""
    before = gc.mem_alloc()
    json.loads(text)
    return gc.mem_alloc() - before


def writing(text):
    """What json allocates to write it."""
    value = json.loads(text)
    before = gc.mem_alloc()
    json.dumps(value)
    return gc.mem_alloc() - before


def total(ledger):
    return sum([size for _, size in ledger])


def steps():
    """What run.mjs runs, with a collection at every yield. All that it needs itself is there before it counts."""
    parts = [0] * 3
    csms = Csms()
    agent = link = None
    yield

    before = gc.mem_alloc()
    agent = sys.modules["holdfast.agent"].Agent()
    agent.console.follow = False
    yield
    parts[0] = gc.mem_alloc() - before

    before = gc.mem_alloc()
    link = csms.link = agent.link
    csms.station = agent.station
    agent.station.start(agent.now(), "PowerUp")
    agent.hardware.attach(agent.station, agent.now)
    agent.changed()
    yield
    parts[1] = gc.mem_alloc() - before

    before = gc.mem_alloc()
    link._ws = link._handshake()
    link._ws.take()
    link._heard = agent.now()
    link._ws.feed(SWITCHING % link._ws._accept)
    link._handle_events()
    csms.serve(unframed(csms.write()))
    csms.ledger = None
    yield
    if agent.station.registration != "Accepted" or not agent.station.all_said():
        raise ValueError("the station is not idle")
    parts[2] = gc.mem_alloc() - before

    results = []
    for wire in (False, True):
        csms.wire = wire
        for i in range(PAIRS + 2):  # twice to warm up
            yield
            gc.disable()
            csms.ledger = []
            if not wire:
                csms.json = 0
            csms.call("ReserveNow", RESERVE_NOW)
            csms.call("CancelReservation", CANCEL_RESERVATION)
            gc.enable()
            if i >= 2:
                results.append(csms.ledger)
    core, wire = results[:PAIRS], results[PAIRS:]
    print(json.dumps({
        "parts": list(zip(("Agent() and all it is made of", "station started", "connected and registered"), parts)),
        "buffers": len(link._message) + len(link._chunk),
        "pair": sum([total(ledger) for ledger in core]) // PAIRS,
        "pair_wire": sum([total(ledger) for ledger in wire]) // PAIRS,
        "json": csms.json,
        "steps": core[-1],
        "steps_wire": wire[-1],
    }))
