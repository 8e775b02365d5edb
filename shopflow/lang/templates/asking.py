"""Templates that ask: calls of `question` checked at load, and what the call gives."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from shopflow.domain.question import Question
from shopflow.domain.words import in_language
from shopflow.errors import TemplateError
from shopflow.problem import Problem

from .source import Source
from .tags import find_tags

#: The name that templates call.
FUNCTION = "question"
#: The code of problems with such a call.
CODE = "SF329"

_CALL = re.compile(rf"(?<![\w.]){FUNCTION}\s*\(")
_QUOTED = re.compile(r"\s*(['\"])([^'\"]*)\1\s*\)")

#: Makes the link to a question's page: its id, and the value that is chosen there already.
LinkTo = Callable[[str, str], str]


class Asker:
    """What templates call as `question`: the words of a question, and its links for one person.

    It speaks the language of the template, which may be another than the reader's.
    """

    def __init__(
        self, questions: Mapping[str, Question], link: LinkTo, *, locale: str = ""
    ) -> None:
        self._questions = questions
        self._link = link
        self._locale = locale

    def speaking(self, locale: str) -> Asker:
        """The same in that language."""
        return Asker(self._questions, self._link, locale=locale)

    def __call__(self, question_id: str) -> Mapping[str, object]:
        """The question as `ask`, `hint`, `url`, and `choices` of `value`, `label` and `url`.

        Raises:
            TemplateError: There is no such question.
        """
        question = self._questions.get(question_id)
        if question is None:
            raise TemplateError(f"no question named '{question_id}'")
        return {
            "id": question.id,
            "ask": in_language(question.ask, self._locale),
            "hint": in_language(question.hint, self._locale),
            "url": self._link(question.id, ""),
            "choices": [
                {
                    "value": value,
                    "label": question.label(value, self._locale),
                    "url": self._link(question.id, value),
                }
                for value in question.values
            ],
        }


def check_questions(source: Source, problems: list[Problem]) -> set[str]:
    """The questions that the source asks; one that is not written out is a problem."""
    found: set[str] = set()
    for tag in find_tags(source.text):
        if tag.kind not in {"statement", "expression"}:
            continue
        for match in _CALL.finditer(tag.bare):
            named = _QUOTED.match(tag.text, match.end())
            if named is None:
                message = f"{FUNCTION} wants the name of a question in quotes"
                hint = f"{FUNCTION}('nps'), for the file rules/questions/nps.yaml"
                problems.append(source.problem(tag.start + match.start(), CODE, message, hint))
            else:
                found.add(named[2])
    return found
