"""Small records that survive a power cut: one record, one file, in one flat directory on littlefs.

Promises: when `put` or `remove` returns, the change is on flash; when it raises OSError, what was there before counts,
now and after a reboot. A cut in the middle leaves the old record or the new one. A damaged record is set aside and
named, never believed, and never stops the boot. Works on any directory, also on the desk.
"""

import os
from binascii import crc32


def framed(name, payload):
    """The content of the file `name`: one byte format version, the payload, four bytes CRC-32 (big endian).

    The name is part of the checksum, so that a record that turns up under another name is not believed either.
    """
    body = b"\x01" + payload
    return body + crc32(body, crc32(name.encode())).to_bytes(4, "big")


def unframed(name, content):
    """The payload of an unharmed record; None when anything about it is wrong."""
    payload = content[1:-4]
    return payload if framed(name, payload) == content else None


class Records:
    """The record store. What its user may rely on, and what it must do:

    * A record has a name (at most 64 letters, digits, `.`, `_`, `-`, `[`, `]`; not ending in `.bad` or `.tmp`) and a
      payload of 0 to 116 bytes. Records are independent: no change of one can harm another.
    * Call `load()` once after power-on, before anything else. It never raises: what is wrong with the flash stands as
      text, one line each, in `problems`; the names of the records that were lost stand in `corrupt`.
    * `put` and `remove` return when the change is durable. They raise OSError when it was not made: errno 28 (ENOSPC)
      when the flash is full, 27 (EFBIG) when the payload is too large, any other number when the flash is broken.
      Then keep the old state in RAM, too, and say so to whoever asked for the change.
    * While a failed flash leaves in doubt which content a record has, every further `put` and `remove` first brings the
      old content back, and raises as long as it cannot.
    * The store reads before it writes: putting what is there already costs nothing.
    """

    def __init__(self, path):
        """`path`: the directory where the records live, as "/records", made when missing. Nothing is read yet."""
        self._root = path + "/"  # every path begins so
        self.changes = {}  # first part of a record's name -> changes on flash so far
        self._stuck = {}  # path -> file that a failing flash kept from closing
        self._owed = None  # (path, content) that a failed change has to leave behind
        self._blurred = False  # an operation failed: littlefs may see what is not there

    def load(self):
        """All unharmed records as a list of (name, payload bytes), in the order of their names."""
        self.corrupt = []
        self.problems = []
        found = []
        names = ()
        try:
            # After a cut littlefs may hide a file until the first write, which finishes what was interrupted: so write
            # before reading. The empty file is removed below as any other.
            self._write(self._root + "mounted", b"")
        except OSError as error:
            self._problem("flash", error)
        try:
            names = self._insist(os.listdir, self._root[:-1])
        except OSError as error:
            self._problem("flash", error)
        for name in sorted(names):
            if name.endswith(".bad"):
                continue
            path = self._root + name
            lost = name != "mounted"
            try:
                content = self._insist(self._read, path)
                if content is None or name.endswith(".tmp"):
                    # Empty: a create that was cut. Temporary: a repair that was cut; its record is still there.
                    lost = False
                    os.remove(path)
                else:
                    payload = unframed(name, content)
                    if payload is None:
                        self._set_aside(path)
                    else:
                        lost = False
                        found.append((name, payload))
            except OSError as error:
                self._problem(name, error)
            if lost:
                self.corrupt.append(name)
        return found

    def put(self, name, payload):
        """Make `payload` (bytes) the record `name`, whether or not there is one; durable on return; raises OSError."""
        # With its five bytes of frame and its attributes, littlefs still keeps such a file inside the directory block.
        if len(payload) > 116:
            raise OSError(27, name)  # EFBIG
        self._change(name, framed(name, payload))

    def remove(self, name):
        """Make the record `name` absent, if it is not; durable on return; raises OSError."""
        self._change(name, None)

    def _problem(self, name, error):
        self._blurred = True
        self.problems.append("%s: %s" % (name, error))

    def _change(self, name, content):
        self._settle()
        path = self._root + name
        before = self._read(path)
        if before == content:
            return
        kind = name.split("-")[0]
        self.changes[kind] = self.changes.get(kind, 0) + 1
        try:
            if content is None:
                os.remove(path)
            else:
                self._write(path, content)
        except OSError as error:
            # An error says little: the operation may have been done all the same. What flash holds now decides.
            self._blurred = True
            self._owed = (path, before)
            done = False
            try:
                if self._read(path) == content:
                    done = True
                    self._owed = (path, content)
                self._settle()
            except OSError:
                self._blurred = True  # and still owed: the next change tries again
            if not done:
                raise error

    def _settle(self):
        """Leave on flash what a failed change owes, and get rid of its file; raises OSError when that fails."""
        if not self._owed:
            return
        self._look_again()
        path, content = self._owed
        if content is None:
            self._erase(path)
        elif path in self._stuck or self._read(path) != content:
            # Not in place: a stuck file must lose its directory entry before it is closed, see _close.
            self._erase(path + ".tmp")
            self._write(path + ".tmp", content)
            os.rename(path + ".tmp", path)
            self._let_go(path)
        self._owed = None

    def _erase(self, path):
        try:
            os.remove(path)
        except OSError as error:
            if error.errno != 2:  # ENOENT
                raise
        self._let_go(path)

    def _look_again(self):
        """Make littlefs forget what it has cached; raises OSError when it cannot read.

        After a read that failed, its cache claims to hold the block that it did not get. Walking over the whole file
        system replaces it; the first walk may stumble over it.
        """
        if self._blurred:
            around = self._root.rsplit("/", 2)[0] or "/"  # the directory itself may be missing
            try:
                os.statvfs(around)
            except OSError:
                pass
            os.statvfs(around)
            self._blurred = False

    def _insist(self, read, path):
        """Read, and once more if that fails: a record that is missed here is missed until the next boot."""
        try:
            self._look_again()
            return read(path)
        except OSError:
            self._blurred = True
            self._look_again()
            return read(path)

    def _read(self, path):
        """The content of a file; None when it is absent or empty; raises OSError."""
        self._look_again()
        content = None
        try:
            file = open(path, "rb")
            try:
                content = file.read(122) or None  # a byte more than a record can have: a longer file is none
            finally:
                file.close()
        except OSError as error:
            if error.errno != 2:  # ENOENT
                self._blurred = True
                raise
        return content

    def _write(self, path, content):
        try:
            file = open(path, "wb")
        except OSError as error:
            if error.errno != 2:  # ENOENT
                raise
            os.mkdir(self._root[:-1])
            file = open(path, "wb")
        try:
            file.write(content)
        finally:
            self._close(path, file)

    def _close(self, path, file):
        """Close a written file: this is what commits its content.

        An error from the flash driver can leave the file open and its content waiting. Garbage collection would then
        write it at some later time: so it is kept, until its directory entry is gone and closing it writes nothing.
        """
        try:
            file.close()
        except OSError:
            try:
                file.tell()
                self._stuck[path] = file
            except ValueError:
                pass  # it is closed
            raise

    def _let_go(self, path):
        """Close the stuck file of a path that was removed or replaced."""
        if path in self._stuck:
            self._stuck[path].close()
            del self._stuck[path]

    def _set_aside(self, path):
        """Rename a damaged record, so that it can be looked at but is not met again. Eight are kept, the newest."""
        bad = []
        for name in os.listdir(self._root[:-1]):
            if name.endswith(".bad"):
                bad.append((os.stat(self._root + name)[8], name))
        for _, name in sorted(bad)[:-7]:
            os.remove(self._root + name)
        path += ".bad"
        os.rename(path[:-4], path)
        self._problem(path, "damaged, set aside")
