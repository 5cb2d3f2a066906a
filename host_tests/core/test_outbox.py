"""What waits for the CSMS: order, what is kept while offline, what is tried again, what is dropped."""

from holdfast.exchange import Message, Outbox

BOOT, DRIVER, STATUS, TRANSACTION, UPDATE = "boot", "driver", "status", "event", "update"


class Box:
    """An Outbox, and what came of its messages: `results` lists (name, error)."""

    def __init__(self, attempts=3, interval=60000):
        self.lines = []
        self.results = []
        self.outbox = Outbox(self.log, self.finish)
        self.attempts = attempts
        self.interval = interval

    def log(self, level, text):
        self.lines.append(text)

    def message(self, kind, name, droppable=False):
        return Message((name, kind), 0, None, droppable)

    def finish(self, message, now, payload, error):
        self.results.append((message.call[0], error))

    def add(self, kind, name, online=True, droppable=False):
        message = self.message(kind, name, droppable)
        self.outbox.add(message, online)
        return message

    def next(self, now=0, accepted=True):
        message = self.outbox.next(now, accepted)
        return message and message.call[0]

    def failed(self, now, message, error):
        self.outbox.failed(now, message, error, self.attempts, self.interval)

    def drain(self, now=0):
        """The names of all that may go now, in order."""
        names = []
        while True:
            name = self.next(now)
            if name is None:
                return names
            names.append(name)


def test_messages_go_in_the_order_they_came():
    box = Box()
    for kind, name in ((STATUS, "a"), (TRANSACTION, "b"), (UPDATE, "c"), (TRANSACTION, "d")):
        box.add(kind, name)
    assert box.drain() == ["a", "b", "c", "d"]


def test_a_waiting_driver_goes_first():
    box = Box()
    box.add(TRANSACTION, "event")
    box.add(DRIVER, "authorize")
    assert box.drain() == ["authorize", "event"]


def test_before_acceptance_only_the_boot_notification_goes():
    box = Box()
    box.add(TRANSACTION, "event")
    box.add(UPDATE, "update")
    box.add(BOOT, "boot")
    assert box.next(0, False) == "boot"
    assert box.next(0, False) is None
    assert box.drain() == ["event", "update"]


def test_offline_a_transaction_event_is_kept_and_marked():
    box = Box()
    message = box.add(TRANSACTION, "event", online=False)
    assert message.offline
    assert box.drain() == ["event"]


def test_offline_a_driver_is_refused_at_once():
    box = Box()
    box.add(DRIVER, "authorize", online=False)
    assert box.results == [("authorize", "offline")]
    assert box.drain() == []


def test_offline_statuses_and_updates_are_forgotten():
    box = Box()
    box.add(STATUS, "status", online=False)
    box.add(UPDATE, "update", online=False)
    assert box.drain() == []


def test_what_happens_online_is_not_marked_offline():
    assert not Box().add(TRANSACTION, "event").offline


def test_when_the_link_goes_transaction_events_stay_and_are_marked():
    """E11.FR.07: whatever is still in the queue is set offline."""
    box = Box()
    box.add(STATUS, "status")
    first = box.add(TRANSACTION, "first")
    box.add(UPDATE, "update")
    box.add(DRIVER, "authorize")
    box.add(TRANSACTION, "second")
    box.outbox.link_down(0)
    assert box.results == [("authorize", "offline")]
    assert first.offline
    assert box.drain() == ["first", "second"]


def test_a_pause_after_an_attempt_ends_with_the_link():
    box = Box()
    message = box.add(TRANSACTION, "event")
    box.next()
    box.failed(0, message, "timeout")
    assert box.next() is None
    box.outbox.link_down(1000)
    assert box.next(1000) == "event"


def test_whoever_waited_for_an_answer_hears_that_it_was_lost_with_the_link():
    box = Box()
    for kind, name in ((BOOT, "boot"), (DRIVER, "authorize"), (UPDATE, "update")):
        message = box.add(kind, name)
        box.next()
        box.failed(0, message, "offline")
    assert box.results == [("boot", "offline"), ("authorize", "offline"), ("update", "offline")]


def test_events_of_a_station_whose_csms_does_not_keep_up_are_not_marked_offline():
    box = Box()
    for number in range(30):
        box.add(STATUS, "status %d" % number)
    assert box.outbox.is_full()
    assert not box.add(TRANSACTION, "event").offline


def test_a_transaction_event_that_was_on_its_way_when_the_link_went_is_first_again():
    box = Box()
    message = box.add(TRANSACTION, "first")
    box.add(TRANSACTION, "second")
    box.next()
    box.failed(0, message, "offline")
    box.outbox.link_down(0)
    assert message.offline
    assert box.drain() == ["first", "second"]


def test_a_lost_link_is_no_attempt():
    """B52: connection failures do not count as delivery attempts."""
    box = Box(attempts=2)
    message = box.add(TRANSACTION, "event")
    for _ in range(20):
        box.next()
        box.failed(0, message, "offline")
        box.outbox.link_down(0)
    assert box.next() == "event"
    assert box.results == []


def test_a_refused_transaction_event_is_sent_again_after_growing_pauses():
    """E13.FR.03: the interval times the number of transmissions so far."""
    box = Box(attempts=3, interval=60000)
    message = box.add(TRANSACTION, "event")
    box.next(0)
    box.failed(1000, message, "InternalError")
    assert box.next(60999) is None
    assert box.next(61000) == "event"
    box.failed(70000, message, "timeout")
    assert box.next(189999) is None
    assert box.next(190000) == "event"


def test_a_transaction_event_is_dropped_after_its_last_attempt():
    """E13.FR.04: then the next one has its turn."""
    for attempts in (1, 3):
        box = Box(attempts, 0)
        message = box.add(TRANSACTION, "first")
        box.add(TRANSACTION, "second")
        for _ in range(attempts):
            assert box.next() == "first"
            box.failed(0, message, "InternalError")
        assert box.results == [("first", "InternalError")]
        assert box.drain() == ["second"]


def test_transaction_events_do_not_overtake_each_other():
    box = Box()
    message = box.add(TRANSACTION, "first")
    box.add(TRANSACTION, "second")
    box.add(STATUS, "status")
    box.next()
    box.failed(0, message, "timeout")
    assert box.drain(1000) == ["status"]
    assert box.drain(60000) == ["first", "second"]


def test_a_pausing_event_is_what_the_outbox_waits_for():
    """What must not overtake it gives no earlier time: the station would wake up for nothing, again and again."""
    box = Box()
    message = box.add(TRANSACTION, "first")
    box.add(TRANSACTION, "second")
    box.next()
    box.failed(0, message, "timeout")
    assert box.outbox.next_time() == 60000
    box.add(STATUS, "status")
    assert box.outbox.next_time() == 0


def test_an_empty_outbox_waits_for_nothing():
    assert Box().outbox.next_time() is None


def test_a_status_that_failed_is_forgotten():
    box = Box()
    message = box.add(STATUS, "status")
    box.next()
    box.failed(0, message, "timeout")
    assert box.results == [("status", "timeout")]
    assert box.drain(10000000) == []


def test_an_unanswered_update_is_sent_thrice():
    """C.24: no endless loop; its record stays on flash, and the next connection tries again."""
    box = Box()
    message = box.add(UPDATE, "update")
    for _ in range(3):
        assert box.drain(10000000) == ["update"]
        box.failed(0, message, "timeout")
    assert box.drain(10000000) == []
    assert box.results == []


def test_a_refused_update_is_done_with():
    """C.24: a CALLERROR means that the CSMS got it."""
    box = Box()
    message = box.add(UPDATE, "update")
    box.next()
    box.failed(0, message, "InternalError")
    assert box.results == [("update", "InternalError")]
    assert box.drain(10000000) == []


def test_a_waiting_update_does_not_hold_up_events():
    """C.24: nothing waits behind a ReservationStatusUpdate that nobody answers."""
    box = Box()
    message = box.add(UPDATE, "update")
    box.next()
    box.failed(0, message, "timeout")
    box.add(TRANSACTION, "event")
    assert box.drain(1) == ["event"]


def test_too_many_events_lose_every_second_update():
    """E04.FR.08: intermediate ones go, Started and Ended stay, and so do the first and the last told."""
    box = Box()
    box.add(TRANSACTION, "started", online=False)
    for i in range(70):
        box.add(TRANSACTION, "u%d" % i, online=False, droppable=True)
    box.add(TRANSACTION, "ended", online=False)
    names = box.drain()
    assert len(names) <= 61
    assert names[0] == "started" and names[-1] == "ended" and "u69" in names
    kept = [int(name[1:]) for name in names if name[0] == "u"]
    gaps = [kept[i + 1] - kept[i] for i in range(len(kept) - 1)]
    assert kept == sorted(kept) and max(gaps) <= 2


def test_a_station_that_is_offline_for_ever_does_not_grow_for_ever():
    box = Box()
    for i in range(200):
        box.add(TRANSACTION, "s%d" % i, online=False)
    names = box.drain()
    assert len(names) <= 61
    assert names[-1] == "s199"


def test_a_driver_who_waits_is_not_dropped_for_the_events_that_do():
    box = Box()
    box.add(DRIVER, "authorize")
    for number in range(62):
        box.add(TRANSACTION, "started %d" % number)
    names = box.drain()
    assert names[0] == "authorize" and "started 0" not in names and "started 61" in names
