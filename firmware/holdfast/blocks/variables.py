"""Block B on the wire, the device model: GetVariables and SetVariables. The table is holdfast/device_model.py."""

from holdfast import clock
from holdfast.blocks import reservation
from holdfast.blocks.types import evse, text_50
from holdfast.device_model import READ_ONLY, WRITE_ONLY, fault, full_name, has_component, row
from holdfast.payload import array_of, object_of, one_of, text
from holdfast.rpc import CallError

variable = object_of(
    "name", text_50,
    "instance?", text_50,
)

component = object_of(
    "name", text_50,
    "instance?", text_50,
    "evse?", evse,
)

attribute_type = one_of("Actual Target MinSet MaxSet")

GET_VARIABLES = object_of("getVariableData", array_of(object_of(
    "attributeType?", attribute_type,
    "component", component,
    "variable", variable,
)))

SET_VARIABLES = object_of("setVariableData", array_of(object_of(
    "attributeType?", attribute_type,
    "attributeValue", text(1000),
    "component", component,
    "variable", variable,
)))

RECORDS = "variable-"


def get_variables(station, now, request):
    """GetVariablesRequest -> GetVariablesResponse: one result for each entry, in the same order (B06)."""
    return {"getVariableResult": [_get(station, now, entry) for entry in _entries(station, request, "Get")]}


def set_variables(station, now, request):
    """SetVariablesRequest -> SetVariablesResponse: one result for each entry, in the same order (B05)."""
    return {"setVariableResult": [_set(station, now, entry) for entry in _entries(station, request, "Set")]}


def _entries(station, request, verb):
    entries = request["getVariableData" if verb == "Get" else "setVariableData"]
    if len(entries) > station.variables.integer("DeviceDataCtrlr.ItemsPerMessage[%sVariables]" % verb):
        raise CallError("OccurrenceConstraintViolation", "more items than ItemsPerMessage")  # B05.FR.11, B06.FR.16
    return entries


def _result(entry, status):
    """What every result repeats of its entry, and its status."""
    return {
        "attributeType": entry.get("attributeType", "Actual"),
        "attributeStatus": status,
        "component": entry["component"],
        "variable": entry["variable"],
    }


def _get(station, now, entry):
    value, status = _value(station, now, entry)
    if value is not None and entry.get("attributeType", "Actual") != "Actual":
        value, status = None, "NotSupportedAttributeType"  # B06.FR.08
    result = _result(entry, status)
    if value is not None:
        result["attributeValue"] = value
    return result


def _value(station, now, entry):
    """(value or None, GetVariableStatusEnumType) of what an entry asks for."""
    found = _row(entry)
    if found:
        if found[1] == WRITE_ONLY:
            return None, "Rejected"  # B06.FR.09
        return station.variables.value(found), "Accepted"
    value = _observed(station, now, entry)
    return (value, "Accepted") if value is not None else (None, _unknown(entry))


def _set(station, now, entry):
    found = _row(entry)
    if found is None:
        observed = _observed(station, now, entry) is not None
        return _result(entry, "Rejected" if observed else _unknown(entry))  # what is observed is read-only
    if entry.get("attributeType", "Actual") != "Actual":
        return _result(entry, "NotSupportedAttributeType")  # B05.FR.06
    reason, explanation = _put(station, now, found, entry["attributeValue"])
    result = _result(entry, "Rejected" if reason else "Accepted")
    if reason:
        result["attributeStatusInfo"] = {"reasonCode": reason, "additionalInfo": explanation}
    return result


def _put(station, now, found, value):
    """Give a row a value, on flash first. (None, None), or a reason code and an explanation of the refusal."""
    if found[1] == READ_ONLY:
        return "ReadOnly", "read-only"  # B05.FR.09
    wrong = fault(found, value)
    if wrong:
        return "InvalidValue", wrong  # B05.FR.07
    try:
        station.store(RECORDS + found[0], value.encode())
    except OSError as error:
        return reservation.storage_reason(error), "not stored"
    station.variables.put(found, value)
    station.variable_changed(now, found[0], value)
    return None, None


def _row(entry):
    """The row an entry names, or None. No row belongs to an EVSE."""
    place, what = entry["component"], entry["variable"]
    if "instance" in place or "evse" in place or "[" in what["name"]:
        return None
    return row(full_name(place["name"], what["name"], what.get("instance")))


def _unknown(entry):
    """UnknownComponent or UnknownVariable (B05.FR.04, .05, B06.FR.06, .07)."""
    place = entry["component"]
    name = place["name"].lower()
    if "instance" in place:
        return "UnknownComponent"
    if "evse" in place:
        return "UnknownVariable" if name in ("evse", "connector") else "UnknownComponent"
    return "UnknownVariable" if has_component(name) or name == "chargingstation" else "UnknownComponent"


def _observed(station, now, entry):
    """The value of a variable that is read off the facts, or None if there is no such one."""
    place = entry["component"]
    what = (place["name"] + "." + entry["variable"]["name"]).lower()
    if "instance" in place or "instance" in entry["variable"]:
        return None
    if "evse" not in place:
        if what == "clockctrlr.datetime":
            return clock.rfc3339(station.clock.utc(now)) if station.clock.is_set else ""
        if what == "chargingstation.available":
            return "true"
        if what == "chargingstation.availabilitystate":
            return "Available" if station.site.operative else "Unavailable"
        return None
    spot = station.site.evse(place["evse"]["id"])
    connector = spot and spot.connector(place["evse"].get("connectorId"))
    if spot is None or ("connectorId" in place["evse"] and connector is None):
        return None
    if what == ("connector" if connector else "evse") + ".available":
        return "true"
    if what == "connector.connectortype" and connector:
        return connector.type
    if what == "connector.availabilitystate" and connector:
        return station.status_of(spot, connector)
    if what == "evse.availabilitystate" and not connector:
        states = [station.status_of(spot, one) for one in spot.connectors]
        for state in ("Faulted", "Occupied", "Reserved", "Available"):
            if state in states:
                return state
        return "Unavailable"
    return None


def load(station, name, data):
    """Take a value over from its record. False if this firmware cannot use it."""
    found = row(name[len(RECORDS):])
    value = data.decode()
    if found is None or fault(found, value):
        return False
    station.variables.put(found, value)
    return True


REQUESTS = (
    ("GetVariables", GET_VARIABLES, get_variables),
    ("SetVariables", SET_VARIABLES, set_variables),
)
RESPONSES = ()
