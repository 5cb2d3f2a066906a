"""Runs inside MicroPython on the desk and plays the part of the ESP32 port's `main.c`.

It puts the fakes in place, runs the firmware's own _boot.py, which finds the flash image as `flashbdev.bdev` and
mounts it, and then boot.py and main.py under the rules of the hardware: main.py only after a boot.py that did not fail,
and not at all when the host is in raw REPL mode. What it leaves behind looks like a board: the host's file system is
unmounted, sys.path and sys.argv are a board's.
"""

import binascii
import io
import os
import sys

import esp32
import machine
import network
import nor
import ports
import rtc
import vfs


def run(main_globals):
    """Power up, as the arguments in sys.argv say; returns when it is the REPL's turn."""
    image, directory, supervisor_fd, mode, cause, unique_id, program_us, erase_us, speed, *in_place = sys.argv[1:]
    romfs, frozen, heap_size = in_place or ("", "", "")
    supervisor = open(int(supervisor_fd), "r+b")
    device = nor.Nor(image, directory, supervisor, int(program_us), int(erase_us), romfs)
    rtc.power_up(directory)
    machine.power_up(supervisor, int(cause), binascii.unhexlify(unique_id))
    esp32.power_up(image, frozen)
    network.power_up(directory)
    ports.power_up(directory)
    if in_place:
        import heap
        import rom

        rom.power_up(device, romfs, frozen)
        sys.modules["gc"] = heap
    with open(sys.modules["power_up"].__file__.rsplit("/", 3)[0] + "/firmware/_boot.py") as file:
        frozen_boot = file.read()

    for module in (machine, esp32, network):
        sys.modules[module.__name__] = module
    sys.modules["time"] = rtc
    if speed != "1":
        rtc.hurry(int(speed))
    sys.modules["socket"] = ports
    for name in ("heap", "power_up", "nor", "ports", "rom", "rtc"):
        sys.modules.pop(name, None)
    sys.path[:] = ["", ".frozen", "/lib"]
    sys.argv[:] = []
    main_globals.pop("__file__", None)
    vfs.umount("/")
    if in_place:
        rom.auto_mount()
        heap.hold_back(int(heap_size))
        if romfs:
            sys.modules["vfs"] = rom
    try:
        boot(frozen_boot, device)
        supervisor.write(b"B")  # from here on Ctrl-C interrupts
        if execute("boot.py", main_globals) and mode == "friendly":
            execute("main.py", main_globals)
    except KeyboardInterrupt:
        pass  # it came between the two scripts, or a moment too late
    hand_over(supervisor)


def boot(source, device):
    """Run the frozen _boot.py, with the port's `flashbdev` in place."""

    class flashbdev:
        bdev = device

    sys.modules["flashbdev"] = flashbdev
    try:
        exec(source, {"__name__": "__main__"})
        os.chdir("/")
    except Exception as error:  # noqa: BLE001 (as main.c: it is printed, and the board goes on)
        sys.print_exception(error, sys.stdout)


def execute(name, main_globals):
    """Run a script of the board in the REPL's namespace; False when it failed, as on the hardware.

    A frozen one comes before one in the file system (shared/runtime/pyexec.c, pyexec_file_if_exists).
    """
    for path in ("/.frozen/" + name, name):
        try:
            os.stat(path)
            break
        except OSError:
            pass
    else:
        return True
    try:
        execfile(path, main_globals)  # noqa: F821 (a builtin of MicroPython)
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
