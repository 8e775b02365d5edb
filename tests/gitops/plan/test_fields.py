"""Which fields of two files differ, and what is no difference."""

from __future__ import annotations

import pytest

from shopflow.gitops.plan.fields import differences, same


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a && b", "b&&a"),
        ('has(event.x) && event.x == "a && b"', 'event.x == "a && b" && has(event.x)'),
        ("a && (b || c) && d", "d && a && (b || c)"),
        ("a  // why\n  && b", "a && b"),
        ("23h", "23h"),
        (None, None),
    ],
)
def test_the_same_in_other_words(before, after):
    assert same(before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a && b || c", "b && a && c"),
        ("a && b || c", "c && b || a"),
        ("a ? b && c : d", "a ? c : b && d"),
        ('x == "a && b"', 'x == "b && a"'),
        ("f(a && b)", "f(b) && a"),
        ("a && b", "a && b && b"),
        ("a", None),
    ],
)
def test_not_the_same(before, after):
    assert not same(before, after)


def test_each_difference_is_a_line_in_the_words_of_the_file():
    before = {
        "id": "x",
        "title": "Before",
        "trigger": {"event": "cart.updated", "when": "a && b"},
        "steps": [
            {"id": "settle", "wait": "23h"},
            {"id": "which", "choose": [
                {"when": "a", "then": [{"id": "offer", "send": "email", "template": "t"}]},
                {"else": [{"id": "none", "end": "no"}]},
            ]},
        ],
    }  # fmt: skip
    after = {
        "id": "x",
        "title": "After",
        "trigger": {"event": ["cart.updated"], "when": "b && a", "cooldown": "7d"},
        "steps": [
            {"id": "settle", "wait": "4h"},
            {"id": "text", "send": {"first_of": ["sms"]}, "template": "t"},
            {"id": "which", "choose": [
                {"when": "a", "then": [{"id": "none", "end": "no"}]},
                {"else": [{"id": "offer", "send": "email", "template": "t"}]},
            ]},
        ],
    }  # fmt: skip
    assert [str(each) for each in differences(before, after)] == [
        "steps.text added: send first_of sms t",
        "the order of steps settle, which, offer, none -> settle, which, none, offer",
        "trigger.cooldown added: 7d",
        "steps.settle.wait 23h -> 4h",
        "steps.none stands under steps.which.choose.2.else -> steps.which.choose.1.then",
        "steps.offer stands under steps.which.choose.1.then -> steps.which.choose.2.else",
    ]
