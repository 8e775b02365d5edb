"""What each function takes and gives, for the checker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shopflow.lang.cel import types
from shopflow.lang.cel.types import Type, TypeKind

_NUMBERS = frozenset({TypeKind.INT, TypeKind.UINT, TypeKind.DOUBLE})
_ANY = frozenset(TypeKind)
_WORDS: dict[str, frozenset[TypeKind]] = {
    **{kind.value: frozenset({kind}) for kind in TypeKind},
    "number": _NUMBERS,
    "integer": frozenset({TypeKind.INT, TypeKind.UINT}),
    "map": frozenset({TypeKind.MAP, TypeKind.RECORD}),
    "any": _ANY,
}
_RESULTS = {
    "bool": types.BOOL,
    "int": types.INT,
    "uint": types.UINT,
    "double": types.DOUBLE,
    "string": types.STRING,
    "bytes": types.BYTES,
    "timestamp": types.TIMESTAMP,
    "duration": types.DURATION,
    "type": types.TYPE,
    "any": types.DYN,
    "strings": types.list_of(types.STRING),
}


@dataclass(frozen=True, slots=True)
class Signature:
    """The kinds each operand may have, the last ones optional, and the result."""

    text: str
    operands: tuple[frozenset[TypeKind], ...]
    needed: int
    result: Type

    def counts(self, given: int) -> bool:
        """Whether it takes so many operands."""
        return self.needed <= given <= len(self.operands)

    def takes(self, given: Sequence[Type]) -> bool:
        """Whether these operands fit; dyn fits everywhere."""
        return self.counts(len(given)) and all(
            each.kind is TypeKind.DYN or each.kind in allowed
            for each, allowed in zip(given, self.operands, strict=False)
        )


def _signature(text: str) -> Signature:
    left, result = text.split(" -> ")
    operands: list[frozenset[TypeKind]] = []
    needed = 0
    for word in left.split(", "):
        kinds = [_WORDS[each] for each in word.rstrip("?").split("|")]
        operands.append(frozenset().union(*kinds))
        needed += not word.endswith("?")
    return Signature(text, tuple(operands), needed, _RESULTS[result])


_DIRECT = {
    "size": "string|bytes|list|map -> int",
    "matches": "string, string -> bool",
    "int": "number|string|bool|timestamp -> int",
    "uint": "number|string -> uint",
    "double": "number|string -> double",
    "string": "string|number|bool|bytes|timestamp|duration -> string",
    "bytes": "string|bytes -> bytes",
    "bool": "bool|string -> bool",
    "timestamp": "timestamp|string|int -> timestamp",
    "duration": "duration|string -> duration",
    "type": "any -> type",
    "dyn": "any -> any",
    "days": "number -> duration",
    "hours": "number -> duration",
    "in_stock": "list|string|map -> bool",
    "compatible": "list|string|map, list|string|map -> bool",
}
_PART = "timestamp, string? -> int"
_PART_OR_TOTAL = "timestamp|duration, string? -> int"
_ON_TARGET = {
    "size": "string|bytes|list|map -> int",
    "matches": "string, string -> bool",
    "startsWith": "string, string -> bool",
    "endsWith": "string, string -> bool",
    "contains": "string, string -> bool",
    "charAt": "string, integer -> string",
    "indexOf": "string, string, integer? -> int",
    "lastIndexOf": "string, string, integer? -> int",
    "lowerAscii": "string -> string",
    "upperAscii": "string -> string",
    "replace": "string, string, string, integer? -> string",
    "split": "string, string, integer? -> strings",
    "substring": "string, integer, integer? -> string",
    "trim": "string -> string",
    "reverse": "string -> string",
    "join": "list, string? -> string",
    "getFullYear": _PART,
    "getMonth": _PART,
    "getDate": _PART,
    "getDayOfMonth": _PART,
    "getDayOfWeek": _PART,
    "getDayOfYear": _PART,
    "getHours": _PART_OR_TOTAL,
    "getMinutes": _PART_OR_TOTAL,
    "getSeconds": _PART_OR_TOTAL,
    "getMilliseconds": _PART_OR_TOTAL,
}
_SIGNATURES = {
    False: {name: _signature(text) for name, text in _DIRECT.items()},
    True: {name: _signature(text) for name, text in _ON_TARGET.items()},
}


def signature(name: str, *, on_target: bool) -> Signature | None:
    """What a function takes, the target first; None when there is no such function."""
    return _SIGNATURES[on_target].get(name)


def function_names() -> tuple[str, ...]:
    """Every function and macro a condition may call."""
    macros = ("has", "all", "exists", "exists_one", "map", "filter")
    return tuple(dict.fromkeys((*_DIRECT, *_ON_TARGET, *macros)))
