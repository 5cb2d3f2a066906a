"""Checks firmware/ against the type stubs of MicroPython 1.29 on ESP32 (PyPI: micropython-esp32-stubs), with mypy.

The stubs take the place of CPython's: a name that a board does not have, or a wrong argument to `machine`, `network` or
`esp32`, is a finding. The firmware has no annotations, so three kinds of findings say nothing and are off: a name that
is None at first (`strict_optional`), empty at first (`var-annotated`), or takes another type later (`assignment`).
Where it is the stubs that are wrong, the finding is dropped by its text, with the reason beside it. `make types`.
"""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STUBS = ("micropython-esp32-stubs", "micropython-stdlib-stubs")

CONFIG = """
[mypy]
python_version = 3.11
mypy_path = {stubs}:{firmware}
custom_typeshed_dir = {stubs}
no_site_packages = True
check_untyped_defs = True
strict_optional = False
disable_error_code = var-annotated, assignment
cache_dir = {nowhere}
"""

# (finding, why it is not the firmware that is wrong)
FALSE_ALARMS = (
    (r'Unexpected keyword argument "(mdc|mdio|power|reset|ref_clk)" for "LAN"',
     "library/network.LAN describes another port; the arguments of this one are in esp32/quickref, 'LAN'"),
    (r'Argument 1 to "Partition" has incompatible type "int"; expected "str"',
     "library/esp32: an integer, BOOT or RUNNING, is what the constructor is for"),
    (r'Too many positional arguments for "open_connection"',
     "extmod/asyncio/stream.py: open_connection(host, port, ssl=None, server_hostname=None), in this order"),
    (r'"SSLContext" has no attribute "verify_(mode|callback)"',
     "extmod/modtls_mbedtls.c: both are attributes of the context"),
    (r'Argument \d to "open_connection" has incompatible type "str"; expected "float',
     "the same: mypy tells the fourth argument from the third"),
    (r'Cannot instantiate abstract class "Vfs(Lfs2|Fat)"',
     "library/vfs: VfsLfs2(block_dev) makes one; what is abstract is the block device"),
    (r'firmware/main\.py:\d+: error: "None" has no attribute "(resume|station)"',
     "main.py: where `resume()` is at hand there is an agent, unless it could not be made"),
    (r'firmware/_boot\.py:\d+: error: Module has no attribute "VfsRom"',
     "reference/romfs: vfs.VfsRom, where MICROPY_VFS_ROM is on"),
    (r'"(type\[board\]|board)" has no attribute "[A-Z0-9_]+"',
     "Pin.board has the names of the board's own pins.csv, which tools.board_checks looks at"),
    (r'config\.py:\d+: error: "Config" has no attribute',
     "Config has the fields of the configuration file, by setattr"),
)


def findings(paths):
    """What is wrong in the files or folders `paths` according to the stubs: ["file:line: error: ...  [code]"].

    A file in a folder called firmware is found as the board would: `holdfast` is a package of it.
    """
    stubs = _stubs()
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory) / "mypy.ini"
        # No cache: two mypy that write one at the same time break each other, and without it a run takes a second.
        config.write_text(CONFIG.format(stubs=stubs, firmware=ROOT / "firmware", nowhere=os.devnull))
        command = [sys.executable, "-m", "mypy", "--config-file", str(config), "--no-error-summary",
                   "--hide-error-context", "--show-traceback", *map(str, paths)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode not in (0, 1):
        raise RuntimeError("mypy failed: %s" % (done.stderr or done.stdout))
    lines = [line for line in done.stdout.splitlines() if ": error: " in line]
    own = [line for line in lines if not (ROOT / line.split(":")[0]).resolve().is_relative_to(stubs.resolve())]
    return [line for line in own if not any(re.search(text, line) for text, _ in FALSE_ALARMS)]


def modules():
    """The names of the modules that the stubs describe."""
    return {path.stem if path.suffix == ".pyi" else path.name for path in _stubs().iterdir()}


def _stubs():
    """A folder with nothing but the stubs, as mypy wants it: in site-packages they lie between everything else."""
    versions = "-".join(importlib.metadata.version(name) for name in STUBS)
    target = ROOT / "build" / ("stubs-" + versions)
    if not target.is_dir():
        own = target.with_name("%s.%d" % (target.name, os.getpid()))
        for name in STUBS:
            for file in importlib.metadata.files(name):
                if file.suffix == ".pyi" or file.name == "VERSIONS":
                    (own / file).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(file.locate(), own / file)
        try:
            own.rename(target)
        except OSError:  # another test made it meanwhile
            shutil.rmtree(own)
    return target


def main():
    found = findings([ROOT / "firmware"])
    print("\n".join(found) or "types: nothing wrong")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
