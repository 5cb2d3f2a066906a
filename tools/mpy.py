"""What is inside an .mpy file: the names, the constants and the bytecode of one compiled module.

Reads version 6 of the format as py/persistentcode.c of MicroPython loads it: a header of four bytes, the number of
names and of constant objects, the names, the objects, then the code of the module with that of its functions nested
in it. A number is big-endian in groups of seven bits, the high bit saying that more follow.
"""

from dataclasses import dataclass, field

# The types of constant objects that are told by their type alone, those with a text, and the one with members.
_BARE = (0, 1, 2, 3, 4)  # function table, None, False, True, Ellipsis
_STRINGS = (5, 6)  # str and bytes, with a terminating zero
_NUMBERS = (7, 8, 9)  # int, float and complex, spelled out
_TUPLE = 10

_BYTECODE = 0  # kind of a function's code; 1 and 2 are native and viper, which this firmware does not use


@dataclass
class Contents:
    """One .mpy file. `names`: every qstr that is spelled out, with the bytes it takes. Sizes are bytes of the file."""

    total: int = 0
    names: dict = field(default_factory=dict)
    static_names: int = 0  # bytes of the names given by number, because every MicroPython has them
    objects: int = 0
    code: int = 0
    functions: int = 0  # the module itself included

    @property
    def names_bytes(self):
        """All of the table of names."""
        return sum(self.names.values()) + self.static_names


class _Reader:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def number(self):
        value = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value = value << 7 | byte & 0x7F
            if not byte & 0x80:
                return value

    def take(self, count):
        self.at += count
        return self.data[self.at - count:self.at]


def read(data):
    """The Contents of the bytes of an .mpy file. ValueError if they are none, or if there is native code in it."""
    if data[:2] != b"M\x06":
        raise ValueError("not an .mpy file of version 6")
    reader = _Reader(data)
    flags = reader.take(4)[2]
    if flags & 0x40:
        reader.number()  # flags of the processor
    contents = Contents(total=len(data))
    names, objects = reader.number(), reader.number()
    for _ in range(names):
        _name(reader, contents)
    start = reader.at
    for _ in range(objects):
        _object(reader)
    contents.objects = reader.at - start
    start = reader.at
    _code(reader, contents)
    contents.code = reader.at - start
    if reader.at != len(data):
        raise ValueError("%d bytes after the end" % (len(data) - reader.at))
    return contents


def _name(reader, contents):
    start = reader.at
    length = reader.number()
    if length & 1:
        contents.static_names += reader.at - start
    else:
        name = reader.take((length >> 1) + 1)[:-1].decode()
        contents.names[name] = reader.at - start


def _object(reader):
    kind = reader.take(1)[0]
    if kind in _STRINGS:
        reader.take(reader.number() + 1)
    elif kind in _NUMBERS:
        reader.take(reader.number())
    elif kind == _TUPLE:
        for _ in range(reader.number()):
            _object(reader)
    elif kind not in _BARE:
        raise ValueError("unknown type of object: %d" % kind)


def _code(reader, contents):
    head = reader.number()
    if head & 3 != _BYTECODE:
        raise ValueError("native code")
    contents.functions += 1
    reader.take(head >> 3)
    if head & 4:
        for _ in range(reader.number()):
            _code(reader, contents)
