"""The shipped event catalogue: sound, bounded, of one vocabulary, and true to recorded streams."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import jsonschema_rs
import pytest
import yaml
from jsonschema import Draft202012Validator

ROOT = Path(__file__).parents[2]
CATALOGUE = ROOT / "schemas" / "events"
STREAMS = ROOT.parent / "shared" / "data"
#: The envelope owns these names; a payload field of the same name could not be read in a condition.
RESERVED = {"id", "type", "occurred_at"}
#: What a schema may say beside the words of JSON Schema, and of which kind its value is.
KEYWORDS = {"x-about": str, "x-keep": int, "x-contact": bool, "x-personal": bool, "x-secret": bool}

#: Events that the shipped rules emit themselves, told in a schema beside the rules.
OWN = sorted(
    path.name.removesuffix(".schema.json") for path in (ROOT / "rules/events").glob("*.json")
)
TYPES = sorted(path.name.removesuffix(".schema.json") for path in CATALOGUE.glob("*.json"))


@cache
def schema_of(event_type: str) -> dict:
    return json.loads((CATALOGUE / f"{event_type}.schema.json").read_text(encoding="utf-8"))


def nodes(node: object, path: str = "$") -> Iterator[tuple[str, dict]]:
    """Every sub-schema with where it is."""
    if not isinstance(node, dict):
        return
    yield path, node
    for word in ("properties", "$defs"):
        for name, child in node.get(word, {}).items():
            yield from nodes(child, f"{path}.{name}")
    if "items" in node:
        yield from nodes(node["items"], f"{path}[]")


def test_the_catalogue_covers_the_path_from_visit_to_refund():
    assert len(TYPES) >= 90
    assert {"site.visited", "cart.updated", "order.placed", "order.canceled", "refund.issued"} <= {
        *TYPES
    }
    assert "order.cancelled" not in TYPES


@pytest.mark.parametrize("event_type", TYPES)
def test_a_schema_is_valid_and_names_itself(event_type):
    schema = schema_of(event_type)
    Draft202012Validator.check_schema(schema)
    jsonschema_rs.validator_for(schema, validate_formats=True)
    assert schema["$id"] == f"urn:shopflow:event:{event_type}"
    assert schema["title"]
    assert schema["description"].endswith(".")
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is True, "a shop may always send more than we know"
    assert schema["x-about"] in {"customer", "subject"}
    assert schema["x-keep"] > 0


@pytest.mark.parametrize("event_type", TYPES)
def test_every_text_and_every_list_has_a_limit(event_type):
    for path, node in nodes(schema_of(event_type)):
        if node.get("type") == "string":
            assert node.get("maxLength"), f"{event_type} {path} needs maxLength"
        if node.get("type") == "array":
            assert node.get("maxItems"), f"{event_type} {path} needs maxItems"
            assert "items" in node, f"{event_type} {path} must say what is in it"


@pytest.mark.parametrize("event_type", TYPES)
def test_reserved_names_are_left_to_the_envelope(event_type):
    schema = schema_of(event_type)
    assert not RESERVED & schema["properties"].keys()
    assert set(schema.get("required", ())) <= schema["properties"].keys()


def event_types_in(node: object) -> Iterator[str]:
    """The event types that a rule file names, wherever it does."""
    if isinstance(node, list):
        for child in node:
            yield from event_types_in(child)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key in {"event", "wait_for"}:
            yield from [value] if isinstance(value, str) else value
        elif key == "type" and "at" in node:
            yield value
        else:
            yield from event_types_in(value)


def test_shipped_rules_name_events_that_have_a_schema():
    rules = ROOT / "rules"
    files = sorted({*rules.rglob("*.yaml")} - {*(rules / "templates").rglob("*.yaml")})
    named = {
        (event_type, str(path.relative_to(ROOT)))
        for path in files
        for event_type in event_types_in(yaml.safe_load(path.read_text(encoding="utf-8")))
    }
    assert len({event_type for event_type, _ in named}) > 15
    unknown = {
        (event_type, path)
        for event_type, path in named
        if not any(fnmatchcase(known, event_type) for known in [*TYPES, *OWN])
    }
    assert unknown == set()


@pytest.mark.parametrize("event_type", TYPES)
def test_our_own_keywords_are_spelt_and_typed_right(event_type):
    for path, node in nodes(schema_of(event_type)):
        for word in (name for name in node if name.startswith("x-")):
            assert word in KEYWORDS, f"{event_type} {path}: unknown keyword {word}"
            assert type(node[word]) is KEYWORDS[word], f"{event_type} {path}: {word}"


def test_one_name_means_one_thing_in_the_whole_catalogue():
    """Who knows `total` of one event knows it of all; only the prose may differ."""
    meanings = defaultdict(set)
    for event_type in TYPES:
        schema = schema_of(event_type)
        shared = {f"$defs/{name}": node for name, node in schema.get("$defs", {}).items()}
        for name, node in (schema["properties"] | shared).items():
            shape = {word: value for word, value in node.items() if word != "description"}
            meanings[name].add(json.dumps(shape, sort_keys=True))
    assert not {name: shapes for name, shapes in meanings.items() if len(shapes) > 1}


@pytest.mark.parametrize("field", ["email", "phone", "first_name", "last_name", "birthday"])
def test_what_tells_who_someone_is_is_marked_personal(field):
    holders = [t for t in TYPES if field in schema_of(t)["properties"]]
    assert holders
    assert all(schema_of(t)["properties"][field]["x-personal"] for t in holders)


def test_what_opens_an_account_is_marked_secret():
    reset = schema_of("account.password_reset_requested")["properties"]["reset_url"]
    assert reset["x-secret"]


@pytest.mark.parametrize("stream", ["rees46", "otto", "online_retail", "snowplow_demo"])
def test_recorded_streams_are_accepted(stream):
    path = STREAMS / stream / "events.jsonl.gz"
    if not path.exists():
        pytest.skip(f"the recorded stream {stream} is not beside the project")
    validators = {
        t: jsonschema_rs.validator_for(schema_of(t), validate_formats=True) for t in TYPES
    }
    refused = []
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            error = next(validators[event["type"]].iter_errors(event["data"]), None)
            if error is not None:
                refused.append((event["id"], error.message))
    assert refused == []
