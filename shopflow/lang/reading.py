"""Reading YAML into a document, with the place of every key and value.

Refuses what would be read two ways: duplicate keys, tags, merge keys, several documents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import yaml

from shopflow.lang.document import Document
from shopflow.lang.fixes import as_block
from shopflow.lang.tree import Kind, Node, Span
from shopflow.problem import Fix, Location, Problem

#: Nodes of a file with every alias written out: far above any honest file.
MAX_NODES = 200_000
MAX_DEPTH = 60
MAX_CHARACTERS = 2_000_000

_LIST, _SCALAR = Kind.LIST, Kind.SCALAR
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse(path: str, text: str) -> Document:
    """The file as a tree; on a syntax error the document has problems and no tree."""
    document = Document(path=path, text=text.removeprefix("\ufeff"))
    if len(text) > MAX_CHARACTERS:
        refused = _Refused("SF001", Span(), f"a file of more than {MAX_CHARACTERS:,} characters")
        document.problems.append(_refusal(document, refused))
        return document
    try:
        document.root = _Builder(document).build()
    except _Refused as e:
        document.problems.append(_refusal(document, e))
    except yaml.MarkedYAMLError as e:
        document.problems.append(_syntax_error(document, e))
    except yaml.reader.ReaderError as e:
        span = _span_of_offset(document.text, e.position)
        message = "a control character, which YAML does not allow"
        document.problems.append(_refusal(document, _Refused("SF001", span, message)))
    return document


class _Refused(Exception):  # noqa: N818 - it stops the reading of one file
    def __init__(
        self, code: str, span: Span, message: str, hint: str = "", fix: Fix | None = None
    ) -> None:
        super().__init__(message)
        self.code, self.span, self.message, self.hint = code, span, message, hint
        self.fix = fix


def _refusal(document: Document, refused: _Refused) -> Problem:
    location = document.location(Node(Kind.SCALAR, refused.span))
    return document.problem_at(
        location, refused.code, refused.message, hint=refused.hint, fix=refused.fix
    )


class _Builder:
    """Builds the tree from the parser's events, without recursion."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.loader = _LOADER(document.text)
        self.anchors: dict[str, Node] = {}
        #: Containers being filled, each with the key that waits for its value.
        self.open: list[tuple[Node, list[Node], str | None]] = []
        self.root: Node | None = None
        self.documents = 0

    def build(self) -> Node | None:
        while (event := self.loader.get_event()) is not None:
            if take := _TAKEN.get(type(event)):
                take(self, event)
        return self.root

    def begin(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            message = "a second document in one file"
            hint = "give it a file of its own; one file holds one document"
            raise _Refused("SF001", _span(event), message, hint)

    def alias(self, event: Any) -> None:
        if event.anchor not in self.anchors:
            message = f"no anchor named '{event.anchor}' before this alias"
            raise _Refused("SF001", _span(event), message)
        self.add(self.anchors[event.anchor])

    def scalar(self, event: Any) -> None:
        span = _span(event)
        if event.tag is not None:
            raise _tagged(self.document, event, span)
        node = Node(_SCALAR, span, text=event.value, style=event.style or "")
        if event.anchor:
            self.anchors[event.anchor] = node
        self.add(node)

    def open_map(self, event: Any) -> None:
        self.enter(event, Kind.MAP)

    def open_list(self, event: Any) -> None:
        self.enter(event, Kind.LIST)

    def enter(self, event: Any, kind: Kind) -> None:
        span = _span(event)
        if event.tag is not None:
            raise _tagged(self.document, event, span)
        if len(self.open) >= MAX_DEPTH:
            raise _Refused("SF001", span, f"nested deeper than {MAX_DEPTH} levels")
        self.open.append((Node(kind, span), [], event.anchor))

    def close(self, event: Any) -> None:
        node, _, anchor = self.open.pop()
        end = event.end_mark.index if event.end_mark is not None else node.span.start
        node.span = Span(node.span.line, node.span.column, node.span.start, end)
        if anchor:
            self.anchors[anchor] = node
        self.add(node)

    def add(self, node: Node) -> None:
        if not self.open:
            self.root = node
            return
        parent, waiting, _ = self.open[-1]
        parent.size += node.size
        if node.depth >= parent.depth:
            parent.depth = node.depth + 1
            if parent.depth > MAX_DEPTH:
                raise _Refused("SF001", parent.span, f"nested deeper than {MAX_DEPTH} levels")
        if parent.size > MAX_NODES:
            message = f"more than {MAX_NODES:,} values once every alias is written out"
            raise _Refused("SF001", parent.span, message, "use fewer aliases")
        if parent.kind is _LIST:
            parent.items.append(node)
        elif not waiting:
            self.check_key(parent, node)
            waiting.append(node)
        else:
            key = waiting.pop()
            parent.entries[key.text] = (key, node)

    def check_key(self, parent: Node, key: Node) -> None:
        if key.kind is not _SCALAR:
            raise _Refused("SF001", key.span, f"a {key.kind.value} as a key; keys are words")
        if key.text == "<<" and not key.style:
            hint = "write the keys out, or give the whole value by an alias"
            raise _Refused(
                "SF001", key.span, "a merge key '<<', which YAML 1.2 does not have", hint
            )
        if key.text in parent.entries:
            first = self.document.related(parent.key(key.text), "the first")
            message = f"the key '{key.text}' stands twice"
            self.document.problems.append(
                self.document.problem(
                    "SF002", key, message, hint="keep one of the two", related=first
                )
            )


#: What becomes of an event of the parser; the others say nothing.
_TAKEN: Mapping[type[yaml.Event], Callable[[_Builder, Any], None]] = {
    yaml.ScalarEvent: _Builder.scalar,
    yaml.AliasEvent: _Builder.alias,
    yaml.MappingStartEvent: _Builder.open_map,
    yaml.SequenceStartEvent: _Builder.open_list,
    yaml.MappingEndEvent: _Builder.close,
    yaml.SequenceEndEvent: _Builder.close,
    yaml.DocumentStartEvent: _Builder.begin,
}


def _tagged(document: Document, event: Any, span: Span) -> _Refused:
    if isinstance(event, yaml.ScalarEvent) and not str(event.tag).startswith("tag:"):
        message = f"YAML takes '{event.tag}' for a tag"
        hint = "put the condition into quotes or a | block: a leading ! belongs to YAML"
        return _Refused("SF008", span, message, hint, as_block(document, span.start))
    name = str(event.tag).removeprefix("tag:yaml.org,2002:")
    return _Refused("SF001", span, f"a tag '{name}'; tags are not used here", "remove the tag")


def _span(event: Any) -> Span:
    start, end = event.start_mark, event.end_mark
    return Span(start.line, start.column, start.index, end.index)


def _span_of_offset(text: str, offset: int) -> Span:
    before = text[:offset]
    line = before.count("\n")
    return Span(line, offset - (before.rfind("\n") + 1), offset, offset + 1)


def _syntax_error(document: Document, error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    message = error.problem or "no YAML"
    if error.context and error.context_mark and error.context_mark.line != line:
        message += f", {error.context} that begins in line {error.context_mark.line + 1}"
    location = Location(path=document.path, line=line + 1, column=column + 1)
    hint = _hint_for(document.line(line + 1), message)
    return document.problem_at(location, "SF001", f"not YAML: {message}", hint=hint)


def _hint_for(line: str, message: str) -> str:
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "indent with spaces; YAML allows no tabs there"
    _, colon, value = line.partition(": ")
    value = value.strip()
    condition = any(sign in value for sign in ("==", "&&", "||", " in ", "?", ">", "<", "!"))
    if colon and condition and (value[:1] in "\"'&*!|>%@`" or "mapping values" in message):
        return "a condition like this needs a | block, or quotes around the whole"
    if "mapping values" in message:
        return "put the text into quotes: YAML takes ': ' for a key"
    return ""
