"""Malformed input to a whole station: every row of the comparison with other stacks, and the RPC bugs others had."""

import json

from fakes import Desk, id_token

FORMAT = "FormatViolation"
OCCURRENCE = "OccurrenceConstraintViolation"
PROPERTY = "PropertyConstraintViolation"
TYPE = "TypeConstraintViolation"


def send(desk, frame):
    """Send a frame (a list, or text) and return the frames that answer it."""
    desk.clear()
    if type(frame) is list and len(frame) > 2 and type(frame[1]) is str and type(frame[2]) is str:
        desk.asked[frame[1]] = frame[2]
    desk.receive(frame)
    desk.pump()
    return desk.answers


def outcome(desk, frame):
    """(message id, CALLERROR code) of the one answer to a frame."""
    answers = send(desk, frame)
    assert len(answers) == 1 and answers[0][0] == 4, answers
    return tuple(answers[0][1:3])


def reserve_now(desk, **changes):
    """What ReserveNow with these changes to a good payload gets: a status or an error code. None removes a field."""
    payload = {"id": 1, "expiryDateTime": desk.time(3600), "idToken": id_token("HOLDER01"), "evseId": 1}
    payload.update(changes)
    for name in changes:
        if changes[name] is None:
            del payload[name]
    answer = desk.call("ReserveNow", payload)
    return answer["status"] if type(answer) is dict else answer


def test_reserve_now_with_one_thing_wrong():
    rows = (
        ({"id": "1"}, TYPE), ({"id": None}, OCCURRENCE), ({"id": 1.7}, TYPE), ({"id": 1.0}, TYPE), ({"id": True}, TYPE),
        ({"id": 99999999999}, PROPERTY), ({"id": -7}, PROPERTY), ({"id": []}, TYPE),
        ({"surprise": 1}, FORMAT),
        ({"idToken": id_token("x" * 37)}, PROPERTY), ({"idToken": id_token("x" * 46)}, PROPERTY),
        ({"idToken": id_token("x", "Bogus")}, PROPERTY), ({"idToken": {"type": "Central"}}, OCCURRENCE),
        ({"idToken": "HOLDER01"}, TYPE), ({"idToken": None}, OCCURRENCE),
        ({"connectorType": "Bogus"}, PROPERTY), ({"connectorType": 1}, TYPE),
        ({"expiryDateTime": "2026-13-45T99:99:99Z"}, PROPERTY), ({"expiryDateTime": "2026-12-01"}, PROPERTY),
        ({"expiryDateTime": 1795435200}, TYPE), ({"expiryDateTime": None}, OCCURRENCE),
        ({"evseId": "1"}, TYPE), ({"evseId": 1.5}, TYPE),
        ({"groupIdToken": {"idToken": "x" * 37, "type": "Central"}}, PROPERTY),
        ({"customData": {}}, OCCURRENCE), ({"customData": 1}, TYPE),
    )
    desk = Desk()
    for changes, expected in rows:
        assert reserve_now(desk, **changes) == expected, changes
    assert desk.station.reservations.held == []


def test_an_expiry_in_the_past_is_rejected_and_not_an_error():
    assert reserve_now(Desk(), expiryDateTime="2001-01-01T00:00:00Z") == "Rejected"


def test_an_expiry_with_an_offset_is_understood():
    desk = Desk()
    assert reserve_now(desk, expiryDateTime="2026-11-23T14:30:00+02:00") == "Accepted"
    assert desk.station.reservations.held[0].expiry == desk.utc() - 1 + 1800


def test_custom_data_is_allowed():
    assert reserve_now(Desk(), customData={"vendorId": "acme", "anything": [1]}) == "Accepted"


def test_null_is_no_value():
    desk = Desk()
    text = '{"id":null,"expiryDateTime":"%s","idToken":{"idToken":"A","type":"Central"}}' % desk.time(60)
    assert outcome(desk, '[2,"n","ReserveNow",%s]' % text) == ("n", TYPE)


def test_cancel_reservation_with_one_thing_wrong():
    desk = Desk()
    desk.reserve(1, 1)
    for payload, expected in (({}, OCCURRENCE), ({"reservationId": "1"}, TYPE), ({"reservationId": 1.0}, TYPE),
                              ({"reservationId": -1}, PROPERTY), ({"reservationId": 1, "id": 1}, FORMAT)):
        assert desk.call("CancelReservation", payload) == expected, payload
    assert desk.status(1) == "Reserved"


def test_a_payload_that_is_no_object_is_a_format_violation():
    desk = Desk()
    for payload in ([], 5, "x", True):
        assert outcome(desk, [2, "p", "ReserveNow", payload]) == ("p", FORMAT), payload
    assert outcome(desk, '[2,"p","ReserveNow",null]') == ("p", FORMAT)


def test_a_call_of_the_wrong_length_gets_its_callerror():
    desk = Desk()
    for frame in ([2, "f1", "CancelReservation"], [2, "f1"], [2, "f1", "CancelReservation", {}, {}]):
        assert outcome(desk, frame) == ("f1", "RpcFrameworkError"), frame


def test_a_call_without_a_readable_id_gets_minus_one():
    desk = Desk()
    for frame in ("[2]", '[2,5,"CancelReservation",{"reservationId":1}]', '[2,null,"Reset",{}]', '[2,{},"Reset",{}]',
                  '[2,"%s","Reset",{}]' % ("x" * 37)):
        assert outcome(desk, frame) == ("-1", "RpcFrameworkError"), frame


def test_a_call_whose_action_is_no_text_gets_its_callerror():
    desk = Desk()
    for action in (5, None, {}, ["Reset"]):
        assert outcome(desk, json.dumps([2, "a", action, {}])) == ("a", "RpcFrameworkError"), action


def test_what_is_no_array_gets_minus_one():
    desk = Desk()
    for text in ("{}", "5", '"x"', "null", "true", "[]", '["2","a","Reset",{}]', "[null]", "[[2]]", "[true]",
                 '[2.5,"a","Reset",{}]'):
        assert outcome(desk, text) == ("-1", "RpcFrameworkError"), text


def test_what_is_no_json_gets_a_callerror_with_its_id_if_that_can_be_read():
    desk = Desk()
    assert outcome(desk, '[2,"j","Reset",{"type":') == ("j", FORMAT)
    assert outcome(desk, ' [ 2 , "j" , "Reset" , nonsense') == ("j", FORMAT)
    for text in ("", "hello", '{"a":', '[2,"j', "[2,j,", '[2,"a\\u0041","Reset",{', "[2"):
        assert outcome(desk, text) == ("-1", "RpcFrameworkError"), text


def test_an_unknown_message_type_is_not_supported():
    desk = Desk()
    for kind in (0, 1, 5, 9, -2, 99999):
        assert outcome(desk, [kind, "t", {}]) == ("t", "MessageTypeNotSupported"), kind
    assert outcome(desk, [9]) == ("-1", "MessageTypeNotSupported")


def test_an_unknown_action_is_not_implemented():
    """B37: an action that OCPP 2.0.1 does not have; letter case counts."""
    desk = Desk()
    for action in ("Frobnicate", "reservenow", "", " ", "Reset GetLog", "RemoteStartTransaction", "ReserveNow ",
                   "Authorize", "StatusNotification"):  # the last two are for the station to ask
        assert desk.call(action, {}) == "NotImplemented", action


def test_a_known_action_that_is_not_here_is_not_supported():
    """B37: an action that a CSMS may ask for and this station does not support."""
    desk = Desk()
    for action in ("GetLog", "UpdateFirmware", "DataTransfer", "SendLocalList", "UnpublishFirmware"):
        assert desk.call(action, {}) == "NotSupported", action


def test_deep_nesting_is_refused_and_survived():
    desk = Desk()
    assert outcome(desk, '[2,"d","DataTransfer",' + "[" * 4000) == ("d", FORMAT)
    assert outcome(desk, "[" * 8000) == ("-1", "RpcFrameworkError")
    assert len(send(desk, '[2,"d","DataTransfer",' + '{"a":' * 900 + "1" + "}" * 900 + "]")) == 1
    assert desk.reserve() == "Accepted"


def test_a_late_result_does_not_end_the_next_call():
    """B30: the timeout is blamed on the right request."""
    desk = Desk()
    desk.replies["ReservationStatusUpdate"] = None
    desk.reserve(1, 1, seconds=10)
    desk.wait(12)
    late = desk.station.rpc.outstanding[0]
    desk.wait(31)
    young = desk.station.rpc.outstanding and desk.station.rpc.outstanding[0]
    send(desk, [3, late, {}])
    assert desk.station.rpc.outstanding is None or desk.station.rpc.outstanding[0] == young
    assert [r.id for r in desk.station.reservations.ended] == [1]


def test_answers_to_nothing_change_nothing():
    """B33, B35: unsolicited CALLRESULT and CALLERROR are neither answered nor believed."""
    desk = Desk()
    for frame in ([3, "ghost", {}], [4, "ghost", "InternalError", "", {}], [3], [4, "-1", "RpcFrameworkError", "", {}],
                  [3, 5, {}], [4], '[3,"x",', '[4, "x", "Gen'):
        assert send(desk, frame) == [], frame
        assert desk.sent == []
    assert desk.reserve() == "Accepted"


def test_a_result_that_breaks_its_schema_is_as_good_as_none():
    """B31: the station does not act on a BootNotificationResponse that it cannot understand."""
    for reply in ({}, {"status": "Accepted"}, [], {"currentTime": "noon", "interval": 1, "status": "Accepted"},
                  {"currentTime": "2026-11-23T12:00:00Z", "interval": "1", "status": "Accepted"}):
        desk = Desk(boot=False)
        desk.replies["BootNotification"] = reply
        desk.up()
        assert desk.station.registration is None
        assert not desk.station.clock.is_set


def test_a_call_before_registration_is_a_security_error():
    """B34: before the station was accepted, and while it is rejected, a CALL is answered SecurityError."""
    desk = Desk(boot=False)
    desk.replies["BootNotification"] = None
    desk.up()
    assert desk.reserve() == "SecurityError"
    desk = Desk(boot=False)
    desk.replies["BootNotification"] = lambda payload: {
        "currentTime": desk.time(), "interval": 60, "status": "Rejected"}
    desk.up()
    assert desk.reserve() == "SecurityError"
    assert desk.call("Frobnicate", {}) == "SecurityError"


def test_crossing_calls_do_not_wait_for_each_other():
    """B36: the station answers while its own CALL is unanswered, and the other way round."""
    desk = Desk()
    desk.replies["Authorize"] = None
    desk.swipe("WALKUP01", 2)
    assert desk.station.rpc.outstanding
    assert desk.reserve(1, 1) == "Accepted"
    assert desk.cancel(1) == "Accepted"
    assert desk.station.rpc.outstanding[1] == "Authorize"


def test_times_of_every_spelling_are_understood():
    """B39: 0 to 9 fraction digits, offsets, lower case; whole UTC seconds are what is sent (checked in every test)."""
    for text in ("2026-11-23T13:00:00Z", "2026-11-23T13:00:00.1Z", "2026-11-23T13:00:00.123456789Z",
                 "2026-11-23t13:00:00z", "2026-11-23T15:00:00+02:00", "2026-11-23T07:30:00-05:30"):
        desk = Desk()
        assert reserve_now(desk, expiryDateTime=text) == "Accepted", text
        assert desk.station.reservations.held[0].expiry == 1795438800, text
    for text in ("2026-11-23T13:00:00", "2026-11-23 13:00:00Z", "2026-11-23T13:00Z", "2026-11-23T13:00:00.Z",
                 "2026-02-29T13:00:00Z"):
        assert reserve_now(Desk(), expiryDateTime=text) == PROPERTY, text


def test_a_plain_reconnect_sends_no_boot_notification():
    """B40, B32, B38: after an hour without the server there is a reconnect, and it is no boot."""
    desk = Desk()
    desk.clear()
    desk.down()
    desk.wait(3600)
    desk.up()
    assert desk.of("BootNotification") == []
    assert len(desk.statuses()) == 3
