"""How the latest sends ended and how many an hour has: the same for all who look."""

from __future__ import annotations

from datetime import timedelta

from shopflow.domain.event import DeliveryReport, Outcome
from shopflow.domain.journal import Kind
from shopflow.domain.policy import MessageClass
from shopflow.store.delivery import NOBODY, hour_of
from shopflow.store.records import Fate, Heard, HourOfSends, LatestSends, Pause, Settled, Source

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
MARKETING = {MessageClass.MARKETING}


def send(store, now, *messages, outcome=Outcome.ACCEPTED, reason=""):
    with store.transaction() as batch:
        batch.queue(messages)
    store.outbox.lease("email", limit=10**6, now=now, owner="one", lease_for=MINUTE)
    words = [
        Settled(report=DeliveryReport(message=one, outcome=outcome, at=now, reason=reason))
        for one in messages
    ]
    store.outbox.record(owner="one", settled=words)


def hear(store, fate, message_id="", customer_id="anna"):
    with store.transaction() as batch:
        batch.note_heard([Heard(fate, message_id, customer_id, "email")])


def test_refusals_bounces_and_complaints_count_among_the_latest_sends(store, make, now):
    send(store, now, *(make.message(id=f"m{n}") for n in range(10)))
    send(store, now + MINUTE, make.message(), outcome=Outcome.FAILED, reason="bad_address")
    send(store, now + MINUTE, make.message(), outcome=Outcome.FAILED, reason="rejected")
    send(store, now, make.message(message_class=MessageClass.SERVICE))
    hear(store, Fate.BOUNCED, "m1")
    hear(store, Fate.COMPLAINED, "m2")
    hear(store, Fate.COMPLAINED, "m1")
    latest = store.traffic.latest_sends("email", MARKETING, limit=1000)
    assert latest == LatestSends(sends=11, bounced=2, complained=1)
    assert store.traffic.latest_sends("email", MARKETING, limit=1) == LatestSends(1, 1, 0)
    assert store.traffic.latest_sends("sms", MARKETING, limit=9) == LatestSends(0, 0, 0)
    since = store.traffic.latest_sends("email", MARKETING, limit=9, since=now)
    assert since == LatestSends(1, 1, 0)


def test_a_complaint_that_names_no_message_is_of_the_customers_last_one(store, make, now):
    send(store, now, make.message(id="old", decided_at=now - HOUR), make.message(id="new"))
    hear(store, Fate.COMPLAINED)
    hear(store, Fate.COMPLAINED, customer_id="nobody")
    send(store, now + MINUTE, make.message(id="newer", decided_at=now + MINUTE - MINUTE))
    assert store.traffic.latest_sends("email", MARKETING, limit=9).complained == 1
    assert store.traffic.latest_sends("email", MARKETING, limit=1).complained == 0


def test_hours_are_counted_by_workflow(store, make, now):
    send(store, now, *(make.message() for _ in range(3)), make.message(workflow="review"))
    send(store, now - HOUR, *(make.message(decided_at=now - HOUR) for _ in range(5)))
    send(store, now - 31 * 24 * HOUR, make.message(workflow="review", decided_at=now - 99 * HOUR))
    assert store.traffic.hour_of_sends(hour_of(now)) == {
        "cart": HourOfSends(3, 5),
        "review": HourOfSends(1, 0),
    }


def test_a_switch_is_journalled_and_when_it_went_off_is_known(store, now):
    pause = Pause(scope="workflow:cart", reason="storm", at=now, source=Source.BREAKER)
    store.pause(pause)
    assert store.views.pauses() == [pause]
    assert store.traffic.resumed() == {}
    assert store.resume("workflow:cart", at=now + HOUR, reason="mended")
    assert store.traffic.resumed() == {"workflow:cart": now + HOUR}
    on, off = store.views.timeline(NOBODY).journal
    assert (on.kind, on.reason, on.workflow) == (Kind.PAUSED, "breaker", "cart")
    assert on.values == {"scope": "workflow:cart", "reason": "storm"}
    assert (off.kind, off.reason, off.values["reason"]) == (Kind.RESUMED, "person", "mended")
    store.pause(pause)
    assert store.views.pauses() == [pause]
    assert store.traffic.resumed() == {}
