"""Batches of inputs: all of it is kept or nothing, and one bad input stops nobody else."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from support.engine import DAY, HOUR, T0, a_ruleset, a_send, a_wait, a_workflow

from shopflow.domain.event import Facts
from shopflow.engine import Rulebook
from shopflow.errors import Conflict, StoreError
from shopflow.runtime import workset
from shopflow.runtime.answers import Taken
from shopflow.runtime.ingest import Ingest
from shopflow.runtime.process import Entry, Processor
from shopflow.runtime.stream import Stream
from shopflow.runtime.timers import Timers
from shopflow.runtime.workset import Rules
from shopflow.store.memory import MemoryStore

SCHEMAS = {name: {"type": "object"} for name in ("cart.updated", "order.placed")}


class Shop:
    """A store with rules and one stream, in memory."""

    def __init__(self, *workflows, event_clock=False):
        self.store = MemoryStore(partitions=4)
        self.ingest = Ingest(SCHEMAS, event_clock=event_clock)
        self.rules = Rules(
            rulebook=Rulebook(a_ruleset(*workflows)),
            facts=Facts(event_clock=event_clock),
            secrets=self.ingest.secrets,
        )
        self.processor = Processor(self.store, self.rules, self.ingest)
        self.timers = Timers(self.store, self.rules)
        self.stream = Stream("test", self.store.take_over("test").epoch)
        self.sent = 0

    def take(self, *events, now=T0):
        entries = []
        for event in events:
            self.sent += 1
            raw = event if isinstance(event, bytes) else json.dumps(event).encode()
            entries.append(Entry(raw, str(self.sent)))
        return self.processor.take(self.stream, entries, now=now)

    @property
    def queued(self):
        return sorted(one.message.customer_id for one in self.store.views.messages())

    @property
    def counts(self):
        return dict(self.store.views.status().events)

    @property
    def position(self):
        return self.store.take_over("test").position


def an_event(number, customer="anna", event_type="cart.updated", at=T0, **data):
    return {
        "id": f"e{number}",
        "type": event_type,
        "occurred_at": at.isoformat(),
        "customer_id": customer,
        "data": data,
    }


def at_once(**more):
    return a_workflow("at-once", steps=[a_send("now")], exits=(), **more)


def after_an_hour():
    return a_workflow("later", steps=[a_wait(), a_send()], exits=())


def test_accepted_duplicates_and_dead_letters_are_the_events_in():
    shop = Shop(at_once())
    answers = shop.take(
        an_event(1), an_event(1), b"no", an_event(2, "berta"), an_event(3, at=DAY + T0)
    )
    assert [answer.taken for answer in answers] == [
        Taken.ACCEPTED, Taken.DUPLICATE, Taken.DEAD_LETTER, Taken.ACCEPTED, Taken.DEAD_LETTER,
    ]  # fmt: skip
    assert shop.counts == {"accepted": 2, "duplicate": 1, "dead_letter": 2}
    assert [answer.reason for answer in answers] == ["", "", "not_json", "", "from_future"]
    assert shop.queued == ["anna", "berta"]
    assert shop.position == "5"


def test_a_duplicate_in_a_later_batch_changes_nothing():
    shop = Shop(at_once())
    shop.take(an_event(1))
    before = shop.store.views.customer("anna")
    assert shop.take(an_event(1))[0].taken is Taken.DUPLICATE
    assert shop.store.views.customer("anna") == before


def test_a_clamped_event_is_recognised_when_it_is_sent_again_the_next_day():
    shop = Shop(at_once())
    midnight = T0.replace(hour=23, minute=59)
    event = an_event(1, at=midnight + timedelta(minutes=2))
    assert shop.take(event, now=midnight)[0].taken is Taken.ACCEPTED
    assert shop.take(event, now=midnight + HOUR)[0].taken is Taken.DUPLICATE


def test_an_event_about_nobody_is_kept_and_decides_nothing():
    shop = Shop(at_once())
    assert shop.take(an_event(1, customer=None))[0].taken is Taken.ACCEPTED
    assert shop.store.views.event("e1") is not None
    assert shop.store.views.status().customers == 0


@pytest.fixture
def broken(monkeypatch):
    """Makes decide raise for some customers."""

    def break_for(*customers):
        real = workset.decide

        def decide(rulebook, customer, given, **more):
            if customer.id in customers:
                raise ZeroDivisionError("the address of anna@shop.example")
            return real(rulebook, customer, given, **more)

        monkeypatch.setattr(workset, "decide", decide)

    return break_for


@pytest.mark.parametrize("place", [0, 3, 6])
def test_a_batch_that_raises_loses_the_one_event_at_fault_only(broken, place):
    broken("cursed")
    shop = Shop(at_once())
    names = [f"c{number}" for number in range(7)]
    names[place] = "cursed"
    answers = shop.take(*(an_event(number, name) for number, name in enumerate(names)))
    assert [answer.taken for answer in answers].count(Taken.DEAD_LETTER) == 1
    assert answers[place].reason == "decide_failed"
    assert "ZeroDivisionError at tests/runtime/test_process.py" in answers[place].detail
    assert "anna@" not in answers[place].detail
    assert len(shop.queued) == 6
    assert shop.position == "7"
    # No event row: once the fault is mended, the same event may come again.
    assert shop.store.views.event(f"e{place}") is None
    assert shop.counts == {"accepted": 6, "dead_letter": 1}


def test_a_customer_whose_timer_raises_waits_and_the_others_do_not(broken):
    shop = Shop(after_an_hour())
    shop.take(*(an_event(number, f"c{number}") for number in range(5)), an_event(9, "cursed"))
    broken("cursed")
    assert shop.timers.tick(T0 + HOUR) == 5
    assert shop.queued == [f"c{number}" for number in range(5)]
    assert shop.store.views.customer("cursed").next_due_at == T0 + 2 * HOUR
    entries = shop.store.views.timeline("cursed").journal
    assert [entry.reason for entry in entries if entry.kind == "error"] == ["decide_failed"]


def test_the_same_timer_fires_once_the_fault_is_mended(broken, monkeypatch):
    shop = Shop(after_an_hour())
    shop.take(an_event(9, "cursed"))
    with monkeypatch.context():
        broken("cursed")
        shop.timers.tick(T0 + HOUR)
    monkeypatch.undo()
    shop.timers.tick(T0 + 3 * HOUR)
    assert shop.queued == ["cursed"]


def test_a_store_that_fails_is_nobodys_fault(monkeypatch):
    shop = Shop(at_once())

    def full(*_):
        raise StoreError("the disk is full")

    monkeypatch.setattr("shopflow.store.memory_batch.MemoryBatch.save", full)
    with pytest.raises(StoreError, match="the disk is full"):
        shop.take(an_event(1), an_event(2))
    assert shop.counts == {}


def test_a_reader_that_was_replaced_commits_nothing():
    shop = Shop(at_once())
    shop.store.take_over("test")
    with pytest.raises(Conflict):
        shop.take(an_event(1))
    assert shop.store.views.event("e1") is None


def test_old_events_send_nothing_and_arm_what_is_still_to_come():
    month = a_workflow("month", steps=[a_wait(length="720h"), a_send()], exits=())
    shop = Shop(at_once(), month)
    shop.take(an_event(1, at=T0 - 10 * DAY), now=T0)
    assert shop.queued == []
    assert shop.store.views.status().workflows["at-once"]["dropped:stale"] == 1
    assert shop.store.views.next_due_at() == T0 + 20 * DAY


def test_a_drain_fires_all_that_is_left_each_at_its_own_time():
    chain = a_workflow("chain", steps=[
        a_wait("one", next_step="first"), a_send("first", next_step="two"),
        a_wait("two", length="48h", next_step="second"), a_send("second"),
    ], exits=())  # fmt: skip
    shop = Shop(chain, event_clock=True)
    shop.take(an_event(1), an_event(2, "berta"))
    assert sum(shop.timers.drain()) == 4
    sends = {(one.message.step, one.message.decided_at) for one in shop.store.views.messages()}
    assert sends == {("first", T0 + HOUR), ("second", T0 + 49 * HOUR)}
    assert list(shop.timers.drain()) == []


@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_where_batches_are_cut_does_not_matter_when_events_are_the_clock(size):
    events = [
        an_event(number, f"c{number % 3}", at=T0 + number * timedelta(minutes=25))
        for number in range(20)
    ]
    shop = Shop(after_an_hour(), event_clock=True)
    for start in range(0, len(events), size):
        shop.take(*events[start : start + size], now=T0)
    list(shop.timers.drain())
    found = sorted(
        (one.message.customer_id, one.message.decided_at) for one in shop.store.views.messages()
    )
    assert found == expected_after_an_hour(events)


def expected_after_an_hour(events):
    """Brute force: the reminder goes one hour after the last cart of a run without a pause."""
    expected, last = [], {}
    for event in [*events, None]:
        for customer, at in list(last.items()):
            now = T0.fromisoformat(event["occurred_at"]) if event else T0 + 99 * DAY
            if now > at + HOUR and (event is None or event["customer_id"] == customer):
                expected.append((customer, at + HOUR))
                del last[customer]
        if event:
            last[event["customer_id"]] = T0.fromisoformat(event["occurred_at"])
    return sorted(expected)
