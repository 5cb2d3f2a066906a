"""Starts the MicroPython of PyPI as a virtual board whose Mbed TLS goes by the clock of the board, as on an ESP32.

There, `mbedtls_time` is the RTC (MicroPython pull request 13100), which begins in the year 2000. On the desk it is the
C library's `time`, which nothing else in the interpreter uses: its entry in the table of imported functions is pointed
at one that reads the board's clock. Takes the arguments of a virtual board's interpreter, see tools/board_parts.py.
"""

import ctypes
import mmap
import os
import struct
import sys
import time

import micropython
import micropython_module

EPOCH_2000 = 946684800


def slot(path, symbol):
    """Where, from the start of a 64-bit ELF library, the pointer to an imported function stands."""
    with open(path, "rb") as file:
        elf = file.read()
    sections, size, count, names = struct.unpack_from("<Q", elf, 40)[0], *struct.unpack_from("<HHH", elf, 58)
    table = [struct.unpack_from("<IIQQQQ", elf, sections + number * size) for number in range(count)]

    def section(name):
        for name_at, _, _, _, offset, length in table:
            if elf.startswith(name + b"\0", table[names][4] + name_at):
                return offset, length
        raise LookupError(name)

    symbols, texts = section(b".dynsym")[0], section(b".dynstr")[0]
    for kind in (b".rela.plt", b".rela.dyn"):
        offset, length = section(kind)
        for at in range(offset, offset + length, 24):
            place, info = struct.unpack_from("<QQ", elf, at)
            name = texts + struct.unpack_from("<I", elf, symbols + 24 * (info >> 32))[0]
            if elf.startswith(symbol + b"\0", name):
                return place
    raise LookupError(symbol)


def base(path):
    """Where a library was loaded."""
    with open("/proc/self/maps") as maps:
        return min(int(line.split("-")[0], 16) for line in maps if line.rstrip().endswith(path))


def point_at(path, symbol, function):
    """Let a loaded library call another function for `symbol`."""
    address = base(path) + slot(path, symbol)
    page = address & -mmap.PAGESIZE
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mprotect(ctypes.c_void_p(page), mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_WRITE):
        raise OSError(ctypes.get_errno(), "mprotect")
    ctypes.c_void_p.from_address(address).value = ctypes.cast(function, ctypes.c_void_p).value


@ctypes.CFUNCTYPE(ctypes.c_long, ctypes.c_void_p)
def board_time(_result):
    """Seconds since 1970 by the clock of the board: what tools/board/rtc.py keeps in a file."""
    try:
        with open(sys.argv[sys.argv.index("-i") + 3] + "/rtc", "rb") as file:
            offset = struct.unpack("<q", file.read(8))[0]
    except OSError:
        return int(time.time())
    return (time.time_ns() + offset) // 1_000_000_000 + EPOCH_2000


if __name__ == "__main__":
    point_at(os.path.realpath(micropython_module.__file__), b"time", board_time)
    micropython.main()
