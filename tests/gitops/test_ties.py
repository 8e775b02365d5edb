"""Events of one instant in other orders."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.small_project import CART, FULL, ORDER

from shopflow.gitops.expecting import judge
from shopflow.gitops.scenario import read_scenarios
from shopflow.gitops.ties import MOST_ORDERS, other_orders

BOUGHT = {**ORDER, "at": "0s"}


@pytest.fixture
def orders(project):
    """The other orders of these events: the types, and the words for it."""

    def found(*events):
        loaded = project(None, [{"name": "x", "events": list(events), "expect": {"sends": []}}])
        (scenario,) = read_scenarios(loaded.tests, loaded.ruleset)
        return [
            ([each.type for each in other.events], told) for other, told in other_orders(scenario)
        ]

    return found


def test_two_events_of_one_instant_change_places(orders):
    assert orders(FULL, BOUGHT) == [
        (["order.placed", "cart.updated"], "order.placed (event-2), cart.updated (event-1)")
    ]


def test_events_of_different_instants_keep_their_places(orders):
    assert orders(FULL, {**BOUGHT, "at": "1m"}) == []


def test_events_that_are_the_same_have_one_order(orders):
    assert orders(FULL, FULL) == []


def test_there_is_an_end_to_it(orders):
    events = [{**FULL, "data": {"total": 20.0 + n, "items": []}} for n in range(6)]
    assert len(orders(*events)) == MOST_ORDERS - 1


def test_messages_of_one_instant_may_come_in_any_order(rehearsed):
    steps = [{**CART["steps"][1], "id": "a"}, {**CART["steps"][1], "id": "b"}]
    sends = [{"step": "b"}, {"step": "a"}]
    tests = [{"events": [FULL], "expect": {"sends": sends}}]
    (rehearsal,) = rehearsed(*tests, workflow={"steps": steps})
    assert "it came in another place of the list" in judge(rehearsal).problems[0]
    assert judge(rehearsal, in_order=False).passed
    missing = replace(rehearsal, happened=rehearsal.happened[:1])
    assert judge(missing, in_order=False).problems
