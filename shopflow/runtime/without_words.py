"""Payloads of events with nothing in them that names anybody, and no free text.

What the schema of the event knows is kept, as far as it is asked for: numbers and truth values as
they are, words of a closed list or of the catalogue as they are, everything else as a pseudonym or
not at all. What the schema marks as personal or secret is never kept as it is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from shopflow.runtime.pseudonyms import Pseudonyms

#: Words of the shop, not of a person: its catalogue, its settings, its own messages.
VOCABULARY = frozenset({
    "action", "brand", "bounce", "category", "channel", "coupon", "country", "currency", "locale",
    "notice", "purpose", "sku", "state", "status", "step", "text_version",
    "timezone", "type", "workflow",
})  # fmt: skip
#: What such a word looks like: no address, no number by which somebody could be called.
_CLEAN = re.compile(r"(?!.*\d{7})[\w .:/+&'-]{1,100}")
#: Fields of ids, which are compared with each other.
_ID = re.compile(r"(?:^|_)(?:ids?|sku|key|codes?|to)$")
_PHONE, _EMAIL = re.compile(r"phone|mobile"), re.compile(r"e?mail")
#: A number from here on could be one by which somebody is called, where nothing says what it is.
_SMALL = 10**7
#: Places of a schema that hold nothing.
_NOTHING: Mapping[str, object] = {}


class _Absent:
    """Stands for a value that is left out."""


_ABSENT = _Absent()


@dataclass(frozen=True, slots=True)
class WithoutWords:
    """Takes the words out of payloads of one type of events."""

    pseudonyms: Pseudonyms
    schema: Mapping[str, object]
    #: Words that stand in the rules themselves: what a condition compares with is nobody's.
    words: frozenset[str] = frozenset()
    #: Names of fields that the rules ask for, however deep they stand.
    asked: frozenset[str] = frozenset()

    def payload(self, data: Mapping[str, object], wanted: Collection[str]) -> dict[str, object]:
        """The payload with the fields that are wanted, or that the schema requires."""
        kept = {*wanted, *_required(self.schema)}
        return self._object({key: data[key] for key in data if key in kept}, self.schema, kept)

    def _object(
        self, data: Mapping[str, object], schema: Mapping[str, object], wanted: Collection[str]
    ) -> dict[str, object]:
        properties = _mapping(schema.get("properties"))
        found: dict[str, object] = {}
        for key, value in data.items():
            if key in properties:
                node = self._schema(properties[key])
                found[key] = self._value(key, value, node, wanted=key in wanted)
            elif key in wanted:
                found[key] = self._unknown(value)
        return {key: value for key, value in found.items() if value is not _ABSENT}

    def _unknown(self, value: object) -> object:
        """A field that no schema describes, but rules ask for."""
        match value:
            case None | bool():
                return value
            case int() | float():
                return value if abs(value) < _SMALL else _ABSENT
            case str():
                return value if value in self.words else self.pseudonyms.token(value)
            case _:
                return _ABSENT

    def _value(
        self, name: str, value: object, schema: Mapping[str, object], *, wanted: bool
    ) -> object:
        if schema.get("x-secret") and not wanted:
            return _ABSENT
        personal = bool(schema.get("x-personal") or schema.get("x-secret"))
        match value:
            case None | bool():
                return value
            case int() | float():
                return self._number(name, value, schema) if personal else value
            case str():
                return self._text(name, value, schema, wanted=wanted, personal=personal)
            case list():
                return self._list(name, value, schema, wanted=wanted, personal=personal)
            case Mapping():
                if personal:
                    schema = _all_personal(schema)
                return self._object(value, schema, {*self.asked, *_required(schema)})
            case _:
                return _ABSENT

    def _list(
        self,
        name: str,
        values: list[object],
        schema: Mapping[str, object],
        *,
        wanted: bool,
        personal: bool,
    ) -> object:
        inner = {**self._schema(schema.get("items")), "x-personal": personal}
        made = [self._value(name, each, inner, wanted=wanted) for each in values]
        return [each for each in made if each is not _ABSENT]

    def _number(self, name: str, value: float, schema: Mapping[str, object]) -> object:
        """A number that is somebody's, such as the day of a birth."""
        least, most = schema.get("minimum"), schema.get("maximum")
        if isinstance(least, int) and isinstance(most, int):
            # Every month has a 28th.
            most = min(most, 28) if name == "day" else most
            return self.pseudonyms.whole(f"{name} {value}", least, most)
        return _ABSENT

    def _text(
        self, name: str, value: str, schema: Mapping[str, object], *, wanted: bool, personal: bool
    ) -> object:
        made, longest = self.pseudonyms, schema.get("maxLength")
        choices = schema.get("enum")
        if personal and isinstance(choices, list) and choices:
            return choices[made.whole(value, 0, len(choices) - 1)]
        match schema.get("format"):
            case "email":
                return made.email(value)
            case "uri":
                return made.url(value) if wanted else _ABSENT
            case "date":
                return made.day(value).isoformat() if personal else value
            case "date-time":
                return _ABSENT if personal else value
        if personal and (_PHONE.search(name) or _EMAIL.search(name)):
            return made.phone(value) if _PHONE.search(name) else made.email(value)
        if not personal and (value in self.words or _is_of_the_shop(name, value, schema)):
            return value
        if wanted or _ID.search(name):
            return made.token(value)[: longest if isinstance(longest, int) else None]
        return _ABSENT

    def _schema(self, node: object) -> Mapping[str, object]:
        """The schema of a place; one that is written elsewhere in the file is looked up there."""
        schema = _mapping(node)
        target = schema.get("$ref")
        if not isinstance(target, str):
            return schema
        found: object = self.schema
        for part in target.removeprefix("#/").split("/"):
            found = _mapping(found).get(part)
        return {**_mapping(found), **{key: each for key, each in schema.items() if key != "$ref"}}


def _is_of_the_shop(name: str, value: str, schema: Mapping[str, object]) -> bool:
    if "enum" in schema or "const" in schema:
        return True
    return name in VOCABULARY and _CLEAN.fullmatch(value) is not None


def _all_personal(schema: Mapping[str, object]) -> Mapping[str, object]:
    """The schema of an object all of whose fields are somebody's."""
    properties = {
        key: {**_mapping(each), "x-personal": True}
        for key, each in _mapping(schema.get("properties")).items()
    }
    return {**schema, "properties": properties}


def _required(schema: Mapping[str, object]) -> Collection[str]:
    required = schema.get("required")
    return [str(name) for name in required] if isinstance(required, list) else []


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else _NOTHING
