"""Tells a board who it is: `make provision PORT=…`, which asks, or `make provision PORT=… FILE=site.json`.

A site file is a config.json in which the certificates are files on the desk, beside it. Everything is held against the
agent's own checkers before anything is written. Passwords go to NVS, with a hash of whom they are for, and come neither
into a file of the board nor back over the cable; those that the board has already may be left out. In the end the agent
is started and watched until the CSMS has answered its BootNotification.
"""

import argparse
import base64
import json
import re
import sys
import time
from hashlib import sha256
from pathlib import Path

import serial
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tools.board_console import BoardError
from tools.board_repl import status, visit
from tools.image import ROOT
from tools.serial_console import Lines, SerialConsole, log_level

sys.path.insert(0, str(ROOT / "firmware"))  # the checkers are the agent's

from holdfast import config  # noqa: E402
from holdfast.hardware import DRIVERS  # noqa: E402

# Where there is a password: (key in NVS, the object of the configuration that has it, the field it is bound to).
SECRETS = (("password", (), "csms_url"), ("wifi_password", ("network", "wifi"), "ssid"))
CERTIFICATES = ("ca_certificate", "client_certificate", "client_key")
CHANGED_PASSWORD = "/records/variable-SecurityCtrlr.BasicAuthPassword"  # one that the CSMS has set since
KEPT = "*" * 16  # stands for a password that the board has already, when the rest is checked
SAMPLE = {"station_id": "X", "csms_url": "ws://x", "evses": [{"connectors": ["sType2"]}]}
REGISTERED = ("Accepted", "Pending", "Rejected")
ETHERNET = {
    "OLIMEX_ESP32_POE": {"mdc": 23, "mdio": 18, "phy_type": "LAN8710", "phy_addr": 0, "power": 12, "ref_clk": 17,
                         "ref_clk_out": True},
}


def bound(beside):
    """What a password in NVS begins with: it is only used for whom it was given; see _recall in config.py."""
    return sha256(beside.encode()).digest()[:8]


def place(values, path):
    """The object of a configuration that a path leads to, {} if there is none."""
    for name in path:
        values = values.get(name) if isinstance(values, dict) else None
    return values if isinstance(values, dict) else {}


class Site:
    """A checked site: `values` for config.json, without passwords; `secrets` as {key in NVS: (whom for, password)};
    `files` as {path on the board: content}. Raises ConfigError.

    `known(key, whom for)`: does the board have that password already?
    """

    def __init__(self, values, folder=".", known=lambda key, beside: False):
        if not isinstance(values, dict):
            raise config.ConfigError("", "not an object")
        values = json.loads(json.dumps(values))
        self.files = {}
        for field in CERTIFICATES:
            if isinstance(values.get(field), str):
                content = read(field, Path(folder) / values[field])
                values[field] = "/%s%s" % (field, ".pem" if content.startswith(b"-----") else ".der")
                self.files[values[field]] = content
        self._check_key(values)
        complete = json.loads(json.dumps(values))
        self.secrets = {}
        self.kept = []
        for key, path, beside in SECRETS:
            own, whole = place(values, path), place(complete, path)
            whom = own.get(beside)
            if isinstance(own.get("password"), str) and isinstance(whom, str):
                self.secrets[key] = whom, own.pop("password")
            elif isinstance(whom, str) and known(key, whom):
                whole.setdefault("password", KEPT)
                self.kept.append(key)
        self.config = config.load(json.dumps(complete))
        self.values = values

    def _check_key(self, values):
        pair = [self.files.get(values.get(field)) for field in CERTIFICATES[1:]]
        if all(pair):
            public = [certificates(pair[0])[0].public_key(), private(pair[1]).public_key()]
            form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            if public[0].public_bytes(*form) != public[1].public_bytes(*form):
                raise config.ConfigError("client_key", "is not the key of client_certificate")

    def with_passwords(self):
        """config.json for a board without NVS."""
        values = json.loads(json.dumps(self.values))
        for key, path, _ in SECRETS:
            if key in self.secrets:
                place(values, path)["password"] = self.secrets[key][1]
        return values


def read(field, path):
    """The content of a certificate's or a key's file, if it is one. Raises ConfigError."""
    try:
        content = path.read_bytes()
        private(content) if field == "client_key" else certificates(content)
    except OSError as error:
        raise config.ConfigError(field, "%s: %s" % (path, error.strerror))
    except (ValueError, TypeError):  # TypeError: a key that wants a password
        raise config.ConfigError(field, "%s is no %s in PEM or DER without a password"
                                 % (path, "private key" if field == "client_key" else "certificate"))
    return content


def certificates(content):
    if content.startswith(b"-----"):
        return x509.load_pem_x509_certificates(content)
    return [x509.load_der_x509_certificate(content)]


def private(content):
    pem = content.startswith(b"-----")
    return (serialization.load_pem_private_key if pem else serialization.load_der_private_key)(content, None)


# --- the board


def known_secrets(repl):
    """known(key, whom for) of a board; what it tells is the hash, never the password. None where there is no NVS."""
    code = """
try:
    import esp32
    for key in %r:
        found = bytearray(80)
        try:
            esp32.NVS('holdfast').get_blob(key, found)
            print(key, binascii.hexlify(found[:8]).decode())
        except OSError:
            print(key, '-')
except ImportError:
    pass
""" % ([key for key, _, _ in SECRETS],)
    found = dict(line.split() for line in repl.run(code).splitlines())
    return found and (lambda key, whom: found.get(key) == bound(whom).hex())


def installed(repl):
    """BoardError if there is no agent on the board."""
    code = "try:\n import holdfast\n print(holdfast.__version__)\nexcept ImportError:\n print('')"
    if not repl.run(code).strip():
        raise BoardError("there is no agent on %s yet: make flash BOARD=… PORT=%s, or make deploy PORT=%s where a stock"
                         " MicroPython runs" % (repl.port, repl.port, repl.port))


def write(repl, site, nvs=True):
    """Write a site to a board. What a power cut leaves is repaired by doing it again."""
    for path, content in site.files.items():
        repl.replace(path, content)
    if nvs:
        # In one commit. Passwords that are not wanted any more are forgotten.
        lines = ["import esp32", "n = esp32.NVS('holdfast')"]
        for key, _, _ in SECRETS:
            if key in site.secrets:
                whom, password = site.secrets[key]
                blob = base64.b64encode(bound(whom) + password.encode()).decode()
                lines.append("n.set_blob(%r, binascii.a2b_base64(%r))" % (key, blob))
            elif key not in site.kept:
                lines += ["try:", " n.erase_key(%r)" % key, "except OSError: pass"]
        repl.run("\n".join(lines + ["n.commit()"]))
    repl.replace("/config.json", json.dumps(site.values if nvs else site.with_passwords()).encode())
    if "password" in site.secrets and repl.exists("/records") and repl.exists(CHANGED_PASSWORD):
        repl.run("os.remove(%r)" % CHANGED_PASSWORD)


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


# --- questions


def wrong(field, value, values):
    """What the agent's checkers have against the value of a field beside those of others, None if nothing."""
    beside = {name: values[name] for name in ("evses", "hardware") if values.get(name)}
    try:
        config.load(json.dumps({**SAMPLE, **beside, field: value}))
    except config.ConfigError as error:
        if error.args[0].startswith(field):
            return str(error)
    return None


def interview(ask, board=None, known=lambda key, beside: False):
    """The values of a site file. `ask(question, default="", secret=False)` returns a line; it is asked again for what
    the checkers refuse, with the reason in the question."""

    def want(field, question, default="", make=str, secret=False):
        while True:
            text = ask(question, default, secret).strip()
            if not text:
                return None
            try:
                value = make(text)
                reason = wrong(field, value, values)
            except (ValueError, OSError) as error:
                reason = str(error)
            if reason is None:
                return value
            question = "%s\n%s" % (reason, question.split("\n")[-1])

    values = {}
    values["station_id"] = want("station_id", "Station id, as the CSMS knows it")
    values["csms_url"] = want("csms_url", "URL of the CSMS, without the station id", "wss://")
    have = known("password", values["csms_url"] or "")
    values["password"] = want("password", "Password of the station, 16 to 64 characters%s"
                              % (" (empty: as it is)" if have else ""), secret=True)
    if (values["csms_url"] or "").startswith("wss:"):
        values["ca_certificate"] = ask("File with the certificate of the CA that signed the CSMS's", "", False).strip()
        values["client_certificate"] = ask("File with a certificate of the station (empty: none)", "", False).strip()
        if values["client_certificate"]:
            values["client_key"] = ask("File with its key", "", False).strip()
    values["network"] = want_network(want, ask, board, known)
    values["evses"] = want("evses", "Connectors, a comma between EVSEs, a plus within one", "cCCS2+cType2, sType2",
                           layout)
    values["hardware"] = want("hardware", "Hardware, one of: " + DRIVERS.replace(" ", ", "), DRIVERS.split()[0])
    if values["hardware"] == "iec61851":
        values["pins"] = want("pins", "Pins, as JSON%s" % (" (those of %s are filled in)" % board if board else ""),
                              board_pins(board), json.loads)
    return {name: value for name, value in values.items() if value}


def want_network(want, ask, board, known):
    """`network` of a configuration."""
    kind = None
    while kind not in ("wifi", "ethernet", "none"):
        kind = ask("Network: wifi, ethernet, or none", "ethernet" if board in ETHERNET else "wifi", False).strip()
    if kind == "ethernet":
        pins = json.dumps(ETHERNET.get(board, {}))
        chosen = {"ethernet": want("network", "Ethernet, as JSON", pins, json_of("ethernet"))["ethernet"]}
    elif kind == "wifi":
        name = want("network", "Name of the Wi-Fi", make=lambda text: {"wifi": {"ssid": text}})
        if not name:
            return None
        ssid = name["wifi"]["ssid"]
        have = known("wifi_password", ssid)
        chosen = want("network", "Password of the Wi-Fi (empty: %s)" % ("as it is" if have else "an open one"), "",
                      lambda text: {"wifi": {"ssid": ssid, "password": text}}, True) or name
    else:
        return None
    server = ask("Time server (empty: none; TLS wants one)", "pool.ntp.org", False).strip()
    return {**chosen, "time_server": server} if server else chosen


def json_of(name):
    return lambda text: {name: json.loads(text)}


def layout(text):
    """"cCCS2+cType2, sType2" as in config.json."""
    return [{"connectors": [one.strip() for one in evse.split("+")]} for evse in text.split(",")]


def board_pins(board):
    """The pins that the page of a board's wiring has for config.json, as JSON; "" without."""
    page = ROOT / "boards" / (board or "") / "README.md"
    found = board and page.is_file() and re.search(r'"pins": (\[\{.*?\}\])', page.read_text(), re.DOTALL)
    return re.sub(r"\s+", " ", found[1]) if found else ""


def asked(question, default, secret):
    from prompt_toolkit import prompt

    return prompt(question + ": ", default=default, is_password=secret)


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
    except (BoardError, OSError) as error:
        sys.exit("provision: %s" % error)
    except (KeyboardInterrupt, EOFError):
        sys.exit("provision: nothing more is written")


def provision(options):
    """What the program does; its exit status: 0 once the CSMS has accepted the station."""
    values, folder = None, "."
    if options.file:
        try:
            values = json.loads(Path(options.file).read_text())
        except ValueError as error:
            raise config.ConfigError(options.file, "not JSON: %s" % error)
        folder = Path(options.file).parent
    elif not sys.stdin.isatty():
        raise BoardError("there is nobody to ask: FILE=site.json")
    with visit(options.port, options.force) as repl:
        try:
            installed(repl)
            known = known_secrets(repl)
            nvs, known = bool(known), known or (lambda key, beside: False)
            site = Site(values or interview(asked, options.board, known), folder, known)
            write(repl, site, nvs)
        finally:
            repl.restart()
    for warning in site.config.warnings:
        print("warning: " + warning)
    print("written: %s at %s%s; the board restarts" % (
        site.config.station_id, site.config.csms_url, ", passwords in NVS" if nvs and site.secrets else ""))
    answer, lines = watch(options.port, options.timeout, lambda line: print("  " + line, flush=True))
    print("\n".join(lines))
    print("BootNotification: %s" % answer)
    return 0 if answer == "Accepted" else 1


if __name__ == "__main__":
    main()
