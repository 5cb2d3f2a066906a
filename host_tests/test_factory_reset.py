"""`factory-reset` on the virtual board: what is gone, what stays, and what a power cut in the middle leaves."""

import contextlib
import json
import random

import pytest
from holdfast.flash import framed
from holdfast.transactions import Event, Transaction
from virtual_boards import ask, at_repl

from tools import image
from tools.board_console import BoardError
from tools.provision import bound

NOWHERE = "ws://127.0.0.1:9/"
RECORDS = {"records/" + name: framed(name, content) for name, content in (
    ("reservation-7", b"what one holds, or not"), ("availability", b"\x01"),
    ("event-00000001", Event("Ended", "StopAuthorized", Transaction("0" * 36), "EVConnected").record()),
    ("transaction-1", Transaction("1" * 36).record(None)),
    ("variable-OCPPCommCtrlr.HeartbeatInterval", b"60"))}


@pytest.fixture
def station(make_board):
    """A station at work, with everything on it that one may have."""
    files = image.charger_files(NOWHERE, "HOLDFAST-1")
    program = dict(files)
    del program["config.json"]
    files.update({"ca_certificate.pem": "x", "crash.txt": "y", **RECORDS})
    board = make_board(files, size=512 * 4096)
    secrets = {"password": bound(NOWHERE) + b"a password of a station", "wifi_password": bound("home") + b"12345678",
               "password2": b"x", "wifi_password2": b"x", "client_key": b"x", "client_key2": b"x",
               "web_codes": b"x" * 60,
               "file0": b"/config.json\0{}"}
    kept = {"holdfast": {key: ["b", list(value)] for key, value in secrets.items()}}
    kept["holdfast"]["boots"] = ["i", 41]
    with open(board.image + ".nvs", "w") as file:
        file.write(json.dumps(kept) + "\n")
    board.power_on()
    board.read_until("next attempt", 10)
    board.program = program
    return board


def nvs(board):
    with open(board.image + ".nvs") as file:
        return json.loads(file.readline())["holdfast"]


def test_nothing_of_the_station_is_left_but_its_program(station):
    assert station.command("factory-reset HOLDFAST-1").ok == "ok erasing, then restarting"
    station.read_until("not off by itself", 10)
    station.power_cut()
    assert image.read_image(station.image) == station.program
    left = nvs(station)
    # The page is on again, and has made itself new codes.
    assert left.pop("web_codes")[1] != [120] * 60 and not [key for key, (kind, _) in left.items() if kind == "b"]
    assert left["boots"][1] == 43


def test_keep_keeps_the_reservations_and_what_the_csms_has_yet_to_hear(station):
    station.command("factory-reset HOLDFAST-1 keep")
    station.read_until("the file is missing", 10)
    station.power_cut()
    left = {name for name in image.read_image(station.image) if name.startswith("records/")}
    # The agent could make nothing of this reservation, and the transaction that ran became the event that ends it.
    assert left == {"records/reservation-7", "records/event-00000001", "records/event-00000002"}


def test_what_is_owed_of_a_transaction_that_no_agent_has_ended_yet_is_kept_too(make_board):
    """In safe mode there is no station that could end it."""
    files = image.charger_files(NOWHERE, "HOLDFAST-1")
    board = at_repl(make_board({name: files[name] for name in files if name != "main.py"} | RECORDS, size=512 * 4096))
    assert ask(board, "from holdfast.factory import erase; erase('', True)") == "[]"
    assert {name[8:] for name in image.read_image(board.image) if name.startswith("records/")} == {
        "reservation-7", "event-00000001", "transaction-1"}


def test_a_wrong_confirmation_erases_nothing(station):
    with pytest.raises(BoardError, match="repeat the station id"):
        station.command("factory-reset HOLDFAST-2")
    assert "station: HOLDFAST-1" in station.command("status")
    assert set(RECORDS) & set(image.read_image(station.image))


def test_a_power_cut_in_the_middle_leaves_a_station_that_can_be_told_again(station):
    seed = random.randrange(1000)
    print("seed", seed)
    station.cut_after(random.Random(seed).randrange(1, 8))
    with contextlib.suppress(BoardError):  # it may be off before it has answered
        station.command("factory-reset HOLDFAST-1")
    station.wait_off()
    left = image.read_image(station.image)
    assert "config.json" in left or not set(RECORDS) & set(left)  # or the next owner would have them
    station.power_on()
    known = "station: HOLDFAST-1" in station.command("status", 10)
    assert known == ("config.json" in image.read_image(station.image))
    station.command("factory-reset " + ("HOLDFAST-1" if known else "none"))
    station.read_until("restarting: LocalReset", 10)
    station.read_until("the file is missing", 10)
    station.power_cut()
    assert image.read_image(station.image) == station.program
