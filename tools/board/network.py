"""The fake `network` of the virtual board, and of tests: a Wi-Fi radio and an Ethernet socket in scripted surroundings.

Pages of docs.micropython.org/en/latest, for what they promise:

* library/network.WLAN.html: most methods want an active interface; status() is one of STAT_...; isconnected() is True
  with an address only; config(reconnects=n) says how often the driver itself tries again, 0 never, -1 for ever, which
  is how it begins (esp32/quickref.html#wlan: it then stays STAT_CONNECTING for ever, whatever is wrong).
* ESP-IDF's esp_wifi_connect, which connect() calls, refuses while it is connecting (ESP_ERR_WIFI_CONN).
* the same page: an access point takes ssid, security, key and max_clients by config(); its address is its own from the
  start, here the host's (see ports.py).
* library/network.LAN.html and esp32/quickref.html#lan: mdc, mdio, phy_type and phy_addr are wanted, active(True) starts
  it, isconnected() says whether the link is up. What is not started cannot be stopped: OSError (of ESP-IDF's
  esp_eth_stop, which not every version of ports/esp32/network_lan.c spares it).

The values of STAT_... are those of ports/esp32. What is around is in `air`: {"ssid": password} of the access points,
and "cable" for the socket. The virtual board reads it from a file, so that a test can change it while the board runs.
"""

import json

STA_IF, AP_IF = 0, 1
AUTH_WPA2_PSK = 3
STAT_IDLE, STAT_CONNECTING, STAT_GOT_IP = 1000, 1001, 1010
STAT_NO_AP_FOUND, STAT_WRONG_PASSWORD, STAT_BEACON_TIMEOUT, STAT_ASSOC_FAIL = 201, 202, 200, 203
PHY_LAN8710, PHY_LAN8720, PHY_IP101, PHY_RTL8201, PHY_DP83848, PHY_KSZ8041, PHY_KSZ8081 = range(1, 8)

air = {}
_host = None  # the supervisor's directory
_interfaces = {}


def power_up(directory):
    """From now on `air` is what the file "air" in `directory` says, {} without one."""
    global _host
    import vfs

    _host = vfs.VfsPosix(directory)


def _around():
    if _host is None:
        return air
    try:
        file = _host.open("/air", "r")
    except OSError:
        return {}
    try:
        return json.load(file)
    finally:
        file.close()


class _Interface:
    """What the driver does happens when it is asked how things are: a join takes from one question to the next."""

    def __init__(self):
        self._active = False
        self._address = "0.0.0.0"
        self.calls = []  # for tests: what was asked for

    def active(self, on=None):
        if on is not None:
            self.calls.append("active" if on else "inactive")
            self._active = bool(on)
            self._leave()
        return self._active

    def ifconfig(self):
        return (self._address, "255.255.255.0", "192.168.4.1", "192.168.4.1")

    def _leave(self):
        self._address = "0.0.0.0"


class WLAN(_Interface):
    IF_STA, IF_AP = STA_IF, AP_IF

    def __new__(cls, interface=STA_IF):
        if interface not in _interfaces:
            _interfaces[interface] = object.__new__(cls)
            _interfaces[interface]._start()
        return _interfaces[interface]

    def __init__(self, interface=STA_IF):
        pass  # there is one radio, however often somebody asks for it

    def _start(self):
        _Interface.__init__(self)
        self._leave()
        self._reconnects = -1

    def _leave(self):
        _Interface._leave(self)
        self._wanted = None  # (ssid, password)
        self._asked = False
        self._status = STAT_IDLE

    def connect(self, ssid=None, key=None, bssid=None):
        if not self._active:
            raise OSError("Wifi Not Started")
        self.calls.append("connect")
        if self._status == STAT_CONNECTING:
            raise OSError("Wifi Internal State Error")
        self._leave()
        self._wanted = (ssid, key)
        self._status = STAT_CONNECTING

    def disconnect(self):
        self.calls.append("disconnect")
        if not self._active:
            raise OSError("Wifi Not Started")
        self._leave()

    def config(self, parameter=None, **values):
        if parameter == "reconnects":
            return self._reconnects
        self._reconnects = values.get("reconnects", self._reconnects)
        if self is _interfaces.get(AP_IF):
            if not self._active:
                raise OSError("Wifi Not Started")
            if len(values.get("key", "12345678")) < 8:
                raise OSError("Wifi Unknown Error 0x300a")  # ESP_ERR_WIFI_PASSWORD
            self.settings = values
            self._address = "127.0.0.1"

    def isconnected(self):
        return self.status() == STAT_GOT_IP

    def status(self, parameter=None):
        self._look()
        return -60 if parameter == "rssi" else self._status

    def _look(self):
        if self._wanted is None or not self._active:
            return
        ssid, key = self._wanted
        around = _around()
        wrong = STAT_NO_AP_FOUND if ssid not in around else STAT_WRONG_PASSWORD if around[ssid] != key else None
        if self._status == STAT_GOT_IP:
            if wrong:
                _Interface._leave(self)
                self._status = STAT_CONNECTING if self._reconnects else STAT_BEACON_TIMEOUT
        elif self._status == STAT_CONNECTING:
            if not self._asked:
                self._asked = True
            elif wrong is None:
                self._status = STAT_GOT_IP
                self._address = "192.168.4.2"
            elif self._reconnects == 0:
                self._status = wrong


class LAN(_Interface):
    def __init__(self, id=0, mdc=None, mdio=None, phy_type=None, phy_addr=None, **others):
        if mdc is None or mdio is None or phy_type is None or phy_addr is None:
            raise ValueError("mdc, mdio, phy_type and phy_addr are wanted")
        _Interface.__init__(self)

    def active(self, on=None):
        if on is False and not self._active:
            raise OSError("ethernet disable failed")
        return _Interface.active(self, on)

    def isconnected(self):
        up = self._active and bool(_around().get("cable"))
        self._address = "192.168.5.2" if up else "0.0.0.0"
        return up

    def status(self):
        return 5 if self.isconnected() else 0  # ETH_GOT_IP, of ports/esp32
