"""The button that opens the installer's page: a long press counts once, anything shorter does not."""

from holdfast.web.button import LONG, Button


class Pin:
    level = 1

    def value(self):
        return self.level


def test_a_long_press_counts_once():
    pin = Pin()
    button = Button(pin)
    pin.level = 0
    presses = [button.pressed(now) for now in range(0, 3 * LONG, 200)]
    assert presses.index(True) == LONG // 200 and sum(presses) == 1
    pin.level = 1
    assert not button.pressed(3 * LONG)
    pin.level = 0
    assert [button.pressed(4 * LONG), button.pressed(5 * LONG)] == [False, True]


def test_a_short_press_or_a_bouncing_one_does_nothing():
    pin = Pin()
    button = Button(pin)
    for now in range(0, 10 * LONG, 200):
        pin.level = now // 200 % 20 == 0
        assert not button.pressed(now)
