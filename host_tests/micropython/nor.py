"""NOR flash in RAM, as a block device for MicroPython's VfsLfs2, in the ESP32's geometry.

Erasing sets a 4096-byte block to 0xFF and programming can only clear bits, as on the real part; programming bytes that
are not erased is counted in `violations`, because littlefs promises never to do it. It counts what it does, and on
demand it loses power in the middle of an operation, or fails as a worn or badly connected part would.
"""

BLOCK = 4096
EIO = 5

# The four ways in which an operation that the power is cut in can end.
NOT_DONE, HALF_DONE, GARBLED, DONE = MODES = ("not done", "half done", "garbled", "done, not acknowledged")

_ERASED = b"\xff" * BLOCK


class PowerCut(BaseException):
    """The board stops here: no `except` of the firmware may catch it."""


class Nor:
    def __init__(self, blocks=4096, image=None):
        self.blocks = blocks
        self.memory = bytearray(_ERASED * blocks if image is None else image)
        self.cut_at = None  # number of the operation (program or erase) that loses power
        self.cut_mode = NOT_DONE
        self.is_off = False
        self.is_ghost = False  # the image was taken: what still happens concerns nobody
        self.fail_at = None  # number of the operation that fails first
        self.fail_count = 0  # how many fail, counted from there
        self.fail_done = False  # the failing operation is done all the same
        self.fail_reads = False  # reading fails, too, while operations do
        self.fail_read_at = None  # number of the read that fails
        self.fail_raised = True  # as an exception, as the ESP32's driver; or as a result, as other drivers
        self.reset_counts()

    def reset_counts(self):
        self.operations = self.programs = self.erases = self.programmed = self.violations = self.reads = 0

    def cut(self, operation, mode):
        """Cut the power in the `operation`-th program or erase from now on (0 is the next)."""
        self.reset_counts()
        self.cut_at = operation
        self.cut_mode = mode

    def fail(self, operation, count, done=False, raised=True, reads=False):
        """Fail `count` programs or erases, beginning with the `operation`-th from now on (0 is the next)."""
        self.reset_counts()
        self.fail_at = operation
        self.fail_count = count
        self.fail_done = done
        self.fail_raised = raised
        self.fail_reads = reads

    def fail_read(self, number, raised=True):
        """Fail the `number`-th read from now on (0 is the next), once."""
        self.reset_counts()
        self.fail_read_at = number
        self.fail_raised = raised

    def heal(self):
        self.fail_at = self.fail_read_at = None

    def is_failing(self, operation):
        return self.fail_at is not None and self.fail_at <= operation < self.fail_at + self.fail_count

    def image(self):
        """What is on the flash; from then on this object is a ghost."""
        self.is_ghost = True
        return bytes(self.memory)

    # --- what VfsLfs2 calls

    def readblocks(self, block, buffer, offset=0):
        if not self.is_ghost:
            if self.is_off:
                raise PowerCut
            self.reads += 1
            if self.reads - 1 == self.fail_read_at or self.fail_reads and self.is_failing(self.operations):
                return self._failure()
        start = block * BLOCK + offset
        buffer[:] = memoryview(self.memory)[start : start + len(buffer)]
        return 0

    def writeblocks(self, block, buffer, offset):
        return self._operate(block * BLOCK + offset, buffer)

    def ioctl(self, request, argument):
        if request == 4:
            return self.blocks
        if request == 5:
            return BLOCK
        if request == 6:
            return self._operate(argument * BLOCK, None)
        return 0

    def _operate(self, start, buffer):
        if self.is_ghost:
            self._do(start, buffer)
            return 0
        if self.is_off:
            raise PowerCut
        number = self.operations
        self.operations += 1
        if number == self.cut_at:
            self.is_off = True
            self._cut_short(start, buffer)
            raise PowerCut
        if self.is_failing(number):
            if self.fail_done:
                self._do(start, buffer)
            return self._failure()
        self._do(start, buffer)
        return 0

    def _failure(self):
        if self.fail_raised:
            raise OSError(EIO)
        return -EIO

    def _do(self, start, buffer):
        if buffer is None:
            self.erases += 1
            self.memory[start : start + BLOCK] = _ERASED
            return
        self.programs += 1
        self.programmed += len(buffer)
        end = start + len(buffer)
        if self.memory[start:end] != memoryview(_ERASED)[: len(buffer)]:
            self.violations += not self.is_ghost
            for i in range(len(buffer)):
                self.memory[start + i] &= buffer[i]
        else:
            self.memory[start:end] = buffer

    def _cut_short(self, start, buffer):
        if self.cut_mode == DONE:
            self._do(start, buffer)
        elif self.cut_mode == HALF_DONE and buffer is None:
            self.memory[start : start + BLOCK // 2] = memoryview(_ERASED)[: BLOCK // 2]
        elif self.cut_mode == HALF_DONE:
            self._do(start, buffer[: len(buffer) // 2])
        elif self.cut_mode == GARBLED and buffer is None:  # every third byte is neither what it was nor erased
            for i in range(0, BLOCK, 3):
                self.memory[start + i] = (i * 31) & 0xFF
        elif self.cut_mode == GARBLED:  # the first half is right, in the rest not all bits are cleared yet
            half = len(buffer) // 2
            self._do(start, buffer[:half])
            for i in range(half, len(buffer)):
                self.memory[start + i] &= buffer[i] | ((i * 37) & 0xFF)
