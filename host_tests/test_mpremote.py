"""Stock mpremote works on the virtual board as on a real one, without `resume`."""

# ruff: noqa: F811 (the fixture make_board is imported, and an argument of the tests)

import binascii
import hashlib
import json
import os
import pty
import select
import subprocess
import sys
import time
import urllib.request

import pytest
from virtual_boards import CONSOLE, PROMPT, ask, at_repl, make_board  # noqa: F401

from tools import image
from tools.serial_console import SerialConsole

MPREMOTE = os.path.join(os.path.dirname(sys.executable), "mpremote")


@pytest.fixture
def board(make_board):
    """A board with a boot.py and a main.py that say so, at its REPL."""
    files = {"boot.py": "print('boot.py runs')\n", "main.py": "print('main.py runs')\n", "lib/kept.py": "X = 1\n"}
    return at_repl(make_board(files, size=image.DEFAULT_SIZE))


def mpremote(board, *arguments, cwd=None, status=0):
    """Run mpremote to its end and return what it printed."""
    command = [MPREMOTE, "connect", board.port, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=20, stdin=subprocess.DEVNULL)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


class Repl:
    """`mpremote ... repl` on a terminal of its own."""

    def __init__(self, board, *arguments):
        master, terminal = pty.openpty()
        command = [MPREMOTE, "connect", board.port, *arguments]
        self.process = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal)
        os.close(terminal)
        self.master = master
        self.output = ""

    def __enter__(self):
        self.until("to exit this shell")
        return self

    def type(self, text):
        os.write(self.master, text.encode())

    def until(self, text):
        """Wait for `text`; return the output up to its end and forget it."""
        deadline = time.monotonic() + 10
        while text not in self.output:
            assert select.select([self.master], [], [], max(0, deadline - time.monotonic()))[0], self.output
            self.output += os.read(self.master, 4096).decode()
        end = self.output.index(text) + len(text)
        found, self.output = self.output[:end], self.output[end:]
        return found

    def __exit__(self, *_):
        self.type("\x1d")
        self.process.wait(10)
        os.close(self.master)


def test_ls_shows_the_files_of_the_image(board):
    assert [line.split()[-1] for line in mpremote(board, "ls").splitlines()[1:]] == ["boot.py", "lib/", "main.py"]


def test_copy_of_60_kb_arrives_unchanged(board, tmp_path):
    content = os.urandom(60000)
    (tmp_path / "blob.bin").write_bytes(content)
    mpremote(board, "cp", str(tmp_path / "blob.bin"), ":blob.bin")
    assert mpremote(board, "sha256sum", ":blob.bin").split()[-1] == hashlib.sha256(content).hexdigest()
    board.close()
    assert image.read_image(board.image)["blob.bin"] == content


def test_copy_from_the_board_is_unchanged(board, tmp_path):
    content = os.urandom(5000)
    board.power_cut()
    image.update_image(board.image, {"blob.bin": content})
    board.power_on()
    mpremote(board, "cp", ":blob.bin", str(tmp_path / "back.bin"))
    assert (tmp_path / "back.bin").read_bytes() == content


def test_directories_are_copied(board, tmp_path):
    (tmp_path / "package" / "inner").mkdir(parents=True)
    (tmp_path / "package" / "inner" / "module.py").write_text("Y = 2\n")
    mpremote(board, "cp", "-r", str(tmp_path / "package"), ":lib/")
    assert mpremote(board, "exec", "import package.inner.module as m; print(m.Y)") == "2\n"


def test_rm_removes(board):
    mpremote(board, "rm", ":lib/kept.py")
    board.close()
    assert "lib/kept.py" not in image.read_image(board.image)


def test_df_shows_the_flash(board):
    assert mpremote(board, "df").splitlines()[1].split()[:2] == ["<VfsLfs2>", str(image.DEFAULT_SIZE)]


def test_exec_runs_code_and_prints_its_output(board):
    assert mpremote(board, "exec", "print('out', 6 * 7)") == "out 42\n"


def test_exec_reports_an_exception(board):
    assert "ZeroDivisionError" in mpremote(board, "exec", "try:\n 1/0\nexcept Exception as e:\n print(repr(e))")
    mpremote(board, "exec", "1/0", status=1)


def test_run_runs_a_file_of_the_host(board, tmp_path):
    (tmp_path / "script.py").write_text("import kept\nprint('kept', kept.X)\n")
    assert mpremote(board, "run", str(tmp_path / "script.py")) == "kept 1\n"


def test_mount_lets_the_board_import_from_the_host(board, tmp_path):
    (tmp_path / "fresh.py").write_text("print('imported from', __file__)\n")
    assert "imported from fresh.py" in mpremote(board, "mount", str(tmp_path), "exec", "import fresh")


def test_mounted_file_of_the_host_is_read_byte_for_byte(board, tmp_path):
    content = bytes(range(256)) * 20
    (tmp_path / "data").write_bytes(content)
    code = "import binascii; print(binascii.crc32(open('data', 'rb').read()))"
    assert str(binascii.crc32(content)) in mpremote(board, "mount", str(tmp_path), "exec", code)


def test_mounted_directory_works_at_the_repl(board, tmp_path):
    (tmp_path / "ten_char_x.py").write_text("print('imported', 40 + 2)\n")
    with Repl(board, "mount", str(tmp_path), "repl") as repl:
        repl.type("import ten_char_x\r")
        repl.until("imported 42")
        repl.until(PROMPT)


def test_soft_reset_runs_boot_py_but_not_main_py(board):
    mark = len(board.transcript)
    mpremote(board, "soft-reset")
    output = board.transcript[mark:]
    assert "MPY: soft reboot\r\nboot.py runs" in output and "main.py runs" not in output


def test_command_begins_with_a_soft_reset_that_clears_the_names(board):
    ask(board, "name = 1")
    assert mpremote(board, "exec", "print('name' in globals())") == "False\n"


def test_resume_keeps_the_names(board):
    ask(board, "name = 1")
    assert mpremote(board, "resume", "exec", "print('name' in globals())") == "True\n"


def test_reset_starts_the_board_anew(board):
    mpremote(board, "reset")
    board.read_until("boot.py runs")
    board.read_until("main.py runs")
    board.read_until(PROMPT)
    assert ask(board, "__import__('machine').reset_cause()") == "2"


def test_mip_installs_from_a_local_path(board, tmp_path):
    package = {"urls": [["demo/__init__.py", "./demo.py"]], "version": "1.0"}
    (tmp_path / "package.json").write_text(json.dumps(package))
    (tmp_path / "demo.py").write_text("V = 5\n")
    mpremote(board, "mip", "install", "./package.json", cwd=tmp_path)
    assert mpremote(board, "exec", "import demo; print(demo.V)") == "5\n"


def test_rtc_is_set(board):
    mpremote(board, "rtc", "--set")
    assert mpremote(board, "rtc").startswith("(%d, " % time.localtime().tm_year)


def test_running_main_py_is_interrupted_by_a_command(make_board):
    board = make_board({"main.py": CONSOLE})
    board.power_on()
    board.command("two")
    assert mpremote(board, "exec", "print('mine')") == "mine\n"


def test_repl_evaluates_what_is_typed(board):
    with Repl(board, "repl") as repl:
        repl.type("\r6 * 7\r")
        repl.until("\r\n42\r\n")


def test_repl_ctrl_d_is_a_soft_reset_with_main_py(board):
    with Repl(board, "repl") as repl:
        repl.type("\r")
        repl.until(PROMPT)
        repl.type("\x04")
        repl.until("MPY: soft reboot\r\nboot.py runs\r\nmain.py runs\r\n")
        repl.until(PROMPT)


def test_repl_ctrl_c_stops_a_running_program(board):
    with Repl(board, "repl") as repl:
        repl.type("\r")
        repl.until(PROMPT)
        repl.type("while True: print('on')\r\r")
        repl.until("on\r\non\r\n")
        repl.type("\x03")
        repl.until("KeyboardInterrupt")
        repl.until(PROMPT)


def test_the_board_of_make_board_can_be_connected_to_and_shows_its_page(tmp_path):
    process = subprocess.Popen([sys.executable, "-m", "tools.virtual_board", "--image", str(tmp_path / "board.img")],
                               stdout=subprocess.PIPE, text=True, cwd=image.ROOT)
    try:
        lines = [process.stdout.readline() for _ in range(4)]
        assert "made " in lines[0]
        port = lines[1].split(" is at ")[1].split(";")[0]
        with SerialConsole(port) as console:
            console.command("web on")
        with urllib.request.urlopen(lines[3].split()[0], timeout=5) as page:
            assert page.headers["Content-Encoding"] == "gzip"
        done = subprocess.run([MPREMOTE, *lines[2].split()[1:3], "exec", "print(6 * 7)"], capture_output=True,
                              text=True, timeout=20, stdin=subprocess.DEVNULL)
        assert done.stdout == "42\n", done.stdout + done.stderr
    finally:
        process.terminate()
        process.stdout.close()
        process.wait(10)


def test_board_lives_on_when_mpremote_is_killed(board):
    command = [MPREMOTE, "connect", board.port, "exec", "print('started')\nwhile True: pass"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "started\n"
    process.kill()
    process.wait()
    process.stdout.close()
    assert mpremote(board, "exec", "print('alive')") == "alive\n"
