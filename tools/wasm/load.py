"""Loads the agent on the 32-bit MicroPython of run.mjs and measures what each module takes of the heap.

Expects in the root: firmware.romfs, the compiled firmware; modules.txt, one a line, each after all that it imports,
with a "?" after those that may need what only a board has. Its last line is a JSON list of bytes in the order of the
modules, null for one that could not be loaded. Before each import it prints what MicroPython says about its table of
names, which grows by doubling: a module that happens to fill it pays for many.

The image is read before anything is counted, so code that is used in place counts for nothing, as on a board. Neither
does what MicroPython itself brings: asyncio above all, in whose place stands the one of this MicroPython. This file is
apart from heap.py, and short, because every name in it is one that the agent would not have to pay for.
"""

import asyncio
import binascii
import gc
import hashlib
import io
import json
import os
import select
import struct
import sys
import time

import micropython
import vfs

# Loaded before anything is counted, because on a board they are in the firmware.
FOREIGN = (asyncio, binascii, io, json, select, struct, time)


class Os:
    """os, with the random bytes that this MicroPython has not. They count up, so that every run measures the same."""

    drawn = 0

    def urandom(size):
        Os.drawn += 1
        return bytes([Os.drawn >> 8 * (i % 4) & 255 for i in range(size)])


for name in ("listdir", "mkdir", "remove", "rename", "stat", "statvfs"):
    setattr(Os, name, getattr(os, name))


class Hashlib:
    """Of the hashes this MicroPython has one, and WebSocket wants another: once, at the handshake."""

    sha1 = sha256 = hashlib.sha256


sys.modules["os"] = Os
sys.modules["hashlib"] = Hashlib
sys.modules["socket"] = Os  # nor is this, and at import nothing is asked of it
sys.modules["tls"] = Os  # not there, and at import nothing is asked of it


def steps():
    """What run.mjs runs, with a collection at every yield."""
    with open("/modules.txt") as file:
        names = file.read().split()
    os.mkdir("/records")
    if "ram" in os.listdir("/"):  # to_ram.py was here
        sys.path.insert(0, "/ram")
    else:
        with open("/firmware.romfs", "rb") as file:
            image = memoryview(file.read())
        vfs.mount(vfs.VfsRom(image), "/rom")
        sys.path.insert(0, "/rom")
    taken = [0] * len(names)
    yield
    for index in range(len(names)):
        micropython.qstr_info()
        before = gc.mem_alloc()
        try:
            __import__(names[index].rstrip("?"))
        except ImportError:
            if not names[index].endswith("?"):
                raise
            before = None
        yield
        taken[index] = before and gc.mem_alloc() - before
    micropython.qstr_info()
    print(json.dumps(taken))
