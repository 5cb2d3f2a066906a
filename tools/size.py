"""`make size`: what the firmware takes, in bytes. Compiled code, heap on 32 bits, flash for each change.

Three instruments, each the real thing: mpy-cross; the 32-bit MicroPython that runs under node (tools/wasm), with the
code in a ROMFS image as on a board; littlefs in the desk's MicroPython, on a flash that counts (tools/flash_cost.py).
Nothing is estimated: what could not be measured is not printed.

    python -m tools.size [--json]
"""

import argparse
import ast
import json
import os
import re
import subprocess
import sys
import tempfile
import textwrap
from importlib.util import resolve_name
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tools import flash_cost, mpy
from tools.image import ROOT, compile_mpy, make_config

FIRMWARE = ROOT / "firmware"
WASM = ROOT / "tools" / "wasm"
MICROPYTHON = os.environ.get("MICROPYTHON", str(Path(sys.executable).parent / "micropython"))

# What runs at power-on, and what the configuration names; the rest is loaded when it is wanted.
ROOTS = ("holdfast.agent", "holdfast.flash", "holdfast.link", "holdfast.station", "holdfast.hardware.simulated")

# What the firmware consists of besides the station that keeps its reservations. A name that ends in "." is a package.
STATION = "station"
GROUPS = (
    ("network and security", "holdfast.network holdfast.resolver holdfast.tls"),
    ("EVSE hardware", "holdfast.hardware.iec61851 holdfast.hardware.outlet"),
    ("web page", "holdfast.web."),
    ("survival", "_boot holdfast.board holdfast.crash holdfast.factory holdfast.keep holdfast.watchdog"),
)

TARGETS = (
    ("compiled code, station", "mpy", 44_000, "bytes of .mpy"),
    ("compiled code, all but the web page", "mpy_all", 68_000, "bytes of .mpy"),
    ("heap, idle", "heap_idle", 40_000, "bytes"),
    ("heap, idle, with all that a board adds", "heap_idle", 56_000, "bytes"),
    ("allocated per pair", "pair", 4_000, "bytes"),
    ("flash, programs per change", "programs", 2.1, ""),
    ("flash, erases per change", "erases", 0.05, ""),
    ("flash, bytes per change", "programmed", 170, "bytes"),
)


# --- compiled code


def modules():
    """{module name: path of its source} of everything in firmware/."""
    found = {}
    for path in sorted(FIRMWARE.rglob("*.py")):
        parts = path.relative_to(FIRMWARE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def group_of(module):
    """The group of GROUPS that a module belongs to, STATION for all others."""
    for group, names in GROUPS:
        for name in names.split():
            if module == name or name.endswith(".") and (module + ".").startswith(name):
                return group
    return STATION


def compiled(path, architecture):
    """The .mpy of one source file, as it would be released."""
    name = path.relative_to(FIRMWARE).as_posix()
    return compile_mpy(path.read_bytes(), name, ["-O3", "-march=" + architecture])


def measure_code():
    """Bytes of .mpy: of each module, in total, and what they are made of."""
    rows = []
    shared = {}
    for name, path in modules().items():
        contents = mpy.read(compiled(path, "xtensawin"))
        shared.update(contents.names)
        rows.append({
            "module": name, "group": group_of(name),
            "xtensawin": contents.total, "rv32imc": len(compiled(path, "rv32imc")), "names": contents.names_bytes,
            "constants": contents.objects, "bytecode": contents.code, "functions": contents.functions,
        })
    columns = [column for column in rows[0] if column not in ("module", "group")]
    total = {column: sum(row[column] for row in rows) for column in columns}
    groups = [[group, {column: sum(row[column] for row in rows if row["group"] == group) for column in columns}]
              for group in (STATION, *[group for group, _ in GROUPS])]
    spelled_once = sum(shared.values())
    repeated = total["names"] - spelled_once
    return {"modules": rows, "groups": groups, "total": total, "names_once": spelled_once, "names_repeated": repeated,
            "total_names_once": total["xtensawin"] - repeated, "different_names": len(shared)}


# --- heap


def load_order(sources):
    """Every module that ROOTS load, each after what it loads itself, so that its heap is its own; then the others."""
    order = []
    seen = set()

    def visit(name):
        if name in seen or name not in sources:
            return
        seen.add(name)
        parent = name.rpartition(".")[0]
        visit(parent)
        package = name if sources[name].name == "__init__.py" else parent
        for node in ast.parse(sources[name].read_text()).body:
            if isinstance(node, ast.ImportFrom):
                module = resolve_name("." * node.level + (node.module or ""), package)
                visit(module)
                for alias in node.names:
                    visit(module + "." + alias.name)
        order.append(name)

    for name in ROOTS:
        visit(name)
    at_once = len(order)
    for name in sources:
        if name.startswith("holdfast."):
            visit(name)
    return order[:at_once], order[at_once:]


def measure_heap():
    """What tools/wasm/heap.py measures; see there."""
    first, later = load_order(modules())
    config = make_config("ws://192.168.4.2:9000/ocpp", "HOLDFAST-1", password="a-password-of-some-length")
    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        for name, path in modules().items():
            if name.startswith("holdfast"):
                file = directory / "rom" / path.relative_to(FIRMWARE).with_suffix(".mpy")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(compiled(path, "xtensawin"))
        image = directory / "firmware.romfs"
        run([sys.executable, "-m", "mpremote", "romfs", "-o", image, "build", directory / "rom"])
        (directory / "modules.txt").write_text("\n".join(first))
        (directory / "config.json").write_text(json.dumps(config))
        load = ["node", WASM / "run.mjs", WASM / "load.py", image, directory / "modules.txt"]
        heap = json.loads(run(load + [WASM / "heap.py", directory / "config.json"]).splitlines()[-1])
        in_ram = run(load[:2] + [WASM / "to_ram.py"] + load[2:] + [WASM / "heap.py", directory / "config.json"])
        # Those on demand are measured apart: not even their names are there while the station is idle.
        (directory / "modules.txt").write_text("\n".join(first + [name + "?" for name in later]))
        output = run(load)
        taken = json.loads(output.splitlines()[-1])
        romfs = image.stat().st_size
    # "qstr pool: n_pool=3, n_qstr=123, n_str_data_bytes=710, n_total_bytes=1782", before each import and after all. The
    # strings themselves stay in the image.
    pools = [int(total) - int(strings) for strings, total in re.findall(
        r"^qstr pool:.* n_str_data_bytes=(\d+), n_total_bytes=(\d+)", output, re.M)]
    grown = [after - before for before, after in zip(pools, pools[1:])]
    sizes = [[name, size and size - names] for name, size, names in zip(first + later, taken, grown)]
    heap.update(modules=sizes[:len(first)], later=sizes[len(first):], names=sum(grown[:len(first)]), romfs=romfs)
    heap["import"] = sum(taken[:len(first)])
    heap["idle"] = heap["import"] + sum(size for _, size in heap["parts"])
    heap["peak"] = heap["idle"] + max(size for _, size in heap["steps_wire"])
    *_, imported, worked = in_ram.splitlines()
    heap["ram_idle"] = sum(json.loads(imported)) + sum(size for _, size in json.loads(worked)["parts"])
    heap["asyncio_64_bit"] = int(run([MICROPYTHON, "-c", (
        "import gc; gc.collect(); before = gc.mem_alloc(); import asyncio; asyncio.open_connection; gc.collect();"
        "print(gc.mem_alloc() - before)")]))
    return heap


def run(command):
    """Standard output of a program; SystemExit, with what it had to say, if it fails."""
    try:
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120)
    except FileNotFoundError:
        raise SystemExit("holdfast: %s is missing; see `make setup`" % command[0])
    if done.returncode:
        raise SystemExit("holdfast: %s failed:\n%s" % (command[0], (done.stderr or done.stdout).strip()))
    return done.stdout


# --- everything


def measure():
    """All figures, as `--json` prints them."""
    figures = {"code": measure_code(), "heap": measure_heap(), "flash": flash_cost.measure()}
    groups = {group: sizes["xtensawin"] for group, sizes in figures["code"]["groups"]}
    values = {
        "mpy": groups[STATION],
        "mpy_all": sum(groups.values()) - groups["web page"],
        "heap_idle": figures["heap"]["idle"],
        "pair": figures["heap"]["pair"],
        "programs": figures["flash"]["programs"],
        "erases": figures["flash"]["erases"],
        "programmed": figures["flash"]["bytes"],
    }
    figures["targets"] = [
        {"what": what, "measured": values[key], "limit": limit, "unit": unit, "met": values[key] <= limit}
        for what, key, limit, unit in TARGETS]
    return figures


def tables(figures):
    """The figures as rich tables, each followed by its remarks."""
    code, heap = figures["code"], figures["heap"]
    heap_of = dict(heap["modules"] + heap["later"])
    later = [name for name, _ in heap["later"]]

    table = Table("module", title="Compiled code and heap after import, bytes")
    for heading in (".mpy xtensawin", ".mpy rv32imc", "names", "constants", "bytecode", "functions", "heap"):
        table.add_column(heading, justify="right")
    columns = ("xtensawin", "rv32imc", "names", "constants", "bytecode", "functions")
    for row in code["modules"]:
        name = row["module"]
        table.add_row(name + (" (on demand)" if name in later else ""), *[str(row[column]) for column in columns],
                      str(heap_of.get(name) or ""), end_section=row is code["modules"][-1])
    heap_of_group = dict.fromkeys(dict(code["groups"]), 0)
    for name, size in heap["modules"]:
        heap_of_group[group_of(name)] += size
    for group, sizes in code["groups"]:
        table.add_row("= " + group, *[str(sizes[column]) for column in columns], str(heap_of_group[group] or ""),
                      end_section=group == code["groups"][-1][0])
    table.add_row("total", *[str(code["total"][column]) for column in columns], str(heap["import"] - heap["names"]))
    yield table
    yield (
        "Of %(names)d bytes of names %(repeated)d are repetitions: each file spells out what it uses. A frozen image"
        " has every name once; with the %(different)d names written once, this code would take %(once)d bytes."
        % {"names": code["total"]["names"], "repeated": code["names_repeated"],
           "different": code["different_names"], "once": code["total_names_once"]})

    table = Table("heap on 32 bits, code used in place from a ROMFS image of %d bytes" % heap["romfs"], title="Heap")
    table.add_column("bytes", justify="right")
    table.add_row("%d modules imported" % len(heap["modules"]), str(heap["import"] - heap["names"]))
    table.add_row("+ MicroPython's table of names, which grows by doubling", str(heap["names"]))
    table.add_row("= after import", str(heap["import"]), end_section=True)
    for what, size in heap["parts"]:
        table.add_row("+ " + what, str(size))
    table.add_row("= idle, of which %d are the link's buffers" % heap["buffers"], str(heap["idle"]), end_section=True)
    table.add_row("allocated by ReserveNow + CancelReservation, text in to text out", str(heap["pair"]))
    for event, size in heap["steps"]:
        table.add_row("    " + event, str(size))
    table.add_row("    of which reading and writing the JSON alone", str(heap["json"]))
    table.add_row("the same with WebSocket and link around it", str(heap["pair_wire"]))
    table.add_row("most in use at once, if nothing is collected before an event is over", str(heap["peak"]),
                  end_section=True)
    table.add_row("idle with the code in RAM, as .mpy files on a stock firmware", str(heap["ram_idle"]))
    yield table
    yield (
        "Not in it: the image, which a board has in flash, and what MicroPython brings itself. asyncio with its streams"
        " takes %d bytes on 64 bits, measured; the 32-bit MicroPython has another asyncio, so it is left out, and so"
        " are the frames of the agent's tasks." % heap["asyncio_64_bit"])

    flash = figures["flash"]
    table = Table("per reservation change on littlefs, worst case in brackets", title="Flash")
    for heading in ("file size", "programs", "erases", "bytes"):
        table.add_column(heading, justify="right")
    for kind in flash["kinds"]:
        counts = ["%s (%s)" % (number(kind[key]), number(kind["worst"][key])) for key in flash_cost.COUNTS]
        table.add_row(kind["kind"], "%d-%d" % (kind["smallest"], kind["largest"]), *counts)
    yield table

    table = Table("target", title="Targets")
    for heading in ("measured", "at most", ""):
        table.add_column(heading, justify="right")
    for target in figures["targets"]:
        table.add_row(target["what"], number(target["measured"]), number(target["limit"]),
                      "met" if target["met"] else "%.1f times" % (target["measured"] / target["limit"]))
    yield table


def number(value):
    """A whole number as it is, a small one with three digits."""
    return str(round(value)) if isinstance(value, int) or value >= 100 else "%.3g" % value


def plain(item):
    """A table, or a remark, as text for a pipe: one line a row, cells separated by two spaces or more."""
    if isinstance(item, str):
        return textwrap.fill(item, 118)
    columns = [[str(column.header), *[str(cell) for cell in column.cells]] for column in item.columns]
    widths = [max(len(cell) for cell in column) for column in columns]
    lines = [item.title]
    for row in zip(*columns):
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m tools.size", description="What the firmware takes, in bytes.")
    parser.add_argument("--json", action="store_true", help="all figures as one JSON object")
    options = parser.parse_args(arguments)
    figures = measure()
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    terminal = Console() if sys.stdout.isatty() else None
    for item in tables(figures):
        if terminal:
            terminal.print(item, highlight=False)
        else:
            print(plain(item) + "\n")


if __name__ == "__main__":
    main()
