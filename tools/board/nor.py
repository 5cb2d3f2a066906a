"""NOR flash in a file, as a block device for MicroPython's VfsLfs2, in the ESP32's geometry (4096-byte blocks).

Erasing sets a block to 0xFF, programming writes erased bytes only: anything else is refused with EIO and counted as a
violation. Before an operation touches the image it is noted in a journal, so that the supervisor can tear it afterwards
as a power cut would. No method allocates memory, so a file closed by the garbage collector works as on a board; and
Ctrl-C never interrupts an operation: the hardware's driver is C code and can not be interrupted either.
"""

import struct
import time

BLOCK = 4096
EIO = 5
PROGRAM, ERASE = 1, 2
JOURNAL_HEAD = "<BBHIIIIII"  # state, kind, length, address, operations, programs, erases, bytes programmed, violations
ERASED = b"\xff" * BLOCK


class Joined:
    """Two files as one, the second from `size` on. No transfer goes over the border."""

    def __init__(self, first, size, second):
        self.first, self.size, self.second = first, size, second
        self.file = first

    def seek(self, position):
        self.file = self.first if position < self.size else self.second
        self.file.seek(position if position < self.size else position - self.size)

    def readinto(self, buffer, length):
        return self.file.readinto(buffer, length)

    def write(self, buffer):
        return self.file.write(buffer)


class Nor:
    """`directory` holds what supervisor and device share: `control` (read here) and `journal` (written here)."""

    def __init__(self, image, directory, supervisor, program_us, erase_us, romfs=None):
        self.image = open(image, "r+b")
        self.blocks = self.image.seek(0, 2) // BLOCK
        if romfs:  # the same chip: what is at a higher address is the partition `romfs`
            self.image = Joined(self.image, self.blocks * BLOCK, open(romfs, "r+b"))
        self.control = open(directory + "/control", "rb")
        self.journal = open(directory + "/journal", "r+b")
        self.supervisor = supervisor
        self.program_us = program_us
        self.erase_us = erase_us
        self.wishes = bytearray(8)  # errno or 0, three spare bytes, number of the operation to cut at or 0
        self.head = bytearray(struct.calcsize(JOURNAL_HEAD))
        self.idle = bytes(1)
        self.interrupted = False
        self.page = bytearray(BLOCK)
        self.journal.readinto(self.head)
        head = struct.unpack(JOURNAL_HEAD, self.head)
        self.operations, self.programs, self.erases, self.programmed, self.violations = head[4:]

    # --- what VfsLfs2 calls

    def readblocks(self, block, buffer, offset=0):
        self.read(self.image, block * BLOCK + offset, buffer, len(buffer))
        return self.finished(0)

    def writeblocks(self, block, buffer, offset):
        return self.finished(self.program(block * BLOCK + offset, buffer, len(buffer)))

    def ioctl(self, request, argument):
        if request == 4:
            return self.blocks
        if request == 5:
            return BLOCK
        if request == 6:
            return self.finished(self.erase(argument * BLOCK))
        return 0

    # --- the operations: 0, or an errno below 0

    def program(self, address, buffer, length):
        refused = self.refused()
        if refused:
            return -refused
        self.read(self.image, address, self.page, length)
        if not self.erased(length):
            self.violations += 1
            self.note(0, PROGRAM, address, length)
            return -EIO
        self.operations += 1
        self.programs += 1
        self.programmed += length
        self.write(self.journal, len(self.head), buffer)
        self.note(1, PROGRAM, address, length)
        self.take(self.program_us)
        self.write(self.image, address, buffer)
        self.write(self.journal, 0, self.idle)
        return 0

    def erase(self, address):
        refused = self.refused()
        if refused:
            return -refused
        self.operations += 1
        self.erases += 1
        self.read(self.image, address, self.page, BLOCK)
        self.write(self.journal, len(self.head), self.page)
        self.note(1, ERASE, address, BLOCK)
        self.take(self.erase_us)
        self.write(self.image, address, ERASED)
        self.write(self.journal, 0, self.idle)
        return 0

    # --- steps that may be repeated: should Ctrl-C interrupt one, it is sent back when the operation has ended

    def finished(self, result):
        if self.interrupted:
            self.interrupted = False
            self.supervisor.write(b"I")  # the supervisor tries again a moment later
        return result

    def read(self, file, position, buffer, length):
        while True:
            try:
                file.seek(position)
                file.readinto(buffer, length)
                return
            except KeyboardInterrupt:
                self.interrupted = True

    def write(self, file, position, buffer):
        while True:
            try:
                file.seek(position)
                file.write(buffer)
                return
            except KeyboardInterrupt:
                self.interrupted = True

    def erased(self, length):
        page = self.page
        while True:
            try:
                for i in range(length):
                    if page[i] != 0xFF:
                        return False
                return True
            except KeyboardInterrupt:
                self.interrupted = True

    def refused(self):
        """The errno that the supervisor wants programs and erases to fail with, else 0."""
        self.read(self.control, 0, self.wishes, 8)
        return self.wishes[0]

    def note(self, state, kind, address, length):
        struct.pack_into(
            JOURNAL_HEAD, self.head, 0, state, kind, length, address,
            self.operations, self.programs, self.erases, self.programmed, self.violations,
        )  # fmt: skip
        self.write(self.journal, 0, self.head)

    def take(self, duration_us):
        """Spend the time that the operation takes, or lose the power in the middle of it."""
        wishes = self.wishes
        cut_at = wishes[4] | wishes[5] << 8 | wishes[6] << 16 | wishes[7] << 24
        begun = time.ticks_us()
        while True:
            try:
                if cut_at == self.operations:
                    self.supervisor.write(b"C")
                    while True:
                        self.supervisor.read(1)  # never answered
                left = duration_us - time.ticks_diff(time.ticks_us(), begun)
                if duration_us and left > 0:
                    time.sleep_us(left)
                return
            except KeyboardInterrupt:
                self.interrupted = True
