"""Production for tests: Redis under a name of one's own, a scratch database, worker processes."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis as redis_client

from shopflow.store.opening import open_store

REDIS = os.environ.get("SHOPFLOW_TEST_REDIS", "redis://127.0.0.1:6379/9")
POSTGRES = os.environ.get("SHOPFLOW_TEST_POSTGRES", "postgresql://root@127.0.0.1:5432/postgres")
FACTS = Path(__file__).resolve().parent.parent / "e2e" / "facts" / "rees46"
PARTITIONS = 8
PATIENCE = 240


@contextmanager
def redis_namespace():
    """A connection and a namespace in which nothing is; gone afterwards."""
    redis = redis_client.Redis.from_url(REDIS, protocol=2)
    try:
        redis.ping()
    except redis_client.ConnectionError as error:
        pytest.skip(f"no Redis server; SHOPFLOW_TEST_REDIS may name one ({error})")
    namespace = f"t{uuid.uuid4().hex[:10]}"
    try:
        yield redis, namespace
    finally:
        lose(redis, namespace)
        redis.close()


def lose(redis, namespace):
    """Redis has lost everything that is this namespace's."""
    for pattern in (f"{namespace}:*", f"rq:*{namespace}-*"):
        if keys := list(redis.scan_iter(pattern, count=1000)):
            redis.delete(*keys)


@contextmanager
def scratch_database():
    """The URL of a database of one's own on a PostgreSQL server, gone afterwards."""
    psycopg = pytest.importorskip("psycopg", reason="PostgreSQL's driver is not installed")
    try:
        connection = psycopg.connect(POSTGRES, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError as error:
        pytest.skip(f"no PostgreSQL server; SHOPFLOW_TEST_POSTGRES may name one ({error})")
    name = f"shopflow_test_{uuid.uuid4().hex[:12]}"
    with connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield POSTGRES.rpartition("/")[0] + f"/{name}"
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


class Shop:
    """A project in production, its queue, and the commands that work on it."""

    def __init__(self, folder, redis, namespace, database):
        self.folder = folder
        self.redis = redis
        self.namespace = namespace
        self.database = database
        self.started = []
        if not (folder / "shopflow.yaml").exists():
            shutil.copytree(FACTS, folder, dirs_exist_ok=True)
        settings = folder / "shopflow.yaml"
        settings.write_text(
            settings.read_text(encoding="utf-8")
            + f"redis: {REDIS}\ndatabase: {database}\npartitions: {PARTITIONS}\n"
            + f"queue: {{namespace: {namespace}}}\n",
            encoding="utf-8",
        )

    @property
    def door(self):
        return f"{self.namespace}:events"

    def waiting(self):
        """Entries in all streams."""
        keys = [self.door, *(f"{self.namespace}:{n}:events" for n in range(PARTITIONS))]
        return sum(self.redis.xlen(key) for key in keys)

    def add(self, lines):
        """As any program would: one XADD for each line."""
        with self.redis.pipeline(transaction=False) as pipe:
            for line in lines:
                pipe.xadd(self.door, {"event": line})
            pipe.execute()

    def start(self, *words, **options):
        """A worker process."""
        process = subprocess.Popen(
            self.command("worker", *words),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )
        self.started.append(process)
        return process

    def command(self, *words):
        code = "from shopflow.cli.main import main; main()"
        return [sys.executable, "-c", code, *words, "--project", str(self.folder)]

    def run(self, *words, code=0):
        """Runs a command to its end; returns what it printed."""
        ran = subprocess.run(
            self.command(*words), capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert ran.returncode == code, f"{words}: exit {ran.returncode}\n{ran.stdout}{ran.stderr}"
        return ran

    def finish(self, until=None, workers=2):
        """So many workers in a burst, until nothing is left."""
        end = ["--clock", "event", "--until", until] if until else []
        running = [self.start("--burst", *end) for _ in range(workers)]
        for one in running:
            out, err = one.communicate(timeout=PATIENCE)
            assert one.returncode == 0, out + err

    @contextmanager
    def store(self):
        store = open_store(self.database, partitions=PARTITIONS)
        try:
            yield store
        finally:
            store.close()

    def status(self):
        with self.store() as store:
            return store.views.status()

    def sends(self):
        """Every message in the outbox or beyond, as `simulate` names them."""
        with self.store() as store:
            return sorted(
                (
                    stored.message.decided_at,
                    stored.message.customer_id,
                    stored.message.workflow,
                    stored.message.step,
                    stored.message.channel,
                    stored.message.trigger_event_id,
                )
                for stored in store.views.messages(limit=10**9)
            )

    def simulated(self, events, until):
        """What `simulate` says of a file of events."""
        path = self.folder / f"{until}.jsonl"
        self.run("simulate", str(events), "--until", until, "--sends", str(path))
        lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
        return sorted(
            (
                datetime.fromisoformat(line["at"]),
                line["customer_id"],
                line["workflow"],
                line["step"],
                line["channel"],
                line["trigger_event_id"],
            )
            for line in lines
        )


@contextmanager
def a_shop(folder):
    """A shop with a queue and a database of its own; no process outlives it."""
    with redis_namespace() as (redis, namespace), scratch_database() as database:
        shop = Shop(folder, redis, namespace, database)
        try:
            yield shop
        finally:
            for process in shop.started:
                process.kill()
                with process:
                    process.wait(30)


def generated(count, seed=1):
    """Lines of a shop's day: looks, carts and orders of a few hundred customers."""
    rng = random.Random(seed)
    at = datetime(2026, 3, 1, tzinfo=UTC)
    lines = []
    for number in range(count):
        at += timedelta(seconds=rng.randrange(40))
        kind = rng.choices(["product.viewed", "cart.updated", "order.placed"], [80, 15, 5])[0]
        item = {"sku": f"s{rng.randrange(50)}", "price": float(rng.randrange(1, 800))}
        data = {
            "product.viewed": item,
            "cart.updated": {"items": [{**item, "quantity": 1}], "total": item["price"]},
            "order.placed": {
                "order_id": f"o{number}",
                "total": item["price"],
                "items": [{**item, "quantity": 1}],
            },
        }[kind]
        event = {
            "id": f"e{number}",
            "type": kind,
            "occurred_at": at.isoformat(),
            "customer_id": f"c{rng.randrange(count // 8)}",
            "data": data,
        }
        lines.append(json.dumps(event))
    return lines


def wait_for(condition, *, seconds=60):
    """Returns once the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)
