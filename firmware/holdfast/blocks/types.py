"""Rules for the data types that several OCPP messages share (Part 2, section 2, "Datatypes").

Each is a checker built from holdfast.payload and bears the name OCPP gives the type, in snake case. Field names,
lengths and values are those of OCPP's JSON schemas; the order of the fields decides which of several faults is
reported. Types of one message only stand with that message in its block.
"""

from holdfast.payload import array_of, date_time, identifier, integer, object_of, one_of, text
from holdfast.reservations import CONNECTOR_TYPES, TOKEN_TYPES

text_50 = text(50)
text_36 = text(36)
_text_512 = text(512)
_language = text(8)

# The payload of a message without fields, such as StatusNotificationResponse.
empty = object_of()

evse = object_of(
    "id", integer,
    "connectorId?", integer,
)

connector_type = one_of(CONNECTOR_TYPES)

id_token = object_of(
    "idToken", identifier(36),
    "type", one_of(TOKEN_TYPES),
    "additionalInfo?", array_of(object_of(
        "additionalIdToken", text_36,
        "type", text_50,
    )),
)

message_content = object_of(
    "format", one_of("ASCII HTML URI UTF8"),
    "language?", _language,
    "content", _text_512,
)

id_token_info = object_of(
    "status", one_of("Accepted Blocked ConcurrentTx Expired Invalid NoCredit NotAllowedTypeEVSE NotAtThisLocation "
                     "NotAtThisTime Unknown"),
    "cacheExpiryDateTime?", date_time,
    "chargingPriority?", integer,
    "language1?", _language,
    "evseId?", array_of(integer),
    "groupIdToken?", id_token,
    "language2?", _language,
    "personalMessage?", message_content,
)

status_info = object_of(
    "reasonCode", text(20),
    "additionalInfo?", _text_512,
)


def charging_profile(value):
    """ChargingProfileType, checked although this station charges as fast as it may.

    The rule is large and seldom needed, so it takes memory only from the first profile on.
    """
    from holdfast.blocks.charging_profile import CHARGING_PROFILE
    return CHARGING_PROFILE(value)
