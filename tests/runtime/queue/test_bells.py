"""Doorbells: no ring is lost, none waits twice, and a worker's death silences none."""

from __future__ import annotations

import json
import logging
import pickle
import signal
import threading
import time
import zlib
from datetime import UTC, datetime, timedelta

import pytest
from redis import TimeoutError as RedisTimeout
from rq import Queue
from rq.cron_scheduler_registry import get_registry_key
from rq.job import Job
from rq.serializers import JSONSerializer
from support.production import lose, wait_for

from shopflow.errors import SettingsError
from shopflow.runtime.queue.bells import Bell, Bells, Kind
from shopflow.runtime.queue.schedule import BellCron, Schedule
from shopflow.runtime.queue.streams import Streams
from shopflow.runtime.queue.worker import BellWorker, hold_to_json

BELL = Bell(Kind.PROCESS, "7")


@pytest.fixture
def bells(queue):
    return Bells(*queue)


def waiting(queue, kind=Kind.PROCESS):
    redis, namespace = queue
    return Queue(f"{namespace}-{kind}", connection=redis, serializer=JSONSerializer).job_ids


def test_a_bell_waits_once_however_often_it_rings(queue, bells):
    for _ in range(3):
        bells.ring([BELL, BELL])
    assert waiting(queue) == [f"{queue[1]}-process-7"]


def test_jobs_are_json_and_say_no_more_than_their_bell(queue, bells):
    bells.ring([BELL])
    data = zlib.decompress(queue[0].hget(Job.key_for(waiting(queue)[0]), "data"))
    name, _, args, kwargs = json.loads(data)
    assert (name.rpartition(".")[2], args, kwargs) == ("answer", ["process-7"], {})


def test_a_ring_while_the_answer_ends_is_answered_by_the_next(queue, bells):
    redis, _ = queue
    bells.ring([BELL])
    job_id = redis.lpop(f"rq:queue:{queue[1]}-process").decode()
    bells.heard(BELL)
    bells.ring([BELL])
    assert waiting(queue) == []
    redis.delete(Job.key_for(job_id))
    bells.ring_again(BELL)
    assert waiting(queue) == [job_id]


def popped(queue):
    """A worker has taken the bell up, and died."""
    redis, namespace = queue
    return redis.lpop(f"rq:queue:{namespace}-process").decode()


def test_a_bell_whose_worker_died_rings_again(queue, bells, monkeypatch):
    monkeypatch.setattr("shopflow.runtime.queue.bells.GRACE", 0)
    bells.ring([BELL])
    bells.mend([BELL])
    job_id = popped(queue)
    other = Bells(*queue)
    assert other.hold(BELL)
    bells.mend([BELL])
    bells.mend([BELL])
    assert waiting(queue) == [], "somebody is answering"
    other.free(BELL)
    bells.mend([BELL])
    assert waiting(queue) == [], "somebody may be about to answer"
    bells.mend([BELL])
    assert waiting(queue) == [job_id]


def test_a_bell_has_a_while_to_be_taken_up_however_long_it_waited(queue, bells):
    bells.ring([BELL])
    redis, namespace = queue
    redis.hset(f"rq:job:{namespace}-{BELL}", "created_at", "2020-01-01T00:00:00.000000Z")
    popped(queue)
    for _ in range(3):
        bells.mend([BELL])
    assert waiting(queue) == []


def test_a_bell_rung_anew_is_not_suspected_for_the_one_before(queue, bells, monkeypatch):
    monkeypatch.setattr("shopflow.runtime.queue.bells.GRACE", 0)
    redis, namespace = queue
    for at in ("2026-03-01T10:00:00.000000Z", "2026-03-01T10:00:01.000000Z"):
        bells.ring([BELL])
        redis.hset(f"rq:job:{namespace}-{BELL}", "created_at", at)
        job_id = popped(queue)
        bells.mend([BELL])
        assert waiting(queue) == []
        redis.delete(Job.key_for(job_id))


def test_leases_and_suspicions_end_although_the_clock_of_redis_was_set_back(
    queue, bells, monkeypatch
):
    """Then what was to last seconds would last until that clock has come as far again."""
    monkeypatch.setattr("shopflow.runtime.queue.bells.GRACE", 0)
    redis, namespace = queue
    bells.ring([BELL])
    job_id = popped(queue)
    Bells(*queue).hold(BELL)
    redis.pexpire(f"{namespace}:lease:{BELL}", 3_600_000)
    bells.mend([BELL])
    assert 0 < redis.pttl(f"{namespace}:lease:{BELL}") <= 10_000
    redis.delete(f"{namespace}:lease:{BELL}")
    bells.mend([BELL])
    redis.pexpire(f"{namespace}:suspected:{BELL}", 3_600_000)
    bells.mend([BELL])
    assert 0 < redis.pttl(f"{namespace}:suspected:{BELL}") <= 60_000
    bells.mend([BELL])
    assert waiting(queue) == [job_id]


def test_a_lease_is_its_owners_only(queue, bells):
    other = Bells(*queue)
    assert bells.hold(BELL)
    assert not other.hold(BELL)
    assert not other.renew(BELL)
    other.free(BELL)
    assert bells.renew(BELL)
    bells.free(BELL)
    assert other.hold(BELL)


def test_two_schedulers_ring_once_and_their_clocks_tick_once(house, monkeypatch):
    app = type(house.app)(loaded=house.loaded, store=house.store)
    fleets = [house.worker(app=app) for _ in range(2)]
    schedules = [Schedule(fleet.streams, fleet.bells) for fleet in fleets]
    rung, ring = [], Bells.ring

    def and_tell(bells, some):
        ring(bells, some)
        rung.append(bells)

    monkeypatch.setattr(Bells, "ring", and_tell)
    for schedule in schedules:
        schedule.start()
    try:
        wait_for(lambda: {*map(id, rung)} == {id(fleet.bells) for fleet in fleets})
        assert waiting((house.redis, house.namespace), Kind.CLOCK) == [f"{house.namespace}-clock"]
    finally:
        for schedule in schedules:
            schedule.end()
    for fleet in fleets:
        fleet.answer(Bell(Kind.CLOCK))
        fleet.answered()
    assert fleets[0].streams.lengths()[0] == 1


def test_the_clock_rings_again_although_the_worker_that_answered_it_died(house, monkeypatch):
    """Whoever looks after dead workers must not be silenced by one."""
    monkeypatch.setattr("shopflow.runtime.queue.bells.GRACE", 0.1)
    fleet = house.worker()
    fleet.bells.ring([Bell(Kind.CLOCK)])
    assert house.redis.lpop(f"rq:queue:{house.namespace}-clock")
    schedule = Schedule(fleet.streams, fleet.bells)
    schedule.start()
    try:
        wait_for(lambda: waiting((house.redis, house.namespace), Kind.CLOCK) != [], seconds=30)
    finally:
        schedule.end()


def test_the_clock_ticks_although_that_of_redis_was_set_back(house):
    app = type(house.app)(loaded=house.loaded, store=house.store)
    fleet = house.worker(app=app)
    for _ in range(2):
        fleet.answer(Bell(Kind.CLOCK))
        fleet.answered()
        house.redis.pexpire(f"{house.namespace}:ticked", 3_600_000)
    assert fleet.streams.lengths()[0] == 2


def test_a_schedule_goes_on_although_the_clock_on_the_wall_was_set_back(bells, monkeypatch):
    cron = BellCron(bells, BELL, 2)
    assert cron.should_run()
    cron.enqueue(None)
    cron.set_enqueue_time(datetime.now(UTC) + timedelta(hours=1))
    assert not cron.should_run()
    now = time.monotonic()
    monkeypatch.setattr("shopflow.runtime.queue.schedule.time.monotonic", lambda: now + 3)
    assert cron.should_run()


def test_whoever_listens_at_the_door_is_not_kept_waiting_for_ever(house, monkeypatch):
    monkeypatch.setattr("shopflow.runtime.queue.schedule.SILENCE", 0.2)
    fleet = house.worker()
    schedule = Schedule(fleet.streams, fleet.bells)
    with pytest.raises(RedisTimeout):
        schedule._streams.listen(None, 0)


def test_messages_in_the_hands_of_a_dead_worker_ring_although_its_bell_is_lost(house):
    fleet = house.worker()
    price = {"sku": "A1", "price": 600.0}
    event = {"id": "e1", "type": "product.viewed", "customer_id": "c1", "data": price}
    house.add([json.dumps(event | {"occurred_at": "2026-03-01T10:00:00Z"})])
    for bell in [Bell(Kind.INGEST), *map(fleet.partition_bell, range(fleet.streams.partitions))]:
        fleet.answer(bell)
        fleet.answered()
    now = datetime.now(UTC)
    # On the clock of recorded events, which has no end, everything is due.
    taken = house.store.outbox.lease(
        "log", limit=9, now=now, owner="turn-0:log", lease_for=timedelta(minutes=15)
    )
    assert taken
    lose(house.redis, house.namespace)
    assert Bell(Kind.DELIVER, "log") in fleet.look()


def test_an_event_at_the_door_rings_at_once(house, monkeypatch):
    fleet = house.worker()
    at_the_door, listen = threading.Event(), Streams.listen

    def and_tell(streams, after, millis):
        at_the_door.set()
        return listen(streams, after, millis)

    monkeypatch.setattr(Streams, "listen", and_tell)
    schedule = Schedule(fleet.streams, fleet.bells)
    schedule.start()
    try:
        assert at_the_door.wait(30)
        house.add(["anything"])
        wait_for(lambda: waiting((house.redis, house.namespace), Kind.INGEST), seconds=5)
    finally:
        schedule.end()


def test_a_schedule_that_redis_has_forgotten_ends_like_any_other(house, caplog):
    schedule = Schedule(house.worker().streams, house.worker().bells)
    registered = (get_registry_key(), schedule._cron.name)
    schedule.start()
    try:
        wait_for(lambda: house.redis.zscore(*registered), seconds=5)
        house.redis.zrem(*registered)
    finally:
        schedule.end()
    assert not schedule.is_alive()
    assert "stumbled" not in caplog.text


def test_a_worker_refuses_a_queue_with_a_pickled_job(house):
    fleet = house.worker()
    name = fleet.bells.queue_name(Kind.PROCESS)
    Queue(name, connection=house.redis).enqueue("os.getcwd", job_id=f"{house.namespace}-evil")
    with pytest.raises(SettingsError, match=r"holds a pickled job.*rq empty"):
        hold_to_json(fleet)


class Evil:
    def __reduce__(self):
        return print, ("never",)


def test_a_job_is_neither_unpickled_nor_called_by_name(house, capsys, caplog):
    """Written after the worker has looked at its queues."""
    fleet = house.worker()
    rounds = []

    def find_more():
        if rounds:
            return False
        rounds.append(1)
        queue = Queue(fleet.bells.queue_name(Kind.INGEST), connection=house.redis)
        queue.enqueue("builtins.print", "never", job_id=f"{house.namespace}-print")
        evil = queue.enqueue("builtins.print", "x", job_id=f"{house.namespace}-ingest")
        house.redis.hset(evil.key, "data", pickle.dumps(Evil()))
        return True

    with caplog.at_level(logging.CRITICAL, logger="rq.worker"):
        in_main_thread(BellWorker(fleet, find_more=find_more).run)
    assert "never" not in capsys.readouterr().out
    assert rounds


def in_main_thread(run):
    """RQ takes over signals; the test gets its own back."""
    assert threading.current_thread() is threading.main_thread()
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        run()
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
