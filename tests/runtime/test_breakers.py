"""What goes wrong at large pauses by itself, says why, and stays so until somebody resumes it."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta

import pytest
from support.engine import T0, a_workflow

from shopflow.channel import OnUncertain
from shopflow.domain.event import DeliveryReport, Event, Outcome
from shopflow.domain.message import Message
from shopflow.domain.policy import MessageClass
from shopflow.runtime.breakers import Breakers
from shopflow.runtime.carrier import Carrier
from shopflow.runtime.workset import heard_of
from shopflow.store.memory import MemoryStore
from shopflow.store.records import Fate, Heard, Settled, Source
from shopflow.testing.recording import RecordingChannel

HOUR = timedelta(hours=1)


class Works:
    """A store, its breakers, and messages that have left."""

    def __init__(self, **workflows):
        self.store = MemoryStore()
        carrier = Carrier(name="email", channel=RecordingChannel(), on_uncertain=OnUncertain.RESEND)
        self.breakers = Breakers(self.store, [carrier], workflows)
        self.count = 0

    def send(self, number, *, at=T0, reason="", workflow="cart", kind=MessageClass.MARKETING):
        outcome = Outcome.FAILED if reason else Outcome.ACCEPTED
        made = []
        for _ in range(number):
            self.count += 1
            made.append(
                Message(
                    id=f"m{self.count}", customer_id="anna", enrolment_id="n", workflow=workflow,
                    version=1, digest="d", step="s", visit=1, channel="email", purpose="p",
                    message_class=kind, priority=50, template="t", locale="fr", address="a@b.c",
                    trigger_event_id="e", decided_at=at, cursor_at=at, send_by=at + HOUR,
                )
            )  # fmt: skip
        with self.store.transaction() as batch:
            batch.queue(made)
        self.store.outbox.lease("email", limit=10**6, now=at, owner="o", lease_for=HOUR)
        reports = [
            DeliveryReport(message=one, outcome=outcome, at=at, reason=reason) for one in made
        ]
        self.store.outbox.record(owner="o", settled=[Settled(report=each) for each in reports])
        return made

    def hear(self, fate, messages):
        with self.store.transaction() as batch:
            batch.note_heard([Heard(fate, one.id, one.customer_id, "email") for one in messages])

    def look(self, at=T0):
        return [pause.scope for pause in self.breakers.look(at)]


@pytest.fixture
def works():
    return Works(cart=replace(a_workflow("cart"), max_per_hour=10**6))


def test_hard_bounces_pause_their_sender_with_the_reason(works, caplog):
    works.send(949)
    works.send(50, reason="bad_address")
    works.send(30, reason="bad_address", kind=MessageClass.SERVICE)
    assert works.look() == []
    works.send(1, reason="bad_address")
    with caplog.at_level(logging.ERROR):
        assert works.look() == ["sender:email/marketing"]
    (pause,) = works.store.views.pauses()
    assert pause.source is Source.BREAKER
    assert pause.reason == "51 of the last 1,000 messages bounced for good"
    assert "a breaker paused sender:email/marketing" in caplog.text
    assert works.look() == [], "it is paused already"


def test_what_is_long_ago_does_not_count(works):
    works.send(51, at=T0 - HOUR, reason="bad_address")
    works.send(1000)
    assert works.look() == []


def test_bounces_that_are_heard_of_later_count(works):
    works.hear(Fate.BOUNCED, works.send(60)[:51])
    assert works.look() == ["sender:email/marketing"]


def test_complaints_pause_their_sender(works):
    sent = works.send(900)
    works.hear(Fate.COMPLAINED, sent[:3])
    assert works.look() == []
    works.hear(Fate.COMPLAINED, sent[3:4])
    assert works.look() == ["sender:email/marketing"]


def test_after_it_was_resumed_a_breaker_counts_anew(works):
    works.send(51, reason="bad_address")
    assert works.look() == ["sender:email/marketing"]
    assert works.store.resume("sender:email/marketing", at=T0)
    assert works.look() == []
    works.send(51, at=T0 + HOUR, reason="bad_address")
    assert works.look(T0 + HOUR) == ["sender:email/marketing"]


def test_a_workflow_that_sends_more_than_it_may_is_paused():
    works = Works(cart=replace(a_workflow("cart"), max_per_hour=20))
    works.send(20)
    assert works.look() == []
    works.send(1)
    assert works.look() == ["workflow:cart"]
    (pause,) = works.store.views.pauses()
    assert pause.reason == "21 messages in an hour, over 20"


def test_without_a_limit_of_its_own_three_times_the_busiest_hour_is_too_much():
    works = Works()
    works.send(501, workflow="quiet")
    works.send(300, workflow="busy", at=T0 - 24 * HOUR)
    works.send(900, workflow="busy")
    assert works.look() == ["workflow:quiet"]
    works.send(1, workflow="busy")
    assert works.look() == ["workflow:busy"]


def test_a_workflow_that_was_resumed_may_go_on_for_this_hour():
    works = Works(cart=replace(a_workflow("cart"), max_per_hour=20))
    works.send(21)
    assert works.look() == ["workflow:cart"]
    works.store.resume("workflow:cart", at=T0)
    works.send(1)
    assert works.look() == []
    works.send(21, at=T0 + HOUR)
    assert works.look(T0 + HOUR) == ["workflow:cart"]


@pytest.mark.parametrize(
    ("event_type", "data", "heard"),
    [
        ("message.bounced", {"message_id": "m1", "bounce": "hard"}, (Fate.BOUNCED, "m1", "email")),
        ("message.bounced", {"message_id": "m1", "bounce": "soft"}, None),
        ("message.complained", {"channel": "sms"}, (Fate.COMPLAINED, "", "sms")),
    ],
)
def test_events_about_messages_are_heard(event_type, data, heard):
    event = Event(id="e1", type=event_type, occurred_at=T0, data=data, customer_id="anna")
    found = heard_of(event)
    assert (found and (found.fate, found.message_id, found.channel)) == heard
