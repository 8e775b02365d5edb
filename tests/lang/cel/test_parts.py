"""A condition taken apart: which operands it has, and which of them were asked."""

from __future__ import annotations

import pytest

from shopflow.lang.cel import compile_expression
from shopflow.lang.cel.parts import Anatomy, essence, is_condition


def told(source, **bindings):
    anatomy = Anatomy(compile_expression(source))
    return [(anatomy.parts[number].source, answer) for number, answer in anatomy.outcomes(bindings)]


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("a", []),
        ("!a", []),
        ("a && b", ["a", "b"]),
        ("a || (b && !c)", ["a", "b", "!c"]),
        ("!(a && b) || c", ["a", "b", "c"]),
        ("l.all(x, x > 1 && x < 3) && a", ["l.all(x, x > 1 && x < 3)", "a"]),
        ("(a && b ? c : d) && e", ["a && b ? c : d", "e"]),
    ],
)
def test_operands_are_what_is_joined(source, parts):
    anatomy = Anatomy(compile_expression(source))
    assert [part.source for part in anatomy.parts] == parts
    assert all(source[part.start :].startswith(part.source) for part in anatomy.parts)


@pytest.mark.parametrize(
    ("source", "answers"),
    [
        ("a && b", [("a", True), ("b", False)]),
        ("b && a", [("b", False)]),
        ("a || b", [("a", True)]),
        ("!(b || a) && a", [("b", False), ("a", True)]),
    ],
)
def test_what_comes_after_the_operand_that_decided_is_not_asked(source, answers):
    assert told(source, a=True, b=False) == answers


def test_an_operand_that_fails_has_no_answer_and_the_next_is_asked():
    assert told("x.gone == 1 && b", x={}, b=False) == [("b", False)]
    assert told("x.gone && b", x={"gone": "text"}, b=True) == [("b", True)]


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ("a == 1", True),
        ("!a", True),
        ("has(a.b)", True),
        ("l.exists(x, x)", True),
        ("1 in l", True),
        ("a", False),
        ("a + 1", False),
        ("l.map(x, x)", False),
        ("a ? b : c", False),
    ],
)
def test_conditions_are_known_by_how_they_are_written(source, answer):
    assert is_condition(compile_expression(source)) is answer


@pytest.mark.parametrize(
    ("source", "left"),
    [
        ("has(a.b) && a.b > 1 && has(a.c)", "a.b > 1"),
        ("has(a.b) && (a.b > 1 || a.c) && d", "(a.b > 1 || a.c) && d"),
        ("has(a.b) && has(a.c)", "has(a.b) && has(a.c)"),
        ("a &&\n  b", "a &&\n  b"),
        ("has(a.b) || a.c", "has(a.b) || a.c"),
    ],
)
def test_what_a_condition_asks_beyond_the_presence_of_fields(source, left):
    assert essence(compile_expression(source)) == left
