"""Whoever can write to Redis writes what they like: it is refused, and the worker goes on.

A Redis of one's own, so that every key in it can be ruined, those of RQ too.
"""

from __future__ import annotations

import json
import pickle
from functools import partial

import pytest
from support.faults import Workers
from support.production import a_shop, generated
from support.servers import Missing, PrivateRedis, missing

pytestmark = pytest.mark.slow

#: A key of each type that it is not to have.
RUIN = {
    "string": lambda redis, key: redis.set(key, b"\x80\xffgarbage"),
    "list": lambda redis, key: redis.rpush(key, b"\xff", "x"),
    "hash": lambda redis, key: redis.hset(key, b"\xff", "x"),
    "set": lambda redis, key: redis.sadd(key, b"\xff", "x"),
    "sorted set": lambda redis, key: redis.zadd(key, {b"\xff": 1}),
    "stream": lambda redis, key: redis.xadd(key, {b"\xff": b"\x80"}),
}
LINES = generated(120, seed=21)


@pytest.fixture
def shop(tmp_path):
    try:
        private = PrivateRedis()
    except Missing as error:
        missing(error)
    with private as redis, a_shop(tmp_path, redis=redis.url) as found:
        yield found


@pytest.fixture
def workers(shop):
    with Workers(shop, 1) as found:
        yield found


def ruin(redis, make, but=()):
    """Every key there is has become something else."""
    keys = [key for key in redis.scan_iter("*") if key not in but]
    for key in keys:
        # At once, as a worker may make it anew in between.
        with redis.pipeline() as both:
            both.delete(key)
            make(both, key)
            both.execute()
    return keys


def taken(shop):
    return sum(shop.status().events.values())


@pytest.mark.parametrize("kind", RUIN)
def test_every_key_of_a_wrong_type(shop, workers, kind):
    shop.add(LINES[:60])
    workers.work_until(lambda: taken(shop) == 60)
    keys = ruin(shop.redis, RUIN[kind])
    # Streams, cursors, leases and bells of ours, and what RQ keeps.
    assert {key.partition(b":")[0].decode() for key in keys} == {"rq", shop.namespace}
    # Of the wrong type or not, some of it is in its way now; it says so and lives.
    workers.work_until(partial(complained, shop, workers))
    shop.redis.flushdb()
    shop.add(LINES[60:])
    workers.work_until(lambda: shop.status().events.get("accepted") == len(LINES))
    assert workers.running[0].poll() is None
    workers.work_until(lambda: shop.status().messages == {"sent": len(shop.sends())})


def complained(shop, workers):
    said = workers.said()
    # A stream of streams has nothing wrong for the streams: those entries are dead letters.
    return "Redis refuses: something else writes" in said or "dead_letter" in shop.status().events


def test_entries_that_are_huge_or_no_events(shop, workers):
    huge = {"id": "huge", "type": "product.viewed", "data": {"sku": "x" * 6_000_000}}
    bad = [
        {"event": json.dumps(huge)},
        {"event": b"[" * 200_000},
        {"event": b"\x80\x04\x95" + bytes(range(256))},
        {"event": pickle.dumps(print)},
        {"event": ""},
        {b"\xff" * 1000: b"\x00" * 100_000},
        {f"field {number}": "x" for number in range(5_000)},
        {"event": "null", "tick": "", "at": b"\xff", "copy": "yes"},
        {"tick": "no time"},
    ]
    for fields in bad:
        shop.redis.xadd(shop.door, fields)
    # Past the door, as only a worker writes.
    for fields in bad:
        shop.redis.xadd(f"{shop.namespace}:0:events", fields)
    shop.redis.set(f"{shop.namespace}:ingest:cursor", b"\xff-no place")
    shop.add(LINES)
    workers.work_until(lambda: shop.status().events.get("accepted") == len(LINES))
    workers.work_until(workers.is_done)
    # What came as a copy is counted where it is none.
    assert shop.status().events["dead_letter"] in {2 * len(bad), 2 * len(bad) - 1}
    assert workers.running[0].poll() is None


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_jobs_that_are_no_bells(shop, workers, tmp_path):
    shop.add(LINES[:60])
    workers.work_until(lambda: taken(shop) == 60)
    proof = str(tmp_path / "proof")
    evil = pickle.dumps(Evil(proof))
    call = json.dumps(["os.system", None, [f"touch {proof}"], {}])
    told = {"created_at": "2026-03-01T10:00:00.000000Z", "status": "queued", "origin": "x"}
    hashes = {
        "pickled": {**told, "data": evil},
        "called": {**told, "data": call},
        "no-time": {"data": call, "created_at": "never"},
        "no-data": told,
        "odd": {b"\xff": b"\xff"},
        f"{shop.namespace}-process-999": {**told, "data": evil},
        f"{shop.namespace}-deliver-../../x": {**told, "data": call, "timeout": "x", "meta": evil},
    }
    jobs = [b"\xff\xfe", "", "no-such-job", "x" * 100_000, *hashes]
    for job, fields in hashes.items():
        shop.redis.hset(f"rq:job:{job}", mapping=fields)
    # A job of the right name with somebody's own data: the bell is answered, and that is all.
    bell = f"{shop.namespace}-process-3"
    shop.redis.delete(f"rq:job:{bell}")
    shop.redis.hset(f"rq:job:{bell}", mapping={**told, "data": evil})
    for kind in ("clock", "ingest", "process", "deliver", "sweep"):
        shop.redis.rpush(f"rq:queue:{shop.namespace}-{kind}", *jobs, bell)
    shop.add(LINES[60:])
    workers.work_until(lambda: shop.status().events.get("accepted") == len(LINES))
    waiting = [f"rq:queue:{shop.namespace}-{kind}" for kind in ("clock", "ingest", "process")]
    workers.work_until(lambda: not any(map(shop.redis.llen, waiting)))
    assert workers.running[0].poll() is None
    assert not (tmp_path / "proof").exists()
