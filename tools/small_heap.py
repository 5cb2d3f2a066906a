"""The smallest heap with which the story of `make run` is played to its end, the code in ROMFS: over ws and over wss.

The heaps are those of the desk, where objects take twice the room: 200K stand for 100 kB on 32 bits. One with which
the station runs short of memory, and says so in a MemoryExhaustion event, does not count, complete or not.

    python -m tools.small_heap [--from 200] [--step 10]
"""

import argparse
import re
import subprocess
import sys

from tools.image import ROOT


def play(heap, *options):
    """None if the story was complete with `heap` kB and nothing ran short, else (why not, all output)."""
    command = [sys.executable, "-m", "tools.story", "--romfs", "--heap", "%dK" % heap, *options]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    output = done.stdout + done.stderr
    if done.returncode:
        failed = re.search(r"✗ .*", output)
        return (failed[0][2:] if failed else "exit code %d" % done.returncode), output
    if "MemoryExhaustion" in output or "MemoryError" in output:
        return "complete, but it ran short of memory", output
    return None


def smallest(first, step, *options):
    """(kB, why one step less is not enough), from `first` down, or up if that is too small; (None, why) above 1 MB."""
    heap, problem = first, play(first, *options)
    if problem:
        while problem:
            heap, last = heap + step, problem
            if heap > 1024:
                return None, last[0]
            problem = play(heap, *options)
        return heap, last[0]
    while not problem and heap > step:
        heap -= step
        problem = play(heap, *options)
    return heap + step, problem[0] if problem else "it was not tried"


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.small_heap", description=__doc__.partition("\n")[0])
    parser.add_argument("--from", type=int, default=200, metavar="KB", dest="first", help="where to begin: %(default)s")
    parser.add_argument("--step", type=int, default=10, metavar="KB")
    wanted = parser.parse_args()
    for what, options in (("ws", ()), ("wss", ("--wss",))):
        heap, why = smallest(wanted.first, wanted.step, *options)
        found = "none" if heap is None else "%d kB, which stands for %d kB on 32 bits" % (heap, heap // 2)
        print("%-4s %s; with %d kB less: %s" % (what, found, wanted.step, why), flush=True)


if __name__ == "__main__":
    main()
