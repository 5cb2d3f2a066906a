"""The rules of the house that a machine can check: who may know what, and how long a file may be."""

import ast
import re
from importlib.util import resolve_name
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "firmware" / "holdfast"

# What only the edge may touch: files, sockets, pins, the wall clock, other tasks.
OUTSIDE = {"asyncio", "select", "socket", "ssl", "tls", "os", "io", "vfs", "machine", "esp32", "network", "time",
           "_thread", "gc"}
POLICY = ("reservations", "evse", "transactions", "device_model", "hardware.outlet")
PROTOCOL = ("station", "exchange", "rpc", "payload", "clock", "websocket", "log")

# The edge, and what of the outside world each file stands for.
EDGE = {
    "__init__": "nothing, it is the package", "agent": "tasks", "board": "the chip", "commands": "the console",
    "config": "a file", "config_rules": "the same file", "console": "the serial port", "crash": "a file",
    "factory": "files to forget", "flash": "records", "keep": "NVS", "link": "the connection",
    "network": "Wi-Fi and Ethernet", "resolver": "name and time servers",
    "tls": "certificates", "watchdog": "the watchdog", "hardware.__init__": "drivers",
    "hardware.simulated": "no hardware at all", "hardware.iec61851": "pins",
}


def imports(path):
    """Names of all modules that a file imports, anywhere in it."""
    package = "holdfast"
    if PACKAGE in path.parents:
        package = ".".join(path.parent.relative_to(PACKAGE.parent).parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = resolve_name("." * node.level + (node.module or ""), package)
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def file_of(name):
    return PACKAGE / (name.replace(".", "/") + ".py")


def protocol_files():
    return [file_of(name) for name in PROTOCOL] + sorted((PACKAGE / "blocks").glob("*.py"))


def test_every_file_is_policy_protocol_or_edge():
    known = {file_of(name) for name in POLICY + tuple(EDGE)} | set(protocol_files())
    known |= set((PACKAGE / "web").glob("*.py"))  # an edge of its own
    assert set(PACKAGE.rglob("*.py")) == known


@pytest.mark.parametrize("path", [file_of(name) for name in POLICY] + protocol_files(), ids=lambda path: path.stem)
def test_policy_and_protocol_do_not_know_the_outside_world(path):
    assert OUTSIDE & set(imports(path)) == set()


@pytest.mark.parametrize("name", POLICY)
def test_policy_knows_no_messages(name):
    allowed = {"holdfast." + other for other in POLICY}
    known = {module for module in imports(file_of(name)) if module.startswith("holdfast.")}
    assert {module for module in known if not any(module == a or module.startswith(a + ".") for a in allowed)
            and module != "holdfast.hardware"} == set()


def test_the_check_would_see_an_import_inside_a_function(tmp_path):
    path = tmp_path / "sneaky.py"
    path.write_text("def now():\n    import time\n    return time.time()\n")
    assert OUTSIDE & set(imports(path)) == {"time"}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_file_of_the_firmware_fits_into_the_head_and_opens_with_what_it_promises(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 450
    assert ast.get_docstring(ast.parse(text))


def test_public_functions_and_classes_say_what_they_do():
    missing = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                if not node.name.startswith("_") and not ast.get_docstring(node):
                    missing.append(f"{path.name}: {node.name}")
    assert missing == []


def test_nothing_is_left_for_later():
    left = []
    for folder in ("firmware", "tools", "boards"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".md", ".cmake", ".h") and "node_modules" not in path.parts:
                left += [f"{path.name}: {word}" for word in re.findall(r"\b(?:TODO|FIXME|XXX)\b", path.read_text())]
    assert left == []


@pytest.mark.xdist_group("together")
def test_a_group_of_tests_stays_on_one_worker(request):
    """What a group measures once, or unpacks once, would else be done by each worker, at the same time."""
    if not hasattr(request.config, "workerinput"):
        pytest.skip("there are no workers: pytest -n 2 --dist loadgroup")
    assert request.node.nodeid.endswith("@together")
