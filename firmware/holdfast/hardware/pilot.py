"""The numbers of IEC 61851-1:2017 Annex A and B: voltages, duty cycles, cables. Pure functions on integers.

The standard itself is not public; what stands here was compared between several published implementations and
manuals, and where these differ the careful reading is taken: less current, sooner a fault. Pilot voltages are mV
against PE, as the station measures them on its side of its 1 kOhm; duty cycles are per mille of the time at +12 V.
"""

OFF = 1000  # per mille: a steady +12 V, the pilot of A1, B1, C1 and D1 (state X1: no energy)
UNAVAILABLE = 0  # per mille: a steady -12 V, state F

# Table A.4: A 11..13, B 8..10, C 5..7, D 2..4, E -1..1, F -13..-11 V. The borders are halfway between the nominal
# voltages; the hysteresis stays inside the gaps between the ranges, so it never overrules the table.
_HYSTERESIS = 300  # mV
_HIGHEST = 13_500  # mV: above, the front end is broken
NEGATIVE = -10_500  # mV: the low level of PWM that passes a diode (table A.4: -11 V at the most)


def state(mv, before=""):
    """The state, "A" to "F", that a level of the pilot stands for; `before`: the state it was in, for hysteresis.

    Above 13.5 V it is an error like 0 V: state E.
    """
    if mv <= _HIGHEST:
        border = 10_500
        for name in "ABCD":
            # Letters grow as voltages fall: who was lower needs more to rise here, who was here may sink a little.
            if mv >= border + (_HYSTERESIS if before > name else -_HYSTERESIS if before == name else 0):
                return name
            border -= 3000
        if mv <= NEGATIVE:
            return "F"
    return "E"


def duty(amps):
    """The duty cycle that offers a car so many A (table A.7), or OFF below 6 A. It never offers more than asked."""
    if amps < 6:
        return OFF
    if amps <= 51:
        return amps * 100 // 6  # amps = 0.6 x percent
    # amps = (percent - 64) x 2.5; 52 A would come out below 85 %, where a car reads it by the other formula.
    return max(850, min(amps, 80) * 4 + 640)


def current(per_mille):
    """The mA that a car may draw at a duty cycle (table A.8).

    0 where charging is not allowed: below 3 %, from 7 to 8 %, above 97 %; and from 3 to 7 %, which announces digital
    communication (ISO 15118) that has to allow it.
    """
    if 80 <= per_mille < 100:
        return 6000
    if 100 <= per_mille <= 850:
        return per_mille * 60
    if 850 < per_mille <= 960:
        return (per_mille - 640) * 250
    return 80_000 if 960 < per_mille <= 970 else 0


def cable(ohms):
    """The A that a cable may carry by its resistance from PP to PE (table B.2), None where it can not be told.

    Nominal: 1500 Ohm 13 A, 680 Ohm 20 A, 220 Ohm 32 A, 100 Ohm 63 A. Between the ranges the lower current counts.
    """
    if 75 <= ohms <= 2460:
        return 63 if ohms <= 140 else 32 if ohms <= 308 else 20 if ohms <= 936 else 13
    return None
