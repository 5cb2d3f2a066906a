"""How runs begin and end: crashes in a row, why the board started; with a chip that forgets and one that does not."""

from holdfast import board, keep


class FakeNvs:
    """esp32.NVS: what was committed stays."""

    stored = {}

    def __init__(self, namespace):
        self.changes = {}

    def get_i32(self, key):
        if key not in FakeNvs.stored:
            raise OSError(-0x1102)
        return FakeNvs.stored[key]

    def set_i32(self, key, value):
        self.changes[key] = value

    def commit(self):
        FakeNvs.stored.update(self.changes)


class FakeTimer:
    PERIODIC = 1
    made = []

    def __init__(self, number):
        FakeTimer.made.append(self)

    def init(self, period, mode, callback):
        self.callback = callback

    def deinit(self):
        self.callback = None


class FakeWdt:
    def __init__(self, timeout):
        self.timeout = timeout
        FakeMachine.fed = 0

    def feed(self):
        FakeMachine.fed += 1


class FakeMachine:
    PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5
    Timer = FakeTimer
    WDT = FakeWdt
    cause = 1
    fed = 0

    @staticmethod
    def reset_cause():
        return FakeMachine.cause


class FakeEsp32:
    NVS = FakeNvs


def begin(cause, fresh=False):
    """A start with this cause; returns (reason, crashes)."""
    if fresh:
        FakeNvs.stored = {}
    FakeMachine.cause = cause
    kept = board.machine, board.esp32
    board.machine, board.esp32 = FakeMachine, FakeEsp32
    try:
        board.reason = "Unknown"
        board.begin()
        return board.reason, board.crashes
    finally:
        board.machine, board.esp32 = kept


def end(how):
    kept = board.esp32
    board.esp32 = FakeEsp32
    try:
        board.end(how)
    finally:
        board.esp32 = kept


def test_why_the_board_started_is_a_boot_reason_of_ocpp():
    for cause, ended, reason in ((1, board.RUNNING, "PowerUp"), (3, board.RUNNING, "Watchdog"),
                                 (2, board.CRASHED, "ApplicationReset"), (5, board.ON_PURPOSE, "LocalReset"),
                                 (3, board.CRASHED, "Watchdog"), (2, board.RUNNING, "ApplicationReset"),
                                 (5, board.RUNNING, "ApplicationReset"), (1, board.CRASHED, "PowerUp"),
                                 (2, board.ON_PURPOSE, "Unknown"), (4, board.ON_PURPOSE, "Unknown"),
                                 (0, board.RUNNING, "Unknown")):
        begin(1, True)
        end(ended)
        assert begin(cause)[0] == reason, (cause, ended)


def test_crashes_in_a_row_are_counted_whatever_kind_they_are():
    begin(1, True)
    assert begin(3)[1] == 1  # the watchdog
    end(board.CRASHED)
    assert begin(2)[1] == 2  # an exception
    assert begin(2)[1] == 3  # MicroPython gave up
    assert FakeNvs.stored["boots"] == 4


def test_a_restart_on_purpose_ends_the_row():
    begin(1, True)
    begin(3)
    end(board.ON_PURPOSE)
    assert begin(2)[1] == 0


def test_power_that_comes_back_ends_the_row():
    begin(1, True)
    begin(3)
    end(board.CRASHED)
    assert begin(1)[1] == 0


def test_the_first_start_ever_is_no_crash():
    assert begin(2, True) == ("Unknown", 0)


def test_the_last_known_time_is_kept_to_the_minute_and_beyond_2038():
    kept = board.esp32
    board.esp32 = FakeEsp32
    FakeNvs.stored = {}
    try:
        assert board.known_time() is None
        for utc in (1_800_000_059, 5_000_000_000, 1_700_000_000):
            assert board.known_time(utc) == utc // 60 * 60 == board.known_time()
            assert -0x80000000 <= FakeNvs.stored["minutes"] <= 0x7FFFFFFF
    finally:
        board.esp32 = kept
    assert board.known_time(1_800_000_000) is None  # nothing keeps it here


def test_a_reset_over_usb_is_no_crash():
    begin(1, True)
    assert begin(0)[1] == 0


def test_without_a_chip_nothing_is_counted():
    kept = board.machine, board.esp32
    board.machine = board.esp32 = None
    board.reason = "Unknown"
    try:
        board.begin()
        assert (board.crashes, board.reason) == (0, "Unknown")
        assert board.heaps() == [] and board.trouble() == ""
        board.forget("trouble")
        assert board.watchdog(30) is None
    finally:
        board.machine, board.esp32 = kept


def test_boards_are_told_apart_by_the_end_of_their_address_the_beginning_is_the_maker_s():
    kept = board.machine
    board.machine = FakeMachine
    FakeMachine.unique_id = lambda: b"\x24\x0a\xc4\x12\x34\xef"
    try:
        assert board.identity() == "1234ef"
    finally:
        board.machine = kept


def test_nvs_that_cannot_even_be_opened_stops_nothing():
    """As when its partition is worn out (docs.espressif.com, nvs_open: ESP_ERR_NVS_NOT_INITIALIZED)."""

    def fail(namespace):
        raise OSError(-0x1101, "ESP_ERR_NVS_NOT_INITIALIZED")

    class Esp32:
        NVS = fail

    kept = board.machine, board.esp32
    board.machine, board.esp32 = FakeMachine, Esp32
    try:
        FakeMachine.cause = 3
        board.begin()
        assert (board.crashes, board.reason) == (0, "Watchdog")
        assert board.known_time(1_800_000_000) is None
        assert board.trouble() == ""
        keep.forget()
    finally:
        board.machine, board.esp32 = kept


def test_no_memory_for_a_copy_of_the_configuration_stops_nothing():
    class Config:
        ca_certificate = client_certificate = client_key = None

    def full(path, mode):
        raise MemoryError

    keep.open = full
    try:
        assert keep.keep("", Config) == []
    finally:
        del keep.open


def test_at_the_repl_a_running_watchdog_is_fed_for_a_while_and_by_the_agent_afterwards():
    kept = board.machine, board.esp32
    board.machine, board.esp32 = FakeMachine, FakeEsp32
    FakeNvs.stored = {}
    try:
        board.hold()
        assert FakeTimer.made == []  # none is running
        assert board.watchdog(0) is None
        board.hold()
        assert FakeTimer.made == []
        assert board.watchdog(30).timeout == 30_000
        board.hold()
        timer = FakeTimer.made[0]
        for _ in range(board.AT_REPL + 10):
            timer.callback(timer)
        assert FakeMachine.fed == board.AT_REPL
        board.watchdog(30)
        assert timer.callback is None
        assert board.watchdog(0) is None
        board.hold()
        assert len(FakeTimer.made) == 1  # whoever switched the watchdog off does not want another one
    finally:
        board.machine, board.esp32 = kept
        FakeTimer.made.clear()
