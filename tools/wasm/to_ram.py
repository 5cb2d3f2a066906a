"""Copies the compiled firmware out of the ROMFS image into a file system from which MicroPython has to load it.

Run before load.py, whose agent then lies in the heap with all its code, as on a board that has it as .mpy files.
"""

import gc  # noqa: F401 -- run.mjs collects in this namespace
import os

import vfs


def copy(source, target):
    """Copy a directory."""
    os.mkdir(target)
    for entry in os.ilistdir(source):
        if entry[1] & 0x4000:
            copy(source + "/" + entry[0], target + "/" + entry[0])
        else:
            with open(source + "/" + entry[0], "rb") as file:
                content = file.read()
            with open(target + "/" + entry[0], "wb") as file:
                file.write(content)


def steps():
    """What run.mjs runs, with a collection at every yield."""
    with open("/firmware.romfs", "rb") as file:
        vfs.mount(vfs.VfsRom(memoryview(file.read())), "/rom")
    copy("/rom", "/ram")
    vfs.umount("/rom")
    yield
