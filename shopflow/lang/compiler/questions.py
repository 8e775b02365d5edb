"""Questions: what a file of rules/questions says."""

from __future__ import annotations

from shopflow.domain.question import Option, Question, QuestionType
from shopflow.domain.words import Words
from shopflow.lang.tree import Node


def compile_question(root: Node) -> Question:
    """The question of a file that its schema accepts."""
    following, purpose = root.get("next"), root.get("invite")
    choices = root["choices"].items if "choices" in root else []
    return Question(
        id=root["id"].text,
        type=QuestionType(root["type"].text),
        ask=_words(root, "ask"),
        hint=_words(root, "hint"),
        choices=tuple(
            Option(value=each["value"].text, label=_words(each, "label")) for each in choices
        ),
        comment=_words(root, "comment"),
        thanks=_words(root, "thanks"),
        next=following.text if following is not None else None,
        invite=purpose.text if purpose is not None else None,
    )


def _words(node: Node, key: str) -> Words:
    return {locale: each.text for locale, each in node[key].pairs()} if key in node else {}
