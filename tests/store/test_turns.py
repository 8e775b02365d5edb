"""Turns at an even distance, shared by all; classes that have a sender of their own."""

from __future__ import annotations

import threading
from datetime import timedelta
from itertools import pairwise

from shopflow.domain.policy import MessageClass
from shopflow.store.delivery import ranks
from shopflow.store.records import Pace, Pause, Retry

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
TEN = Pace("email/marketing", SECOND / 10, SECOND)


def queue(store, *messages):
    with store.transaction() as batch:
        batch.queue(messages)


def lease(store, now, owner="one", limit=1000, **more):
    return store.outbox.lease("email", limit=limit, now=now, owner=owner, lease_for=MINUTE, **more)


def ids(leased):
    return [one.message.id for one in leased]


def test_a_lease_takes_no_more_than_there_are_turns(store, make, now):
    queue(store, *(make.message() for _ in range(30)))
    leased = lease(store, now, pace=TEN)
    assert [(one.turn - now) / TEN.distance for one in leased] == list(range(11))
    assert lease(store, now, pace=TEN) == []
    later = lease(store, now + SECOND / 2, pace=TEN)
    assert [(one.turn - now) / TEN.distance for one in later] == list(range(11, 16))


def test_turns_that_nobody_took_are_not_saved_up(store, make, now):
    queue(store, *(make.message() for _ in range(90)))
    lease(store, now, pace=TEN)
    late = now + MINUTE
    assert len(lease(store, late, pace=TEN)) == 11
    assert lease(store, late, pace=TEN) == []


def test_a_turn_is_spent_on_a_message_only(store, make, now):
    lease(store, now, pace=TEN)
    queue(store, *(make.message() for _ in range(30)))
    assert len(lease(store, now, pace=TEN)) == 11


def test_deliverers_share_one_pace(opener, make, now):
    stores = [opener(), opener(), opener()]
    queue(stores[0], *(make.message() for _ in range(300)))
    turns = [[] for _ in stores]

    def work(number, store):
        for step in range(20):
            at = now + step * SECOND / 4
            leased = lease(store, at, owner=str(number), limit=5, pace=TEN)
            turns[number] += [one.turn for one in leased]

    threads = [threading.Thread(target=work, args=pair) for pair in enumerate(stores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    every = sorted(turn for some in turns for turn in some)
    assert every
    assert all(b - a >= TEN.distance for a, b in pairwise(every))


def test_turns_of_its_own_bring_a_message_back_then(store, make, now):
    queue(store, make.message(id="a"), make.message(id="b"))
    pace = Pace("email/marketing@slow.example", MINUTE)
    assert store.outbox.take_turns(pace, count=2, now=now) == [now, now + MINUTE]
    assert store.outbox.take_turns(pace, count=1, now=now) == [now + 2 * MINUTE]
    lease(store, now)
    retry = Retry(message_id="b", at=now + MINUTE, reason="turn")
    store.outbox.record(owner="one", retries=[retry])
    assert lease(store, now) == []
    (back,) = lease(store, now + MINUTE)
    assert (back.message.id, back.attempt, back.own_turn) == ("b", 1, now + MINUTE)


def test_each_class_can_be_leased_alone(store, make, now):
    for one in MessageClass:
        queue(store, make.message(id=one.value, message_class=one, priority=100))
    for one in MessageClass:
        assert ids(lease(store, now, classes={one})) == [one.value]


def test_classes_that_share_a_sender_are_leased_together_in_order(store, make, now):
    queue(store, *(make.message(id=one.value, message_class=one) for one in MessageClass))
    some = {MessageClass.MARKETING, MessageClass.SERVICE, MessageClass.TRACKING}
    assert ids(lease(store, now, classes=some, limit=2)) == ["service", "tracking"]
    assert ids(lease(store, now, classes=some)) == ["marketing"]
    assert ids(lease(store, now)) == ["internal", "relationship"]


def test_neighbours_in_the_outbox_are_one_stretch_of_its_index():
    assert ranks(set(MessageClass)) == [(-100, 1000)]
    assert ranks({MessageClass.MARKETING, MessageClass.RELATIONSHIP}) == [(500, 1000)]
    assert len(ranks({MessageClass.MARKETING, MessageClass.SERVICE})) == 2
    assert ranks(set()) == []


def test_a_paused_sender_keeps_its_messages_and_leaves_the_others_theirs(store, make, now):
    queue(store, make.message())
    store.pause(Pause(scope="sender:email/marketing", reason="bounces", at=now))
    assert lease(store, now, sender="marketing") == []
    assert len(lease(store, now, sender="other")) == 1
