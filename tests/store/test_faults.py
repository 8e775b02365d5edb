"""When PostgreSQL refuses or is gone: what is kept, what is tried again, and what people read."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import make_url

from shopflow.errors import StoreError, Unstorable
from shopflow.store.opening import open_store
from shopflow.store.sql import database, postgres
from shopflow.store.sql.database import again
from shopflow.store.sql.faults import fault_of


@pytest.fixture
def shop(postgres_shop):
    store = open_store(postgres_shop, partitions=4)
    yield store
    store.close()


@pytest.fixture
def admin(postgres_shop):
    with psycopg.connect(postgres_shop, autocommit=True) as connection:
        yield connection


@pytest.fixture
def end_connections(admin):
    """Ends what others have open on this database, as a restart of the server does."""

    def end():
        admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    return end


def test_a_server_that_ends_the_connection_keeps_nothing_of_the_batch(shop, make, end_connections):
    cursor = shop.take_over("orders")
    with (  # noqa: PT012 - the server goes in the middle
        pytest.raises(
            StoreError, match="ended this connection; what was not committed is not"
        ) as refused,
        shop.transaction("orders", cursor.epoch) as batch,
    ):
        batch.accept_events([make.arrival(id="lost")])
        batch.save([make.customer()])
        end_connections()
        batch.journal([make.entry()])
        batch.advance("1")
    assert refused.value.retryable
    assert shop.views.customer("anna") is None
    assert shop.views.event("lost") is None
    with shop.transaction("orders", cursor.epoch) as batch:
        batch.save([make.customer()])
    assert shop.views.customer("anna") is not None


def test_a_restart_between_two_batches_goes_unnoticed(shop, make, now, end_connections):
    with shop.transaction() as batch:
        batch.queue([make.message()])
    end_connections()
    assert shop.views.status().customers == 0
    end_connections()
    leased = shop.outbox.lease("email", limit=1, now=now, owner="a", lease_for=timedelta(minutes=1))
    assert len(leased) == 1
    end_connections()
    with shop.transaction() as batch:
        batch.save([make.customer()])


def test_two_batches_that_wait_for_each_other_are_told_to_try_again(shop, make):
    with shop.transaction() as batch:
        batch.save([make.customer("anna"), make.customer("bert")])
    both = threading.Barrier(2)
    refused = []

    def load(first, second):
        try:
            with shop.transaction() as batch:
                batch.load([first])
                both.wait()
                batch.load([second])
        except StoreError as error:
            refused.append(error)

    threads = [
        threading.Thread(target=load, args=names) for names in (("anna", "bert"), ("bert", "anna"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (error,) = refused
    assert error.retryable
    assert "other workers wrote the same rows at once; nothing was kept" in str(error)


def test_a_process_that_sleeps_in_its_transaction_holds_up_nobody_for_long(
    postgres_shop, shop, make, monkeypatch
):
    monkeypatch.setattr(postgres, "SLEEP", 1)
    sleeper = open_store(postgres_shop, partitions=4)
    epochs = []
    try:
        cursor = sleeper.take_over("orders")
        with (  # noqa: PT012 - the server ends it in the middle
            pytest.raises(StoreError) as refused,
            sleeper.transaction("orders", cursor.epoch) as batch,
        ):
            batch.load(["anna"])
            # Waits until the server has ended the transaction that has the row.
            epochs.append(shop.take_over("orders").epoch)
            batch.journal([make.entry()])
        assert epochs == [cursor.epoch + 1]
        assert refused.value.retryable
    finally:
        sleeper.close()


def test_what_another_keeps_locked_is_not_waited_for_for_ever(postgres_shop, shop, monkeypatch):
    monkeypatch.setattr(postgres, "LOCKED", 1)
    other = open_store(postgres_shop, partitions=4)
    try:
        cursor = shop.take_over("orders")
        with (
            shop.transaction("orders", cursor.epoch),
            pytest.raises(StoreError, match="kept a row locked") as refused,
            other.transaction("orders", cursor.epoch),
        ):
            raise AssertionError("it is not ours to write")
        assert refused.value.retryable
    finally:
        other.close()


def test_no_connection_left_is_told_as_such(postgres_shop, admin):
    role = f"shopflow_{uuid.uuid4().hex[:8]}"
    admin.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 0")
    try:
        url = make_url(postgres_shop).set(username=role).render_as_string(hide_password=False)
        with pytest.raises(StoreError, match="no room or no connection left") as refused:
            open_store(url)
    finally:
        admin.execute(f"DROP ROLE {role}")
    assert refused.value.retryable


def test_a_value_that_the_server_refuses_is_that_input_s_fault(shop, make):
    with pytest.raises(Unstorable, match="one value cannot be kept"), shop.transaction() as batch:
        batch.accept_events([make.arrival(id="nul\0")])
    with pytest.raises(Unstorable), shop.transaction() as batch:
        batch.save([make.customer("nul\0")])


def test_an_error_in_the_pipeline_is_told_whatever_comes_after_it(shop, make):
    """Rows are on their way while the next are made; the refusal is heard at a later statement."""
    for later in (
        lambda batch: batch.load(["anna"]),
        lambda batch: batch.due(make.event().occurred_at, limit=1),
        lambda batch: batch.advance("2"),
    ):
        epoch = shop.take_over("orders").epoch
        with (  # noqa: PT012 - which of the two raises does not matter
            pytest.raises(Unstorable, match="one value cannot be kept"),
            shop.transaction("orders", epoch) as batch,
        ):
            batch.journal([make.entry(event_id="nul\0")])
            later(batch)
    assert shop.views.status().workflows == {}


def test_an_error_of_our_own_in_a_batch_is_not_hidden_by_the_database_s(
    postgres_shop, make, admin, monkeypatch
):
    monkeypatch.setattr(postgres, "LOCKED", 1)
    shop = open_store(postgres_shop, partitions=4)
    try:
        with admin.transaction():
            admin.execute("LOCK TABLE customers")
            with pytest.raises(ZeroDivisionError), shop.transaction() as batch:  # noqa: PT012 - the point
                # The refusal is still to come when ours is raised.
                batch.save([make.customer()])
                raise ZeroDivisionError
        assert shop.views.status().customers == 0
    finally:
        shop.close()


@pytest.mark.parametrize(
    ("error", "says", "passing"),
    [
        (psycopg.errors.SerializationFailure("x"), "wrote the same rows at once", True),
        (psycopg.errors.DeadlockDetected("x"), "wrote the same rows at once", True),
        (psycopg.errors.TooManyConnections("x"), "no connection left", True),
        (psycopg.errors.DiskFull("x"), "no room", False),
        (psycopg.errors.AdminShutdown("x"), "stopping or starting", True),
        (psycopg.errors.LockNotAvailable("x"), "kept a row locked", True),
        (psycopg.errors.InvalidPassword("x"), "refuses the user or the password", False),
        (psycopg.errors.UndefinedTable("x"), "`shopflow db upgrade`", False),
        (psycopg.OperationalError("FATAL:  sorry, too many clients already"), "no conn", True),
        (psycopg.OperationalError("FATAL:  the database system is starting up"), "start", True),
        (psycopg.OperationalError('FATAL:  database "x" does not exist'), "createdb", False),
        (psycopg.OperationalError("FATAL:  password authentication failed"), "refuses", False),
        (psycopg.OperationalError("connection refused"), "cannot be reached", True),
        (psycopg.OperationalError("the connection is lost"), "ended this connection", True),
        (psycopg.errors.UniqueViolation("of a kind"), "shop: of a kind", False),
    ],
)
def test_each_refusal_says_what_to_do_and_whether_it_passes(error, says, passing):
    fault = fault_of(error, "shop")
    assert says in fault.says
    assert fault.passing is passing


def test_what_passes_is_tried_again_and_what_does_not_is_not(monkeypatch):
    monkeypatch.setattr(database, "PAUSES", (0, 0))
    tries = []

    @again
    def work(retryable, failing):
        tries.append(retryable)
        if len(tries) <= failing:
            raise StoreError("refused", retryable=retryable)
        return len(tries)

    assert work(retryable=True, failing=2) == 3
    tries.clear()
    with pytest.raises(StoreError):
        work(retryable=True, failing=3)
    tries.clear()
    with pytest.raises(StoreError):
        work(retryable=False, failing=1)
    assert tries == [False]
