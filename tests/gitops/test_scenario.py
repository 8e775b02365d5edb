"""Tests that ask for what cannot be had are errors, never a silent pass."""

from __future__ import annotations

import pytest

EXPECT = {"sends": []}


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ({"mocks": {"chanels": {}}}, "no mock named 'chanels'"),
        ({"mocks": {"channels": {"pigeon": "rejected"}}}, "no channel named 'pigeon'"),
        ({"mocks": {"channels": {"email": "sleepy"}}}, "no failure named 'sleepy'"),
        (
            {"mocks": {"channels": {"email": {"fail": "rejected", "time": 1}}}},
            "no key of a channel's mock named 'time'",
        ),
        ({"versions": {"from": 1}}, "a test runs on one version of its workflow"),
        ({"history": {"sends": [{"at": "1d"}]}}, "a past send needs 'channel'"),
        (
            {"history": {"sends": [{"at": "1d", "channel": "email", "purpose": "fun"}]}},
            "no purpose named 'fun'",
        ),
        (
            {"history": {"sends": [{"at": "soon", "channel": "email", "purpose": "service"}]}},
            "'soon' is no length of time",
        ),
        (
            {"clock": {"start": "2026-02-30T10:00:00"}},
            "the clock cannot start at '2026-02-30T10:00:00': day is out of range for month",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_done_is_said(refused, test, message):
    assert refused({"expect": EXPECT, **test}) == [message]
