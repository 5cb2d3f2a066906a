"""Runs link.py on MicroPython around a station that only tells what happens to it: one line each on standard output.

Usage: micropython link_harness.py FIRMWARE_DIR SPEED, with the configuration and the variables as JSON in CONFIG and
VARIABLES of the environment, because an argument has room for 255 characters only.
The clock of the link runs SPEED times faster than the wall.
Lines that come in: `send TEXT`, `connect`, `disconnect`, `reconnect` (the station wants it as soon as all is said, and
that is when the next TEXT is), `fail read` or `fail write` (the next message, or the next look for one to send, makes
the station raise), `state`, `memory`, `due`, `quit`. Lines that go out: `up`, `down`, `text …`, `oversize …`,
`log LEVEL …`, `state …`, `memory …`, `due …`, `event NAME TECHINFO`, `crash …`.
"""

import asyncio
import gc
import json
import os
import sys
import time

sys.path.insert(0, sys.argv[1])

from holdfast import link as link_module  # noqa: E402 -- the path comes first
from holdfast.clock import Clock  # noqa: E402
from holdfast.config import load  # noqa: E402

SPEED = int(sys.argv[2])
really_resolve = link_module.resolve


def now():
    return time.ticks_ms() * SPEED


class Hurried:
    """asyncio, with timeouts that pass as fast as the clock of the link."""

    def __getattr__(self, name):
        return getattr(asyncio, name)

    def wait_for(self, awaitable, seconds):
        return asyncio.wait_for(awaitable, seconds / SPEED)



async def resolve(host):
    """Names under .example, which do not exist anywhere, are this machine here."""
    return "127.0.0.1" if host.endswith(".example") else await really_resolve(host)


class Variables:
    def __init__(self, values):
        self.values = values

    def integer(self, name):
        return self.values[name]

    def get(self, name):
        return self.values[name]

    def true(self, name):
        return self.values.get(name) == "true"


class Station:
    """What a link needs of a station: it prints what it is told, and sends back what begins with "echo"."""

    def __init__(self, variables):
        self.variables = Variables(variables)
        self.frames = []
        self.failing = False
        self.reconnect = self.waits = False
        self.clock = Clock()

    def all_said(self):
        return not self.frames and not self.waits

    def security_event(self, now, name, info):
        print("event %s %s" % (name, info))

    def link_up(self, now):
        print("up")

    def link_down(self, now):
        self.frames = []
        print("down")

    def received(self, now, text):
        if self.failing == "read":
            self.failing = False
            raise KeyError("asked for")
        print("text %d %s" % (len(text), text[:60]))
        if text.startswith("echo"):
            self.frames.append(text)

    def oversize(self, now, head, total):
        print("oversize %d %d" % (len(head), total))

    def take_frames(self):
        if self.failing == "write":
            self.failing = False
            raise KeyError("asked for")
        frames, self.frames = self.frames, []
        return frames


async def supervise(link):
    while True:
        try:
            await link.run()
        except Exception as error:  # noqa: BLE001 -- stands in for the agent, which does the same
            print("crash %r" % error)


async def watch(link):
    while True:
        await asyncio.sleep_ms(1000 // SPEED)
        link.tick(now())


async def main():
    link_module.asyncio = Hurried()
    link_module.resolve = resolve
    station = Station(json.loads(os.getenv("VARIABLES")))

    def log(level, text):
        print("log %s %s" % (level, text))

    config = load(os.getenv("CONFIG"))
    link = link_module.Link(config, station, log, now, os.urandom, lambda: link.poke())
    asyncio.create_task(supervise(link))
    asyncio.create_task(watch(link))
    reader = asyncio.StreamReader(sys.stdin.buffer)
    while True:
        line = (await reader.readline()).decode().strip()
        word, _, rest = line.partition(" ")
        if word == "quit" or not line:
            break
        if word == "send":
            station.frames.append(rest)
            station.waits = False
            link.poke()
        elif word == "connect":
            link.connect()
        elif word == "disconnect":
            link.disconnect()
        elif word == "reconnect":
            station.reconnect = station.waits = True
            link.poke()
        elif word == "fail":
            station.failing = rest
            link.poke()
        elif word == "state":
            print("state " + link.state)
        elif word == "due":
            print("due %s" % link.due())
        elif word == "memory":
            gc.collect()
            print("memory %d" % gc.mem_alloc())


asyncio.run(main())
