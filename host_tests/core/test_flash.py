"""The record store on an ordinary directory: under CPython the operating system's, on MicroPython a littlefs in RAM."""

import os
import sys

from holdfast import flash
from holdfast.flash import Records, framed, unframed

if sys.implementation.name == "micropython":
    import vfs

    ROOT = "/ram"

    class RamDisk:
        def __init__(self, blocks):
            self.memory = bytearray(blocks * 512)

        def readblocks(self, block, buffer, offset=0):
            start = block * 512 + offset
            buffer[:] = memoryview(self.memory)[start : start + len(buffer)]

        def writeblocks(self, block, buffer, offset=0):
            start = block * 512 + offset
            self.memory[start : start + len(buffer)] = buffer

        def ioctl(self, request, argument):
            return {4: len(self.memory) // 512, 5: 512}.get(request, 0)

    disk = RamDisk(64)
    vfs.VfsLfs2.mkfs(disk)
    vfs.mount(vfs.VfsLfs2(disk), ROOT)
else:
    import tempfile

    ROOT = tempfile.mkdtemp()

DIRECTORY = ROOT + "/records"


def fresh():
    """A store on an empty directory, which does not exist yet."""
    if "records" in os.listdir(ROOT):
        for name in os.listdir(DIRECTORY):
            os.remove(DIRECTORY + "/" + name)
        os.rmdir(DIRECTORY)
    return Records(DIRECTORY)


def write(name, content):
    with open(DIRECTORY + "/" + name, "wb") as file:
        file.write(content)


def content_of(name):
    with open(DIRECTORY + "/" + name, "rb") as file:
        return file.read()


def payload_of(name):
    """What is in a record's file; None if there is none, if it is empty, or if it is damaged."""
    content = content_of(name) if name in files() else b""
    return unframed(name, content) if content else None


def files():
    return sorted(os.listdir(DIRECTORY))


def refused(change, *arguments):
    """The errno of the OSError that a change must raise."""
    try:
        change(*arguments)
    except OSError as error:
        return error.errno
    raise AssertionError("no OSError")


class Failing:
    """Stands in for the `os` of flash.py: the named functions fail, `times` times."""

    def __init__(self, names, errno=5, times=1000):
        self.names = names
        self.errno = errno
        self.times = times

    def __getattr__(self, name):
        def call(*arguments):
            if name in self.names and self.times:
                self.times -= 1
                raise OSError(self.errno, "failing")
            return getattr(os, name)(*arguments)

        return call

    def __enter__(self):
        flash.os = self
        flash.open = self.open
        return self

    def __exit__(self, *exception):
        flash.os = os
        flash.open = open

    def open(self, path, mode):
        if mode in self.names and self.times:
            self.times -= 1
            raise OSError(self.errno, "failing")
        return open(path, mode)


def test_first_load_of_a_board_finds_nothing_and_no_problem():
    records = fresh()
    assert records.load() == []
    assert records.problems == [] and records.corrupt == []


def test_put_into_a_directory_that_is_missing_makes_it():
    records = fresh()
    records.put("reservation-7", b"payload")
    assert Records(DIRECTORY).load() == [("reservation-7", b"payload")]


def test_records_are_loaded_in_the_order_of_their_names():
    records = fresh()
    for name in ("restart", "availability", "variable-OCPPCommCtrlr.MessageTimeout[Default]", "reservation-0"):
        records.put(name, name.encode())
    expected = ["availability", "reservation-0", "restart", "variable-OCPPCommCtrlr.MessageTimeout[Default]"]
    assert Records(DIRECTORY).load() == [(name, name.encode()) for name in expected]


def test_put_replaces_a_record_by_a_shorter_and_by_a_longer_one():
    records = fresh()
    for payload in (b"a" * 50, b"b", b"c" * 116, b""):
        records.put("restart", payload)
        assert payload_of("restart") == payload
        assert Records(DIRECTORY).load() == [("restart", payload)]


def test_record_with_an_empty_payload_is_not_absent():
    records = fresh()
    records.put("restart", b"")
    assert payload_of("restart") == b""
    assert payload_of("availability") is None


def test_largest_record_is_small_enough_to_stay_inline():
    records = fresh()
    records.put("reservation-7", b"x" * 116)
    assert len(content_of("reservation-7")) <= 124
    assert refused(records.put, "reservation-7", b"x" * 117) == 27
    assert payload_of("reservation-7") == b"x" * 116


def test_removed_record_is_gone_and_removing_it_again_is_fine():
    records = fresh()
    records.put("restart", b"1")
    records.remove("restart")
    records.remove("restart")
    assert payload_of("restart") is None
    assert files() == []


def test_putting_what_is_there_already_writes_nothing():
    records = fresh()
    records.put("restart", b"1")
    with Failing(("wb",)):
        records.put("restart", b"1")
        records.remove("availability")


def test_name_belongs_to_the_checksum():
    assert unframed("reservation-1", framed("reservation-1", b"payload")) == b"payload"
    assert unframed("reservation-2", framed("reservation-1", b"payload")) is None


def test_frame_is_version_payload_and_crc_of_name_and_both():
    # Records outlive the firmware that wrote them: this may not change without a new version byte.
    assert framed("restart", b"xyz") == b"\x01xyz\xd09\\\x14"


def test_other_format_version_is_not_believed():
    fresh().put("restart", b"1")
    content = content_of("restart")
    write("restart", b"\x02" + content[1:])
    records = Records(DIRECTORY)
    assert records.load() == [] and records.corrupt == ["restart"]


def test_empty_file_of_a_cut_create_is_absent_and_tidied_up():
    records = fresh()
    records.put("restart", b"1")
    write("reservation-7", b"")
    assert payload_of("reservation-7") is None
    assert records.load() == [("restart", b"1")]
    assert records.corrupt == [] and records.problems == []
    assert files() == ["restart"]


def test_temporary_file_of_a_cut_repair_is_tidied_up():
    records = fresh()
    records.put("restart", b"1")
    write("restart.tmp", framed("restart", b"2"))
    assert records.load() == [("restart", b"1")]
    assert records.corrupt == [] and files() == ["restart"]


def test_damaged_record_is_set_aside_with_its_content_and_named():
    records = fresh()
    records.put("availability", b"1")
    write("reservation-7", b"junk")
    assert payload_of("reservation-7") is None
    assert records.load() == [("availability", b"1")]
    assert records.corrupt == ["reservation-7"]
    assert len(records.problems) == 1 and "reservation-7.bad" in records.problems[0]
    assert content_of("reservation-7.bad") == b"junk"


def test_damaged_record_is_met_only_once():
    fresh().put("availability", b"1")
    write("reservation-7", b"junk")
    Records(DIRECTORY).load()
    records = Records(DIRECTORY)
    assert records.load() == [("availability", b"1")]
    assert records.corrupt == [] and records.problems == []


def test_record_damaged_again_replaces_the_one_set_aside():
    records = fresh()
    records.load()
    for content in (b"first", b"second"):
        write("reservation-7", content)
        records.load()
    assert content_of("reservation-7.bad") == b"second"
    assert files() == ["reservation-7.bad"]


def test_eight_damaged_records_are_kept_and_the_new_ones_among_them():
    records = fresh()
    records.load()
    for i in range(12):
        write("reservation-%d" % i, b"junk")
        records.load()
        assert "reservation-%d.bad" % i in files()
    assert len(files()) == 8


def test_damaged_record_that_cannot_be_renamed_is_skipped_and_stays_named():
    records = fresh()
    records.put("availability", b"1")
    write("reservation-7", b"junk")
    with Failing(("rename",)):
        assert records.load() == [("availability", b"1")]
        assert records.corrupt == ["reservation-7"]
        assert len(records.problems) == 1
    assert "reservation-7" in files()


def test_put_over_a_damaged_record_makes_it_good():
    records = fresh()
    records.load()
    write("reservation-7", b"junk")
    records.put("reservation-7", b"good")
    assert records.load() == [("reservation-7", b"good")]


def test_directory_that_cannot_be_listed_is_a_problem_and_no_exception():
    records = fresh()
    records.put("restart", b"1")
    with Failing(("listdir",)):
        assert records.load() == []
        assert len(records.problems) == 1
    assert records.load() == [("restart", b"1")] and records.problems == []


def test_directory_that_cannot_be_made_is_a_problem_and_no_exception():
    records = fresh()
    with Failing(("mkdir",)):
        assert records.load() == []
        assert len(records.problems) == 2  # not written, not listed
        assert refused(records.put, "restart", b"1") == 5
    records.put("restart", b"1")
    assert records.load() == [("restart", b"1")]


def test_read_that_fails_once_while_loading_loses_nothing():
    records = fresh()
    records.put("restart", b"1")
    for name in ("rb", "listdir"):
        with Failing((name,), times=1):
            assert records.load() == [("restart", b"1")]
            assert records.problems == [] and records.corrupt == []


def test_record_that_cannot_be_read_is_named_and_left_alone():
    records = fresh()
    records.put("restart", b"1")
    with Failing(("rb",)):
        assert records.load() == []
        assert records.corrupt == ["restart"]
    assert records.load() == [("restart", b"1")]


def test_flash_that_refuses_to_create_leaves_the_record_absent():
    records = fresh()
    records.load()
    with Failing(("wb",)):
        assert refused(records.put, "restart", b"1") == 5
        assert payload_of("restart") is None
    records.put("restart", b"2")
    assert payload_of("restart") == b"2"


def test_full_flash_is_told_as_errno_28():
    records = fresh()
    records.put("restart", b"old")
    with Failing(("wb",), 28):
        assert refused(records.put, "restart", b"new") == 28
    assert payload_of("restart") == b"old"


def test_flash_that_refuses_to_remove_leaves_the_record():
    records = fresh()
    records.put("restart", b"1")
    with Failing(("remove",)):
        assert refused(records.remove, "restart") == 5
    assert records.load() == [("restart", b"1")]
    records.remove("restart")
    assert records.load() == []


def test_removal_that_was_done_although_flash_reported_an_error_counts():
    records = fresh()
    records.put("restart", b"1")

    def done_and_failed(path):
        os.remove(path)
        raise OSError(5, "failing")

    with Failing(()) as failing:
        failing.remove = done_and_failed
        records.remove("restart")
    assert records.load() == []


class HalfWritten:
    """A file whose content arrives in part, on a file system that is not as careful as littlefs."""

    def __init__(self, file):
        self.file = file

    def write(self, content):
        self.file.write(content[: len(content) // 2])

    def close(self):
        self.file.close()
        raise OSError(5, "failing")

    def tell(self):
        return self.file.tell()


class HalfWriting(Failing):
    def open(self, path, mode):
        file = open(path, mode)
        if mode == "wb" and self.times:
            self.times -= 1
            return HalfWritten(file)
        return file


def test_half_written_record_is_brought_back_at_once():
    records = fresh()
    records.put("restart", b"old")
    with HalfWriting((), times=1):
        assert refused(records.put, "restart", b"new") == 5
        assert payload_of("restart") == b"old"


def test_half_written_record_is_brought_back_before_the_next_change():
    records = fresh()
    records.put("restart", b"old")
    with HalfWriting(()):
        assert refused(records.put, "restart", b"new") == 5
        assert refused(records.put, "availability", b"1") == 5
        assert payload_of("restart") is None
    records.put("availability", b"1")
    assert records.load() == [("availability", b"1"), ("restart", b"old")]
    assert files() == ["availability", "restart"]


def test_half_created_record_is_gone_before_the_next_change():
    records = fresh()
    with HalfWriting(("remove",)):
        assert refused(records.put, "restart", b"new") == 5
    records.put("availability", b"1")
    assert records.load() == [("availability", b"1")]
    assert files() == ["availability"]
