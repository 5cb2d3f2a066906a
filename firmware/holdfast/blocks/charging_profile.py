"""The rule for ChargingProfileType, down to the sales tariff inside its schedules (Part 2, section K).

Apart from the other types because it is the largest of them and most stations never see one:
`holdfast.blocks.types.charging_profile` loads it when the first profile arrives.
"""

from holdfast.blocks.types import text_36
from holdfast.payload import array_of, date_time, integer, integer_between, number, object_of, one_of, text

_CONSUMPTION_COST = object_of(
    "startValue", number,
    "cost", array_of(object_of(
        "costKind", one_of("CarbonDioxideEmission RelativePricePercentage RenewableGenerationPercentage"),
        "amount", integer,
        "amountMultiplier?", integer,
    ), maximum=3),
)

_SALES_TARIFF = object_of(
    "id", integer,
    "salesTariffDescription?", text(32),
    "numEPriceLevels?", integer,
    "salesTariffEntry", array_of(object_of(
        "relativeTimeInterval", object_of(
            "start", integer,
            "duration?", integer,
        ),
        "ePriceLevel?", integer_between(0, 0x7FFFFFFF),
        "consumptionCost?", array_of(_CONSUMPTION_COST, maximum=3),
    ), maximum=1024),
)

_CHARGING_SCHEDULE = object_of(
    "id", integer,
    "startSchedule?", date_time,
    "duration?", integer,
    "chargingRateUnit", one_of("W A"),
    "chargingSchedulePeriod", array_of(object_of(
        "startPeriod", integer,
        "limit", number,
        "numberPhases?", integer,
        "phaseToUse?", integer,
    ), maximum=1024),
    "minChargingRate?", number,
    "salesTariff?", _SALES_TARIFF,
)

CHARGING_PROFILE = object_of(
    "id", integer,
    "stackLevel", integer,
    "chargingProfilePurpose", one_of("ChargingStationExternalConstraints ChargingStationMaxProfile TxDefaultProfile "
                                     "TxProfile"),
    "chargingProfileKind", one_of("Absolute Recurring Relative"),
    "recurrencyKind?", one_of("Daily Weekly"),
    "validFrom?", date_time,
    "validTo?", date_time,
    "chargingSchedule", array_of(_CHARGING_SCHEDULE, maximum=3),
    "transactionId?", text_36,
)
