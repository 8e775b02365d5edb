"""A question's page, `/q/TOKEN`: a link chooses an answer, and only the button gives it.

The last answer counts: each is an event, and the link may be followed again. One form sent twice,
by an impatient finger or a reload, is one answer.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shopflow.domain.customer import Customer
from shopflow.domain.question import ANSWERED, Question, QuestionType
from shopflow.domain.ruleset import Ruleset
from shopflow.domain.words import in_language
from shopflow.runtime.asking import Asked
from shopflow.runtime.links import For, Opened
from shopflow.runtime.wishes import Wish
from shopflow.web.choices import Choice, address, choices, granted, title_of
from shopflow.web.pages import MAX_FORM, Refusal, form, one
from shopflow.web.tokens import Desk

SOURCE = "question_page"
#: The longest answer in somebody's own words, in letters.
LONGEST_ANSWER = 2000
_LONGEST_FORM_ID = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What a form says."""

    value: str = ""
    words: str = ""
    #: Made with the page: the same form is the same answer.
    form_id: str = ""
    agrees: bool = False

    @classmethod
    def of(cls, fields: Mapping[str, list[str]]) -> _Answer:
        """As it was sent; browsers end lines by two letters, people by one."""
        words = one(fields, "words", MAX_FORM).replace("\r\n", "\n")
        return cls(
            value=one(fields, "value", 80),
            words=words,
            form_id=one(fields, "form", _LONGEST_FORM_ID),
            agrees=one(fields, "agree", 10) == "yes",
        )

    def wrong(self, question: Question) -> str:
        """The field that keeps it from being an answer; empty for none."""
        if question.values and self.value not in question.values:
            return "value"
        if len(self.words) > LONGEST_ANSWER or not (question.values or self.words):
            return "words"
        return ""


def route(desk: Desk, ruleset: Ruleset) -> Route:
    """The page and its form."""

    def invitation(person: Customer, asked: Asked) -> Choice | None:
        """What may be offered beside the question: what they have not agreed to yet."""
        offered = ruleset.questions[asked.question].invite
        for each in choices(ruleset, person, desk.clock()):
            if (each.channel, each.purpose.id) == (asked.channel, offered):
                return None if each.is_on else each
        return None

    def wishes(person: Customer, asked: Asked, answer: _Answer, locale: str) -> list[Wish]:
        found = [_answered(ruleset.questions[asked.question], asked, answer)]
        box = invitation(person, asked) if answer.agrees else None
        if box is not None:
            theirs = address(ruleset, person, asked.channel)
            is_theirs = bool(theirs) and desk.links.fingerprint(theirs) == asked.fingerprint
            proven = asked.channel if is_theirs else ""
            found.append(granted(box, proven=proven, source=SOURCE, locale=locale))
        return found

    async def answer(request: Request, opened: Opened) -> Response:
        asked = Asked(*opened.says)
        question = ruleset.questions.get(asked.question)
        if question is None:
            raise Refusal(410, "no_question")
        customer = await desk.office.customer(asked.customer_id)
        locale = desk.pages.locale(request, customer)
        given, wrong, done = _Answer(value=asked.value), "", False
        if request.method == "POST":
            given = _Answer.of(await form(request))
            wrong = given.wrong(question)
            if not wrong:
                customer = await desk.office.wish(
                    asked.customer_id, lambda person: wishes(person, asked, given, locale)
                )
                done = True
        thanks = in_language(question.thanks, locale) if done else ""
        if done and question.next in ruleset.questions:
            asked = asked._replace(question=str(question.next), value="")
            question, given, done = ruleset.questions[asked.question], _Answer(), False
        box = invitation(customer, asked)
        # What follows is asked as long as what was asked first.
        token = desk.links.token(For.QUESTION, *asked, now=opened.made_at)
        return desk.pages.page(
            "question",
            locale=locale,
            status=422 if wrong else 200,
            action=f"/{For.QUESTION}/{token}",
            done=done,
            thanks=thanks,
            goes_on=request.method == "POST" and not wrong and not done,
            wrong=wrong,
            answer=given,
            form_id=given.form_id or secrets.token_hex(8),
            most=LONGEST_ANSWER,
            invitation=title_of(box.purpose, locale) if box is not None else "",
            invitation_text=in_language(box.purpose.text, locale) if box is not None else "",
            **_shown(question, locale),
        )

    return desk.route(For.QUESTION, answer, methods=("GET", "POST"))


def _answered(question: Question, asked: Asked, answer: _Answer) -> Wish:
    data: dict[str, object] = {"question_id": question.id, "message_id": asked.message_id}
    if question.type is QuestionType.NPS:
        data["score"] = int(answer.value)
    elif question.type is QuestionType.CHOICE:
        data["choice"] = answer.value
    if answer.words and (question.comment or question.type is QuestionType.TEXT):
        data["answer"] = answer.words
    once = (*asked._replace(value=""), answer.form_id, answer.value, answer.words)
    return Wish(type=ANSWERED, data=data, once="\0".join(once))


def _shown(question: Question, locale: str) -> Mapping[str, object]:
    return {
        "kind": question.type.value,
        "ask": in_language(question.ask, locale),
        "hint": in_language(question.hint, locale),
        "comment": in_language(question.comment, locale),
        "options": [(value, question.label(value, locale)) for value in question.values],
    }
