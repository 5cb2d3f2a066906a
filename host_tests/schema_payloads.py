"""Payloads made from OCPP's JSON schemas: right ones, and ones that are wrong in exactly one way.

The schemas are those of the PyPI package `ocpp`. Nothing here knows the station's rules.
"""

import copy
import functools
import json
import pathlib

import ocpp.v201
from holdfast.payload import PROPERTY
from hypothesis import strategies as st
from jsonschema.validators import validator_for

# OCPP-J's words, beside PROPERTY.
FORMAT, OCCURRENCE, TYPE = "FormatViolation", "OccurrenceConstraintViolation", "TypeConstraintViolation"

SCHEMAS = pathlib.Path(ocpp.v201.__file__).parent / "schemas"
DATE = "2026-11-23T02:00:00Z"
TEXT = "Holdfast 0123456789 " * 600


class Subject:
    """A message, or a data type of one: what its schema thinks of a payload."""

    def __init__(self, name, rule, schema_name, definition=None):
        self.name = name
        self.rule = rule
        document = json.loads((SCHEMAS / f"{schema_name}.json").read_text("utf-8-sig"))
        self.definitions = document["definitions"]
        self.owner = definition or schema_name
        if definition:
            document = {"$schema": document["$schema"], "definitions": self.definitions,
                        "$ref": f"#/definitions/{definition}"}
        self.root = self.resolve(document)[0]
        self.validator = validator_for(document)(document)

    def __repr__(self):
        return self.name

    def resolve(self, schema, owner=None):
        """(schema, name of the type) with a $ref followed."""
        if "$ref" in schema:
            owner = schema["$ref"].rpartition("/")[2]
            schema = self.definitions[owner]
        return schema, owner

    def places(self, value, schema=None, where="", owner=None, path=()):
        """Yield (path, where, schema, value) of the value and of all values in it that the schema says something about.

        `path` leads to the value through keys and indices; `where` is "TypeOrMessage.property".
        """
        schema, owner = self.resolve(schema or self.root, owner or self.owner)
        yield path, where, schema, value
        if type(value) is dict:
            for name, part in schema.get("properties", {}).items():
                if name in value:
                    yield from self.places(value[name], part, f"{owner}.{name}", owner, path + (name,))
        if type(value) is list and "items" in schema:
            for index, item in enumerate(value):
                yield from self.places(item, schema["items"], where, owner, path + (index,))

    def full(self, schema=None):
        """The payload that has every property there is, each in its simplest form, but no customData."""
        schema, _ = self.resolve(schema or self.root)
        if "enum" in schema:
            return schema["enum"][0]
        if schema["type"] == "object":
            properties = schema.get("properties", {})
            return {name: self.full(part) for name, part in properties.items() if name != "customData"}
        if schema["type"] == "array":
            return [self.full(schema["items"]) for _ in range(max(1, schema.get("minItems", 0)))]
        return {"string": DATE if "format" in schema else "x", "integer": 1, "number": 1.5}[schema["type"]]

    @functools.cached_property
    def payloads(self):
        """A hypothesis strategy for payloads that follow the schema."""
        return self._strategy(self.root)

    def _strategy(self, schema):
        schema, _ = self.resolve(schema)
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        return {"object": self._objects, "array": self._arrays, "string": self._strings,
                "integer": self._integers, "number": self._numbers}[schema["type"]](schema)

    def _objects(self, schema):
        if schema.get("additionalProperties") is not False:
            anything = st.dictionaries(st.text(max_size=8), st.integers() | st.none() | st.just([{}]), max_size=2)
            return st.builds(lambda vendor, rest: {**rest, "vendorId": vendor}, st.text(max_size=255), anything)
        required = schema.get("required", ())
        parts = {name: self._strategy(part) for name, part in schema["properties"].items()}
        return st.fixed_dictionaries(
            {name: part for name, part in parts.items() if name in required},
            optional={name: part for name, part in parts.items() if name not in required})

    def _arrays(self, schema):
        least = schema.get("minItems", 0)
        return st.lists(self._strategy(schema["items"]), min_size=least,
                        max_size=min(schema.get("maxItems", least + 2), least + 2))

    @staticmethod
    def _strings(schema):
        if "format" in schema:
            return st.sampled_from((DATE, "2026-11-23t04:00:00.123456789+02:00")) | st.datetimes().map(
                lambda moment: moment.isoformat() + "Z")
        length = schema["maxLength"]
        ascii_only = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=min(length, 40))
        return ascii_only | st.text(max_size=min(length, 40)) | st.sampled_from(("", TEXT[:length], TEXT[:length - 1]))

    @staticmethod
    def _integers(schema):
        least = int(schema.get("minimum", -2**31))
        return st.integers(least, 2**31 - 1) | st.integers(max(least, -2), 5) | st.sampled_from((0, 2**31 - 1))

    @staticmethod
    def _numbers(schema):
        return st.floats(allow_nan=False, allow_infinity=False) | st.integers()


def replaced(payload, path, value):
    """A copy of the payload with another value at that path."""
    if not path:
        return value
    whole = copy.deepcopy(payload)
    holder = whole
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    return whole


def variations(schema, value, root=False):
    """Yield (other value, error code or None) for a right value: what it may be instead, and what it must not be.

    Each is wrong in one way only, so one code is the right one. `root` is for the payload as a whole.
    """
    kind = schema["type"]
    for other, own in ((None, ()), (True, ()), (7, ("integer", "number")), (1.5, ("number",)), ("7", ("string",)),
                       (["x"], ("array",)), ({}, ("object",))):
        if kind not in own:
            yield other, FORMAT if root and kind == "object" else TYPE
    if "enum" in schema:
        for word in schema["enum"]:
            yield word, None
            for wrong in (word.lower(), word.upper(), word[:-1], word[1:], word + " ", " " + word, word + word):
                if wrong not in schema["enum"]:
                    yield wrong, PROPERTY
        for wrong in ("", " ", " ".join(schema["enum"][:2]), schema["enum"][0] + "\u00e9"):
            if wrong not in schema["enum"]:
                yield wrong, PROPERTY
    elif kind == "string" and "format" in schema:
        yield "2026-11-23T02:00:00.5-11:30", None
        for wrong in ("", "2026-11-23", "2026-02-30T00:00:00Z", "2026-11-23T24:00:00Z", "2026-11-23T02:00:00"):
            yield wrong, PROPERTY
    elif kind == "string":
        most = schema["maxLength"]
        yield from (("", None), (TEXT[:most - 1], None), (TEXT[:most], None), (TEXT[:most + 1], PROPERTY),
                    (TEXT, PROPERTY))
    elif kind == "integer":
        least = int(schema.get("minimum", -2**31))
        yield from ((0, None), (2**31 - 1, None), (2**31, PROPERTY), (10**30, PROPERTY), (-2**31 - 1, PROPERTY),
                    (1.0, TYPE), (-1.0, TYPE), (float("nan"), TYPE))
        yield from ((least, None), (least - 1, PROPERTY), (-7, PROPERTY if least > -7 else None))
    elif kind == "number":
        yield from ((0, None), (-1, None), (1.0, None), (10**30, None), (-1e30, None), (float("inf"), PROPERTY),
                    (float("-inf"), PROPERTY), (float("nan"), PROPERTY))
    elif kind == "array":
        least, most = schema.get("minItems", 0), schema.get("maxItems")
        yield value[:1] * (least + 1), None
        if least:
            yield value[:1] * (least - 1), OCCURRENCE
        if most:
            yield value[:1] * most, None
            yield value[:1] * (most + 1), OCCURRENCE
    elif kind == "object":
        yield from _object_variations(schema, value)


def _object_variations(schema, value):
    required = schema.get("required", ())
    closed = schema.get("additionalProperties") is False
    for name in schema.get("properties", {}):
        if name in value:
            rest = {other: part for other, part in value.items() if other != name}
            yield rest, OCCURRENCE if name in required else None
            for alias in (name.swapcase(), name + "?", name + " ", name[:-1], "\u00e9" + name):
                yield {**rest, alias: value[name]}, OCCURRENCE if name in required else FORMAT if closed else None
                yield {**value, alias: value[name]}, FORMAT if closed else None
    for name in ("extra", "", "?", "customdata", "vendorID", "x" * 60, "\u00e9", "\ud800"):
        yield {**value, name: 1}, FORMAT if closed else None
    if closed:
        yield {**value, "customData": {"vendorId": "org.example"}}, None
        yield {**value, "customData": {"vendorId": "", "customData": None, "other": [{"vendorId": 5}]}}, None
        yield {**value, "customData": {"other": 1}}, OCCURRENCE
        yield {**value, "customData": {"vendorId": TEXT[:256]}}, PROPERTY
        for wrong in ({"vendorId": None}, None, [], "org.example", True):
            yield {**value, "customData": wrong}, TYPE
