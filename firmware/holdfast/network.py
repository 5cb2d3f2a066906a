"""Wi-Fi or Ethernet: brought up, watched, and brought up again with a back-off, for ever.

The driver is told not to try again by itself: it would do so for ever, and never say what is wrong. Nothing here waits;
`step` is called about every second. Imported only where config.json has a `network`.
"""

_PATIENCE = 20_000  # ms for an access point and its DHCP server
_LONGEST = 60_000  # ms between attempts
_AFRESH = 5  # attempts after which the interface is switched off and on

# What network.WLAN.status() may say after a failure; a number that is none of these is ESP-IDF's reason.
_REASONS = (
    ("STAT_WRONG_PASSWORD", "wrong password"),
    ("STAT_HANDSHAKE_TIMEOUT", "wrong password"),
    ("STAT_NO_AP_FOUND", "no such network in reach"),
    ("STAT_BEACON_TIMEOUT", "out of reach"),
    ("STAT_ASSOC_FAIL", "the access point refuses"),
)


class Network:
    """The interface that `settings` describe, of the module `network`. `random(n)`: from 0 to n.

    Settings are `network` in config.json, see config_rules.py: {"wifi": {"ssid", "password"}}, open without a password,
    or {"ethernet": {"mdc", "mdio", "phy_type", "phy_addr", "power", "ref_clk", "ref_clk_out"}}, numbers of pins, the
    last three as the board needs them. `up`: there is an address.
    """

    def __init__(self, settings, module, log, random):
        self.up = False
        self.name = "Ethernet"
        self._module = module
        self._log = log
        self._random = random
        self._wifi = settings.get("wifi")
        self._failures = 0
        self._due = 0  # when to try again
        self._deadline = None  # of the attempt that is on
        self._told = None  # the reason that the log has
        self._settings = settings
        self._nic = None  # made with the first step: that, too, may fail
        if self._wifi:
            self.name = "Wi-Fi " + self._wifi["ssid"]

    def step(self, now):
        """Do what is due at monotonic ms `now`. True when the network has just come up."""
        try:
            if not self._nic:
                if now < self._due:
                    return False
                module = self._module
                self._nic = module.WLAN(module.STA_IF) if self._wifi else _lan(self._settings["ethernet"], module)
            if self._nic.isconnected():
                return self._arrived()
            if self.up:
                self.up = False
                self._log("warning", self.name + " lost")
            if self._deadline is None:
                if now >= self._due:
                    self._deadline = now + _PATIENCE
                    self._try()
                return False
            wrong = self._complaint() or (now >= self._deadline and "no address")
        except (OSError, ValueError, AttributeError) as error:
            # ESP-IDF has no memory, or the PHY does not answer; a pin cannot do this; this chip has no Ethernet.
            wrong = str(error)
        if wrong:
            self._failures += 1
            self._deadline = None
            wait = min(_LONGEST, 1000 << min(self._failures - 1, 8))
            # Many chargers that lost one access point shall not come back in one moment.
            self._due = now + wait + self._random(wait // 2)
            if wrong != self._told:
                self._told = wrong
                self._log("warning", "%s: %s, trying again" % (self.name, wrong))
        return False

    def renew(self):
        """Switch the interface off; the next `step` switches it on. Raises OSError."""
        self._nic.active(False)

    def _arrived(self):
        if self.up:
            return False
        self.up = True
        self._failures = 0
        self._deadline = self._told = None
        strength = ", %d dBm" % self._nic.status("rssi") if self._wifi else ""
        self._log("info", "%s: %s%s" % (self.name, self._nic.ifconfig()[0], strength))
        return True

    def _try(self):
        nic = self._nic
        # Only what is on is switched off: an Ethernet driver that was never started takes that amiss.
        if self._failures and self._failures % _AFRESH == 0 and nic.active():
            nic.active(False)
        if not nic.active():
            nic.active(True)
        if self._wifi:
            nic.config(reconnects=0)
            nic.disconnect()
            nic.connect(self._wifi["ssid"], self._wifi.get("password"))

    def _complaint(self):
        """Why the attempt has failed; None while it has not."""
        module = self._module
        if not self._wifi:
            return None
        status = self._nic.status()
        if status in (module.STAT_IDLE, module.STAT_CONNECTING, module.STAT_GOT_IP):
            return None
        for name, words in _REASONS:
            if status == getattr(module, name, None):
                return words
        return "reason %d" % status


def _lan(settings, module):
    # docs.micropython.org/en/latest/esp32/quickref.html#lan
    extra = {}
    for name in ("power", "ref_clk"):
        if name in settings:
            extra[name] = settings[name]
    if "ref_clk_out" in settings:
        from machine import Pin

        extra["ref_clk_mode"] = Pin.OUT if settings["ref_clk_out"] else Pin.IN
    return module.LAN(mdc=settings["mdc"], mdio=settings["mdio"], phy_addr=settings["phy_addr"],
                      phy_type=getattr(module, "PHY_" + settings["phy_type"]), **extra)
