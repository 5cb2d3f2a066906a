"""holdfast.payload: each kind of rule, the code and the path of its faults; and the shared types built from them."""

import gc
import json

from holdfast import payload
from holdfast.blocks.remote_control import charging_profile
from holdfast.payload import (
    PROPERTY,
    boolean,
    date_time,
    fault_of,
    identifier,
    integer,
    integer_between,
    number,
)

FORMAT, OCCURRENCE, TYPE = "FormatViolation", "OccurrenceConstraintViolation", "TypeConstraintViolation"
ONE_OF_EACH = (None, True, False, 0, 7, 1.0, 1.5, "", "7", [], [1], {}, {"a": 1})
CUSTOM = {"vendorId": "org.example", "colour": {"vendorId": 5, "deep": [None]}}


def code(fault):
    return fault and fault[0]


def place(fault):
    return fault and fault[:2]


def accepted(rule):
    return [value for value in ONE_OF_EACH if fault_of(rule, value) is None]


def same(values, wanted):
    # `==` takes True for 1 and 1.0 for 1.
    return [(type(v), v) for v in values] == [(type(v), v) for v in wanted]


def test_error_codes_are_spelled_as_ocpp_2_0_1_spells_them():
    assert (FORMAT, OCCURRENCE, PROPERTY, TYPE) == (
        "FormatViolation", "OccurrenceConstraintViolation", "PropertyConstraintViolation", "TypeConstraintViolation")


def test_each_rule_accepts_its_own_json_type_only():
    assert same(accepted(integer), [0, 7])
    assert same(accepted(number), [0, 7, 1.0, 1.5])
    assert same(accepted(boolean), [True, False])
    assert same(accepted(5), ["", "7"])
    assert same(accepted(identifier), ["", "7"])
    assert same(accepted("7 8"), ["7"])
    assert same(accepted([integer]), [[1]])
    assert same(accepted(("a?", integer)), [{}, {"a": 1}])
    assert len(accepted(lambda value: None)) == len(ONE_OF_EACH)


def test_a_wrong_json_type_is_a_type_constraint_violation():
    for rule, values in (
            (integer, (None, True, 1.0, "7", [7], {})),
            (number, (None, True, "7", [7], {})),
            (boolean, (None, 1, "true", [], {})),
            (5, (None, True, 7, ["x"], {})),
            (identifier, (None, True, 7, ["x"], {})),
            ("a b", (None, True, 7, ["a"], {})),
            (date_time, (None, True, 1795392000, ["2026-11-23T02:00:00Z"], {})),
            ([integer], (None, True, 7, "7", {"0": 7}))):
        for value in values:
            assert place(fault_of(rule, value)) == (TYPE, ""), value


def test_an_integer_has_32_bits():
    assert integer(2147483647) is None and integer(-2147483648) is None
    for value in (2147483648, -2147483649, 10 ** 30, -10 ** 30):
        assert place(integer(value)) == (PROPERTY, "")


def test_a_range_of_integers_includes_its_ends():
    rule = integer_between(0, 10)
    assert fault_of(rule, 0) is None and fault_of(rule, 10) is None
    assert code(rule(-1)) == PROPERTY and code(rule(11)) == PROPERTY and code(rule(5.0)) == TYPE


def test_a_number_is_finite():
    assert number(-1.5) is None and number(10 ** 30) is None
    for value in (float("inf"), float("-inf"), float("nan")):
        assert code(number(value)) == PROPERTY


def test_a_text_is_counted_in_characters():
    rule = 3
    assert fault_of(rule, "abc") is None and fault_of(rule, "\u00e4\u20ac\u0416") is None
    assert code(fault_of(rule, "abcd")) == PROPERTY


def test_an_identifier_is_printable_ascii():
    rule = identifier
    assert fault_of(rule, " ~!azAZ09|\\\"") is None and fault_of(rule, "x" * 36) is None
    assert code(fault_of(rule, "x" * 37)) == PROPERTY
    for bad in ("\x1f", "\x7f", "\n", "\x00", "\u00e9", "\u20ac"):
        assert code(fault_of(rule, bad)) == PROPERTY
        assert code(fault_of(rule, "ok" + bad + "ok")) == PROPERTY


def test_half_a_surrogate_pair_is_no_identifier_and_no_date():
    half = json.loads('"\\ud800"')
    assert code(identifier(half)) == PROPERTY
    assert code(date_time("2026-11-23T02:00:00" + half)) == PROPERTY
    assert fault_of(36, half) is None


def test_one_of_takes_whole_words_only():
    rule = "cType1 cType2 s309-1P-16A Type"
    for word in ("cType1", "cType2", "s309-1P-16A", "Type"):
        assert fault_of(rule, word) is None, word
    for wrong in ("", " ", "c", "cType", "ype1", "Type1", "ctype1", "cType1 ", " cType2", "cType1 cType2", "16A",
                  "s309-1P-16A Type", "cType3", "cType1 cType2 s309-1P-16A Type", "\ud7ff"):
        assert place(fault_of(rule, wrong)) == (PROPERTY, ""), wrong


def test_a_date_is_checked_against_the_calendar():
    assert date_time("2026-11-23T02:00:00.123+01:00") is None
    for wrong in ("2026-13-45T99:99:99Z", "2026-11-23", "", "tomorrow"):
        assert place(date_time(wrong)) == (PROPERTY, "")


def test_too_few_or_too_many_items_are_an_occurrence_constraint_violation():
    rule = [integer, 2, 3]
    assert place(fault_of(rule, [1])) == (OCCURRENCE, "")
    assert fault_of(rule, [1, 2]) is None and fault_of(rule, [1, 2, 3]) is None
    assert place(fault_of(rule, [1, 2, 3, 4])) == (OCCURRENCE, "")
    assert code(fault_of([integer], [])) == OCCURRENCE
    assert fault_of([integer], [1] * 500) is None
    assert fault_of([integer, 0, 9], []) is None


def test_a_faulty_item_is_named_by_its_index():
    assert place(fault_of([integer], [1, 2, "3"])) == (TYPE, "[2]")
    assert place(fault_of([[integer]], [[1], [2, None]])) == (TYPE, "[1][1]")


def test_a_missing_required_property_is_an_occurrence_constraint_violation():
    rule = ("id", integer, "evseId?", integer)
    assert fault_of(rule, {"id": 1}) is None and fault_of(rule, {"id": 1, "evseId": 2}) is None
    assert place(fault_of(rule, {"evseId": 2})) == (OCCURRENCE, "id")
    assert place(fault_of(rule, {})) == (OCCURRENCE, "id")


def test_null_is_not_the_same_as_absent():
    assert place(fault_of(("evseId?", integer), {"evseId": None})) == (TYPE, "evseId")


def test_an_unknown_property_is_a_format_violation():
    rule = ("id", integer, "evseId?", integer)
    for name in ("extra", "ID", "id?", "evseId?", "?", "customData?", "id "):
        assert place(fault_of(rule, {"id": 1, name: 1})) == (FORMAT, name), name


def test_an_unknown_name_comes_back_only_if_it_is_short_and_plain():
    rule = ()
    assert place(fault_of(rule, {"x" * 50: 1})) == (FORMAT, "x" * 50)
    for name in ("", "x" * 51, "\u00e9", "a\nb", json.loads('"\\ud800"')):
        assert place(fault_of(rule, {name: 1})) == (FORMAT, "?")


def test_a_name_that_is_no_string_is_a_format_violation():
    # MicroPython's json reads {1:2}.
    assert place(fault_of(("id?", integer), {1: 2})) == (FORMAT, "?")


def test_a_payload_that_is_no_object_is_a_format_violation():
    for value in (None, True, 5, "{}", [], [{}]):
        assert place(fault_of((), value)) == (FORMAT, "")


def test_a_part_that_is_no_object_is_a_type_constraint_violation():
    rule = ("evse", ("id", integer))
    assert place(fault_of(rule, {"evse": 5})) == (TYPE, "evse")
    assert place(fault_of([payload.evse], [[]])) == (TYPE, "[0]")
    assert place(fault_of(rule, {"evse": {"id": 1, "customData": "x"}})) == (TYPE, "evse.customData")


def test_an_unknown_empty_name_deep_inside_stays_a_format_violation():
    rule = ("evse", ("id", integer))
    assert code(fault_of(rule, {"evse": {"id": 1, "": 5}})) == FORMAT


def test_custom_data_is_welcome_in_every_object():
    rule = ("evse", ("id", integer))
    assert fault_of(rule, {"evse": {"id": 1, "customData": CUSTOM}, "customData": CUSTOM}) is None
    assert fault_of((), {"customData": CUSTOM}) is None


def test_custom_data_needs_a_vendor():
    rule = ()
    for data, fault in (
            ({}, (OCCURRENCE, "customData.vendorId")),
            ({"colour": 1}, (OCCURRENCE, "customData.vendorId")),
            ({"vendorId": None}, (TYPE, "customData.vendorId")),
            ({"vendorId": "x" * 256}, (PROPERTY, "customData.vendorId")),
            (None, (TYPE, "customData")),
            ([], (TYPE, "customData")),
            ("org.example", (TYPE, "customData"))):
        assert place(fault_of(rule, {"customData": data})) == fault, data
    assert fault_of(rule, {"customData": {"vendorId": "x" * 255}}) is None


def test_the_first_fault_in_the_order_of_the_rule_is_reported():
    rule = ("a", integer, "b?", 1, "c", integer)
    assert place(fault_of(rule, {"zzz": 1, "c": "x", "b": "long", "a": None})) == (TYPE, "a")
    assert place(fault_of(rule, {"zzz": 1, "c": "x", "b": "long", "a": 1})) == (PROPERTY, "b")
    assert place(fault_of(rule, {"zzz": 1, "b": "b", "a": 1})) == (OCCURRENCE, "c")
    assert place(fault_of(rule, {"zzz": 1, "customData": {}, "b": "b", "a": 1, "c": 1})) == (
        OCCURRENCE, "customData.vendorId")
    assert place(fault_of(rule, {"zzz": 1, "b": "b", "a": 1, "c": 1})) == (FORMAT, "zzz")


def test_a_path_leads_through_objects_and_arrays():
    rule = ("idToken", payload.id_token)
    token = {"idToken": "ABC", "type": "Local", "additionalInfo": [{"additionalIdToken": "x", "type": 5}]}
    assert place(fault_of(rule, {"idToken": token})) == (TYPE, "idToken.additionalInfo[0].type")
    token["additionalInfo"] = []
    assert place(fault_of(rule, {"idToken": token})) == (OCCURRENCE, "idToken.additionalInfo")


def test_a_token_is_an_identifier_of_a_known_type():
    assert fault_of(payload.id_token, {"idToken": "", "type": "NoAuthorization"}) is None
    assert fault_of(payload.id_token, {"idToken": "x" * 36, "type": "eMAID"}) is None
    assert place(fault_of(payload.id_token, {"idToken": "x" * 37, "type": "eMAID"})) == (PROPERTY, "idToken")
    assert place(fault_of(payload.id_token, {"idToken": "caf\u00e9", "type": "eMAID"})) == (PROPERTY, "idToken")
    assert place(fault_of(payload.id_token, {"idToken": "x", "type": "EMAID"})) == (PROPERTY, "type")


def test_a_charging_profile_is_checked_to_the_bottom():
    profile = {
        "id": 1, "stackLevel": 0, "chargingProfilePurpose": "TxProfile", "chargingProfileKind": "Absolute",
        "chargingSchedule": [{
            "id": 1, "chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 11000.0}],
            "salesTariff": {"id": 1, "salesTariffEntry": [{
                "relativeTimeInterval": {"start": 0}, "ePriceLevel": 0,
                "consumptionCost": [{"startValue": 0, "cost": [{"costKind": "CarbonDioxideEmission", "amount": 5}]}],
            }]},
        }],
    }
    assert charging_profile(profile) is None
    entry = profile["chargingSchedule"][0]["salesTariff"]["salesTariffEntry"][0]
    entry["consumptionCost"][0]["cost"][0]["amount"] = "5"
    assert place(charging_profile(profile)) == (
        TYPE, "chargingSchedule[0].salesTariff.salesTariffEntry[0].consumptionCost[0].cost[0].amount")
    entry["ePriceLevel"] = -1
    assert place(charging_profile(profile)) == (
        PROPERTY, "chargingSchedule[0].salesTariff.salesTariffEntry[0].ePriceLevel")


def test_a_deeply_nested_value_does_no_harm():
    value = []
    for _ in range(500):
        value = [value]
    for rule in (integer, 5, [[integer]], payload.id_token, charging_profile):
        assert fault_of(rule, value) is not None
    assert fault_of((), {"customData": {"vendorId": "x", "deep": value}}) is None


def test_checking_leaves_nothing_behind():
    token = json.loads('{"idToken": "ABC123", "type": "ISO14443", "customData": {"vendorId": "org.example"}}')
    wrong = json.loads('{"idToken": "\\u0416\\u0417", "type": "Lokal", "na\\u00efve": 1}')
    moment = "2026-11-23T02:00:0\u0665Z"

    def check_all():
        for _ in range(20):
            assert fault_of(payload.id_token, token) is None
            assert fault_of(payload.id_token, wrong) is not None
            assert fault_of("Central eMAID", "\u2603") is not None and date_time(moment) is not None
            assert fault_of((), {"\u2604": 1}) is not None

    if not hasattr(gc, "mem_alloc"):
        return check_all()  # CPython does not tell
    check_all()
    gc.collect()
    before = gc.mem_alloc()
    check_all()
    gc.collect()
    assert gc.mem_alloc() <= before, gc.mem_alloc() - before


def test_every_fault_has_a_text_for_people():
    for fault in (
            integer(None), integer(2 ** 40), number(None), boolean(0), identifier("\n"), date_time("x"),
            fault_of(1, 0), fault_of(1, "xx"), fault_of("a", "b"),
            fault_of([integer], 0), fault_of([integer], []), fault_of([integer, 0, 0], [1]), fault_of((), 0),
            fault_of(("a", integer), {}), fault_of((), {"a": 1}), fault_of((), {2: 1})):
        assert len(fault) == 3 and type(fault[2]) is str and 0 < len(fault[2]) < 60
