"""A board for the sweeps: a NOR image with a littlefs mounted from it, and the firmware's record store on that.

Every file that the store writes is known here, because after a cut it must be closed while the device is a ghost: a
file that the garbage collector closes on a dead device takes the interpreter with it.

Per operation and mode a sweep prints `@ok OPERATION | MODE | COUNT` or `@failed OPERATION | MODE | why`, then `@end`.
"""

import os
import sys

import vfs
from holdfast import flash
from nor import Nor

FLASH = "/flash"
STATE = FLASH + "/records"

_opened = []


def _open(path, mode):
    file = open(path, mode)
    if mode == "wb":
        _opened[:] = [other for other in _opened if _is_open(other)]
        _opened.append(file)
    return file


def _is_open(file):
    try:
        file.tell()
    except ValueError:
        return False
    return True


flash.open = _open  # the module's own name goes before the built-in function


def formatted(blocks):
    """An empty file system, as an image."""
    nor = Nor(blocks)
    vfs.VfsLfs2.mkfs(nor)
    return nor.image()


def power_on(image):
    """Mount the image with the defaults of the ESP32; return its NOR flash, with the counts at zero."""
    nor = Nor(len(image) // 4096, image)
    vfs.mount(vfs.VfsLfs2(nor), FLASH)
    nor.reset_counts()
    return nor


def power_off(nor):
    """What is on the flash now. Nothing that is still open or mounted can change it any more."""
    image = nor.image()
    while _opened:
        try:
            _opened.pop().close()
        except OSError:
            pass  # of a ghost that does not matter
    vfs.umount(FLASH)
    return image


def collect(records):
    """Do what garbage collection does on a board: close, and so write, every file that nobody holds any more."""
    for file in _opened:
        if file not in records._stuck.values():
            file.close()


def write_file(path, content):
    with open(path, "wb") as file:
        file.write(content)


def read_file(path):
    with open(path, "rb") as file:
        return file.read()


def payload_of(name):
    """What is in a record's file; None if there is none, if it is empty, or if it is damaged."""
    try:
        content = read_file(STATE + "/" + name)
    except OSError:
        return None
    return flash.unframed(name, content) if content else None


def tree(directory=FLASH):
    """Every file below a directory: a list of (path, content)."""
    found = []
    for name in sorted(os.listdir(directory)):
        path = directory + "/" + name
        if os.stat(path)[0] & 0x4000:
            found += tree(path)
        else:
            found.append((path, read_file(path)))
    return found


def report(operation, mode, sweep, *arguments):
    """Run one sweep, which returns how many cuts it made, and print how it ended."""
    try:
        print("@ok %s | %s | %d" % (operation, mode, sweep(*arguments)))
    except Exception as error:  # noqa: BLE001 - each operation and mode is a test of its own
        sys.print_exception(error, sys.stdout)
        print("@failed %s | %s | %s" % (operation, mode, error))
        try:
            vfs.umount(FLASH)
        except OSError:
            pass  # it failed while nothing was mounted
