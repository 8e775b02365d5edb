"""A new version of a workflow in the middle of a test, while somebody is on the way."""

from __future__ import annotations

import pytest
from support.small_project import CART, FULL, ORDER

REMINDER = CART["steps"][1]
SLOW = [{"id": "settle", "wait": "3h"}, REMINDER]


def deployed(at, **change):
    return {"at": at, "change": {"version": 2, **change}}


@pytest.mark.parametrize(
    ("versions", "sent_at"),
    [
        ([], "1h"),
        ([deployed("0s", steps=SLOW)], "3h"),
        # Somebody on the way keeps the version that they came in on, unless the new one says so.
        ([deployed("30m", steps=[{"id": "settle", "wait": "1h"}])], "1h"),
        ([deployed("0s", steps=SLOW), {"at": "30m"}], "3h"),
    ],
    ids=["none", "from the beginning", "pinned", "back to the file"],
)
def test_a_version_counts_from_its_deployment(problems, versions, sent_at):
    test = {"events": [FULL], "expect": {"sends": [{"at": sent_at, "step": "reminder"}]}}
    assert problems({**test, **({"versions": versions} if versions else {})}) == []


def test_an_upgrade_takes_those_along_who_are_on_the_way(problems):
    upgrade = {"on_change": "upgrade"}
    steps = [{"id": "settle", "wait": "1h"}, {**REMINDER, "id": "nudge"}]
    versions = [deployed("30m", in_flight=upgrade, steps=steps)]
    expect = {"sends": [{"at": "1h", "step": "nudge"}]}
    assert problems({"events": [FULL], "versions": versions, "expect": expect}) == []


def test_a_step_that_is_gone_ends_who_stood_there(problems):
    upgrade = {"on_change": "upgrade"}
    steps = [{"id": "rest", "wait": "1h"}, REMINDER]
    versions = [deployed("30m", in_flight=upgrade, steps=steps)]
    expect = {"sends": [], "end": {"outcome": "retired"}}
    assert problems({"events": [FULL], "versions": versions, "expect": expect}) == []


def test_a_renamed_step_is_found_again(problems):
    renamed = {"on_change": "upgrade", "renamed": {"settle": "rest"}}
    versions = [deployed("30m", in_flight=renamed, steps=[{"id": "rest", "wait": "1h"}, REMINDER])]
    expect = {"sends": [{"at": "1h", "step": "reminder"}]}
    assert problems({"events": [FULL], "versions": versions, "expect": expect}) == []


def test_a_key_that_is_null_is_not_there(problems):
    versions = [deployed("0s", exit_on=None)]
    expect = {"sends": [{"at": "1h"}]}
    events = [FULL, {**ORDER, "at": "30m"}]
    assert problems({"events": events, "versions": versions, "expect": expect}) == []


def test_who_comes_after_the_deployment_comes_to_the_new_version(problems):
    again = {**FULL, "at": "2h"}
    expect = {"sends": [{"at": "1h"}, {"at": "5h"}]}
    test = {"events": [FULL, again], "versions": [deployed("90m", steps=SLOW)], "expect": expect}
    assert problems(test) == []
