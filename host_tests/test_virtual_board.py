"""The virtual board behaves as an ESP32 does: start, resets, clock, console. Holdfast itself is not needed."""

# ruff: noqa: F811 (the fixture make_board is imported, and an argument of the tests)

import asyncio
import os
import re
import time

import pytest
from virtual_boards import CONSOLE, PROMPT, ask, at_repl, make_board  # noqa: F401

from tools import image
from tools.virtual_board import BoardError, VirtualBoard

# --- start and resets


def test_boot_py_runs_before_main_py_and_then_the_repl_comes(make_board):
    board = make_board({"boot.py": "print('boot')", "main.py": "print('main')"})
    board.power_on()
    assert board.read_until("Type").splitlines()[:2] == ["boot", "main"]


def test_main_py_is_not_run_after_a_boot_py_that_failed(make_board):
    board = make_board({"boot.py": "1/0", "main.py": "print('main')"})
    board.power_on()
    output = board.read_until(PROMPT)
    assert "ZeroDivisionError" in output and "main\r\n" not in output


def test_traceback_of_main_py_shows_the_board_only(make_board):
    board = make_board({"main.py": "def f():\n    return {}['x']\nf()\n"})
    board.power_on()
    trace = [line.strip() for line in board.read_until("KeyError: x").splitlines()]
    assert trace[1:-1] == ['File "main.py", line 3, in <module>', 'File "main.py", line 2, in f']


def test_names_set_by_main_py_are_there_at_the_repl(make_board):
    board = at_repl(make_board({"main.py": "station = 'the station'"}))
    assert ask(board, "station") == "'the station'"


def test_the_repl_of_a_blank_board_knows_no_names_of_the_supervisor(make_board):
    board = at_repl(make_board())
    assert ask(board, "dir(), __import__('sys').path") == "(['__name__'], ['', '.frozen', '/lib'])"


def test_power_on_is_told_from_hard_and_soft_reset(make_board):
    board = at_repl(make_board({"main.py": "import machine\nprint('cause', machine.reset_cause())"}))
    board.write("machine.reset()\r")
    board.read_until(PROMPT)
    board.write("machine.soft_reset()\r")
    board.read_until(PROMPT)
    board.power_cut()
    at_repl(board)
    causes = re.findall(r"cause (\d)", board.transcript)
    assert causes == ["1", "2", "5", "1"]  # PWRON_RESET, HARD_RESET, SOFT_RESET, PWRON_RESET


def test_soft_reset_says_so_and_hard_reset_does_not(make_board):
    board = at_repl(make_board())
    board.write("import machine; machine.reset()\r")
    assert "MPY: soft reboot" not in board.read_until(PROMPT)
    board.write("\x04")
    assert "MPY: soft reboot\r\n" in board.read_until(PROMPT)


def test_main_py_may_reset_the_board(make_board):
    main = "import machine\nif machine.reset_cause() == 1: machine.reset()\nprint('second run')"
    board = make_board({"main.py": main})
    board.power_on()
    board.read_until("second run")
    assert board.is_on


def test_a_board_that_lives_faster_waits_less_and_does_not_notice(make_board):
    board = make_board({"main.py": """
import asyncio, machine, time

def ticks():
    return time.ticks_ms(), time.ticks_us() // 1000

async def wait():
    await asyncio.sleep(20)
    try:
        await asyncio.wait_for(asyncio.Event().wait(), 20)
    except asyncio.TimeoutError:
        pass

if machine.reset_cause() != machine.WDT_RESET:
    begun = ticks()
    clock = time.time()
    time.sleep(20)
    time.sleep_ms(20_000)
    time.sleep_us(20_000_000)
    asyncio.run(wait())
    print("waited", [now - then >= 100_000 for now, then in zip(ticks(), begun)])
    print("by the clock", time.time() - clock < 15)
    machine.WDT(timeout=10_000)
    while True:
        pass
print("bitten")
"""}, speed=100)
    board.power_on()
    board.read_until("waited [True, True]\r\nby the clock True\r\n", 15)
    board.read_until("bitten")


def test_ram_is_lost_in_every_reset(make_board):
    board = at_repl(make_board())
    ask(board, "kept = 1")
    board.write("\x04")
    board.read_until(PROMPT)
    assert "NameError" in ask(board, "kept")


def test_clock_starts_in_2000_and_once_set_runs_on_until_the_power_is_cut(make_board):
    board = at_repl(make_board({"boot.py": "import machine, time"}))
    assert ask(board, "time.gmtime(0)[0], time.time() < 5") == "(2000, True)"
    ask(board, "machine.RTC().datetime((2026, 11, 23, 0, 2, 0, 0, 0))")
    board.write("machine.reset()\r")
    board.read_until(PROMPT)
    assert ask(board, "time.gmtime()[:4]") == "(2026, 11, 23, 2)"
    board.power_cut()
    at_repl(board)
    assert ask(board, "machine.RTC().datetime()[:3]") == "(2000, 1, 1)"


def test_unique_id_stays_the_same_and_differs_between_boards(make_board):
    first, second = at_repl(make_board()), at_repl(make_board())
    code = "__import__('machine').unique_id()"
    identity = ask(first, code)
    first.power_cut()
    at_repl(first)
    assert identity == ask(first, code) != ask(second, code)


def test_a_board_that_can_not_start_says_why(make_board, tmp_path):
    wrong = tmp_path / "micropython"
    wrong.write_text("#!/bin/sh\necho this is not MicroPython\n")
    wrong.chmod(0o755)
    board = make_board(micropython=str(wrong))
    with pytest.raises(BoardError) as error:
        board.power_on()
    assert error.value.lines == ["this is not MicroPython"] and not board.is_on


def test_boot_to_repl_takes_less_than_300_ms(make_board):
    board = make_board({"boot.py": "", "main.py": ""}, size=image.DEFAULT_SIZE)
    fastest = 1.0
    for _ in range(3):  # the machine may be busy with something else
        start = time.monotonic()
        at_repl(board)
        fastest = min(fastest, time.monotonic() - start)
        board.power_cut()
    assert fastest < 0.3


# --- console


def test_typed_bytes_reach_the_running_program_at_once_and_are_not_echoed(make_board):
    main = "import sys\nprint('ready')\nwhile True:\n    print('got', sys.stdin.read(1))\n"
    board = make_board({"main.py": main})
    board.power_on()
    board.read_until("ready")
    for letter in "xyz":
        board.write(letter)
        assert board.read_until("\r\ngot %s\r\n" % letter if letter == "x" else "got %s\r\n" % letter)
    assert board.transcript.count("x") == 1


def test_ctrl_c_ends_main_py_and_leads_to_a_repl_with_its_names(make_board):
    board = make_board({"main.py": CONSOLE})
    board.power_on()
    board.command("two")
    board.write("\x03")
    assert "KeyboardInterrupt" in board.read_until(PROMPT)
    board.write("station\r")
    board.read_until("\r\n'the station'\r\n")


def test_ctrl_c_twice_at_once_is_no_reset(make_board):
    board = make_board({"main.py": "print('go')\nwhile True: pass"})
    board.power_on()
    board.read_until("go")
    board.write("\x03\x03")
    board.read_until(PROMPT)
    assert "soft reboot" not in board.transcript


def test_ctrl_c_that_the_program_switched_off_reaches_it_as_a_byte(make_board):
    main = "import sys, micropython\nmicropython.kbd_intr(-1)\nprint('go')\nprint('got', ord(sys.stdin.read(1)))\n"
    board = make_board({"main.py": main})
    board.power_on()
    board.read_until("go")
    board.write("\x03")
    board.read_until("got 3")


def test_ctrl_c_never_interrupts_a_flash_operation(make_board):
    main = "print('go')\nwith open('f', 'wb') as f: f.write(bytes(9000))\nprint('written')\nwhile True: pass\n"
    board = make_board({"main.py": main}, program_us=2000, erase_us=20000)
    board.power_on()
    board.read_until("go")
    before = board.flash.operations
    while board.flash.operations == before:  # until the file is being written
        pass
    board.write("\x03")
    assert "written" in board.read_until(PROMPT)
    assert ask(board, "len(open('f').read())") == "9000"


def test_ctrl_c_stops_a_program_that_prints_without_end(make_board):
    board = make_board({"main.py": "while True: print('on and on')"})
    board.power_on()
    board.read_until("on and on")
    board.write("\x03")
    board.read_until(PROMPT, timeout=1)


def test_command_returns_its_lines_without_the_log(make_board):
    board = make_board({"main.py": CONSOLE})
    board.power_on()
    answer = board.command("two")
    assert (answer, answer.ok, answer.log) == (["first", "second"], "ok 2", ["# a log line"])


def test_command_that_is_answered_by_error_raises(make_board):
    board = make_board({"main.py": CONSOLE})
    board.power_on()
    with pytest.raises(BoardError, match="error no such command"):
        board.command("three")


def test_command_that_loses_its_power_fails_at_once(make_board):
    board = make_board({"main.py": CONSOLE})
    board.power_on()
    board.cut_after(1)
    with pytest.raises(BoardError, match="the board is off"):
        board.command("write", timeout=60)


def test_waiting_for_the_board_does_not_block_an_event_loop(make_board):
    board = make_board({"main.py": "import time\ntime.sleep(0.2)\nprint('done')"})

    async def story():
        ticks = 0
        await board.apower_on()
        waiting = asyncio.create_task(board.aread_until("done"))
        while not waiting.done():
            await asyncio.sleep(0.01)
            ticks += 1
        await board.apower_cut()
        return ticks

    assert asyncio.run(story()) >= 5


def test_a_program_may_type_and_print_a_lot(make_board):
    main = "import sys\nprint('ready')\nn = 0\nwhile n < 300000: n += len(sys.stdin.read(1000))\nprint('x' * 300000, n)"
    board = make_board({"main.py": main})
    board.power_on()
    board.read_until("ready")
    board.write("y" * 300000)
    assert "x" * 300000 in board.read_until(" 300000", timeout=10)


# --- several boards, the end of a board


def test_two_boards_do_not_disturb_each_other(make_board):
    boards = [make_board({"main.py": CONSOLE}) for _ in range(2)]
    for board in boards:
        board.power_on()
    assert boards[0].port != boards[1].port
    boards[0].fail_flash()
    boards[1].command("write")
    boards[0].power_cut()
    assert boards[1].command("two") == ["first", "second"]
    assert boards[0].flash.operations == 0


def test_one_image_is_not_shared_by_two_boards(make_board):
    board = make_board()
    with pytest.raises(BoardError, match="in use"):
        VirtualBoard(board.image)


def test_closed_board_leaves_no_port_and_no_process(make_board):
    board = at_repl(make_board())
    process = board._chip.process.pid
    client = os.open(board.port, os.O_RDWR | os.O_NOCTTY)
    board.close()
    assert os.read(client, 1) == b""  # hung up
    os.close(client)
    assert not os.path.exists("/proc/%d" % process)


def test_power_that_is_off_makes_the_port_silent(make_board):
    board = make_board()
    board.write("print(1)\r")
    assert board.transcript == "" and not board.is_on
