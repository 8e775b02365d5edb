"""Types from JSON Schema, and what fits where."""

import pytest

from shopflow.lang.cel import (
    BOOL,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    NULL,
    STRING,
    TIMESTAMP,
    Environment,
    list_of,
    map_of,
    one_of,
    record,
    type_from_schema,
)
from shopflow.lang.cel.types import BYTES, UINT, TypeKind, article, comparable, fits, joined


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string"}, STRING),
        ({"type": "integer"}, INT),
        ({"type": "number"}, DOUBLE),
        ({"type": ["integer", "number"]}, DOUBLE),
        ({"type": "boolean"}, BOOL),
        ({"type": "null"}, NULL),
        ({"type": "string", "format": "date-time"}, TIMESTAMP),
        ({"type": "string", "format": "date"}, STRING),
        ({"type": "array", "items": {"type": "string"}}, list_of(STRING)),
        ({"type": "array"}, list_of(DYN)),
        ({"type": "object"}, map_of(STRING, DYN)),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, map_of(STRING, INT)),
        ({"type": "object", "additionalProperties": False}, map_of(STRING, DYN)),
        ({"type": ["string", "integer"]}, DYN),
        ({"type": "unheard-of"}, DYN),
        ({}, DYN),
        (True, DYN),
        ({"$ref": "elsewhere.json"}, DYN),
        ({"enum": ["a", "b"]}, one_of(["a", "b"])),
        ({"const": "a"}, one_of(["a"])),
        ({"enum": [{"a": 1}]}, None),
    ],
)
def test_a_schema_becomes_a_type(schema, expected):
    found = type_from_schema(schema)
    assert found == expected if expected is not None else found.kind is TypeKind.DYN


def test_date_times_are_what_the_caller_says():
    assert type_from_schema({"type": "string", "format": "date-time"}, date_time=STRING) == STRING


def test_an_object_knows_its_fields_and_which_are_always_there():
    found = type_from_schema(
        {
            "type": "object",
            "properties": {
                "id": {"type": "string"},
                "note": {"type": ["string", "null"]},
                "token": {"type": "string", "x-secret": True},
                "kind": {"type": ["string", "null"], "enum": ["a", None]},
            },
            "required": ["id", "unknown"],
        }
    )
    assert found.kind is TypeKind.RECORD
    assert found.required == {"id"}
    assert not found.open
    assert found.fields["note"].nullable
    assert found.fields["token"].secret
    assert not found.fields["id"].secret
    assert found.fields["kind"].enum == ("a",)


def test_an_object_that_allows_more_is_open():
    schema = {"properties": {"id": {"type": "string"}}, "additionalProperties": True}
    assert type_from_schema(schema).open


def test_references_are_followed_and_recursion_ends():
    found = type_from_schema(
        {
            "$defs": {
                "a/b": {"type": "integer"},
                "node": {
                    "properties": {"next": {"$ref": "#/$defs/node"}, "n": {"type": "integer"}}
                },
            },
            "type": "object",
            "properties": {
                "head": {"$ref": "#/$defs/node"},
                "n": {"$ref": "#/$defs/a~1b"},
                "lost": {"$ref": "#/$defs/lost"},
            },
        }
    )
    assert found.fields["n"] == INT
    assert found.fields["head"].fields["n"] == INT
    assert found.fields["head"].fields["next"] == DYN
    assert found.fields["lost"] == DYN


def test_a_map_has_keys_that_cel_allows():
    with pytest.raises(ValueError, match="key cannot be number"):
        map_of(DOUBLE, INT)


def test_which_types_can_be_equal():
    nullable = type_from_schema({"type": ["string", "null"]})
    assert comparable(INT, DOUBLE)
    assert comparable(UINT, INT)
    assert comparable(DYN, BYTES)
    assert comparable(NULL, nullable)
    assert comparable(nullable, NULL)
    assert comparable(record({"a": INT}), map_of(STRING, INT))
    assert not comparable(STRING, NULL)
    assert not comparable(STRING, INT)


def test_what_fits_where():
    assert fits(list_of(INT), list_of(DOUBLE))
    assert fits(list_of(DYN), list_of(STRING))
    assert not fits(list_of(INT), list_of(STRING))
    assert not fits(STRING, BOOL)


def test_joining_types():
    assert joined(INT, INT) == INT
    assert joined(INT, DOUBLE) == DOUBLE
    assert joined(one_of(["a"]), STRING) == STRING
    assert joined(STRING, INT) == DYN
    assert joined(list_of(INT), list_of(STRING)) == DYN


def test_types_in_words():
    words = [article(each) for each in (BOOL, INT, DYN, NULL, record({}), DURATION)]
    assert words == ["a bool", "an int", "anything", "null", "an object", "a duration"]
    assert str(map_of(STRING, list_of(INT))) == "map of list of int"


def test_an_environment_resolves_the_paths_a_program_reads():
    event = record({"items": list_of(STRING), "by": map_of(STRING, INT), "a": record({"b": BOOL})})
    environment = Environment({"event": event})
    assert environment.resolve(("event", "a", "b")) == BOOL
    assert environment.resolve(("event", "by", "sku")) == INT
    assert environment.resolve(("event", "items", "x")) is None
    assert environment.resolve(("event", "x", "y")) is None
    assert environment.resolve(("nobody",)) is None
