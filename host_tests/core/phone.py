"""A phone at the installer's page, and the board behind the page: what core tests of web/site.py share."""

import json

from holdfast.config import ConfigError
from holdfast.web.http import Request
from holdfast.web.site import Site, hashed

PACE = 100  # ms from one request to the next
IDLE = 600_000  # ms without a request that end a session
PENALTY = 1000  # ms to wait after the first wrong password
HOST = "192.168.4.1"
PASSWORD = "abcdefghijkm"
GOOD = {"station_id": "CS-1", "csms_url": "ws://csms/ocpp", "evses": [{"connectors": ["cType2"]}],
        "password": "a-secret-of-16-characters"}


class Edge:
    address = HOST

    def __init__(self, config=None):
        self.lines = []
        self.text = json.dumps(config) if config else ""
        self.drawn = 0
        self.fails = ""  # the name of the method that does
        self.refuses = None  # what TLS has against a configuration
        self.utc = None  # the time that was told
        self.nvs = {}
        self.files = {}
        self.order = []  # what was written, in its order

    def random(self, count):
        self.drawn += 1
        return bytes([self.drawn]) * count

    def log(self, level, text):
        self.lines.append(text)

    def show(self, command):
        return [command + ": shown"]

    def read(self):
        return json.loads(self.text) if self.text else None

    def kept(self, key):
        return self.nvs.get(key, b"")

    def keep(self, key, content):
        if self.fails == "keep":
            raise OSError("NVS does not take it")
        self.order.append(key)
        self.nvs[key] = content

    def time(self, utc):
        self.utc = utc

    def check(self, config):
        if self.refuses:
            raise ConfigError(*self.refuses)

    def forget(self, path):
        self.order.append("no " + path)

    def write(self, path, text):
        if self.fails == "write":
            raise OSError(28)
        self.order.append(path)
        if path == "/config.json":
            self.text = text
        else:
            self.files[path] = text


class Phone:
    """A browser: sends the token and its origin, and takes its time."""

    def __init__(self, config=None, login=True):
        self.edge = Edge(config)
        self.now = 1000
        self.site = Site(self.now, self.edge, hashed(PASSWORD, b"salt" * 4))
        self.token = self.head = ""
        self.host = HOST
        self.origin = "http://" + HOST
        if login:
            assert self.login() == 200

    def login(self, password=PASSWORD):
        answer = self.ask("/login", {"password": password})
        if self.status == 200:
            self.token = json.loads(answer)["token"]
        return self.status

    def ask(self, path, body=None, method=None):
        self.now += PACE
        data = b"" if body is None else json.dumps(body).encode()
        lines = ["%s %s HTTP/1.1" % (method or ("GET" if body is None else "POST"), path), "Host: " + self.host,
                 "X-Token: " + self.token, "Content-Length: %d" % len(data)]
        if self.origin:
            lines.append("Origin: " + self.origin)
        request = Request()
        request.feed("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
        assert request.status == 200
        head, _, body = self.site.answer(self.now, request).partition(b"\r\n\r\n")
        self.head = head.decode() + "\r\n"
        self.status = int(self.head.split(" ")[1])
        return body
