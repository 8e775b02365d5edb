"""Tests that ask for what cannot be had are errors, never a silent pass."""

from __future__ import annotations

import pytest
from support.small_project import FULL

from shopflow.errors import RulesInvalid
from shopflow.gitops.scenario import read_scenarios

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
        (
            {"versions": [{"at": "1h", "change": {"purpose": "fun"}}]},
            "a version of cart does not compile: no purpose named 'fun'",
        ),
        (
            {"versions": [{"at": "1h", "change": {"id": "other"}}]},
            "a version keeps the id of its workflow",
        ),
        (
            {"cases": [{"name": "one", "totl": 3}], "events": [{**FULL, "id": "{total}"}]},
            "the row's value 'totl' goes nowhere: no {totl} in the test",
        ),
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


VALUED = {
    "values": {"first_wait": "1h", "least": 20},
    "steps": [
        {"id": "settle", "wait": "values.first_wait"},
        {
            "id": "reminder",
            "send": "email",
            "template": "cart/reminder",
            "with": {"total": "trigger.total"},
            "only_if": "trigger.total >= values.least",
        },
    ],
}


@pytest.mark.parametrize(
    ("values", "expect"),
    [
        ({}, {"sends": [{"at": "1h", "step": "reminder"}]}),
        ({"first_wait": "2h"}, {"sends": [{"at": "2h", "step": "reminder"}]}),
        ({"least": 1000}, {"sends": [], "drops": [{"step": "reminder", "reason": "guard"}]}),
    ],
)
def test_a_test_may_try_another_value(judged, values, expect):
    test = {"events": [FULL], "mocks": {"values": values}, "expect": expect}
    (result,) = judged(test, workflow=VALUED)
    assert list(result.problems) == []


def test_a_value_that_a_test_tries_is_one_of_the_workflow(refused):
    test = {"mocks": {"values": {"first_wait": "2h"}}, "expect": EXPECT}
    assert refused(test) == ["no value named 'first_wait'"]


def test_and_of_its_kind(project):
    tests = [{"name": "x", "mocks": {"values": {"least": "20"}}, "expect": EXPECT}]
    loaded = project(VALUED, tests)
    with pytest.raises(RulesInvalid) as caught:
        read_scenarios(loaded.tests, loaded.ruleset)
    assert [one.message for one in caught.value.problems] == ["the value 'least' cannot be '20'"]
