"""Workers that start: several at once, on a database without tables, or while Redis hangs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from redis.exceptions import TimeoutError as RedisTimeout
from support.production import scratch_database

from shopflow.cli.worker import _work
from shopflow.runtime.queue.burst import Burst
from shopflow.runtime.queue.worker import hold_to_json
from shopflow.store.opening import open_store


def test_several_workers_make_the_tables_once():
    with scratch_database() as url, ThreadPoolExecutor(6) as starting:
        stores = list(starting.map(lambda _: open_store(url, partitions=8), range(6)))
        try:
            assert [store.take_over("events:0").epoch for store in stores] == [1, 2, 3, 4, 5, 6]
        finally:
            for store in stores:
                store.close()


def test_a_redis_that_stands_still_while_a_worker_starts_is_asked_again(house, monkeypatch):
    answers = iter([RedisTimeout("standing still")])

    def asked(fleet):
        for error in answers:
            raise error
        return hold_to_json(fleet)

    monkeypatch.setattr("shopflow.cli.worker.hold_to_json", asked)
    monkeypatch.setattr("shopflow.cli.worker.AGAIN", 0)
    fleet = house.worker()
    burst = Burst(fleet)
    _work(fleet, burst)
    assert burst.done
    assert not list(answers)
