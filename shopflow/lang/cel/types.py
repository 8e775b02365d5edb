"""The types the checker reasons with, made by hand or from JSON Schema."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, cast


class TypeKind(StrEnum):
    """What a value can be; the value is the word used in findings."""

    BOOL = "bool"
    INT = "int"
    UINT = "uint"
    DOUBLE = "number"
    STRING = "string"
    BYTES = "bytes"
    TIMESTAMP = "timestamp"
    DURATION = "duration"
    NULL = "null"
    LIST = "list"
    MAP = "map"
    RECORD = "object"
    TYPE = "type"
    DYN = "anything"


@dataclass(frozen=True, slots=True, kw_only=True)
class Type:
    """A type; records know their fields, the marks say what else a schema tells."""

    kind: TypeKind
    #: The elements of a list, or the values of a map.
    item: Type | None = None
    #: The fields of a record, and which are always there.
    fields: Mapping[str, Type] = field(default_factory=lambda: MappingProxyType({}))
    required: frozenset[str] = frozenset()
    #: A record may hold fields that are not named.
    open: bool = False
    #: The only values it takes; empty when any will do.
    enum: tuple[object, ...] = ()
    nullable: bool = False
    #: Of a number: none is less, none is more.
    least: float | None = None
    most: float | None = None
    #: Marked x-secret: no condition may read it.
    secret: bool = False
    #: Marked x-personal: it tells who somebody is.
    personal: bool = False

    def __str__(self) -> str:
        if self.kind is TypeKind.LIST and self.item is not None:
            return f"list of {self.item}"
        if self.kind is TypeKind.MAP and self.item is not None:
            return f"map of {self.item}"
        return self.kind.value


BOOL = Type(kind=TypeKind.BOOL)
INT = Type(kind=TypeKind.INT)
UINT = Type(kind=TypeKind.UINT)
DOUBLE = Type(kind=TypeKind.DOUBLE)
STRING = Type(kind=TypeKind.STRING)
BYTES = Type(kind=TypeKind.BYTES)
TIMESTAMP = Type(kind=TypeKind.TIMESTAMP)
DURATION = Type(kind=TypeKind.DURATION)
NULL = Type(kind=TypeKind.NULL)
TYPE = Type(kind=TypeKind.TYPE)
DYN = Type(kind=TypeKind.DYN)


def list_of(item: Type) -> Type:
    """A list whose elements are all of one type."""
    return Type(kind=TypeKind.LIST, item=item)


def map_of(key: Type, value: Type) -> Type:
    """A map whose values are all of one type; any key may be missing."""
    if key.kind not in (TypeKind.STRING, TypeKind.DYN, TypeKind.INT, TypeKind.BOOL, TypeKind.UINT):
        raise ValueError(f"a map's key cannot be {key}")
    return Type(kind=TypeKind.MAP, item=value)


def record(
    fields: Mapping[str, Type],
    *,
    required: Collection[str] | None = None,
    open: bool = False,  # noqa: A002 - the word for it
) -> Type:
    """An object with named fields, all of them always there unless ``required`` names some."""
    return Type(
        kind=TypeKind.RECORD,
        fields=MappingProxyType(dict(fields)),
        required=frozenset(fields if required is None else required),
        open=open,
    )


def one_of(values: Iterable[object]) -> Type:
    """A string that takes only these values."""
    return replace(STRING, enum=tuple(values))


_NAMED = {
    "boolean": BOOL,
    "integer": INT,
    "number": DOUBLE,
    "string": STRING,
    "null": NULL,
}
_NAME_OF_CLASS = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    type(None): "null",
}


def type_from_schema(
    schema: Mapping[str, Any] | bool,  # noqa: FBT001 - true and false are schemas
    *,
    date_time: Type = TIMESTAMP,
) -> Type:
    """The type a JSON Schema describes; what it leaves open is dyn.

    A field beyond ``properties`` is an error to the checker unless additionalProperties says
    that more may come.

    ``date_time`` is what a string of format date-time has become by the time conditions read it.
    """
    return _Reader(cast("Mapping[str, Any]", schema), date_time).read(schema)


class _Reader:
    def __init__(self, root: Mapping[str, Any], date_time: Type) -> None:
        self._root = root
        self._date_time = date_time
        self._resolving: set[str] = set()

    def read(self, schema: Mapping[str, Any] | bool) -> Type:  # noqa: FBT001 - see above
        if isinstance(schema, bool):
            return DYN
        reference = schema.get("$ref")
        if isinstance(reference, str):
            return self._referenced(reference)
        found = self._unmarked(schema)
        return replace(
            found,
            secret=found.secret or schema.get("x-secret") is True,
            personal=found.personal or schema.get("x-personal") is True,
        )

    def _referenced(self, reference: str) -> Type:
        # A schema that contains itself is dyn where it does.
        if not reference.startswith("#/") or reference in self._resolving:
            return DYN
        target: Any = self._root
        for part in reference[2:].split("/"):
            target = target.get(part.replace("~1", "/").replace("~0", "~"), {})
        self._resolving.add(reference)
        try:
            return self.read(target)
        finally:
            self._resolving.discard(reference)

    def _unmarked(self, schema: Mapping[str, Any]) -> Type:
        values = schema.get("enum", [schema["const"]] if "const" in schema else [])
        names = _names(schema, values)
        nullable = "null" in names and len(names) > 1
        names = [name for name in names if name != "null"] or names
        if set(names) == {"integer", "number"}:
            names = ["number"]
        found = self._named(names[0], schema) if len(names) == 1 else DYN
        enum = tuple(value for value in values if value is not None)
        return replace(found, nullable=nullable, enum=enum)

    def _named(self, name: str, schema: Mapping[str, Any]) -> Type:
        if name == "object":
            return self._object(schema)
        if name == "array":
            return list_of(self.read(schema.get("items", True)))
        if name == "string" and schema.get("format") == "date-time":
            return self._date_time
        if name in ("integer", "number"):
            least = schema.get("minimum", schema.get("exclusiveMinimum"))
            most = schema.get("maximum", schema.get("exclusiveMaximum"))
            return replace(_NAMED[name], least=least, most=most)
        return _NAMED.get(name, DYN)

    def _object(self, schema: Mapping[str, Any]) -> Type:
        properties = schema.get("properties")
        extra = schema.get("additionalProperties")
        if not properties:
            return map_of(STRING, DYN if extra is None else self.read(extra))
        return record(
            {name: self.read(each) for name, each in properties.items()},
            required=set(schema.get("required", ())) & set(properties),
            open=extra is not None and extra is not False,
        )


def _names(schema: Mapping[str, Any], values: list[Any]) -> list[str]:
    """The type names a schema gives, or those its values imply."""
    declared = schema.get("type")
    if isinstance(declared, str):
        return [declared]
    if isinstance(declared, list):
        return list(declared)
    if "properties" in schema:
        return ["object"]
    implied = {_NAME_OF_CLASS[type(value)] for value in values if type(value) in _NAME_OF_CLASS}
    return sorted(implied) or ["any"]


_NUMBERS = frozenset({TypeKind.INT, TypeKind.UINT, TypeKind.DOUBLE})
_MAPS = frozenset({TypeKind.MAP, TypeKind.RECORD})


def is_number(found: Type) -> bool:
    """Whether it is an int, uint or double."""
    return found.kind in _NUMBERS


def comparable(left: Type, right: Type) -> bool:
    """Whether values of the two types can ever be equal, as far as one can know."""
    if TypeKind.DYN in (left.kind, right.kind) or left.kind is right.kind:
        return True
    if (left.kind is TypeKind.NULL and right.nullable) or (
        right.kind is TypeKind.NULL and left.nullable
    ):
        return True
    return {left.kind, right.kind} <= _NUMBERS or {left.kind, right.kind} <= _MAPS


def fits(found: Type, expected: Type) -> bool:
    """Whether a value of the one type may stand where the other is expected."""
    if not comparable(found, expected):
        return False
    if found.kind is expected.kind is TypeKind.LIST and found.item and expected.item:
        return fits(found.item, expected.item)
    return True


def joined(left: Type, right: Type) -> Type:
    """The type of a value that is one or the other."""
    if left == right:
        return left
    if is_number(left) and is_number(right):
        return replace(left, least=None, most=None) if left.kind is right.kind else DOUBLE
    if left.kind is right.kind and left.kind not in (TypeKind.LIST, *_MAPS):
        return Type(kind=left.kind)
    return DYN


def article(found: Type) -> str:
    """The type in a sentence: a number, an object, anything."""
    word = str(found)
    if found.kind in (TypeKind.DYN, TypeKind.NULL):
        return word
    return f"an {word}" if word[0] in "aeio" else f"a {word}"
