"""Puts the agent onto a board with MicroPython, as far as it is not there already: `make deploy PORT=…`.

A board with an image of ours gets it into its ROMFS partition (tools/romfs.py). What follows is for one with a stock
MicroPython, which gets it as .mpy files.

There are two slots in the file system, /agent-a and /agent-b. A deployment fills the one that does not run: what is
on the board already is copied there, only the rest goes over the cable. When every file there has the right hash,
boot.py is replaced by one that names this slot: a single rename, which littlefs does or does not do. Until then the old
agent is what starts, all of it, and from then on the new one, all of it, whatever is unplugged and whenever.

boot.py in the root is the agent's own with the line that chooses the slot; main.py there only runs that slot's main.py.
What `mpremote mip install` makes, /boot.py, /main.py and /lib/holdfast, is an old agent like any other. Where
MicroPython has no heap for this way of installing, nothing is changed, and what fits instead is said.
"""

import argparse
import re
import sys

from rich.console import Console as Terminal
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from tools import image, romfs
from tools.board_console import BoardError
from tools.board_repl import sha256, visit

SLOTS = ("/agent-a", "/agent-b")
CHOICE = 'import sys; sys.path.insert(0, "%s")  # the slot that runs, see tools/deploy.py of Holdfast\n'
MAIN = '''# Runs the agent in the slot that boot.py chose; see tools/deploy.py of Holdfast.
import sys
if sys.path[0] in %r:
    exec(open(sys.path[0] + "/main.py").read())
''' % (SLOTS,)
OTHERWISE = "else:  # the deployment was interrupted: the agent that was there before\n    exec(%r)\n"

# Bytes of heap on 32 bits that a station wants whose code is in RAM, as `make size` measures it; its test holds this
# against that. The rest is what the Wi-Fi driver (38 to 44 kB) and one TLS connection (23 kB, 7 more while it begins)
# take from the same RAM, which MicroPython counts as its own until they do.
AGENT = 112_000
NETWORK = 75_000
MPY = 6  # the version of the .mpy format that mpy-cross writes
SPARE = 65536  # bytes of the file system that stay free, for the records and what they need to move

NO_HEAP = """\
{port} is too small for the agent as .mpy files: {free} bytes of heap are free, and the code alone with what it needs
at work takes {agent}, Wi-Fi and TLS {network} more. Nothing was changed. What fits on such a board is the same code in
flash, frozen into an image of ours; what is newer then comes with make deploy into the ROMFS partition that it has:

    make firmware BOARD=…     (or download an image)
    make flash BOARD=… PORT={port}"""
FROZEN = """\
The agent is frozen into the image on {port}, so files would never run, and the image has no ROMFS partition for a newer
one. Nothing was changed. A newer image has; as it moves the file system, the records of a station are lost unless they
are kept:

    make backup PORT={port} FILE=station.zip
    make flash BOARD=… PORT={port}
    make provision PORT={port}     (or make restore)"""


def slot_files(files=None):
    """{path below a slot: content}: what image.firmware_files gives, or `files` in its shape."""
    files = image.firmware_files() if files is None else files
    return {name.removeprefix("lib/"): content for name, content in files.items()}


def boot_file(slot, files):
    """boot.py in the root: the choice of the slot, and the agent's own."""
    return (CHOICE % slot).encode() + files.get("boot.py", b"")


def chosen(boot):
    """The slot that a boot.py (bytes, or None) chooses; None: none."""
    found = re.search(rb'^import sys; sys\.path\.insert\(0, "([^"]+)"\)', boot or b"")
    slot = found and found[1].decode()
    return slot if slot in SLOTS else None


def check(repl):
    """The way onto this board: romfs.deploy, or `deploy`. BoardError: there is none."""
    mpy = repl.value("getattr(__import__('sys').implementation, '_mpy', 0) & 255")
    if mpy != MPY:
        raise BoardError("the MicroPython on %s reads .mpy files of version %d, not %d: it wants MicroPython 1.29,"
                         " from https://micropython.org/download/ with make flash IMAGE=…" % (repl.port, mpy, MPY))
    if frozen(repl, "holdfast"):
        if not romfs.available(repl):
            raise BoardError(FROZEN.format(port=repl.port))
        return romfs.deploy
    free, wide = repl.value("(__import__('gc').collect(), (__import__('gc').mem_free(),"
                            " __import__('sys').maxsize > 1 << 32))[1]")
    need = (AGENT + NETWORK) * (2 if wide else 1)  # objects are made of words
    if free < need:
        raise BoardError(NO_HEAP.format(port=repl.port, free=free, agent=need * AGENT // (AGENT + NETWORK),
                                        network=need * NETWORK // (AGENT + NETWORK)))
    return deploy


def frozen(repl, package):
    """Is a package part of the image?"""
    # boot.py may have imported it from somewhere else already. A virtual board has its own in a place of this name.
    code = ("import sys\npath = sys.path[:]\nsys.path[:] = [p for p in path if p.endswith('.frozen')]\n"
            "sys.modules.pop(%r, None)\ntry:\n import %s as found\nexcept ImportError:\n found = None\n"
            "sys.path[:] = path\nprint(found is not None)" % (package, package))
    return repl.run(code).strip() == "True"


def room(repl, target, files, there):
    """BoardError if the file system has no room for the files in `target`, where `there` is already."""
    block, free = repl.value("(lambda s: (s[0], s[3]))(os.statvfs('/'))")
    blocks = sum(-(-len(content) // block) + 1 for name, content in files.items() if name not in there)
    if block * (free - blocks) < SPARE:
        raise BoardError("the file system of %s has %d bytes free, and %d are wanted: remove what does not belong"
                         " to the station (.venv/bin/mpremote connect %s ls)"
                         % (repl.port, block * free, block * blocks + SPARE, repl.port))


def deploy(repl, files, progress=None):
    """Make `files` (see slot_files) the agent of the board. Returns (files sent, files copied on the board), None if
    there was nothing to do. `progress(bytes done, bytes in all)`. BoardError: the agent is the one it was."""
    boot, main = repl.read("/boot.py"), repl.read("/main.py")
    active = chosen(boot)
    wanted = {name: sha256(content) for name, content in files.items()}
    trees = {slot: repl.tree(slot) for slot in SLOTS}
    if active and whole(trees[active], wanted) and main == MAIN.encode() and boot == boot_file(active, files):
        return None

    target = SLOTS[active == SLOTS[0]]
    there = trees[target]
    room(repl, target, files, there)
    known = {digest: target + "/" + name for name, digest in there.items() if digest and wanted.get(name) == digest}
    for top in (SLOTS[target == SLOTS[0]], "/lib/holdfast"):
        known.update({digest: top + "/" + name for name, digest in repl.tree(top).items() if digest})
    sent = fill(repl, target, files, wanted, there, known, progress)
    if not whole(repl.tree(target), wanted):
        raise BoardError("what arrived in %s is not what was sent, so the old agent stays; try again" % target)

    for content in (transitional(main, active), None, MAIN.encode()):
        if content is None:
            repl.replace("/boot.py", boot_file(target, files))  # from here on it is the new agent
        elif content != main:
            repl.replace("/main.py", content)
            main = content
    return sent


def whole(tree, wanted):
    """Is everything in the slot, and nothing else? A .py beside its .mpy would be the one that is imported."""
    return {name: digest for name, digest in tree.items() if digest} == wanted


def transitional(main, active):
    """A main.py that also runs what there was before, as long as boot.py chooses no slot."""
    if not main or active:
        return MAIN.encode()
    return main if main.startswith(MAIN.encode()) else (MAIN + OTHERWISE % main.decode(errors="replace")).encode()


def fill(repl, target, files, wanted, there, known, progress):
    """Make the content of a slot that does not run right; returns (sent, copied)."""
    sent = copied = done = 0
    total = sum(map(len, files.values()))
    for name in sorted(there, reverse=True):  # what is in a directory before the directory
        if there[name] is None:
            if not any(file.startswith(name + "/") for file in files):
                repl.run("os.rmdir(%r)" % (target + "/" + name))
        elif name not in files:
            repl.run("os.remove(%r)" % (target + "/" + name))
    repl.mkdir(target)
    made = set(there)
    for name, content in files.items():
        for parent in parents(name):
            if parent not in made:
                repl.mkdir(target + "/" + parent)
                made.add(parent)
        if there.get(name) != wanted[name]:
            path = target + "/" + name
            if wanted[name] in known:
                repl.run("copy(%r, %r)" % (known[wanted[name]], path))
                copied += 1
            else:
                step = progress and (lambda size, before=done: progress(before + size, total))
                repl.write(path, content, step)
                sent += 1
        done += len(content)
        if progress:
            progress(done, total)
    return sent, copied


def parents(name):
    """The directories above a file, the outermost first."""
    parts = name.split("/")[:-1]
    return ["/".join(parts[:count + 1]) for count in range(len(parts))]


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.deploy", description=__doc__.split("\n")[0])
    parser.add_argument("port")
    parser.add_argument("--force", action="store_true", help="even while a car is charging")
    options = parser.parse_args()
    files = slot_files()
    size = sum(map(len, files.values()))
    terminal = Terminal(highlight=False, soft_wrap=True)
    try:
        with visit(options.port, options.force) as repl:
            try:
                way = check(repl)
                with Progress(TextColumn("deploying"), BarColumn(), DownloadColumn(), console=terminal,
                              disable=not terminal.is_terminal) as bar:
                    task = bar.add_task("", total=size)
                    result = way(repl, files, lambda done, total: bar.update(task, completed=done, total=total))
            finally:
                repl.restart()
    except BoardError as error:
        sys.exit("deploy: %s" % error)
    except KeyboardInterrupt:
        sys.exit("deploy: interrupted; the board has the agent that it had, or the new one if that was complete")
    if not result:
        terminal.print("nothing to do: this agent is on the board already")
    elif way is romfs.deploy:
        terminal.print("an agent in ROMFS, verified by its hash: %d of its %d blocks written, %d bytes sent"
                       % (result[1], result[2], result[0]))
    else:
        sent = result[0]
        terminal.print("%d files, %d bytes, each verified by its hash: %d sent, %d were on the board already"
                       % (len(files), size, sent, len(files) - sent))
    terminal.print("the board restarts; make console PORT=%s shows it, make provision PORT=%s tells it who it is"
                   % (options.port, options.port))


if __name__ == "__main__":
    main()
