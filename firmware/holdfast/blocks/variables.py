"""Block B on the wire, the device model: GetVariables and SetVariables. The table is holdfast/device_model.py."""

from ..device_model import fault, has_component, row
from ..payload import evse
from ..rpc import CallError

variable = (
    "name", 50,
    "instance?", 50,
)

component = (
    "name", 50,
    "instance?", 50,
    "evse?", evse,
)

attribute_type = "Actual Target MinSet MaxSet"


def get_variables(station, now, request):
    """GetVariablesRequest -> GetVariablesResponse: one result for each entry, in the same order (B06)."""
    return {"getVariableResult": _each(station, now, request["getVariableData"], "Get")}


def set_variables(station, now, request):
    """SetVariablesRequest -> SetVariablesResponse: one result for each entry, in the same order (B05)."""
    return {"setVariableResult": _each(station, now, request["setVariableData"], "Set")}


def _each(station, now, entries, verb):
    if len(entries) > station.variables.integer("DeviceDataCtrlr.ItemsPerMessage[%sVariables]" % verb):
        raise CallError("OccurrenceConstraintViolation", "more items than ItemsPerMessage")  # B05.FR.11, B06.FR.16
    results = []
    for entry in entries:
        place, what = entry["component"], entry["variable"]
        # What every result repeats of its entry.
        result = {"attributeType": entry.get("attributeType", "Actual"), "component": place, "variable": what}
        found = _row(place, what)
        value = station.variables.value(found) if found else _observed(station, now, place, what)
        if value is None:
            status = _unknown(place)
        elif verb == "Get":
            status = _get(found, value, result)
        else:
            status = _set(station, now, found, entry["attributeValue"], result)
        result["attributeStatus"] = status
        results.append(result)
    return results


def _get(found, value, result):
    """GetVariableStatusEnumType; the value goes into `result`. `found`: the row, None for what is observed."""
    if found and found[1] == "WO":
        return "Rejected"  # B06.FR.09
    if result["attributeType"] != "Actual":
        return "NotSupportedAttributeType"  # B06.FR.08
    result["attributeValue"] = value
    return "Accepted"


def _set(station, now, found, value, result):
    """SetVariableStatusEnumType; why not goes into `result`."""
    if found is None:
        return "Rejected"  # what is observed is read-only
    if result["attributeType"] != "Actual":
        return "NotSupportedAttributeType"  # B05.FR.06
    name = found[0]
    wrong = fault(found, value)
    if found[1] == "RO":
        info = {"reasonCode": "ReadOnly"}  # B05.FR.09
    elif wrong:
        info = {"reasonCode": "InvalidValue", "additionalInfo": wrong}  # B05.FR.07
    else:
        reason = station.store("variable-" + name, value.encode())
        if not reason:
            station.variables.put(name, value)
            station.variable_changed(now, name, value)
            return "Accepted"
        info = {"reasonCode": reason}
    result["attributeStatusInfo"] = info
    return "Rejected"


def _row(place, what):
    """The row of that component and variable, or None. No row belongs to an EVSE."""
    if "instance" in place or "evse" in place or "[" in what["name"]:
        return None
    name = place["name"] + "." + what["name"]
    if "instance" in what:
        name += "[%s]" % what["instance"]
    return row(name)


def _unknown(place):
    """UnknownComponent or UnknownVariable (B05.FR.04, .05, B06.FR.06, .07)."""
    name = place["name"].lower()
    known = name in ("evse", "connector") if "evse" in place else name == "chargingstation" or has_component(name)
    return "UnknownVariable" if known and "instance" not in place else "UnknownComponent"


def _observed(station, now, place, what):
    """The value of a variable that is read off the facts, or None if there is no such one."""
    if "instance" in place or "instance" in what:
        return None
    kind, what = place["name"].lower(), what["name"].lower()
    site = station.site
    if "evse" not in place:
        if kind == "clockctrlr" and what == "datetime":
            return station.clock.text(now) if station.clock.is_set else ""
        thing = "chargingstation"
        states = ["Available" if site.operative else "Unavailable"]
    else:
        spot = site.evse(place["evse"]["id"])
        connector_id = place["evse"].get("connectorId")
        thing = "evse" if connector_id is None else "connector"
        states = []
        for connector in spot.connectors if spot else ():
            if connector_id in (None, connector.id):
                states.append(station.status_of(spot, connector))
                connector_type = connector.type
    if kind != thing or not states:
        return None
    if what == "available":
        return "true"
    if what == "connectortype" and thing == "connector":
        return connector_type
    if what == "availabilitystate":
        for state in "Faulted Occupied Reserved Available Unavailable".split():
            if state in states:
                return state
    return None


def load(station, now, name, data):
    """Take a value over from its record. ValueError if this firmware cannot use it."""
    found = row(name[9:])
    value = data.decode()
    if found is None or fault(found, value):
        raise ValueError
    station.variables.put(found[0], value)


REQUESTS = (
    ("GetVariables", ("getVariableData", [(
        "attributeType?", attribute_type,
        "component", component,
        "variable", variable,
    )]), get_variables),
    ("SetVariables", ("setVariableData", [(
        "attributeType?", attribute_type,
        "attributeValue", 1000,
        "component", component,
        "variable", variable,
    )]), set_variables),
)
