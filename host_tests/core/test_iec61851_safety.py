"""Whatever cars, drivers, defects and delays do, in any order: no energy but where it is safe. Random, seeded."""

import random

from holdfast.hardware import outlet
from pilot_wire import CALM, COOL, PACE, PATIENCE, QUICK, SLOW, Wire

SEEDS = 60
STEPS = 120


def truly(wire):
    """The state that the car makes, by its voltage."""
    return outlet.state(wire.car.pilot(12_000))


class Watch:
    """Looks with the Wire, and holds every look against what was promised."""

    def __init__(self, wire):
        self.wire = wire
        self.closed = False
        self.live = wire.now  # when a look last found the car in C, or in D where that is allowed
        self.wanted = wire.now  # when the station last wanted energy
        self.sound = False  # has the diode been seen since PWM is on
        self.opened = -COOL  # when a look last found the contactor closed
        self.duty = wire.outlet.duty
        self.changed = 0  # when a car that draws was last told another current
        self.closings = 0

    def look(self, pause):
        wire = self.wire
        if truly(wire) == "C" or truly(wire) == "D" and wire.ventilated:
            self.live = wire.now + pause
        if wire.authorized and not wire.faulted and not wire.suspended:
            self.wanted = wire.now + pause
        if not wire.pwm:
            self.sound = False
        elif wire.car.levels(wire.outlet.duty)[1] <= -10_500:
            self.sound = True
        wire.look(pause)
        closed = wire.outlet.closed
        if self.closed:
            self.opened = wire.now
        if self.closed and closed and self.duty != wire.outlet.duty and self.duty != outlet.OFF and wire.pwm:
            assert wire.now - self.changed >= SLOW, "no time to follow"
            self.changed = wire.now
        self.duty = wire.outlet.duty
        if closed:
            assert wire.now - self.live < QUICK, "closed outside of state C"
            assert wire.now - self.wanted < PATIENCE, "closed, and nobody wants it"
            assert wire.outlet.fault is None and not wire.residual, "closed in a fault"
            assert wire.locked is not False, "closed and not locked"
        if closed and not self.closed:
            self.closings += 1
            assert wire.authorized and not wire.faulted, "closed for nobody"
            assert wire.pwm and self.sound, "closed without a diode"
            assert self.live == wire.now, "closed for no car"
            assert wire.now - self.opened >= COOL and wire.now >= wire.calm, "closed too soon"
            assert not wire.contact, "closed on a contactor that is welded"
            assert wire.outlet.duty <= outlet.duty(min(wire.outlet.limit, outlet.cable(wire.rating) or 0)) or (
                wire.car.resistance() != wire.rating), "more than the cable carries"
        assert not (wire.outlet.fault and wire.pwm), "PWM in a fault"
        if not wire.authorized:
            assert not wire.pwm or wire.now == wire.changed, "PWM for nobody"
        self.closed = closed


def heal(wire):
    """Everything is sound again."""
    wire.car.diode = True
    wire.car.short = None
    wire.car.ventilation = False
    wire.residual = wire.welded = wire.jammed = False
    wire.car.cable = wire.rating
    wire.outlet.limit = 32


def happen(wire, rng):
    """Something, once."""
    car = wire.car
    what = rng(20)
    if what > 10:  # what leads to a session
        if wire.outlet.fault:
            heal(wire)
            car.unplug()
        elif not car.plugged:
            car.plug(rng(2) == 1)
        elif not wire.authorized:
            wire.authorize()
        else:
            car.s2 = True
    elif what < 3:
        car.s2 = car.plugged and not car.s2
    elif what == 3:
        car.unplug()
        car.cable = wire.rating = (220, 680, 1500, 100)[rng(4)]
    elif what < 7:
        wire.authorize(car.plugged and not wire.faulted)
    elif what == 7:
        wire.authorize(False)
    elif what == 8:
        wire.outlet.stop(wire.now)  # the agent's last resort, after an exception anywhere
        wire.calm = wire.now + CALM
        wire._command = False
    elif what == 9:
        wire.outlet.limit = (0, 5, 6, 16, 32, 63)[rng(6)]
    elif what == 10:
        car.ventilation = not car.ventilation
    else:
        defect = rng(7)
        if defect == 0:
            car.diode = not car.diode
        elif defect == 1:
            car.short = None if car.short else 80
        elif defect == 2:
            wire.residual = not wire.residual
        elif defect == 3:
            wire.welded = not wire.welded
        elif defect == 4:
            wire.jammed = not wire.jammed
        elif defect == 5:
            car.cable = None if car.cable else wire.rating
        else:
            wire.outlet.fail(wire.now, "HardwareFailure")
    wire.changed = wire.now + PACE


def run(seed):
    """Play one random life; returns how often the contactor closed."""
    random.seed(seed)

    def rng(n):
        return random.getrandbits(16) % n

    ventilated = rng(2) == 1
    wire = Wire(32, ventilated, rng(2) == 1, rng(2) == 1)
    wire.ventilated = ventilated
    wire.rating = wire.car.cable
    wire.changed = wire.calm = 0
    watch = Watch(wire)
    for _ in range(STEPS):
        happen(wire, rng)
        for _ in range((1, 3, 12, 30, 60, 300)[rng(6)]):
            watch.look(PACE)
            if rng(100) == 0:
                watch.look(100 + rng(400))  # the loop had something else to do
    return watch.closings


def test_no_energy_but_where_it_is_safe():
    closings = 0
    for seed in range(SEEDS):
        try:
            closings += run(seed)
        except AssertionError as error:
            raise AssertionError("seed %d: %s" % (seed, error))
    assert closings > SEEDS  # it was not for nothing


def test_the_watch_itself_notices_a_contactor_that_should_be_open():
    wire = Wire().charging()
    wire.ventilated = False
    wire.rating = 220
    wire.changed = wire.calm = 0
    watch = Watch(wire)
    watch.look(PACE)
    wire.car.unplug()
    wire.look = lambda pause: setattr(wire, "now", wire.now + pause)
    try:
        for _ in range(5):
            watch.look(PACE)
    except AssertionError as error:
        assert str(error).startswith("closed outside of state C")
        return
    raise AssertionError("not noticed")
