"""The board's `gc` when its code is in ROMFS: MicroPython's own, of a heap that is as large as was asked for.

A board has the image in flash and its drivers in C; on the desk both lie in the heap, as does the program that starts
the board. So the heap is made larger by the image and `SPARE`, and what is left of that is held back for good before
the firmware begins. It then has as much as in a heap of the size asked for, and `mem_alloc` counts nothing else.
"""

import gc as host
from gc import *  # noqa: F403 (all of it but one function)

_CHUNK = 256
_held = []
_size = 0


def hold_back(size):
    """Leave `size` bytes, tables of the collector included, to the firmware; MemoryError if there are fewer."""
    global _size
    host.collect()
    _size = size * 256 // 259  # a block of 32 bytes has 3 bits in the tables
    surplus = host.mem_free() - _size
    if surplus < 0:
        raise MemoryError
    _held.append([None] * (surplus // _CHUNK))
    # From the first free place on, so that what remains is in one piece. To count what is free takes as long as a
    # collection, so it is counted again for the last few only.
    count = max(0, (host.mem_free() - _size) // _CHUNK - 8)
    for index in range(count):
        _held[0][index] = bytearray(_CHUNK - 32)
    while host.mem_free() - _size > _CHUNK:
        _held[0][count] = bytearray(_CHUNK - 32)
        count += 1
    host.collect()


def mem_alloc():
    return _size - host.mem_free()
