"""Stores of every kind, and values to put into them."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from support.production import scratch_database

from shopflow.domain.customer import Customer, Enrolment
from shopflow.domain.event import Event
from shopflow.domain.ids import CustomerId, EventId
from shopflow.domain.journal import JournalEntry, Kind
from shopflow.domain.message import Message
from shopflow.domain.policy import MessageClass
from shopflow.store.opening import open_store
from shopflow.store.records import Arrival
from shopflow.store.tables import metadata

NOW = datetime(2026, 3, 3, 10, tzinfo=UTC)
PARTITIONS = 4


def psycopg_connection(url):
    """A connection of the bare driver, on which every statement is a transaction of its own."""
    psycopg = pytest.importorskip("psycopg", reason="PostgreSQL's driver is not installed")
    return psycopg.connect(url, autocommit=True, connect_timeout=3)


class Opener:
    """Opens one and the same store, as often as there are processes that use it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._opened = []

    def __call__(self):
        if self.url == "memory:" and self._opened:
            return self._opened[0]
        self._opened.append(open_store(self.url, partitions=PARTITIONS))
        return self._opened[-1]

    def close(self):
        for store in self._opened:
            store.close()


@pytest.fixture(scope="session")
def server():
    """A database of this session's own on a PostgreSQL server, gone afterwards."""
    with scratch_database() as url:
        yield url


@pytest.fixture
def postgres(server):
    """The session's database with nothing in it."""
    engine = create_engine(server.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    engine.dispose()
    return server


@pytest.fixture(scope="session")
def kept_shop(server):
    """A shop in a database of its own on the server, made once for all tests."""
    url = f"{server}_kept"
    with psycopg_connection(server) as admin:
        admin.execute(f"CREATE DATABASE {url.rpartition('/')[2]}")
    open_store(url, partitions=PARTITIONS).close()
    yield url
    with psycopg_connection(server) as admin:
        admin.execute(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")


@pytest.fixture
def postgres_shop(kept_shop):
    """The kept shop with nothing in it."""
    emptied = [name for name in metadata.tables if name != "settings"]
    with psycopg_connection(kept_shop) as connection:
        connection.execute(f"TRUNCATE {', '.join(emptied)} RESTART IDENTITY")
    return kept_shop


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def opener(request: pytest.FixtureRequest, tmp_path: Path):
    """Each call opens the same store once more."""
    match request.param:
        case "memory":
            opener = Opener("memory:")
        case "sqlite":
            opener = Opener(f"sqlite:///{tmp_path / 'shop.db'}")
        case _:
            opener = Opener(request.getfixturevalue("postgres_shop"))
    yield opener
    opener.close()


@pytest.fixture
def store(opener):
    """One store."""
    return opener()


class Make:
    """Values with sane defaults, overridden by keyword."""

    def __init__(self) -> None:
        self._number = itertools.count(1)

    def event(self, **fields) -> Event:
        given = {
            "id": EventId(f"event-{next(self._number)}"),
            "type": "cart.updated",
            "occurred_at": NOW,
            "data": {"cart_id": "k1"},
            "customer_id": CustomerId("anna"),
        }
        return Event(**given | fields)

    def arrival(self, partition=0, raw=b"{}", **fields) -> Arrival:
        return Arrival(partition, self.event(**fields), raw)

    def customer(self, customer_id="anna", **fields) -> Customer:
        return Customer(id=CustomerId(customer_id), **fields)

    def enrolment(self, **fields) -> Enrolment:
        given = {
            "id": f"enrolment-{next(self._number)}",
            "workflow": "cart",
            "version": 1,
            "digest": "d1",
            "key": "",
            "entered_at": NOW,
            "trigger_event_id": "event-1",
            "step": "wait",
            "cursor_at": NOW,
        }
        return Enrolment(**given | fields)

    def message(self, **fields) -> Message:
        given = {
            "id": f"message-{next(self._number):03}",
            "customer_id": "anna",
            "enrolment_id": "enrolment-1",
            "workflow": "cart",
            "version": 1,
            "digest": "d1",
            "step": "reminder",
            "visit": 1,
            "channel": "email",
            "purpose": "marketing",
            "message_class": MessageClass.MARKETING,
            "priority": 50,
            "template": "cart/reminder",
            "locale": "fr",
            "address": "anna@example.org",
            "variables": {"total": 90.0},
            "trigger_event_id": "event-1",
            "decided_at": NOW,
            "cursor_at": NOW,
            "send_by": NOW + timedelta(hours=24),
        }
        return Message(**given | fields)

    def entry(self, **fields) -> JournalEntry:
        given = {
            "at": NOW,
            "customer_id": "anna",
            "kind": Kind.ENTERED,
            "workflow": "cart",
            "version": 1,
            "digest": "d1",
            "enrolment_id": "enrolment-1",
            "event_id": "event-0",
            "values": {"event.total": 90.0},
        }
        return JournalEntry(**given | fields)


@pytest.fixture
def make() -> Make:
    """Makes events, customers, messages and journal entries."""
    return Make()


@pytest.fixture
def now() -> datetime:
    """The instant at which the values are made."""
    return NOW
