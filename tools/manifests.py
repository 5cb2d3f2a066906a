"""Evaluates MicroPython's manifest.py files: what an image carries frozen, and whether that is all it imports.

The commands are those of MicroPython's page "MicroPython manifest files" (include, require, package, module, freeze,
metadata). Sources of MicroPython itself are not needed: what $(MPY_DIR), $(PORT_DIR) and micropython-lib hold is
known here by name, as far as a board may use it. `make firmware` repeats it with the real ones.
"""

import ast
import functools
import os
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FIRMWARE = ROOT / "firmware"

# Where an include() may lead outside of this repository, and the modules that it freezes. Source: MicroPython 1.29.
INCLUDES = {"$(MPY_DIR)/extmod/asyncio": ("asyncio",)}

# Files of $(PORT_DIR)/modules in MicroPython 1.29. A board that freezes an own _boot.py takes only some of them.
PORT_MODULES = ("_boot.py", "apa106.py", "espnow.py", "flashbdev.py", "inisetup.py", "machine.py")

# Packages of micropython-lib, and the modules that require() of each freezes. Source: MicroPython 1.29's
# extmod/asyncio and micropython-lib's python-stdlib/ssl, micropython/net/ntptime, micropython/utarfile.
PACKAGES = {"ssl": ("ssl",), "ntptime": ("ntptime",), "unittest": ("unittest",), "logging": ("logging",)}

# Modules in C that every ESP32 image has, whatever it freezes. Source: help('modules') of MicroPython 1.29's
# ESP32_GENERIC without the frozen ones; the type stubs of that firmware describe the same modules.
BUILT_IN = frozenset(
    "_onewire _thread array binascii builtins cmath collections cryptolib deflate errno esp esp32 framebuf gc hashlib "
    "heapq io json machine math micropython network os platform random re select socket struct sys time tls uctypes "
    "vfs websocket".split()
)


class ManifestError(Exception):
    """A manifest that MicroPython's build would refuse; the text says where."""


@dataclass
class Manifest:
    """What a manifest asks for. `files`: {name in the image: (Path or None if not in this repository, level)}."""

    files: dict = field(default_factory=dict)
    modules: set = field(default_factory=set)  # importable names that come from outside of this repository
    metadata: dict = field(default_factory=dict)


def evaluate(path):
    """The Manifest of a manifest file. ManifestError for what does not exist or is frozen twice."""
    manifest = Manifest()
    visited = set()

    def add(name, source, opt):
        if name in manifest.files:
            raise ManifestError("%s is frozen twice" % name)
        if source is not None and not source.is_file():
            raise ManifestError("%s does not exist" % source)
        if opt not in (None, 0, 1, 2, 3):
            raise ManifestError("%s: no such level: %r" % (name, opt))
        manifest.files[name] = (source, opt)

    def run(file):
        file = file.resolve()
        if file in visited:
            return
        visited.add(file)
        if not file.is_file():
            raise ManifestError("%s does not exist" % file)

        def metadata(**values):
            manifest.metadata.update(values)

        def include(target, **_options):
            if target in INCLUDES:
                manifest.modules.update(INCLUDES[target])
            elif target.startswith("$("):
                raise ManifestError("include(%r): not known here" % target)
            else:
                target = file.parent / target
                run(target / "manifest.py" if target.is_dir() else target)

        def require(name, **_options):
            if name not in PACKAGES:
                raise ManifestError("require(%r): not known here" % name)
            manifest.modules.update(PACKAGES[name])

        def module(name, base_path=".", opt=None):
            add(name, file.parent / base_path / name, opt)

        def package(name, files=None, base_path=".", opt=None):
            base = file.parent / base_path
            if files is None:
                files = sorted(source.relative_to(base / name).as_posix() for source in (base / name).rglob("*.py"))
                if not files:
                    raise ManifestError("package(%r): nothing in %s" % (name, base / name))
            for one in files:
                add("%s/%s" % (name, one), base / name / one, opt)

        def freeze(target, script=None, opt=None):
            scripts = [script] if isinstance(script, str) else script
            if target != "$(PORT_DIR)/modules" or not scripts:
                raise ManifestError("freeze(%r): only named files of $(PORT_DIR)/modules" % target)
            for one in scripts:
                if one not in PORT_MODULES:
                    raise ManifestError("freeze: the port has no %s" % one)
                add(one, None, opt)

        commands = {
            "metadata": metadata, "include": include, "require": require, "module": module, "package": package,
            "freeze": freeze,
        }
        try:
            exec(compile(file.read_text(), os.fspath(file), "exec"), commands)
        except (NameError, SyntaxError, TypeError, AttributeError) as error:
            raise ManifestError("%s: %s" % (file, error))

    run(Path(path))
    return manifest


def importable(manifest):
    """The dotted names that can be imported from an image with that Manifest."""
    names = set(BUILT_IN) | manifest.modules
    for file in manifest.files:
        parts = file.removesuffix(".py").split("/")
        names.add(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return names


@functools.cache
def imports(source, package=""):
    """[(module or module.name, line, guarded)] of the import statements anywhere in a text of Python.

    `guarded`: inside of a `try` that catches ImportError, so that it may be missing. `package` is for relative imports.
    """
    found = []

    def walk(node, guarded):
        if isinstance(node, ast.Import):
            found.extend((name.name, node.lineno, guarded) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join(above + ([node.module] if node.module else []))
            found.extend(("%s:%s" % (module, name.name), node.lineno, guarded) for name in node.names)
        for child in ast.iter_child_nodes(node):
            inside = isinstance(node, ast.Try) and child in node.body and any(map(_catches_import, node.handlers))
            walk(child, guarded or inside)

    walk(ast.parse(source), False)
    return found


def _catches_import(handler):
    return any(isinstance(node, ast.Name) and node.id in ("ImportError", "Exception")
               for node in ast.walk(handler.type or ast.Name("Exception")))


def manifest_faults(manifest):
    """Where an image would miss something: files of the firmware that are not in it, imports that lead nowhere."""
    faults = []
    for source in sorted(FIRMWARE.rglob("*.py")):
        name = source.relative_to(FIRMWARE).as_posix()
        if name not in manifest.files:
            faults.append("%s is not frozen" % name)
        elif (manifest.files[name][0] or source).resolve() != source.resolve():
            faults.append("%s is frozen from elsewhere" % name)
    if "_boot.py" not in manifest.files:
        faults.append("_boot.py is not frozen, without which no file system is mounted")
    known = importable(manifest)
    for name, (source, _) in sorted(manifest.files.items()):
        if source is not None:
            package = ".".join(name.split("/")[:-1])
            for wanted, line, guarded in imports(source.read_text(), package):
                module, _, attribute = wanted.partition(":")
                # `from package import module`: the name may be a module, or something that the package defines.
                found = module in known and (not attribute or _has(manifest, module, attribute, known))
                if not found and not guarded:
                    faults.append("%s:%d: nothing to import %s from" % (name, line, wanted.replace(":", ".")))
    return faults


def _has(manifest, module, attribute, known):
    if attribute == "*" or "%s.%s" % (module, attribute) in known:
        return True
    source = manifest.files.get(module.replace(".", "/") + "/__init__.py", (None, 0))[0]
    if source is None:
        source = manifest.files.get(module.replace(".", "/") + ".py", (None, 0))[0]
    if source is None:
        return True  # a module of MicroPython's: the type stubs know its names
    return attribute in _defined(source.read_text())


@functools.cache
def _defined(source):
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name)
    return names
