"""One batch is one transaction: what it writes is there whole, or not at all."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from shopflow.domain.customer import Consent, ConsentState
from shopflow.domain.event import DeliveryReport, Merge, Outcome, Tick
from shopflow.domain.journal import Cancel, Kind, LedgerEntry
from shopflow.errors import Conflict
from shopflow.store.records import DeliveryState, Pause, StatKey, StatRow, Suppression


def test_an_event_is_accepted_once(store, make):
    first, other = make.arrival(), make.arrival()
    with store.transaction() as batch:
        assert batch.accept_events([first, other, first]) == [True, True, False]
    with store.transaction() as batch:
        assert batch.accept_events([other, make.arrival()]) == [False, True]
    assert store.views.status().events == {"accepted": 3, "duplicate": 2}


def test_a_reused_id_on_another_day_or_partition_is_another_event(store, make, now):
    first = make.arrival(id="e1")
    later = make.arrival(id="e1", occurred_at=now + timedelta(days=1))
    elsewhere = make.arrival(partition=1, id="e1")
    with store.transaction() as batch:
        assert batch.accept_events([first, later, elsewhere]) == [True, True, True]
    assert store.views.event("e1").occurred_at == now + timedelta(days=1)


def test_accepted_duplicates_and_dead_letters_add_up_to_the_events_in(store, make, now):
    cursor = store.take_over("orders")
    arrival = make.arrival()
    with store.transaction("orders", cursor.epoch) as batch:
        batch.accept_events([arrival, arrival])
        batch.dead_letter("not_json", at=now, raw=b"\xff{", detail="line 3")
        # An emit loop: the event that led to it has been counted.
        batch.dead_letter("emit_loop", at=now, event=make.event(hops=9))
    status = store.views.status()
    assert status.events == {"accepted": 1, "duplicate": 1, "dead_letter": 1}
    assert status.dead_letters == {"not_json": 1, "emit_loop": 1}


def test_customers_come_back_as_saved(store, make, now):
    anna = make.customer(
        attributes={"email": "anna@example.org"},
        enrolments=(make.enrolment(due_at=now),),
        next_due_at=now,
    )
    bert = make.customer("bert")
    with store.transaction() as batch:
        batch.save([bert, anna])
        assert batch.load(["anna"]) == {"anna": anna}
    with store.transaction() as batch:
        assert batch.load(["anna", "bert", "nobody", "anna"]) == {"anna": anna, "bert": bert}
        assert batch.load([]) == {}
        batch.save([replace(anna, tags=frozenset({"vip"}))])
    assert store.views.customer("anna").tags == {"vip"}
    assert store.views.customer("nobody") is None


def test_a_batch_that_raises_leaves_no_trace(store, make, now):
    cursor = store.take_over("orders")
    anna = make.customer(next_due_at=now)
    with store.transaction("orders", cursor.epoch) as batch:
        batch.save([anna])
        batch.tell("anna", make.event())
        batch.queue([kept := make.message()])
        batch.advance("1", now)
    before = store.views.status()

    with (  # noqa: PT012 - all of it is to be undone
        pytest.raises(ZeroDivisionError),
        store.transaction("orders", cursor.epoch) as batch,
    ):
        batch.accept_events([make.arrival()])
        batch.save([replace(anna, next_due_at=now + timedelta(days=1)), make.customer("bert")])
        assert batch.due(now, limit=9) == []
        assert len(batch.take_inbox(limit=9)) == 1
        batch.tell("bert", make.event())
        batch.journal([make.entry()])
        batch.queue([make.message()])
        batch.cancel([Cancel(message_id=kept.id, reason="exited")])
        batch.dead_letter("not_json", at=now)
        batch.count_stats([StatRow(key=StatKey(20260303, 0, result="x"))])
        batch.save_products({"A1": {"in_stock": False}}, now)
        batch.set_occurrence("newsletter", now)
        batch.suppress([Suppression(hash="h", scope="address", at=now)])
        batch.advance("2", now)
        raise ZeroDivisionError

    assert store.views.status() == before
    assert store.views.products() == {}
    assert store.views.occurrences() == {}
    assert store.views.suppressions(["h"]) == []
    assert store.views.timeline("anna").journal == ()
    with store.transaction() as batch:
        assert batch.due(now, limit=9) == ["anna"]
        assert len(batch.take_inbox(limit=9)) == 1
    assert store.take_over("orders").position == "1"


def test_who_is_due_comes_earliest_first_ties_by_id(store, make, now):
    at = {"d": 3, "b": 1, "c": 1, "a": 2, "late": 60, "never": None}
    with store.transaction() as batch:
        batch.save(
            make.customer(name, next_due_at=None if m is None else now + timedelta(minutes=m))
            for name, m in at.items()
        )
    until = now + timedelta(minutes=3)
    with store.transaction() as batch:
        assert batch.due(until, limit=9) == ["b", "c", "a", "d"]
        assert batch.due(until, limit=3) == ["b", "c", "a"]
        assert batch.due(now, limit=9) == []
        by_partition = [batch.due(until, limit=9, partition=number) for number in range(4)]
    assert sorted(name for names in by_partition for name in names) == ["a", "b", "c", "d"]
    for number, names in enumerate(by_partition):
        assert {store.partition_of(name) for name in names} <= {number}
    assert store.views.next_due_at() == now + timedelta(minutes=1)


def test_a_timer_that_moved_is_due_at_its_new_time_only(store, make, now):
    hour = timedelta(hours=1)
    for due in (now, now + hour, None, now + hour):
        with store.transaction() as batch:
            batch.save([make.customer(next_due_at=due)])
    with store.transaction() as batch:
        assert batch.due(now, limit=9) == []
        assert batch.due(now + hour, limit=9) == ["anna"]
        batch.save([make.customer(next_due_at=None)])
    assert store.views.next_due_at() is None


def test_the_inbox_gives_each_input_once_and_in_order(store, make, now):
    report = DeliveryReport(message=make.message(), outcome=Outcome.ACCEPTED, at=now)
    told = [
        ("anna", make.event()),
        ("bert", report),
        ("anna", Merge(customer=make.customer("visitor", next_due_at=now), at=now)),
        ("carl", Tick(at=now)),
    ]
    with store.transaction() as batch:
        for to, what in told:
            batch.tell(to, what)
    assert store.views.status().inbox == 4
    with store.transaction() as batch:
        assert batch.take_inbox(limit=3) == told[:3]
    with store.transaction() as batch:
        assert batch.take_inbox(limit=3) == told[3:]
    with store.transaction() as batch:
        assert batch.take_inbox(limit=3) == []


def test_the_inbox_can_be_taken_by_partition(store, make):
    names = [f"customer-{number}" for number in range(20)]
    with store.transaction() as batch:
        for name in names:
            batch.tell(name, make.event())
    with store.transaction() as batch:
        taken = [batch.take_inbox(limit=99, partition=number) for number in range(4)]
    for number, entries in enumerate(taken):
        assert [to for to, _ in entries] == [n for n in names if store.partition_of(n) == number]
    assert store.views.status().inbox == 0


def test_a_partition_is_known_by_what_waits_in_its_inbox(store, make):
    with store.transaction() as batch:
        batch.tell("anna", make.event())
        batch.tell("anna", make.event())
    home = store.partition_of("anna")
    assert store.views.told_partitions() == [home]
    assert store.views.told_partitions(home) == [home]
    assert store.views.told_partitions((home + 1) % 4) == []


def test_a_reader_that_lost_its_stream_commits_nothing(opener, make, now):
    first, second = opener(), opener()
    mine = first.take_over("orders")
    with first.transaction("orders", mine.epoch) as batch:
        batch.advance("5", now)
    yours = second.take_over("orders")
    assert (yours.epoch, yours.position) == (mine.epoch + 1, "5")

    with (
        pytest.raises(Conflict, match="another reader took over the stream orders"),
        first.transaction("orders", mine.epoch) as batch,
    ):
        batch.save([make.customer()])
    with second.transaction("orders", yours.epoch) as batch:
        assert batch.load(["anna"]) == {}
        batch.advance("6")
    (cursor,) = second.views.status().cursors
    assert (cursor.position, cursor.read_to) == ("6", now)


def test_a_stream_that_nobody_took_over_is_refused(store):
    with pytest.raises(Conflict), store.transaction("orders", 1):
        raise AssertionError("unreachable")


def test_a_batch_without_a_stream_has_no_cursor_to_move(store):
    with pytest.raises(ValueError, match="reads no stream"), store.transaction() as batch:
        batch.advance("1")


def test_streams_have_cursors_of_their_own(store):
    one, other = store.take_over("events:1"), store.take_over("events:2")
    with store.transaction("events:1", one.epoch) as batch:
        batch.advance("7")
    with store.transaction("events:2", other.epoch) as batch:
        batch.advance("8")
    assert [cursor.position for cursor in store.views.status().cursors] == ["7", "8"]


def test_batches_of_two_threads_never_mix(opener, make):
    """Read, add one, write: with batches that overlapped, some of the steps would be lost."""
    stores = [opener(), opener()]
    with stores[0].transaction() as batch:
        batch.save([make.customer(traits={"count": 0})])

    def add_many(store):
        for _ in range(20):
            with store.transaction() as batch:
                anna = batch.load(["anna"])["anna"]
                batch.save([replace(anna, traits={"count": anna.traits["count"] + 1})])

    threads = [threading.Thread(target=add_many, args=[store]) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stores[0].views.customer("anna").traits == {"count": 40}


def test_the_outbox_takes_a_message_once(store, make, now):
    message = make.message()
    with store.transaction() as batch:
        batch.queue([message, message])
    with store.transaction() as batch:
        batch.queue([replace(message, template="another")])
    (kept,) = store.views.messages()
    assert kept.message == message
    assert kept.state is DeliveryState.QUEUED
    assert store.outbox.next_attempt_at() == now


def test_the_ledger_is_kept_line_by_line(store, now):
    consent = Consent(state=ConsentState.GRANTED, at=now, until=now + timedelta(days=1))
    entry = LedgerEntry(customer_id="anna", channel="email", purpose="news", consent=consent)
    with store.transaction() as batch:
        batch.ledger([entry, entry])


def test_statistics_add_up_over_batches(store):
    key = StatKey(20260303, 1, "cart", 3, "reminder", "email", "warm", "converted")
    for value in ("0.10", "0.20"):
        with store.transaction() as batch:
            row = StatRow(key=key, value=Decimal(value))
            batch.count_stats([row, row])
    (total,) = store.views.stats()
    assert (total.key, total.count, str(total.value)) == (key, 4, "0.6")


def test_journal_entries_are_counted_by_workflow_and_reason(store, make):
    entries = [
        make.entry(),
        make.entry(),
        make.entry(kind=Kind.DROPPED, reason="capped", step="reminder", channel="email"),
        make.entry(kind=Kind.ERROR, workflow="review"),
        # Counted by its receipt.
        make.entry(kind=Kind.DELIVERY, reason="accepted"),
    ]
    with store.transaction() as batch:
        batch.journal(entries)
    assert store.views.status().workflows == {
        "cart": {"entered": 2, "dropped:capped": 1},
        "review": {"error": 1},
    }
    assert list(store.views.timeline("anna").journal) == entries


def test_older_word_about_a_product_changes_nothing(store, now):
    with store.transaction() as batch:
        batch.save_products({"A1": {"in_stock": True}, "B2": {"price": 3.5}}, now)
    with store.transaction() as batch:
        batch.save_products({"A1": {"in_stock": False}}, now - timedelta(hours=1))
    assert store.views.products() == {"A1": {"in_stock": True}, "B2": {"price": 3.5}}
    with store.transaction() as batch:
        batch.save_products({"A1": {"in_stock": False}}, now)
    assert store.views.products()["A1"] == {"in_stock": False}


def test_occurrences_suppressions_and_pauses_are_known_again(store, now):
    suppression = Suppression(hash="h1", channel="email", scope="address", reason="hard", at=now)
    pause = Pause(scope="workflow:cart", reason="wrong price", at=now)
    with store.transaction() as batch:
        batch.set_occurrence("newsletter", now - timedelta(days=7))
        batch.set_occurrence("newsletter", now)
        batch.suppress([suppression])
    store.pause(pause)
    assert store.views.occurrences() == {"newsletter": now}
    assert store.views.suppressions(["h1", "h2"]) == [suppression]
    assert store.views.pauses() == [pause]
    assert store.resume("workflow:cart", at=now)
    assert not store.resume("workflow:cart", at=now)
    assert store.views.pauses() == []


def test_every_deployed_workflow_is_retained(store, now):
    store.deploy("r1", {"workflows": {"w1": {"id": "cart"}, "w2": {"id": "review"}}}, now)
    store.deploy("r2", {"workflows": {"w1": {"id": "cart"}}}, now + timedelta(hours=1))
    assert [ruleset.digest for ruleset in store.views.rulesets()] == ["r2", "r1"]
    assert store.views.retained_workflows() == {"w1": {"id": "cart"}, "w2": {"id": "review"}}
    store.deploy("r1", {"workflows": {}}, now + timedelta(hours=2))
    assert [ruleset.digest for ruleset in store.views.rulesets()] == ["r1", "r2"]
    newest = store.views.newest_revision()
    assert (newest.digest, newest.deployed_at) == ("r1", now + timedelta(hours=2))


def test_before_the_first_deploy_there_is_no_newest_revision(store):
    assert store.views.newest_revision() is None


def test_a_timeline_tells_events_journal_and_messages(store, make, now):
    hour = timedelta(hours=1)
    second = make.arrival(store.partition_of("anna"), occurred_at=now + hour, raw=b'{"b": 2}')
    first = make.arrival(store.partition_of("anna"), raw='{"é": 1}'.encode())
    other = make.arrival(store.partition_of("bert"), customer_id="bert")
    with store.transaction() as batch:
        batch.accept_events([second, first, other])
        batch.journal([make.entry(at=now + hour, event_id=second.event.id), make.entry()])
        batch.queue([make.message(), make.message(customer_id="bert")])
    timeline = store.views.timeline("anna")
    assert [event.payload for event in timeline.events] == ['{"é": 1}', '{"b": 2}']
    assert [entry.at for entry in timeline.journal] == [now, now + hour]
    assert len(timeline.messages) == 1
    assert store.views.event(second.event.id).customer_id == "anna"
    assert store.views.event("unknown") is None
    assert len(store.views.journal_of_event(second.event.id)) == 1


def test_the_journal_knows_whose_an_enrolment_was(store, make, now):
    with store.transaction() as batch:
        batch.journal(
            [
                make.entry(kind=Kind.ENTERED, enrolment_id="en-1"),
                make.entry(customer_id="bert", kind=Kind.ENTERED, enrolment_id="en-2"),
            ]
        )
    assert store.views.customer_of("en-2") == "bert"
    with store.transaction() as batch:
        later = now + timedelta(hours=1)
        batch.journal([make.entry(kind=Kind.ENTERED, enrolment_id="en-1", at=later)])
        batch.journal(
            [make.entry(customer_id="cleo", kind=Kind.ENTERED, enrolment_id="en-2", at=later)]
        )
    assert store.views.customer_of("en-2") == "cleo", "it is looked for from the end"
    assert store.views.customer_of("en") is None
    assert store.views.customer_of("en%2") is None


def test_dead_letters_are_listed_newest_first(store, make, now):
    cursor = store.take_over("orders")
    with store.transaction("orders", cursor.epoch) as batch:
        batch.dead_letter("not_json", at=now, raw=b"\xff{", detail="not UTF-8")
        batch.dead_letter("decide_failed", at=now, raw=b"{}", event=make.event(id="e1"))
    newest, oldest = store.views.dead_letters()
    assert (newest.event_id, newest.customer_id, newest.stream) == ("e1", "anna", "orders")
    assert (oldest.payload, oldest.detail) == ("\\xff{", "not UTF-8")
    assert store.views.dead_letters(reason="not_json") == [oldest]
    assert store.views.dead_letters(limit=1) == [newest]
