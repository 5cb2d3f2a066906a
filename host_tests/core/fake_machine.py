"""A bench with an ESP32 on it: what `machine.Pin`, `PWM` and `ADC` do by MicroPython's documentation, wired to a car.

Each behaviour names its page on docs.micropython.org/en/v1.29.0: [Pin] library/machine.Pin, [PWM] library/machine.PWM,
[ADC] library/machine.ADC, [esp32] esp32/quickref, [tutorial] esp32/tutorial/pwm, [time] library/time. Time passes
where it passes on a board: reading the ADC takes some, and the rest is `Bench.rest`.
"""

from vehicle import Vehicle

READING = 45  # us for one ADC reading from MicroPython code
CLOSING = 20_000  # us that a contactor takes
OPENING = 25_000
TURNING = 250_000  # us of motor that move the lock from end to end
TICKS = 1 << 30


class Clock:
    """The part of `time` that the driver uses."""

    def __init__(self, bench):
        self._bench = bench

    def ticks_us(self):
        return self._bench.us % TICKS  # [time] wraps at some point, here where a 32-bit port does

    def ticks_diff(self, later, earlier):
        return (later - earlier + TICKS // 2) % TICKS - TICKS // 2  # [time] right across the wrap


class Pin:
    """[Pin] One object for each GPIO however often it is asked for; made by Bench.machine.Pin(id, mode, value=)."""

    def __init__(self, bench, gpio):
        self.bench = bench
        self.gpio = gpio
        self.level = 0
        self.out = False
        self.pwm = None  # the duty_u16, while the pin belongs to a PWM
        self.handler = self.trigger = None
        self.broken = False

    def init(self, mode=-1, pull=-1, value=None):
        self.bench.touched.append(self.gpio)
        if mode == 3:
            if self.gpio >= 34:
                raise ValueError("pin can only be input")  # [esp32] 34-39 are input only
            self.out = True
            self.pwm = None  # [tutorial] a pin that becomes Pin.OUT is no PWM any more
            if value is not None:
                self.value(value)  # [Pin] the initial value
        elif mode == 1:
            self.out = False

    def value(self, level=None):
        if self.broken:
            raise OSError(5)
        if level is None:
            return self.level  # [Pin] 0 or 1
        level = 1 if level else 0  # [Pin] anything that converts to a boolean
        if level != self.level:
            self.level = level
            self.bench.changes.append((self.gpio, level))
            self.bench.wrote(self)

    def irq(self, handler=None, trigger=3):
        self.handler = handler  # [Pin] called with the pin, soon after the edge; not hard unless asked for
        self.trigger = trigger


class Pwm:
    """[PWM] duty_u16 is a ratio to 65535: 0 is always low, 65535 always high."""

    def __init__(self, pin, freq=5000, duty_u16=0):
        assert type(freq) is int and 1 <= freq <= 40_000_000  # [esp32] 1 Hz to 40 MHz
        self.pin = pin
        self.freq = freq
        self.broken = False
        self.duty_u16(duty_u16)

    def duty_u16(self, value=None):
        if self.broken:
            raise OSError(5)
        if value is None:
            return self.pin.pwm
        assert type(value) is int and 0 <= value <= 65535  # [PWM] unsigned 16 bits
        if value != self.pin.pwm:
            self.pin.pwm = value
            self.pin.bench.changes.append((self.pin.gpio, value))


class Adc:
    """[esp32] read_uv gives whole millivolts, something above 0 for 0, and saturates above its range."""

    def __init__(self, bench, pin, atten=0):
        if not 32 <= pin.gpio <= 39:
            raise ValueError("invalid Pin for ADC")  # [esp32] block 1; block 2 belongs to Wi-Fi
        assert atten == 3  # [esp32] without attenuation only 0.1 to 0.95 V
        self.bench = bench
        self.pin = pin
        self.broken = False
        self.spoil = None  # what noise or a defect makes of mV

    def read_uv(self):
        self.bench.pass_us(READING)
        if self.broken:
            raise OSError(5)
        # [esp32] "an input tied to ground will read as a value above 0"
        mv = max(75, min(3150, self.bench.millivolts(self.pin.gpio)))
        return (self.spoil(mv) if self.spoil else mv) * 1000


class Machine:
    """Stands for the module `machine`."""

    def __init__(self, bench):
        def pin(gpio, mode=-1, pull=-1, value=None):
            if gpio not in bench.pins:
                bench.pins[gpio] = Pin(bench, gpio)
            bench.pins[gpio].init(mode, pull, value)
            return bench.pins[gpio]

        class PinClass:
            IN = 1
            OUT = 3
            IRQ_RISING = 1
            IRQ_FALLING = 2

            def __new__(cls, gpio, mode=-1, pull=-1, value=None):
                return pin(gpio, mode, pull, value)

        class AdcClass:
            ATTN_11DB = 3

            def __new__(cls, pin, atten=0):
                bench.adcs[pin.gpio] = Adc(bench, pin, atten)
                return bench.adcs[pin.gpio]

        def pwm(pin, freq=5000, duty_u16=0):
            bench.pwms[pin.gpio] = Pwm(pin, freq, duty_u16)
            return bench.pwms[pin.gpio]

        self.Pin = PinClass
        self.ADC = AdcClass
        self.PWM = pwm


class Evse:
    """What the pins of one EVSE are wired to. `contact`: is the power path closed, really? `history`: (ms, contact)."""

    def __init__(self, names):
        self.names = names
        self.car = Vehicle()
        self.swing = 12_000  # mV that the pilot is fed, up and down
        self.contact = False
        self.history = []
        self.welded = False
        self.residual = False
        self.locked = False
        self.jammed = False
        self.since = 0  # us of the last command to the contactor
        self.command = False
        self.driven = 0  # us that the motor ran


class Bench:
    """`pins`: as in config.json. `us` is the time; `evse(1)` is the first Evse.

    `touched` lists the GPIOs that were set up, in order, `changes` each (GPIO, new level or duty_u16) of an output.
    """

    def __init__(self, pins, ms=10_000):
        self.us = ms * 1000
        self.touched = []
        self.changes = []
        self.pins = {}
        self.adcs = {}
        self.pwms = {}
        self.evses = [Evse(names) for names in pins]
        self.machine = Machine(self)
        self.clock = Clock(self)

    def now(self):
        return self.us // 1000

    def evse(self, evse_id):
        return self.evses[evse_id - 1]

    def rest(self, ms):
        self.pass_us(ms * 1000)

    def is_on(self, evse, name):
        """Is a digital output of an EVSE on?"""
        gpio = evse.names.get(name)
        if gpio not in self.pins:
            return False
        return bool(self.pins[gpio].level) != (name in evse.names.get("active_low", ()))

    def wrote(self, pin):
        for evse in self.evses:
            on = self.is_on(evse, "contactor")
            if on != evse.command:
                evse.command = on
                evse.since = self.us

    def pass_us(self, us):
        self.us += us
        for evse in self.evses:
            due = evse.since + (CLOSING if evse.command else OPENING)
            if evse.contact != evse.command and self.us >= due and not (evse.contact and evse.welded):
                evse.contact = evse.command
                evse.history.append((due // 1000, evse.contact))
            way = self.is_on(evse, "lock") - self.is_on(evse, "unlock")
            if way and not evse.jammed:
                evse.driven = max(0, min(TURNING, evse.driven + way * us))
                evse.locked = evse.driven == TURNING if way > 0 else evse.driven > 0
            for name, on in (("mirror", evse.contact), ("residual", evse.residual), ("locked", evse.locked)):
                self._drive(evse, name, on)

    def trip(self, evse_id, on=True):
        """The residual-current monitor says so, now."""
        self.evse(evse_id).residual = on
        self.pass_us(0)

    def _drive(self, evse, name, on):
        # Put a level on an input, and call who waits for the edge.
        gpio = evse.names.get(name)
        if gpio not in self.pins:
            return
        pin = self.pins[gpio]
        level = int(on != (name in evse.names.get("active_low", ())))
        if level != pin.level:
            pin.level = level
            if pin.handler and pin.trigger & (1 if level else 2):
                pin.handler(pin)

    def millivolts(self, gpio):
        """What is on an ADC's pin right now."""
        for evse in self.evses:
            if evse.names["pilot_adc"] == gpio:
                negative, positive = evse.names["pilot_mv"]
                mv = evse.car.pilot(evse.swing if self._pilot_is_high(evse) else -evse.swing)
                return negative + (mv + 12_000) * (positive - negative) // 24_000
            if evse.names.get("proximity") == gpio:
                ohms = evse.car.resistance()
                return 3300 if ohms is None else 3300 * ohms // (ohms + evse.names["pull_up"])
        raise KeyError(gpio)

    def _pilot_is_high(self, evse):
        pin = self.pins[evse.names["pilot_pwm"]]
        period = 1002  # [tutorial] 1000 Hz comes out as 998
        high = pin.level if pin.pwm is None else self.us % period * 65535 < pin.pwm * period
        return bool(high) != ("pilot_pwm" in evse.names.get("active_low", ()))

    def duty(self, evse_id):
        """Per mille of the time at +12 V."""
        evse = self.evse(evse_id)
        value = self.pins[evse.names["pilot_pwm"]].pwm
        return (65535 - value if "pilot_pwm" in evse.names.get("active_low", ()) else value) * 1000 / 65535
