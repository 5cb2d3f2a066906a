"""Wi-Fi and Ethernet: brought up, watched, tried again; against the fake `network`, which does as documented."""

import sys

import fakes
from holdfast.network import Network

# The virtual board's fake, without its other fakes: those would be taken for the real ones.
sys.path.insert(0, fakes.__file__[:fakes.__file__.rindex("/") + 1] + "../../tools/board")
import network as fake  # noqa: E402

sys.path.pop(0)
sys.modules.pop("network")

WIFI = {"wifi": {"ssid": "home", "password": "secret-word"}}
LAN = {"ethernet": {"mdc": 23, "mdio": 18, "phy_type": "LAN8720", "phy_addr": 0, "power": 12}}


class Desk:
    """A Network in virtual time."""

    def __init__(self, settings=WIFI, **air):
        fake._interfaces.clear()
        fake.air = air
        self.now = 0
        self.lines = []
        self.came_up = []
        self.network = Network(settings, fake, lambda level, text: self.lines.append(level + " " + text), lambda n: n)
        self.nic = fake.WLAN(fake.STA_IF)  # there is only one radio

    def run(self, seconds):
        for _ in range(seconds):
            self.now += 1000
            if self.network.step(self.now):
                self.came_up.append(self.now)


def test_wifi_comes_up_and_is_told_once():
    desk = Desk(home="secret-word")
    desk.run(10)
    assert desk.network.up and len(desk.came_up) == 1
    assert desk.lines == ["info Wi-Fi home: 192.168.4.2, -60 dBm"]


def test_the_driver_is_told_not_to_try_again_by_itself():
    desk = Desk(home="secret-word")
    desk.run(2)
    assert desk.nic.config("reconnects") == 0


def test_each_reason_is_told_in_words_and_once():
    for air, reason in (({}, "no such network in reach"), ({"home": "other"}, "wrong password")):
        desk = Desk(**air)
        desk.run(300)
        assert desk.lines == ["warning Wi-Fi home: %s, trying again" % reason], desk.lines


def test_another_reason_is_told_too_and_the_same_one_again_after_the_next_loss():
    desk = Desk()
    desk.run(60)
    fake.air = {"home": "other"}
    desk.run(120)
    fake.air = {"home": "secret-word"}
    desk.run(120)
    fake.air = {"home": "other"}
    desk.run(60)
    words = [line.split(": ")[-1].split(",")[0] for line in desk.lines]
    assert words == ["no such network in reach", "wrong password", "192.168.4.2", "warning Wi-Fi home lost",
                     "wrong password"], desk.lines


def test_the_back_off_of_one_loss_is_over_with_it():
    desk = Desk()
    desk.run(300)
    fake.air = {"home": "secret-word"}
    desk.run(120)
    fake.air = {}
    desk.run(5)
    fake.air = {"home": "secret-word"}
    desk.run(10)
    assert desk.network.up


def test_attempts_come_with_a_back_off_that_has_a_limit():
    desk = Desk()
    at = []
    for _ in range(600):
        before = desk.nic.calls.count("connect")
        desk.run(1)
        if desk.nic.calls.count("connect") > before:
            at.append(desk.now)
    pauses = [at[i + 1] - at[i] for i in range(len(at) - 1)]
    assert pauses == sorted(pauses) and pauses[0] < 6000, pauses
    # With the largest random part, here. Or many chargers that lost one access point would all come back at once.
    assert 90_000 <= pauses[-1] <= 94_000, pauses


def test_a_network_that_comes_back_is_found_and_lost_ones_are_told():
    desk = Desk(home="secret-word")
    desk.run(5)
    fake.air = {}
    desk.run(30)
    assert not desk.network.up and "warning Wi-Fi home lost" in desk.lines
    fake.air = {"home": "secret-word"}
    desk.run(120)
    assert desk.network.up and len(desk.came_up) == 2


def test_after_a_loss_the_first_attempt_comes_at_once():
    desk = Desk(home="secret-word")
    desk.run(5)
    fake.air = {}
    desk.run(1)
    assert desk.nic.calls.count("connect") == 2


def test_the_interface_is_switched_off_and_on_after_five_failures():
    desk = Desk()
    desk.run(900)
    assert desk.nic.calls.count("inactive") >= 2
    assert desk.nic.calls.count("connect") >= 5 * (desk.nic.calls.count("inactive") - 1)


def test_what_went_wrong_before_a_success_neither_delays_nor_silences_what_comes_after():
    desk = Desk()
    desk.run(200)
    fake.air = {"home": "secret-word"}
    desk.run(100)
    fake.air = {}
    desk.run(10)
    assert desk.nic.calls.count("connect") >= 3 + desk.nic.calls[:desk.nic.calls.index("inactive")].count("connect")
    assert desk.lines.count("warning Wi-Fi home: no such network in reach, trying again") == 2, desk.lines


def test_an_interface_that_is_renewed_goes_and_comes_back():
    for settings in (WIFI, LAN):
        desk = Desk(settings, home="secret-word", cable=True)
        desk.run(10)
        desk.network.renew()
        desk.run(10)
        assert desk.network.up and len(desk.came_up) == 2
        assert desk.lines[1] == "warning %s lost" % desk.network.name and len(desk.lines) == 3, desk.lines


def test_an_access_point_that_never_gives_an_address_is_given_up_and_tried_again():
    desk = Desk(home="secret-word")
    desk.nic._look = lambda: None  # for ever STAT_CONNECTING
    desk.run(23)
    assert desk.lines == ["warning Wi-Fi home: no address, trying again"]
    desk.run(5)
    assert desk.nic.calls.count("connect") == 2


def test_a_driver_that_raises_is_a_failed_attempt():
    desk = Desk(home="secret-word")

    def fail(*words):
        raise OSError(257)

    connect = desk.nic.connect
    desk.nic.connect = fail
    desk.run(10)
    assert len(desk.lines) == 1 and "257" in desk.lines[0]
    desk.nic.connect = connect
    desk.run(30)
    assert desk.network.up


def cannot_be_made(settings, name, error):
    """An interface of the fake raises this for a minute; returns (desk, when it was tried)."""
    desk = Desk(settings, home="secret-word", cable=True)
    made = []
    whole = getattr(fake, name)

    def fail(*words, **more):
        made.append(desk.now)
        raise error

    setattr(fake, name, fail)
    try:
        desk.run(60)
    finally:
        setattr(fake, name, whole)
    return desk, made


def test_an_interface_that_cannot_be_made_is_a_failed_attempt_with_a_back_off():
    """network.LAN() raises OSError where no PHY answers, ValueError for a pin; a chip without Ethernet has no LAN."""
    for settings, name in ((LAN, "LAN"), (WIFI, "WLAN")):
        for error in (OSError("esp_eth_driver_install failed"), ValueError("invalid pin"), AttributeError("LAN")):
            desk, made = cannot_be_made(settings, name, error)
            assert desk.lines == ["warning %s: %s, trying again" % (desk.network.name, error)], desk.lines
            pauses = [made[i + 1] - made[i] for i in range(len(made) - 1)]
            assert len(made) > 3 and pauses == sorted(pauses) and pauses[-1] > 10_000, made
            desk.run(100)
            assert desk.network.up


def test_ethernet_comes_up_with_its_cable_and_goes_with_it():
    desk = Desk(LAN)
    desk.run(5)
    assert not desk.network.up
    fake.air = {"cable": True}
    desk.run(60)
    assert desk.network.up
    # No complaint of the driver's on the way.
    assert desk.lines == ["info Ethernet: 192.168.5.2"], desk.lines
    fake.air = {}
    desk.run(2)
    assert not desk.network.up and "warning Ethernet lost" in desk.lines
