"""What a reservation change costs on littlefs: programs, erases and bytes programmed, as `make size` shows them.

Measured with MicroPython's own VfsLfs2, mounted as the ESP32 mounts it, on a flash in RAM that counts. Reservations are
made and cancelled by turns, with another one and three other records around; the averages are over eight sizes of one
of those, because with some sizes littlefs moves its directory in step with the changes: `worst` is the worst of them.

    python -m tools.flash_cost
"""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MICROPYTHON = os.environ.get("MICROPYTHON", str(Path(sys.executable).parent / "micropython"))
COUNTS = ("programs", "erases", "bytes")

# The kind that stands for all: the largest record that this station ever stores.
HEADLINE = "longest tokens, with a group"


def measure():
    """{"programs", "erases", "bytes", "changes"} per change for the longest tokens; "kinds": the same for each kind.

    A kind has in addition "kind", "smallest" and "largest" (file sizes, bytes) and "worst" (the three counts).
    SystemExit if MicroPython or the measurement fails.
    """
    program = ROOT / "host_tests" / "micropython" / "cost.py"
    try:
        done = subprocess.run(
            [MICROPYTHON, "-X", "heapsize=32M", str(program)], capture_output=True, text=True, timeout=100,
            env={**os.environ, "MICROPYPATH": str(ROOT / "firmware")})
    except FileNotFoundError:
        raise SystemExit(f"holdfast: {MICROPYTHON} is missing; see `make setup`")
    if done.returncode:
        raise SystemExit(f"holdfast: {program} failed:\n{done.stderr or done.stdout}")
    runs = [json.loads(line) for line in done.stdout.splitlines()]
    kinds = []
    for name in dict.fromkeys(run["kind"] for run in runs):
        of_kind = [run for run in runs if run["kind"] == name]
        kinds.append({
            "kind": name,
            "changes": sum(run["changes"] for run in of_kind),
            "smallest": min(run["smallest"] for run in of_kind),
            "largest": max(run["largest"] for run in of_kind),
            **{count: sum(run[count] for run in of_kind) / len(of_kind) for count in COUNTS},
            "worst": {count: max(run[count] for run in of_kind) for count in COUNTS},
        })
    headline = next(kind for kind in kinds if kind["kind"] == HEADLINE)
    return {**{key: headline[key] for key in (*COUNTS, "changes")}, "kinds": kinds}


def main():
    print("per reservation change             file size   programs          erases            bytes")
    for kind in measure()["kinds"]:
        worst = kind["worst"]
        print("%-34s %3d..%3d B  %.2f (worst %.2f)  %.3f (%.3f)  %.0f (%.0f)" % (
            kind["kind"], kind["smallest"], kind["largest"], kind["programs"], worst["programs"],
            kind["erases"], worst["erases"], kind["bytes"], worst["bytes"]))


if __name__ == "__main__":
    main()
