"""The agent's time, which must not wrap as a board's does."""

from holdfast.agent import monotonic

PERIOD = 1 << 30  # of time.ticks_ms on a 32-bit board: 12.4 days


def board_difference(later, earlier):
    """time.ticks_diff as a 32-bit board computes it."""
    return ((later - earlier + PERIOD // 2) & (PERIOD - 1)) - PERIOD // 2


class BoardTicks:
    """time.ticks_ms of a 32-bit board that has been up for `passed` ms."""

    def __init__(self, passed):
        self.passed = passed

    def __call__(self):
        return self.passed & (PERIOD - 1)


def test_it_begins_at_zero_whatever_the_ticks_are():
    for start in (0, 12345, PERIOD - 1):
        assert monotonic(BoardTicks(start), board_difference)() == 0


def test_it_counts_milliseconds():
    ticks = BoardTicks(500)
    now = monotonic(ticks, board_difference)
    ticks.passed += 1234
    assert now() == 1234
    assert now() == 1234


def test_it_does_not_wrap_with_the_ticks():
    ticks = BoardTicks(PERIOD - 10)
    now = monotonic(ticks, board_difference)
    ticks.passed += 20
    assert now() == 20


def test_it_keeps_counting_over_a_year():
    ticks = BoardTicks(0)
    now = monotonic(ticks, board_difference)
    day = 86400000
    for _ in range(73):
        before = now()
        ticks.passed += 5 * day
        assert now() == before + 5 * day
    assert now() == 365 * day
