"""A fleet of workers in one process: a real Redis, a database file, the rules of a real stream."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
from support.production import FACTS, PARTITIONS, redis_namespace

from shopflow.lang.project import QueueSettings
from shopflow.rulebook import load_project
from shopflow.runtime.app import App
from shopflow.runtime.queue.fleet import fleet_of
from shopflow.runtime.queue.streams import Streams
from shopflow.store.opening import open_store


@pytest.fixture
def queue():
    """A connection and a namespace of this test's own."""
    with redis_namespace() as found:
        yield found


@pytest.fixture
def streams(queue):
    return Streams(*queue, PARTITIONS)


@pytest.fixture(scope="session")
def loaded():
    """The rules, loaded once."""
    return load_project(FACTS).require()


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """A database file with tables and nothing in them."""
    path = tmp_path_factory.mktemp("empty") / "shop.db"
    open_store(f"sqlite:///{path}", partitions=PARTITIONS).close()
    return path


class House:
    """One database and one queue, and as many workers on them as a test likes."""

    def __init__(self, loaded, redis, namespace, path, *, event_clock=True):
        project = replace(loaded.project, queue=QueueSettings(namespace=namespace))
        self.loaded = replace(loaded, project=project)
        self.redis = redis
        self.namespace = namespace
        self.store = open_store(f"sqlite:///{path}", partitions=PARTITIONS)
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


@pytest.fixture
def house(loaded, queue, empty_database, tmp_path):
    path = shutil.copy(empty_database, tmp_path / "shop.db")
    house = House(loaded, *queue, path)
    yield house
    house.close()


@pytest.fixture
def houses(loaded, queue, empty_database, tmp_path):
    """Makes houses with databases of their own, in namespaces of their own."""
    made = []

    def make(name):
        path = shutil.copy(empty_database, tmp_path / f"{name}.db")
        made.append(House(loaded, queue[0], f"{queue[1]}{name}", path))
        return made[-1]

    yield make
    for house in made:
        house.close()
