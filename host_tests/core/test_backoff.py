"""How long to wait before the next attempt to connect (OCPP-J 2.0.1 §5.3)."""

from holdfast.link import backoff_seconds, request_target


def waits(count, minimum, random_range, repeat_times, random=lambda n: 0):
    return [backoff_seconds(failures, minimum, random_range, repeat_times, random) for failures in range(count)]


def test_the_wait_doubles_with_each_failed_attempt():
    assert waits(4, 10, 0, 5) == [10, 20, 40, 80]


def test_the_wait_stops_doubling_after_repeat_times():
    assert waits(6, 10, 0, 2) == [10, 20, 40, 40, 40, 40]


def test_repeat_times_zero_never_doubles():
    assert waits(3, 7, 0, 0) == [7, 7, 7]


def test_the_random_part_is_drawn_anew_each_time_and_not_doubled():
    drawn = [3, 1, 2]
    assert waits(3, 10, 5, 5, lambda n: drawn.pop(0)) == [13, 21, 42]


def test_the_random_part_is_asked_for_with_the_range():
    asked = []
    backoff_seconds(0, 10, 30, 5, lambda n: asked.append(n) or 30)
    assert asked == [30]


def test_no_wait_is_longer_than_a_day():
    assert backoff_seconds(1000000, 86400, 86400, 1000000, lambda n: n) == 86400
    assert backoff_seconds(40, 1, 0, 40, lambda n: 0) == 86400


def test_no_wait_is_shorter_than_a_second():
    assert backoff_seconds(0, 0, 0, 5, lambda n: 0) == 1


def test_the_station_id_goes_percent_encoded_to_the_end_of_the_path():
    assert request_target("", "CS-1_a.b") == "/CS-1_a.b"
    assert request_target("/ocpp/v2", "a+b|c@d=e*f") == "/ocpp/v2/a%2Bb%7Cc%40d%3De%2Af"
