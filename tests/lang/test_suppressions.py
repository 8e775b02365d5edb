"""Comments that suppress problems: what they are about, until when, and what they cannot do."""

from __future__ import annotations

from datetime import date

import pytest

from shopflow.lang.lint.suppressions import find, suppress
from shopflow.problem import Location, Problem

TODAY = date(2026, 11, 22)
WHY = 'until=2026-12-01 reason="Black Friday"'


def problem(line, code="SF205", path="a.yaml"):
    return Problem(code=code, location=Location(path=path, line=line), message="wrong")


def left(text, *problems, today=TODAY):
    """Code and line of what is left of the problems in a file of that text."""
    found = suppress(problems, {"a.yaml": text}, today)
    return [(each.code, each.location.line) for each in found]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"a: 1  # shopflow: ignore[SF205] {WHY}\n", 1),
        (f"# shopflow: ignore[SF205] {WHY}\na: 1\n", 2),
        (f"# shopflow: ignore[SF205] {WHY}\n# and a word\n\na: 1\n", 4),
        (f"a: 1  # shopflow: ignore[SF115, SF205] {WHY}\n", 1),
        (f"when: |  # shopflow: ignore[SF205] {WHY}\n  a > 1\n\n  && b\nnext: 1\n", 4),
        (f"---\n# shopflow: ignore[SF205] {WHY}\nsubject: a\n---\nText\n", 1),
        (f"Text\n{{# shopflow: ignore[SF205] {WHY} #}}\nmore\n", 3),
        (f"a: 1  # shopflow: ignore[SF205] {WHY}\r\n", 1),
    ],
    ids=["behind", "above", "above a comment", "two codes", "a block", "front matter", "a template",
         "Windows"],
)  # fmt: skip
def test_a_comment_suppresses_what_stands_there(text, line):
    others = [problem(line, "SF115")] if "SF115" in text else []
    assert left(text, problem(line), *others) == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"a: 1  # shopflow: ignore[SF205] {WHY}\nb: 1\n", 2),
        (f"when: |  # shopflow: ignore[SF205] {WHY}\n  a > 1\nnext: 1\n", 3),
        (f"# shopflow: ignore[SF115] {WHY}\na: 1\n", 2),
    ],
    ids=["the next line", "behind a block", "another code"],
)
def test_a_comment_suppresses_nothing_else(text, line):
    assert left(text, problem(line)) == [("SF205", line), ("SF901", 1)]


def test_text_of_a_block_is_no_comment():
    text = f"when: |\n  # shopflow: ignore[SF205] {WHY}\n  a\n"
    assert not [*find("a.yaml", text)]


def test_files_do_not_suppress_for_each_other():
    text = f"a: 1  # shopflow: ignore[SF205] {WHY}\n"
    elsewhere = problem(1, path="b.yaml")
    assert elsewhere in suppress([elsewhere], {"a.yaml": text}, TODAY)


def test_it_counts_to_the_end_of_its_last_day():
    text = f"a: 1  # shopflow: ignore[SF205] {WHY}\n"
    assert left(text, problem(1), today=date(2026, 12, 1)) == []
    assert left(text, problem(1), today=date(2026, 12, 2)) == [("SF205", 1), ("SF903", 1)]


def test_running_rules_know_no_last_day():
    text = 'a: 1  # shopflow: ignore[SF205] until=2000-01-01 reason="then"\n'
    assert left(text, problem(1), today=None) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("[SF205]", "a suppression without until and reason"),
        ("[SF205] until=2026-12-01", "a suppression without reason"),
        ('[SF205] until=2026-12-01 reason=" "', "a suppression without reason"),
    ],
)
def test_why_and_until_when_are_asked_for(words, message):
    found = suppress([problem(1)], {"a.yaml": f"a: 1  # shopflow: ignore{words}\n"}, TODAY)
    assert [(each.code, each.message) for each in found] == [("SF902", message)]


@pytest.mark.parametrize(
    "words",
    [
        "",
        "[]",
        "[SF205] until=soon",
        '[SF205] reason="open',
        f"[SF205] {WHY} author=me",
        "[SF205] x",
    ],
)
def test_what_cannot_be_read_suppresses_nothing(words):
    text = f"a: 1  # shopflow: ignore{words}\n"
    assert left(text, problem(1)) == [("SF205", 1), ("SF902", 1)]


@pytest.mark.parametrize("code", ["SF401", "SF307", "SF101"])
def test_what_is_locked_stays(code):
    text = f"a: 1  # shopflow: ignore[{code}] {WHY}\n"
    assert left(text, problem(1, code)) == [(code, 1), ("SF904", 1)]


def test_nobody_suppresses_what_is_wrong_with_suppressions():
    text = f"# shopflow: ignore[SF901] {WHY}\na: 1  # shopflow: ignore[SF205] {WHY}\n"
    assert sorted(left(text)) == [("SF901", 2), ("SF904", 1)]


def test_an_unknown_code_is_told():
    text = f"a: 1  # shopflow: ignore[SF2055] {WHY}\n"
    (found,) = suppress([], {"a.yaml": text}, TODAY)
    assert (found.code, found.message) == ("SF901", "no code 'SF2055'")
    assert found.hint == "did you mean 'SF205'?"


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        (f"a: 1  # shopflow: ignore[SF205] {WHY}\nb: 2\n", "a: 1\nb: 2\n"),
        (f"a: 1\n  # shopflow: ignore[SF205] {WHY}\nb: 2\n", "a: 1\nb: 2\n"),
        (
            f"a: 1  # shopflow: ignore[SF205, SF115] {WHY}\n",
            f"a: 1  # shopflow: ignore[SF115] {WHY}\n",
        ),
    ],
    ids=["behind", "alone", "one of two"],
)
def test_an_unused_one_is_taken_out(text, mended):
    found = suppress([problem(1, "SF115")], {"a.yaml": text}, TODAY)
    (edit,) = next(each for each in found if each.code == "SF901").fix.edits
    assert text[: edit.start] + edit.text + text[edit.end :] == mended


def test_nothing_is_unused_in_a_file_that_cannot_be_read():
    text = f"a: 1  # shopflow: ignore[SF205] {WHY}\n"
    assert left(text, problem(7, "SF001")) == [("SF001", 7)]
