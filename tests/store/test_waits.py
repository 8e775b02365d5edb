"""Enrolments that wait for an event which is not their customer's own are found, oldest first."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from shopflow.domain.event import Tick
from shopflow.store.records import Wait

RESTOCK = "product.restocked"


@pytest.fixture
def waits(now):
    return [
        Wait(RESTOCK, "A1", f"enrolment-{number}", f"customer-{number}", now - timedelta(hours=age))
        for number, age in enumerate([1, 3, 2, 2])
    ]


def add(store, waits):
    with store.transaction() as batch:
        batch.add_waits(waits)


def names(waits):
    return [wait.enrolment_id[-1] for wait in waits]


def test_who_waits_longest_comes_first(store, waits):
    add(store, waits)
    assert names(store.views.waiting(RESTOCK, "A1")) == ["1", "2", "3", "0"]
    assert store.views.waiting(RESTOCK, "A1")[0] == waits[1]
    assert store.views.waiting(RESTOCK, "B2") == []
    assert store.views.waiting("product.price_changed", "A1") == []


def test_pages_go_on_behind_the_last_one(store, waits):
    add(store, waits)
    first = store.views.waiting(RESTOCK, "A1", limit=2)
    second = store.views.waiting(RESTOCK, "A1", after=first[-1], limit=2)
    assert names(first + second) == ["1", "2", "3", "0"]
    assert store.views.waiting(RESTOCK, "A1", after=second[-1]) == []


def test_those_of_one_partition_are_found_alone(store, waits):
    add(store, waits)
    found = [store.views.waiting(RESTOCK, "A1", partition=p) for p in range(store.partitions)]
    assert sorted(wait for part in found for wait in part) == sorted(waits)
    for partition, part in enumerate(found):
        assert all(store.partition_of(wait.customer_id) == partition for wait in part)


def test_an_enrolment_that_waits_already_keeps_its_place(store, waits, now):
    add(store, waits)
    add(store, [waits[1]._replace(since=now)])
    assert names(store.views.waiting(RESTOCK, "A1"))[0] == "1"


def test_who_no_longer_waits_is_not_found(store, waits):
    add(store, waits)
    with store.transaction() as batch:
        batch.drop_waits([waits[2], waits[1], waits[1]])
    assert names(store.views.waiting(RESTOCK, "A1")) == ["3", "0"]


def test_a_batch_that_raises_leaves_the_waits_as_they_were(store, waits):
    add(store, waits)
    with pytest.raises(ZeroDivisionError), store.transaction() as batch:  # noqa: PT012 - undone
        batch.drop_waits(waits)
        batch.add_waits([waits[0]._replace(key="B2")])
        raise ZeroDivisionError
    assert len(store.views.waiting(RESTOCK, "A1")) == 4
    assert store.views.waiting(RESTOCK, "B2") == []


def test_a_dead_letter_is_taken_to_be_tried_again(store, make, now):
    with store.transaction() as batch:
        for number in range(3):
            event = make.event(id=f"e{number}", customer_id="anna")
            batch.dead_letter("decide_failed", at=now, raw=b"{}", event=event)
        batch.dead_letter("not_json", at=now, raw=b"{")
    first, *_, other = reversed(store.views.dead_letters())

    with store.transaction() as batch:
        (taken,) = batch.take_dead_letters(numbers=[first.seq, other.seq], reason="decide_failed")
        assert taken == first
        batch.tell("anna", Tick(at=now))
    assert store.views.status().dead_letters == {"decide_failed": 2, "not_json": 1}
    assert store.views.status().inbox == 1

    with store.transaction() as batch:
        assert [letter.event_id for letter in batch.take_dead_letters(limit=2)] == ["e1", "e2"]
    assert [letter.reason for letter in store.views.dead_letters()] == ["not_json"]


def test_dead_letters_stay_when_trying_them_again_fails(store, now):
    with store.transaction() as batch:
        batch.dead_letter("not_json", at=now)
    before = store.views.dead_letters()
    with pytest.raises(ZeroDivisionError), store.transaction() as batch:  # noqa: PT012 - undone
        batch.take_dead_letters()
        raise ZeroDivisionError
    assert store.views.dead_letters() == before


def test_what_an_event_brought_about_is_found_without_its_row(store, make, now):
    entries = [
        make.entry(event_id="restock", customer_id="anna"),
        make.entry(event_id="restock", customer_id="bert", at=now + timedelta(days=3)),
        make.entry(event_id=None),
        make.entry(event_id="other"),
    ]
    with store.transaction() as batch:
        batch.journal(entries)
    assert store.views.journal_of_event("restock") == entries[:2]


def test_a_customer_that_two_make_at_once_is_overwritten_by_none(opener, make):
    """Both find nobody; the second one waits, and then finds what the first one made."""
    stores = [opener(), opener()]
    begun = threading.Barrier(2)

    def add(store, name):
        begun.wait()
        with store.transaction() as batch:
            anna = batch.load(["anna"]).get("anna") or make.customer()
            batch.save([replace(anna, tags=anna.tags | {name})])

    threads = [threading.Thread(target=add, args=pair) for pair in zip(stores, "ab", strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stores[0].views.customer("anna").tags == {"a", "b"}
