"""A fleet of workers in one process: a real Redis, a database file, the rules of a real stream."""

from __future__ import annotations

import shutil

import pytest
from support.production import FACTS, PARTITIONS, House, redis_namespace

from shopflow.rulebook import load_project
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
