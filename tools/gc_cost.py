"""What each way of collecting garbage costs, and what it leaves: memory in use at most, the largest hole, time.

Run with MicroPython's own garbage collector under a load of reservations, with the heap of a stock ESP32: 100 kB there
is 200 kB here, where objects are twice as large.

    python -m tools.gc_cost
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.image import firmware_files

ROOT = Path(__file__).resolve().parent.parent
MICROPYTHON = os.environ.get("MICROPYTHON", str(Path(sys.executable).parent / "micropython"))
POLICIES = ("full", "32768", "16384", "8192", "4096", "each")
HEAP = "200K"


def build(directory):
    """The compiled firmware, below `directory`."""
    for name, content in firmware_files().items():
        path = Path(directory) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def measure(policy, lib):
    """{"peak", "hole", "ms", "longest"} of a policy of host_tests/micropython/collect.py; `lib`: the compiled code."""
    program = ROOT / "host_tests" / "micropython" / "collect.py"
    done = subprocess.run([MICROPYTHON, "-X", "heapsize=" + HEAP, str(program), policy], capture_output=True, text=True,
                          timeout=100, env={**os.environ, "MICROPYPATH": str(lib)})
    if done.returncode:
        raise SystemExit("holdfast: %s failed:\n%s" % (program, done.stderr or done.stdout))
    figures = json.loads(done.stdout.splitlines()[-1])
    figures["hole"] = int(re.search(r"max free sz: (\d+)", done.stdout).group(1)) * 32  # blocks of four words
    return figures


def main():
    print("heap %s; policy     in use at most   largest hole   all of it   slowest message" % HEAP)
    with tempfile.TemporaryDirectory() as directory:
        build(directory)
        for policy in POLICIES:
            figures = measure(policy, Path(directory) / "lib")
            print("%-22s %11d B  %11d B  %7d ms  %13.1f ms" % (
                policy, figures["peak"], figures["hole"], figures["ms"], figures["longest"]))


if __name__ == "__main__":
    main()
