"""holdfast.clock: RFC 3339 in both directions, and the clock that the CSMS sets."""

import random

from holdfast.clock import Clock, parse, rfc3339


def refused(text):
    try:
        parse(text)
    except ValueError:
        return True
    return False


def test_known_moments_are_read():
    for text, seconds in (
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59Z", -1),
            ("2000-01-01T00:00:00Z", 946684800),
            ("2001-09-09T01:46:40Z", 1000000000),
            ("2038-01-19T03:14:08Z", 2147483648),
            ("0000-01-01T00:00:00Z", -62167219200),
            ("9999-12-31T23:59:59Z", 253402300799)):
        assert parse(text) == seconds, text


def test_known_moments_are_written():
    for seconds, text in (
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (951782400, "2000-02-29T00:00:00Z"),
            (1107216000, "2005-02-01T00:00:00Z"),
            (4107542400, "2100-03-01T00:00:00Z"),
            (-62167219200, "0000-01-01T00:00:00Z"),
            (253402300799, "9999-12-31T23:59:59Z")):
        assert rfc3339(seconds) == text, (seconds, rfc3339(seconds))


def test_an_offset_is_taken_off():
    utc = parse("2026-11-23T02:00:00Z")
    for text in ("2026-11-23T04:00:00+02:00", "2026-11-22T20:30:00-05:30", "2026-11-24T01:59:00+23:59",
                 "2026-11-22T02:01:00-23:59", "2026-11-23T02:00:00+00:00", "2026-11-23T02:00:00-00:00"):
        assert parse(text) == utc, text


def test_lowercase_t_and_z_are_read():
    assert parse("2026-11-23t02:00:00z") == parse("2026-11-23T02:00:00Z")


def test_a_fraction_of_one_to_nine_digits_is_cut_off():
    whole = parse("2026-11-23T02:00:00Z")
    for count in range(1, 10):
        assert parse("2026-11-23T02:00:00." + "9" * count + "Z") == whole
        assert parse("2026-11-23T03:00:00." + "9" * count + "+01:00") == whole
    assert refused("2026-11-23T02:00:00.Z")
    assert refused("2026-11-23T02:00:00.1234567890Z")
    assert refused("2026-11-23T02:00:00,5Z")


def test_a_leap_second_is_the_second_after_it():
    for text in ("2016-12-31T23:59:60Z", "2017-01-01T00:59:60+01:00", "2016-12-31T18:59:60-05:00"):
        assert parse(text) == parse("2017-01-01T00:00:00Z"), text


def test_a_leap_second_in_the_middle_of_a_day_is_refused():
    for text in ("2016-12-31T12:00:60Z", "2016-12-31T23:59:60+01:00", "2016-12-31T23:59:61Z"):
        assert refused(text), text


def test_only_days_of_the_calendar_are_read():
    for text in ("2026-00-10", "2026-13-10", "2026-01-00", "2026-01-32", "2026-04-31", "2026-06-31", "2026-09-31",
                 "2026-11-31", "2026-02-29", "2100-02-29", "2024-02-30"):
        assert refused(text + "T00:00:00Z"), text
    for text in ("2024-02-29", "2000-02-29", "2026-01-31", "2026-07-31", "2026-08-31", "2026-12-31"):
        assert rfc3339(parse(text + "T00:00:00Z")) == text + "T00:00:00Z"


def test_only_times_of_a_day_are_read():
    for text in ("24:00:00Z", "23:60:00Z", "23:59:61Z", "23:59:59+24:00", "23:59:59+00:60", "23:59:59-99:99"):
        assert refused("2026-11-23T" + text), text


def test_anything_else_is_refused():
    for text in ("", "Z", "2026-11-23", "2026-11-23T02:00:00", "2026-11-23 02:00:00Z", "2026-11-23T02:00Z",
                 "2026-11-23T02:00:00+01", "2026-11-23T02:00:00+0100", "2026-11-23T02:00:00 Z", "2026-11-23T02:00:00ZZ",
                 " 2026-11-23T02:00:00Z", "2026-11-23T02:00:00Z\n", "2026/11/23T02:00:00Z", "2026-11-23T02.00.00Z",
                 "+026-11-23T02:00:00Z", "2026-1 -23T02:00:00Z", "2026-11-23T-2:00:00Z", "20261123T020000Z",
                 "2026-11-23T02:00:00*01:00", "2026-11-23T02:00:00+01-00", "2026-11-23T02:00:00+-1:00",
                 "2026-11-23T02:00:00.1e3Z", "26-11-23T02:00:00Z", "02026-11-23T02:00:00Z", "2026-13-45T99:99:99Z",
                 "2026-11-23T02:00:0\u0662Z", "\u0662026-11-23T02:00:00Z", "2026-11-23T02:00:00\u017d", "Z" * 9000):
        assert refused(text), text


def test_every_single_character_of_a_date_matters():
    good = "2026-11-23T02:00:00.5+01:00"
    for at in range(len(good)):
        for other in "x:,- \u00e9":
            if other == good[at] or (other == "-" and good[at] == "+"):
                continue
            assert refused(good[:at] + other + good[at + 1:]), (at, other)
        assert refused(good[:at] + good[at + 1:]), at


def test_what_is_written_is_read_back():
    seed = random.getrandbits(30)
    print("seed", seed)
    random.seed(seed)
    for _ in range(300):
        seconds = random.getrandbits(30) * 293 - 62167219200
        text = rfc3339(seconds)
        assert parse(text) == seconds, (seconds, text)


def test_months_follow_each_other():
    # The last second of each month and the first of the next, in years with and without a leap day.
    for year in range(1999, 2400, 7):
        for month in range(1, 13):
            first = parse("%04d-%02d-01T00:00:00Z" % (year, month))
            before = rfc3339(first - 1)
            assert parse(before) == first - 1
            assert rfc3339(first) == "%04d-%02d-01T00:00:00Z" % (year, month)
            assert before[11:] == "23:59:59Z" and before[5:7] == "%02d" % (month - 1 or 12)


def test_a_fresh_clock_does_not_know_the_time():
    clock = Clock()
    assert not clock.is_set
    assert clock.utc(0) is None and clock.utc(10 ** 12) is None


def test_a_clock_goes_on_from_the_moment_it_was_set():
    clock = Clock()
    clock.set(1795392000, 5000)
    assert clock.is_set
    assert clock.utc(5000) == 1795392000
    assert clock.utc(5999) == 1795392000
    assert clock.utc(6000) == 1795392001
    # A month of milliseconds is far beyond the small integers of 32-bit MicroPython.
    assert clock.utc(5000 + 31 * 86400 * 1000) == 1795392000 + 31 * 86400


def test_a_clock_does_not_go_slow_by_being_asked():
    clock = Clock()
    clock.set(1_000_000, 0)
    for now in range(0, 3_600_000, 1999):
        assert clock.utc(now) == 1_000_000 + now // 1000, now


def test_the_text_of_a_clock_that_is_set_again_is_the_new_one():
    clock = Clock()
    for utc in (1_000_000, 2_000_000):
        clock.set(utc, 0)
        assert clock.text(0) == rfc3339(utc)


def test_setting_a_clock_again_replaces_what_it_knew():
    clock = Clock()
    clock.set(1795392000, 5000)
    clock.set(1700000000, 6000)
    assert clock.utc(7000) == 1700000001


def test_a_clock_set_to_1970_is_set():
    clock = Clock()
    clock.set(0, 0)
    assert clock.is_set and clock.utc(0) == 0


def test_a_shift_lasts_until_the_clock_is_set():
    clock = Clock()
    clock.set(1795392000, 0)
    clock.shift(3600)
    assert clock.utc(1000) == 1795395601
    clock.shift(-7200)
    assert clock.utc(1000) == 1795388401
    clock.set(1795392000, 0)
    assert clock.utc(1000) == 1795392001


def test_shifting_an_unknown_time_leaves_it_unknown():
    clock = Clock()
    clock.shift(60)
    assert clock.utc(0) is None
    clock.set(100, 0)
    assert clock.utc(0) == 100
