"""Workflows for what an event is about: nobody is enrolled, and nobody's consent is asked."""

from __future__ import annotations

POST = {
    "trigger": {"event": "product.published", "subject": True, "key": "event.sku"},
    "exit_on": [],
    "steps": [
        {"id": "settle", "wait": "1h"},
        {
            "id": "post",
            "send": "log",
            "template": "cart/reminder",
            "with": {"total": "trigger.sku"},
        },
    ],
}
SENT = {"at": "1h", "step": "post", "with": {"total": "A1"}}


def published(sku="A1", at="0s", **more):
    return {"at": at, "type": "product.published", "data": {"sku": sku}, **more}


def test_a_new_product_is_posted_once_whatever_customers_there_are(problems):
    expect = {"sends": [SENT], "entered": 1, "end": {"at": "1h", "outcome": "completed"}}
    assert problems({"events": [published()], "expect": expect}, workflow=POST) == []


def test_each_key_has_a_row_of_its_own_and_re_entry_is_by_row(problems):
    posted = {**SENT, "with": {"total": "B2"}}
    events = [published(), published("B2"), published(at="30m", id="again")]
    expect = {"sends": [SENT, posted], "refused": ["active"]}
    assert problems({"events": events, "expect": expect}, workflow=POST) == []


def test_without_a_key_each_event_has_a_row(problems):
    trigger = {"event": "product.published", "subject": True}
    events = [published(), published(at="10m", id="again")]
    expect = {"sends": [SENT, {**SENT, "at": "1h10m"}]}
    assert (
        problems({"events": events, "expect": expect}, workflow={**POST, "trigger": trigger}) == []
    )


def test_an_event_of_a_customer_may_begin_one_too(problems):
    trigger = {"event": "order.placed", "subject": True, "key": "event.order_id"}
    steps = [{**POST["steps"][1], "with": {"total": "trigger.order_id"}}]
    order = {"at": "0s", "type": "order.placed", "data": {"order_id": "o1", "items": []}}
    expect = {"sends": [{"at": "0s", "with": {"total": "o1"}}], "entered": 1}
    workflow = {**POST, "trigger": trigger, "steps": steps}
    assert problems({"events": [order], "expect": expect}, workflow=workflow) == []
