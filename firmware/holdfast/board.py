"""The chip below the agent: resets and why they came, what outlives them, the watchdog; with fall-backs for the desk.

Every run begins with `begin` and ends with `end`, unless the power fails, the watchdog bites or MicroPython itself
gives up. That is how crashes in a row are counted, in NVS, which survives everything. After LIMIT of them the agent
starts without its station: safe mode. Where there is no `machine` or `esp32` nothing is kept and nothing is counted.
"""

import os
import sys
from binascii import hexlify

try:
    import machine
except ImportError:
    machine = None
if not hasattr(machine, "reset_cause"):  # not on a board
    machine = None
try:
    import esp32
except ImportError:
    esp32 = None

LIMIT = 3  # crashes in a row until safe mode
AT_REPL = 900  # s that a watchdog is kept quiet for whoever is at the REPL
HEALTHY = 600_000  # ms of running after which a crash is no longer one in a row

ON_PURPOSE, RUNNING, CRASHED = range(3)  # how the last run ended: RUNNING means that it could not say

OUTPUTS = "outputs"  # key of the blob for `quiet`

boots = crashes = 0
reason = "Unknown"  # BootReasonEnumType
_timer = None  # that feeds the watchdog at the REPL


def recall(key, default=0):
    """An integer from NVS."""
    try:
        return esp32.NVS("holdfast").get_i32(key) if esp32 else default
    except OSError:  # never written
        return default


def remember(*pairs):
    """Put integers into NVS: key, value, key, value... Without NVS, or when it fails, nothing happens."""
    try:
        if esp32:
            nvs = esp32.NVS("holdfast")
            for index in range(0, len(pairs), 2):
                nvs.set_i32(pairs[index], pairs[index + 1])
            nvs.commit()
    except OSError:
        pass  # a station that charges and cannot count is better than none


def begin():
    """A run begins: find out how the last one ended. Sets `boots`, `crashes` in a row and the boot `reason`.

    | machine.reset_cause(), from ESP-IDF's (ports/esp32/modmachine.c) | the last run ended | reason |
    | --- | --- | --- |
    | PWRON_RESET: power came, or was too low for a moment (brown-out) | | PowerUp |
    | WDT_RESET: one of the watchdogs | | Watchdog |
    | HARD_RESET: machine.reset(), a panic | by a crash, or could not say | ApplicationReset |
    | SOFT_RESET: of the interpreter only | by a crash, or could not say | ApplicationReset |
    | SOFT_RESET | on purpose: Ctrl-D, or a tool at the REPL | LocalReset |
    | anything else: DEEPSLEEP_RESET, 0 for a reset over USB | | Unknown |

    A restart that somebody asked for is no matter of the chip: the station has a record of it, which comes first.
    """
    global boots, crashes, reason
    if not machine:
        return
    cause = machine.reset_cause()
    ended = recall("ended", ON_PURPOSE)
    # A power failure is no crash, and who switches off and on wants another try. A reset over USB says nothing.
    crashed = cause != machine.PWRON_RESET and (ended == CRASHED or ended == RUNNING and cause in (
        machine.WDT_RESET, machine.SOFT_RESET, machine.HARD_RESET))
    crashes = recall("crashes") + 1 if crashed else 0
    boots = recall("boots") + 1
    remember("boots", boots, "crashes", crashes, "ended", RUNNING)
    if cause == machine.PWRON_RESET:
        reason = "PowerUp"
    elif cause == machine.WDT_RESET:
        reason = "Watchdog"
    elif crashed:
        reason = "ApplicationReset"
    elif cause == machine.SOFT_RESET:
        reason = "LocalReset"


def end(how):
    """This run is over: ON_PURPOSE or CRASHED."""
    remember("ended", how)


def forgive():
    """No crash so far counts any more."""
    global crashes
    if crashes:
        crashes = 0
        remember("crashes", 0)


def known_time(utc=None):
    """UTC in seconds: it is at least that late, the CSMS of an earlier run said so; None: none ever did.

    With `utc`: note it, to the minute, in NVS, which survives a loss of power and of the file system. Once for each
    start and daily is nothing: a page of NVS takes 126 such entries before it is erased (docs.espressif.com,
    "Non-Volatile Storage Library").
    """
    if utc is not None:
        remember("minutes", utc // 60)  # of seconds, 32 bits have had enough in 2038
    return recall("minutes") * 60 or None


def trouble():
    """What _boot.py had to say about the file system and the agent in ROMFS, until forget("trouble"); "": nothing."""
    return str(blob("trouble", None, 120), "utf-8")


def reset():
    """Restart the board; where there is none, end the program."""
    if machine:
        machine.reset()
    sys.exit()


def watchdog(seconds):
    """A started machine.WDT, or None where there is none, or with 0. It cannot be stopped, not even by a soft reset."""
    global _timer
    if _timer:
        _timer.deinit()
        _timer = None
    if not machine:
        return None
    remember("watchdog", seconds)  # for `hold`
    return machine.WDT(timeout=1000 * seconds) if seconds else None


def heaps():
    """ESP-IDF's heaps as (total, free, largest block, least free ever) of each; none where there is no ESP-IDF."""
    return esp32.idf_heap_info(esp32.HEAP_DATA) if esp32 else []


def backup(text=None):
    """The bytes that survive every reset but a loss of power; with `text`: put it there. Only with a chip."""
    memory = machine.RTC().memory
    return memory() if text is None else memory(text)


def hold():
    """A person or a tool is at the REPL: feed a watchdog that runs on there, for a while. Then it may bite."""
    global _timer
    seconds = recall("watchdog")
    if seconds and hasattr(machine, "Timer") and not _timer:
        feeder = machine.WDT(timeout=1000 * seconds)  # the one that runs: there is no other way to get at it
        left = [AT_REPL]

        def feed(timer):
            left[0] -= 1
            if left[0] >= 0:
                feeder.feed()

        _timer = machine.Timer(0)
        _timer.init(period=1000, mode=machine.Timer.PERIODIC, callback=feed)


def blob(key, content=None, most=264):
    """The bytes of a key in NVS, b"" where there are none, or more than `most`; with `content`: put them there.

    `most` is enough for a password, of 64 characters of 4 bytes, and the 8 that say whom it is for.
    """
    found = bytearray(most)
    try:
        nvs = esp32.NVS("holdfast")
        if content is None:
            return bytes(found[:nvs.get_blob(key, found)])
        nvs.set_blob(key, content)
        nvs.commit()
    except (AttributeError, OSError):  # no NVS, or nothing in it
        pass
    return b""


def forget(*keys):
    """Remove keys from NVS, those that are there."""
    for key in keys:
        try:
            nvs = esp32.NVS("holdfast")
            nvs.erase_key(key)
            nvs.commit()
        except (AttributeError, OSError):  # no NVS, or nothing in it
            pass


def quiet():
    """Switch off the outputs that a driver noted as the blob OUTPUTS, a byte for each: its GPIO, + 0x80 if off is high.

    To be done before anything else: a reset by the watchdog, by a panic or by machine.reset() is one of the CPUs only,
    and a GPIO goes on driving what it drove (docs.espressif.com, "Miscellaneous System APIs", esp_restart). Not when
    power has just come: then they float, and may have been wired anew. A brown-out, as of a contactor that pulls in,
    is called power-on too, but ESP-IDF answers it with such a reset (components/esp_system/port/brownout.c): it is
    told by the log in the memory that only a loss of power takes.
    """
    if machine.reset_cause() != machine.PWRON_RESET or backup():
        for output in blob(OUTPUTS):
            machine.Pin(output & 127, machine.Pin.OUT, value=output >> 7)


def random(most):
    """A number from 0 to `most`, drawn anew."""
    return int.from_bytes(os.urandom(4), "big") % (most + 1)


def identity():
    """Six hexadecimal digits that tell this board from others."""
    return hexlify(machine.unique_id()[-3:]).decode() if machine else "000000"


def button(number):
    """The pin of a button that is low while it is pressed. Raises ValueError, also where there are no pins."""
    if not hasattr(machine, "Pin"):
        raise ValueError("no pins here")
    return machine.Pin(number, machine.Pin.IN, machine.Pin.PULL_UP)


def network():
    """The module `network` of this board. ImportError where there is none."""
    import network

    return network
