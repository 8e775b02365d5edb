"""A condition and its answer, taken apart: what each of its parts said, and on which values.

Rule tests show it where a rule said no, `explain` where an event would start a workflow or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from shopflow.domain.expression import Expression
from shopflow.engine.names import Names, plain, seen, truth_of
from shopflow.errors import EvaluationError
from shopflow.lang.cel import Program
from shopflow.lang.cel.parts import Anatomy

_NOT_ASKED = "-"
_FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One operand of the condition."""

    source: str
    #: None where it was not asked, since the answer stood before, or where it failed.
    answer: bool | None
    failed: bool = False
    #: The values that it read, by path.
    values: Mapping[str, object]

    @property
    def word(self) -> str:
        """Its answer in a word."""
        if self.failed:
            return _FAILED
        return _NOT_ASKED if self.answer is None else str(self.answer).lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a condition said."""

    source: str
    answer: bool
    #: Why it failed; one that fails does not hold.
    error: str = ""
    #: The whole condition where it joins nothing.
    parts: tuple[Part, ...]

    def lines(self) -> Iterator[str]:
        """A line for each part: its answer, its text, and what it read."""
        words = max(len(part.word) for part in self.parts)
        sources = max(len(part.source) for part in self.parts)
        for part in self.parts:
            line = f"{part.word:<{words}}  {part.source:<{sources}}"
            yield f"{line}  {told(part.values)}".rstrip()

    def with_values(self, shown: Callable[[object, str], object]) -> Verdict:
        """The same, with its values as they may be shown: (value, path) -> value."""
        parts = tuple(
            replace(one, values={path: shown(value, path) for path, value in one.values.items()})
            for one in self.parts
        )
        return replace(self, parts=parts)

    def as_json(self) -> dict[str, object]:
        """The same as plain values."""
        return {
            "condition": self.source,
            "answer": self.answer,
            **({"error": self.error} if self.error else {}),
            "parts": [
                {"source": one.source, "answer": one.word, "values": dict(one.values)}
                for one in self.parts
            ],
        }


def verdict_on(condition: Expression, names: Names) -> Verdict:
    """What the condition says of these names."""
    answer, error = False, ""
    try:
        answer = truth_of(condition, names)
    except EvaluationError as e:
        error = str(e)
    parts = list(_parts(condition, names))
    if not parts:
        parts = [
            Part(
                source=_line(condition.source),
                answer=answer,
                failed=bool(error),
                values=seen(condition, names),
            )
        ]
    return Verdict(source=_line(condition.source), answer=answer, error=error, parts=tuple(parts))


def told(values: Mapping[str, object]) -> str:
    """The values by path, on one line."""
    return ", ".join(f"{path} = {plain(value)!r}" for path, value in values.items())


def _parts(condition: Expression, names: Names) -> Iterator[Part]:
    """The operands that the condition joins; none where it joins nothing."""
    if not isinstance(condition, Program):
        return
    anatomy = Anatomy(condition)
    asked = anatomy.asked(names)
    for number, part in enumerate(anatomy.parts):
        answer = asked.get(number)
        yield Part(
            source=_line(part.source),
            answer=answer,
            failed=number in asked and answer is None,
            values=seen(part.program, names) if number in asked else {},
        )


def _line(source: str) -> str:
    return " ".join(source.split())
