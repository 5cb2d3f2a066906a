"""The payload rules against OCPP's own JSON schemas: accept and refuse the same, but for the listed differences.

Every message the station takes is found in the tables of holdfast.blocks, so a new one is tested the day it appears.
Each goes through a sweep (every place of its fullest payload is made wrong in every way, one at a time) and through
hypothesis (right, mutated and arbitrary payloads). What is wrong and where is compared too, not only that something is.
"""

import ast
import functools
import importlib
import pathlib
import pkgutil

import pytest
from holdfast import blocks, clock, payload
from holdfast.blocks import remote_control, variables
from holdfast.payload import PROPERTY, fault_of
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from schema_differences import DIFFERENCES, is_date_time
from schema_payloads import FORMAT, OCCURRENCE, TYPE, Subject, replaced, variations

# One worker does them all: what the differences were seen in is counted in one process.
pytestmark = pytest.mark.xdist_group("payload_differential")

# The schemas' words for what is wrong, and OCPP-J's.
CODES = {"required": OCCURRENCE, "minItems": OCCURRENCE, "maxItems": OCCURRENCE, "type": TYPE, "enum": PROPERTY,
         "maxLength": PROPERTY, "minimum": PROPERTY, "additionalProperties": FORMAT}

# Halves of surrogate pairs too: json.loads lets them through.
ANY_CHARACTER = st.characters(exclude_categories=())

SHARED_TYPES = (
    ("id_token", "ReserveNowRequest", "IdTokenType"),
    ("evse", "TriggerMessageRequest", "EVSEType"),
    ("component", "SetVariablesRequest", "ComponentType"),
    ("variable", "SetVariablesRequest", "VariableType"),
    ("attribute_type", "SetVariablesRequest", "AttributeEnumType"),
    ("id_token_info", "AuthorizeResponse", "IdTokenInfoType"),
    ("message_content", "TransactionEventResponse", "MessageContentType"),
    ("charging_profile", "RequestStartTransactionRequest", "ChargingProfileType"),
)


@functools.cache
def subjects():
    shared = {**vars(variables), **vars(remote_control), **vars(payload)}
    found = [Subject(definition, shared[name], schema, definition) for name, schema, definition in SHARED_TYPES]
    for module in pkgutil.iter_modules(blocks.__path__):
        block = importlib.import_module(f"holdfast.blocks.{module.name}")
        for action, rule, _ in getattr(block, "REQUESTS", ()):
            found.append(Subject(f"{action}Request", rule, f"{action}Request"))
        for action, _, _, rule, _ in getattr(block, "CALLS", ()):
            found.append(Subject(f"{action}Response", rule, f"{action}Response"))
    return found


def dotted(path):
    text = ""
    for step in path:
        text += f"[{step}]" if type(step) is int else f".{step}" if text else step
    return text


def shown(name):
    return name if 0 < len(name) <= 50 and all(" " <= character <= "~" for character in name) else "?"


def schema_faults(subject, payload):
    """All (error code, path) that the schema finds in the payload."""
    faults, of_wrong_type = set(), set()
    for error in subject.validator.iter_errors(payload):
        path = tuple(error.absolute_path)
        code = CODES[error.validator]
        if error.validator == "type":
            of_wrong_type.add(dotted(path))
            if not path and subject.root["type"] == "object":
                code = FORMAT
            faults.add((code, dotted(path)))
        elif error.validator == "required":
            faults |= {(code, dotted(path + (name,))) for name in error.validator_value if name not in error.instance}
        elif error.validator == "additionalProperties":
            known = error.schema.get("properties", ())  # the enumerations have no properties, but forbid others
            faults |= {(code, dotted(path + (shown(name),))) for name in error.instance if name not in known}
        else:
            faults.add((code, dotted(path)))
    # A value of the wrong type is not in the enumeration either: the type is what to tell.
    return {(code, path) for code, path in faults if code in (TYPE, FORMAT) or path not in of_wrong_type}


def differences_in(subject, payload):
    """All (name of the difference, error code, path) in the payload."""
    return [(name, code, dotted(path)) for path, where, schema, value in subject.places(payload)
            for name, _, applies, code in DIFFERENCES if applies(where, schema, value)]


def compare(subject, payload, seen):
    """The rule's fault, after making sure that it is one of those it should find. Counts differences into `seen`."""
    wanted = schema_faults(subject, payload)
    different = differences_in(subject, payload)
    if not wanted:
        seen.update(name for name, _, _ in different)
    wanted |= {(code, path) for _, code, path in different}
    fault = fault_of(subject.rule, payload)
    if fault is None:
        assert not wanted, f"{subject} accepts {payload!r}, in which is {wanted}"
        return None
    assert fault[:2] in wanted, f"{subject} says {fault} of {payload!r}, in which is {wanted or 'nothing wrong'}"
    return fault


@functools.cache
def sweep(subject):
    """Every single mutation of the fullest payload. Returns the names of the differences that were met."""
    seen = set()
    full = subject.full()
    assert compare(subject, full, seen) is None
    for path, where, schema, value in subject.places(full):
        for other, code in variations(schema, value, root=not path):
            payload = replaced(full, path, other)
            fault = compare(subject, payload, seen)
            if any(applies(where, schema, other) for _, _, applies, _ in DIFFERENCES):
                assert fault, (subject, path, other)
            else:
                assert (fault and fault[0]) == code, (subject, path, other, fault)
    return seen


@functools.cache
def explore(subject):
    """Hypothesis: payloads right, mutated twice, and arbitrary. Returns the names of the differences that were met."""
    seen = set()
    names = st.text(ANY_CHARACTER, max_size=12)
    hostile = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(ANY_CHARACTER, max_size=60),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=8)

    @seed(201)
    @settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(subject.payloads, st.data())
    def right_and_mutated(payload, data):
        compare(subject, payload, seen)
        for _ in range(2):
            path, _, schema, value = data.draw(st.sampled_from(list(subject.places(payload))))
            containers = {"object": dict, "array": list}
            if isinstance(value, containers.get(schema["type"], object)):
                other = data.draw(st.sampled_from([other for other, _ in variations(schema, value, root=not path)]))
            else:
                other = data.draw(hostile)  # the first mutation left something else there than the schema wants
            payload = replaced(payload, path, other)
            compare(subject, payload, seen)

    @seed(201)
    @settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def hostile_somewhere(data):
        payload = subject.full()
        path = data.draw(st.sampled_from([place[0] for place in subject.places(payload)]))
        compare(subject, replaced(payload, path, data.draw(hostile)), seen)

    right_and_mutated()
    hostile_somewhere()
    return seen


def test_the_tables_of_the_blocks_hold_the_messages_of_reservation_and_what_it_needs():
    names = {subject.name for subject in subjects()}
    assert {"ReserveNowRequest", "CancelReservationRequest", "ReservationStatusUpdateResponse", "GetVariablesRequest",
            "SetVariablesRequest", "ChangeAvailabilityRequest", "RequestStartTransactionRequest", "ResetRequest",
            "BootNotificationResponse", "HeartbeatResponse", "StatusNotificationResponse", "AuthorizeResponse",
            "TransactionEventResponse"} <= names


@pytest.mark.parametrize("subject", subjects(), ids=repr)
def test_every_single_mutation_is_judged_as_the_schema_judges_it(subject):
    sweep(subject)


@pytest.mark.parametrize("subject", subjects(), ids=repr)
def test_generated_and_hostile_payloads_are_judged_as_the_schema_judges_them(subject):
    explore(subject)


@functools.cache
def vocabulary():
    """Every word in every string of the blocks and the types: whatever an enumeration could allow by mistake."""
    sources = [pathlib.Path(payload.__file__), *pathlib.Path(blocks.__path__[0]).glob("*.py")]
    nodes = [node for source in sources for node in ast.walk(ast.parse(source.read_text()))]
    return {word for node in nodes if isinstance(node, ast.Constant) and type(node.value) is str
            for word in node.value.split()}


@pytest.mark.parametrize("subject", subjects(), ids=repr)
def test_an_enumeration_allows_no_word_of_its_own(subject):
    full = subject.full()
    for path, _, schema, _ in subject.places(full):
        for word in vocabulary() if "enum" in schema else ():
            fault = fault_of(subject.rule, replaced(full, path, word))
            assert (fault is None) == (word in schema["enum"]), (path, word)


@pytest.mark.parametrize("name", [difference[0] for difference in DIFFERENCES])
def test_every_listed_difference_exists(name):
    # Met in a payload in which the schema found nothing wrong; otherwise it has no place in the list.
    assert any(name in sweep(subject) or name in explore(subject) for subject in subjects())


def test_every_shared_type_is_compared():
    covered = {name for name, _, _ in SHARED_TYPES}
    own = {name for name, value in vars(payload).items() if type(value) is tuple}
    assert len(own) == 4 and own - covered == set()


@seed(3339)
@settings(max_examples=1500, deadline=None, database=None)
@given(st.one_of(
    st.datetimes().flatmap(lambda moment: st.builds(
        lambda fraction, zone, t: moment.isoformat(t, "seconds") + fraction + zone,
        st.sampled_from(("", ".", ".5", ".123456789", ".1234567890", ",5")),
        st.sampled_from(("Z", "z", "", "+00:00", "-00:00", "+23:59", "-24:00", "+01:60", "+1:00", "+0100", "Z ")),
        st.sampled_from("Tt _"))),
    st.builds("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}".format, st.integers(0, 9999), st.integers(0, 13),
              st.integers(0, 32), st.integers(0, 24), st.integers(58, 60), st.integers(57, 61),
              st.sampled_from(("Z", "+01:00", "-01:00"))),
    st.builds("{}-{:02}-{:02}T23:59:60{}".format, st.sampled_from(("0000", "1900", "2000", "2016", "2024", "2100")),
              st.integers(1, 12), st.integers(28, 31), st.sampled_from(("Z", "+01:00", "-23:59"))),
    st.text("0123456789-:.TZtz+ \u0663", min_size=17, max_size=37),
    st.text(max_size=30)))
def test_dates_are_read_as_an_independent_reader_reads_them(text):
    try:
        clock.parse(text)
    except ValueError:
        assert not is_date_time(text)
    else:
        assert is_date_time(text)
