"""The far side of the pilot wire: what a car, its cable and their defects do to it. Used on both interpreters.

The circuit is that of IEC 61851-1 annex A: the station feeds +12 V or -12 V through 1 kOhm; the car has a diode, then
2740 Ohm to PE, and its switch S2 adds 1300 Ohm (state C) or 270 Ohm (state D). Voltages are mV at the station's socket.
"""

SOURCE_OHMS = 1000
R2_VENTILATION = 270
DIODE_DROP = 700


class Vehicle:
    """`plugged`, `s2` (wants energy), `ventilation` (wants it with ventilation) and `cable` (Ohm from PP to PE, None:
    open) may be set at any time; so may what is broken: `diode` (False: bridged), `short` (Ohm from CP to PE). `r3` and
    `r2`: its resistors, in Ohm."""

    def __init__(self):
        self.plugged = False
        self.s2 = False
        self.ventilation = False
        self.diode = True
        self.short = None
        self.cable = 220
        self.r3 = 2740
        self.r2 = 1300

    def plug(self, s2=False):
        self.plugged = True
        self.s2 = s2

    def unplug(self):
        self.plugged = False
        self.s2 = False

    def pilot(self, source):
        """mV on the wire while the station feeds `source` mV."""
        leak = 1 / self.short if self.short else 0
        without = int(source / (1 + SOURCE_OHMS * leak))  # no current through the diode
        if not self.plugged:
            return without
        siemens = 1 / self.r3
        if self.s2:
            siemens += 1 / (R2_VENTILATION if self.ventilation else self.r2)
        drop = DIODE_DROP if self.diode else 0
        if self.diode and without <= drop:
            return without
        return int((source / SOURCE_OHMS + drop * siemens) / (1 / SOURCE_OHMS + siemens + leak))

    def levels(self, duty):
        """(high, low) mV while the station's duty cycle is so many per mille."""
        if duty == 0 or duty == 1000:
            level = self.pilot(12_000 if duty else -12_000)
            return level, level
        return self.pilot(12_000), self.pilot(-12_000)

    def resistance(self):
        """Ohm from PP to PE at the station, None when open."""
        return self.cable if self.plugged else None
