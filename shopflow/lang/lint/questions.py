"""Questions: declared where they are asked, and what they lead to (SF329)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shopflow.domain.policy import MessageClass
from shopflow.domain.question import Question, QuestionType
from shopflow.lang.lint.subject import Subject
from shopflow.lang.names import did_you_mean
from shopflow.lang.tree import Node
from shopflow.problem import Location, Problem

CODE = "SF329"
#: Key -> the types of questions that read it.
_USED_BY: Mapping[str, tuple[QuestionType, ...]] = {
    "choices": (QuestionType.CHOICE,),
    "comment": (QuestionType.CHOICE, QuestionType.NPS),
}


def question_exists(subject: Subject) -> Iterator[Problem]:
    """What a template asks, and what a question is followed by, is declared."""
    for template in subject.templates:
        for name in sorted(template.questions - subject.questions):
            yield Problem(
                code=CODE,
                location=Location(path=template.path),
                message=f"no question named '{name}'",
                hint=_meant(name, subject.questions),
            )
    for document, root in subject.sound("Question"):
        node = root.get("next")
        if node is None:
            continue
        if node.text not in subject.questions:
            message = f"no question named '{node.text}'"
            hint = _meant(node.text, subject.questions)
            yield document.problem(CODE, node, message, hint=hint)
        elif root["id"].text in _following(subject, node):
            message = "the questions lead to each other in a circle"
            yield document.problem(CODE, node, message, hint="take one of the next: away")


def invitation_is_marketing(subject: Subject) -> Iterator[Problem]:
    """A box beside an answer offers what may be agreed to."""
    purposes = subject.build.context.purposes
    if purposes is None:
        return
    offered = {n for n, one in purposes.items() if one.message_class is MessageClass.MARKETING}
    for document, root in subject.sound("Question"):
        node = root.get("invite")
        if node is not None and node.text not in offered:
            message = f"'{node.text}' is no purpose of class marketing"
            hint = did_you_mean(node.text, offered, label="purposes of class marketing")
            yield document.problem(CODE, node, message, hint=hint)


def choices_differ(subject: Subject) -> Iterator[Problem]:
    """No two choices of a question have one value, so that an answer says which it was."""
    for document, root in subject.sound("Question"):
        seen: set[str] = set()
        for each in root["choices"].items if "choices" in root else []:
            value = each["value"]
            if value.text in seen:
                message = f"a second choice with the value '{value.text}'"
                yield document.problem(CODE, value, message, hint="give each a value of its own")
            seen.add(value.text)


def nothing_is_left_unread(subject: Subject) -> Iterator[Problem]:
    """What a question of this type has no use for does not stand in its file."""
    for document, root in subject.sound("Question"):
        kind = root["type"].text
        for key, kinds in _USED_BY.items():
            if key in root and kind not in kinds:
                message = f"a question of type {kind} has no use for {key}"
                hint = f"take it out, or give the question the type {' or '.join(kinds)}"
                yield document.problem(CODE, root.key(key), message, hint=hint)


def _following(subject: Subject, node: Node) -> set[str]:
    """The questions that come after, each once."""
    questions, found = subject.build.ruleset.questions, set[str]()
    name: str | None = node.text
    while name is not None and name not in found:
        found.add(name)
        following: Question | None = questions.get(name)
        name = following.next if following is not None else None
    return found


def _meant(name: str, known: frozenset[str]) -> str:
    return did_you_mean(name, known, label="questions") or (
        f"declare it in rules/questions/{name}.yaml"
    )
