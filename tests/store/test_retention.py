"""What is old is forgotten by whole days, and what is younger stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine, text

from shopflow.errors import StoreError
from shopflow.store.opening import open_store, upgrade
from shopflow.store.sql import migrate, retention

DAY = timedelta(days=1)


def all_of(forget):
    pages = 0
    while forget():
        pages += 1
    return pages


@pytest.fixture
def partitions(postgres):
    """The days that have a table, by the table that they are part of."""
    engine = create_engine(postgres.replace("postgresql:", "postgresql+psycopg:"))

    def of(table):
        with engine.connect() as connection:
            found = connection.execute(
                text(
                    "SELECT inhrelid::regclass::text FROM pg_inherits "
                    "WHERE inhparent = to_regclass(:table) ORDER BY 1"
                ),
                {"table": table},
            )
            return list(found.scalars())

    yield of
    engine.dispose()


@pytest.fixture
def ten_days(make, now):
    """Fills a store with an event and a journal entry on each of the last ten days."""

    def fill(store):
        with store.transaction() as batch:
            for age in range(10):
                at = now - age * DAY
                kind = "product.viewed" if age % 2 else "order.placed"
                batch.accept_events([make.arrival(id=f"e{age}", type=kind, occurred_at=at)])
                batch.journal([make.entry(event_id=f"e{age}", at=at)])

    return fill


def test_events_of_earlier_days_are_gone_and_may_come_again(store, ten_days, make, now):
    ten_days(store)
    all_of(lambda: store.forget_events(now - 3 * DAY))
    assert store.views.event("e3") is not None
    assert store.views.event("e4") is None
    with store.transaction() as batch:
        assert batch.accept_events([make.arrival(id="e4", occurred_at=now - 4 * DAY)]) == [True]


def test_a_type_can_be_forgotten_sooner(store, ten_days, now):
    ten_days(store)
    all_of(lambda: store.forget_events(now, types=["product.viewed"], since=now - 5 * DAY))
    left = [age for age in range(10) if store.views.event(f"e{age}") is not None]
    assert left == [0, 2, 4, 6, 7, 8, 9]


def test_the_journal_of_earlier_days_is_gone(store, ten_days, now):
    ten_days(store)
    all_of(lambda: store.forget_journal(now - 3 * DAY))
    assert [entry.event_id for entry in store.views.timeline("anna").journal] == [
        "e3",
        "e2",
        "e1",
        "e0",
    ]
    assert not store.forget_journal(now - 3 * DAY)


def test_sqlite_forgets_page_by_page(tmp_path, make, now, monkeypatch):
    monkeypatch.setattr(retention, "PAGE", 10)
    store = open_store(f"sqlite:///{tmp_path / 'shop.db'}")
    with store.transaction() as batch:
        batch.journal([make.entry(at=now - DAY) for _ in range(25)] + [make.entry(at=now)])
    assert all_of(lambda: store.forget_journal(now)) == 3
    assert len(store.views.timeline("anna").journal) == 1
    store.close()


def test_postgresql_drops_a_table_a_day(postgres, partitions, ten_days, now):
    store = open_store(postgres)
    ten_days(store)
    assert partitions("events") == [f"events_202602{day}" for day in range(22, 29)] + [
        f"events_2026030{day}" for day in (1, 2, 3)
    ]
    assert all_of(lambda: store.forget_events(now - DAY)) == 8
    assert all_of(lambda: store.forget_journal(now - 2 * DAY)) == 7
    assert partitions("events") == ["events_20260302", "events_20260303"]
    assert partitions("journal") == [f"journal_2026030{day}" for day in (1, 2, 3)]
    store.close()


def test_a_day_that_another_process_forgot_is_made_again(postgres, ten_days, make, now):
    first, second = open_store(postgres), open_store(postgres)
    ten_days(first)
    all_of(lambda: second.forget_events(now))
    late = make.arrival(id="late", occurred_at=now - 5 * DAY)
    with pytest.raises(StoreError) as refused, first.transaction() as batch:
        batch.accept_events([late])
    assert refused.value.retryable, "found out by failing; the same again goes well"
    with first.transaction() as batch:
        assert batch.accept_events([late]) == [True]
    assert first.views.event("late") is not None
    first.close()
    second.close()


def test_days_are_made_ahead(postgres, partitions):
    store = open_store(postgres)
    today = datetime.now(UTC)
    store.make_room(today + 3 * DAY)
    store.make_room(today + 3 * DAY)
    wanted = [f"{today + number * DAY:%Y%m%d}" for number in range(4)]
    assert partitions("events") == [f"events_{day}" for day in wanted]
    assert partitions("journal") == [f"journal_{day}" for day in wanted]
    store.close()


def test_what_was_there_before_the_days_stays_and_is_forgotten_as_one(
    postgres, partitions, make, now
):
    """A database of the first tables, with rows in it, is brought up to date."""
    engine = create_engine(postgres.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        context = migrate.MigrationContext.configure(connection)
        first, *_ = reversed(list(migrate.known_steps().walk_revisions()))
        with migrate.Operations.context(context):
            first.module.upgrade()
            context.stamp(migrate.known_steps(), first.revision)
        connection.execute(
            text(
                "INSERT INTO events "
                "VALUES (20260302, 0, 'old', 'x', 1772400000000000, 'anna', '{}')"
            )
        )
        connection.execute(
            text(
                "INSERT INTO journal (customer_id, at, kind, reason, event_id, details) "
                "VALUES ('anna', 1772400000000000, 'entered', '', 'old', '{}')"
            )
        )
    engine.dispose()
    assert upgrade(postgres)

    store = open_store(postgres, partitions=4)
    arrival = make.arrival(partition=0, id="old", occurred_at=now - DAY)
    with store.transaction() as batch:
        assert batch.accept_events([arrival, make.arrival(id="new")]) == [False, True]
        batch.journal([make.entry(event_id="new")])
    assert [entry.event_id for entry in store.views.timeline("anna").journal] == ["old", "new"]
    assert partitions("events") == ["events_20260303", "events_before"]
    all_of(lambda: store.forget_events(now))
    all_of(lambda: store.forget_journal(now))
    assert partitions("events") == ["events_20260303"]
    assert partitions("journal") == ["journal_20260303"]
    assert [entry.event_id for entry in store.views.timeline("anna").journal] == ["new"]
    store.close()
