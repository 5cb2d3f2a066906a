"""Resets that are none of the pins: what a driver left switched on is switched off before anything else happens."""

from holdfast import board
from pilot_desk import EVSES, FULL, SECOND, PilotDesk


class Nvs:
    """The blobs of esp32.NVS."""

    stored = {}
    written = 0

    def __init__(self, namespace):
        pass

    def get_blob(self, key, buffer):
        if key not in Nvs.stored:
            raise OSError(-0x1102)
        content = Nvs.stored[key]
        buffer[:len(content)] = content
        return len(content)

    def set_blob(self, key, content):
        Nvs.stored[key] = bytes(content)
        Nvs.written += 1

    def commit(self):
        pass


class Esp32:
    NVS = Nvs


class Machine:
    """`machine` with a bench's pins, started by `cause`."""

    PWRON_RESET, HARD_RESET, WDT_RESET, SOFT_RESET = 1, 2, 3, 5

    def __init__(self, bench, cause, kept=b""):
        self.Pin = bench.machine.Pin
        self.cause = cause
        self.kept = kept

    def RTC(self):  # noqa: N802 (the name that MicroPython gives it)
        return self

    def memory(self):
        return self.kept  # library/machine.RTC: it survives all resets; nothing when power has just come

    def reset_cause(self):
        return self.cause


def on_board(act, machine=None):
    """What `act()` returns on a board with NVS."""
    kept = board.machine, board.esp32
    board.machine, board.esp32 = machine, Esp32
    try:
        return act()
    finally:
        board.machine, board.esp32 = kept


def charging():
    """A desk where both EVSEs charge and a lock motor runs, on a board with NVS."""
    Nvs.stored = {}
    desk = on_board(PilotDesk)
    desk.charging(1)
    desk.charging(2)
    desk.driver.ports[0]._put("lock", True)
    del desk.bench.touched[:]
    return desk


def outputs(desk):
    bench = desk.bench
    return [bench.is_on(bench.evse(1), name) for name in ("contactor", "lock", "unlock")] + [
        bench.is_on(bench.evse(2), "contactor")]


def test_a_reset_by_the_watchdog_a_panic_or_the_program_ends_in_open_contactors():
    for cause in (Machine.HARD_RESET, Machine.WDT_RESET, Machine.SOFT_RESET, 0):
        desk = charging()
        assert outputs(desk) == [True, True, False, True]
        on_board(board.quiet, Machine(desk.bench, cause))
        assert outputs(desk) == [False, False, False, False], cause
        assert desk.bench.touched[0] == 26  # the contactor before the rest


def test_after_such_a_reset_the_pilots_are_in_state_f_until_the_driver_is_there():
    desk = charging()
    on_board(board.quiet, Machine(desk.bench, Machine.WDT_RESET))
    assert desk.bench.millivolts(36) == 300 and desk.bench.millivolts(37) == 700  # -12 V


def test_when_power_has_just_come_the_pins_are_left_alone():
    desk = charging()
    on_board(board.quiet, Machine(desk.bench, Machine.PWRON_RESET))
    assert desk.bench.touched == []


def test_a_brown_out_is_called_power_on_and_leaves_pins_driven_all_the_same():
    desk = charging()
    on_board(board.quiet, Machine(desk.bench, Machine.PWRON_RESET, b"+5s info the log of before"))
    assert outputs(desk) == [False, False, False, False]


def test_a_board_without_such_a_driver_has_nothing_to_switch_off():
    desk = charging()
    Nvs.stored = {}
    on_board(board.quiet, Machine(desk.bench, Machine.WDT_RESET))
    assert desk.bench.touched == []


def test_the_outputs_are_noted_once_and_again_when_they_change():
    Nvs.stored = {}
    Nvs.written = 0
    for pins, written in (((FULL, SECOND), 1), ((FULL, SECOND), 1), ((SECOND,), 2), ((SECOND,), 2)):
        on_board(lambda pins=pins: PilotDesk(pins, EVSES[:len(pins)]))
        assert Nvs.written == written


def test_nvs_that_fails_is_no_reason_not_to_charge():
    def fail(namespace):
        raise OSError(-1)

    kept = Esp32.NVS
    Esp32.NVS = fail
    try:
        desk = on_board(PilotDesk)
        desk.charging()
    finally:
        Esp32.NVS = kept
