"""What still has to reach the CSMS: own CALLs waiting for their turn, with a policy per kind of message.

| kind | while offline | when it fails |
| --- | --- | --- |
| boot (BootNotification) | fails at once | fails: the station tries again after its interval |
| driver (Authorize) | fails at once | fails: the driver is waiting |
| status (StatusNotification, Heartbeat) | forgotten: the present state is told on reconnect | forgotten |
| event (TransactionEvent) | kept in order, marked offline | again, MessageAttempts times (E13), then dropped |
| update (ReservationStatusUpdate, SecurityEventNotification) | forgotten here | again, thrice a link; CALLERROR: done |

Until the CSMS has accepted the station, boot is all that goes out (B01.FR.08, B02.FR.02).
"""

# Of these kinds somebody waits for the answer, and is told at once when there will be none.
_URGENT = "boot driver"

_UPDATE_ATTEMPTS = 3
_UPDATE_PAUSE = 10_000  # ms after an unanswered one
# With so many other messages waiting nothing but transaction events is taken in: the CSMS does not keep up.
_MOST_OTHERS = 20
# So many transaction events are kept in memory; beyond that every second Updated goes first (E04.FR.08).
_MOST_EVENTS = 60


class Message:
    """One waiting CALL: `call` is its row in the CALLS of a block (see exchange.py), `at` the time it happened.

    `about` is for the sender alone: whatever the functions in the row need to know, where closures would take more.
    """

    offline = False  # happened while offline, or was still here when the link went (E11.FR.07)
    attempts = 0
    not_before = 0

    def __init__(self, call, at, about, droppable):
        self.call = call
        self.kind = call[1]
        self.at = at
        self.about = about
        self.droppable = droppable


class Outbox:
    """The waiting messages of one station. `finish(message, now, None, error)` is told of those that failed."""

    def __init__(self, log, finish):
        self.waiting = []
        self.log = log
        self.finish = finish

    def add(self, message, online):
        """Queue a message that happens now. What is urgent goes first, the others in the order they came."""
        if not online or (message.kind == "driver" and self.is_full()):
            if message.kind in _URGENT:
                self.finish(message, message.at, None, "offline")
            if message.kind != "event":
                return
            message.offline = True
        if message.kind in _URGENT:
            self.waiting.insert(0, message)
        else:
            self.waiting.append(message)
            self._make_room()

    def is_full(self):
        """Is it time to hold back? Statuses then wait until they can be derived anew, drivers are told to wait."""
        return len(self.waiting) >= _MOST_OTHERS and (
            len(self.waiting) - len(self._events()) >= _MOST_OTHERS)

    def link_down(self, now):
        """Keep what must be kept, marked as offline; let the rest fail or go."""
        leaving = self.waiting
        self.waiting = self._events()
        for message in self.waiting:
            message.offline = True  # E11.FR.07
            message.not_before = 0
        for message in leaving:
            if message.kind in _URGENT:
                self.finish(message, now, None, "offline")

    def next(self, now, accepted):
        """Take the next message that may go now, or None. Transaction events never overtake each other."""
        events_wait = False
        for message in self.waiting:
            event = message.kind == "event"
            if (accepted or message.kind == "boot") and not (event and events_wait) and message.not_before <= now:
                self.waiting.remove(message)
                return message
            events_wait = events_wait or event
        return None

    def next_time(self):
        """When `next` has something for an accepted station (monotonic ms), or None if nothing waits."""
        due = None
        events_wait = False
        for message in self.waiting:
            event = message.kind == "event"
            if not (event and events_wait) and (due is None or message.not_before < due):
                due = message.not_before
            events_wait = events_wait or event
        return due

    def failed(self, now, message, error, attempts, interval):
        """A message got a CALLERROR or no answer (`error` as in Rpc.call): queue it again if its policy says so.

        `attempts` and `interval` (ms): MessageAttempts and MessageAttemptInterval of TransactionEvent (E13).
        """
        if error == "offline":
            # The answer died with the connection: that is no attempt that the CSMS refused.
            if message.kind == "event":
                message.offline = True
                self.waiting.insert(0, message)
            else:
                self.finish(message, now, None, error)
            return
        message.attempts += 1
        if message.kind == "event" and message.attempts < attempts:
            message.not_before = now + interval * message.attempts  # E13.FR.03
            self.waiting.insert(0, message)
        elif message.kind == "update" and error == "timeout":
            if message.attempts < _UPDATE_ATTEMPTS:
                message.not_before = now + _UPDATE_PAUSE
                self.waiting.append(message)
            # else its record stays on flash: it is told again after the next reconnect
        else:
            if message.kind == "event":
                self.log("error", "TransactionEvent dropped after %d attempts" % message.attempts)
            self.finish(message, now, None, error)

    def _events(self):
        events = []
        for message in self.waiting:
            if message.kind == "event":
                events.append(message)
        return events

    def _make_room(self):
        if len(self.waiting) <= _MOST_EVENTS or len(self._events()) <= _MOST_EVENTS:
            return
        leaving = []
        drop = False
        for message in self.waiting:
            drop = message.droppable and not drop
            if drop:
                leaving.append(message)
        # Nothing but Started and Ended: the oldest must go, or the station would.
        leaving = leaving or self._events()[:1]
        self.log("error", "%d transaction events dropped: too many wait" % len(leaving))
        for message in leaving:
            self.waiting.remove(message)
            self.finish(message, message.at, None, "dropped")
