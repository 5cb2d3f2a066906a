"""The fake `machine` of the virtual board: resets, their cause, the identity of the chip and its clock.

Only what a virtual board can do truthfully is here; there are no pins to fake.
"""

from rtc import RTC  # noqa: F401 (machine.RTC)

PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5

_supervisor = None
_cause = 0
_unique_id = b""


def power_up(supervisor, cause, identity):
    global _supervisor, _cause, _unique_id
    _supervisor, _cause, _unique_id = supervisor, cause, identity


def reset():
    """As the reset pin: a fresh interpreter, nothing is closed or flushed. Does not return."""
    _ask(b"H")


def soft_reset():
    """As Ctrl-D at the REPL. Does not return."""
    _ask(b"S")


def reset_cause():
    return _cause


def unique_id():
    """Six bytes, shaped like a MAC address, the same for the life of the flash image."""
    return _unique_id


def freq():
    return 240000000


def _ask(what):
    _supervisor.write(what)
    while True:
        try:
            _supervisor.read(1)  # never answered: the supervisor ends this process
        except KeyboardInterrupt:
            pass
