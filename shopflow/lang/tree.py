"""The tree of a YAML file: plain values that know where they stand.

Scalars follow the core schema of YAML 1.2: `NO`, `on` and `1:30` are text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import NamedTuple

_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_BASED = re.compile(r"0(?:o[0-7]+|x[0-9a-fA-F]+)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_BEGINS_A_NUMBER = frozenset("+-.0123456789")
_CONSTANTS: Mapping[str, object] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
#: What YAML 1.1 takes for a boolean, a number to the base of 60 or 8, and 1.2 for text.
_OTHER_IN_YAML_1_1 = re.compile(
    r"(?:yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF|y|Y|n|N)"
    r"|[-+]?[1-9][0-9]*(?::[0-5]?[0-9])+(?:\.[0-9]*)?"
    r"|[-+]?0[0-7]+|[-+]?[0-9]+(?:_[0-9]+)+"
)
#: What these begin with: most texts are told by their first letter.
_BEGINS_OTHERWISE = frozenset("yYnNoO+-0123456789")


class Kind(Enum):
    """What a node is."""

    SCALAR = "scalar"
    LIST = "list"
    MAP = "map"


#: Looked up once: a member of an enum is dear to ask for, and a tree has many nodes.
_LIST, _MAP = Kind.LIST, Kind.MAP


class Span(NamedTuple):
    """Where a node stands: lines and columns from 0, offsets into the text."""

    line: int = 0
    column: int = 0
    start: int = 0
    end: int = 0


NOWHERE = Span()


class Node:
    """A value with its place; `data` is the same as plain Python."""

    __slots__ = (
        "_data",
        "depth",
        "entries",
        "from_environment",
        "items",
        "kind",
        "size",
        "span",
        "style",
        "text",
    )

    def __init__(
        self, kind: Kind, span: Span = NOWHERE, *, text: str = "", style: str = ""
    ) -> None:
        self.kind = kind
        self.span = span
        #: A scalar as it was written, without quotes.
        self.text = text
        #: Of a scalar: `'`, `"`, `|`, `>`, or empty for a plain one.
        self.style = style
        # Most nodes are scalars: they share the empty ones, which nothing ever fills.
        self.items: list[Node] = [] if kind is _LIST else _NO_ITEMS
        #: Key -> (the key itself, its value).
        self.entries: dict[str, tuple[Node, Node]] = {} if kind is _MAP else _NO_ENTRIES
        #: Nodes in it when every alias is written out.
        self.size = 1
        #: Levels below it, likewise.
        self.depth = 0
        #: The text came from the environment or a file, and may be secret.
        self.from_environment = False
        self._data: object = self

    @property
    def data(self) -> object:
        """The value as plain Python: dict, list, str, int, float, bool or None."""
        if self._data is self:
            self._data = self._plain()
        return self._data

    def _plain(self) -> object:
        if self.kind is _MAP:
            return {key: value.data for key, (_, value) in self.entries.items()}
        if self.kind is _LIST:
            return [item.data for item in self.items]
        return self.text if self.style else core_scalar(self.text)

    def replace_text(self, text: str) -> None:
        """Gives a scalar the text that the environment has for it."""
        self.text = text
        self.from_environment = True
        if not text:
            # An empty variable is an empty text, not nothing.
            self.style = '"'

    def forget(self) -> None:
        """Works `data` out anew when it is asked for next, here and below."""
        self._data = self
        for child in (*self.items, *(value for _, value in self.pairs())):
            child.forget()

    def without(self, key: str) -> None:
        """Takes a key out."""
        del self.entries[key]

    def get(self, key: str) -> Node | None:
        """The value under a key; None when there is none, or the node is no map."""
        entry = self.entries.get(key)
        return entry[1] if entry else None

    def __getitem__(self, key: str) -> Node:
        return self.entries[key][1]

    def __contains__(self, key: str) -> bool:
        return key in self.entries

    def key(self, key: str) -> Node:
        """The key itself as a node, for pointing at it."""
        return self.entries[key][0]

    def pairs(self) -> Iterator[tuple[str, Node]]:
        """Keys and values of a map, in the order of the file."""
        for key, (_, value) in self.entries.items():
            yield key, value

    def at(self, path: Sequence[str | int]) -> Node:
        """The node under a path of keys and indices, or as deep as the path leads."""
        node = self
        for part in path:
            if isinstance(part, int) and part < len(node.items):
                node = node.items[part]
            elif isinstance(part, str) and part in node.entries:
                node = node[part]
            else:
                break
        return node

    @property
    def is_plain_text(self) -> bool:
        """A scalar without quotes that is text here."""
        return self.kind is Kind.SCALAR and not self.style and isinstance(self.data, str)

    @property
    def differs_in_yaml_1_1(self) -> bool:
        """Text here, but a boolean or a number for readers of YAML 1.1."""
        return (
            self.text[:1] in _BEGINS_OTHERWISE
            and self.is_plain_text
            and _OTHER_IN_YAML_1_1.fullmatch(self.text) is not None
        )


_NO_ITEMS: list[Node] = []
_NO_ENTRIES: dict[str, tuple[Node, Node]] = {}


def core_scalar(text: str) -> object:
    """What a plain scalar means; digits after a leading zero are text, so `00123` keeps them."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in _BEGINS_A_NUMBER:
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text) and not re.match(r"[-+]?0[0-9]", text):
        return float(text)
    return text


def from_data(data: object) -> Node:
    """A tree without places, of plain data."""
    if isinstance(data, Mapping):
        node = Node(Kind.MAP)
        for key, value in data.items():
            node.entries[str(key)] = (Node(Kind.SCALAR, text=str(key), style='"'), from_data(value))
    elif isinstance(data, (list, tuple)):
        node = Node(Kind.LIST)
        node.items = [from_data(item) for item in data]
    elif isinstance(data, str):
        node = Node(Kind.SCALAR, text=data, style='"')
    else:
        node = Node(Kind.SCALAR, text=_written(data))
    return node


def _written(data: object) -> str:
    if isinstance(data, bool):
        return "true" if data else "false"
    return "null" if data is None else repr(data)
