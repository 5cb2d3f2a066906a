"""What the pins of the three chips can do, and what a station needs of them.

Numbers are GPIO numbers. Sources: the GPIO page of ESP-IDF's API reference for each chip (which pins exist, flash,
PSRAM, USB, strapping, ADC), the datasheets' sections "Strapping Pins" and "Pin Overview" (levels at reset).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Chip:
    """One chip. `high_at_reset`: pins that are pulled or driven high before any program has set them."""

    cpu: str  # mpy-cross -march
    image_offset: int  # where the boot ROM looks for the bootloader
    gpios: frozenset
    input_only: frozenset
    flash: frozenset  # wired to the flash or to PSRAM inside of the usual modules
    console: frozenset  # UART0, and the USB of the chip itself
    strapping: frozenset  # their level at reset decides how the chip starts
    adc1: frozenset  # ADC2 can not be read while Wi-Fi is on, on the C3 hardly ever
    high_at_reset: frozenset


def _pins(*spans):
    return frozenset(pin for span in spans for pin in (range(span[0], span[1] + 1) if type(span) is tuple else [span]))


CHIPS = {
    "esp32": Chip(
        cpu="xtensawin",
        image_offset=0x1000,
        gpios=_pins((0, 19), (21, 23), (25, 27), (32, 39)),
        input_only=_pins((34, 39)),
        flash=_pins((6, 11)),
        console=_pins(1, 3),
        strapping=_pins(0, 2, 5, 12, 15),
        adc1=_pins((32, 39)),
        high_at_reset=_pins(0, 1, 3, 5, (6, 11), 14, 15),
    ),
    "esp32c3": Chip(
        cpu="rv32imc",
        image_offset=0x0,
        gpios=_pins((0, 21)),
        input_only=_pins(),
        flash=_pins((11, 17)),
        console=_pins(18, 19, 20, 21),
        strapping=_pins(2, 8, 9),
        adc1=_pins((0, 4)),
        high_at_reset=_pins(8, 9, 18, 19, 20, 21),
    ),
    "esp32s3": Chip(
        cpu="xtensawin",
        image_offset=0x0,
        gpios=_pins((0, 21), (26, 48)),
        input_only=_pins(),
        flash=_pins((26, 37)),
        console=_pins(19, 20, 43, 44),
        strapping=_pins(0, 3, 45, 46),
        adc1=_pins((1, 10)),
        high_at_reset=_pins(0, 18, 19, 20, 43, 44),
    ),
}

# What a board's pins.csv has to name: the pins of holdfast.hardware.iec61851, an LED and a button.
ROLES = (
    "PILOT_PWM", "PILOT_ADC", "CONTACTOR", "MIRROR", "RESIDUAL", "PROXIMITY", "LOCK", "UNLOCK", "LOCKED", "LED",
    "BUTTON",
)
ANALOGUE = ("PILOT_ADC", "PROXIMITY")
OUTPUTS = ("PILOT_PWM", "CONTACTOR", "LOCK", "UNLOCK", "LED", "ETH_MDC", "ETH_POWER", "ETH_CLOCK")
MOVING = ("CONTACTOR", "LOCK", "UNLOCK")  # must not be switched on by a reset

# Pins that decide how a chip starts may carry only this: the button that is there for it, an LED to 3.3 V, a contact
# that pulls low only while a car is locked to the station, and what the maker of the board has put there.
ON_A_STRAP = ("BUTTON", "LED", "LOCKED", "ETH_POWER")

# The ESP32's Ethernet has these in one place only (ESP-IDF, "Ethernet", table of RMII signals).
RMII = {"ETH_TX_EN": 21, "ETH_TXD0": 19, "ETH_TXD1": 22, "ETH_CRS_DV": 27, "ETH_RXD0": 25, "ETH_RXD1": 26}
RMII_CLOCKS = (0, 16, 17)


def pin_faults(pins, chip):
    """What is wrong with [(name, GPIO number)] on a Chip, as a list of texts."""
    faults = []
    names = [name for name, _ in pins]
    numbers = [number for _, number in pins]
    faults += ["%s is named twice" % name for name in sorted(set(names)) if names.count(name) > 1]
    faults += ["%s has no pin" % role for role in ROLES if role not in names]
    faults += ["GPIO%d is used twice" % number for number in sorted(set(numbers)) if numbers.count(number) > 1]
    for name, number in pins:
        for wrong, why in (
            (number not in chip.gpios, "does not exist on this chip"),
            (number in chip.flash, "belongs to the flash or PSRAM"),
            (number in chip.console, "belongs to the console"),
            (name in OUTPUTS and number in chip.input_only, "is an input only"),
            (name in ANALOGUE and number not in chip.adc1, "is not on ADC1"),
            (name in MOVING and number in chip.high_at_reset, "is high at reset"),
            (number in chip.strapping and name not in ON_A_STRAP, "decides how the chip starts"),
            (name in RMII and number != RMII[name], "is not where the chip has this signal"),
            (name == "ETH_CLOCK" and number not in RMII_CLOCKS, "is not where the chip has this signal"),
        ):
            if wrong:
                faults.append("%s: GPIO%d %s" % (name, number, why))
    return faults
