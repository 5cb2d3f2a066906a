"""What the README says is there: its table of requirements, the tests and files it names, its commands, its example."""

import json
import re
import subprocess

import pytest
from holdfast import commands, config

from tools import block_h

TEXT = block_h.README.read_text()
ROOT = block_h.ROOT


def test_every_requirement_of_block_h_has_a_test():
    proven = block_h.proofs()
    assert [requirement for requirement in block_h.REQUIREMENTS if requirement not in proven] == []


def test_there_are_37_requirements_33_of_the_specification_and_4_of_the_errata():
    assert len(block_h.REQUIREMENTS) == 37


def test_the_table_of_block_h_is_the_one_the_tests_make():
    assert block_h.in_readme() == block_h.table().strip(), "run python -m tools.block_h --write"


def test_every_test_it_names_exists():
    source = "\n".join(path.read_text() for path in (ROOT / "host_tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_[a-z0-9_]+)`", TEXT))
    assert len(named) > 50
    assert sorted(name for name in named if f"def {name}(" not in source) == []


def test_every_file_and_folder_it_names_exists():
    named = set(re.findall(r"`((?:firmware|host_tests|tools|boards)/[\w./]*)`", TEXT))
    named |= set(re.findall(r"\]\(([\w./]+)\)", TEXT))
    assert len(named) > 8
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


def test_every_module_in_its_picture_exists():
    picture = TEXT.partition("## How it is built")[2].partition("## ")[0]
    there = {path.name for path in (ROOT / "firmware").rglob("*.py")}
    named = set(re.findall(r"\b(\w+\.py)\b", picture))
    assert len(named) > 15 and named <= there, named - there


def test_every_command_it_names_is_one_of_the_makefile():
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", TEXT, re.M))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert {"run", "test", "size"} <= named <= targets, named - targets


@pytest.mark.parametrize("target", ["help"])
def test_make_help_lists_every_command(target):
    shown = subprocess.run(["make", "-C", str(ROOT), target], capture_output=True, text=True).stdout
    for name in re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.M):
        assert re.search(rf"^{name}\s", shown, re.M), name


def test_every_command_of_the_console_it_names_is_one():
    sentence = TEXT.partition("The serial console answers")[2].partition("Ctrl-C")[0]
    named = set(re.findall(r"`([a-z]+)`", sentence)) - {"ok", "error"}
    pretended = (ROOT / "firmware" / "holdfast" / "hardware" / "simulated.py").read_text()
    known = [usage.split()[0] for usage in commands._USAGES.split("\n")]
    known += re.findall(r'\("([a-z]+) [^"]+", ', pretended)
    assert len(named) > 15
    assert sorted(named - set(known)) == []


def test_its_configuration_is_a_good_one():
    example = re.search(r"```json\n(.*?)```", TEXT, re.S).group(1)
    assert config.load(example).evses == (("cCCS2", "cType2"), ("sType2",))
    assert set(json.loads(example)) <= set(re.findall(r'"(\w+)":', example))


def test_every_library_is_named_with_its_reason():
    wanted = (ROOT / "requirements.txt").read_text().partition("# --- what those bring along")[0]
    names = re.findall(r"^([\w.-]+)==", wanted, re.M)
    reasons = TEXT.partition("## What the desk needs")[2].partition("\n## ")[0]
    assert sorted(name for name in names if f"`{name}`" not in reasons) == []


def test_nothing_in_it_is_left_to_be_filled_in():
    assert not re.search(r"@[A-Z]+@|TODO|FIXME", TEXT)
