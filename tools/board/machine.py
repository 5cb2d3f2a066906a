"""The fake `machine` of the virtual board: resets, their cause, the watchdog, the identity of the chip and its clock.

Only what a virtual board can do truthfully is here; there are no pins to fake. Pages of docs.micropython.org/en/latest:

* library/machine.html: reset() is like pushing the reset button, soft_reset() resets the interpreter only. Their
  causes are what ports/esp32/modmachine.c says: HARD_RESET after reset() and after a panic, which is what the end of
  an interpreter by a signal stands for; WDT_RESET; SOFT_RESET; PWRON_RESET.
* library/machine.WDT.html: it starts when it is made, and once running can be neither stopped nor changed; feed()
  in time, or the board is reset. On an ESP32 it runs on through a soft reset, id is 0, and the timeout whole seconds.
* library/machine.RTC.html: memory() survives every reset but a loss of power.
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


class WDT:
    def __init__(self, id=0, timeout=5000):
        if id != 0 or timeout < 1000:
            raise ValueError("WDT timeout too short" if id == 0 else None)
        # The supervisor has the clock: it goes on when this interpreter does not.
        _supervisor.write(b"D%d;" % (timeout // 1000))

    def feed(self):
        _supervisor.write(b"F")


def freq():
    return 240000000


def _ask(what):
    _supervisor.write(what)
    while True:
        try:
            _supervisor.read(1)  # never answered: the supervisor ends this process
        except KeyboardInterrupt:
            pass
