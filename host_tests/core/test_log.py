"""The log: bounded, one line each, no secrets."""

from holdfast.log import Log, masked


def new_log(utc=None, now=0, size=64, echo=None):
    return Log(lambda: (utc, now), size, echo)


def test_a_line_carries_seconds_since_boot_until_the_clock_is_set():
    log = new_log(now=12999)
    log("info", "hello")
    assert log.last(9) == ["+12s info hello"]


def test_a_line_carries_the_utc_time_of_day_once_the_clock_is_set():
    log = new_log(utc=1795399201)
    log("warning", "hello")
    assert log.last(9) == ["02:00:01 warning hello"]


def test_only_the_last_lines_are_kept():
    log = new_log(size=3)
    for number in range(10):
        log("info", "line %d" % number)
    assert [line[-1] for line in log.last(64)] == ["7", "8", "9"]


def test_the_last_lines_asked_for_are_the_youngest_oldest_first():
    log = new_log()
    for number in range(5):
        log("info", "line %d" % number)
    assert [line[-1] for line in log.last(2)] == ["3", "4"]
    assert log.last(0) == []


def test_long_lines_do_not_take_more_than_the_room_there_is():
    log = new_log()
    for _ in range(100):
        log("info", "x" * 1000)
    lines = log.last(100)
    assert sum([len(line) for line in lines]) <= 6000
    assert max([len(line) for line in lines]) <= 160 + 20
    assert lines[-1].endswith("...")


def test_a_stranger_cannot_start_a_line_of_his_own():
    log = new_log()
    log("info", "reason: \r\nok done\x1b[2J\x85\x7f")
    assert log.last(1) == ["+0s info reason: ??ok done?[2J???"]


def test_letters_that_a_serial_terminal_may_not_know_are_replaced():
    log = new_log()
    log("info", "S\u00e4ule")
    assert log.last(1) == ["+0s info S??ule"]


def test_half_a_surrogate_pair_is_no_obstacle():
    log = new_log()
    log("info", "x" + chr(0xD83D) + "y")
    assert len(log.last(1)) == 1


def test_debug_lines_are_kept_only_when_asked_for():
    log = new_log()
    log("debug", "quiet")
    log.threshold = "debug"
    log("debug", "loud")
    assert log.last(9) == ["+0s debug loud"]


def test_an_echo_hears_every_line_that_is_kept():
    heard = []
    log = new_log(echo=heard.append)
    log("debug", "no")
    log("error", "yes")
    assert heard == ["+0s error yes"]


def test_a_masked_token_shows_its_first_two_and_last_characters():
    assert masked("DEADBEEF42") == "DE***2"


def test_a_masked_token_never_shows_more_than_a_third():
    for size in range(0, 40):
        token = "".join([chr(65 + number % 26) for number in range(size)])
        assert len(masked(token).replace("*", "")) * 3 <= size


def test_a_short_token_is_hidden_altogether():
    assert masked("12345") == "***"
    assert masked("") == "***"


class Backup:
    """The memory that survives a reset."""

    def __init__(self, text=b""):
        self.text = text
        self.writes = 0

    def __call__(self, text=None):
        if text is None:
            return self.text
        self.writes += 1
        self.text = text.encode()


def test_the_youngest_lines_survive_a_reset():
    backup = Backup()
    log = Log(lambda: (None, 0), 64, None, backup)
    for number in range(100):
        log("info", "line %d" % number)
    log.save()
    assert len(backup.text) <= 1000
    later = Log(lambda: (None, 5000), 64, None, backup)
    later("info", "started again")
    assert later.last(3) == ["+0s info line 98", "+0s info line 99", "+5s info started again"]


def test_nothing_is_written_when_there_is_nothing_new():
    backup = Backup()
    log = Log(lambda: (None, 0), 64, None, backup)
    log.save()
    log("info", "one")
    log.save()
    log.save()
    assert backup.writes == 1


def test_rubbish_in_that_memory_becomes_printable():
    log = Log(lambda: (None, 0), 64, None, Backup(b"\xff\x00\n\n\x1b[2J"))
    assert log.last(9) == ["??", "?[2J"]
