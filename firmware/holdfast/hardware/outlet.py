"""One EVSE with a control pilot, after the sequences of IEC 61851-1:2017 table A.6. Policy: readings in, orders out.

It promises: the contactor is closed only while the car is in state C (or D where there is ventilation), the pilot has
PWM, the station permits energy, the diode was seen, the plug is locked and nothing is faulted; it opens `_QUICK` after
the car leaves C. The one exception is the standard's own (sequences 9.1 to 10.2): when the station ends a session in
which nothing is wrong, PWM stops at once and the car gets up to `_PATIENCE` to stop drawing. Every doubt is a fault:
open, then state F.
"""

# The numbers of the standard, Annex A and B; what is made of them is at the end. It is not public: what stands here was
# compared between several published implementations and manuals, and where these differ the careful reading is taken,
# less current, sooner a fault. Pilot voltages are mV against PE, as the station measures them on its side of its
# 1 kOhm; duty cycles are per mille of the time at +12 V.
OFF = 1000  # per mille: a steady +12 V, the pilot of A1, B1, C1 and D1 (state X1: no energy)
_UNAVAILABLE = 0  # per mille: a steady -12 V, state F

# Table A.4: A 11..13, B 8..10, C 5..7, D 2..4, E -1..1, F -13..-11 V. The borders are halfway between the nominal
# voltages; the hysteresis stays inside the gaps between the ranges, so it never overrules the table.
_HYSTERESIS = 300  # mV
_HIGHEST = 13_500  # mV: above, the front end is broken
_NEGATIVE = -10_500  # mV: the low level of PWM that passes a diode (table A.4: -11 V at the most)

# The times of this station.
_QUICK = 40  # ms outside C and D until the contactor opens; 100 with its own release time (sequences 2.2 and 8.1)
_STEADY = 200  # ms that a state must last to be believed
_COOL = 2000  # ms between opening and closing again: arcs, welds found first, and still inside the 3 s of sequence 4
_CALM = 60_000  # ms without PWM after something unforeseen; what happens again and again must not wear the contactor
_PATIENCE = 6000  # ms in C1 until the contactor opens under load (sequence 10.2: at least 6 s)
_SLOW = 5000  # ms between two changes of the duty cycle: as long as a car may take to follow one (sequence 6)
_DOUBT = 300  # ms without the negative half of PWM, without a cable rating, or until a contactor follows
_PULSE = 500  # ms of lock motor
_REST = 300  # ms between two pulses
_TRIES = 3  # pulses until the lock is given up: 2.4 s, all of them before PWM starts the 3 s of sequence 4
_HOLD = 5000  # ms in state F until the next look whether the car is gone
_PROBE = 500  # ms of +12 V for that look


class Outlet:
    """`amps`: the most the installation can give; `ventilation`: is there any, for a car in state D?

    Orders to the driver, to be obeyed after every call: `closed` (contactor), `duty` (per mille), `motor` (1 locks, -1
    unlocks, 0 rests). From the driver: `offered`, whether the station would give energy if the car asked. `limit` (A)
    may be changed at any time; below 6 A it is a pause. A car that draws hears of it after `_SLOW` at the most.
    """

    def __init__(self, amps, ventilation=False):
        self.closed = False
        self.duty = OFF
        self.motor = 0
        self.offered = False
        self.limit = amps
        self.state = ""  # the last one believed
        self.fault = None  # code of what is wrong
        self.permitted = False  # the station's word on the contactor
        self._ventilation = ventilation
        self._plugged = self._suspended = False  # as the station was told
        self._told = None  # the fault that it was told
        self._seen = ""  # the state just measured, since when
        self._since = 0
        self._live = self._ending = 0  # when the car last was in C, when the station last wanted energy
        self._negative = 0  # when the low level of PWM last was right
        self._diode = False  # it was, since PWM is on
        self._agreed = 0  # when contactor and mirror contact last agreed
        self._used = self._calm = 0  # when it was last closed, until when there is no energy whatever happens
        self._changed = 0  # when the duty cycle last did
        self._cable = self._rating = 0  # A of the cable: as last read, as believed
        self._rated = 0  # when it was last readable
        self._tries = 0  # pulses of the motor so far
        self._until = 0  # end of what the motor or, in a fault, the pilot is doing
        self._pulse = 0

    def permit(self, closed, patient=True):
        """The station commands the contactor. `patient`: it may stay closed until the car has stopped drawing."""
        if not patient:
            self.closed = False
        if not (closed or self._suspended or self.fault):
            self.duty = OFF  # sequence 9.1
        self.permitted = closed and self.fault is None

    def stop(self, now):
        """Something unforeseen happened elsewhere: open, and whatever comes, give no energy for a while.

        Perhaps nobody will ever look again, so nothing is left that must be switched off later.
        """
        self.closed = self.permitted = False
        if self.fault is None:
            self.duty = OFF
        self.motor = 0
        self._calm = now + _CALM

    def fail(self, now, code):
        """Something is wrong: open, state F, and the station must begin anew."""
        self.closed = self.permitted = False
        self.duty = _UNAVAILABLE
        self.motor = 0
        self.fault = code
        self._until = now + _HOLD

    def look(self, now, high, low, cable, contact=None, residual=False, locked=None):
        """Draw the conclusions from one set of readings; to be called every 20 ms or so.

        `high`, `low`: mV of the pilot at its two levels; `cable`: A, or None when not readable; `contact`: does the
        mirror contact say closed; `residual`: does the residual-current monitor trip; `locked`: does the lock say so;
        the last three None or False without such a thing. Returns what to tell the station, a list of (name of its
        method, further arguments), to be told after the orders have been obeyed.
        """
        seen = state(high, self.state)
        if seen != self._seen:
            self._seen = seen
            self._since = now
        if self.closed:
            self._used = now
        steady = now - self._since >= _STEADY
        live = seen == "C" or seen == "D" and self._ventilation
        if live:
            self._live = now
        elif now - self._live >= _QUICK:  # sequences 2.2, 8.1 and 12
            self.closed = False
        if residual and self.fault is None:
            self.fail(now, "GroundFault")
        if contact is None or contact == self.closed:
            self._agreed = now
        elif now - self._agreed > _DOUBT and self.fault is None:
            self.fail(now, "ContactorWelded" if contact else "ContactorOpen")
        if self.fault is not None:
            return self._recover(now, seen == "A" and steady, contact, residual, locked)

        events = []
        # Judged before the car's new state: the station permits what it is told of here only afterwards.
        wanted = self.offered and (self.permitted or self._suspended) and self.limit >= 6 and now >= self._calm
        if steady and seen != self.state:
            self._enter(now, seen, events)
        self._check(now, low, cable, wanted)
        secured = self._secure(now, wanted or self.closed or contact is True, locked)
        if self.fault is None:
            if wanted:
                self._ending = now
            elif now - self._ending >= _PATIENCE:
                self.closed = False
            offer = duty(min(self.limit, self._rating)) if wanted and secured else OFF
            if offer != self.duty and (not self.closed or OFF in (offer, self.duty) or now - self._changed >= _SLOW):
                self.duty = offer
                self._changed = now
            if self.duty != OFF and self.permitted and self._diode and live and steady and now - self._used >= _COOL:
                self.closed = True  # sequence 4: within 3 s of state C2
        return events + self.report()

    def report(self):
        """What the station does not know of a fault yet, as `look` returns it."""
        if self.fault == self._told:
            return []
        self._told = self.fault
        return [("fault", self.fault) if self.fault else ("fault_cleared",)]

    def _enter(self, now, seen, events):
        # The pilot is steadily in another state.
        self.state = seen
        if seen == "A":
            if self._plugged:
                self._plugged = self._suspended = self.permitted = False
                self._cable = self._rating = 0  # nothing is offered any more, and the next one may be another
                events.append(("unplugged",))
            return
        if seen > "D":
            self.fail(now, "PilotFailure")  # sequence 12: shorted to PE, or no +12 V where there should be
            return
        if not self._plugged:
            self._plugged = True
            events.append(("plugged", 1))
        if seen == "D" and not self._ventilation:
            self.fail(now, "VentilationMissing")
        elif self._suspended != (seen == "B"):
            self._suspended = not self._suspended
            events.append(("suspended",) if self._suspended else ("resumed",))

    def _check(self, now, low, cable, wanted):
        # The diode in the car, and the rating of the cable.
        if self.duty == OFF:
            self._negative = now
            self._diode = False
        elif low <= _NEGATIVE:
            self._negative = now
            self._diode = True  # table A.4: to be seen at least once before closing
        elif now - self._negative > _DOUBT:
            self.fail(now, "DiodeMissing")
        if cable:
            # One reading alone may be a spike. A rating between two steps (table B.2) is the lower one for all of the
            # session: a car that draws is never offered more.
            rating = max(cable, self._cable)
            self._cable = cable
            self._rating = rating if self.duty == OFF else min(rating, self._rating)
        if cable or not wanted:
            self._rated = now
        elif now - self._rated > _DOUBT:
            self.fail(now, "CableUnknown")

    def _secure(self, now, wanted, locked):
        # Work on the lock until it is as wanted. True when the plug can not be pulled.
        if locked is None:
            return True
        if self.closed and not locked:
            self.fail(now, "ConnectorLockFailure")
        elif locked == wanted:
            self.motor = self._tries = self._pulse = 0
        elif now >= self._pulse:
            if self.motor:
                self.motor = 0
                self._pulse = now + _REST
            elif self._tries < _TRIES:
                self._tries += 1
                self.motor = 1 if wanted else -1
                self._pulse = now + _PULSE
            elif self.fault is None:
                self.fail(now, "ConnectorLockFailure")
        return locked

    def _recover(self, now, gone, contact, residual, locked):
        # A fault is over when its cause is, and the car is unplugged: state F does not show that, so +12 V is put on
        # the pilot for a moment now and then. The plug is let go as soon as there is no voltage on it.
        events = []
        self._secure(now, contact is True, locked)
        if self.duty and gone and not (residual or contact or locked):
            self.fault = None
            self._enter(now, "A", events)
        elif now >= self._until:
            self.duty = _UNAVAILABLE if self.duty else OFF
            self._until = now + (_PROBE if self.duty else _HOLD)
            self._tries = 0
        return events + self.report()


# --- the numbers of the standard, as pure functions on integers


def state(mv, before=""):
    """The state, "A" to "F", that a level of the pilot stands for; `before`: the state it was in, for hysteresis.

    Above 13.5 V it is an error like 0 V: state E.
    """
    if mv <= _HIGHEST:
        border = 10_500
        for name in "ABCD":
            # Letters grow as voltages fall: who was lower needs more to rise here, who was here may sink a little.
            if mv >= border + (_HYSTERESIS if before > name else -_HYSTERESIS if before == name else 0):
                return name
            border -= 3000
        if mv <= _NEGATIVE:
            return "F"
    return "E"


def duty(amps):
    """The duty cycle that offers a car so many A (table A.7), or OFF below 6 A. It never offers more than asked."""
    if amps < 6:
        return OFF
    if amps <= 51:
        return amps * 100 // 6  # amps = 0.6 x percent
    # amps = (percent - 64) x 2.5; 52 A would come out below 85 %, where a car reads it by the other formula.
    return max(850, min(amps, 80) * 4 + 640)


def current(per_mille):
    """The mA that a car may draw at a duty cycle (table A.8).

    0 where charging is not allowed: below 3 %, from 7 to 8 %, above 97 %; and from 3 to 7 %, which announces digital
    communication (ISO 15118) that has to allow it.
    """
    if 80 <= per_mille < 100:
        return 6000
    if 100 <= per_mille <= 850:
        return per_mille * 60
    if 850 < per_mille <= 960:
        return (per_mille - 640) * 250
    return 80_000 if 960 < per_mille <= 970 else 0


def cable(ohms):
    """The A that a cable may carry by its resistance from PP to PE (table B.2), None where it can not be told.

    Nominal: 1500 Ohm 13 A, 680 Ohm 20 A, 220 Ohm 32 A, 100 Ohm 63 A. Between the ranges the lower current counts.
    """
    if 75 <= ohms <= 2460:
        return 63 if ohms <= 140 else 32 if ohms <= 308 else 20 if ohms <= 936 else 13
    return None
