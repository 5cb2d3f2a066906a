"""What the page shows and changes, and for whom: password, session, limits, routes. No sockets and no files here.

One session at a time, for whoever knows the password. It is a token that the page sends with every request, not a
cookie: a browser adds it to no other site's requests. Secrets go in and never come out. What the page sends as
configuration is checked by holdfast.config, and certificates by TLS itself; config.json is replaced only if both find
nothing, and until then nothing that it names has changed.
"""

import json
from binascii import a2b_base64, hexlify
from hashlib import sha256

from ..config import PATH, ConfigError, load
from .http import response
from .page import PAGE, POLICY

_IDLE = 600_000  # ms without a request after which a session is over
_PENALTY = 1000  # ms until the next try after the first wrong password; doubled with each, up to 64 times
_NESTED = 64  # brackets in a configuration: some are nested, and a board has little stack
_LATEST = 3_000_000_000  # UTC in seconds; what comes after it is too much for some clocks

_SHOWN = "status", "reservations", "log", "memory", "flash"  # commands of the console
# A path, or in place of it the thing itself, in PEM; and where that is put.
_PEM = (("ca_certificate", "/ca_certificate"), ("client_certificate", "/client_certificate"),
        ("client_key", "nvs:client_key"))
_LETTERS = b"abcdefghijkmnpqrstuvwxyz23456789"  # none that look alike


def new_code(random):
    """A password of 60 random bits that can be typed. `random`: 12 bytes of chance."""
    return bytes([_LETTERS[octet & 31] for octet in random]).decode()


def hashed(password, salt):
    """What is kept of a password: 16 bytes of salt and 32 of SHA-256.

    Passwords are new_code's, so there is nothing that many rounds would protect, and they would keep a contactor
    waiting.
    """
    return salt + sha256(salt + password.encode()).digest()


def _digest(text):
    return sha256(text.encode()).digest()


class Site:
    """`secret`: see hashed. `edge` has `address`, of the board, as text; `random(n)`: n bytes of chance; `log`;
    `show(command)`: the lines of a console command; `read()`: what config.json has, right or not, None for no JSON;
    `write(path, text)` writes a file and `keep(key, content)` bytes into NVS, both raise OSError; `kept(key)`: what is
    in NVS; `forget(path)` removes a file, if there is one; `check(config)` tries what TLS needs, raises ConfigError;
    `time(utc)`: it is at least that late.

    `used`: when somebody who is logged in last asked for something; `wish`: "restart", "off" or None.
    """

    def __init__(self, now, edge, secret):
        self.used = now
        self.wish = self._token = None
        self._edge = edge
        self._secret = secret
        self._failures = 0
        self._locked = 0  # until when nobody may try a password

    def answer(self, now, request):
        """The bytes of the answer to a Request, at monotonic ms `now`."""
        if request.status != 200:
            return response(request.status)
        headers = request.headers
        address = self._edge.address
        if headers["host"].split(":")[0] != address:
            # A phone that tries whether this is the Internet (captive portal), or a name that somebody made to point
            # here (DNS rebinding): neither gets anything but the way to the page.
            return response(302, extra="Location: http://%s/\r\n" % address)
        what = request.method + " " + request.path
        if what == "GET /":
            return response(200, PAGE, "text/html", POLICY)
        if what[:5] == "POST " and headers.get("origin") != "http://" + headers["host"]:
            return response(403)
        if what == "POST /login":
            return self._login(now, request.body)
        # Comparing hashes takes a time that tells nothing about the token.
        if not self._token or now - self.used > _IDLE or _digest(headers.get("x-token", "")) != _digest(self._token):
            return response(401)
        self.used = now
        if what == "GET /config":
            values = self._known()
            for place in (values, _wifi(values)):
                place.pop("password", None)
            return _json(200, values)
        if what == "POST /config":
            return self._commission(request.body)
        if what == "POST /off":
            self.wish = "off"
            return _json(200, {})
        what = what[10:] if what[:10] == "GET /show/" else ""
        return response(200, "\n".join(self._edge.show(what)).encode()) if what in _SHOWN else response(404)

    def _login(self, now, body):
        wait = self._locked - now
        if wait > 0:
            return response(429, extra="Retry-After: %d\r\n" % ((wait + 999) // 1000))
        # Counted before it is looked at, for everybody: a second phone is no second chance.
        self._locked = now + (_PENALTY << min(self._failures, 6))
        self._failures += 1
        try:
            # No more of it than a password takes: what is nested takes a heap of memory.
            right = hashed(json.loads(body[:99])["password"], self._secret[:16]) == self._secret
        except (ValueError, KeyError, TypeError, AttributeError):  # whatever it is, it is not the password
            right = False
        if not right:
            self._edge.log("warning", "web page: wrong password, number %d" % self._failures)
            return response(403)
        self._failures = self._locked = 0
        self._token = hexlify(self._edge.random(16)).decode()
        self.used = now
        self._edge.log("info", "web page: somebody logged in")
        return _json(200, {"token": self._token})

    def _known(self):
        values = self._edge.read()
        return values if type(values) is dict else {}

    def _commission(self, body):
        try:
            values = json.loads(str(body, "utf-8"))
        except ValueError:
            values = None
        if type(values) is not dict or body.count(b"{") + body.count(b"[") > _NESTED:
            return response(400)
        utc = values.pop("time", None)  # by the phone's clock
        known = self._known()
        # One that the CSMS has set since is good for no other, and not beside a new one.
        outdated = "password" in values or values.get("csms_url") != known.get("csms_url")
        secrets = (values, known, "password", "csms_url"), (_wifi(values), _wifi(known), "wifi_password", "ssid")
        for place, old, _, beside in secrets:
            # A password that is not sent stays, but not for somebody else than it was given for.
            if "password" in old and place.get(beside) == old.get(beside):
                place.setdefault("password", old["password"])
        files = []
        for field, name in _PEM:
            text = values.get(field)
            if type(text) is str and text[:11] == "-----BEGIN ":
                # Beside what is in use, which nothing is to happen to yet.
                values[field] = name = name + "2" if known.get(field) == name else name
                files.append((name, text))
        try:
            config = load(json.dumps(values))
            for name, text in files:
                if name[0] == "/":
                    self._edge.write(name, text)
                else:
                    self._edge.keep(name[4:], a2b_base64(text.split("-----")[-3]))
            self._edge.check(config)
            for place, old, key, beside in secrets:
                if "password" in place:
                    # As config.load wants it: after a hash of whom it is for, in the one of two places that is free.
                    whom, used = place[beside], old.get(beside)
                    if type(used) is str and used != whom and self._edge.kept(key)[:8] == _digest(used)[:8]:
                        key += "2"
                    self._edge.keep(key, _digest(whom)[:8] + place.pop("password").encode())
            self._edge.write(PATH, json.dumps(values))
            if outdated:
                self._edge.forget("/records/variable-SecurityCtrlr.BasicAuthPassword")
        except ConfigError as error:
            return _fault(*error.args)
        except (ValueError, IndexError):
            return _fault("client_key", "not PEM")
        except OSError as error:
            return _fault("", "not written: %s" % error)
        if type(utc) is int and 0 < utc < _LATEST:
            self._edge.time(utc)  # a new board has no other, and TLS wants one
        self._edge.log("info", "web page: new configuration")
        self.wish = "restart"
        return _json(200, {})


def _json(status, value):
    return response(status, json.dumps(value).encode(), "application/json")


def _fault(field, error):
    return _json(422, {"field": field, "error": error})


def _wifi(values):
    for name in ("network", "wifi"):
        values = values.get(name)
        if type(values) is not dict:
            return {}
    return values
