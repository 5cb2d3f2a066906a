"""Hardware that is only pretended: the console plays the car, the driver and the calendar.

Nothing is kept over a restart, as a real station would find its cables by looking. The contactors exist as a note of
what they were told, in `closed`.
"""


class Hardware:
    """See hardware/__init__.py. `closed[evse_id - 1]`: is that contactor closed?"""

    simulated = True
    run = None  # there are no pins to watch

    def __init__(self, config):
        self.closed = [False for _ in config.evses]
        self._station = None

    def attach(self, station, now):
        """Nothing is plugged in yet."""
        self._station = station

    def contactor(self, evse_id, closed):
        """Close or open the power path."""
        self.closed[evse_id - 1] = closed

    def open(self):
        """Open all power paths."""
        self.closed = [False for _ in self.closed]

    def commands(self):
        """[(usage, handler)] for the console; a handler gets the time and the words that the usage names."""
        station = self._station
        return [
            ("plug EVSE [CONNECTOR]", station.plugged),
            ("unplug EVSE", station.unplugged),
            ("swipe TOKEN [TYPE] [EVSE]", station.presented),
            ("fault EVSE [CODE]", station.fault),
            ("clear EVSE", station.fault_cleared),
            ("suspend EVSE", station.suspended),
            ("resume EVSE", station.resumed),
            ("time +SECONDS", self._time),
        ]

    def _time(self, now, seconds):
        if self._station.clock.utc(now) is None:
            raise ValueError("the clock is not set yet")
        self._station.shift_clock(now, seconds)
        return "%+d s" % seconds
