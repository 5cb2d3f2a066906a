"""The board's ROMFS partition: a file, mounted at /rom, with code that is used in place.

As on any port with MICROPY_VFS_ROM (docs.micropython.org/en/latest/reference/romfs.html): mounted before _boot.py
runs, /rom and /rom/lib are on sys.path, boot.py and main.py are not looked for there.
"""

import sys

import vfs

_image = None


def power_up(path):
    """Read the image, while the host's files are still at hand."""
    global _image
    with open(path, "rb") as file:
        _image = bytearray(file.seek(0, 2))
        file.seek(0)
        file.readinto(_image)


def mount():
    vfs.mount(vfs.VfsRom(memoryview(_image)), "/rom")
    sys.path[-1:] = ["/rom", "/rom/lib", "/lib"]
