"""Keeping what a schema marks `x-secret` out of everything that is stored for people to read.

A secret lives in the customer's enrolment and in the outbox until its message is accepted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import orjson

from shopflow.domain.event import Event
from shopflow.lang.schemas import marked

#: What stands where a secret stood.
BLANK = "***"
#: How much of a refused input is kept.
MAX_KEPT = 8 * 1024


class Secrets:
    """The names of secret fields, by event type."""

    def __init__(self, schemas: Mapping[str, Mapping[str, object]]) -> None:
        self._by_type = {
            name: frozenset(marked(schema, "x-secret")) for name, schema in schemas.items()
        }
        self._all: frozenset[str] = frozenset().union(*self._by_type.values())

    def blanked(self, event: Event) -> Event:
        """The event as it may be stored."""
        names = self._by_type.get(event.type)
        if not names:
            return event
        data = _blank(event.data, names)
        assert isinstance(data, dict)  # noqa: S101 - a mapping stays one
        return replace(event, data=data)

    def keepable(self, raw: bytes, document: object) -> str:
        """As much of a refused input as may be kept; `document` is None when it is no JSON."""
        if document is None:
            # It cannot be told where a secret ends in what cannot be parsed.
            if any(name.encode() in raw for name in self._all):
                return f"(withheld: {len(raw)} bytes that name a secret field)"
            return raw[:MAX_KEPT].decode(errors="replace").replace("\x00", "�")
        given = document.get("type") if isinstance(document, dict) else None
        known = self._by_type.get(given) if isinstance(given, str) else None
        names = self._all if known is None else known
        text = orjson.dumps(_blank(document, names)).decode()
        return text[:MAX_KEPT].replace("\\u0000", "�")


def _blank(node: object, names: frozenset[str]) -> object:
    if isinstance(node, Mapping):
        return {
            key: BLANK if key in names and value is not None else _blank(value, names)
            for key, value in node.items()
        }
    if isinstance(node, list):
        return [_blank(item, names) for item in node]
    return node
