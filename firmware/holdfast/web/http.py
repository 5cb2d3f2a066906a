"""HTTP/1.1 as far as one page needs it: bytes in, a request out; an answer in, bytes out. No sockets here.

One request a connection, then it is closed. A request is bounded, whoever sends it: _HEAD bytes for its head, _BODY for
its body; what is larger, or not HTTP, is refused with the status that says why.
"""

_HEAD = 2048
_BODY = 6144  # a configuration with three RSA certificates and keys

# The headers that somebody asks for; the others are not kept.
_KEPT = "host", "origin", "x-token", "content-length", "transfer-encoding"

# Nobody is to keep an answer, nor to guess what it is.
_ANSWER = (
    "HTTP/1.1 %d -\r\nConnection: close\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
    "Content-Type: %s; charset=utf-8\r\nContent-Length: %d\r\n%s\r\n")


class Request:
    """`status`: 0 while more is to come, 200 when all is there, else that of the refusal.

    `method`, `path` (with its query), `headers` (names in lower case), `body` (bytes).
    """

    def __init__(self):
        self.status = 0
        self.method = self.path = ""
        self.headers = {}
        self.body = b""
        self._size = None  # of the body; None: the head is not complete

    def feed(self, data):
        """Bytes just read, in any pieces; b"": the other side has ended."""
        if self.status:
            return
        body = self.body + data
        if self._size is None:
            end = body.find(b"\r\n\r\n")
            if end > _HEAD or end < 0 and len(body) > _HEAD + 3:
                self.status = 431
            elif end >= 0:
                self.status = self._read_head(body[:end])
                body = body[end + 4:]
        self.body = body
        if not self.status:
            if self._size is not None and len(body) >= self._size:
                self.body = body[:self._size]
                self.status = 200
            elif not data:
                self.status = 400

    def _read_head(self, head):
        """0, or the status of the refusal."""
        lines = head.decode().split("\r\n") if head and max(head) < 127 else [""]
        words = lines.pop(0).split(" ")
        if len(words) != 3 or words[2][:7] != "HTTP/1." or words[1][:1] != "/":
            return 400
        self.method, self.path = words[:2]
        for line in lines:
            name, colon, value = line.partition(":")
            if not name or not colon or " " in name or "\t" in name:
                return 400
            name = name.lower()
            if name in _KEPT:
                if name in self.headers:
                    return 400
                self.headers[name] = value.strip()
        length = self.headers.get("content-length", "0")
        if "host" not in self.headers or not length.isdigit():
            return 400
        if "transfer-encoding" in self.headers:
            return 411
        if len(length) > 6 or int(length) > _BODY:
            return 413
        self._size = int(length)
        return 0


def response(status, body=b"", kind="text/plain", extra=""):
    """The bytes of an answer. `extra`: further header lines, each with its CRLF."""
    return (_ANSWER % (status, kind, len(body), extra)).encode() + body
