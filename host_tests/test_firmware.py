"""`make firmware`: what it says when something is missing, and that it calls MicroPython's build the right way."""

import os
import subprocess
from pathlib import Path

import pytest

from tools import firmware
from tools.board_checks import BOARDS, PORT_FILES

ROOT = Path(__file__).resolve().parent.parent
BOARD = "ESP32_GENERIC_C3"

# Stands in for ports/esp32/Makefile: keeps what it was called with, leaves the results where a build does.
PORT_MAKEFILE = """
submodules:
\t@echo "submodules BOARD_DIR=$(BOARD_DIR)" >> $(CALLS)
all:
\t@echo "all BOARD_DIR=$(BOARD_DIR) idf=$$IDF_EXPORTED" >> $(CALLS)
\t@mkdir -p $(BUILD)
\t@head -c 1500000 /dev/zero > $(BUILD)/micropython.bin
\t@cp $(BUILD)/micropython.bin $(BUILD)/firmware.bin
"""


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def micropython(tmp_path):
    """A folder that looks like a checkout of MicroPython 1.29."""
    source = tmp_path / "micropython"
    write(source / "py" / "mpconfig.h", "#define MICROPY_VERSION_MAJOR 1\n#define MICROPY_VERSION_MINOR 29\n"
                                        "#define MICROPY_VERSION_MICRO 0\n")
    write(source / "lib" / "micropython-lib" / "README.md", "")
    write(source / "extmod" / "asyncio" / "manifest.py", "")
    write(source / "mpy-cross" / "Makefile", 'all:\n\t@echo "mpy-cross" >> $(CALLS)\n')
    write(source / "ports" / "esp32" / "Makefile", PORT_MAKEFILE)
    write(source / "ports" / "esp32" / "modules" / "flashbdev.py", "")
    for file in PORT_FILES:
        write(source / "ports" / "esp32" / file, "")
    return source


@pytest.fixture(autouse=True)
def programs(tmp_path, monkeypatch):
    """A folder with the programs that a build wants, found before any other."""
    for program in firmware.PROGRAMS:
        write(tmp_path / "bin" / program, "")
        (tmp_path / "bin" / program).chmod(0o755)
    monkeypatch.setenv("PATH", "%s:%s" % (tmp_path / "bin", os.environ["PATH"]))
    return tmp_path / "bin"


@pytest.fixture
def idf(tmp_path, monkeypatch):
    """A folder that looks like an ESP-IDF v5.5.2 with its compilers installed."""
    folder = tmp_path / "esp-idf"
    write(folder / "tools" / "cmake" / "version.cmake", "set(IDF_VERSION_MAJOR 5)\nset(IDF_VERSION_MINOR 5)\n"
                                                        "set(IDF_VERSION_PATCH 2)\n")
    write(folder / "export.sh", "export IDF_EXPORTED=$(printenv IDF_PATH)\n")
    monkeypatch.setenv("IDF_TOOLS_PATH", str(tmp_path / "espressif"))
    for compiler in ("riscv32-esp-elf", "xtensa-esp-elf"):
        (tmp_path / "espressif" / "tools" / compiler).mkdir(parents=True)
    return folder


def change(path, old, new):
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_with_nothing_given_both_are_asked_for_at_once():
    found = firmware.missing(BOARD, None, "")
    assert [what.split()[0] for what, _ in found] == ["MICROPYTHON_SRC", "IDF_PATH"]
    assert "git clone" in found[0][1] and "v1.29.0" in found[0][1]
    assert "v5.5.2" in found[1][1] and "install.sh esp32c3" in found[1][1]


def test_with_everything_there_nothing_is_missing(micropython, idf):
    for board in firmware.board_names():
        assert firmware.missing(board, micropython, idf) == []


def test_a_folder_that_is_something_else_is_told(tmp_path):
    whats = [what for what, _ in firmware.missing(BOARD, tmp_path, tmp_path)]
    assert "no checkout of MicroPython" in whats[0] and "no ESP-IDF" in whats[1]


def test_an_old_micropython_is_told(micropython, idf):
    change(micropython / "py" / "mpconfig.h", "29", "24")
    [(what, how)] = firmware.missing(BOARD, micropython, idf)
    assert "is MicroPython 1.24" in what and "checkout v1.29.0" in how


@pytest.mark.parametrize("old, new, told", [("MINOR 5", "MINOR 2", "v5.2.2"), ("PATCH 2", "PATCH 9", "v5.5.9"),
                                            ("MAJOR 5", "MAJOR 6", "v6.5.2")])
def test_an_esp_idf_that_micropython_does_not_support_is_told(micropython, idf, old, new, told):
    change(idf / "tools" / "cmake" / "version.cmake", old, new)
    [(what, how)] = firmware.missing(BOARD, micropython, idf)
    assert told in what and "checkout v5.5.2" in how


@pytest.mark.parametrize("major, minor", [(1, 30), (2, 0)])
def test_a_newer_micropython_is_tried(micropython, idf, major, minor):
    change(micropython / "py" / "mpconfig.h", "MAJOR 1", "MAJOR %d" % major)
    change(micropython / "py" / "mpconfig.h", "MINOR 29", "MINOR %d" % minor)
    assert firmware.missing(BOARD, micropython, idf) == []


@pytest.mark.parametrize("minor, patch", [(3, 0), (5, 4)])
def test_the_oldest_and_the_newest_esp_idf_that_micropython_supports_will_do(micropython, idf, minor, patch):
    change(idf / "tools" / "cmake" / "version.cmake", "MINOR 5", "MINOR %d" % minor)
    change(idf / "tools" / "cmake" / "version.cmake", "PATCH 2", "PATCH %d" % patch)
    assert firmware.missing(BOARD, micropython, idf) == []


def test_a_missing_library_is_told(micropython, idf):
    (micropython / "lib" / "micropython-lib" / "README.md").unlink()
    [(what, how)] = firmware.missing(BOARD, micropython, idf)
    assert "micropython-lib" in what and "submodule update --init lib/micropython-lib" in how


@pytest.mark.parametrize("file", ["ports/esp32/" + PORT_FILES[0], "extmod/asyncio/manifest.py",
                                  "ports/esp32/modules/flashbdev.py"])
def test_a_file_that_the_boards_refer_to_is_looked_for(micropython, idf, file):
    (micropython / file).unlink()
    [(what, _)] = firmware.missing(BOARD, micropython, idf)
    assert file in what


@pytest.mark.parametrize("board, compiler", [(BOARD, "riscv32-esp-elf"), ("ESP32_GENERIC", "xtensa-esp-elf")])
def test_a_compiler_that_is_not_installed_is_told(micropython, idf, board, compiler):
    (Path(os.environ["IDF_TOOLS_PATH"]) / "tools" / compiler).rmdir()
    [(what, how)] = firmware.missing(board, micropython, idf)
    assert compiler in what and "install.sh" in how


@pytest.mark.parametrize("program", firmware.PROGRAMS)
def test_a_program_that_esp_idf_does_not_bring_is_looked_for_too(micropython, idf, programs, monkeypatch, program):
    monkeypatch.setenv("PATH", str(programs))
    (programs / program).unlink()
    for source, folder, count in ((micropython, idf, 1), (None, None, 3)):
        what, how = firmware.missing(BOARD, source, folder)[count - 1]
        assert what.endswith(": " + program) and "sudo apt-get install" in how and program in how
    (Path(os.environ["IDF_TOOLS_PATH"]) / "tools" / program).mkdir()  # as `idf_tools.py install` puts it
    assert firmware.missing(BOARD, micropython, idf) == []


def test_an_unknown_board_is_told(capsys):
    assert firmware.build("ESP8266", None, None) == 2
    assert "ESP32_GENERIC_S3" in capsys.readouterr().out


def test_what_is_missing_is_shown_with_the_commands_that_get_it(capsys):
    assert firmware.build(BOARD, None, None) == 1
    shown = capsys.readouterr().out
    for line in ("git clone --branch v1.29.0 https://github.com/micropython/micropython.git ~/micropython",
                 "git -C ~/micropython submodule update --init lib/micropython-lib",
                 "make firmware BOARD=%s MICROPYTHON_SRC=~/micropython …" % BOARD,
                 "git clone --branch v5.5.2 --recursive --shallow-submodules https://github.com/espressif/esp-idf.git",
                 "~/esp-idf/install.sh esp32c3", "make firmware BOARD=%s IDF_PATH=~/esp-idf …" % BOARD):
        assert line in shown


def test_a_board_that_is_wrong_is_not_built(micropython, idf, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setattr(firmware, "faults", lambda board: ["%s/pins.csv: LED has no pin" % board])
    assert firmware.build(BOARD, str(micropython), str(idf)) == 1
    assert "LED has no pin" in capfd.readouterr().out and not (tmp_path / "calls").exists()


def test_the_build_is_called_with_the_folder_of_the_board(micropython, idf, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setattr(firmware, "ROOT", tmp_path)
    assert firmware.build(BOARD, str(micropython), str(idf)) == 0
    assert (tmp_path / "calls").read_text().splitlines() == [
        "mpy-cross", "submodules BOARD_DIR=%s" % (BOARDS / BOARD), "all BOARD_DIR=%s idf=%s" % (BOARDS / BOARD, idf)]
    told = capfd.readouterr().out
    assert "build/firmware/%s/firmware.bin" % BOARD in told and "1500000 of the 1572864 bytes" in told
    assert "make flash BOARD=%s PORT=…" % BOARD in told


def test_both_may_be_named_from_the_home_directory(micropython, idf, tmp_path, monkeypatch):
    """`make firmware MICROPYTHON_SRC=~/micropython`: not every shell puts the directory there."""
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(firmware, "ROOT", tmp_path)
    micropython.rename(tmp_path / "my micropython")
    assert firmware.build(BOARD, "~/my micropython", "~/" + idf.name) == 0
    assert (tmp_path / "calls").read_text().endswith("idf=%s\n" % idf)


def test_a_build_ends_with_its_first_failure(micropython, idf, tmp_path, monkeypatch):
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setattr(firmware, "ROOT", tmp_path)
    write(micropython / "mpy-cross" / "Makefile", "all:\n\tfalse\n")
    assert firmware.build(BOARD, str(micropython), str(idf)) == 1
    assert not (tmp_path / "calls").exists()


def test_a_build_that_fails_is_told(micropython, idf, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(firmware, "ROOT", tmp_path)
    write(idf / "export.sh", "false\n")
    assert firmware.build(BOARD, str(micropython), str(idf)) == 1
    assert "The build of %s failed" % BOARD in capfd.readouterr().out


def test_both_may_be_named_in_the_environment(monkeypatch):
    called = []
    monkeypatch.setattr(firmware, "build", lambda *arguments: called.append(arguments) or 0)
    monkeypatch.setattr("sys.argv", ["firmware", BOARD])
    monkeypatch.setenv("MICROPYTHON_SRC", "/a")
    monkeypatch.setenv("IDF_PATH", "/b")
    assert firmware.main() == 0
    assert called == [(BOARD, "/a", "/b")]


def test_make_passes_the_variables_on():
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    done = subprocess.run(["make", "-n", "firmware", "BOARD=X", "MICROPYTHON_SRC=/a", "IDF_PATH=/b"], cwd=ROOT,
                          capture_output=True, text=True, env=environment)
    line = [line for line in done.stdout.splitlines() if "tools.firmware" in line][0]
    assert 'MICROPYTHON_SRC="/a" IDF_PATH="/b"' in line and line.endswith("tools.firmware X")
