"""Lengths of time as rules write them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shopflow.lang.lengths import parse_length, written


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("45m", timedelta(minutes=45)),
        ("1h", timedelta(hours=1)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(weeks=2)),
        ("1d12h", timedelta(days=1, hours=12)),
        ("1w2d3h4m5s", timedelta(weeks=1, days=2, hours=3, minutes=4, seconds=5)),
        ("-7d", timedelta(days=-7)),
        ("0s", timedelta()),
    ],
)
def test_a_length_is_a_sum_of_units(text, length):
    assert parse_length(text) == length
    assert parse_length(written(length)) == length


@pytest.mark.parametrize("text", ["", "7", "7 d", "h", "1h30", "1h1d", "7days", "-", "9999999999w"])
def test_what_is_no_length(text):
    assert parse_length(text) is None
