"""The template tags in a text: finding them, and shielding them from readers of HTML and MJML."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

_STRING = r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'"
_TAG = re.compile(
    r"(?P<comment>\{#.*?#\})"
    r"|(?P<raw>\{%[-+]?\s*raw\s*[-+]?%\}.*?\{%[-+]?\s*endraw\s*[-+]?%\})"
    rf"|(?P<statement>\{{%(?:{_STRING}|[^\"'%]|%(?!\}}))*%\}})"
    rf"|(?P<expression>\{{\{{(?:{_STRING}|[^\"'}}]|\}}(?!\}}))*\}}\}})",
    re.DOTALL,
)
_LITERAL = re.compile(_STRING)


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag: what kind, where it begins and ends in the text it was found in, and its code."""

    kind: str
    start: int
    end: int
    text: str

    @property
    def code(self) -> str:
        """What stands between its braces."""
        return self.text[2:-2].strip("-+ \t\r\n")

    @property
    def word(self) -> str:
        """The first word of a statement, such as `for`; empty for all else."""
        return self.code.split(None, 1)[0] if self.kind == "statement" and self.code else ""

    @property
    def bare(self) -> str:
        """Its code with the texts in quotes blanked out, at the same offsets."""
        return _LITERAL.sub(lambda match: " " * len(match[0]), self.text)


def find_tags(text: str) -> list[Tag]:
    """Every complete tag of the text, in order; what is no complete tag is left to the compiler."""
    return list(_tags(text))


# Each check of a template asks for its tags anew.
@lru_cache(maxsize=32)
def _tags(text: str) -> tuple[Tag, ...]:
    return tuple(
        Tag(match.lastgroup or "", match.start(), match.end(), match[0])
        for match in _TAG.finditer(text)
    )


class Shield:
    """Tags swapped for words that no reader of markup stumbles over, and put back afterwards."""

    __slots__ = ("_pattern", "_prefix", "tags")

    def __init__(self, text: str) -> None:
        self.tags = [tag for tag in find_tags(text) if tag.kind != "comment"]
        prefix = "zq"
        while prefix in text:
            prefix += "q"
        self._prefix = prefix
        self._pattern = re.compile(rf"{prefix}x(\d+)z")

    def word(self, index: int) -> str:
        """What stands for the tag of that number."""
        return f"{self._prefix}x{index}z"

    def cover(self, text: str) -> str:
        """The text with a word for each tag; comments are gone, their line ends stay."""
        numbers = {tag.start: index for index, tag in enumerate(self.tags)}
        parts, last = [], 0
        for tag in find_tags(text):
            parts.append(text[last : tag.start])
            parts.append(
                "\n" * tag.text.count("\n")
                if tag.kind == "comment"
                else self.word(numbers[tag.start])
            )
            last = tag.end
        return "".join([*parts, text[last:]])

    def words(self, text: str) -> list[tuple[int, int]]:
        """The offset and the tag's number of each word in the text."""
        return [(match.start(), int(match[1])) for match in self._pattern.finditer(text)]

    def uncover(
        self, text: str, literal: Callable[[str], str] = str
    ) -> tuple[str, Mapping[int, int]]:
        """The text with its tags back, and the number of the tag by its offset in UTF-8.

        `literal` is applied to what stands between tags.
        """
        parts: list[str] = []
        places: dict[int, int] = {}
        last = length = 0
        for match in self._pattern.finditer(text):
            between = literal(text[last : match.start()])
            tag = self.tags[int(match[1])].text
            places[length + len(between.encode())] = int(match[1])
            length += len(between.encode()) + len(tag.encode())
            parts += [between, tag]
            last = match.end()
        return "".join([*parts, literal(text[last:])]), places
