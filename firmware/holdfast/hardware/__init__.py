"""What a charging station can touch. One module here per kind of hardware, each with a class `Hardware`.

Hardware(config) is made once at power-on and opens every contactor before anything else. It offers:

* `attach(station, now)`: called once before anything else, and the time to tell what is already there: a cable that is
  plugged in at power-on is reported like one that is plugged in later. `now()` gives the monotonic milliseconds.
* `contactor(evse_id, closed)`: close or open the power path of an EVSE. The station calls it after every event that
  changes it. The call never fails and never waits. What opens because a session ends in which nothing is wrong may
  stay closed until the car has stopped drawing, for the seconds that the driver's standard names and as long as the
  driver looks; a faulted EVSE opens within the call.
* `open()`: open all contactors within the call, whatever the car does: something unforeseen happened, and perhaps
  nobody will ever look again. It never fails, and one that does not open keeps no other one closed. Called
  on Ctrl-C, before a restart and at the end of the program, after an exception in any task, and when `run` makes no
  progress.
* `run`: a coroutine function that watches the pins for ever and never blocks for longer than a few milliseconds; None
  when the driver needs no task of its own.
* `due`, only with `run`: the monotonic ms by which `run` will have looked again, for the watchdog to see; from
  `attach` on.
* `simulated`: True only if a console may pretend to be the car, the driver and the calendar; see simulated.py.

EVSEs are independent: a failure inside a driver opens the contactor of the EVSE where it happened, at once, and is
told as its fault. Only what can not be told any more, and what happens outside of a driver, opens them all.

A driver notes how to switch its outputs off for board.quiet, which does so after a reset that left them as they were:
also where the configuration is wrong, and in safe mode, when no driver is made.

What happens to the hardware is told to the station, from within the event loop and never from an interrupt:
`station.plugged(now, evse_id, connector_id)`, `unplugged(now, evse_id)`, `presented(now, id_token, type, evse_id)`,
`fault(now, evse_id, code)`, `fault_cleared(now, evse_id)`, `suspended(now, evse_id)`, `resumed(now, evse_id)`. The
agent notices by itself that the station has something to send afterwards.
"""

from ..payload import PROPERTY

DRIVERS = "simulated iec61851"  # names of the modules, separated by spaces


def _module(name):
    # Only the one that is configured is ever loaded.
    return __import__("holdfast.hardware." + name, None, None, ["Hardware"])


def driver(config):
    """The Hardware that config.hardware names."""
    return _module(config.hardware).Hardware(config)


def check(name, pins, evses):
    """The fault of the `pins` of config.json (None when there are none), or None: the driver called `name` knows.

    A driver that needs pins has `check(pins, evses)`, with evses as in Config; faults are payload.py's.
    """
    module = _module(name)
    if hasattr(module, "check"):
        return module.check(pins, evses)
    return None if pins is None else (PROPERTY, "", "%s hardware has no pins" % name)
