"""Fixes applied pass by pass: what overlaps waits, what breaks a file is taken back."""

from __future__ import annotations

import re

import pytest

from shopflow.gitops.fixing import applied, mend
from shopflow.problem import Edit, Fix, Location, Problem, Safety

NOTE = "rules/note.yaml"


def problem(code, *edits, safety=Safety.SAFE, path=NOTE):
    fix = Fix(title="mend it", edits=edits, safety=safety) if edits else None
    return Problem(code=code, location=Location(path=path), message="wrong", fix=fix)


def edit(start, end, text, path=NOTE):
    return Edit(path=path, start=start, end=end, text=text)


@pytest.fixture
def mended(folder):
    """Mends a project of one file by what the function finds in its text."""

    def call(text, find, *, unsafe=False, wanted=lambda _: True):
        root = folder({"shopflow.yaml": "", NOTE: text})
        found = mend(
            root, lambda copy: find((copy / NOTE).read_text("utf-8")), wanted=wanted, unsafe=unsafe
        )
        assert (root / NOTE).read_text("utf-8") == text, "nothing is written yet"
        return found

    return call


def each_a(text):
    return [problem("SF005", edit(m.start(), m.end(), "b")) for m in re.finditer("a", text)]


def test_edits_apart_from_each_other_go_in_one_pass(mended):
    found = mended("a-a-a", each_a)
    assert (found.after, found.count, list(found.problems)) == ({NOTE: "b-b-b"}, 3, [])


def test_edits_that_touch_wait_for_the_next_pass(mended):
    assert mended("aa", each_a).after == {NOTE: "bb"}


def test_a_fix_of_two_edits_is_done_as_a_whole_or_not(mended):
    def find(text):
        if text != "abc":
            return []
        return [
            problem("SF005", edit(1, 2, "X")),
            problem("SF106", edit(0, 1, "Y"), edit(2, 3, "Z")),
        ]

    assert mended("abc", find).after == {NOTE: "aXc"}


def test_a_fix_that_always_finds_more_comes_to_an_end(mended):
    found = mended("a", lambda text: [problem("SF005", edit(0, 1, "aa" if text else ""))])
    assert found.after[NOTE].startswith("aa")


def test_a_file_that_would_be_unreadable_stays_as_it_was(mended):
    def find(text):
        return [problem("SF001")] if "!" in text else [problem("SF005", edit(0, 1, "!"))]

    found = mended("abc", find)
    assert (dict(found.after), found.count, found.diff()) == ({}, 0, "")
    assert [each.code for each in found.problems] == ["SF005"]


def test_what_wants_a_look_is_done_when_asked_for(mended):
    def find(text):
        return [problem("SF006", edit(0, 1, "b"), safety=Safety.UNSAFE)] if "a" in text else []

    assert not mended("a", find).after
    assert mended("a", find, unsafe=True).after == {NOTE: "b"}


def test_only_wanted_problems_are_mended(mended):
    assert not mended("a", each_a, wanted=lambda each: each.code == "SF106").after


def test_a_difference_without_a_last_line_end_says_so(mended):
    assert mended("a", each_a).diff().splitlines() == [
        f"--- a/{NOTE}",
        f"+++ b/{NOTE}",
        "@@ -1 +1 @@",
        "-a",
        "\\ No newline at end of file",
        "+b",
        "\\ No newline at end of file",
    ]


def test_offsets_count_behind_the_byte_order_mark():
    assert applied("\ufeffabc", [edit(0, 1, "x"), edit(2, 3, "z")]) == "\ufeffxbz"
