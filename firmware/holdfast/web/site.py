"""What the page shows and changes, and for whom: password, session, limits, routes. No sockets and no files here.

One session at a time, for whoever knows the password. Nothing is changed without the session's token, which no other
site can read, and from no other origin than the page itself. Secrets go in and never come out. What the page sends as
configuration is checked by holdfast.config, and written only if that finds nothing.
"""

import json
from binascii import a2b_base64, hexlify
from hashlib import sha256

from holdfast.config import PATH, ConfigError, load
from holdfast.web.http import response
from holdfast.web.page import PAGE

IDLE = 600_000  # ms without a request after which a session is over
PENALTY = 1000  # ms until the next try after the first wrong password; doubled with each, up to 64 times
COST = 100  # ms that a request uses up of an allowance that grows with time
ALLOWANCE = 30 * COST
SHOWN = ("status", "reservations", "log", "memory", "flash")  # commands of the console
PEM = ("ca_certificate", "client_certificate", "client_key")  # a path or, to be put into a file, the thing itself
NESTED = 64  # brackets in a configuration: some are nested, and a board has little stack

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


def _same(one, other):
    # Comparing hashes takes a time that tells nothing about the strings.
    return sha256(one.encode()).digest() == sha256(other.encode()).digest()


class Site:
    """`secret`: see hashed. `edge` has `address`, of the board, as text; `random(n)`: n bytes of chance; `log`;
    `show(command)`: the lines of a console command; `read()`: the text of config.json, "" without; `write(path, text)`
    writes a file, raises OSError; `keep(key, content)` puts bytes into NVS, false where there is none.

    `used`: when somebody who is logged in last asked for something; `wish`: "restart", "off" or None.
    """

    def __init__(self, now, edge, secret):
        self.used = self._seen = now
        self.wish = self._session = self._token = None
        self._edge = edge
        self._secret = secret
        self._failures = 0
        self._locked = 0  # until when nobody may try a password
        self._allowance = ALLOWANCE

    def answer(self, now, request):
        """The bytes of the answer to a Request, at monotonic ms `now`."""
        self._allowance = min(ALLOWANCE, self._allowance + now - self._seen)
        self._seen = now
        if self._allowance < COST:
            return _later(COST)
        self._allowance -= COST
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
            return response(200, PAGE, "text/html", "Content-Encoding: gzip\r\n")
        changing = what.startswith("POST ")
        if changing and headers.get("origin") != "http://" + headers["host"]:
            return response(403)
        if what == "POST /login":
            return self._login(now, request.body)
        cookies = headers.get("cookie", "").split(";")  # those of whoever had this address before, too
        if not self._session or now - self.used > IDLE or not [
                1 for cookie in cookies if _same(cookie.strip(), self._session)]:
            return response(401)
        if changing and not _same(headers.get("x-token", ""), self._token):
            return response(403)
        self.used = now
        if what == "GET /config":
            values = self._known()
            for place in (values, _wifi(values)):
                place.pop("password", None)
            return _json(200, {"token": self._token, "config": values})
        if what == "POST /config":
            return self._commission(request.body, headers.get("x-minutes", ""))
        if what == "POST /off":
            self.wish = "off"
            return _json(200, {})
        what = what[10:] if what.startswith("GET /show/") else ""
        return response(200, "\n".join(self._edge.show(what)).encode()) if what in SHOWN else response(404)

    def _login(self, now, body):
        if now < self._locked:
            return _later(self._locked - now)
        # Counted before it is looked at, for everybody: a second phone is no second chance.
        self._locked = now + (PENALTY << min(self._failures, 6))
        self._failures += 1
        try:
            right = hashed(json.loads(body)["password"], self._secret[:16]) == self._secret
        except (ValueError, KeyError, TypeError, AttributeError):  # whatever it is, it is not the password
            right = False
        if not right:
            self._edge.log("warning", "web page: wrong password, number %d" % self._failures)
            return response(403)
        self._failures = self._locked = 0
        self._session, self._token = ["id=" + hexlify(self._edge.random(16)).decode() for _ in range(2)]
        self.used = now
        self._edge.log("info", "web page: somebody logged in")
        return _json(200, {}, "Set-Cookie: %s; HttpOnly; SameSite=Strict\r\n" % self._session)

    def _known(self):
        # What config.json has, whether it is right or not.
        try:
            values = json.loads(self._edge.read())
        except ValueError:
            values = None
        return values if type(values) is dict else {}

    def _commission(self, body, minutes):
        try:
            values = json.loads(str(body, "utf-8"))
        except ValueError:
            values = None
        if type(values) is not dict or body.count(b"{") + body.count(b"[") > NESTED:
            return response(400)
        # A password that is not sent stays, but not for somebody else than it was given for.
        known = self._known()
        _keep_password(values, known, "csms_url")
        _keep_password(_wifi(values), _wifi(known), "ssid")
        files = []
        for field in PEM:
            text = values.get(field)
            if type(text) is str and text.startswith("-----BEGIN "):
                try:
                    if not a2b_base64(text.split("-----")[2]):
                        raise ValueError
                except (ValueError, IndexError):
                    return _json(422, {"field": field, "error": "not PEM"})
                values[field] = "/%s.pem" % field
                files.append((values[field], text))
        try:
            load(json.dumps(values))
            self._hide(values, "password", "csms_url")
            self._hide(_wifi(values), "wifi_password", "ssid")
            for path, text in files + [(PATH, json.dumps(values))]:
                self._edge.write(path, text)
        except ConfigError as error:
            return _json(422, {"field": error.args[0], "error": error.args[1]})
        except OSError as error:
            return _json(422, {"field": "", "error": "not written: %s" % error})
        if minutes.isdigit() and len(minutes) < 10:
            self._edge.time(60 * int(minutes))  # of the phone: a new board has no other, and TLS wants one
        self._edge.log("info", "web page: new configuration")
        self.wish = "restart"
        return _json(200, {})

    def _hide(self, place, key, beside):
        # From the file into NVS, with a hash of whom it is for, as config.load wants it.
        if "password" in place and self._edge.keep(
                key, sha256(place[beside].encode()).digest()[:8] + place["password"].encode()):
            place.pop("password")


def _later(wait):
    return response(429, extra="Retry-After: %d\r\n" % ((wait + 999) // 1000))


def _json(status, value, extra=""):
    return response(status, json.dumps(value).encode(), "application/json", extra)


def _wifi(values):
    for name in ("network", "wifi"):
        values = values.get(name)
        if type(values) is not dict:
            return {}
    return values


def _keep_password(values, known, beside):
    if "password" in known and values.get(beside) == known.get(beside):
        values.setdefault("password", known["password"])
