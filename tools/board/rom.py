"""The virtual board's `vfs` with its ROMFS partition, and what stands for the agent that is frozen into an image.

The partition is a file, and part of the flash chip (nor.py). As its label is `romfs`:

* docs.micropython.org/en/latest/library/vfs.html: rom_ioctl(1) is the number of such partitions, rom_ioctl(2, n) an
  object of one. On an ESP32 it is an esp32.Partition that also has the buffer protocol, which is its flash, mapped into
  memory, and all else is refused with EINVAL (ports/esp32/esp32_partition.c). On hardware it can only be read that way.
* docs.micropython.org/en/latest/library/esp32.html, Partition: readblocks and writeblocks as of any block device;
  writeblocks without an offset erases first, with one it does not; blocks of 4096 bytes. What ESP-IDF refuses raises
  OSError, ESP_ERR_INVALID_SIZE where the partition ends.
* docs.micropython.org/en/latest/reference/romfs.html: before _boot.py runs, a ROMFS at the very beginning of the
  partition is mounted at /rom, with /rom and /rom/lib in sys.path; without one nothing happens.

No program can put anything behind the name `.frozen`. So the frozen agent is a ROMFS mounted at /.frozen, which follows
it in sys.path; power_up.py looks there for boot.py and main.py first.
"""

import sys

import vfs as host
from vfs import *  # noqa: F403 (all of it, and one function more)

BLOCK = 4096
EINVAL = 22
ESP_ERR_INVALID_SIZE = -0x104

_device = None  # the flash chip
_base = 0  # where the partition begins on it
_partition = None
_frozen = None


class Partition(bytearray):
    """The flash as it is mapped: written to by nothing but the methods."""

    def readblocks(self, block, buffer, offset=0):
        start = self.place(block, buffer, offset)
        _device.read(_device.image, _base + start, buffer, len(buffer))
        _device.finished(0)

    def writeblocks(self, block, buffer, offset=None):
        start = self.place(block, buffer, offset or 0)
        if offset is None:
            for at in range(start, start + len(buffer), BLOCK):
                self.done(_device.erase(_base + at), at)
        for at in range(start, start + len(buffer), BLOCK):
            part = memoryview(buffer)[at - start:at - start + BLOCK]
            self.done(_device.program(_base + at, part, len(part)), at)

    def ioctl(self, request, argument):
        if request == 4:
            return len(self) // BLOCK
        if request == 5:
            return BLOCK
        if request == 6:
            start = self.place(argument, b"", 0)
            self.done(_device.erase(_base + start), start)
        return 0

    def place(self, block, buffer, offset):
        start = block * BLOCK + offset
        if start + len(buffer) > len(self):
            raise OSError(ESP_ERR_INVALID_SIZE)
        return start

    def done(self, result, start):
        """An operation is over: the mapped flash shows what it did, or the errno below 0 is raised."""
        part = memoryview(self)[start // BLOCK * BLOCK:][:BLOCK]
        _device.read(_device.image, _base + start // BLOCK * BLOCK, part, BLOCK)
        _device.finished(0)
        if result:
            raise OSError(-result)


def power_up(device, romfs, frozen):
    """Read what is used in place, while the host's files are still at hand. `romfs`, `frozen`: paths, or ""."""
    global _partition, _frozen, _device, _base
    if romfs:
        _device, _base = device, device.blocks * BLOCK
        with open(romfs, "rb") as file:
            _partition = Partition(file.seek(0, 2))
            file.seek(0)
            file.readinto(_partition)
    if frozen:
        with open(frozen, "rb") as file:
            _frozen = bytearray(file.seek(0, 2))
            file.seek(0)
            file.readinto(_frozen)


def auto_mount():
    """What the interpreter does before _boot.py."""
    if _frozen is not None:
        host.mount(host.VfsRom(_frozen), "/.frozen")
        sys.path.insert(2, "/.frozen")
    if _partition is not None:
        try:
            host.mount(host.VfsRom(_partition), "/rom")
            sys.path[-1:] = ["/rom", "/rom/lib", "/lib"]
        except OSError:
            pass


def rom_ioctl(request, *arguments):
    """The partition, of which there is one."""
    if request == 1:
        return 1
    return _partition if request == 2 and arguments == (0,) else -EINVAL
