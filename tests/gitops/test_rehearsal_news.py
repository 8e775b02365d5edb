"""Rule tests with events about no customer: they reach whoever waits for that product."""

from __future__ import annotations

import pytest

ALERTED = {"at": "0s", "type": "stock_alert.requested", "data": {"sku": "A1"}}
STOCK = {
    "id": "stock",
    "wait_for": "product.restocked",
    "match": {"sku": "trigger.sku"},
    "timeout": "14d",
    "then": [{"id": "back", "send": "log", "template": "cart/reminder", "with": {"total": "1"}}],
    "else": [{"id": "stop", "end": "gave_up"}],
}
BACK_IN_STOCK = {
    "trigger": {"event": "stock_alert.requested", "key": "event.sku"},
    "exit_on": [
        {
            "id": "gone",
            "event": "product.withdrawn",
            "match": {"sku": "trigger.sku"},
            "outcome": "gone",
        }
    ],
    "steps": [STOCK],
}


def product(kind, at, sku="A1", **more):
    return {"at": at, "type": f"product.{kind}", "data": {"sku": sku}, **more}


@pytest.mark.parametrize(
    ("events", "expect"),
    [
        (
            [product("restocked", "3d")],
            {"sends": [{"at": "3d", "step": "back"}], "end": {"at": "3d", "outcome": "completed"}},
        ),
        (
            [product("restocked", "3d", "B2")],
            {"sends": [], "end": {"at": "14d", "outcome": "gave_up"}},
        ),
        (
            [product("withdrawn", "2d"), product("restocked", "3d")],
            {"sends": [], "end": {"at": "2d", "outcome": "gone", "by": "gone"}},
        ),
    ],
    ids=["back", "another one", "no longer sold"],
)
def test_an_event_about_a_product_comes_to_whoever_waits_for_it(problems, events, expect):
    test = {"events": [ALERTED, *events], "expect": expect}
    assert problems(test, workflow=BACK_IN_STOCK) == []


def test_an_exit_knows_that_the_field_it_matches_is_there(project):
    gone = {"id": "gone", "event": "product.withdrawn", "match": {"brand": "'x'"}}
    workflow = {**BACK_IN_STOCK, "exit_on": [{**gone, "when": "event.brand == 'x'"}]}
    assert project(workflow).errors == ()


def test_an_exit_that_matches_a_field_no_such_event_has_is_refused(project):
    gone = {"id": "gone", "event": "product.withdrawn", "match": {"skuu": "trigger.sku"}}
    (problem,) = project({**BACK_IN_STOCK, "exit_on": [gone]}).errors
    assert "skuu" in problem.message
    assert "sku" in problem.hint


ANNOUNCED = {
    "trigger": {
        "event": "coupon_pool.opened",
        "audience": "has(customer.level) && customer.level == 'gold' && event.pool == 'spring'",
    },
    "exit_on": [],
    "steps": [{"id": "tell", "send": "log", "template": "cart/reminder", "with": {"total": "1"}}],
}
GOLD = {"traits": {"level": "gold"}}


def pool(name="spring", at="1h"):
    return {"at": at, "type": "coupon_pool.opened", "data": {"pool": name}}


def level(at, value):
    return {"at": at, "type": "customer.updated", "data": {"level": value}}


@pytest.mark.parametrize(
    ("customer", "events", "sends"),
    [
        (GOLD, [pool()], [{"at": "1h", "step": "tell"}]),
        ({}, [pool()], []),
        (GOLD, [pool("summer")], []),
        (GOLD, [pool(), level("2h", "silver")], [{"at": "1h"}]),
        ({}, [pool(), level("2h", "gold")], []),
        ({}, [level("30m", "gold"), pool()], [{"at": "1h"}]),
        (GOLD, [pool(), pool(at="3h")], [{"at": "1h"}, {"at": "3h"}]),
    ],
    ids=["in", "out", "another pool", "left later", "too late", "just in time", "twice"],
)
def test_an_event_about_a_pool_comes_to_everybody_in_its_audience(
    problems, customer, events, sends
):
    test = {"customer": customer, "events": events, "expect": {"sends": sends}, "until": "5h"}
    assert problems(test, workflow=ANNOUNCED) == []


def test_a_later_step_knows_when_the_event_that_was_waited_for_happened(problems):
    back = {**STOCK["then"][0], "only_if": "steps.stock.event.occurred_at > trigger.occurred_at"}
    workflow = {**BACK_IN_STOCK, "steps": [{**STOCK, "then": [back]}]}
    test = {"events": [ALERTED, product("restocked", "3d")], "expect": {"sends": [{"at": "3d"}]}}
    assert problems(test, workflow=workflow) == []
