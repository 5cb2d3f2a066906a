"""The watchdog: a board whose agent makes no progress is reset by its hardware.

Each task says until when it will be back; the hardware's watchdog is fed only while all of them are in time. A task
that waits for something that may never come, as the console for a person, expects nothing.
"""


class Watchdog:
    """`wdt`: a machine.WDT that runs already, or None: then the tasks are only watched.

    `due`: each task puts there, under its name, the monotonic ms by which it will be back; None: nobody knows when.
    """

    def __init__(self, wdt):
        self.wdt = wdt
        self.due = {}

    def look(self, now):
        """Feed the hardware's watchdog if all is well. Returns the names of the tasks that are late."""
        late = [task for task in self.due if self.due[task] is not None and now > self.due[task]]
        if self.wdt and not late:
            self.wdt.feed()
        return late
