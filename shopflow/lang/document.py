"""A file of rules: its tree, and where each value, or a piece of text inside one, is in the file.

Reading YAML into it is left to `shopflow.lang.reading`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shopflow.lang.tree import Kind, Node, from_data
from shopflow.problem import Fix, Location, Problem, Related, Severity


@dataclass(slots=True, eq=False)
class Document:
    """One file: its path in the project, its text, and its tree unless it could not be read."""

    path: str
    text: str = ""
    root: Node | None = None
    #: What is wrong with the file as YAML.
    problems: list[Problem] = field(default_factory=list)
    _lines: list[str] | None = None

    def line(self, number: int) -> str:
        """The line of that number, counted from 1; empty when there is none."""
        if self._lines is None:
            self._lines = self.text.splitlines()
        return self._lines[number - 1] if 0 < number <= len(self._lines) else ""

    def problem(
        self,
        code: str,
        node: Node,
        message: str,
        *,
        hint: str = "",
        severity: Severity = Severity.ERROR,
        fix: Fix | None = None,
        related: Related | None = None,
    ) -> Problem:
        """A problem that points at a node."""
        return self.problem_at(
            self.location(node),
            code,
            message,
            hint=hint,
            severity=severity,
            fix=fix,
            related=related,
        )

    def problem_at(
        self,
        location: Location,
        code: str,
        message: str,
        *,
        hint: str = "",
        severity: Severity = Severity.ERROR,
        fix: Fix | None = None,
        related: Related | None = None,
    ) -> Problem:
        """A problem at a place of this file, with the line it points into."""
        return Problem(
            code=code,
            location=location,
            message=message,
            hint=hint,
            severity=severity,
            excerpt=self.line(location.line),
            fix=fix,
            related=related,
        )

    def related(self, node: Node, message: str) -> Related:
        """A node as the second place of a problem, and what it has to do with it."""
        place = self.location(node)
        return Related(location=place, message=message, excerpt=self.line(place.line))

    def location(self, node: Node) -> Location:
        """Where a node begins, as far as it goes on that line."""
        span = node.span
        raw = self.text[span.start : span.end].split("\n", 1)[0].rstrip()
        if node.kind is not Kind.SCALAR and raw[:1] not in ("{", "["):
            raw = raw[:1]
        return Location(
            path=self.path, line=span.line + 1, column=span.column + 1, length=max(1, len(raw))
        )

    def location_in(self, node: Node, line: int, column: int, length: int) -> Location:
        """Where a place inside a scalar's text is in the file; line and column count from 1."""
        place = self.offset_in(node, line, column)
        before = self.text[:place]
        start_of_line = before.rfind("\n") + 1
        return Location(
            path=self.path,
            line=before.count("\n") + 1,
            column=place - start_of_line + 1,
            length=max(1, length),
        )

    def offset_in(self, node: Node, line: int, column: int) -> int:
        """The same place as an offset into the text of the file."""
        lines = node.text.split("\n")
        offset = sum(len(each) + 1 for each in lines[: line - 1]) + column - 1
        return _offset_in_file(self.text, node, offset)

    def follows_comment(self, node: Node) -> bool:
        """True when a comment stands behind the node on its last line."""
        rest = self.text[node.span.end :].split("\n", 1)[0]
        return rest.lstrip(" \t").startswith("#")


def of_data(path: str, data: Mapping[str, object]) -> Document:
    """A document of plain data, such as a workflow kept from an older revision."""
    return Document(path=path, root=from_data(data))


def _offset_in_file(text: str, node: Node, offset: int) -> int:
    """Where a character of a scalar stands in the file.

    What is not white space comes in the same order in the value and in the file, whatever the
    style; only escapes of double quotes are longer there.
    """
    solid = sum(1 for char in node.text[:offset] if not char.isspace())
    place, end = _content_start(text, node), node.span.end
    while place < end:
        char = text[place]
        if char.isspace():
            place += 1
            continue
        width = _width(text, place, node.style)
        if solid == 0:
            return place
        solid -= 1
        place += width
    return max(node.span.start, min(place, end) - 1) if node.text else node.span.start


def _content_start(text: str, node: Node) -> int:
    start = node.span.start
    if text[start : start + 1] == "&":
        start += len(text[start:].split(None, 1)[0])
        start += len(text[start:]) - len(text[start:].lstrip())
    if node.style in ("|", ">"):
        return text.find("\n", start) + 1
    return start + 1 if node.style else start


def _width(text: str, place: int, style: str) -> int:
    if style == "'" and text[place : place + 2] == "''":
        return 2
    if style == '"' and text[place] == "\\":
        return {"x": 4, "u": 6, "U": 10}.get(text[place + 1 : place + 2], 2)
    return 1
