"""The page's access point, name server and web server: sockets that never wait, looked at by one task.

At most _CONNECTIONS at a time, one more each _PACE ms, each for one request and a few seconds; whoever comes sooner
waits in the queue of the network stack. They are bound to the access point's address, so nobody reaches them over the
other network. Password and Wi-Fi key are made by chance for each board and shown once, on the console; NVS has the key
and a hash of the password.
"""

import asyncio
import gc
import json
import os
import socket
import sys

from .. import board, config
from .dns import answer
from .http import Request
from .site import Site, hashed, new_code

_CONNECTIONS = 2
_PACE = 100  # ms from one connection to the next
_MINUTES = 10  # without use until the page goes off
_SILENT = 2000  # ms for a connection to say something: browsers open some in advance
_PATIENCE = 5000  # ms for a request to come, and for its answer to go
_LINGER = 1000  # ms for the other side to close: what it still sends would turn a close into a reset


class _Connection:
    def __init__(self, stream, now):
        stream.setblocking(False)
        self.stream = stream
        self._request = Request()
        self._left = None  # of the answer
        self._deadline = now + _SILENT

    def step(self, now, site):
        """Do what can be done without waiting. False: it is over."""
        try:
            if self._left is None:
                data = self.stream.recv(512)
                request = self._request
                if not request.body and not request.method:
                    self._deadline = now + _PATIENCE
                request.feed(data)
                if request.status:
                    self._left = memoryview(site.answer(now, request))
                    self._deadline = now + _PATIENCE
            if self._left:
                self._left = self._left[self.stream.send(self._left):]
                if not self._left:
                    self._deadline = now + _LINGER
            elif self._left is not None and not self.stream.recv(512):
                return False
        except OSError as error:
            if error.errno != 11:  # EAGAIN
                return False
        except (MemoryError, RuntimeError):  # no room now: a page is no reason to disturb a charger
            return False
        return now < self._deadline


class Web:
    """The page, on. `minutes` without use until it goes off, 0: never. Raises OSError; ImportError without Wi-Fi.

    `lines`: the codes, if they were made now, because there were none or because they are to be `fresh`.
    """

    def __init__(self, agent, fresh, minutes):
        self.minutes = minutes
        self.lines = []
        self._over = False
        self.log = agent.log
        self.random = os.urandom
        self._agent = agent
        self._open = []
        self._sockets = []
        self._due = 0  # when the next connection may come
        network = board.network()
        self._point = point = network.WLAN(network.AP_IF)
        try:
            # Most methods want an active interface (library/network.WLAN); nobody listens before the key is set.
            point.active(True)
            codes = board.blob("web_codes")  # the Wi-Fi key, then what is kept of the password
            fresh = fresh or len(codes) != 60
            if fresh:
                # Only now: without its radio an ESP32 draws numbers that can be foretold (docs.espressif.com, "Random
                # Number Generation").
                key, password = new_code(os.urandom(12)), new_code(os.urandom(12))
                codes = key.encode() + hashed(password, os.urandom(16))
                self.lines = ["Wi-Fi: " + name(), "Wi-Fi key: " + key, "password: " + password]
            point.config(ssid=name(), security=network.AUTH_WPA2_PSK, key=codes[:12].decode(), max_clients=_CONNECTIONS)
            self.address = point.ifconfig()[0]
            self._bind(53, socket.SOCK_DGRAM)
            self._bind(80, socket.SOCK_STREAM)
            self._sockets[1].listen(_CONNECTIONS)
            self._octets = bytes(map(int, self.address.split(".")))
            self._site = Site(agent.now(), self, codes[12:])
            if fresh:
                board.blob("web_codes", codes)  # last: whoever is told that it failed is not shown them
        except (OSError, MemoryError):
            self.close()
            raise

    def _bind(self, port, kind):
        made = socket.socket(socket.AF_INET, kind)
        self._sockets.append(made)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(socket.getaddrinfo(self.address, port)[0][-1])
        made.setblocking(False)

    async def run(self):
        """The task: until the page is off."""
        try:
            while not self._over:
                self.step(self._agent.now())
                await asyncio.sleep_ms(10 if self._open else 50)
        finally:
            self.close()

    def step(self, now):
        """One look at everything, at monotonic ms `now`."""
        try:
            query, sender = self._sockets[0].recvfrom(512)
            found = answer(query, self._octets)
            if found:
                self._sockets[0].sendto(found, sender)
        except (OSError, MemoryError):
            pass  # nobody asks, or nobody is there any more; or there is no room now, which will pass
        try:
            # None any more once it is to go off: whoever knocks all the time would keep it on.
            if len(self._open) < _CONNECTIONS and now >= self._due and not self._site.wish:
                self._open.append(_Connection(self._sockets[1].accept()[0], now))
                self._due = now + _PACE
        except (OSError, MemoryError):
            pass  # nobody comes
        for connection in self._open[:]:
            if not connection.step(now, self._site):
                connection.stream.close()
                self._open.remove(connection)
        if self._site.wish:
            if not self._open:
                if self._site.wish == "restart":
                    # On after the restart too: whoever changed something wants to see the effect.
                    board.remember("web", 1)
                    self._agent.restart("LocalReset")
                self.close()
        elif self.minutes and now - self._site.used > 60_000 * self.minutes:
            self.close()
            self.log("info", "web page: off, nobody uses it")

    def close(self):
        """Switch the page and its access point off, and make room for other things. Safe to repeat."""
        if self._over:
            return
        self._over = True
        for connection in self._open:
            connection.stream.close()
        for made in self._sockets:
            made.close()
        self._sockets = self._open = []
        if self._agent.web is self:
            self._agent.web = None
        self._point.active(False)
        for module in list(sys.modules):
            if (module + ".").startswith("holdfast.web."):
                sys.modules.pop(module)
        holdfast = sys.modules["holdfast"]
        if hasattr(holdfast, "web"):
            del holdfast.web
        gc.collect()

    # --- for the site

    def show(self, command):
        lines = self._agent.console.execute("log 20" if command == "log" else command, self._agent.now())
        return [line for line in lines if line != "ok"]

    def read(self):
        try:
            with open(config.PATH, "rb") as file:
                return json.load(file)
        except (OSError, ValueError):
            return None

    def write(self, path, text):
        # littlefs has the old file until the new one is closed.
        with open(path, "wb") as file:
            file.write(text.encode())

    def forget(self, path):
        try:
            os.remove(path)
        except OSError:
            pass  # there is none

    def keep(self, key, content):
        board.blob(key, content)
        if board.blob(key, None, len(content)) != content:
            raise OSError("NVS does not take it")

    kept = staticmethod(board.blob)
    time = staticmethod(board.known_time)

    def check(self, values):
        if values.security_profile > 1:
            from ..tls import Handshake

            try:
                Handshake(values, None, False)
            except OSError as error:
                field, _, words = str(error).partition(" ")
                raise config.ConfigError(field, words)


def name():
    """Of the access point."""
    return "Holdfast-" + board.identity()


def switch(agent, how, minutes=None):
    """Do what the console's command `web` says; returns lines that say what is. Raises ValueError.

    `how`: "on", "off", or "password" for new codes. `minutes`: None as configured, 0 for ever.
    """
    if how not in ("on", "off", "password"):
        raise ValueError("not '%s'" % how)
    if not 0 <= (minutes or 0) <= 1440:
        raise ValueError("MINUTES out of range")
    if minutes is None:
        minutes = agent.config.web.get("minutes", _MINUTES) if agent.config else _MINUTES
    if agent.web and how != "on":
        agent.web.close()
    if how == "off":
        return []
    lines = []
    if agent.web:
        agent.web.minutes = minutes
    else:
        try:
            agent.web = web = Web(agent, how != "on", minutes)
        except OSError as error:
            raise ValueError("no access point: %s" % error)
        lines = web.lines
        if how != "on":
            web.close()
            return lines
        asyncio.create_task(web.run())
    return lines + ["web page: http://%s/ in Wi-Fi %s, %s" % (
        agent.web.address, name(), "off after %d minutes without use" % minutes if minutes else "not off by itself")]
