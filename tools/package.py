"""Writes package.json, by which `mpremote mip install` knows the files of the firmware: `python -m tools.package`.

boot.py and main.py belong into the root of the file system, where MicroPython looks for them; mip puts everything into
/lib, so their targets lead out of it. main.py comes last: until everything else is there, nothing starts. A frozen
image's _boot.py is left out, no MicroPython runs it from a file.
"""

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUN_BY_NAME = ("boot.py", "main.py")
ONLY_FROZEN = ("_boot.py",)


def package():
    """package.json as a dict."""
    firmware = ROOT / "firmware"
    names = sorted(source.relative_to(firmware).as_posix() for source in firmware.rglob("*.py"))
    names.sort(key=lambda name: name == "main.py")
    urls = [["../" + name if name in RUN_BY_NAME else name, "firmware/" + name]
            for name in names if name not in ONLY_FROZEN]
    version = re.search(r'^__version__ = "(.*)"', (firmware / "holdfast" / "__init__.py").read_text(), re.MULTILINE)[1]
    return {"urls": urls, "deps": [], "version": version}


def text():
    """The content of the file: an entry a line, so that changes can be read."""
    content = package()
    urls = ",\n".join("    " + json.dumps(entry) for entry in content["urls"])
    return '{\n  "urls": [\n%s\n  ],\n  "deps": [],\n  "version": %s\n}\n' % (urls, json.dumps(content["version"]))


if __name__ == "__main__":
    (ROOT / "package.json").write_text(text())
