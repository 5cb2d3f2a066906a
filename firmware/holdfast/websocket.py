"""RFC 6455 client without I/O: bytes from the socket go in, events and bytes for the socket come out.

The caller moves bytes: write what `take()` returns, `feed()` what was read, drain `next_event()` until it is None.
Promises: everything the server says is checked (Sec-WebSocket-Accept, subprotocol, framing, UTF-8, close codes); no
input makes it raise; memory stays bounded by the message limit, whatever length a frame announces. The last event of
a connection is always exactly one of "refused" (it never opened) and "closed" (it had been open).
"""

import hashlib
from binascii import b2a_base64

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


def code_may_travel(code):
    """True when a close frame may carry this code: RFC 6455 §7.4, IANA's later 1012..1014, libraries', private ones."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


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
            missing = 1 if byte < 0xE0 else 2 if byte < 0xF0 else 3
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
    at = len(out)
    out += payload
    # One XOR of big integers masks a whole block in C; a loop over bytes takes ten times as long on an ESP32.
    view = memoryview(out)
    block = min(_MASK_BLOCK, size + 3 & ~3)
    mask = int.from_bytes(key * (block // 4), "big")
    while at < len(out):
        end = min(at + block, len(out))
        masked = int.from_bytes(view[at:end], "big") ^ mask >> 8 * (block - (end - at))
        view[at:end] = masked.to_bytes(end - at, "big")
        at = end


def close_payload(code, reason):
    """The payload of a close frame: two bytes of code, then the reason (RFC 6455 §5.5.1)."""
    return code.to_bytes(2, "big") + reason.encode()


def printable(data):
    """Return bytes from a stranger as text that is safe to log."""
    return "".join([chr(byte) if 32 <= byte < 127 else "?" for byte in data])


class WebSocket:
    """One connection, from the handshake request to the close. `state` is "connecting", "open", "closing" or "closed".

    `host` is the Host header ("name:port"), `path` the request target (percent-encoded), `subprotocol` the only one
    accepted, `authorization` a whole header value or None; `urandom(n)` returns n random bytes. Messages of more than
    `limit` bytes are reported as "oversize", and so are those that memory has no room for. `buffer` (a bytearray, grown
    as messages need it) may be handed from one connection to the next. `binary=True` delivers binary messages, which
    OCPP-J does not have, instead of refusing them.
    """

    def __init__(self, host, path, subprotocol, authorization=None, limit=8192, urandom=None, binary=False,
                 buffer=None):
        self.state = "connecting"
        self._subprotocol = subprotocol
        self._limit = limit
        self._urandom = urandom
        self._binary = binary
        self._events = []
        self._head = b""  # what arrived so far of the HTTP head, later of a frame header
        self._opcode = 0  # of the frame being read
        self._final = False
        self._left = 0  # payload bytes of that frame still to come
        self._control = b""  # payload so far of a control frame
        self._message = 0  # _TEXT or _BINARY while a message is being put together, else 0
        self._buffer = bytearray() if buffer is None else buffer
        self._total = 0  # payload bytes of the message so far; those beyond the buffer are counted but not kept
        self._utf8 = 0
        self._ended = False  # the last event is in the queue; nothing more is listened to
        self._farewell = None  # payload of the close frame that goes out with that event
        key = b2a_base64(urandom(16)).strip()
        self._accept = b2a_base64(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).strip()
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
                self._send(_CLOSE, self._farewell)
            self.state = "closed"
        return event

    def send_text(self, text):
        """Queue one text message (str, or bytes of valid UTF-8). Returns False, sending nothing, unless open.

        MicroPython reads "\\ud83d" in JSON as half a surrogate pair and would send that: no UTF-8, so "???" goes out.
        """
        payload = text.encode() if isinstance(text, str) else text
        at = payload.find(b"\xed")
        while at >= 0:
            if payload[at + 1:at + 2] > b"\x9f":
                payload = payload[:at] + b"???" + payload[at + 3:]
            at = payload.find(b"\xed", at + 1)
        return self._send(_TEXT, payload)

    def send_binary(self, payload):
        """Queue one binary message, like send_text."""
        return self._send(_BINARY, payload)

    def ping(self, payload=b""):
        """Queue a ping with at most 125 bytes; its answer is the event ("pong", payload). False unless open."""
        return self._send(_PING, payload[:125])

    def close(self, code=_NORMAL, reason=""):
        """Start the close handshake; "closed" follows when the server has answered or the link has ended (§7.1.2).

        Raises ValueError for a code that must not travel and a reason of more than 123 bytes.
        """
        if not code_may_travel(code) or len(reason.encode()) > 123:
            raise ValueError("close code or reason")
        if self.state == "connecting" and not self._ended:
            self._refuse(0, "given up")
        elif self._send(_CLOSE, close_payload(code, reason)):
            self.state = "closing"

    def feed(self, data):
        """Take in bytes just read (bytes, bytearray or memoryview, in any pieces). Ignored after the end."""
        data = memoryview(data)
        at, size = 0, len(data)
        while at < size and not self._ended:
            if self.state == "connecting":
                at = self._read_response(data, at)
            elif self._left:
                at = self._read_payload(data, at)
            else:
                at = self._read_header(data, at)

    def feed_eof(self):
        """Take in that the server has closed the TCP connection, or that it broke."""
        if self._ended:
            return
        if self.state == "connecting":
            self._refuse(0, "no answer: " + printable(self._head[:40]))
        else:
            self._end("closed", _LOST, "connection lost")

    # -- handshake, RFC 6455 §4.1 -----------------------------------------------------------------------------------

    def _read_response(self, data, at):
        before = len(self._head)
        head = self._head + bytes(data[at:at + _HEAD_LIMIT - before])
        end = head.find(b"\r\n\r\n")
        if head[:7] != b"HTTP/1."[:len(head)]:
            self._refuse(0, "not HTTP: " + printable(head[:40]))
        elif end >= 0:
            self._head = b""
            self._judge_response(head[:end].split(b"\r\n"))
            return at + end + 4 - before
        elif len(head) >= _HEAD_LIMIT:
            self._refuse(0, "HTTP head too long")
        self._head = head
        return len(data)

    def _judge_response(self, lines):
        headers = {}
        for line in lines[1:]:
            name, colon, value = line.partition(b":")
            if not colon or not name or name != name.strip():
                return self._refuse(0, "malformed header: " + printable(line[:40]))
            name, value = name.lower(), value.strip()
            # A header said twice must not pass for one said once.
            headers[name] = headers[name] + b", " + value if name in headers else value
        answer = lines[0].split(b" ", 2)
        if len(answer) < 2 or len(answer[1]) != 3 or not answer[1].isdigit():
            return self._refuse(0, "malformed status line: " + printable(lines[0][:40]))
        status = int(answer[1])
        if status != 101:
            if 100 <= status < 200:
                return  # an interim answer, RFC 9110 §15.2: the real one follows
            why = printable(lines[0][9:])
            if b"location" in headers:
                why += ", Location: " + printable(headers[b"location"])
            return self._refuse(status, why)

        wrong = None
        if headers.get(b"upgrade", b"").lower() != b"websocket":
            wrong = "Upgrade"
        elif b"upgrade" not in [word.strip() for word in headers.get(b"connection", b"").lower().split(b",")]:
            wrong = "Connection"
        elif headers.get(b"sec-websocket-accept") != self._accept:
            wrong = "Sec-WebSocket-Accept"
        elif headers.get(b"sec-websocket-extensions"):
            wrong = "Sec-WebSocket-Extensions"  # none was offered
        if wrong:
            return self._refuse(101, "wrong or missing header " + wrong)
        # From here on the server is known to speak WebSocket, so it gets to know why we leave.
        self.state = "open"
        agreed = printable(headers.get(b"sec-websocket-protocol", b""))
        if agreed != self._subprotocol:
            why = "subprotocol %s not agreed, got '%s'" % (self._subprotocol, agreed[:40])
            self._refuse(101, why, close_payload(_PROTOCOL_ERROR, why))
        else:
            self._events.append(("open",))

    # -- frames, RFC 6455 §5 ----------------------------------------------------------------------------------------

    def _read_header(self, data, at):
        """Collect a frame header; it is judged as soon as its first two bytes are there, then once it is whole."""
        head = self._head
        need = 2
        if len(head) >= 2:
            need = 4 if head[1] == 126 else 10
        end = min(at + need - len(head), len(data))
        head += bytes(data[at:end])
        self._head = head
        if len(head) < need:
            return end
        length = head[1]
        if need == 2:
            wrong = self._judge_header(head[0], length)
            if wrong or length >= 126:
                if wrong:
                    self._fail(_PROTOCOL_ERROR, wrong)
                return end
        else:
            length = int.from_bytes(head[2:], "big")
            if length < (126 if need == 4 else 0x10000) or length >> 63:
                self._fail(_PROTOCOL_ERROR, "malformed length")
                return end
        self._head = b""
        self._begin_frame(head[0], length)
        return end

    def _judge_header(self, first, length):
        """Return what is wrong with the first two bytes of a frame, None if nothing is."""
        opcode = first & 0x0F
        if first & 0x70:
            return "reserved bit set"  # they belong to extensions, and none was agreed
        if opcode & 7 > 2:
            return "reserved opcode"
        if length & 0x80:
            return "masked frame"
        if opcode & 8:
            if length > 125 or not first & 0x80:
                return "bad control frame"
        elif (opcode == _CONTINUATION) != bool(self._message):
            return "frame out of sequence"  # a continuation of nothing, or a new message inside a fragmented one
        return None

    def _begin_frame(self, first, length):
        self._opcode = opcode = first & 0x0F
        self._final = bool(first & 0x80)
        self._left = length
        self._control = b""
        if not opcode & 8:
            if opcode != _CONTINUATION:
                self._message = opcode
                self._total = 0
                self._utf8 = 0
            if opcode == _BINARY and not self._binary:
                return self._fail(_UNSUPPORTED, "text messages only")
            if self._total + length > max(self._limit, _SKIP_LIMIT):
                return self._fail(_TOO_BIG, "message too big")
            missing = min(self._total + length, self._limit) - len(self._buffer)
            if missing > 0:
                try:
                    self._buffer.extend(bytes(missing))
                except MemoryError:
                    pass  # the message is skipped and told as oversize
        if not length:
            self._end_frame()

    def _read_payload(self, data, at):
        end = min(at + self._left, len(data))
        piece = data[at:end]
        self._left -= end - at
        if self._opcode & 8:
            self._control += bytes(piece)
        else:
            kept = min(self._total, len(self._buffer))
            fits = min(len(self._buffer) - kept, end - at)
            if fits:
                self._buffer[kept:kept + fits] = piece[:fits]
            self._total += end - at
            if self._message == _TEXT:
                self._utf8 = check_utf8(piece, self._utf8)
                if self._utf8 < 0:  # at once, not at the end of the message: the connection is lost anyway
                    self._fail(_BAD_DATA, "not UTF-8")
                    return end
        if not self._left:
            self._end_frame()
        return end

    def _end_frame(self):
        opcode = self._opcode
        if opcode == _PING:
            self._send(_PONG, self._control)
        elif opcode == _PONG:
            self._events.append(("pong", self._control))
        elif opcode == _CLOSE:
            self._end_close(self._control)
        elif self._final:
            self._end_message()

    def _end_message(self):
        text = self._message == _TEXT
        self._message = 0
        view = memoryview(self._buffer)
        if self._utf8:
            self._fail(_BAD_DATA, "not UTF-8")
        elif self._total > min(self._limit, len(self._buffer)):
            self._events.append(("oversize", bytes(view[:_OVERSIZE_HEAD]), self._total))
        elif text:
            self._events.append(("text", str(view[:self._total], "utf-8")))
        else:
            self._events.append(("binary", bytes(view[:self._total])))

    # -- closing, RFC 6455 §7 ---------------------------------------------------------------------------------------

    def _end_close(self, payload):
        code, reason = _NO_CODE, payload[2:]
        if payload:
            code = int.from_bytes(payload[:2], "big")
            if not code_may_travel(code):  # a payload of one byte makes no valid code either
                return self._fail(_PROTOCOL_ERROR, "malformed close frame")
            if check_utf8(reason):
                return self._fail(_BAD_DATA, "not UTF-8")
        self._end("closed", code, str(reason, "utf-8"), payload[:2])

    def _fail(self, code, why):
        """Report a breach by the server, tell it why, and listen no more (§7.1.7)."""
        self._end("closed", code, why, close_payload(code, why))

    def _refuse(self, status, why, farewell=None):
        self._end("refused", status, why, farewell)

    def _end(self, event, code, why, farewell=None):
        self._ended = True
        self._farewell = farewell
        self._buffer = None
        self._events.append((event, code, why))

    def _send(self, opcode, payload):
        if self.state != "open":  # so nothing follows the one close frame (§5.5.1)
            return False
        append_frame(self._out, opcode, payload, self._urandom(4))
        return True
