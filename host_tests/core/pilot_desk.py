"""The IEC 61851 driver on a bench: its pins, a car on the wire, and the real station above it."""

import asyncio

from fake_machine import Bench
from fakes import Desk
from holdfast.hardware.iec61851 import Hardware
from pilot_wire import PACE

FULL = {"pilot_pwm": 25, "pilot_adc": 36, "pilot_mv": [300, 2100], "contactor": 26, "mirror": 27, "residual": 33,
        "proximity": 39, "pull_up": 1000, "lock": 16, "unlock": 17, "locked": 18, "amps": 32}
SECOND = {"pilot_pwm": 4, "pilot_adc": 37, "pilot_mv": [700, 2400], "contactor": 5, "mirror": 19, "residual": 35,
          "amps": 16, "active_low": ["pilot_pwm", "contactor", "mirror", "residual"]}
EVSES = (("sType2",), ("cType2",))


class PilotDesk(Desk):
    """A Desk whose station has the driver on a Bench below it."""

    def __init__(self, pins=(FULL, SECOND), evses=EVSES, variables=None):
        self.pins = pins
        super().__init__(evses=evses, variables=variables)

    def power_on(self):
        super().power_on()
        self.bench = Bench(self.pins, self.now)
        self.config.pins = self.pins
        self.driver = self.station.hardware = Hardware(self.config, self.bench.machine, self.bench.clock)
        self.driver.attach(self.station, self.bench.now)

    def run(self, ms):
        """Let the driver look for so long."""
        end = self.bench.now() + ms
        while self.bench.now() < end:
            before = self.bench.now()
            self.driver.look()
            self.bench.rest(PACE - (self.bench.now() - before))
            self.now = self.bench.now()
            self.pump()

    def charging(self, evse_id=1):
        """A car that charges."""
        car = self.bench.evse(evse_id).car
        car.plug()
        self.run(600)
        self.swipe("DEADBEEF42", evse_id)
        self.run(1500)
        car.s2 = True
        self.run(600)
        assert self.bench.evse(evse_id).contact, self.lines
        self.clear()
        return self.bench.evse(evse_id)

    def opened(self, evse_id=1):
        """ms at which the power path last opened, None while it is closed."""
        history = self.bench.evse(evse_id).history
        return history[-1][0] if history and not history[-1][1] else None

    def is_on(self, evse_id=1):
        """Is the contactor commanded to be closed?"""
        return self.bench.is_on(self.bench.evse(evse_id), "contactor")

    def run_task(self, looks):
        """Let the driver's own task look so often, then cancel it."""

        async def sleep_ms(ms):
            naps.append(ms)
            self.bench.rest(ms)
            await asyncio.sleep(0)

        async def main():
            task = asyncio.create_task(self.driver.run())
            while len(naps) < looks and not task.done():
                await asyncio.sleep(0)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                pass

        naps = []
        had = getattr(asyncio, "sleep_ms", None)
        asyncio.sleep_ms = sleep_ms
        try:
            asyncio.run(main())
        finally:
            if had:
                asyncio.sleep_ms = had
            else:
                del asyncio.sleep_ms
        return naps
