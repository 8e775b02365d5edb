"""Text put together from several files, each character of which knows where it was written."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from shopflow.problem import Location, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in a file; line and column count from 1."""

    path: str
    line: int = 1
    column: int = 1

    def after(self, text: str) -> Place:
        """The place behind this text."""
        lines = text.count("\n")
        if not lines:
            return Place(path=self.path, line=self.line, column=self.column + len(text))
        column = len(text) - text.rfind("\n")
        return Place(path=self.path, line=self.line + lines, column=column)


class Source:
    """Text whose pieces remember their places; cutting and joining keeps them."""

    __slots__ = ("_pieces", "_starts", "text")

    def __init__(self, pieces: Iterable[tuple[str, Place]]) -> None:
        self._pieces = [piece for piece in pieces if piece[0]]
        self._starts: list[int] = []
        length = 0
        for text, _ in self._pieces:
            self._starts.append(length)
            length += len(text)
        self.text = "".join(text for text, _ in self._pieces)

    def cut(self, start: int, end: int) -> Source:
        """The part from one offset to another."""
        pieces = []
        for at, (text, place) in zip(self._starts, self._pieces, strict=True):
            first, last = max(start - at, 0), min(end - at, len(text))
            if first < last:
                pieces.append((text[first:last], place.after(text[:first])))
        return Source(pieces)

    def place(self, offset: int) -> Place:
        """Where the character at this offset was written."""
        if not self._pieces:
            return Place(path="")
        index = max(0, bisect_right(self._starts, offset) - 1)
        text, place = self._pieces[index]
        return place.after(text[: offset - self._starts[index]])

    def problem(self, offset: int, code: str, message: str, hint: str = "") -> Problem:
        """A problem at this offset, with the line it points into."""
        begin = self.text.rfind("\n", 0, offset) + 1
        line = self.text[begin:].partition("\n")[0]
        place = self.place(offset)
        # A line that stands so in no file would only put the caret in a wrong place.
        shown = line if self._is_written(begin, line) else ""
        return problem_at(place, code, message, hint=hint, excerpt=shown)

    def _is_written(self, begin: int, line: str) -> bool:
        start = self.place(begin)
        end = self.place(begin + max(0, len(line) - 1))
        return start.column == 1 and end == start.after(line[:-1])


def joined(sources: Iterable[Source]) -> Source:
    """The sources one after the other."""
    return Source(piece for source in sources for piece in source._pieces)  # noqa: SLF001


def problem_at(
    place: Place, code: str, message: str, *, hint: str = "", excerpt: str = ""
) -> Problem:
    """A problem at a place of a template."""
    location = Location(path=place.path, line=place.line, column=place.column)
    return Problem(code=code, location=location, message=message, hint=hint, excerpt=excerpt)
