"""How far a sweep has come is kept with what it told; customers are read in the order of ids."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from shopflow.store.sweeps import Sweep


@pytest.fixture
def sweep(now):
    return Sweep(partition=1, at=now)


def test_a_sweep_that_was_begun_already_stays_where_it_is(store, sweep):
    with store.transaction() as batch:
        batch.begin_sweep(sweep)
        batch.keep_sweep(replace(sweep, after="bo", looked=7, told=2))
    with store.transaction() as batch:
        batch.begin_sweep(sweep)
    assert store.views.sweeps() == [replace(sweep, after="bo", looked=7, told=2)]


def test_sweeps_for_events_and_for_the_calendar_are_told_apart(store, make, sweep, now):
    other = replace(sweep, event=make.event())
    later = replace(sweep, at=now + timedelta(hours=1))
    with store.transaction() as batch:
        for one in (later, other, sweep):
            batch.begin_sweep(one)
    assert store.views.sweeps() == [sweep, other, later]


def test_what_is_done_is_forgotten_after_a_while_and_what_is_under_way_never(store, sweep, now):
    done = replace(sweep, partition=2, done=True)
    with store.transaction() as batch:
        batch.begin_sweep(sweep)
        batch.begin_sweep(done)
        batch.forget_sweeps(now)
    assert store.views.sweeps() == [sweep, done], "not before its instant"
    with store.transaction() as batch:
        batch.forget_sweeps(now + timedelta(seconds=1))
    assert store.views.sweeps() == [sweep]


def test_customers_come_in_pages_by_id_each_once(store, make):
    with store.transaction() as batch:
        batch.save(make.customer(f"c{number:03}") for number in range(50))
    found = []
    for partition in range(store.partitions):
        after = ""
        while page := store.views.customers_after(partition, after, limit=7):
            assert len(page) <= 7
            assert all(store.partition_of(one.id) == partition for one in page)
            assert [one.id for one in page] == sorted(one.id for one in page)
            found += [one.id for one in page]
            after = page[-1].id
    assert sorted(found) == [f"c{number:03}" for number in range(50)]
