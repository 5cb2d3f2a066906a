"""Virtual boards for tests: the fixture `make_board`, which every test has from conftest.py, and helpers around it."""

import asyncio
import json

import pytest

from tools import image
from tools.virtual_board import VirtualBoard

SIZE = 64 * 4096
PROMPT = ">>> "

# A console in the manner of Holdfast's: byte-wise from sys.stdin, an answer line at the end.
CONSOLE = """
import asyncio, sys
async def console():
    reader = asyncio.StreamReader(sys.stdin)
    line = b''
    while True:
        byte = await reader.read(1)
        byte = byte if isinstance(byte, bytes) else byte.encode()
        if byte not in (b'\\r', b'\\n'):
            line += byte
            continue
        if line == b'two':
            print('first')
            print('# a log line')
            print('second')
            print('ok 2')
        elif line == b'write':
            with open('record', 'wb') as file:
                file.write(b'new' * 10)
            print('ok')
        elif line:
            print('error no such command')
        line = b''
station = 'the station'
asyncio.run(console())
"""


@pytest.fixture
def make_board(tmp_path):
    """make_board(files, **options) -> a board that is still off, on its own image; closed after the test."""
    boards = []

    def make(files=None, size=SIZE, **options):
        path = tmp_path / ("flash-%d.img" % len(boards))
        image.build_image(path, files or {}, size)
        boards.append(VirtualBoard(path, **options))
        return boards[-1]

    yield make
    for board in boards:
        board.close()


def ask(board, code):
    """Run a line at the REPL, return what it printed."""
    board.write(code + "\r")
    return board.read_until("\r\n" + PROMPT).split("\r\n", 1)[1].removesuffix(PROMPT).strip()


def at_repl(board):
    board.power_on()
    board.read_until(PROMPT)
    return board


def nvs(path):
    """What the NVS of a board with this flash image holds: {key: [type, value]}."""
    with open("%s.nvs" % path) as file:
        return json.loads(file.readline())["holdfast"]


def set_nvs(path, **integers):
    """Give a new board with this flash image an NVS that has these integers, and nothing else."""
    with open("%s.nvs" % path, "w") as file:
        file.write(json.dumps({"holdfast": {key: ["i", value] for key, value in integers.items()}}) + "\n")


async def until(true):
    """Wait for something that takes another lap of the agent's timer, or an answer."""
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.05)
