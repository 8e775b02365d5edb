"""The keys that a JSON Schema knows."""

from __future__ import annotations


def keys_of(schema):
    """The names of all properties below a node of a schema."""
    if isinstance(schema, dict):
        for name, below in schema.items():
            if name == "properties":
                yield from below
            yield from keys_of(below)
    elif isinstance(schema, list):
        for below in schema:
            yield from keys_of(below)
