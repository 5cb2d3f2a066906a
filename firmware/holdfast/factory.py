"""Back to what the board was before anybody told it who it is. Imported for that moment only.

What is secret goes first and the configuration last: a power cut in between leaves a station that can be told to do it
again. The program, the counters of the board and the files in other directories stay.
"""

import os

from . import board
from .config import PATH
from .keep import forget

_PROGRAM = ("boot.py", "main.py")
_SECRETS = ("password", "password2", "wifi_password", "wifi_password2", "client_key", "client_key2", "web_codes")
_OWED = ("reservation", "event", "transaction")  # first part of the names of records that somebody counts on


def erase(root, keep):
    """Remove configuration, certificates, passwords, crash reports and records; with `keep` not the reservations, and
    not the endings and transactions that the CSMS has yet to hear of. Returns the paths that could not be removed."""
    failed = []
    board.forget(*_SECRETS)
    forget()
    paths = []
    for directory in (root or "/", root + "/records"):
        try:
            for name in os.listdir(directory):
                kept = directory == (root or "/") and name in _PROGRAM or keep and name.split("-")[0] in _OWED
                path = directory.rstrip("/") + "/" + name
                if not kept and not os.stat(path)[0] & 0x4000 and path != root + PATH:
                    paths.append(path)
        except OSError:
            pass  # nothing was ever recorded
    for path in paths + [root + PATH]:
        try:
            os.remove(path)
        except OSError as error:
            if error.errno != 2:  # ENOENT
                failed.append(path)
    return failed
