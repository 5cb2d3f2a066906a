"""The fake `esp32` of the virtual board: non-volatile storage, the image that runs, the heaps of no ESP-IDF.

As docs.micropython.org/en/latest/library/esp32.html says: values are 32-bit signed integers and blobs; reading a key
that does not exist or has another type raises OSError, and so does a buffer too small for a blob; what was not
committed is lost at the next reset. ESP-IDF itself (docs.espressif.com, "Non-Volatile Storage Library"): names of keys
and namespaces have at most 15 characters, a commit survives a loss of power as a whole, NVS is a partition of its own.
The file beside the flash image is that partition: it stays when the file system is formatted.

Of the partition that runs the beginning can be read, as Partition.readblocks(block, buffer, offset) of the same page
does: ESP-IDF writes into each image the SHA-256 of its program, at octet 176 (docs.espressif.com, "App Image Format":
image header 24, segment header 8, app_elf_sha256 144 octets into the description). Here it is that of what is frozen.
"""

import hashlib
import json

HEAP_DATA, HEAP_EXEC = 4, 1
NOT_FOUND, INVALID_LENGTH, KEY_TOO_LONG = -0x1102, -0x110C, -0x1109  # ESP_ERR_NVS_...

_file = None
_program = b""


def power_up(image, frozen=""):
    """Take up what the file beside the image holds: JSON in its first line, {namespace: {key: [type, value]}}.

    `frozen`: path of what stands for the program of the board's image, "" for a stock MicroPython.
    """
    global _file, _program
    _program = b"MicroPython"
    if frozen:
        with open(frozen, "rb") as program:
            _program = program.read()
    _program = hashlib.sha256(_program).digest()
    try:
        _file = open(image + ".nvs", "r+b")
    except OSError:
        _file = open(image + ".nvs", "w+b")


def _load():
    _file.seek(0)
    line = _file.readline()
    return json.loads(line) if line else {}


def _store(values):
    _file.seek(0)
    _file.write(json.dumps(values).encode() + b"\n")  # in one piece, as a commit is


def idf_heap_info(capabilities):
    """A list of (total, free, largest free block, least free ever): empty, no ESP-IDF shares this memory."""
    return []


class Partition:
    BOOT, RUNNING = 0, 1

    def __init__(self, which):
        if which != Partition.RUNNING:
            raise OSError(2)  # ENOENT

    def readblocks(self, block, buffer, offset=0):
        header = bytes(176) + _program
        start = block * 4096 + offset
        buffer[:] = header[start:start + len(buffer)]


class NVS:
    def __init__(self, namespace):
        if len(namespace) > 15:
            raise OSError(KEY_TOO_LONG, "ESP_ERR_NVS_KEY_TOO_LONG")
        self._namespace = namespace
        self._changes = {}  # key: [type, value], or None where it is to be erased

    def set_i32(self, key, value):
        self._set(key, ["i", (value + 0x80000000 & 0xFFFFFFFF) - 0x80000000])

    def get_i32(self, key):
        return self._get(key, "i")

    def set_blob(self, key, value):
        value = value.encode() if isinstance(value, str) else bytes(value)
        self._set(key, ["b", [octet for octet in value]])

    def get_blob(self, key, buffer):
        value = self._get(key, "b")
        if len(value) > len(buffer):
            raise OSError(INVALID_LENGTH, "ESP_ERR_NVS_INVALID_LENGTH")
        buffer[:len(value)] = bytes(value)
        return len(value)

    def erase_key(self, key):
        self._read(key)
        self._changes[key] = None

    def commit(self):
        stored = _load()
        values = stored.setdefault(self._namespace, {})
        for key, value in self._changes.items():
            if value is None:
                values.pop(key, None)
            else:
                values[key] = value
        self._changes = {}
        _store(stored)

    def _set(self, key, value):
        if len(key) > 15:
            raise OSError(KEY_TOO_LONG, "ESP_ERR_NVS_KEY_TOO_LONG")
        self._changes[key] = value

    def _get(self, key, kind):
        value = self._read(key)
        if value[0] != kind:
            raise OSError(NOT_FOUND, "ESP_ERR_NVS_NOT_FOUND")
        return value[1]

    def _read(self, key):
        value = self._changes[key] if key in self._changes else _load().get(self._namespace, {}).get(key)
        if value is None:
            raise OSError(NOT_FOUND, "ESP_ERR_NVS_NOT_FOUND")
        return value
