"""Two readers that both believe a stream is theirs; streams that were lost; who routes what."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import count, islice

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.production import PARTITIONS, lose, scratch_database

from shopflow.domain.event import IDENTIFIED, Tick
from shopflow.errors import Conflict
from shopflow.runtime.ingest import Accepted, Ingest, routing_id
from shopflow.runtime.queue.bells import Kind
from shopflow.runtime.queue.intake import Intake, subject_of
from shopflow.runtime.queue.partition import CROWD, Reader
from shopflow.runtime.queue.streams import START, EntryId, Moved, Routed
from shopflow.store.opening import open_store

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)


def look(number, customer="c1", minutes=0):
    return json.dumps(
        {
            "id": f"e{number}",
            "type": "product.viewed",
            "occurred_at": (NOW + timedelta(minutes=minutes)).isoformat(),
            "customer_id": customer,
            "data": {"sku": "A1", "price": 600.0},
        }
    )


def never():
    return False


def route(fleet):
    Intake(fleet.app.store, fleet.streams).work(lambda _: None, never)


def of(fleet, customer):
    return fleet.app.store.partition_of(customer)


@pytest.fixture(params=["sqlite", "postgres"])
def any_house(request, house):
    """On PostgreSQL too, where two readers' transactions really run side by side."""
    if request.param == "sqlite":
        yield house
        return
    with scratch_database() as url:
        house.store.close()
        house.store = open_store(url, partitions=PARTITIONS)
        house.app = type(house.app)(loaded=house.loaded, store=house.store, event_clock=True)
        yield house


def test_of_two_readers_of_a_partition_the_one_that_came_last_commits(any_house):
    fleet = any_house.worker()
    partition = of(fleet, "c1")
    any_house.add([look(number) for number in range(10)])
    route(fleet)
    first = Reader(fleet.deciders, fleet.streams, partition)
    entries = first._read()
    second = Reader(fleet.deciders, fleet.streams, partition)
    with pytest.raises(Conflict):
        first._decide(entries, never)
    assert any_house.events == {}
    second.work(never)
    assert any_house.events == {"accepted": 10}
    any_house.add([look(10)])
    route(fleet)
    with pytest.raises(Conflict):
        first.work(never)
    assert any_house.events == {"accepted": 10}
    # One for the price that was looked at, one for looking three times.
    assert len(any_house.sends()) == 2


def test_a_reader_that_lost_its_right_fires_no_timer_and_hears_nothing(any_house):
    fleet = any_house.worker()
    partition = of(fleet, "c1")
    any_house.add([look(1)])
    route(fleet)
    Reader(fleet.deciders, fleet.streams, partition).work(never)
    before = any_house.sends()
    stale = Reader(fleet.deciders, fleet.streams, partition)
    Reader(fleet.deciders, fleet.streams, partition)
    fleet.streams.add_tick(NOW + timedelta(hours=2))
    route(fleet)
    with pytest.raises(Conflict):
        stale.work(never)
    assert any_house.sends() == before
    lose(any_house.redis, any_house.namespace)
    with any_house.store.transaction() as batch:
        batch.tell("c1", Tick(at=NOW + timedelta(hours=2)))
    with pytest.raises(Conflict):
        stale.work(never)
    assert any_house.store.views.told_partitions() == [partition]


def test_of_two_readers_of_the_door_one_routes_each_entry(house):
    fleet = house.worker()
    house.add([look(number, f"c{number}") for number in range(20)])
    streams = fleet.streams
    before = streams.ingest_cursor()
    entries = streams.read(streams.door, before)
    route(fleet)
    routed = [Routed(0, entry) for entry in entries]
    with pytest.raises(Moved):
        streams.route((before, entries[-1].id), routed)
    assert sum(streams.lengths()[1]) == 20
    assert streams.lengths()[0] == 0


def test_a_worker_that_answers_after_another_goes_on_where_that_one_stopped(house):
    one, two = house.worker(), house.worker()
    bell = one.partition_bell(of(one, "c1"))
    for number, fleet in enumerate([one, two, one, two]):
        house.add([look(number)])
        route(fleet)
        fleet.answer(bell)
        fleet.answered()
    assert house.events == {"accepted": 4}


def test_while_one_answers_a_bell_another_leaves_it_alone(house):
    one, two = house.worker(), house.worker()
    bell = one.partition_bell(of(one, "c1"))
    house.add([look(1)])
    route(one)
    assert one.bells.hold(bell)
    two.answer(bell)
    two.answered()
    assert house.events == {}
    one.bells.free(bell)
    two.answer(bell)
    assert house.events == {"accepted": 1}


def test_streams_that_were_lost_begin_anew_and_what_is_sent_again_counts_as_known(house):
    fleet = house.worker()
    partition = of(fleet, "c1")
    reader = Reader(fleet.deciders, fleet.streams, partition)
    house.add([look(1), look(2)])
    route(fleet)
    reader.work(never)
    lose(house.redis, house.namespace)
    # The clock of the new server is behind: its places are lower than those that were read.
    house.redis.xadd(fleet.streams.of(partition), {"event": look(2)}, id="5-0")
    house.redis.xadd(fleet.streams.of(partition), {"event": look(3)}, id="6-0")
    reader.work(never)
    assert house.events == {"accepted": 3, "duplicate": 1}
    Reader(fleet.deciders, fleet.streams, partition).work(never)
    assert house.events == {"accepted": 3, "duplicate": 1}


def test_a_door_that_was_lost_is_read_from_its_new_beginning(house):
    fleet = house.worker()
    house.add([look(1)])
    route(fleet)
    house.redis.delete(fleet.streams.door)
    house.redis.xadd(fleet.streams.door, {"event": look(2)}, id="5-0")
    route(fleet)
    fleet.answer(fleet.partition_bell(of(fleet, "c1")))
    assert house.events == {"accepted": 2}


def test_entries_left_by_a_reader_that_died_after_its_commit_go_away(house):
    fleet = house.worker()
    key = fleet.streams.of(of(fleet, "c1"))
    house.add([look(1)])
    route(fleet)
    entry = house.redis.xrange(key)[0]
    Reader(fleet.deciders, fleet.streams, of(fleet, "c1")).work(never)
    house.redis.delete(key)
    house.redis.xadd(key, entry[1], id=entry[0])
    Reader(fleet.deciders, fleet.streams, of(fleet, "c1")).work(never)
    assert house.redis.xlen(key) == 0
    assert house.events == {"accepted": 1}


def test_a_tick_reaches_only_partitions_where_it_can_change_something(house):
    fleet = house.worker()
    house.add([look(1)])
    fleet.streams.add_tick()
    route(fleet)
    assert [length for length in fleet.streams.lengths()[1] if length] == [2]


def test_a_tick_from_a_clock_that_is_ahead_fires_nothing_early(house):
    fleet = house.worker()
    partition = of(fleet, "c1")
    house.add([json.dumps(json.loads(look(1)) | {"occurred_at": datetime.now(UTC).isoformat()})])
    route(fleet)
    far = EntryId(int((datetime.now(UTC) + timedelta(days=2)).timestamp() * 1000))
    house.redis.xadd(fleet.streams.of(partition), {"tick": ""}, id=str(far))
    Reader(fleet.deciders, fleet.streams, partition).work(never)
    assert len(house.sends()) == 1  # what its price sends at once


def test_events_behind_a_tick_wait_for_a_part_of_its_timers_only(house):
    fleet = house.worker()
    partition = of(fleet, "c1")
    names = (f"c{number}" for number in count(1))
    crowd = [*islice((name for name in names if of(fleet, name) == partition), CROWD + 1)]
    house.add([look(number, name) for number, name in enumerate(crowd)])
    route(fleet)
    Reader(fleet.deciders, fleet.streams, partition).work(never)
    fleet.streams.add_tick()
    house.add([look(len(crowd), "c1", minutes=1)])
    route(fleet)
    found = []
    fleet.bells.ring([fleet.partition_bell(partition)])
    while fleet.bells.wait([Kind.PROCESS]):
        house.redis.delete(*house.redis.keys(f"rq:*{house.namespace}-process*"))
        fleet.answer(fleet.partition_bell(partition))
        fleet.answered()
        due_at = house.store.views.next_due_at(partition)
        is_due = due_at is not None and due_at <= datetime.now(UTC)
        found.append((house.events["accepted"] - len(crowd), is_due))
    assert found == [(1, True), (1, False)]
    assert house.redis.xlen(fleet.streams.of(partition)) == 0


def test_a_tick_that_was_put_behind_is_still_of_its_instant(streams):
    streams.redis.xadd(streams.of(0), {"tick": "", "at": "1000-0"})
    streams.redis.xadd(streams.of(1), {"tick": ""}, id="2000-0")
    for partition, instant in ((0, 1), (1, 2)):
        [first] = streams.read(streams.of(partition), START)
        streams.put_behind(streams.of(partition), first)
        [again] = streams.read(streams.of(partition), first.id)
        assert again.tick == first.tick
        assert again.tick.at == datetime.fromtimestamp(instant, UTC)


def test_a_place_that_somebody_made_up_stops_nobody(house):
    fleet = house.worker()
    house.redis.xadd(fleet.streams.door, {"event": look(1)}, id=f"{2**63}-1")
    house.add([look(2)])
    route(fleet)
    fleet.answer(fleet.partition_bell(of(fleet, "c1")))
    assert house.events == {"accepted": 2}


ids = st.one_of(st.none(), st.sampled_from(["c1", "a1", "", " ", "é", "x" * 300]), st.integers())
envelopes = st.fixed_dictionaries(
    {"occurred_at": st.just(NOW.isoformat())},
    optional={
        "id": ids,
        "type": st.sampled_from(["product.viewed", IDENTIFIED, "no.such"]),
        "customer_id": ids,
        "anonymous_id": ids,
        "data": st.one_of(
            st.just({"sku": "A1", "price": 1.0}),
            st.fixed_dictionaries({}, optional={"customer_id": ids, "anonymous_id": ids}),
            st.none(),
        ),
    },
)


@pytest.fixture(scope="session")
def ingest(loaded):
    return Ingest(loaded.events.schemas)


@given(envelope=envelopes)
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_good_event_is_routed_by_the_id_that_it_is_decided_by(ingest, envelope):
    raw = json.dumps(envelope).encode()
    read = ingest.read(raw, received_at=NOW)
    if isinstance(read, Accepted):
        subject = subject_of(raw)
        assert subject.id == routing_id(read.event)
        assert subject.nobodys == ("" if read.event.concerns else read.event.type)
    else:
        subject_of(raw)
