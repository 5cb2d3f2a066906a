"""The server's side of a WebSocket for tests: builds and reads frames byte by byte, on purpose in another way than
firmware/holdfast/websocket.py does. Runs on CPython and on MicroPython."""

import binascii
import hashlib

from holdfast import websocket

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
HEAD = ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: ocpp2.0.1\r\n\r\n")


def counting():
    """Return (urandom, given): a source that does not repeat itself within a test, and the list of what it gave."""
    given = []

    def urandom(size):
        start = len(given) * 37 + 11
        given.append(bytes([(start + index * 101) & 0xFF for index in range(size)]))
        return given[-1]

    return urandom, given


def client(limit=8192, authorization=None, buffer=None, urandom=None):
    return websocket.WebSocket("csms.example:9000", "/ocpp/CS%201", "ocpp2.0.1", authorization, limit,
                               urandom or counting()[0], bytearray() if buffer is None else buffer)


def request_headers(ws):
    """Take the handshake request; return (request line, {lower-case name: value})."""
    head = bytes(ws.take()).decode()
    assert head.endswith("\r\n\r\n")
    lines = head[:-4].split("\r\n")
    return lines[0], {line.split(": ", 1)[0].lower(): line.split(": ", 1)[1] for line in lines[1:]}


def accept_for(key):
    digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
    return binascii.b2a_base64(digest)[:-1].decode()


def response(ws, head=HEAD):
    """Take the client's request; return the server's answer to it, made from the template `head`."""
    return head.replace("{accept}", accept_for(request_headers(ws)[1]["sec-websocket-key"])).encode()


def connected(limit=8192, binary=False, buffer=None):
    """Return an open client whose handshake is over and whose ("open",) has been read."""
    ws = client(limit, buffer=buffer)
    ws.binary = binary
    ws.feed(response(ws))
    assert events(ws) == [("open",)]
    return ws


def events(ws):
    found = []
    while True:
        event = ws.next_event()
        if event is None:
            return found
        found.append(event)


def header(opcode, size, final=True, reserved=0, length_bytes=None, masked=False):
    """Return the header of a server's frame of `size` payload bytes; the last three arguments make it a wrong one."""
    if length_bytes is None:
        length_bytes = 0 if size <= 125 else 2 if size <= 65535 else 8
    out = bytearray([(0x80 if final else 0) + reserved * 16 + opcode])
    out.append((0x80 if masked else 0) + {0: size, 2: 126, 8: 127}[length_bytes])
    for index in range(length_bytes):
        out.append(size >> 8 * (length_bytes - 1 - index) & 0xFF)
    return bytes(out) + (b"\0\0\0\0" if masked else b"")


def frame(opcode, payload=b"", final=True, reserved=0, length_bytes=None, masked=False):
    """Return a whole frame as a server sends it."""
    if isinstance(payload, str):
        payload = payload.encode()
    return header(opcode, len(payload), final, reserved, length_bytes, masked) + payload


def closing(code=None, reason=b""):
    """Return a server's close frame; without a code it has no payload."""
    if isinstance(reason, str):
        reason = reason.encode()
    return frame(CLOSE, b"" if code is None else bytes([code >> 8, code & 0xFF]) + reason)


def sent(ws):
    """Take what the client sent; return [(opcode, payload)], checking that each frame is final, masked and minimal."""
    data = bytes(ws.take())
    frames = []
    while data:
        assert data[0] & 0xF0 == 0x80, "not a final frame without reserved bits"
        assert data[1] & 0x80, "not masked"
        size, at = data[1] & 0x7F, 2
        if size == 126:
            size, at = data[2] * 256 + data[3], 4
            assert size > 125
        elif size == 127:
            size, at = int.from_bytes(data[2:10], "big"), 10
            assert size > 65535
        mask, at = data[at:at + 4], at + 4
        assert len(data) >= at + size, "cut short"
        payload = bytearray(size)
        for index in range(size):
            payload[index] = data[at + index] ^ mask[index & 3]
        frames.append((data[0] & 15, bytes(payload)))
        data = data[at + size:]
    return frames


def failed_with(ws, code):
    """True when the client has just told the server `code`, reported it as the end, and gone silent."""
    last = events(ws)[-1]
    frames = sent(ws)
    told = len(frames) == 1 and frames[0][0] == CLOSE and frames[0][1][:2] == bytes([code >> 8, code & 0xFF])
    return told and last[:2] == ("closed", code) and last[2] == frames[0][1][2:].decode() and ws.state == "closed"
