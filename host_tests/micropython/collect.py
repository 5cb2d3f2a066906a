"""Runs on MicroPython: a station and 150 reservations made and cancelled, under one way of collecting garbage.

Usage: micropython -X heapsize=200K collect.py POLICY, with firmware/ in MICROPYPATH. POLICY: "full" (only when nothing
is left), "each" (after each message), or a number for gc.threshold. Prints one JSON object: "peak", bytes in use at
most between messages; "hole", the largest free block afterwards; "ms" for all of it; "longest", ms of the slowest
message. micropython.mem_info() is where the hole comes from.
"""

import gc
import json
import os
import sys
import time

import micropython
from holdfast import config
from holdfast.hardware.simulated import Hardware
from holdfast.log import Log
from holdfast.station import Station

PAIRS = 150
CONFIG = {"station_id": "HOLDFAST-1", "csms_url": "ws://192.168.4.2/", "password": "a-password-of-some-length",
          "evses": [{"connectors": ["cCCS2", "cType2"]}, {"connectors": ["sType2"]}], "hardware": "simulated"}


class Records:
    """Flash that is a dict."""

    corrupt = problems = ()

    def __init__(self):
        self.stored = {}

    def load(self):
        return []

    def put(self, name, payload):
        self.stored[name] = payload

    def remove(self, name):
        self.stored.pop(name, None)


class Csms:
    def __init__(self, policy):
        self.now = 0
        self.each = policy == "each"
        self.peak = self.longest = 0
        hardware = Hardware(config.load(json.dumps(CONFIG)))
        settings = config.load(json.dumps(CONFIG))
        self.station = Station(settings, Records(), hardware, os.urandom, Log(lambda: (None, self.now)))
        hardware.attach(self.station, lambda: self.now)
        self.station.start(self.now)
        self.station.link_up(self.now)
        self.serve()

    def hear(self, text):
        begun = time.ticks_us()
        self.now += 100
        self.station.received(self.now, text)
        if self.each:
            gc.collect()
        self.longest = max(self.longest, time.ticks_diff(time.ticks_us(), begun))
        self.peak = max(self.peak, gc.mem_alloc())
        self.serve()

    def serve(self):
        for text in self.station.take_frames():
            frame = json.loads(text)
            if frame[0] == 2:
                payload = {}
                if frame[2] == "BootNotification":
                    payload = {"currentTime": "2026-11-23T12:00:00Z", "interval": 300, "status": "Accepted"}
                self.hear(json.dumps([3, frame[1], payload]))


def run(policy):
    if policy.isdigit():
        gc.threshold(int(policy))
    csms = Csms(policy)
    gc.collect()
    begun = time.ticks_ms()
    for number in range(PAIRS):
        csms.hear(json.dumps([2, "a%d" % number, "ReserveNow", {
            "id": number, "expiryDateTime": "2026-11-23T14:00:00Z", "evseId": 1,
            "idToken": {"idToken": "ABC12345", "type": "ISO14443"}}]))
        csms.hear(json.dumps([2, "b%d" % number, "CancelReservation", {"reservationId": number}]))
    took = time.ticks_diff(time.ticks_ms(), begun)
    gc.collect()
    micropython.mem_info()
    print(json.dumps({"peak": csms.peak, "ms": took, "longest": csms.longest / 1000}))


run(sys.argv[1])
