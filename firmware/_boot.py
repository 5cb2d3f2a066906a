"""Run by MicroPython before boot.py: mounts the file system. Frozen into the image, in place of the port's own.

The port's own prints for ever when the file system is damaged, and a charger on a pole has nobody to read it. Here the
board always goes on: a blank partition is formatted, one that only looks strange is mounted all the same, a damaged one
is formatted and that is noted in NVS for the agent to report, and one that can neither be read nor written is left
alone: the agent then runs without a configuration, and its console tells so.
"""

import gc


def _mount(device):
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
            try:
                # A flaky read, or a file system that is sound but not recognized at first sight.
                return vfs.mount(vfs.VfsLfs2(device), "/")
            except OSError as error:
                trouble = error
        vfs.VfsLfs2.mkfs(device)
        vfs.mount(vfs.VfsLfs2(device), "/")
        return trouble and "file system damaged (%s) and formatted: all files are lost" % trouble
    except OSError as error:
        return "flash fails (%s): no file system" % error


def _boot(mount):
    from flashbdev import bdev

    trouble = bdev and mount(bdev)
    if trouble:
        print("holdfast: " + trouble)
        try:
            from esp32 import NVS

            nvs = NVS("holdfast")
            nvs.set_blob("trouble", trouble[:100])  # as much as the agent reads
            nvs.commit()
        except OSError:
            pass  # then only the line above tells


_boot(_mount)
del _boot, _mount  # this is the namespace of the REPL
gc.collect()
