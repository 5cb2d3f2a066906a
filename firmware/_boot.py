"""Run by MicroPython before boot.py: mounts the file system, chooses the agent. Frozen, in place of the port's own.

The port's own prints for ever when the file system is damaged, and a charger on a pole has nobody to read it. Here the
board always goes on: a blank partition is formatted, one that only looks strange is mounted all the same, a damaged one
is formatted and that is noted in NVS for the agent to report, and one that can neither be read nor written is left
alone: the agent then runs without a configuration, and its console tells so.

`make deploy` puts an agent that is newer than the frozen one into the partition `romfs`, which has two slots for it
(tools/image.py says what is in a slot). The newer one of those that are whole runs, its code used in place; without
any, or when it failed three times in a row, it is the frozen agent.
"""

import gc


def _note(trouble):
    # For the agent, which reports it and brings back what NVS has copies of.
    from esp32 import NVS

    try:
        nvs = NVS("holdfast")
        nvs.set_blob("trouble", trouble[:100])  # as much as the agent reads
        nvs.commit()
    except OSError:
        pass  # then only the console tells


def _mount(device, note):
    # Returns what was wrong, or None.
    import vfs

    try:
        return vfs.mount(device, "/")
    except OSError:
        pass
    try:
        page = bytearray(512)
        blank = True
        for block in (0, 1):  # where littlefs begins
            for offset in range(0, device.ioctl(5, 0), 512):
                device.readblocks(block, page, offset)
                blank = blank and min(page) == 0xFF
        trouble = None
        if not blank:
            import time

            time.sleep(1)  # as power comes and goes, there is enough for the chip before there is for its flash
            try:
                # A flaky read, or a file system that is sound but not recognized at first sight.
                return vfs.mount(vfs.VfsLfs2(device), "/")
            except OSError as error:
                trouble = "file system damaged (%s) and formatted: all files are lost" % error
                note(trouble)  # now: once there is a new one nothing tells, should the power fail, what became of it
        vfs.VfsLfs2.mkfs(device)
        vfs.mount(vfs.VfsLfs2(device), "/")
        return trouble
    except OSError as error:
        return "flash fails (%s): no file system" % error


def _choose(failed):
    # Mounts the agent from ROMFS, if there is one for this image, and returns what was wrong, or None.
    import vfs

    try:
        rom = memoryview(vfs.rom_ioctl(2, 0))  # mapped into memory by ESP-IDF
    except (AttributeError, TypeError):
        return None  # no such partition
    except OSError as error:
        return "no ROMFS (%s)" % error
    import sys
    from hashlib import sha256

    from esp32 import Partition

    # An image comes with a frozen agent, so what was deployed onto another image is out of date. They are told apart
    # by what ESP-IDF writes into each, the hash of its program (docs.espressif.com, "App Image Format").
    build = bytearray(8)
    Partition(Partition.RUNNING).readblocks(0, build, 176)
    half = len(rom) // 2
    slots = []
    for at in (0, half):
        if rom[at:at + 16] == b"HOLDFAST" + build:
            slots.append((int.from_bytes(rom[at + 16:at + 20], "little"), at))
    slots.sort(reverse=True)
    trouble = None
    for number, at in slots:
        size = min(int.from_bytes(rom[at + 20:at + 24], "little"), half)
        code = rom[at + 4096:at + 4096 + size]
        digest = sha256(rom[at:at + 24])
        digest.update(code)
        try:
            if digest.digest() == rom[at + 24:at + 56]:
                code = vfs.VfsRom(code)
                refused = failed(number)
                if refused is None:
                    vfs.mount(code, "/agent")
                    sys.path.insert(sys.path.index(".frozen"), "/agent/lib")
                    return trouble
                return refused
        except OSError:
            pass  # no ROMFS image, although it is the one that was meant
        trouble = "agent %d in ROMFS is damaged" % number
    return trouble


def _failed(number):
    # None: the agent of this number may start once more. A text, or "" once that was told: it had its three chances.
    import machine
    from esp32 import NVS

    nvs = NVS("holdfast")

    def recall(key):
        try:
            return nvs.get_i32(key)
        except OSError:  # never written
            return 0

    if recall("failed") == number:
        return ""
    cause = machine.reset_cause()
    ended = recall("ended")
    # As in holdfast/board.py, which counts them. But that is in ROMFS too, and it may be what is wrong there; so starts
    # are counted here as well, in `trial`, which an agent whose loop begins sets back to 0. Not so those after a soft
    # reset: it is a person's, or a tool's that starts no agent.
    crashed = ended == 2 or ended == 1 and cause in (machine.WDT_RESET, machine.SOFT_RESET, machine.HARD_RESET)
    trial = recall("trial") + (cause != machine.SOFT_RESET)
    text = None
    try:
        if trial > 3 or crashed and cause != machine.PWRON_RESET and recall("crashes") >= 2:
            text = "agent %d from ROMFS failed three times in a row: the frozen one runs" % number
            trial = 0
            nvs.set_i32("failed", number)
            nvs.set_i32("crashes", -1)  # the frozen agent has three chances of its own
        nvs.set_i32("trial", trial)
        nvs.commit()
    except OSError as error:
        text = "NVS fails (%s), so nothing counts crashes: the frozen agent runs" % error
    return text


def _boot(mount, choose, failed, note):
    import sys

    from flashbdev import bdev

    try:
        # Before anything that takes time, and as the frozen agent does it: one from ROMFS may be what went wrong.
        from holdfast import board

        board.quiet()
    except (AttributeError, ImportError, OSError, ValueError):
        pass
    for name in [name for name in sys.modules if name.startswith("holdfast")]:
        del sys.modules[name]
    trouble = "; ".join(filter(None, (bdev and mount(bdev, note), choose(failed))))
    if trouble:
        print("holdfast: " + trouble)
        note(trouble)


_boot(_mount, _choose, _failed, _note)
del _boot, _note, _mount, _choose, _failed  # this is the namespace of the REPL
gc.collect()
