"""The rule for ChargingProfileType, down to the sales tariff inside its schedules (Part 2, section K).

Apart from the other types because it is the largest of them and most stations never see one:
`charging_profile` in remote_control.py loads it when the first profile arrives.
"""

from ..payload import date_time, integer, integer_between, number

_CONSUMPTION_COST = (
    "startValue", number,
    "cost", [(
        "costKind", "CarbonDioxideEmission RelativePricePercentage RenewableGenerationPercentage",
        "amount", integer,
        "amountMultiplier?", integer,
    ), 1, 3],
)

_SALES_TARIFF = (
    "id", integer,
    "salesTariffDescription?", 32,
    "numEPriceLevels?", integer,
    "salesTariffEntry", [(
        "relativeTimeInterval", (
            "start", integer,
            "duration?", integer,
        ),
        "ePriceLevel?", integer_between(0, 0x7FFFFFFF),
        "consumptionCost?", [_CONSUMPTION_COST, 1, 3],
    ), 1, 1024],
)

_CHARGING_SCHEDULE = (
    "id", integer,
    "startSchedule?", date_time,
    "duration?", integer,
    "chargingRateUnit", "W A",
    "chargingSchedulePeriod", [(
        "startPeriod", integer,
        "limit", number,
        "numberPhases?", integer,
        "phaseToUse?", integer,
    ), 1, 1024],
    "minChargingRate?", number,
    "salesTariff?", _SALES_TARIFF,
)

CHARGING_PROFILE = (
    "id", integer,
    "stackLevel", integer,
    "chargingProfilePurpose", "ChargingStationExternalConstraints ChargingStationMaxProfile TxDefaultProfile TxProfile",
    "chargingProfileKind", "Absolute Recurring Relative",
    "recurrencyKind?", "Daily Weekly",
    "validFrom?", date_time,
    "validTo?", date_time,
    "chargingSchedule", [_CHARGING_SCHEDULE, 1, 3],
    "transactionId?", 36,
)
