"""What MicroPython's build makes of the folders in boards/: its .cmake files are followed, its settings put together.

And what the pages of wiring say: the figures in them are those of their circuits, the tables those of the files.
"""

import ast
import re

import pytest

from tools.board_checks import BOARDS, board_names, flash_size, read_partitions, read_pins, read_sdkconfig
from tools.flash import description
from tools.manifests import FIRMWARE, evaluate

NAMES = board_names()
WIRING = (BOARDS / "README.md").read_text()

# What the port's own settings for a chip leave behind (ports/esp32/boards/mpconfigboard_esp32_common.cmake), less what
# does not matter here.
PORT = ["boards/sdkconfig.base", "boards/sdkconfig.ble"]

# Settings that safety and the promises of the README stand on, and what is there without them.
WANTED = {
    "CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE": "y",  # else an image that does not work stays
    "CONFIG_MBEDTLS_HAVE_TIME_DATE": "y",  # else certificates are not held against the clock
    "CONFIG_ESP_SYSTEM_PANIC_PRINT_REBOOT": "y",  # else a panic halts, with the contactor as it was
    "CONFIG_ESP_SYSTEM_PANIC_REBOOT_DELAY_SECONDS": "0",
    "CONFIG_COMPILER_OPTIMIZATION_SIZE": "y",  # else an image does not fit into a slot
}


class Build:
    """Follows a board's .cmake files as cmake does, as far as they go: set, list, file(WRITE), include."""

    def __init__(self, board):
        self.values = {"MICROPY_BOARD_DIR": [str(board)], "CMAKE_BINARY_DIR": ["/build"]}
        self.files = {}
        self._read(board / "mpconfigboard.cmake")

    def _read(self, path):
        text = re.sub(r"^\s*#.*$", "", path.read_text(), flags=re.M)
        for command, rest in re.findall(r"^(\w+)\((.*?)\)$", text, re.M | re.S):
            words = [self._filled(ast.literal_eval(word) if word[0] == '"' else word)
                     for word in re.findall(r'"(?:[^"\\]|\\.)*"|[^\s"]+', rest)]
            getattr(self, "_" + command)(*words)

    def _filled(self, word):
        return re.sub(r"\$\{(\w+)\}", lambda name: ";".join(self.values[name[1]]), word)

    def _include(self, path):
        if path.startswith("boards/"):
            self.values["SDKCONFIG_DEFAULTS"] = list(PORT)
        else:
            self._read(BOARDS / path)

    def _set(self, name, *words):
        self.values[name] = list(words)

    def _list(self, what, name, *words):
        if what == "APPEND":
            self.values[name] += words
        elif what == "REMOVE_ITEM":
            self.values[name] = [word for word in self.values[name] if word not in words]
        else:
            raise ValueError(what)

    def _file(self, what, path, *words):
        assert what == "WRITE"
        self.files[path] = "".join(words)

    def settings(self):
        """{name: value} of all the settings that are not the port's; of two for one name the later counts."""
        found = {}
        for path in self.values["SDKCONFIG_DEFAULTS"]:
            if path not in PORT:
                found.update(read_sdkconfig(self.files[path] if path in self.files else (BOARDS / path).read_text()))
        return found


@pytest.mark.parametrize("name", NAMES)
def test_a_build_gets_the_settings_of_all_boards_and_then_those_of_the_board(name):
    board = BOARDS / name
    used = Build(board).values["SDKCONFIG_DEFAULTS"]
    assert used[0] == PORT[0] and used.index(str(board / "../sdkconfig.holdfast")) < used.index(
        str(board / "sdkconfig.board"))


@pytest.mark.parametrize("name", NAMES)
def test_a_build_takes_bluetooth_out_on_both_sides(name):
    """mpconfigboard.h takes it out of MicroPython, which board_checks sees; ESP-IDF would still give it memory."""
    assert "boards/sdkconfig.ble" not in Build(BOARDS / name).values["SDKCONFIG_DEFAULTS"]


@pytest.mark.parametrize("name", NAMES)
def test_a_build_gets_the_partition_table_and_the_manifest_of_the_board(name):
    build = Build(BOARDS / name)
    settings = build.settings()
    assert settings["CONFIG_PARTITION_TABLE_CUSTOM"] == "y"
    assert settings["CONFIG_PARTITION_TABLE_CUSTOM_FILENAME"] == '"%s"' % (BOARDS / name / "partitions.csv")
    assert build.values["MICROPY_FROZEN_MANIFEST"] == [str(BOARDS / name / "manifest.py")]


@pytest.mark.parametrize("name", NAMES)
def test_a_build_has_the_settings_that_safety_stands_on(name):
    settings = Build(BOARDS / name).settings()
    assert {setting: settings.get(setting) for setting in WANTED} == WANTED


# As MicroPython's own boards for these chips have it; a name that ESP-IDF does not know would only be warned of.
READ = {"esp32": {"MODE_DIO", "FREQ_40M"}, "esp32c3": {"MODE_DIO"}, "esp32s3": {"MODE_QIO", "FREQ_80M"}}


@pytest.mark.parametrize("name", NAMES)
def test_the_flash_is_read_as_every_module_with_the_chip_can_be(name):
    settings = Build(BOARDS / name).settings()
    chosen = {setting.removeprefix("CONFIG_ESPTOOLPY_FLASH") for setting, value in settings.items()
              if value == "y" and setting.startswith("CONFIG_ESPTOOLPY_FLASH")}
    assert {choice for choice in chosen if not choice.startswith("SIZE_")} == READ[description(name)[0]]


def test_one_image_starts_with_psram_and_without():
    assert Build(BOARDS / "ESP32_GENERIC_S3").settings()["CONFIG_SPIRAM_IGNORE_NOTFOUND"] == "y"


@pytest.mark.parametrize("name", NAMES)
def test_the_clock_of_the_phy_is_made_on_the_pin_that_is_wired(name):
    settings = Build(BOARDS / name).settings()
    clock = dict(read_pins((BOARDS / name / "pins.csv").read_text())).get("ETH_CLOCK")
    assert (settings.get("CONFIG_ETH_RMII_CLK_OUTPUT"), settings.get("CONFIG_ETH_RMII_CLK_OUT_GPIO")) == (
        ("y", str(clock)) if clock else (None, None))


@pytest.mark.parametrize("name", NAMES)
def test_ethernet_is_in_the_image_where_it_is_on_the_board(name):
    header = (BOARDS / name / "mpconfigboard.h").read_text()
    without = re.search(r"^#define MICROPY_PY_NETWORK_LAN +\(0\)$", header, re.M)
    assert bool(without) == ("ETH_CLOCK" not in (BOARDS / name / "pins.csv").read_text())


@pytest.mark.parametrize("name", ["ESP32_GENERIC_C3", "ESP32_GENERIC_S3"])
def test_a_board_with_usb_of_its_own_has_its_console_on_the_uart_too(name):
    """A board of this kind may have only a socket that leads to the UART; without this it would be mute."""
    header = (BOARDS / name / "mpconfigboard.h").read_text()
    assert re.search(r"^#define MICROPY_HW_ENABLE_UART_REPL +\(1\)$", header, re.M)


def test_what_is_frozen_keeps_its_line_numbers_for_crash_reports():
    manifest = evaluate(BOARDS / "manifest.py")
    assert {level for source, level in manifest.files.values() if source} == {2}


def test_an_image_has_the_version_of_its_agent():
    version = re.search(r'^__version__ = "(.*)"', (FIRMWARE / "holdfast" / "__init__.py").read_text(), re.M)[1]
    assert evaluate(BOARDS / "manifest.py").metadata["version"] == version


# --- the pages


def test_the_table_of_boards_is_that_of_the_folders():
    rows = re.findall(r"^\| \[(\w+)\]\((\w+)/README\.md\) \| ([\w-]+) \| (\d+) MiB \| ([\w-]+) \|", WIRING, re.M)
    assert [row[0] for row in rows] == NAMES
    for name, folder, chip, flash, network in rows:
        settings = read_sdkconfig((BOARDS / name / "sdkconfig.board").read_text())
        pins = (BOARDS / name / "pins.csv").read_text()
        assert (folder, chip.lower().replace("-", ""), int(flash) << 20, network) == (
            name, description(name)[0], flash_size(settings), "Ethernet" if "ETH_" in pins else "Wi-Fi")


def test_an_image_is_as_large_as_the_flash_that_its_page_asks_for():
    for name in NAMES:
        table = (BOARDS / name / "partitions.csv").read_text()
        end = max(one.end for one in read_partitions(table))
        assert "# Partition table of %d MiB" % (end >> 20) in table


def ohms(text):
    number, kilo = re.fullmatch(r"([\d.]+) (k?)Ω", text).groups()
    return float(number) * (1000 if kilo else 1)


def rows_of(title):
    """The cells of the first table after a title, row by row, without those of its first column."""
    lines = [line for line in WIRING.partition(title)[2].splitlines() if line.startswith("|")][:4]
    return [[cell.strip() for cell in line.strip("|").split("|")][1:] for line in lines if not line.startswith("| -")]


def at_the_pin(wire):
    """Volts at PILOT_ADC with so many on the pilot wire, by the three resistors that are named."""
    found = re.search(r"([\d.]+ k?Ω) from the pilot wire to `PILOT_ADC`, ([\d.]+ k?Ω) from there to 3\.3 V, "
                      r"([\d.]+ k?Ω)\s+to ground", WIRING)
    series, up, down = map(ohms, found.groups())
    return (wire / series + 3.3 / up) / (1 / series + 1 / up + 1 / down)


def test_the_voltages_of_the_pilot_are_those_of_its_divider():
    volts, _, pins = rows_of("**Pilot divider.**")
    assert len(volts) == 6
    for wire, pin in zip(volts, pins, strict=True):
        assert float(pin.split()[0]) == pytest.approx(at_the_pin(float(wire.replace("−", "-").split()[0])), abs=0.005)


def test_the_voltages_of_the_proximity_are_those_of_its_divider():
    _, resistors, pins = rows_of("**Proximity.**")
    up = ohms(re.search(r"With ([\d.]+ k?Ω) to 3\.3 V", WIRING)[1])
    for resistor, pin in zip(resistors[:-1], pins, strict=False):
        below = ohms(resistor)
        assert float(pin.split()[0]) == pytest.approx(3.3 * below / (below + up), abs=0.005)


@pytest.mark.parametrize("name", NAMES)
def test_the_configuration_on_the_page_of_a_board_is_that_of_the_circuits(name):
    page = (BOARDS / name / "README.md").read_text()
    low, high = map(int, re.search(r'"pilot_mv": \[(\d+), (\d+)\]', page).groups())
    assert (low, high) == (round(1000 * at_the_pin(-12)), round(1000 * at_the_pin(12)))
    assert int(re.search(r'"pull_up": (\d+)', page)[1]) == ohms(re.search(r"With ([\d.]+ k?Ω) to 3\.3 V", WIRING)[1])
    # What is "low while" it is on is active low; RESIDUAL is low while nothing is wrong, so it is active high.
    low = re.findall(r"^\| `(MIRROR|RESIDUAL|LOCKED)` \| in \| low while the (?:contacts|plug)", WIRING, re.M)
    assert ast.literal_eval(re.search(r'"active_low": (\[.*?\])', page)[1]) == [role.lower() for role in low]


def test_the_line_that_starts_ethernet_names_each_signal_where_it_belongs():
    page = (BOARDS / "OLIMEX_ESP32_POE" / "README.md").read_text()
    line = re.search(r"lan = LAN\(0, (.*?)\)", page, re.S)[1]
    assert dict(re.findall(r"(\w+)=pins\.(\w+)", line)) == {
        "mdc": "ETH_MDC", "mdio": "ETH_MDIO", "power": "ETH_POWER", "ref_clk": "ETH_CLOCK"}
