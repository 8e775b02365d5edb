"""The schemas: one for every kind of file, and one for every event type that a shop can tell.

Whether something keeps to one is jsonschema_rs' to say, quickly; why not is jsonschema's, which
takes longer to load than a hundred files to read, so that it waits until it is asked. Holding a
document against its schema is `shopflow.lang.validation`'s.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs

import shopflow

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

Schema = Mapping[str, Any]

#: `kind` of a file -> the name of its schema.
KINDS: Mapping[str, str] = {
    "Project": "project",
    "Environment": "environment",
    "Workflow": "workflow",
    "WorkflowTest": "workflow-test",
    "Traits": "traits",
    "Segments": "segments",
    "ConsentPolicy": "consent-policy",
    "FrequencyCaps": "frequency-caps",
    "QuietHours": "quiet-hours",
    "Retention": "retention",
    "Coupon": "coupon",
    "Question": "question",
}
EVENT_SUFFIX = ".schema.json"
#: Names of the envelope, which no payload may use.
RESERVED_FIELDS = frozenset({"id", "type", "occurred_at"})


@dataclass(frozen=True, slots=True)
class EventCatalogue:
    """The event types by name, each with the schema of its payload."""

    schemas: Mapping[str, Schema] = field(default_factory=dict)

    def __contains__(self, event_type: object) -> bool:
        return event_type in self.schemas

    def under(self, prefix: str) -> tuple[str, ...]:
        """The types that begin with a prefix such as `order.`."""
        return tuple(sorted(name for name in self.schemas if name.startswith(prefix)))


@cache
def folder() -> Path:
    """Where the schemas are: in the installed package, or beside it in a checkout."""
    package = Path(shopflow.__file__).parent
    packaged = package / "schemas"
    return packaged if packaged.is_dir() else package.parent / "schemas"


@cache
def schema_of(kind: str) -> Schema:
    """The schema of a kind of file, such as Workflow; raises KeyError for an unknown kind."""
    path = folder() / "v1" / f"{KINDS[kind]}{EVENT_SUFFIX}"
    schema: Schema = json.loads(path.read_text(encoding="utf-8"))
    return schema


@cache
def quick_check(kind: str) -> jsonschema_rs.Validator:
    """A validator that only says yes or no, a hundred times faster than one that says why."""
    return jsonschema_rs.validator_for(dict(schema_of(kind)))


def accepts(schema: Schema, value: object) -> bool:
    """Whether the value keeps to the schema, as far as the quick validator understands both."""
    try:
        return jsonschema_rs.validator_for(dict(schema)).is_valid(value)
    except (ValueError, jsonschema_rs.ReferencingError):
        return False


def violations(schema: Schema, value: object) -> Iterator[ValidationError]:
    """Every violation of the schema, with its reason."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - see above

    return Draft202012Validator(schema).iter_errors(value)


def flaw_of(schema: Any) -> str:
    """What keeps this from being a JSON Schema of draft 2020-12; empty when nothing does."""
    try:
        if _metaschema().is_valid(schema):
            return ""
    except ValueError:
        pass
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - see above
    from jsonschema.exceptions import SchemaError  # noqa: PLC0415

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as e:
        return e.message
    return ""


@cache
def _metaschema() -> jsonschema_rs.Validator:
    whole = {"$ref": "https://json-schema.org/draft/2020-12/schema"}
    return jsonschema_rs.validator_for(whole, validate_formats=True, formats={"regex": _is_pattern})


def _is_pattern(text: str) -> bool:
    """Whether Python reads it as a pattern, as jsonschema does."""
    try:
        re.compile(text)
    except re.error:
        return False
    return True


@cache
def shipped_events() -> EventCatalogue:
    """The catalogue of event types that comes with shopflow."""
    found = {}
    for path in sorted((folder() / "events").glob(f"*{EVENT_SUFFIX}")):
        name = path.name.removesuffix(EVENT_SUFFIX)
        found[name] = json.loads(path.read_text(encoding="utf-8"))
    return EventCatalogue(found)


def marked(schema: object, mark: str) -> Iterator[str]:
    """The names of the properties that bear a mark such as `x-secret`, at any depth."""
    pending = [schema]
    while pending:
        node = pending.pop()
        if isinstance(node, Mapping):
            properties = node.get("properties")
            if isinstance(properties, Mapping):
                for name, inner in properties.items():
                    if isinstance(inner, Mapping) and inner.get(mark) is True:
                        yield name
            pending.extend(node.values())
        elif isinstance(node, (list, tuple)):
            pending.extend(node)
