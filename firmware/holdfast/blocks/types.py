"""Rules for the data types that several OCPP messages share (Part 2, section 2, "Datatypes").

Each is a rule as in holdfast.payload and bears the name OCPP gives the type, in snake case. Field names, lengths and
values are those of OCPP's JSON schemas; the order of the fields decides which of several faults is reported. Types of
one message only stand with that message in its block.
"""

from holdfast.payload import date_time, fault_of, identifier, integer
from holdfast.reservations import TOKEN_TYPES

evse = (
    "id", integer,
    "connectorId?", integer,
)

id_token = (
    "idToken", identifier,
    "type", TOKEN_TYPES,
    "additionalInfo?", [(
        "additionalIdToken", 36,
        "type", 50,
    )],
)

message_content = (
    "format", "ASCII HTML URI UTF8",
    "language?", 8,
    "content", 512,
)

id_token_info = (
    "status", "Accepted Blocked ConcurrentTx Expired Invalid NoCredit NotAllowedTypeEVSE NotAtThisLocation"
              " NotAtThisTime Unknown",
    "cacheExpiryDateTime?", date_time,
    "chargingPriority?", integer,
    "language1?", 8,
    "evseId?", [integer],
    "groupIdToken?", id_token,
    "language2?", 8,
    "personalMessage?", message_content,
)

status_info = (
    "reasonCode", 20,
    "additionalInfo?", 512,
)


def charging_profile(value):
    """ChargingProfileType, checked although this station charges as fast as it may.

    The rule is large and seldom needed, so it takes memory only from the first profile on.
    """
    from holdfast.blocks.charging_profile import CHARGING_PROFILE
    return fault_of(CHARGING_PROFILE, value)
