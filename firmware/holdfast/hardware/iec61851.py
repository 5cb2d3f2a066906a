"""Hardware with an IEC 61851-1 control pilot on each EVSE: pins, PWM and ADC of an ESP32 under the policy of outlet.py.

Configured by `pins` in config.json, one object for each EVSE (see `check` for the names, boards/ for the wiring). An
output is off until told otherwise. Any exception opens the contactor first, puts the pilot into state F second, and is
reported third; EVSEs do not share anything, so it concerns the one where it happened. One that can not even be
reported ends `run`, and whatever ends `run` opens them all. An event loop can not promise milliseconds while it
computes a TLS key: what must never wait belongs into a circuit beside it.
"""

import asyncio

from .. import board
from ..payload import PROPERTY, boolean, fault_of, integer_between
from ..transactions import charging_state
from .outlet import OFF, Outlet, cable

_PACE = 20  # ms between two looks
_SUPPLY = 3300  # mV on the far side of the pull-up of the proximity contact
_LATE = 10_000  # ms without a look after which the watchdog is not fed any more
_FAILURE = "HardwareFailure"

# Every pin by its name in the configuration.
_OUTPUTS = ("contactor", "lock", "unlock")
_INPUTS = ("mirror", "locked", "residual")
_NEEDED = ("pilot_pwm", "pilot_adc", "contactor")


def check(pins, evses):
    """The fault of `pins` from config.json, or None; see payload.py. `evses`: as in Config.

    pilot_pwm, pilot_adc, contactor: GPIO numbers; pilot_mv: the mV at the ADC for -12 V and for +12 V on the pilot;
    amps: what the installation can give. Optional GPIOs: mirror (contact of the contactor), residual (current
    monitor), proximity (ADC; pull_up: Ohm to 3.3 V), lock and unlock (motor) with locked (its contact). active_low: the
    names of digital pins, or pilot_pwm, that are on when low (an output then wants a pull-up: at power-on it floats);
    ventilation: true where there is one for state D.
    """
    millivolts = integer_between(150, 2450)  # where ADC.ATTN_11DB is linear (MicroPython, quickref for the ESP32)
    names = _NEEDED + _OUTPUTS[1:] + _INPUTS + ("proximity",)
    # With such a pull-up a contact that is open or shorted, which the ADC sees as 2450 and 150 mV, is no cable's.
    rule = ("pilot_mv", [millivolts, 2, 2], "amps", integer_between(6, 80), "pull_up?", integer_between(900, 1500),
            "ventilation?", boolean, "active_low?", [" ".join(names)])
    for name in names:
        rule += (name if name in _NEEDED else name + "?", integer_between(0, 48))
    fault = fault_of([rule, len(evses), len(evses)], pins)
    if fault:
        return fault
    used = []
    for index in range(len(evses)):
        entry = pins[index]
        negative, positive = entry["pilot_mv"]
        wrong = None
        if len(evses[index]) > 1:
            wrong = "a pilot serves one connector"
        elif positive - negative < 1000:  # the 1 V between two states (table A.4) is 42 mV then
            wrong = "pilot_mv: under 1000 mV apart"
        elif ("proximity" in entry) != ("pull_up" in entry):
            wrong = "proximity needs its pull_up"
        elif not ("lock" in entry) == ("unlock" in entry) == ("locked" in entry):
            wrong = "lock, unlock and locked go together"
        for name in names:
            if name in entry:
                if entry[name] in used:
                    wrong = "GPIO %d is used twice" % entry[name]
                used.append(entry[name])
        if wrong:
            return (PROPERTY, "[%d]" % index, wrong)


class _Port:
    """The pins of one EVSE and its Outlet. The outputs are switched off at once, the rest is up to `begin`."""

    def __init__(self, machine, clock, evse_id, pins):
        self.id = evse_id
        self.pins = pins
        self.outlet = Outlet(pins["amps"], pins.get("ventilation"))
        self.looked = 0  # when
        self.error = None  # that the log is still to be told
        self.events = []  # what the station is still to be told, as Outlet.look returns it
        self.tripped = False  # by the interrupt of the residual-current monitor
        self._clock = clock
        self._wires = {}  # name: (Pin, is it on when low)
        for name in _OUTPUTS:
            if name in pins:
                low = self._is_low(name)
                self._wires[name] = machine.Pin(pins[name], machine.Pin.OUT, value=int(low)), low

    def begin(self, machine):
        """Take the other pins."""
        pins = self.pins
        for name in _INPUTS:
            if name in pins:
                low = self._is_low(name)
                pin = machine.Pin(pins[name], machine.Pin.IN)
                self._wires[name] = pin, low
                if name == "residual":
                    pin.irq(self._trip, machine.Pin.IRQ_FALLING if low else machine.Pin.IRQ_RISING)
        self._adcs = [machine.ADC(machine.Pin(pins[name]), atten=machine.ADC.ATTN_11DB)
                      for name in ("pilot_adc", "proximity") if name in pins]
        self._duty = OFF
        self._pwm = machine.PWM(machine.Pin(pins["pilot_pwm"]), freq=1000, duty_u16=self._u16(OFF))

    def quiet(self):
        """How to switch everything off, as board.quiet wants it."""
        return bytes([self.pins[name] | self._is_low(name) << 7 for name in _OUTPUTS + ("pilot_pwm",)
                      if name in self.pins])

    def _is_low(self, name):
        return name in self.pins.get("active_low", ())

    def _put(self, name, on):
        wire = self._wires.get(name)
        if wire:
            wire[0].value(on != wire[1])

    def _get(self, name):
        # What a digital input says, None without one.
        wire = self._wires.get(name)
        return wire and bool(wire[0].value()) != wire[1]

    def _u16(self, duty):
        value = duty * 65535 // OFF
        return 65535 - value if self._is_low("pilot_pwm") else value

    def _trip(self, pin):
        # Called by the scheduler between two bytecodes: sooner than the next look.
        self.tripped = True
        self.open()

    def open(self):
        """Open the contactor."""
        self._put("contactor", False)

    def obey(self):
        """Bring the pins to what the outlet orders: what makes it safer first, closing last."""
        outlet = self.outlet
        try:
            if not outlet.closed:
                self.open()
        finally:  # what fails does not spare the rest
            try:
                if outlet.duty != self._duty:
                    self._pwm.duty_u16(self._u16(outlet.duty))
                    self._duty = outlet.duty
            finally:
                self._put("lock", outlet.motor > 0)
                self._put("unlock", outlet.motor < 0)
        if outlet.closed and not self.tripped:
            self._put("contactor", True)
        if self.tripped:  # perhaps between the two lines above
            self.open()

    def look(self, now):
        """Read everything, and let the outlet judge it."""
        high, low = self._levels()
        rating = 80  # a cable that is attached belongs to the installation
        if len(self._adcs) > 1:
            mv = self._adcs[1].read_uv() // 1000
            rating = cable(mv * self.pins["pull_up"] // (_SUPPLY - mv)) if mv < _SUPPLY else None
        residual = self._get("residual")
        self.events += self.outlet.look(now, high, low, rating, self._get("mirror"), residual or self.tripped,
                                        self._get("locked"))
        if self.outlet.fault:
            self.tripped = False  # heard

    def _levels(self):
        # (high, low) mV on the pilot. ADC and PWM can not be synchronised here, so the level is read again and again
        # over two periods; the second highest and second lowest reading count, because one may be a spike.
        clock = self._clock
        read = self._adcs[0].read_uv
        span = 2100 if 0 < self._duty < OFF else 0  # us: two periods and a bit, or one steady level
        top = high = -1
        bottom = low = 1 << 29
        start = clock.ticks_us()
        count = 0
        while count < 8 or clock.ticks_diff(clock.ticks_us(), start) < span:
            count += 1
            uv = read()
            if uv > top:
                high = top
                top = uv
            elif uv > high:
                high = uv
            if uv < bottom:
                low = bottom
                bottom = uv
            elif uv < low:
                low = uv
        negative, positive = self.pins["pilot_mv"]
        positive -= negative
        return ((high // 1000 - negative) * 24_000 // positive - 12_000,
                (low // 1000 - negative) * 24_000 // positive - 12_000)


class Hardware:
    """See hardware/__init__.py. `machine` and `clock` (MicroPython's `time`) are handed in by tests."""

    simulated = False

    def __init__(self, config, machine=None, clock=None):
        if machine is None:
            import time as clock

            import machine
        self._station = self._now = None
        self.ports = [_Port(machine, clock, index + 1, pins) for index, pins in enumerate(config.pins)]
        outputs = b"".join([port.quiet() for port in self.ports])
        if board.blob(board.OUTPUTS) != outputs:
            board.blob(board.OUTPUTS, outputs)
        for port in self.ports:
            port.begin(machine)

    def attach(self, station, now):
        """The first looks will find what is plugged in."""
        self._station = station
        self._now = now
        self.due = now() + _LATE
        for port in self.ports:
            for name in ("mirror", "residual"):
                if name not in port.pins:
                    station.log("warning", "EVSE %d has no %s input" % (port.id, name))

    def contactor(self, evse_id, closed):
        """Permit or forbid energy. Where nothing is wrong the car may stop drawing before it opens; see outlet.py."""
        port = self.ports[evse_id - 1]
        try:
            port.outlet.permit(closed, self._station.evses[evse_id - 1].fault is None)
            port.obey()
        except Exception as error:  # noqa: BLE001 -- opening must not fail
            self._fail(port, error)

    def open(self):
        """Open all contactors at once."""
        for port in self.ports:
            try:
                port.outlet.stop(port.looked)
                port.obey()
            except Exception as error:  # noqa: BLE001 -- the other contactors are to open as well
                self._fail(port, error)

    def look(self):
        """Look once at every EVSE."""
        for port in self.ports:
            try:
                now = self._now()
                pause = now - port.looked
                port.looked = now
                if pause > 100 and port.outlet.closed:  # ms, what table A.6 grants for opening
                    self._station.log("warning", "EVSE %d: %d ms without a look" % (port.id, pause))
                port.outlet.offered = _offered(self._station.evses[port.id - 1])
                port.look(now)
                port.obey()
                self._tell(port)
            except Exception as error:  # noqa: BLE001 -- whatever it is, there must be no energy
                self._fail(port, error)
                self._tell(port)

    async def run(self):
        """Look again and again."""
        try:
            while True:
                self.look()
                self.due = self._now() + _LATE
                await asyncio.sleep_ms(_PACE)
        finally:  # nobody looks any more
            self.open()

    def _tell(self, port):
        if port.error:
            error = port.error
            port.error = None
            self._station.log("error", "EVSE %d hardware: %r" % (port.id, error))
        port.events += port.outlet.report()
        while port.events:
            event = port.events.pop(0)
            getattr(self._station, event[0])(self._now(), port.id, *event[1:])

    def _fail(self, port, error):
        # The station is told later: it may be in the middle of an event, and other contactors may have to open first.
        first = port.outlet.fault != _FAILURE
        port.outlet.fail(port.looked, _FAILURE)
        try:
            port.obey()
        except Exception:  # noqa: BLE001, S110 -- it did what still could be done
            pass
        if first:
            port.error = error


def _offered(evse):
    # Would the station give energy if the car asked for it?
    return evse.transaction is not None and charging_state(evse, evse.fault is None) in ("Charging", "SuspendedEV")
