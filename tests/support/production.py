"""Production for tests: Redis under a name of one's own, a scratch database, worker processes."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import redis as redis_client
from support.servers import postgres_url, redis_url

from shopflow.lang.project import QueueSettings
from shopflow.runtime.app import App
from shopflow.runtime.queue.bells import Bells, Kind
from shopflow.runtime.queue.fleet import fleet_of
from shopflow.runtime.queue.streams import Streams
from shopflow.store.opening import open_store

FACTS = Path(__file__).resolve().parent.parent / "e2e" / "facts" / "rees46"
PARTITIONS = 8


@contextmanager
def redis_namespace(url=None):
    """A connection and a namespace in which nothing is; gone afterwards."""
    redis = redis_client.Redis.from_url(url or redis_url(), protocol=2)
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
def scratch_database(server=None):
    """The URL of a database of one's own on a PostgreSQL server, gone afterwards."""
    shared = server is None
    server = server or postgres_url()
    name = f"shopflow_test_{uuid.uuid4().hex[:12]}"
    administer(server, f"CREATE DATABASE {name}")
    if shared:
        # Its workers are killed, this server is not: it need not wait for the disk at every commit.
        administer(server, f"ALTER DATABASE {name} SET synchronous_commit = off")
    try:
        yield server.rpartition("/")[0] + f"/{name}"
    finally:
        administer(server, f"DROP DATABASE {name} WITH (FORCE)")


def administer(server, statement):
    """Runs one statement as the server's keeper; returns its rows."""
    import psycopg  # noqa: PLC0415 - optional, and `postgres_url` has made sure of it

    with psycopg.connect(server, autocommit=True, connect_timeout=10) as connection:
        done = connection.execute(statement)
        return done.fetchall() if done.description else []


class Shop:
    """A project in production, its queue, and the commands that work on it."""

    def __init__(self, folder, redis, namespace, database, redis_url):
        self.folder = folder
        self.redis = redis
        self.redis_url = redis_url
        self.namespace = namespace
        self.database = database
        self.started = []
        self.looking = None
        settings = folder / "shopflow.yaml"
        settings.write_text(
            settings.read_text(encoding="utf-8")
            + f"redis: {redis_url}\ndatabase: {database}\npartitions: {PARTITIONS}\n"
            + f"queue: {{namespace: {namespace}}}\n",
            encoding="utf-8",
        )

    @property
    def door(self):
        return f"{self.namespace}:events"

    def lengths(self):
        """Entries at the door and in each partition."""
        door, rest = Streams(self.redis, self.namespace, PARTITIONS).lengths()
        return [door, *rest]

    def waiting(self):
        """Entries in all streams."""
        return sum(self.lengths())

    def add(self, lines):
        """As any program would: one XADD for each line."""
        with self.redis.pipeline(transaction=False) as pipe:
            for line in lines:
                pipe.xadd(self.door, {"event": line})
            pipe.execute()

    def start(self, *words, **options):
        """A worker process."""
        return self.start_command("worker", *words, **options)

    def start_command(self, *words, program=None, **options):
        """A process of this command, of this program unless another is given."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        command = self.command(*words)
        if program:
            command[1:3] = [str(program)]
        process = subprocess.Popen(command, **{**pipes, **options})
        self.started.append(process)
        return process

    def command(self, *words):
        code = "from shopflow.cli.main import main; main()"
        return [sys.executable, "-c", code, *words, "--project", str(self.folder)]

    def run(self, *words, code=0):
        """Runs a command to its end; returns what it printed."""
        ran = subprocess.run(self.command(*words), capture_output=True, text=True, check=False)
        assert ran.returncode == code, f"{words}: exit {ran.returncode}\n{ran.stdout}{ran.stderr}"
        return ran

    def finish(self, until=None, workers=2, **options):
        """So many workers in a burst, until nothing is left."""
        end = ["--clock", "event", "--until", until] if until else []
        running = [self.start("--burst", *end, **options) for _ in range(workers)]
        for one in running:
            out, err = one.communicate()
            assert one.returncode == 0, out + err

    @contextmanager
    def store(self):
        store = open_store(self.database, partitions=PARTITIONS)
        try:
            yield store
        finally:
            store.close()

    def status(self):
        """What the database says; the connection is kept for the next time."""
        if self.looking is None:
            self.looking = open_store(self.database, partitions=PARTITIONS)
        return self.looking.views.status()

    def done(self):
        """How far the work is: events taken and messages that left."""
        status = self.status()
        return sum(status.events.values()) + status.messages.get("sent", 0)

    def progress(self):
        """All that work changes."""
        status = self.status()
        cursors = sorted((one.stream, one.position) for one in status.cursors)
        return status.events, status.messages, status.inbox, cursors, self.lengths()

    def at_rest(self):
        """True when no worker is at anything, and no bell waits for one."""
        leases = list(self.redis.scan_iter(f"{self.namespace}:lease:*", count=1000))
        return not leases and not Bells(self.redis, self.namespace).wait(Kind)

    def close(self):
        if self.looking is not None:
            self.looking.close()

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
        return sends_in(path)


def sends_in(path):
    """The lines of a sends file, as `Shop.sends` has them."""
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
def a_shop(folder, *, redis=None, postgres=None, files=None):
    """A shop with a queue and a database of its own; no process outlives it.

    On the servers that tests share, unless others are named.
    """
    queue = redis_namespace(redis)
    with queue as (connection, namespace), scratch_database(postgres) as database:
        if not (folder / "shopflow.yaml").exists():
            shutil.copytree(FACTS, folder, dirs_exist_ok=True)
        write_files(folder, files or {})
        shop = Shop(folder, connection, namespace, database, redis or redis_url())
        try:
            yield shop
        finally:
            shop.close()
            for process in shop.started:
                process.kill()
                with process:
                    process.wait(30)


def write_files(folder, files):
    """Writes text by path."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def write_lines(folder, lines):
    """A file of events."""
    path = folder / "events.jsonl"
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


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


class House:
    """One database and one queue, and as many workers on them as a test likes."""

    def __init__(self, loaded, redis, namespace, path, *, event_clock=True, partitions=PARTITIONS):
        project = replace(loaded.project, queue=QueueSettings(namespace=namespace))
        self.loaded = replace(loaded, project=project)
        self.redis = redis
        self.namespace = namespace
        self.store = open_store(f"sqlite:///{path}", partitions=partitions)
        self.app = App(loaded=self.loaded, store=self.store, event_clock=event_clock)
        self.workers = []

    def worker(self, redis=None, app=None):
        fleet = fleet_of(app or self.app, redis or self.redis)
        self.workers.append(fleet)
        return fleet

    def add(self, lines):
        for line in lines:
            self.redis.xadd(f"{self.namespace}:events", {"event": line})

    def forget_leases(self):
        """As after the time that the lease of a dead worker lasts."""
        for key in self.redis.scan_iter(f"{self.namespace}:lease:*"):
            self.redis.delete(key)

    def sends(self):
        return sorted(stored.message.id for stored in self.store.views.messages(limit=10**6))

    @property
    def events(self):
        return self.store.views.status().events

    def close(self):
        for fleet in self.workers:
            fleet.deliveries.close()
        self.store.close()
