"""Tells a board who it is: `make provision PORT=…`, which asks, or `make provision PORT=… FILE=site.json`.

A site file is a config.json in which the certificates are files on the desk, beside it. Everything is held against the
agent's own checkers before anything is written. Passwords, each with a hash of whom it is for, and the key go to NVS;
they come neither into a file of the board nor back over the cable, and those that the board has may be left out. In the
end the agent is started and watched until the CSMS has answered its BootNotification.

The new configuration takes the place of the old one in one step, and what it names has other names than what the old
one named. So whatever interrupts this, the board is the station that it was, or the new one. Only a new password for
the same CSMS counts at once, a moment before the rest.
"""

import argparse
import base64
import contextlib
import json
import sys
import time
from hashlib import sha256
from pathlib import Path

import serial

from tools.board_checks import board_names
from tools.board_console import BoardError
from tools.board_repl import status, visit
from tools.certificates import Unfit, check_ca, check_own, check_pair, key_der, seen_from_here
from tools.image import ROOT
from tools.serial_console import Lines, SerialConsole, log_level

sys.path.insert(0, str(ROOT / "firmware"))  # the checkers are the agent's

from holdfast import config  # noqa: E402

from tools.interview import CERTIFICATES, Interview, asked  # noqa: E402

# Where there is a password: (key in NVS, the object of the configuration that has it, the field it is bound to).
SECRETS = (("password", (), "csms_url"), ("wifi_password", ("network", "wifi"), "ssid"))
KEY = "nvs:client_key"  # what config.json says of a key in NVS
CHANGED_PASSWORD = "/records/variable-SecurityCtrlr.BasicAuthPassword"  # one that the CSMS has set since
KEPT = "*" * 16  # stands for a password that the board has already, when the rest is checked
REGISTERED = ("Accepted", "Pending", "Rejected")
NEXT = {
    "Accepted": "The station is registered. What it does from here on: make logs PORT=%s",
    "Pending": "The CSMS knows the station and lets it wait. It asks again by itself: make logs PORT=%s",
    "Rejected": "The CSMS does not know this station: enter its id there. It asks again by itself: make logs PORT=%s",
}


def bound(beside):
    """What a password in NVS begins with: it is only used for whom it was given; see _recall in config.py."""
    return sha256(beside.encode()).digest()[:8]


def place(values, path):
    """The object of a configuration that a path leads to, {} if there is none."""
    for name in path:
        values = values.get(name) if isinstance(values, dict) else None
    return values if isinstance(values, dict) else {}


def other(name, used):
    """`name`, or where that is in use a second one like it: what is new never takes the place of what is."""
    stem, dot, kind = name.partition(".")
    return stem + "2" + dot + kind if name == used else name


class Board:
    """What a board has of a configuration: `values` of its config.json, {} without; `hashes` {key in NVS: whom the
    password is for, as `bound` has it, in hexadecimal}; `nvs`: is there an NVS at all?"""

    def __init__(self, values=None, hashes=None):
        self.values = values if isinstance(values, dict) else {}
        self.nvs = hashes is not None
        self.hashes = hashes or {}

    def knows(self, key, whom):
        """Has it the password of `key` for that CSMS or Wi-Fi?"""
        return bound(whom).hex() in (self.hashes.get(key), self.hashes.get(key + "2"))

    def slot(self, key, path, beside, whom):
        """The key in NVS for a new password: not that of the one in use, unless it is for the same."""
        used = place(self.values, path).get(beside)
        in_use = isinstance(used, str) and used != whom and self.hashes.get(key) == bound(used).hex()
        return other(key, key if in_use else None)


class Site:
    """A checked site: `values` for config.json, without secrets; `secrets` as {key in NVS: bytes}; `kept`: the keys in
    NVS that stay; `given`: of SECRETS those with a password; `files` as {path on the board: content}. `board`: what is
    there. Raises ConfigError."""

    def __init__(self, values, folder=".", board=None, knows=None):
        if not isinstance(values, dict):
            raise config.ConfigError("", "not an object")
        board = board or Board(hashes={})
        values = json.loads(json.dumps(values))
        self.files, self.secrets, self.kept, self.given = {}, {}, [], []
        self._certificates(values, Path(folder), board)
        complete = json.loads(json.dumps(values))
        for key, path, beside in SECRETS:
            own, whole = place(values, path), place(complete, path)
            whom = own.get(beside)
            if not isinstance(whom, str):
                continue
            if isinstance(own.get("password"), str):
                self.given.append(key)
                if board.nvs:
                    slot = board.slot(key, path, beside, whom)
                    self.secrets[slot] = bound(whom) + own.pop("password").encode()
            elif (knows or board.knows)(key, whom):
                whole.setdefault("password", KEPT)
                self.kept += [slot for slot in (key, key + "2") if board.hashes.get(slot) == bound(whom).hex()]
        self.config = config.load(json.dumps(complete))
        self.values = values

    def _certificates(self, values, folder, board):
        contents = {}
        for field in CERTIFICATES:
            name = values.get(field)
            used = board.values.get(field)
            if not isinstance(name, str):
                continue
            if name == used:  # the board has it
                self.kept += [name[4:]] if name.startswith("nvs:") else []
                continue
            try:
                content = contents[field] = (folder / Path(name).expanduser()).read_bytes()
                if field == "ca_certificate":
                    check_ca(content)
                elif field == "client_certificate":
                    check_own(content)
                else:
                    content = key_der(content)
                    if "client_certificate" in contents:
                        check_pair(contents["client_certificate"], content)
            except OSError as error:
                raise config.ConfigError(field, "%s: %s" % (folder / name, error.strerror))
            except Unfit as error:
                raise config.ConfigError(field, "%s: %s" % (folder / name, error))
            if field == "client_key" and board.nvs:
                values[field] = other(KEY, used)
                self.secrets[values[field][4:]] = content
            else:
                kind = ".pem" if content.startswith(b"-----") else ".der"
                values[field] = other("/%s%s" % (field, kind), used)
                self.files[values[field]] = content


# --- the board


def look(repl):
    """The Board at a REPL. Of passwords it tells the hash of whom they are for, never the password."""
    code = """
try:
    import esp32
    for key in %r:
        found = bytearray(264)  # as board.blob has it
        try:
            esp32.NVS('holdfast').get_blob(key, found)
            print(key, binascii.hexlify(found[:8]).decode())
        except OSError:
            print(key, '-')
except ImportError:
    pass
""" % ([key + slot for key, _, _ in SECRETS for slot in ("", "2")],)
    found = dict(line.split() for line in repl.run(code).splitlines())
    try:
        values = json.loads(repl.read("/config.json") or b"null")
    except ValueError:
        values = None  # it is to be replaced anyway
    for _, path, _ in SECRETS:
        place(values, path).pop("password", None)  # of a board without NVS, or written by hand
    return Board(values, found or None)


def installed(repl):
    """BoardError if there is no agent on the board."""
    code = "try:\n import holdfast\n print(holdfast.__version__)\nexcept ImportError:\n print('')"
    if not repl.run(code).strip():
        raise BoardError("there is no agent on %s yet: make flash BOARD=… PORT=%s, or make deploy PORT=%s where a stock"
                         " MicroPython runs" % (repl.port, repl.port, repl.port))


def write(repl, site, board):
    """Write a site to a board. Until config.json is replaced, nothing that it names has changed."""
    for path, content in site.files.items():
        repl.replace(path, content)
    if board.nvs:
        # In one commit. The time is for TLS, which judges certificates by it: a board begins in the year 2000.
        lines = ["import esp32", "n = esp32.NVS('holdfast')", "n.set_i32('minutes', %d)" % (time.time() // 60)]
        for key, content in site.secrets.items():
            lines.append("n.set_blob(%r, binascii.a2b_base64(%r))" % (key, base64.b64encode(content).decode()))
        repl.run("\n".join(lines + ["n.commit()"]))
    # In UTF-8: a character beyond the first plane, escaped as two, would be two to MicroPython, in the name of a Wi-Fi.
    repl.replace("/config.json", json.dumps(site.values, ensure_ascii=False).encode())
    # That one is good for no other CSMS, and not beside a new one.
    outdated = "password" in site.given or site.values["csms_url"] != board.values.get("csms_url")
    if outdated and repl.exists("/records") and repl.exists(CHANGED_PASSWORD):
        repl.run("os.remove(%r)" % CHANGED_PASSWORD)
    _forget(repl, site, board)


def _forget(repl, site, board):
    """What the configuration does not name any more."""
    if board.nvs:
        lines = ["import esp32", "n = esp32.NVS('holdfast')"]
        for key in [name + slot for name in ("password", "wifi_password", "client_key") for slot in ("", "2")]:
            if key not in site.secrets and key not in site.kept:
                lines += ["try:", " n.erase_key(%r)" % key, "except OSError: pass"]
        repl.run("\n".join(lines + ["n.commit()"]))
    for field in CERTIFICATES:
        old = board.values.get(field)
        ours = isinstance(old, str) and old.startswith("/" + field)
        if ours and old != site.values.get(field) and repl.exists(old):
            repl.run("os.remove(%r)" % old)


def watch(port, timeout, show):
    """Wait for the agent's first answer to BootNotification; (status, the lines of the console's `status`).

    `show(line)`: the log, as it comes. BoardError after `timeout` s without an answer.
    """
    deadline = time.monotonic() + timeout

    def take(line):
        if log_level(line):
            show(line[2:])

    while time.monotonic() < deadline:
        try:
            with SerialConsole(port, Lines(take)) as console:
                while console.is_on and time.monotonic() < deadline:
                    lines = status(console, 2)
                    facts = dict(line.partition(": ")[::2] for line in lines)
                    if facts.get("registration") in REGISTERED:
                        return facts["registration"], lines
                    if "config error" in facts or "mode" in facts:
                        raise BoardError("the agent on %s makes no station: %s"
                                         % (port, facts.get("config error") or facts["mode"]))
                    time.sleep(0.3)
        except serial.SerialException:
            time.sleep(0.2)  # a chip's own USB goes away with the reset
    raise BoardError("no answer of the CSMS within %d s; the log above says how far it came, make logs PORT=%s goes on"
                     % (timeout, port))


def doubts(site, board):
    """What is not wrong, but may be not as it was meant; as lines."""
    found = list(site.config.warnings)
    before = board.values.get("station_id")
    if before not in (None, site.config.station_id):
        found.append("this was %s, and its reservations and transactions stay; to be rid of them: `factory-reset %s` on"
                     " the console, and provision anew" % (before, site.config.station_id))
    authority = site.files.get(site.values.get("ca_certificate"))
    if authority:
        _, host, port, _ = config.split_url(site.config.csms_url)
        try:
            reason = seen_from_here(host, port, authority)
            if reason:
                found.append("a station will refuse the CSMS, seen from here: %s" % reason)
        except (OSError, UnicodeError) as error:  # no name of a host at all is the second
            found.append("the CSMS can not be reached from here, so its certificate was not looked at: %s"
                         % (getattr(error, "strerror", None) or error))
    return found


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.provision", description=__doc__.split("\n")[0])
    parser.add_argument("port")
    parser.add_argument("--file", help="a site file; without it there are questions")
    parser.add_argument("--board", help="one of boards/: its pins are proposed")
    parser.add_argument("--timeout", type=float, default=120, help="s to wait for the CSMS")
    parser.add_argument("--force", action="store_true", help="even while a car is charging")
    options = parser.parse_args()
    try:
        sys.exit(provision(options))
    except config.ConfigError as error:
        sys.exit("provision: %s; nothing was written" % error)
    except BoardError as error:
        sys.exit("provision: %s" % error)
    except OSError as error:
        sys.exit("provision: %s: %s" % (error.filename, error.strerror) if error.filename else "provision: %s" % error)
    except (KeyboardInterrupt, EOFError):
        sys.exit("\nprovision: ended, and nothing more is written; the board is what it was, or what was asked for")


def from_file(path):
    """The values of a site file that has no fault which shows without the board. Raises ConfigError, OSError."""
    try:
        values = json.loads(Path(path).read_text())
    except ValueError as error:
        raise config.ConfigError(path, "not JSON: %s" % error)
    try:
        Site(values, Path(path).parent)
    except config.ConfigError:
        Site(values, Path(path).parent, knows=lambda key, whom: True)  # a password may be on the board
    return values


def provision(options):
    """What the program does; its exit status: 0 once the CSMS has accepted the station."""
    if options.board and options.board not in board_names():
        raise BoardError("BOARD=… is one of %s" % ", ".join(board_names()))
    if options.file:
        values, folder = from_file(options.file), Path(options.file).parent
    else:
        if not sys.stdin.isatty():
            raise BoardError("there is nobody to ask: FILE=site.json")
        # The agent goes on while a person thinks: no watchdog bites, and no contactor waits for an answer.
        with session(options) as repl:
            board = look(repl)
        values = Interview(asked, options.board, board.values, board.knows).values_of_a_site()
        folder = "."
    with session(options) as repl:
        board = look(repl)
        site = Site(values, folder, board)
        for doubt in doubts(site, board):
            print("warning: " + doubt, flush=True)
        write(repl, site, board)
    print("written: %s at %s%s; the board restarts" % (
        site.config.station_id, site.config.csms_url, ", secrets in NVS" if site.secrets else ""), flush=True)
    answer, lines = watch(options.port, options.timeout, lambda line: print("  " + line, flush=True))
    print("\n".join(lines))
    print("BootNotification: %s" % answer)
    print(NEXT[answer] % options.port)
    return 0 if answer == "Accepted" else 1


@contextlib.contextmanager
def session(options):
    """The REPL of a board with an agent, which is started again afterwards."""
    print("asking the board at %s" % options.port, flush=True)
    with visit(options.port, options.force) as repl:
        try:
            installed(repl)
            yield repl
        finally:
            repl.restart()


if __name__ == "__main__":
    main()
