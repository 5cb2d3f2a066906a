"""The questions of `make provision`: from answers to the values of a site file.

Each answer is held against the agent's own checkers, or against the file it names, as soon as it is given, and asked
for again with the reason. What the board has already is proposed, and what is not asked for stays.
"""

import json
import re
from pathlib import Path

from holdfast import config
from holdfast.hardware import DRIVERS

from tools.certificates import Unfit, check_ca, check_own, check_pair
from tools.image import ROOT

SAMPLE = {"station_id": "X", "csms_url": "ws://x", "evses": [{"connectors": ["sType2"]}]}
ETHERNET = {
    "OLIMEX_ESP32_POE": {"mdc": 23, "mdio": 18, "phy_type": "LAN8710", "phy_addr": 0, "power": 12, "ref_clk": 17,
                         "ref_clk_out": True},
}
CERTIFICATES = ("ca_certificate", "client_certificate", "client_key")
AS_IT_IS = " (empty: as it is)"


class Interview:
    """`ask(question, default="", secret=False)` returns a line. `board`: one of boards/, None. `before`: the values
    that the board has; `known(key, whom for)`: does it have that password too?"""

    def __init__(self, ask, board=None, before=None, known=lambda key, whom: False):
        self._ask = ask
        self._board = board
        self._before = before or {}
        self._known = known
        self.values = {field: value for field, value in self._before.items() if field != "security_profile"}

    def values_of_a_site(self):
        """Ask everything; the values of a site file, its certificates by their paths on this desk."""
        self._want("station_id", "Station id, as the CSMS knows it", self._before.get("station_id", ""))
        self._want("csms_url", "URL of the CSMS, without the station id", self._before.get("csms_url", "wss://"))
        secure = self.values["csms_url"].startswith("wss:")
        for field in CERTIFICATES:
            self.values.pop(field, None)
        if secure:
            self._certificate("ca_certificate", "File with the certificate of the CA that signed that of the CSMS")
            self._certificate("client_certificate", "File with a certificate of the station", True)
            if "client_certificate" in self.values:
                self._certificate("client_key", "File with its key")
        self._password(secure)
        self._network()
        self._want("evses", "Connectors, a comma between EVSEs, a plus within one",
                   as_line(self._before.get("evses")) or "cCCS2+cType2, sType2", layout)
        self._want("hardware", "Hardware, one of: " + DRIVERS.replace(" ", ", "),
                   self._before.get("hardware", DRIVERS.split()[0]))
        pins = self.values.pop("pins", None)
        if self.values["hardware"] == "iec61851":
            usual = board_pins(self._board)
            self._want("pins", "Pins, as JSON%s" % (" (those of %s are filled in)" % self._board if usual else ""),
                       usual or pins and json.dumps(pins) or "", json.loads)
        button = board_button(self._board)
        if button is not None and "web" not in self.values:
            self.values["web"] = {"button": button}  # pressed for long it opens the installer's page
        return self.values

    def _want(self, field, question, default="", make=str, secret=False, empty=None):
        """One value, into `values`: make(answer). `empty`: what no answer means, said with the question; None: there
        has to be one."""
        reason = ""
        while True:
            line = self._ask(reason + question + (empty or ""), default, secret).strip()
            self.values.pop(field, None)
            if not line and empty is not None:
                return
            try:
                if not line:
                    raise ValueError("an answer is needed")
                value = make(line)
                reason = wrong(field, value, self.values)
            except OSError as error:
                reason = "%s: %s: %s" % (field, line, error.strerror)
            except ValueError as error:
                reason = "%s: %s" % (field, error)
            if not reason:
                self.values[field] = value
                return
            reason += "\n"

    def _certificate(self, field, question, optional=False):
        held = self._before.get(field)
        if field == "client_key" and held:
            if self.values["client_certificate"] == self._before.get("client_certificate"):
                self.values[field] = held
                return
            held = None  # it belongs to another certificate
        empty = AS_IT_IS if held else " (empty: none)" if optional else None
        self._want(field, question, make=lambda line: self._file(field, line), empty=empty)
        if held:
            self.values.setdefault(field, held)

    def _file(self, field, line):
        path = Path(line).expanduser()
        content = path.read_bytes()
        try:
            if field == "ca_certificate":
                check_ca(content)
            elif field == "client_certificate":
                check_own(content)
            else:
                check_pair(Path(self.values["client_certificate"]).read_bytes(), content)
        except Unfit as reason:
            raise ValueError("%s: %s" % (line, reason))
        return str(path.resolve())

    def _password(self, secure):
        held = self._known("password", self.values["csms_url"])
        if "client_certificate" in self.values or not secure:
            empty = AS_IT_IS if held else " (empty: none)"
        else:
            empty = AS_IT_IS if held else None  # TLS alone does not tell the CSMS who calls
        self._want("password", "Password of the station, 16 to 64 characters", secret=True, empty=empty)

    def _network(self):
        before = self.values.pop("network", {})
        kind = None
        while kind not in ("wifi", "ethernet", "none"):
            usual = [kind for kind in ("wifi", "ethernet") if kind in before]
            usual = usual[0] if usual else "ethernet" if self._board in ETHERNET else "wifi"
            kind = self._ask("Network: wifi, ethernet, or none", usual, False).strip()
        if kind == "none":
            return
        if kind == "ethernet":
            pins = before.get("ethernet") or ETHERNET.get(self._board)
            self._want("network", "Ethernet, as JSON", json.dumps(pins) if pins else "",
                       lambda line: {"ethernet": json.loads(line)})
        else:
            self._want("network", "Name of the Wi-Fi", before.get("wifi", {}).get("ssid", ""),
                       lambda line: {"wifi": {"ssid": line}})
            chosen = self.values["network"]
            ssid = chosen["wifi"]["ssid"]
            self._want("network", "Password of the Wi-Fi", "", lambda line: {"wifi": {"ssid": ssid, "password": line}},
                       True, AS_IT_IS if self._known("wifi_password", ssid) else " (empty: an open one)")
            self.values.setdefault("network", chosen)
        chosen = self.values["network"]
        self._want("network", "Time server", before.get("time_server", "" if before else "pool.ntp.org"),
                   lambda line: {**chosen, "time_server": line}, empty=" (empty: none; TLS wants to know the time)")
        self.values.setdefault("network", chosen)


def wrong(field, value, values):
    """What the agent's checkers have against the value of a field beside those of others, "" if nothing."""
    if field in CERTIFICATES:
        return ""  # a path on this desk yet
    beside = {name: values[name] for name in ("evses", "hardware") if values.get(name)}
    try:
        config.load(json.dumps({**SAMPLE, **beside, field: value}))
    except config.ConfigError as error:
        if error.args[0].startswith(field):
            return str(error)
    return ""


def layout(line):
    """"cCCS2+cType2, sType2" as in config.json."""
    return [{"connectors": [one.strip() for one in evse.split("+")]} for evse in line.split(",")]


def as_line(evses):
    """And back."""
    return ", ".join("+".join(evse["connectors"]) for evse in evses or ())


def board_pins(board):
    """The pins that the page of a board's wiring has for config.json, as JSON; "" without."""
    page = ROOT / "boards" / (board or "") / "README.md"
    found = board and page.is_file() and re.search(r'"pins": (\[\{.*?\}\])', page.read_text(), re.DOTALL)
    return re.sub(r"\s+", " ", found[1]) if found else ""


def board_button(board):
    """The number of the pin that pins.csv of a board calls BUTTON, None without."""
    table = ROOT / "boards" / (board or "") / "pins.csv"
    found = board and table.is_file() and re.search(r"^BUTTON,\s*GPIO(\d+)", table.read_text(), re.M)
    return int(found[1]) if found else None


def asked(question, default, secret):
    """An answer of whoever sits at the terminal."""
    from prompt_toolkit import prompt

    return prompt(question + ": ", default=default, is_password=secret)
