"""Packs the installer's page into the firmware: `python -m tools.web_page` after a change of tools/web/page.html.

The board sends the page as it is in holdfast/web/page.py: compressed, which every browser understands, and without the
indentation and comments that only its author needs. With it go the header lines that tell the browser so, and what it
may do: run the one script that is in the page, talk to the board, and nothing else; no other site may frame it.
"""

import base64
import gzip
import hashlib
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "tools" / "web" / "page.html"
TARGET = ROOT / "firmware" / "holdfast" / "web" / "page.py"

HEAD = '''"""The page, compressed, and header lines for it: made by tools/web_page.py from tools/web/page.html."""

# fmt: off
PAGE = (
'''
POLICY = """)
POLICY = (
    "Content-Encoding: gzip\\r\\nContent-Security-Policy: default-src 'none'; connect-src 'self';"
    " style-src 'unsafe-inline'; frame-ancestors 'none';"
    " script-src 'sha256-%s'\\r\\n")
"""


def stripped():
    """The page as a browser gets it."""
    lines = [line.strip() for line in SOURCE.read_text().splitlines()]
    text = "\n".join(line for line in lines if line and not line.startswith("//"))
    return re.sub("(?s)(?<=<s).*?(?=</s)", lambda part: _tight(part[0]), text)


def _tight(code):
    """CSS or JavaScript without the white space around its signs, strings as they are."""
    signs = r"\s*([{}();,=<>+?&|:*])\s*"
    return re.sub(r"""("[^"\n]*"|'[^'\n]*')|""" + signs, lambda part: part[1] or part[2], code)


def module():
    """The text of page.py."""
    packed = gzip.compress(stripped().encode(), 9, mtime=0)
    rows = [packed[at:at + 24] for at in range(0, len(packed), 24)]
    return HEAD + "".join("    b\"%s\"\n" % "".join("\\x%02x" % octet for octet in row) for row in rows) + policy()


def policy():
    """The header lines, as Python: with the hash of the script, which is what the browser runs."""
    script = re.search("(?s)<script>(.*)</script>", stripped())[1]
    return POLICY % base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def carried():
    """The page that page.py holds."""
    packed = b"".join(bytes.fromhex(row.replace("\\x", "")) for row in re.findall(r'b"(.*)"', TARGET.read_text()))
    return gzip.decompress(packed).decode()


if __name__ == "__main__":
    TARGET.write_text(module())
