"""Opening a database: made when missing, migrated when old, refused with a reason otherwise."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from datetime import timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from shopflow.errors import StoreError, Unstorable
from shopflow.store.migrations import LATEST
from shopflow.store.opening import open_store, upgrade
from shopflow.store.sql import migrate, sqlite
from shopflow.store.tables import metadata

STEPS = [
    "0001 The first tables.",
    "0002 Waits, the journal by event, and on PostgreSQL a table for each day.",
    "0003 What recommendations are picked from.",
    "0004 Codes of coupons: whose hands they are in, whose they are, and until when.",
    "0005 Events about no customer come to every partition in its own stream: nothing to look up.",
    "0006 When each product was written, so that processes learn of what others brought in.",
    "0007 What deliverers share: turns, what was heard of messages, sends by the hour, switches.",
    "0008 Sweeps: who was looked at for what starts for everybody.",
    "0009 Single persons: aliases, tombstones, suppressions by scope, a ledger only added to.",
    "0010 The keys that seal links.",
    "0011 Trials of splits: when they began, what is counted, and who has won.",
    "0012 Deployments, the bundles that they put to work, and those that are held back.",
    "0013 Whose an address is, and what came in from outside already.",
    "0014 Deployments whose workflows a share of the customers gets first.",
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "shop.db"


@pytest.fixture
def url(path):
    return f"sqlite:///{path}"


@pytest.fixture
def connection(url):
    engine = create_engine(url)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def test_migrations_make_exactly_the_tables_that_the_code_knows(url, connection):
    assert upgrade(url)
    context = MigrationContext.configure(connection)
    assert compare_metadata(context, metadata) == []


def test_partial_indexes_are_as_the_code_knows_them(url, path):
    """Alembic does not compare their conditions."""
    upgrade(url)
    with sqlite3.connect(path) as made:
        found = dict(made.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index'"))
    made.close()
    for table in metadata.tables.values():
        for index in table.indexes:
            condition = index.dialect_options["sqlite"]["where"]
            wanted = "" if condition is None else f" WHERE {condition.text}"
            assert found[index.name].partition(")")[2] == wanted, index.name


def test_the_last_step_is_named_right():
    assert migrate.known_steps().get_heads() == [LATEST]


def test_every_step_can_be_taken_back(url, connection):
    upgrade(url)
    scripts = migrate.known_steps()
    with migrate.Operations.context(MigrationContext.configure(connection)):
        for script in scripts.walk_revisions():
            script.module.downgrade()
    left = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'"))
    assert set(left.scalars()) <= {"alembic_version", "sqlite_sequence"}


def test_upgrading_twice_does_nothing(url):
    assert upgrade(url) == STEPS
    assert upgrade(url) == []


def test_a_database_of_a_newer_program_is_refused(url, connection):
    open_store(url).close()
    connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    connection.commit()
    with pytest.raises(StoreError, match=r"made by a newer shopflow .*9999.*upgrade this program"):
        open_store(url)


def test_the_number_of_partitions_is_fixed(url):
    open_store(url, partitions=16).close()
    store = open_store(url)
    assert store.partitions == 16
    store.close()
    with pytest.raises(StoreError, match=r"with 16 partitions, not 8: write `partitions: 16`"):
        open_store(url, partitions=8)


def test_partitions_are_the_same_for_ever():
    store = open_store("memory:", partitions=64)
    assert [store.partition_of(name) for name in ("anna", "bert", "é")] == [55, 14, 62]


def test_a_missing_database_is_not_made_for_those_who_only_look(url, path):
    with pytest.raises(StoreError, match=r"no database .*shop\.db yet: `shopflow run`"):
        open_store(url, create=False)
    assert not path.exists()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("shop.db", "is no database URL: write sqlite:///shop.db"),
        ("mysql://localhost/shop", "the kind 'mysql' are not supported"),
        ("sqlite://", "names no file"),
        ("sqlite:////nowhere/at/all/shop.db", "check that the folder is there"),
    ],
)
def test_a_url_that_leads_nowhere_is_refused_with_what_to_write(url, says):
    with pytest.raises(StoreError, match=says):
        open_store(url)


def test_a_file_that_is_no_database_is_refused(url, path):
    path.write_text("orders, orders, orders" * 100)
    with pytest.raises(StoreError, match="not an SQLite database; check `database`"):
        open_store(url)


def test_commits_survive_a_crash_of_the_program_and_full_sync_of_the_machine(url):
    for full, level in ((False, 1), (True, 2)):
        store = open_store(url, full_sync=full)
        with store._database.reading() as connection:
            assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
            assert connection.execute(text("PRAGMA synchronous")).scalar() == level
        store.close()


def test_a_locked_database_says_so(url, path, monkeypatch, make):
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 0.05)
    store = open_store(url)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(StoreError, match="another process kept it locked"):  # noqa: SIM117
            with store.transaction() as batch:
                batch.save([make.customer()])
        assert store.views.customer("anna") is None, "those who read need not wait"
    finally:
        other.close()
        store.close()


def test_a_full_disk_says_so_and_keeps_nothing_of_the_batch(url, make):
    store = open_store(url)
    limit = "PRAGMA max_page_count = 80"
    with store._database.dialect.engine.connect() as connection:
        connection.exec_driver_sql(limit)
    big = {"note": "x" * 60_000}
    with pytest.raises(StoreError, match="the disk is full, nothing of this batch was kept"):  # noqa: SIM117
        with store.transaction() as batch:
            batch.save(make.customer(str(number), attributes=big) for number in range(99))
    assert store.views.status().customers == 0
    store.close()


def test_a_customer_that_grew_too_large_is_refused(url, make):
    store = open_store(url)
    with pytest.raises(Unstorable, match=r"customer anna is 7\d,\d+ characters"):  # noqa: SIM117
        with store.transaction() as batch:
            batch.save([make.customer(attributes={"note": "x" * 70_000})])
    store.close()


@pytest.mark.parametrize("value", [{1, 2}, object(), 2**70, "\ud800"])
def test_a_value_that_json_has_no_word_for_is_refused(url, make, value):
    store = open_store(url)
    with pytest.raises(Unstorable, match="customer anna holds a value that cannot be kept"):  # noqa: SIM117
        with store.transaction() as batch:
            batch.save([make.customer(attributes={"value": value})])
    store.close()


def test_two_processes_may_open_a_new_database_at_once(url):
    program = f"from shopflow.store.opening import open_store; open_store({url!r}).close()"
    running = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(4)]
    assert [process.wait(60) for process in running] == [0, 0, 0, 0]
    store = open_store(url)
    assert store.partitions == 64
    store.close()


def test_state_survives_closing(url, make, now):
    store = open_store(url)
    with store.transaction() as batch:
        batch.save([make.customer(next_due_at=now + timedelta(days=400))])
    store.close()
    store.close()
    again = open_store(url, create=False)
    assert again.views.customer("anna").next_due_at == now + timedelta(days=400)
    again.close()


def test_migrations_make_the_same_tables_on_postgresql(postgres):
    assert upgrade(postgres) == STEPS
    assert upgrade(postgres) == []
    engine = create_engine(postgres.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_a_server_that_cannot_be_reached_says_so_without_the_password():
    with pytest.raises(StoreError, match=r"postgresql://shop:\*\*\*@.* cannot be reached"):
        open_store("postgresql://shop:secret@127.0.0.1:1/shop")
