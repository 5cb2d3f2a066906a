"""Every core test once more, on the real MicroPython with a small heap, each under its own name."""

import ast
import functools
import os
import pathlib
import subprocess

import pytest

HERE = pathlib.Path(__file__).parent
CORE = HERE / "core"
FIRMWARE = HERE.parent / "firmware"
MICROPYTHON = os.environ.get("MICROPYTHON", "micropython")

# Objects are twice as large on 64 bits: this stands for about 200 kB on an ESP32, test code and its compiler included.
HEAP = "400K"


def core_tests():
    for path in sorted(CORE.glob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield pytest.param(path.stem, node.name, id=f"{path.stem}::{node.name}",
                                   marks=pytest.mark.xdist_group(path.stem))


@functools.cache
def outcome(module):
    """Run one core file; return {test name: (passed, output that preceded its line)}."""
    done = subprocess.run(
        [MICROPYTHON, "-X", f"heapsize={HEAP}", str(CORE / "runner.py"), str(FIRMWARE), str(CORE), module],
        capture_output=True, text=True, timeout=110)
    results, before = {}, []
    for line in done.stdout.splitlines():
        verdict, _, name = line.partition(" ")
        if verdict in ("@ok", "@failed"):
            results[name] = (verdict == "@ok", "\n".join(before))
            before = []
        else:
            before.append(line)
    results["@rest"] = (done.returncode == 0, "\n".join(before) + done.stderr)
    return results


@pytest.mark.parametrize("module, name", list(core_tests()))
def test_core(module, name):
    results = outcome(module)
    if name not in results:
        pytest.fail(f"{module} stopped before {name}:\n{results['@rest'][1]}")
    passed, output = results[name]
    assert passed, output
