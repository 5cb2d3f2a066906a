"""Puts the agent into the ROMFS partition of a board with an image of ours; the half of `make deploy` that does this.

The partition has two slots (tools/image.py says what is in one), and _boot.py runs the newer one that is whole. A
deployment fills the other one: its header is erased, blocks that are right already stay, of the rest only what the
running agent's files do not have goes over the cable, and each block is compared with its hash on the board before and
all of them after they were written. Then the header is written, one flash operation, which either makes the new agent
valid or does not. Until then the old agent is what starts, all of it, whatever is unplugged and whenever.
"""

import base64
import hashlib

from tools import image
from tools.board_console import BoardError
from tools.board_repl import PART, sha256

BLOCK = image.BLOCK
ALIKE = 64  # bytes of a file from which on it is worth looking for on the board

# Flash is read as a block device here: after a write, what is mapped into memory may still be what was there before.
ON_BOARD = """
import vfs, hashlib, binascii
from esp32 import NVS, Partition
rom = vfs.rom_ioctl(2, 0)
block = bytearray(4096)
part = memoryview(block)
text = lambda data: str(binascii.hexlify(data), "utf-8")
def build():
    data = bytearray(8)
    Partition(Partition.RUNNING).readblocks(0, data, 176)
    return bytes(data)
def header(first):
    data = bytearray(56)
    rom.readblocks(first, data)
    return bytes(data)
def hashes(first, count):
    for index in range(first, first + count):
        rom.readblocks(index, block)
        print(text(hashlib.sha256(block).digest()))
def whole(first, head, size):
    h = hashlib.sha256(head)
    for at in range(0, size, 4096):
        first += 1
        rom.readblocks(first, block)
        h.update(part[:min(4096, size - at)])
    return text(h.digest())
def piece(at, size, path, start):
    with open(path, "rb") as f:
        f.seek(start)
        f.readinto(part[at:at + size])
def put(index, digest):
    if text(hashlib.sha256(block).digest()) != digest:
        raise OSError("a block arrived damaged, try again")
    rom.writeblocks(index, block)
"""


class Slot:
    """A slot as it is on the board. `first`: its first block; `number` 0: there is no whole agent for this image."""

    def __init__(self, repl, first, build):
        self.first, self.number = first, 0
        self.header = repl.value("header(%d)" % first)
        number, size = (int.from_bytes(self.header[at:at + 4], "little") for at in (16, 20))
        if self.header[:16] == b"HOLDFAST" + build and size <= self.room(repl):
            if whole(repl, first, self.header[:24], size) == self.header[24:].hex():
                self.number, self.size = number, size

    @staticmethod
    def room(repl):
        """Bytes that an agent may have."""
        return (repl.value("rom.ioctl(4, 0)") // 2 - 1) * BLOCK


def whole(repl, first, head, size):
    """The hash of the first bytes of a header and the `size` bytes that follow the header on the board."""
    return repl.value("whole(%d, %r, %d)" % (first, head, size))


def available(repl):
    """Has the MicroPython on the board a ROMFS partition?"""
    return repl.value("getattr(__import__('vfs'), 'rom_ioctl', lambda request: 0)(1)") == 1


def deploy(repl, files, progress=None):
    """Make `files` (see deploy.slot_files) the agent of the board. Returns (bytes sent, blocks written, blocks in all),
    None if there was nothing to do. `progress(bytes done, bytes in all)`. BoardError: the agent is the one it was.

    boot.py and main.py stay those of the image.
    """
    files = {"lib/" + name: content for name, content in files.items() if name not in image.RUN_BY_NAME}
    content = image.romfs(files)
    repl.run(ON_BOARD)
    if len(content) > Slot.room(repl):
        raise BoardError(TOO_LARGE.format(port=repl.port, size=len(content), room=Slot.room(repl)))
    build = repl.value("build()")
    first = repl.value("rom.ioctl(4, 0)") // 2
    slots = [Slot(repl, at, build) for at in (0, first)]
    newest = max(slots, key=lambda slot: slot.number)
    failed = recall(repl, "failed")
    if newest.number and newest.header == image.slot_header(build, newest.number, content) and newest.number != failed:
        return None

    # Not the newer one, even if it failed: without it the older one would be what starts, should this be interrupted.
    target = slots[newest.number > 0 and newest is slots[0]]
    header = image.slot_header(build, max(newest.number, failed) + 1, content)
    sent, written = fill(repl, target.first, content, known(repl, newest, files), progress)
    if whole(repl, target.first, header[:24], len(content)) != header[24:].hex():
        raise BoardError("what arrived in %s is not what was sent, so the old agent stays; try again" % repl.port)
    repl.run("nvs = NVS('holdfast')\nnvs.set_i32('trial', 0)\nnvs.commit()")  # of _boot.py, which counts its starts
    repl.run("rom.writeblocks(%d, %r, 0)" % (target.first, header))  # from here on it is the new agent
    if repl.value("header(%d)" % target.first) != header:
        raise BoardError("the flash of %s does not keep what is written, so the old agent stays" % repl.port)
    return sent, written, -(-len(content) // BLOCK)


def recall(repl, key):
    """An integer from the station's NVS, 0 if it was never written."""
    return int(repl.run("try:\n print(NVS('holdfast').get_i32(%r))\nexcept OSError:\n print(0)" % key))


def known(repl, slot, files):
    """[(content of a file, its path on the board)] of `files` that a whole slot has too, which is mounted for this."""
    if not slot.number:
        return []
    repl.run("vfs.mount(vfs.VfsRom(memoryview(rom)[%d:%d]), '/newest')"
             % ((slot.first + 1) * BLOCK, (slot.first + 1) * BLOCK + slot.size))
    paths = {digest: "/newest/" + path for path, digest in repl.tree("/newest").items()}
    return [(content, paths[sha256(content)]) for content in files.values() if sha256(content) in paths]


def fill(repl, first, content, known, progress):
    """Make `content` what follows the header of the slot that does not run. Returns (bytes sent, blocks written)."""
    repl.run("rom.ioctl(6, %d)" % first)
    content = content.ljust(-(-len(content) // BLOCK) * BLOCK, b"\xff")
    pieces = plan(content, known)
    there = repl.run("hashes(%d, %d)" % (first + 1, len(content) // BLOCK)).split()
    sent = written = 0
    for index, digest in enumerate(there):
        start = index * BLOCK
        wanted = hashlib.sha256(content[start:start + BLOCK]).hexdigest()
        if digest != wanted:
            for code, size in commands(content, start, pieces):
                repl.run(code)
                sent += size
            repl.run("put(%d, %r)" % (first + 1 + index, wanted))
            written += 1
        if progress:
            progress(start + BLOCK, len(content))
    return sent, written


def plan(content, known):
    """[(start, end, path)], ascending, of the parts of `content` that are the beginning of a file on the board."""
    pieces = []
    for data, path in known:
        start = content.find(data)
        if len(data) >= ALIKE and not any(start < end and begin < start + len(data) for begin, end, _ in pieces):
            pieces.append((start, start + len(data), path))
    return sorted(pieces)


def commands(content, start, pieces):
    """[(code, bytes sent with it)] that put the block of `content` at `start` together in the memory of the board."""
    found = []
    at, end = start, start + BLOCK
    for begin, stop, path in [piece for piece in pieces if piece[0] < end and piece[1] > start] + [(end, end, None)]:
        while at < begin:
            size = min(begin - at, PART)
            data = base64.b64encode(content[at:at + size]).decode()
            found.append(("part[%d:%d] = binascii.a2b_base64(%r)" % (at - start, at - start + size, data), size))
            at += size
        if path:
            stop = min(stop, end)
            found.append(("piece(%d, %d, %r, %d)" % (at - start, stop - at, path, at - begin), 0))
            at = stop
    return found


TOO_LARGE = """\
The agent takes {size} bytes, and a slot in the ROMFS of {port} has room for {room}. Nothing was changed. It fits only
as a part of a new image:

    make firmware BOARD=…     (or download an image)
    make flash BOARD=… PORT={port}"""
