"""The watchdog: a board whose agent makes no progress is reset by its hardware.

Each task says until when it will be back; the hardware's watchdog is fed only while all of them are in time. A task
that waits for something that may never come, as the console for a person, expects nothing.
"""

PATIENCE = 10_000  # ms: the slowest step is the TLS handshake's


class Watchdog:
    """`wdt`: a machine.WDT that runs already, or None: then the tasks are only watched."""

    def __init__(self, wdt):
        self.wdt = wdt
        self.due = {}  # name of a task -> monotonic ms by which it wants to be back, or None

    def expect(self, task, due):
        """The task is here, and will be back by `due`; None: nobody knows when."""
        self.due[task] = due

    def look(self, now):
        """Feed the hardware's watchdog if all is well. Returns the names of the tasks that are late."""
        late = [task for task in self.due if self.due[task] is not None and now > self.due[task]]
        if self.wdt and not late:
            self.wdt.feed()
        return late
