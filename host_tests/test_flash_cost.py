"""The targets for flash wear. Counted, not timed: the same on every machine."""

import functools

import pytest

from tools import flash_cost

measure = functools.cache(flash_cost.measure)


@pytest.mark.xdist_group("flash_cost")
@pytest.mark.parametrize("count, limit", [("programs", 2.1), ("erases", 0.05), ("bytes", 170)])
def test_reservation_change_with_the_longest_tokens_stays_cheap(count, limit):
    assert measure()["changes"] >= 1000
    assert measure()[count] <= limit


@pytest.mark.xdist_group("flash_cost")
@pytest.mark.parametrize("count, limit", [("programs", 1.7), ("erases", 0.05), ("bytes", 120)])
def test_reservation_change_with_a_usual_card_is_cheaper(count, limit):
    usual = measure()["kinds"][0]
    assert usual["worst"][count] <= limit
