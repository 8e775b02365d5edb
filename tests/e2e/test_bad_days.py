"""Bad days of the servers: after each, the sums hold and the sends are those of `simulate`."""

from __future__ import annotations

import json
import random
import shutil
import signal
import threading
from contextlib import ExitStack, suppress

import psycopg
import pytest
from support.capped import CAPPED, MOST, most_within
from support.faults import Workers
from support.production import (
    FACTS,
    a_shop,
    administer,
    generated,
    sends_in,
    write_files,
    write_lines,
)
from support.running import shopflow
from support.servers import Missing as NoServer
from support.servers import PrivatePostgres, PrivateRedis, missing

pytestmark = pytest.mark.slow

LINES = generated(400, seed=7)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """What `simulate` says that is sent for the lines."""
    folder = tmp_path_factory.mktemp("simulated")
    shutil.copytree(FACTS, folder, dirs_exist_ok=True)
    write_files(folder, CAPPED)
    path = folder / "sends.jsonl"
    events = write_lines(folder, LINES)
    shopflow(folder, "simulate", str(events), "--until", "drain", "--sends", str(path))
    sends = sends_in(path)
    assert most_within(sends) == MOST, "the cap holds something back"
    return sends


@pytest.fixture(scope="module")
def servers():
    """A Redis and a PostgreSQL that may be killed."""
    with ExitStack() as opened:
        try:
            redis = opened.enter_context(PrivateRedis())
            settings = {"max_connections": 20, "deadlock_timeout": "50ms"}
            postgres = opened.enter_context(PrivatePostgres(**settings))
        except NoServer as error:
            missing(error)
        yield redis, postgres


@pytest.fixture
def redis(servers):
    return servers[0]


@pytest.fixture
def postgres(servers):
    return servers[1]


@pytest.fixture
def shop(tmp_path, redis, postgres):
    with a_shop(tmp_path, redis=redis.url, postgres=postgres.url, files=CAPPED) as shop:
        yield shop


def check(shop, expected, **events):
    """Works until no timer is left; then the sums hold."""
    shop.finish("drain", workers=1)
    status = shop.status()
    assert status.events == {"accepted": len(LINES), **events}
    sends = shop.sends()
    assert sends == expected
    assert most_within(sends) == MOST
    assert status.messages == {"sent": len(expected)}
    assert status.inbox == 0
    assert shop.waiting() == 0


def restarted(postgres, _shop, _workers):
    postgres.stop()
    postgres.start()


def crashed(postgres, _shop, workers):
    postgres.crash()
    workers.wait_for_word("cannot be reached")
    postgres.start()


def held_up(postgres, _shop, workers):
    with postgres.held_up():
        workers.rounds(2)


def out_of_connections(postgres, shop, workers):
    """All connections are somebody else's, and those of the workers are ended."""
    with ExitStack() as taken:

        def take_all():
            with suppress(psycopg.OperationalError):
                while True:
                    taken.enter_context(psycopg.connect(postgres.url))

        name = shop.database.rpartition("/")[2]
        end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        with psycopg.connect(postgres.url, autocommit=True) as keeper:
            while "no connection left" not in workers.said():
                take_all()
                keeper.execute(end)
        workers.rounds(1)


FAULTS = [restarted, crashed, held_up, out_of_connections]


def test_postgresql_restarted_crashed_held_up_and_without_connections(shop, postgres, expected):
    each = len(LINES) // len(FAULTS)
    with Workers(shop) as workers:
        # One that is still beginning waits for the server, and rings nothing meanwhile.
        workers.rounds(1)
        for number, fault in enumerate(FAULTS):
            begun = shop.done()
            shop.add(LINES[number * each : (number + 1) * each])
            workers.work_until(lambda: shop.done() > begun)  # noqa: B023
            fault(postgres, shop, workers)
        workers.work_until(workers.is_done)
    check(shop, expected)


def test_serialisation_failures_and_deadlocks(shop, postgres, expected):
    name = shop.database.rpartition("/")[2]
    strict = f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'"
    administer(postgres.url, strict)
    ended = threading.Event()
    quarrel = threading.Thread(target=quarrelling, args=(shop.database, ended))
    with Workers(shop) as workers:
        try:
            shop.add(LINES[:20])
            workers.work_until(workers.is_done)
            quarrel.start()
            shop.add(LINES[20:])
            workers.wait_for_word("other workers wrote the same rows at once")
        finally:
            ended.set()
        quarrel.join()
        workers.work_until(workers.is_done)
    check(shop, expected)


def quarrelling(database, ended):
    """Another program that locks customers one by one, from the last to the first."""
    with psycopg.connect(database, autocommit=True) as connection:
        while not ended.is_set():
            with suppress(psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
                quarrel(connection)


def quarrel(connection):
    found = connection.execute("SELECT partition, id FROM customers ORDER BY 1 DESC, 2 DESC")
    with connection.transaction():
        for key in found.fetchmany(60):
            connection.execute(
                "UPDATE customers SET state_version = state_version "
                "WHERE partition = %s AND id = %s",
                key,
            )


def test_redis_killed_and_started_again_empty(shop, redis, expected):
    with Workers(shop) as workers:
        shop.add(LINES)
        begun = shop.done()
        workers.work_until(lambda: shop.done() > begun)
        redis.stop(signal.SIGKILL)
        workers.wait_for_word("Redis cannot be reached")
        # One that begins meanwhile waits as well.
        workers.kill()
        workers.wait_for_word("; trying again")
        redis.start()
        # A shop that keeps a copy sends all of it again.
        shop.add(LINES)
        workers.work_until(workers.is_done)
        known = shop.status().events.get("duplicate", 0)
    check(shop, expected, **({"duplicate": known} if known else {}))


def test_a_worker_that_is_stopped_while_redis_is_away_ends_in_order(shop, redis):
    with Workers(shop, 1) as workers:
        shop.add(LINES[:20])
        workers.work_until(workers.is_done)
        redis.stop(signal.SIGKILL)
        try:
            workers.wait_for_word("Redis cannot be reached")
            worker = workers.running.pop()
            worker.terminate()
            assert worker.wait(60) == 0
        finally:
            redis.start()
        assert "Traceback" not in workers.said()


def test_a_worker_held_up_for_longer_than_its_lease_wakes_to_nothing(shop, expected):
    """Two believe that the partitions are theirs, and really run side by side."""
    with Workers(shop, 2) as workers:
        shop.add(LINES)
        workers.work_until(lambda: shop.done() > 0)
        sleeper, other = workers.running
        sleeper.send_signal(signal.SIGSTOP)
        workers.running = [other]
        workers.work_until(workers.is_done)
        sleeper.send_signal(signal.SIGCONT)
        workers.running = [sleeper, other]
        workers.rounds(2)
    check(shop, expected)


def test_a_stream_of_garbage_and_poison(shop, expected):
    """Poison is good in itself and cannot be decided: what it leaves is too large to keep."""
    rng = random.Random(3)
    garbage = [rng.randbytes(rng.randrange(200)) for _ in range(150)]
    cart = [{"sku": f"s{number}", "name": "n" * 280} for number in range(300)]
    poison = [
        json.dumps(
            {
                "id": f"poison{number}",
                "type": "cart.updated",
                "occurred_at": "2026-03-01T10:00:00Z",
                "customer_id": f"p{number % 3}",
                "data": {"items": cart, "total": 5.0},
            }
        )
        for number in range(5)
    ]
    bad = garbage + poison
    mixed = LINES + bad
    # The order among the good ones is kept.
    places = sorted(rng.sample(range(len(mixed)), len(LINES)))
    mixed = rng.sample(bad, len(bad))
    for place, line in zip(places, LINES, strict=True):
        mixed.insert(place, line)
    with Workers(shop) as workers:
        shop.add(mixed)
        workers.kill_along(1, 200)
        workers.work_until(workers.is_done)
    check(shop, expected, dead_letter=len(bad))
    assert shop.status().dead_letters["decide_failed"] == len(poison)
