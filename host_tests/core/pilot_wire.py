"""One EVSE on the desk: a car on the wire, an Outlet, its machinery, and a station that is as simple as can be."""

from holdfast.hardware import outlet
from holdfast.hardware.outlet import Outlet
from vehicle import Vehicle

PACE = 20  # ms between two looks
# What an outlet promises, in ms: see outlet.py, where the reasons are.
QUICK, COOL, CALM, PATIENCE, SLOW = 40, 2000, 60_000, 6000, 5000
UNAVAILABLE = 0  # the duty cycle of state F: a steady -12 V


class Wire:
    """A car, an Outlet and what it commands. `told` lists what the station was told, `closed_at` and `opened_at` when
    the contactor was last commanded. The station permits energy as the real one does: authorized and not suspended."""

    def __init__(self, amps=32, ventilation=False, mirror=False, lock=False):
        self.outlet = Outlet(amps, ventilation)
        self.car = Vehicle()
        self.now = 10_000
        self.told = []
        self.authorized = False
        self.suspended = False
        self.faulted = False
        self.plugged = False
        self.contact = False if mirror else None
        self.welded = False
        self.stuck = False
        self.locked = False if lock else None
        self.jammed = False
        self.pulses = []  # of the lock motor: 1 or -1
        self.residual = False
        self.closed_at = self.opened_at = None
        self._driven = 0
        self._was = False
        self._command = False
        self._motor = 0

    def authorize(self, authorized=True):
        self.authorized = authorized
        self.command()

    def command(self):
        """What station.py does after every event."""
        wanted = self.authorized and not self.suspended and not self.faulted and self.plugged
        if wanted != self._command:
            self._command = wanted
            self.outlet.permit(wanted, not self.faulted)

    def look(self, pause=PACE):
        """Let that many ms pass, then let the Outlet look."""
        self.now += pause
        order = self.outlet
        self._machinery(order)
        high, low = self.car.levels(order.duty)
        ohms = self.car.resistance()
        order.offered = self.authorized and not self.faulted
        events = order.look(self.now, high, low, outlet.cable(ohms) if ohms is not None else None, self.contact,
                            self.residual, self.locked)
        self.note()
        for event in events:
            self.told.append(event[0] if event[0] != "fault" else event[1])
            if event[0] == "fault":
                self.faulted = True
                self.authorized = False
            elif event[0] == "fault_cleared":
                self.faulted = False
            elif event[0] in ("suspended", "resumed"):
                self.suspended = event[0] == "suspended"
            elif event[0] == "plugged":
                self.plugged = True
            elif event[0] == "unplugged":
                self.plugged = self.authorized = self.suspended = False
            self.command()
        self.note()

    def _machinery(self, order):
        # The contactor follows within a look, the lock after 200 ms of motor.
        if self.contact is not None and not self.stuck:
            self.contact = order.closed or (self.welded and self.contact)
        if self.locked is not None:
            if order.motor != self._motor:
                self._driven = self.now
                if order.motor:
                    self.pulses.append(order.motor)
            self._motor = order.motor
            if order.motor and not self.jammed and self.now - self._driven >= 200:
                self.locked = order.motor == 1

    def note(self):
        if self.outlet.closed != self._was:
            self._was = self.outlet.closed
            if self._was:
                self.closed_at = self.now
            else:
                self.opened_at = self.now

    def wait(self, ms):
        for _ in range(ms // PACE):
            self.look()

    def charging(self):
        """Until the contactor is closed."""
        self.car.plug()
        self.wait(1000)
        self.authorize()
        self.wait(4000)
        self.car.s2 = True
        self.wait(3000)
        assert self.outlet.closed, self.told
        self.told = []
        return self

    @property
    def pwm(self):
        return 0 < self.outlet.duty < outlet.OFF
