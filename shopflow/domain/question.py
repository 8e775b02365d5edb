"""Questions that messages ask, and pages take the answers to."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from shopflow.domain.words import Words, in_language

#: The event that an answer is.
ANSWERED = "question.answered"
#: The figures of a recommendation, from "not at all" to "certainly".
FIGURES = tuple(str(figure) for figure in range(11))


class QuestionType(StrEnum):
    """What an answer is."""

    #: One of several.
    CHOICE = "choice"
    #: A figure from 0 to 10.
    NPS = "nps"
    #: Words of one's own.
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One answer of several."""

    value: str
    label: Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked, in each language, and what may be answered."""

    id: str
    type: QuestionType
    ask: Words
    hint: Words = field(default_factory=dict)
    #: Of a choice only.
    choices: tuple[Option, ...] = ()
    #: Asks for words beside the choice or figure; empty: it takes none.
    comment: Words = field(default_factory=dict)
    thanks: Words = field(default_factory=dict)
    #: The question that is asked afterwards.
    next: str | None = None
    #: The purpose that is offered in a box beside the answer.
    invite: str | None = None

    @property
    def values(self) -> tuple[str, ...]:
        """What may be chosen; nothing where words are asked for."""
        if self.type is QuestionType.NPS:
            return FIGURES
        return tuple(each.value for each in self.choices)

    def label(self, value: str, locale: str) -> str:
        """What people read of a value."""
        for each in self.choices:
            if each.value == value:
                return in_language(each.label, locale)
        return value
