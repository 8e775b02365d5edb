"""Fixes: edits of a file's text that mend a problem and leave everything else, comments included.

Where a piece of text cannot be told for sure, there is no fix.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from shopflow.lang.document import Document
from shopflow.lang.names import certainly
from shopflow.lang.tree import Node
from shopflow.problem import Edit, Fix

_KEY_AND_VALUE = re.compile(r"(?P<before>\s*(?:- +)*)\w+: +")


def renaming(document: Document, node: Node, known: Iterable[str]) -> Fix | None:
    """Puts the name that was meant in the place of a node's text."""
    meant = certainly(node.text, known)
    return replacing(document, node, meant) if meant is not None else None


def replacing(document: Document, node: Node, text: str) -> Fix | None:
    """Puts a text in the place of a scalar's, inside of its quotes where it has some."""
    start = document.text.find(node.text, node.span.start, node.span.end)
    if start < 0 or not node.text or node.from_environment:
        return None
    return fix(
        document, (start, start + len(node.text)), text, f"replace `{node.text}` by `{text}`"
    )


def quoting(document: Document, node: Node) -> Fix | None:
    """Puts quotes around a plain scalar."""
    if node.style or node.from_environment:
        return None
    return replacing(document, node, f'"{node.text}"')


def as_block(document: Document, start: int) -> Fix | None:
    """Moves the rest of the line from that offset on, a value, into a block of text."""
    begin = document.text.rfind("\n", 0, start) + 1
    end = document.text.find("\n", start)
    end = len(document.text) if end < 0 else end
    before = _KEY_AND_VALUE.fullmatch(document.text[begin:start])
    value = document.text[start:end].rstrip()
    if before is None or not value:
        return None
    indent = " " * (len(before["before"]) + 2)
    return fix(document, (start, end), f"|\n{indent}{value}", "put it into a | block")


def without(document: Document, chain: Sequence[tuple[Node, str]]) -> Fix | None:
    """Takes a key out with its value: the last of a chain of maps, each with a key in it.

    A map that would be left empty goes as well.
    """
    *outer, (parent, key) = chain
    if len(parent.entries) == 1:
        return without(document, outer) if outer else None
    span = _entry(document, parent, key)
    return fix(document, span, "", f"take `{key}` out") if span else None


def fix(document: Document, span: tuple[int, int], text: str, title: str) -> Fix:
    """One safe edit of the file, by offsets."""
    start, end = span
    return Fix(title=title, edits=(Edit(path=document.path, start=start, end=end, text=text),))


def _entry(document: Document, parent: Node, key: str) -> tuple[int, int] | None:
    """Where a key of a map and its value stand, with what parts them from their neighbours."""
    text, names = document.text, list(parent.entries)
    place = names.index(key)
    here, value = parent.key(key), parent[key]
    if text[parent.span.start] == "{":
        if place + 1 < len(names):
            return here.span.start, parent.key(names[place + 1]).span.start
        return parent[names[place - 1]].span.end, value.span.end
    begin = text.rfind("\n", 0, here.span.start) + 1
    if text[begin : here.span.start].strip():
        # It shares its line with the dash of a list, or with its parent.
        return None
    # A block ends where the next thing begins, and what is between belongs to that.
    last = len(text[: value.span.end].rstrip())
    end = text.find("\n", max(last, here.span.end))
    return begin, len(text) if end < 0 else end + 1
