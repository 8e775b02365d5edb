"""What was queued and may no longer leave is called back; its slot is free once that is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from support.engine import HOUR, T0, Life, a_send, a_wait, a_workflow, an_event, on

from shopflow.domain.customer import SlotState
from shopflow.domain.event import DeliveryReport, Outcome
from shopflow.domain.journal import Cancel, Queue
from shopflow.domain.policy import FrequencyCap
from shopflow.domain.trigger import EventTrigger

CAP = FrequencyCap(id="week", limit=1, window=timedelta(days=7))


def news(workflow_id="news", purpose="marketing", event="product.viewed", **more):
    step = a_send(channels=("email",), purpose=purpose)
    # Another step to come, for which the enrolment stays.
    later = a_send("later", channels=("log",), purpose="service", max_lateness=HOUR)
    return a_workflow(
        workflow_id,
        trigger=EventTrigger(pattern=on(event)),
        exits=(),
        steps=[replace(step, next="pause"), a_wait("pause", "24h", "later"), later],
        **more,
    )


def a_life(*workflows, **more):
    life = Life(*workflows, event_clock=False, **more)
    life.event("consent.granted", channel="email", purpose="marketing")
    return life


def calls(life):
    return [(one.message_id, str(one.reason)) for one in life.of(Cancel) if one.tell]


def test_a_withdrawal_calls_back_what_it_forbids_and_nothing_else():
    service = news("service-word", "service", "order.placed")
    life = a_life(news(), service)
    life.event("product.viewed", HOUR)
    life.event("order.placed", HOUR)
    marketing, _ = (effect.message for effect in life.of(Queue))
    life.event("consent.withdrawn", 2 * HOUR, channel="email")
    assert calls(life) == [(marketing.id, "no_consent")]


def test_a_complaint_calls_back_and_a_withdrawal_elsewhere_does_not():
    life = a_life(news())
    life.event("product.viewed", HOUR)
    life.event("consent.withdrawn", 2 * HOUR, channel="sms")
    assert calls(life) == []
    life.event("message.complained", 3 * HOUR, message_id="m", channel="email")
    assert [reason for _, reason in calls(life)] == ["suppressed"]


def test_its_slot_stays_taken_until_word_comes_that_it_was_stopped():
    life = a_life(news(), caps=(CAP,))
    life.event("product.viewed", HOUR)
    (queued,) = life.of(Queue)
    life.event("consent.withdrawn", 2 * HOUR, channel="email")
    (record,) = life.customer.sent
    assert record.state is SlotState.RESERVED
    told = DeliveryReport(
        message=queued.message, outcome=Outcome.DROPPED, at=T0 + 2 * HOUR, reason="no_consent"
    )
    life.give(told)
    assert life.customer.sent == ()


def test_a_wish_fires_no_timer_that_was_due_before_it():
    step = a_send(channels=("log",), purpose="service")
    reminder = a_workflow(
        "reminder",
        trigger=EventTrigger(pattern=on("cart.updated")),
        exits=(),
        steps=[a_wait("settle", "1h", "reminder"), step],
    )
    life = a_life(reminder)
    life.event("cart.updated", HOUR)
    wish = an_event("consent.withdrawn", T0 + 3 * HOUR, channel="email")
    life.give(replace(wish, ahead=True))
    assert not life.of(Queue), "what is in the stream may still speak against it"
    # It came in before the wish and is decided after it: as if there had been none.
    life.tick(3 * HOUR)
    assert len(life.of(Queue)) == 1
