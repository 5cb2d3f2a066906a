"""Copies of the files that no station can do without, in NVS: they come back when the file system had to be formatted.

config.json, and the certificates and the key that it names. Copied once the CSMS has accepted the station with them,
and only when they have changed. NVS is a partition of its own; like the file system it can be read by whoever has the
chip. Restored after nothing but a damaged file system: a configuration that somebody has removed stays removed.
"""

from binascii import crc32

from . import board
from .config import PATH

_MOST = 4  # files
_LARGEST = 4000  # bytes of one with its path


def keep(root, config):
    """Copy the files of a configuration that works. Returns the paths of those that were copied now."""
    copied = []
    named = (root + PATH, config.ca_certificate, config.client_certificate, config.client_key)
    for index, path in enumerate(filter(None, named)):
        try:
            with open(path, "rb") as file:
                content = path.encode() + b"\0" + file.read(_LARGEST)
            mark = crc32(content) & 0x7FFFFFFF
            if board.esp32 and len(content) <= _LARGEST and board.recall("mark%d" % index, -1) != mark:
                nvs = board.esp32.NVS("holdfast")
                nvs.set_blob("file%d" % index, content)
                nvs.set_i32("mark%d" % index, mark)
                nvs.commit()
                copied.append(path)
        except (OSError, MemoryError):
            pass  # no room, or no such file: then it cannot come back
    return copied


def restore():
    """Write the files back that the file system does not have, or has empty, as littlefs leaves one if the power fails
    while it is made. Returns the paths of those that it took."""
    found = []
    for index in range(_MOST):
        path, _, content = board.blob("file%d" % index, None, _LARGEST).partition(b"\0")
        if not path:  # never copied
            continue
        path = path.decode()
        there = b""
        try:
            with open(path, "rb") as file:
                there = file.read(1)
        except OSError:
            pass
        try:
            if not there:
                with open(path, "wb") as file:
                    file.write(content)
                found.append(path)
        except OSError:
            pass  # flash does not take it: then there is no configuration, which is told
    return found


def forget():
    """Remove the copies: the station goes to somebody else."""
    for index in range(_MOST):
        board.forget("file%d" % index, "mark%d" % index)
