"""Runs inside MicroPython on the desk and plays the part of the ESP32 port's `_boot.py` and `main.c`.

It mounts the flash image as `/`, puts the fake `machine` and `time` in place, and runs boot.py and main.py under the
rules of the hardware: main.py only after a boot.py that did not fail, and not at all when the host is in raw REPL mode.
What it leaves behind looks like a board: the host's file system is unmounted, sys.path and sys.argv are a board's.
"""

import binascii
import io
import os
import sys

import machine
import nor
import rtc
import vfs

CORRUPTED = "The filesystem appears to be corrupted: not mounted, boot.py and main.py not run."


def run(main_globals):
    """Power up, as the arguments in sys.argv say; returns when it is the REPL's turn."""
    image, directory, supervisor_fd, mode, cause, unique_id, program_us, erase_us = sys.argv[1:]
    supervisor = open(int(supervisor_fd), "r+b")
    device = nor.Nor(image, directory, supervisor, int(program_us), int(erase_us))
    rtc.power_up(directory)
    machine.power_up(supervisor, int(cause), binascii.unhexlify(unique_id))

    sys.modules["machine"] = machine
    sys.modules["time"] = rtc
    for name in ("power_up", "nor", "rtc"):
        sys.modules.pop(name, None)
    sys.path[:] = ["", ".frozen", "/lib"]
    sys.argv[:] = []
    main_globals.pop("__file__", None)
    vfs.umount("/")
    try:
        mounted = mount(device)
        supervisor.write(b"B")  # from here on Ctrl-C interrupts
        if not mounted:
            print(CORRUPTED)
        elif execute("boot.py", main_globals) and mode == "friendly":
            execute("main.py", main_globals)
    except KeyboardInterrupt:
        pass  # it came between the two scripts, or a moment too late
    hand_over(supervisor)


def mount(device):
    """Mount as the ESP32 port does: format a blank flash, never a flash that holds something."""
    if nor.blank(device):
        vfs.VfsLfs2.mkfs(device)
    try:
        vfs.mount(device, "/")
    except OSError:
        return False
    os.chdir("/")
    return True


def execute(name, main_globals):
    """Run a script of the board in the REPL's namespace; False when it failed, as on the hardware."""
    try:
        os.stat(name)
    except OSError:
        return True
    try:
        execfile(name, main_globals)  # noqa: F821 (a builtin of MicroPython)
        return True
    except SystemExit:
        return False
    except BaseException as error:  # noqa: BLE001 (the outermost level: it stands for the interpreter's own main loop)
        trace = io.StringIO()
        sys.print_exception(error, trace)
        for line in trace.getvalue().split("\n")[:-1]:
            if "power_up.py" not in line and "start.py" not in line:
                print(line)
        return False


def hand_over(supervisor):
    """Tell the supervisor that the REPL comes next and wait until it has taken all output so far."""
    supervisor.write(b"R")
    while True:
        try:
            supervisor.read(1)
            return
        except KeyboardInterrupt:
            pass
