"""What every store says of itself for metrics and status."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from shopflow.domain.event import DeliveryReport, Outcome
from shopflow.store.records import Begun, DeliveryState, Pause, Settled, StatKey, StatRow
from shopflow.store.vitals import OutboxDepth, Revision

MINUTE = timedelta(minutes=1)


def depth(channel, state, count, oldest_at):
    return OutboxDepth(channel=channel, state=state, count=count, oldest_at=oldest_at)


def test_the_outbox_is_counted_by_channel_and_state(store, make, now):
    old, new = now - 5 * MINUTE, now
    with store.transaction() as batch:
        batch.queue(
            [
                make.message(id="a", decided_at=new),
                make.message(id="b", decided_at=old),
                make.message(id="c", channel="sms", decided_at=old),
                make.message(id="d", channel="log", decided_at=new),
            ]
        )
    leased = store.outbox.lease("sms", limit=1, now=now, owner="me", lease_for=MINUTE)
    gone = store.outbox.lease("log", limit=1, now=now, owner="me", lease_for=MINUTE)
    store.outbox.record(owner="me", begun=[Begun("d", now)])
    report = DeliveryReport(message=gone[0].message, outcome=Outcome.ACCEPTED, at=now)
    store.outbox.record(owner="me", settled=[Settled(report=report, provider_id="p")])
    assert len(leased) == 1
    # What has left is not counted: it is many, and says nothing of how it is now.
    assert store.views.vitals().outbox == (
        depth("email", DeliveryState.QUEUED, 2, old),
        depth("sms", DeliveryState.LEASED, 1, old),
    )


def test_what_waits_and_what_is_wrong(store, make, now):
    store.deploy("d1", {}, now - MINUTE)
    store.deploy("d2", {}, now)
    store.pause(Pause(scope="marketing", reason="a test", at=now))
    with store.transaction() as batch:
        batch.save([make.customer("anna", next_due_at=now), make.customer("bert")])
        batch.tell("anna", make.event())
        batch.dead_letter("payload", at=now)
        batch.dead_letter("payload", at=now)
        batch.dead_letter("too_large", at=now)
    epoch = store.take_over("events:0").epoch
    with store.transaction("events:0", epoch) as batch:
        batch.advance("7-0")
    vitals = store.views.vitals()
    assert vitals.inbox == 1
    assert vitals.next_due_at == now
    assert vitals.dead_letters == {"payload": 2, "too_large": 1}
    assert [cursor.position for cursor in vitals.cursors] == ["7-0"]
    assert [pause.scope for pause in vitals.pauses] == ["marketing"]
    assert vitals.revision == Revision(digest="d2", deployed_at=now)


def test_an_empty_store_has_nothing_to_say(store):
    vitals = store.views.vitals()
    assert vitals.outbox == ()
    assert vitals.revision is None
    assert vitals.next_due_at is None
    assert store.views.sums() == []


def row(day, partition, count, cost="0", **key):
    return StatRow(key=StatKey(day, partition, **key), count=count, cost=Decimal(cost))


def test_sums_put_days_partitions_and_steps_together(store):
    cart = {"workflow": "cart", "channel": "email", "result": "delivery:accepted"}
    with store.transaction() as batch:
        batch.count_stats(
            [
                row(20260301, 0, 1, "0.0004", **cart, step="first"),
                row(20260302, 1, 2, "0.0008", **cart, step="second", version=2),
                row(20260302, 1, 5, result="accepted"),
                row(20260303, 0, 7, result="accepted"),
            ]
        )
    every = {(r.key.workflow, r.key.result): (r.count, r.cost) for r in store.views.sums()}
    assert every == {
        ("", "accepted"): (12, Decimal(0)),
        ("cart", "delivery:accepted"): (3, Decimal("0.0012")),
    }
    assert [r.count for r in store.views.sums(since=20260303)] == [7]
    assert [r.count for r in store.views.sums(since=20260302, before=20260303)] == [5, 2]
