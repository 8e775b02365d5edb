"""Payloads with stand-ins for everything that could tell who somebody is.

Equal values get equal stand-ins, so that what belongs together still does. In doubt a text is
replaced: what stays are numbers, times, words of a closed list, and what the rules themselves name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from shopflow.lang.schemas import Schema, marked

_FIRST_NAMES = ("Anna", "Ben", "Chloé", "David", "Emma", "Farid", "Gaëlle", "Hugo")
_LAST_NAMES = ("Martin", "Bernard", "Dubois", "Petit", "Moreau", "Laurent", "Simon", "Michel")
#: What stands in for a personal value that is no text.
_NUMBER, _DAY = 1, "1990-05-17"
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
_TELEPHONE = re.compile(r"\+[0-9][0-9 .()-]{6,}")
_LINK = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_TIMES = frozenset({"date", "date-time", "time", "duration"})
_TIME = re.compile(r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d.*)?")
_WORD = re.compile(r"[^a-z0-9]+")
#: Fields that name products, as `sku` does.
_SKUS = frozenset({"compatible_with", "replaces", "substitutes"})


class StandIns:
    """The stand-ins of one test."""

    def __init__(self, kept: Collection[str] = ()) -> None:
        #: Texts that rules compare with; replaced, they would decide otherwise.
        self._kept = frozenset(kept)
        self._known: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}

    def payload(self, data: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
        """The payload as a test may show it; fields that its schema does not know are left out."""
        personal = frozenset(marked(schema, "x-personal")) | frozenset(marked(schema, "x-secret"))
        return _Payload(self, schema, personal).record(data, schema)

    def text(self, name: str, value: str, *, personal: bool = True) -> str:
        """What stands in for a text of a field of that name."""
        if value in self._kept and not personal:
            return value
        kind, form = _form(name, value)
        key = (kind, value)
        if key not in self._known:
            self._known[key] = self._next(kind, form)
            if self._known[key] == value:
                # By chance it would be left as it is.
                self._known[key] = self._next(kind, form)
        return self._known[key]

    def original(self, text: str) -> str:
        """What the text stands in for; itself when it is no stand-in."""
        found = (value for (_, value), stand_in in self._known.items() if stand_in == text)
        return next(found, text)

    def made_of(self, fits: Callable[[str], bool]) -> str | None:
        """The first stand-in that fits; None when none does."""
        return next(filter(fits, self._known.values()), None)

    def _next(self, kind: str, form: Callable[[int], str]) -> str:
        self._counts[kind] = self._counts.get(kind, 0) + 1
        return form(self._counts[kind])


class _Payload:
    """One payload on its way."""

    def __init__(self, stand_ins: StandIns, root: Schema, personal: frozenset[str]) -> None:
        self._stand_ins = stand_ins
        self._root = root
        self._personal = personal

    def record(self, data: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
        known = schema.get("properties", {})
        return {
            name: self._value(name, value, self._resolved(known[name]))
            for name, value in data.items()
            if name in known
        }

    def _value(self, name: str, value: Any, schema: Schema) -> Any:
        personal = name in self._personal
        match value:
            case dict():
                return self.record(value, schema)
            case list():
                items = self._resolved(schema.get("items", {}))
                return [self._value(name, item, items) for item in value]
            case str():
                return self._text(name, value, schema, personal=personal)
            case bool() | None:
                return value
            case int() | float() if personal:
                return schema.get("minimum", _NUMBER)
            case _:
                return value

    def _text(self, name: str, value: str, schema: Schema, *, personal: bool) -> str:
        form = schema.get("format")
        if personal and form == "date":
            return _DAY
        # Of a closed list, or of a form such as that of a currency: nobody's in particular.
        if not personal and ("enum" in schema or "pattern" in schema or form in _TIMES):
            return value
        if not personal and _TIME.fullmatch(value):
            return value
        if "enum" in schema:
            return str(schema["enum"][0])
        text = self._stand_ins.text(name, value, personal=personal)
        return text[: schema["maxLength"]] if "maxLength" in schema else text

    def _resolved(self, schema: Schema) -> Schema:
        """The schema, or what it refers to in the same file."""
        reference = schema.get("$ref", "")
        if not reference.startswith("#/"):
            return schema
        found: Any = self._root
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        return self._resolved(found)


def _form(name: str, value: str) -> tuple[str, Callable[[int], str]]:
    """The kind of a text, and what makes the stand-in of that number."""
    word = _WORD.sub("_", name.lower()).strip("_") or "text"
    word = "sku" if word in _SKUS else word
    if _ADDRESS.fullmatch(value):
        return "email", lambda number: f"person{number}@example.com"
    if _LINK.match(value):
        return "url", lambda number: f"https://example.com/{number}"
    if "phone" in word or _TELEPHONE.fullmatch(value):
        return "phone", lambda number: f"+336000000{number:02}"
    if word == "first_name":
        return word, lambda number: _FIRST_NAMES[(number - 1) % len(_FIRST_NAMES)]
    if word == "last_name":
        return word, lambda number: _LAST_NAMES[(number - 1) % len(_LAST_NAMES)]
    return word, lambda number: f"{word.replace('_', '-')}-{number}"
