"""What a deliverer says of many messages is few statements, and counts as if said one by one."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from shopflow.domain.event import DeliveryReport, Outcome
from shopflow.store.opening import open_store
from shopflow.store.records import Begun, DeliveryState, Retry, Settled
from shopflow.store.sql.words import WORDS

MINUTE = timedelta(minutes=1)
MANY = 200


def settled(message, outcome, now):
    return Settled(report=DeliveryReport(message=message, outcome=outcome, at=now, reason="r"))


def lease(store, now, owner="one", limit=1000):
    return store.outbox.lease("email", limit=limit, now=now, owner=owner, lease_for=MINUTE)


def told(store):
    with store.transaction() as batch:
        return [report for _, report in batch.take_inbox(limit=1000)]


def a_day(store, make, now, *, at_once):
    """Many messages with every kind of word from their owner and from a stranger."""
    rng = random.Random(7)
    messages = [make.message(id=f"m{number:03}") for number in range(MANY)]
    with store.transaction() as batch:
        batch.queue(messages)
    lease(store, now)
    begun = [Begun(message.id, now) for message in messages if rng.random() < 0.7]
    store.outbox.record(owner="one", begun=begun)
    calls = []
    for message in messages:
        owner = rng.choice(["one", "one", "two"])
        outcome = rng.choice([*Outcome, None])
        if outcome is None:
            calls.append((owner, {"retries": [Retry(message_id=message.id, at=now, reason="x")]}))
        else:
            calls.append((owner, {"settled": [settled(message, outcome, now)]}))
    changed = set()
    if not at_once:
        for owner, words in calls:
            changed |= store.outbox.record(owner=owner, **words)
    else:
        for owner in ("one", "two"):
            words = {"settled": [], "retries": []}
            for each, given in calls:
                if each == owner:
                    for kind, some in given.items():
                        words[kind] += some
            changed |= store.outbox.record(owner=owner, **words)
    every = sorted(store.views.messages(limit=1000), key=lambda one: one.message.id)
    return changed, every, sorted(told(store), key=lambda r: r.message.id), store.views.stats()


@pytest.mark.parametrize("kind", ["memory", "sqlite", "postgres"])
def test_many_words_at_once_do_what_they_do_one_by_one(kind, request, tmp_path, make, now):
    urls = {"memory": "memory:", "sqlite": f"sqlite:///{tmp_path / 'a.db'}"}
    one = open_store("memory:", partitions=4)
    expected = a_day(one, make, now, at_once=False)
    url = urls.get(kind) or request.getfixturevalue("postgres_shop")
    other = open_store(url, partitions=4)
    try:
        assert a_day(other, make, now, at_once=True) == expected
    finally:
        other.close()


def test_of_two_words_on_one_message_the_first_counts(store, make, now):
    with store.transaction() as batch:
        batch.queue([message := make.message()])
    lease(store, now)
    words = [settled(message, outcome, now) for outcome in (Outcome.FAILED, Outcome.ACCEPTED)]
    assert store.outbox.record(owner="one", settled=words) == {message.id}
    (kept,) = store.views.messages()
    assert kept.state is DeliveryState.FAILED
    assert [report.outcome for report in told(store)] == [Outcome.FAILED]


def test_the_end_of_one_attempt_and_the_begin_of_the_next_are_one_commit(store, make, now):
    with store.transaction() as batch:
        batch.queue([first := make.message(id="a"), make.message(id="b")])
    lease(store, now)
    store.outbox.record(owner="one", begun=[Begun("a", now)])
    word = settled(first, Outcome.ACCEPTED, now)
    both = store.outbox.record(owner="one", settled=[word], begun=[Begun("b", now)])
    assert both == {"a", "b"}
    states = {one.message.id: (one.state, one.attempts) for one in store.views.messages()}
    assert states == {"a": (DeliveryState.SENT, 1), "b": (DeliveryState.ATTEMPTED, 1)}


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_as_many_words_as_you_like_are_one_statement(kind, request, tmp_path, make, now):
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    store = open_store(url if kind == "sqlite" else request.getfixturevalue("postgres_shop"))
    dialect, calls = store._database.dialect, []
    plain = dialect.change

    def counted(connection, change, rows):
        calls.append((change is WORDS, len(rows)))
        return plain(connection, change, rows)

    dialect.change = counted
    messages = [make.message() for _ in range(MANY)]
    with store.transaction() as batch:
        batch.queue(messages)
    lease(store, now)
    words = [settled(message, Outcome.ACCEPTED, now) for message in messages]
    store.outbox.record(owner="one", settled=words)
    store.close()
    assert calls == [(True, MANY)]
