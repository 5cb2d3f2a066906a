"""RFC 6455 client without I/O: bytes from the socket go in, events and bytes for the socket come out.

The caller moves bytes: write what `take()` returns, `feed()` what was read, drain `next_event()` until it is None.
Promises: everything the server says is checked (Sec-WebSocket-Accept, subprotocol, framing, UTF-8, close codes); no
input makes it raise; memory stays bounded by the message limit, whatever length a frame announces. The last event of
a connection is always exactly one of "refused" (it never opened) and "closed" (it had been open).
"""

import hashlib
from binascii import b2a_base64

from .log import printable

# Opcodes, RFC 6455 §5.2: three of data and, with bit 3 set, three of control. All others are reserved.
_CONTINUATION = 0
_TEXT = 1
_BINARY = 2
_CLOSE = 8
_PING = 9
_PONG = 10

# Close codes we use. The last two stand for "none was sent" and "the link broke": they never travel (§7.4.1).
_NORMAL = 1000
_PROTOCOL_ERROR = 1002
_UNSUPPORTED = 1003
_BAD_DATA = 1007
_TOO_BIG = 1009
_NO_CODE = 1005
_LOST = 1006

_HEAD_LIMIT = 2048  # bytes of an HTTP response head
_OVERSIZE_HEAD = 512  # bytes reported of an oversize message: enough for the id of an OCPP-J CALL
_SKIP_LIMIT = 1 << 24  # an oversize message is skipped up to here; beyond, reading on would block the link for minutes
_MASK_BLOCK = 256  # bytes masked at once, a multiple of 4: keeps the temporary integers small


def check_utf8(data, state=0):
    """Check the next piece of a UTF-8 text (RFC 3629: no overlong forms, surrogates or code points above 10FFFF).

    `state` is what the call for the piece before returned, 0 at the start. Returns 0 when the text may end here, a
    positive state inside a character, -1 as soon as no continuation could make the text valid.
    """
    if not state and (not len(data) or max(data) < 0x80):
        return 0
    # The state holds how many bytes the character still needs, and the range that the next one must lie in.
    missing, low, high = state >> 16, state >> 8 & 0xFF, state & 0xFF
    for byte in data:
        if missing:
            if not low <= byte <= high:
                return -1
            missing -= 1
            low, high = 0x80, 0xBF
        elif byte >= 0x80:
            if not 0xC2 <= byte <= 0xF4:
                return -1
            missing = 1 + (byte >= 0xE0) + (byte >= 0xF0)
            low = 0xA0 if byte == 0xE0 else 0x90 if byte == 0xF0 else 0x80
            high = 0x9F if byte == 0xED else 0x8F if byte == 0xF4 else 0xBF
    return missing << 16 | low << 8 | high if missing else 0


def append_frame(out, opcode, payload, key):
    """Append to the bytearray `out` one final frame from client to server, masked with `key` (4 bytes)."""
    size = len(payload)
    out += bytes((0x80 | opcode, 0x80 | (size if size < 126 else 126 if size < 0x10000 else 127)))
    if size >= 126:
        out += size.to_bytes(2 if size < 0x10000 else 8, "big")
    out += key
    start = len(out)
    out += payload
    # One XOR of big integers masks a whole block in C; a loop over bytes takes ten times as long on an ESP32.
    for at in range(start, len(out), _MASK_BLOCK):
        block = memoryview(out)[at:at + _MASK_BLOCK]
        size = len(block)
        mask = (key * (size // 4 + 1))[:size]
        block[:] = (int.from_bytes(block, "big") ^ int.from_bytes(mask, "big")).to_bytes(size, "big")


def _closing(code, reason):
    # The payload of a close frame: two bytes of code, then the reason (RFC 6455 §5.5.1).
    return code.to_bytes(2, "big") + reason.encode()


class WebSocket:
    """One connection, from the handshake request to the close. `state` is "connecting", "open", "closing" or "closed".

    `host` is the Host header ("name:port"), `path` the request target (percent-encoded), `subprotocol` the only one
    accepted, `authorization` a whole header value or None; `urandom(n)` returns n random bytes. Messages of more than
    `limit` bytes are reported as "oversize", and so are those that memory has no room for. `buffer` (a bytearray, grown
    as messages need it) may be handed from one connection to the next.
    """

    binary = False  # True delivers binary messages, which OCPP-J does not have, instead of refusing them

    def __init__(self, host, path, subprotocol, authorization, limit, urandom, buffer):
        self.state = "connecting"
        self.subprotocol = subprotocol
        self.limit = limit
        self.urandom = urandom
        self._events = []
        self._rest = b""  # the beginning of an HTTP head, of a frame's header or of a control frame
        self._left = 0  # payload bytes still to come of the data frame being read
        self._final = 0  # is it the last of its message?
        self._message = 0  # _TEXT or _BINARY while a message is being put together, else 0
        self.buffer = buffer
        self._total = 0  # payload bytes of the message so far; those beyond the buffer are counted but not kept
        self._utf8 = 0
        self._ended = False  # the last event is in the queue; nothing more is listened to
        self._farewell = None  # payload of the close frame that goes out with that event
        key = b2a_base64(urandom(16)).strip()
        accept = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        self._accept = b2a_base64(accept).strip().decode()
        self._out = bytearray((
            "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Protocol: %s\r\n%s\r\n"
            % (path, host, key.decode(), subprotocol,
               "Authorization: %s\r\n" % authorization if authorization else "")
        ).encode())

    # -- what the caller does ---------------------------------------------------------------------------------------

    def take(self):
        """Return a bytearray of all that is to be written to the socket now, empty when there is nothing."""
        out, self._out = self._out, bytearray()
        return out

    def next_event(self):
        """Return the next event, None when there is none. Events are tuples:

        ("open",); ("text", str); ("binary", bytes); ("oversize", first 512 bytes, length in bytes): a message beyond
        the limit was skipped, the connection goes on; ("pong", payload); ("refused", HTTP status or 0, why);
        ("closed", code, reason): the code that was received, 1005 if none was, 1006 if the link broke, or the one we
        sent when the server broke the protocol. After the last two write what `take()` has, then close the socket.
        """
        if not self._events:
            return None
        event = self._events.pop(0)
        if self._ended and not self._events:
            # Only now, so that answers to messages that came in the same read still go out before the close frame.
            if self._farewell is not None:
                self.send(_CLOSE, self._farewell)
            self.state = "closed"
        return event

    def send(self, opcode, payload):
        """Queue one frame: a whole message, or control with at most 125 bytes. False, sending nothing, unless open."""
        if self.state != "open":  # so nothing follows the one close frame (§5.5.1)
            return False
        append_frame(self._out, opcode, payload, self.urandom(4))
        return True

    def send_text(self, text):
        """Queue one text message (str, or bytes of valid UTF-8), like `send`.

        MicroPython reads "\\ud83d" in JSON as half a surrogate pair and would send that: no UTF-8, so "???" goes out.
        """
        payload = text.encode() if type(text) is str else text
        at = payload.find(b"\xed")
        while at >= 0:
            if payload[at + 1:at + 2] > b"\x9f":
                payload = payload[:at] + b"???" + payload[at + 3:]
            at = payload.find(b"\xed", at + 1)
        return self.send(_TEXT, payload)

    def ping(self):
        """Queue a ping, like `send`; its answer is the event ("pong", payload)."""
        return self.send(_PING, b"")

    def close(self, reason):
        """Start the close handshake, with code 1000 and a reason of at most 123 bytes (§7.1.2).

        The event "closed" follows when the server has answered or the link has ended.
        """
        if self.state == "connecting" and not self._ended:
            self._end("refused", 0, "given up")
        elif self.send(_CLOSE, _closing(_NORMAL, reason)):
            self.state = "closing"

    def feed(self, data):
        """Take in bytes just read (bytes, bytearray or memoryview, in any pieces). Ignored after the end."""
        data = memoryview(self._rest + bytes(data) if self._rest else data)
        at = 0
        while at < len(data) and not self._ended:
            if self.state == "connecting":
                end = self._read_response(data, at)
            elif self._left:
                end = self._read_payload(data, at)
            else:
                end = self._read_frame(data, at)
            if end is None:
                break  # it is not all there yet
            at = end
        self._rest = bytes(data[at:])

    def feed_eof(self):
        """Take in that the server has closed the TCP connection, or that it broke."""
        if self._ended:
            return
        if self.state == "connecting":
            self._end("refused", 0, "no answer: " + printable(self._rest[:40]))
        else:
            self._end("closed", _LOST, "connection lost")

    # -- handshake, RFC 6455 §4.1 -----------------------------------------------------------------------------------

    def _read_response(self, data, at):
        head = bytes(data[at:at + _HEAD_LIMIT])
        end = head.find(b"\r\n\r\n")
        if head[:7] != b"HTTP/1."[:len(head)]:
            self._end("refused", 0, "not HTTP: " + printable(head[:40]))
        elif end >= 0:
            self._judge_response(head[:end])
            return at + end + 4
        elif len(head) >= _HEAD_LIMIT:
            self._end("refused", 0, "HTTP head too long")

    def _judge_response(self, head):
        # Whatever is not plain ASCII has no meaning here.
        lines = head.replace(b"\t", b" ").split(b"\r\n")
        answer = printable(lines.pop(0))
        status = (answer + " ").split(" ")[1]
        if len(status) != 3 or not status.isdigit():
            return self._end("refused", 0, "not HTTP: " + answer[:40])
        headers = {}
        for line in lines:
            line = printable(line)
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                return self._end("refused", 0, "not HTTP: " + line[:40])
            name, value = name.lower(), value.strip()
            # A header said twice must not pass for one said once.
            headers[name] = headers[name] + ", " + value if name in headers else value
        if status != "101":
            if status[0] != "1":  # else an interim answer, RFC 9110 §15.2: the real one follows
                why = answer[9:]
                if "location" in headers:
                    why += ", Location: " + headers["location"]
                self._end("refused", int(status), why)
            return

        wrong = None
        if headers.get("upgrade", "").lower() != "websocket":
            wrong = "upgrade"
        elif "upgrade" not in [word.strip() for word in headers.get("connection", "").lower().split(",")]:
            wrong = "connection"
        elif headers.get("sec-websocket-accept") != self._accept:
            wrong = "sec-websocket-accept"
        elif headers.get("sec-websocket-extensions"):
            wrong = "sec-websocket-extensions"  # none was offered
        if wrong:
            return self._end("refused", 101, "wrong or missing header " + wrong)
        # From here on the server is known to speak WebSocket, so it gets to know why we leave.
        self.state = "open"
        agreed = headers.get("sec-websocket-protocol", "")
        if agreed != self.subprotocol:
            why = "subprotocol %s not agreed, got '%s'" % (self.subprotocol, agreed[:40])
            self._end("refused", 101, why, _closing(_PROTOCOL_ERROR, why))
        else:
            self._events.append(("open",))

    # -- frames, RFC 6455 §5 ----------------------------------------------------------------------------------------

    def _read_frame(self, data, at):
        """Take in the header of a data frame, or a whole control frame. Returns where it ends, None if it is cut."""
        if at + 2 > len(data):
            return None
        first, length = data[at], data[at + 1]
        at += 2
        opcode = first & 0x0F
        # Reserved bits belong to extensions, and none was agreed; opcodes 3 to 7 and from 11 on are reserved; a server
        # does not mask; a control frame is short and in one piece; a new message waits for the one before.
        if (first & 0x70 or opcode & 7 > 2 or length & 0x80
                or (length > 125 or first < 0x80 if opcode & 8 else (opcode == _CONTINUATION) != bool(self._message))):
            return self._fail(_PROTOCOL_ERROR, "frame header %02x%02x" % (first, length))
        if length >= 126:
            start = at
            at += 2 if length == 126 else 8
            if at > len(data):
                return None
            shortest = 126 if length == 126 else 0x10000
            length = int.from_bytes(data[start:at], "big")
            if length < shortest or length >> 63:
                return self._fail(_PROTOCOL_ERROR, "malformed length")
        if opcode & 8:
            end = at + length
            if end > len(data):
                return None
            self._control(opcode, bytes(data[at:end]))
            return end
        self._left = length
        self._final = first & 0x80
        if opcode != _CONTINUATION:
            self._message = opcode
            self._total = self._utf8 = 0
            if opcode == _BINARY and not self.binary:
                return self._fail(_UNSUPPORTED, "text messages only")
        if self._total + length > max(self.limit, _SKIP_LIMIT):
            return self._fail(_TOO_BIG, "message too big")
        missing = min(self._total + length, self.limit) - len(self.buffer)
        if missing > 0:
            try:
                self.buffer.extend(bytes(missing))
            except MemoryError:
                pass  # the message is skipped and told as oversize
        return self._read_payload(data, at)

    def _read_payload(self, data, at):
        """Take in what is there of a data frame's payload. Returns where it ends."""
        piece = data[at:at + self._left]
        size = len(piece)
        buffer = self.buffer
        kept = min(self._total, len(buffer))
        fits = min(len(buffer) - kept, size)
        buffer[kept:kept + fits] = piece[:fits]
        self._left -= size
        self._total += size
        complete = self._final and not self._left
        if self._message == _TEXT:
            self._utf8 = check_utf8(piece, self._utf8)
            # What is wrong is told at once, not at the end of the message: the connection is lost anyway.
            if self._utf8 < 0 or (complete and self._utf8):
                return self._fail(_BAD_DATA, "not UTF-8")
        if complete:
            view = memoryview(buffer)
            if self._total > min(self.limit, len(buffer)):
                event = ("oversize", bytes(view[:_OVERSIZE_HEAD]), self._total)
            elif self._message == _TEXT:
                event = ("text", str(view[:self._total], "utf-8"))
            else:
                event = ("binary", bytes(view[:self._total]))
            self._message = 0
            self._events.append(event)
        return at + size

    def _control(self, opcode, payload):
        if opcode == _PING:
            return self.send(_PONG, payload)
        if opcode == _PONG:
            return self._events.append(("pong", payload))
        # A close frame, §7.
        code, reason = _NO_CODE, payload[2:]
        if payload:
            code = int.from_bytes(payload[:2], "big")
            # May it travel? RFC 6455 §7.4, IANA's later 1012..1014, libraries', private ones. One byte makes none.
            if not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
                return self._fail(_PROTOCOL_ERROR, "malformed close frame")
            if check_utf8(reason):
                return self._fail(_BAD_DATA, "not UTF-8")
        self._end("closed", code, str(reason, "utf-8"), payload[:2])

    def _fail(self, code, why):
        """Report a breach by the server, tell it why, and listen no more (§7.1.7)."""
        self._end("closed", code, why, _closing(code, why))

    def _end(self, event, code, why, payload=None):
        self._ended = True
        self._farewell = payload
        self.buffer = None
        self._events.append((event, code, why))
