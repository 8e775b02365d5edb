"""Browsers that agree to pushes: the newest is reached, until it says or shows that it is gone."""

from __future__ import annotations

import json
from datetime import timedelta

from support.engine import CHANNELS, PURPOSES, Life, a_send, a_workflow

from shopflow.domain.event import DeliveryReport, Outcome
from shopflow.domain.journal import JournalEntry, Kind, Queue
from shopflow.domain.ruleset import ChannelFacts
from shopflow.domain.workflow import Reentry

MINUTE = timedelta(minutes=1)
KEYS = {"p256dh": "BPoint", "auth": "secret"}
PHONE, LAPTOP = "https://push.example/phone", "https://push.example/laptop"


def living():
    workflow = a_workflow(
        steps=[a_send(channels=("webpush",), purpose="service")], reentry=Reentry.PARALLEL
    )
    webpush = ChannelFacts(name="webpush", address_attribute="webpush")
    return Life(workflow, channels={**CHANNELS, "webpush": webpush}, purposes=PURPOSES)


def subscribe(life, endpoint, at, **more):
    life.event("webpush.subscribed", at, endpoint=endpoint, **{"keys": KEYS, **more})


def reached(life, at):
    """Where a message goes now; None when it goes nowhere."""
    life.effects.clear()
    life.event("cart.updated", at)
    found = [one.message.address for one in life.of(Queue)]
    if not found:
        [drop] = [entry for entry in life.of(JournalEntry) if entry.kind is Kind.DROPPED]
        return drop.reason
    return json.loads(found[0])["endpoint"]


def test_the_newest_browser_is_the_one_that_is_reached():
    life = living()
    subscribe(life, PHONE, MINUTE)
    assert reached(life, 2 * MINUTE) == PHONE
    subscribe(life, LAPTOP, 3 * MINUTE)
    assert reached(life, 4 * MINUTE) == LAPTOP
    assert json.loads(life.of(Queue)[0].message.address)["keys"] == KEYS


def test_an_older_browser_that_comes_late_changes_nothing():
    life = living()
    subscribe(life, LAPTOP, 3 * MINUTE)
    subscribe(life, PHONE, MINUTE)
    assert reached(life, 4 * MINUTE) == LAPTOP


def test_a_browser_without_keys_cannot_be_reached():
    life = living()
    life.event("webpush.subscribed", MINUTE, endpoint=PHONE)
    assert reached(life, 2 * MINUTE) == "no_address"


def test_who_unsubscribes_is_not_reached_and_another_browser_does_not_matter():
    life = living()
    subscribe(life, PHONE, MINUTE)
    life.event("webpush.unsubscribed", 2 * MINUTE, endpoint=LAPTOP)
    assert reached(life, 3 * MINUTE) == PHONE
    life.event("webpush.unsubscribed", 4 * MINUTE, endpoint=PHONE)
    assert reached(life, 5 * MINUTE) == "no_address"


def test_unsubscribing_without_an_endpoint_means_whichever_it_was():
    life = living()
    subscribe(life, PHONE, MINUTE)
    life.event("webpush.unsubscribed", 2 * MINUTE)
    assert reached(life, 3 * MINUTE) == "no_address"


def test_an_ended_subscription_is_suppressed_until_there_is_a_new_one():
    life = living()
    subscribe(life, PHONE, MINUTE)
    reached(life, 2 * MINUTE)
    message = life.of(Queue)[-1].message
    at = message.decided_at + MINUTE
    life.give(DeliveryReport(message=message, outcome=Outcome.FAILED, at=at, reason="bad_address"))
    assert reached(life, 4 * MINUTE) == "suppressed"
    subscribe(life, LAPTOP, 5 * MINUTE)
    assert reached(life, 6 * MINUTE) == LAPTOP
