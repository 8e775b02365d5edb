"""Templates that use each other, made whole at load: `include`, and `extends` with its blocks.

Both take the file's name as a text, so that the whole is known before anything is rendered and
MJML can be compiled once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shopflow.problem import Problem

from .source import Place, Source, joined
from .tags import Tag, find_tags

#: Files may use each other this deep.
MAX_DEPTH = 8
#: And one template uses others this many times, counting those within others.
MAX_USES = 200
#: A whole template longer than this is a mistake, such as files that double each other.
MAX_CHARACTERS = 1_000_000

_TARGET = re.compile(r"(?:include|extends)\s+(?:\"([^\"]+)\"|'([^']+)')")
_BLOCK = re.compile(r"block\s+([A-Za-z_]\w*)")
_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
_AT_RUN_TIME = frozenset({"import", "from"})

#: The code of problems with files that use each other.
CODE = "SF322"


@dataclass(slots=True)
class Assembler:
    """Puts one template together; `files` are all texts under the templates' folder, by name."""

    files: Mapping[str, str]
    #: What the names of files are prefixed with in problems.
    prefix: str
    #: The endings tried before a file's own, such as `fr-CA` and `fr` for `mail.fr.mjml`.
    locales: Sequence[str]
    problems: list[Problem] = field(default_factory=list)
    _open: list[str] = field(default_factory=list)
    _uses: int = 0

    def whole(self, source: Source) -> Source:
        """The source with everything it uses in its place."""
        return self._filled(source, {})

    def _filled(self, source: Source, given: Mapping[str, Source]) -> Source:
        tags = find_tags(source.text)
        statements = [tag for tag in tags if tag.kind == "statement"]
        first = next((tag for tag in statements if tag.word == "extends"), None)
        if first is not None:
            own = {**self._blocks(source, statements, first), **given}
            parent = self._used(source, first)
            return self._filled_within(parent, own) if parent else Source([])
        return self._with_parts(source, statements, given)

    def _with_parts(
        self, source: Source, statements: Sequence[Tag], given: Mapping[str, Source]
    ) -> Source:
        parts, last, index = [], 0, 0
        while index < len(statements):
            tag = statements[index]
            if tag.word == "include":
                parts.append(source.cut(last, tag.start))
                if used := self._used(source, tag):
                    parts.append(self._filled_within(used, {}))
                last = tag.end
            elif name := _block_name(tag):
                end = _end_of_block(statements, index)
                if end < 0:
                    self._complain(source, tag, f"the block '{name}' is never ended")
                    break
                parts.append(source.cut(last, tag.start))
                own = source.cut(tag.end, statements[end].start)
                rest = {key: value for key, value in given.items() if key != name}
                parts.append(self._filled(given.get(name, own), rest))
                last, index = statements[end].end, end
            elif tag.word in _AT_RUN_TIME:
                self._complain(source, tag, f"'{tag.word}' is not available; use include")
            index += 1
        return joined([*parts, source.cut(last, len(source.text))])

    def _blocks(self, source: Source, statements: Sequence[Tag], extends: Tag) -> dict[str, Source]:
        found: dict[str, Source] = {}
        outside = [(0, extends.start)]
        last, index = extends.end, 0
        while index < len(statements):
            tag = statements[index]
            if name := _block_name(tag):
                end = _end_of_block(statements, index)
                if end < 0:
                    self._complain(source, tag, f"the block '{name}' is never ended")
                    return found
                found[name] = source.cut(tag.end, statements[end].start)
                outside.append((last, tag.start))
                last, index = statements[end].end, end
            index += 1
        for start, end in [*outside, (last, len(source.text))]:
            lost = _COMMENT.sub(lambda match: " " * len(match[0]), source.text[start:end])
            if lost.strip():
                at = start + len(lost) - len(lost.lstrip())
                message = "what stands outside of blocks is lost: this template extends another"
                self.problems.append(source.problem(at, CODE, message))
        return found

    def _used(self, source: Source, tag: Tag) -> Source | None:
        match = _TARGET.fullmatch(tag.code)
        if match is None:
            self._complain(source, tag, f"'{tag.word}' wants the name of a file in quotes")
            return None
        self._uses += 1
        if self._uses >= MAX_USES:
            if self._uses == MAX_USES:
                self._complain(source, tag, f"files are used more than {MAX_USES} times")
            return None
        name = match[1] or match[2]
        found = next((each for each in self._spellings(name) if each in self.files), "")
        if not found:
            self._complain(source, tag, f"no file '{name}' under {self.prefix}")
            return None
        if found in self._open or len(self._open) >= MAX_DEPTH:
            self._complain(
                source, tag, f"'{name}' uses itself, or files go deeper than {MAX_DEPTH}"
            )
            return None
        return Source([(self.files[found], Place(path=f"{self.prefix}/{found}"))])

    def _filled_within(self, source: Source, given: Mapping[str, Source]) -> Source:
        name = source.place(0).path.removeprefix(f"{self.prefix}/")
        self._open.append(name)
        try:
            filled = self._filled(source, given)
        finally:
            self._open.pop()
        if len(filled.text) > MAX_CHARACTERS:
            self.problems.append(
                filled.problem(0, CODE, f"more than {MAX_CHARACTERS:,} characters once whole")
            )
            return Source([])
        return filled

    def _spellings(self, name: str) -> list[str]:
        stem, dot, ending = name.rpartition(".")
        return [*(f"{stem}.{locale}{dot}{ending}" for locale in self.locales), name]

    def _complain(self, source: Source, tag: Tag, message: str) -> None:
        self.problems.append(source.problem(tag.start, CODE, message))


def _block_name(tag: Tag) -> str:
    match = _BLOCK.match(tag.code)
    return match[1] if match else ""


def _end_of_block(statements: Sequence[Tag], start: int) -> int:
    depth = 0
    for index in range(start, len(statements)):
        if _block_name(statements[index]):
            depth += 1
        elif statements[index].word == "endblock":
            depth -= 1
            if not depth:
                return index
    return -1
