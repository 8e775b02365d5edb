"""Which name was certainly meant: slips of the keyboard, and nothing that may be another word."""

from __future__ import annotations

import pytest

from shopflow.lang.names import certainly


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("totl", "total"),
        ("emial", "email"),
        ("Priority", "priority"),
        ("order_count", "orders_count"),
        ("purchase", "purchased"),
    ],
)
def test_a_slip_is_certain(slip, meant):
    assert certainly(slip, ["something", meant, "other"]) == meant


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("order.paid", ["order.placed"]),
        ("cart11", ["cart10"]),
        ("views_7d", ["views"]),
        ("remindr", ["reminder", "remindor"]),
        ("anything", []),
    ],
    ids=["another word", "another number", "a number more", "two as near", "nothing"],
)
def test_what_may_be_meant_otherwise_is_not(name, known):
    assert certainly(name, known) is None
