"""`make fuzz SECONDS=60`: fuzz the station on both interpreters side by side, and say the seed.

A failure prints the seed and the round; `python -m tools.fuzz --seed N` runs it again. The engine is fuzz_engine.py.
"""

import argparse
import os
import pathlib
import random
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
MICROPYTHON = os.environ.get("MICROPYTHON", "micropython")
HEAP = "600K"  # on 64 bits; the station, the fuzzer and its compiler


def main(argv=None):
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="how long (default 60)")
    parser.add_argument("--seed", type=int, default=None, help="repeat a run; default: a new seed, which is printed")
    arguments = parser.parse_args(argv)
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 30)
    print(f"fuzz: seed {seed}, {arguments.seconds:g} seconds on CPython and on MicroPython", flush=True)
    paths = [str(ROOT / "tools" / "fuzz_run.py"), str(ROOT / "firmware"), str(ROOT / "host_tests" / "core"),
             str(ROOT / "tools"), str(seed), str(arguments.seconds)]
    runs = [("CPython", [sys.executable]), ("MicroPython", [MICROPYTHON, "-X", f"heapsize={HEAP}"])]
    processes = [(name, subprocess.Popen(command + paths, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
                 for name, command in runs]
    good = True
    for name, process in processes:
        output = process.communicate()[0].strip().splitlines()
        passed = process.returncode == 0 and output and output[-1].startswith("fuzz ok")
        good = good and passed
        for line in output if not passed else output[-1:]:
            print(f"{name}: {line}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
