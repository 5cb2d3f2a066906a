"""The whole agent on real MicroPython with the IEC 61851 driver: its configuration, its task, and Ctrl-C under load."""

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
    raise KeyboardInterrupt

if evse:
    asyncio.create_task(follow())
    asyncio.create_task(play())
    agent.run()
    print("contactor", bench.is_on(bench.evse(1), "contactor"), "duty", round(bench.duty(1)))
else:
    print(agent.config_error)
"""


def run(tmp_path, **changes):
    values = {"station_id": "A1", "csms_url": "ws://127.0.0.1:9/", "password": "0123456789abcdef",
              "evses": [{"connectors": ["sType2"]}], "hardware": "iec61851", "pins": [PINS]}
    values.update(changes)
    (tmp_path / "config.json").write_text(json.dumps(values))
    (tmp_path / "records").mkdir(exist_ok=True)
    program = PROGRAM % (str(HERE.parent / "firmware"), str(HERE / "core"), PINS, str(tmp_path))
    done = subprocess.run([MICROPYTHON, "-X", "heapsize=2M", "-c", program], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL)
    return done.stdout + done.stderr


def test_a_car_charges_and_ctrl_c_opens_the_contactor(tmp_path):
    output = run(tmp_path)
    for line in ("plugged 1 True", "duty 266", "contact True", "contactor False duty 1000"):
        assert line in output.splitlines(), output
    assert "in vain" not in output


def test_wrong_pins_are_told_by_the_configuration(tmp_path):
    wrong = dict(PINS, contactor=25)
    assert "pins[0]: GPIO 25 is used twice" in run(tmp_path, pins=[wrong])
    assert "pins: not an array" in run(tmp_path, pins=None)
