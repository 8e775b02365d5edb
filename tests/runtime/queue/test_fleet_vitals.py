"""How a fleet is, read off a real Redis and a database: lag, workers, and what they counted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import redis as redis_client
from support.production import PARTITIONS, generated, wait_for

from shopflow.errors import StoreError
from shopflow.report.vitals import Part
from shopflow.runtime.meter import Meter
from shopflow.runtime.queue.bells import Bell, Kind
from shopflow.runtime.queue.pulse import Board, Pulse, RulesAtWork
from shopflow.runtime.queue.streams import Streams
from shopflow.runtime.queue.vitals import DOOR, FleetVitals, lags_of

NOW = datetime(2026, 3, 3, 10, tzinfo=UTC)


def rules():
    return RulesAtWork(digest="d1", revision="b1")


@pytest.fixture
def board(queue):
    return Board(*queue)


def lags(house, streams):
    return {lag.stream: lag for lag in lags_of(streams, house.store.views.vitals().cursors)}


def ingest(fleet):
    fleet.answer(Bell(Kind.INGEST))
    fleet.answered()


def process(fleet):
    for number in range(PARTITIONS):
        fleet.answer(fleet.partition_bell(number))
        fleet.answered()


def test_the_lag_follows_entries_from_the_door_to_their_partition(house, streams):
    fleet = house.worker()
    assert {lag.entries for lag in lags(house, streams).values()} == {0}
    house.add(generated(60))
    at_the_door = lags(house, streams)
    assert (at_the_door[DOOR].entries, at_the_door["0"].entries) == (60, 0)
    ingest(fleet)
    routed = lags(house, streams)
    assert routed[DOOR].entries == 0
    assert sum(lag.entries for lag in routed.values()) == 60
    # It has waited since it came to the door, not since it was routed.
    assert max(lag.seconds for lag in routed.values()) >= at_the_door[DOOR].seconds
    process(fleet)
    assert {(lag.entries, lag.seconds) for lag in lags(house, streams).values()} == {(0, 0.0)}


def test_entries_that_have_served_and_were_not_taken_away_are_no_lag(house, streams):
    fleet = house.worker()
    house.add(generated(20))
    ingest(fleet)
    kept = [streams.redis.dump(streams.of(number)) for number in range(PARTITIONS)]
    process(fleet)
    # As after a kill between the commit and the trimming.
    for number, stream in enumerate(kept):
        if stream is not None:
            streams.redis.restore(streams.of(number), 0, stream, replace=True)
    assert {lag.entries for lag in lags(house, streams).values()} == {0}


def test_after_redis_was_lost_everything_in_a_stream_waits(house, streams):
    fleet = house.worker()
    house.add(generated(40))
    ingest(fleet)
    process(fleet)
    for number in range(PARTITIONS):
        streams.redis.delete(streams.of(number))
        streams.redis.xadd(streams.of(number), {"event": "{}"}, id="1-1")
    found = lags(house, streams)
    assert [found[str(number)].entries for number in range(PARTITIONS)] == [1] * PARTITIONS


def test_the_sums_of_all_workers_are_added_up(board):
    one, other = Meter(), Meter()
    one.add("busy", "process", amount=1.5)
    other.add("busy", "process", amount=2.0)
    other.mark("tick", at=NOW)
    board.hand_on(one)
    board.hand_on(other)
    board.hand_on(one)
    sums, marks, _ = board.read()
    assert sums == {("busy", "process"): 3.5}
    assert marks == {("tick",): NOW.timestamp()}


def test_what_redis_did_not_hear_is_told_later():
    away = redis_client.Redis(port=1, socket_connect_timeout=1)
    meter = Meter()
    meter.add("busy", "process")
    with pytest.raises(redis_client.RedisError):
        Board(away, "t").hand_on(meter)
    assert meter.sums == {("busy", "process"): 1.0}


def test_a_worker_is_seen_while_it_lives_and_what_it_counted_stays(board):
    meter = Meter()
    pulse = Pulse(
        board,
        meter,
        queues=["process", "ingest"],
        rules=rules,
    )
    pulse.start()
    wait_for(lambda: board.read()[2])
    ((seen,), meter_sums) = (board.read()[2], board.read()[0])
    assert (seen.queues, seen.digest, meter_sums) == (("process", "ingest"), "d1", {})
    assert seen.resident > 1_000_000
    meter.add("busy", "process", amount=4.0)
    pulse.end()
    sums, _, workers = board.read()
    assert workers == []
    assert sums == {("busy", "process"): 4.0}


def test_a_worker_that_was_killed_is_forgotten(board, queue):
    redis, namespace = queue
    pulse = Pulse(board, Meter(), queues=["process"], rules=rules)
    pulse._beat()
    (seen,) = board.read()[2]
    board.tell(replace(seen, seen_at=seen.seen_at - timedelta(seconds=60)))
    assert board.read()[2] == []
    assert redis.hlen(f"{namespace}:workers") == 0


def test_a_part_that_is_away_is_a_finding(house, streams):
    def no_database():
        raise StoreError("away")

    found = FleetVitals(streams, no_database).read()
    assert found.up == {Part.DATABASE: False, Part.REDIS: True}
    assert len(found.lags) == PARTITIONS + 1
    away = Streams(redis_client.Redis(port=1), "t", PARTITIONS)
    found = FleetVitals(away, lambda: house.store).read()
    assert found.up == {Part.DATABASE: True, Part.REDIS: False}
    assert found.store is not None
