"""Block B, GetVariables and SetVariables: one result for each entry, and what is written stays written."""

from fakes import Desk


def entry(component, variable, value=None, instance=None, attribute=None, evse=None):
    made = {"component": {"name": component}, "variable": {"name": variable}}
    if value is not None:
        made["attributeValue"] = value
    if instance is not None:
        made["variable"]["instance"] = instance
    if attribute:
        made["attributeType"] = attribute
    if evse:
        made["component"]["evse"] = evse
    return made


def get(desk, *entries):
    return desk.call("GetVariables", {"getVariableData": list(entries)})["getVariableResult"]


def put(desk, *entries):
    return desk.call("SetVariables", {"setVariableData": list(entries)})["setVariableResult"]


def got(desk, *args, **kwargs):
    """(status, value or None) of one variable."""
    result = get(desk, entry(*args, **kwargs))[0]
    return result["attributeStatus"], result.get("attributeValue")


def status_of_put(desk, *args, **kwargs):
    return put(desk, entry(*args, **kwargs))[0]["attributeStatus"]


def test_a_value_is_read():
    """B06.FR.01–04, TC_B_06."""
    assert get(Desk(), entry("OCPPCommCtrlr", "OfflineThreshold")) == [{
        "attributeType": "Actual", "attributeStatus": "Accepted", "attributeValue": "60",
        "component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "OfflineThreshold"}}]


def test_results_come_for_each_entry_in_order():
    """B06.FR.10, TC_B_07."""
    results = get(Desk(), entry("OCPPCommCtrlr", "OfflineThreshold"), entry("No", "Such"),
                  entry("AuthCtrlr", "AuthorizeRemoteStart"))
    assert [r["variable"]["name"] for r in results] == ["OfflineThreshold", "Such", "AuthorizeRemoteStart"]
    assert [r["attributeStatus"] for r in results] == ["Accepted", "UnknownComponent", "Accepted"]


def test_letter_case_does_not_count_and_is_echoed():
    result = get(Desk(), entry("ocppcommctrlr", "OFFLINETHRESHOLD"))[0]
    assert result["attributeValue"] == "60"
    assert result["component"] == {"name": "ocppcommctrlr"}


def test_an_instance_is_read():
    assert got(Desk(), "OCPPCommCtrlr", "MessageTimeout", instance="Default") == ("Accepted", "30")


def test_a_missing_instance_is_an_unknown_variable():
    """B06.FR.15."""
    assert got(Desk(), "OCPPCommCtrlr", "MessageTimeout") == ("UnknownVariable", None)
    assert got(Desk(), "OCPPCommCtrlr", "OfflineThreshold", instance="x") == ("UnknownVariable", None)


def test_an_unknown_component_or_variable_has_no_value():
    """B06.FR.06, .07, TC_B_32, TC_B_33."""
    desk = Desk()
    assert got(desk, "NoSuchCtrlr", "Enabled") == ("UnknownComponent", None)
    assert got(desk, "ReservationCtrlr", "NoSuch") == ("UnknownVariable", None)
    assert got(desk, "ReservationCtrlr", "Enabled", evse={"id": 1}) == ("UnknownComponent", None)


def test_an_attribute_that_is_not_there():
    """B06.FR.08, B05.FR.06, TC_B_34, TC_B_37: echoed, NotSupportedAttributeType."""
    desk = Desk()
    for attribute in ("Target", "MinSet", "MaxSet"):
        result = get(desk, entry("OCPPCommCtrlr", "OfflineThreshold", attribute=attribute))[0]
        assert (result["attributeType"], result["attributeStatus"]) == (attribute, "NotSupportedAttributeType")
        assert "attributeValue" not in result
        assert status_of_put(desk, "OCPPCommCtrlr", "OfflineThreshold", "5", attribute=attribute) == (
            "NotSupportedAttributeType")


def test_a_value_is_written_and_persists():
    """B05.FR.01, .10, TC_B_09: writable variables survive a reboot."""
    desk = Desk()
    assert put(desk, entry("OCPPCommCtrlr", "OfflineThreshold", "300"))[0]["attributeStatus"] == "Accepted"
    desk.reboot()
    assert got(desk, "OCPPCommCtrlr", "OfflineThreshold") == ("Accepted", "300")


def test_an_instance_is_written_and_persists():
    """E13: MessageAttempts[TransactionEvent]."""
    desk = Desk()
    for variable in ("MessageAttempts", "MessageAttemptInterval"):
        assert status_of_put(desk, "OCPPCommCtrlr", variable, "7", instance="TransactionEvent") == "Accepted"
    desk.reboot()
    assert got(desk, "OCPPCommCtrlr", "MessageAttempts", instance="TransactionEvent") == ("Accepted", "7")
    assert desk.station.set_aside == 0


def test_every_writable_variable_can_be_written_and_persists():
    desk = Desk()
    written = []
    for row in desk.station.variables.names():
        component, variable = row.split(".")
        instance = None
        if variable.endswith("]"):
            variable, instance = variable[:-1].split("[")
        value = got(desk, component, variable, instance=instance)[1]
        if status_of_put(desk, component, variable, value, instance=instance) == "Accepted":
            written.append(row)
    assert len(written) >= 12
    desk.reboot()
    assert desk.station.set_aside == 0


def test_entries_are_judged_one_by_one():
    """B05.FR.01–03, TC_B_10: a bad one does not spoil the others."""
    desk = Desk()
    results = put(desk, entry("OCPPCommCtrlr", "OfflineThreshold", "x"), entry("TxCtrlr", "EVConnectionTimeOut", "9"))
    assert [r["attributeStatus"] for r in results] == ["Rejected", "Accepted"]
    assert got(desk, "TxCtrlr", "EVConnectionTimeOut") == ("Accepted", "9")


def test_an_illegal_value_is_rejected_with_its_reason():
    """B05.FR.07, TC_B_11."""
    desk = Desk()
    for value in ("1.5", "true", "2026-01-01T00:00:00Z", "text", "-1", ""):
        result = put(desk, entry("OCPPCommCtrlr", "OfflineThreshold", value))[0]
        assert result["attributeStatus"] == "Rejected", value
        assert result["attributeStatusInfo"]["reasonCode"] == "InvalidValue"
    assert got(desk, "OCPPCommCtrlr", "OfflineThreshold") == ("Accepted", "60")


def test_a_read_only_variable_is_rejected():
    """B05.FR.09, TC_B_39."""
    desk = Desk()
    assert status_of_put(desk, "OCPPCommCtrlr", "MessageTimeout", "5", instance="Default") == "Rejected"
    assert status_of_put(desk, "ReservationCtrlr", "NonEvseSpecific", "false") == "Rejected"
    assert status_of_put(desk, "Connector", "AvailabilityState", "Available", evse={"id": 1, "connectorId": 1}) == (
        "Rejected")


def test_writing_what_is_unknown():
    """B05.FR.04, .05, TC_B_35, TC_B_36."""
    desk = Desk()
    assert status_of_put(desk, "NoSuchCtrlr", "Enabled", "1") == "UnknownComponent"
    assert status_of_put(desk, "ReservationCtrlr", "NoSuch", "1") == "UnknownVariable"


def test_what_flash_does_not_take_is_rejected():
    desk = Desk()
    desk.records.fail_with = 28
    result = put(desk, entry("OCPPCommCtrlr", "OfflineThreshold", "5"))[0]
    assert result["attributeStatus"] == "Rejected"
    assert result["attributeStatusInfo"]["reasonCode"] == "OutOfStorage"
    assert got(desk, "OCPPCommCtrlr", "OfflineThreshold") == ("Accepted", "60")


def test_too_many_entries():
    """B05.FR.11, B06.FR.16."""
    desk = Desk(variables={"DeviceDataCtrlr.ItemsPerMessage[GetVariables]": "2",
                           "DeviceDataCtrlr.ItemsPerMessage[SetVariables]": "2"})
    one = entry("OCPPCommCtrlr", "OfflineThreshold")
    assert len(get(desk, one, one)) == 2
    assert desk.call("GetVariables", {"getVariableData": [one] * 3}) == "OccurrenceConstraintViolation"
    one["attributeValue"] = "5"
    assert desk.call("SetVariables", {"setVariableData": [one] * 3}) == "OccurrenceConstraintViolation"
    assert got(desk, "OCPPCommCtrlr", "OfflineThreshold") == ("Accepted", "60")
    assert desk.call("GetVariables", {"getVariableData": []}) == "OccurrenceConstraintViolation"


def test_the_clock_is_read():
    desk = Desk()
    assert got(desk, "ClockCtrlr", "DateTime") == ("Accepted", desk.time())


def test_availability_states_follow_the_facts():
    desk = Desk()
    desk.reserve(1, 1)
    connector, evse = {"id": 1, "connectorId": 2}, {"id": 1}
    assert got(desk, "Connector", "AvailabilityState", evse=connector) == ("Accepted", "Reserved")
    assert got(desk, "EVSE", "AvailabilityState", evse=evse) == ("Accepted", "Reserved")
    desk.fault(1)
    assert got(desk, "EVSE", "AvailabilityState", evse=evse) == ("Accepted", "Faulted")
    assert got(desk, "ChargingStation", "AvailabilityState") == ("Accepted", "Available")
    desk.availability("Inoperative")
    assert got(desk, "ChargingStation", "AvailabilityState") == ("Accepted", "Unavailable")
    assert got(desk, "EVSE", "AvailabilityState", evse={"id": 2}) == ("Accepted", "Unavailable")


def test_connector_types_are_told():
    desk = Desk()
    assert got(desk, "Connector", "ConnectorType", evse={"id": 1, "connectorId": 2}) == ("Accepted", "cType2")
    for evse in ({"id": 1, "connectorId": 9}, {"id": 9, "connectorId": 1}, {"id": 1}):
        assert got(desk, "Connector", "ConnectorType", evse=evse)[1] is None, evse


def test_the_reservation_controller_is_there():
    """Reservation profile: ReservationCtrlr with Available, Enabled, NonEvseSpecific."""
    desk = Desk()
    for variable in ("Available", "Enabled", "NonEvseSpecific"):
        assert got(desk, "ReservationCtrlr", variable) == ("Accepted", "true")


def test_the_identity_is_the_configured_one():
    assert got(Desk(), "SecurityCtrlr", "Identity") == ("Accepted", "HOLDFAST-1")


def test_what_is_written_takes_effect():
    """An example for each kind of reader: the outbox, the timers, the transactions."""
    desk = Desk()
    desk.set("TxCtrlr.TxStartPoint", "EVConnected")
    desk.plug(1)
    assert desk.events() == [("Started", "CablePluggedIn", "EVConnected")]
    desk.set("OCPPCommCtrlr.HeartbeatInterval", "5")
    desk.clear()
    desk.wait(6)
    assert len(desk.of("Heartbeat")) == 1
