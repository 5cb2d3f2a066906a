"""The whole agent on real MicroPython with the IEC 61851 driver: what ends a charge leaves the contactor open."""

import json
import os
import pathlib
import subprocess

HERE = pathlib.Path(__file__).parent
MICROPYTHON = os.environ.get("MICROPYTHON", "micropython")
PINS = {"pilot_pwm": 25, "pilot_adc": 36, "pilot_mv": [300, 2100], "contactor": 26, "mirror": 27, "amps": 16}
PROGRAM = """
import asyncio
import sys
sys.path[:0] = [%r, %r]
from fake_machine import Bench
bench = Bench([%r])
sys.modules["machine"] = bench.machine
from holdfast.agent import Agent
agent = Agent(%r)
evse = agent.config and agent.station.evses[0]

async def follow():
    while True:  # the bench keeps its own time
        await asyncio.sleep_ms(10)
        bench.us = max(bench.us, agent.now() * 1000 + 20_000_000)
        bench.rest(0)

async def until(fact):
    for _ in range(400):
        if fact():
            return
        await asyncio.sleep_ms(10)
    print("in vain")

def is_on():
    return bench.is_on(bench.evse(1), "contactor")

async def play():
    car = bench.evse(1).car
    # Nobody is online, but the holder of a reservation may charge all the same.
    agent.station.set_clock(agent.now(), "2026-11-23T12:00:00Z")
    print("reserved", agent.station.reserve(agent.now(), None, "DEADBEEF42", "ISO14443", 60, 1)[0])
    car.plug()
    await until(lambda: evse.plugged)
    print("plugged", evse.plugged, evse.suspended)
    agent.station.presented(agent.now(), "DEADBEEF42", "ISO14443", 1)
    await until(lambda: bench.duty(1) < 500)
    print("duty", round(bench.duty(1)))
    car.s2 = True
    await until(lambda: bench.evse(1).contact)
    print("contact", bench.evse(1).contact)
    await situation()

async def situation():
%s

if evse:
    asyncio.create_task(follow())
    asyncio.create_task(play())
    try:
        agent.run()
    except BaseException as error:
        print("ended by", type(error).__name__)
    print("contactor", is_on(), "duty", round(bench.duty(1)))
else:
    print(agent.config_error)
"""
CHARGES = ["plugged 1 True", "duty 266", "contact True"]


def run(tmp_path, situation="pass", **changes):
    values = {"station_id": "A1", "csms_url": "ws://127.0.0.1:9/", "password": "0123456789abcdef",
              "evses": [{"connectors": ["sType2"]}], "hardware": "iec61851", "pins": [PINS]}
    values.update(changes)
    (tmp_path / "config.json").write_text(json.dumps(values))
    (tmp_path / "records").mkdir(exist_ok=True)
    situation = "".join(f"    {line}\n" for line in situation.strip().split("\n"))
    program = PROGRAM % (str(HERE.parent / "firmware"), str(HERE / "core"), PINS, str(tmp_path), situation)
    done = subprocess.run([MICROPYTHON, "-X", "heapsize=2M", "-c", program], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL)
    return done.stdout + done.stderr


def opens(output, *lines):
    """A car charged, and after what happened then the contactor was open."""
    seen = output.splitlines()
    assert [line for line in CHARGES + list(lines) if line not in seen] == [], output
    assert "in vain" not in seen, output


def test_a_car_charges_and_ctrl_c_opens_the_contactor(tmp_path):
    opens(run(tmp_path, "raise KeyboardInterrupt"), "contactor False duty 1000")


def test_the_end_of_the_program_opens_the_contactor(tmp_path):
    opens(run(tmp_path, "raise SystemExit"), "ended by SystemExit", "contactor False duty 1000")


def test_a_bug_anywhere_in_the_agent_opens_the_contactor(tmp_path):
    output = run(tmp_path, """
tick = agent.link.tick
def fail(now):
    agent.link.tick = tick  # it happens once
    print("closed", is_on())
    raise RuntimeError("a bug")
agent.link.tick = fail
await until(lambda: not is_on())
await asyncio.sleep(1)  # the station knows of no reason not to give energy
print("after a while", is_on(), evse.transaction is not None)
raise KeyboardInterrupt
""")
    opens(output, "closed True", "after a while False True")


def test_a_bug_that_can_not_even_be_reported_opens_the_contactor(tmp_path):
    output = run(tmp_path, """
import holdfast.crash
def fail(*words):
    raise MemoryError
holdfast.crash.traceback = agent.link.tick = fail
await asyncio.sleep(5)
""")
    opens(output, "ended by MemoryError", "contactor False duty 1000")


def test_a_driver_whose_task_is_dead_leaves_the_contactor_open(tmp_path):
    output = run(tmp_path, """
def cancelled():
    raise asyncio.CancelledError
agent.hardware.look = cancelled
await until(lambda: not is_on())
agent.station.tick(agent.now())
await asyncio.sleep(1)
print("after a while", is_on())
raise KeyboardInterrupt
""")
    opens(output, "after a while False")


def test_a_driver_whose_task_makes_no_progress_leaves_the_contactor_open(tmp_path):
    output = run(tmp_path, """
agent.hardware.look = lambda: None
agent.hardware._now = lambda: agent.now() - 20_000  # that long ago
await until(lambda: not is_on())
raise KeyboardInterrupt
""")
    opens(output, "contactor False duty 1000")


def test_the_contactor_is_open_before_the_board_restarts(tmp_path):
    output = run(tmp_path, """
from holdfast import board
def reset():
    print("reset", is_on())
    raise SystemExit
board.reset = reset
agent.restart("LocalReset")
await asyncio.sleep(10)
""")
    opens(output, "reset False")


BOOT = """
import sys
sys.path[:0] = [%r, %r]
from fake_machine import Bench
bench = Bench([%r])
machine = bench.machine

class Nvs:
    def __init__(self, namespace):
        pass

    def get_blob(self, key, buffer):
        assert key == "outputs"
        buffer[:2] = bytes([26, 25])
        return 2

class Esp32:
    NVS = Nvs

machine.PWRON_RESET, machine.WDT_RESET, machine.SOFT_RESET = 1, 3, 5
machine.reset_cause = lambda: %d
class Rtc:
    memory = lambda self: %r
machine.RTC = Rtc
sys.modules["machine"], sys.modules["esp32"] = machine, Esp32
machine.Pin(26, machine.Pin.OUT, value=1)  # as the run before left it
with open(%r) as file:
    exec(file.read())
print("contactor", bench.is_on(bench.evse(1), "contactor"), "agent", "holdfast.agent" in sys.modules)
"""


def test_boot_py_opens_the_contactor_that_a_reset_by_the_watchdog_left_closed(tmp_path):
    # After a loss of power the pin was not driven in truth; if that memory has survived, it was a brown-out.
    for cause, kept, closed in ((3, b"", False), (1, b"", True), (1, b"log", False)):
        firmware = HERE.parent / "firmware"
        program = BOOT % (str(firmware), str(HERE / "core"), PINS, cause, kept, str(firmware / "boot.py"))
        done = subprocess.run([MICROPYTHON, "-c", program], capture_output=True, text=True, timeout=60)
        assert done.stdout == f"contactor {closed} agent False\n", done.stdout + done.stderr


def test_wrong_pins_are_told_by_the_configuration(tmp_path):
    wrong = dict(PINS, contactor=25)
    assert "pins[0]: GPIO 25 is used twice" in run(tmp_path, pins=[wrong])
    assert "pins: not an array" in run(tmp_path, pins=None)
