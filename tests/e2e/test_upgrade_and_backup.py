"""Two releases on one database under load; a backup taken under load and restored."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from support import next_version
from support.capped import CAPPED, MOST, most_within
from support.faults import Workers
from support.production import (
    FACTS,
    a_shop,
    administer,
    generated,
    sends_in,
    wait_for,
    write_files,
    write_lines,
)
from support.running import command, shopflow
from support.servers import program

from shopflow.runtime.simulate import as_send
from shopflow.store.opening import open_store

pytestmark = pytest.mark.slow

NEXT = Path(next_version.__file__)
LINES = generated(320, seed=5)


@pytest.fixture
def shop(tmp_path):
    with a_shop(tmp_path, files=CAPPED) as shop:
        yield shop


def check(shop, expected, **events):
    status = shop.status()
    assert status.events == {"accepted": len(LINES), **events}
    sends = shop.sends()
    assert sends == expected
    assert most_within(sends) == MOST
    assert status.messages == {"sent": len(expected)}
    assert status.inbox == 0
    assert shop.waiting() == 0


def versions(shop):
    found = administer(shop.database, "SELECT DISTINCT state_version FROM customers")
    return {version for (version,) in found}


def test_workers_of_this_release_and_of_the_next_share_a_database_under_load(shop):
    """The older worker leaves alone what the newer one wrote, and loses nothing of it."""
    expected = shop.simulated(write_lines(shop.folder, LINES), "drain")
    with Workers(shop, 1) as workers:
        shop.add(LINES[:80])
        workers.work_until(workers.is_done)
        assert versions(shop) == {next_version.PRESENT}
        # One by one they are replaced,
        workers.add(NEXT)
        workers.remove(0)
        shop.add(LINES[80:160])
        workers.work_until(workers.is_done)
        assert next_version.NEXT in versions(shop)
        # and back, for a while,
        workers.add(None)
        workers.remove(0)
        shop.add(LINES[160:240])
        workers.wait_for_word("upgrade this program")
        assert not workers.is_done()
        # and both are at work.
        workers.add(NEXT)
        shop.add(LINES[240:])
        workers.kill(0)
        workers.work_until(workers.is_done)
    shop.finish("drain", workers=1, program=NEXT)
    check(shop, expected)


def test_a_backup_of_postgresql_under_load_is_restored_and_the_events_sent_again(shop, tmp_path):
    expected = shop.simulated(write_lines(shop.folder, LINES), "drain")
    backup = tmp_path / "backup.dump"
    dump = program("pg_dump", "postgresql-client", "")
    restore = program("pg_restore", "postgresql-client", "")
    half = len(LINES) // 2
    with Workers(shop) as workers:
        shop.add(LINES[:half])
        workers.work_until(lambda: shop.done() > 50)
        with held_up_at_its_first_look(shop):
            dumping = subprocess.Popen([dump, "-Fc", "-f", backup, shop.database])
            wait_for(lambda: dumps_waiting(shop) == 1)
            begun = shop.done()
            shop.add(LINES[half:])
            workers.work_until(lambda: shop.done() > begun)
        assert dumping.wait() == 0
        workers.work_until(workers.is_done)
    folder = tmp_path / "restored"
    with a_shop(folder, files=CAPPED) as restored:
        subprocess.run([restore, "-d", restored.database, backup], check=True)
        kept = restored.status().events["accepted"]
        assert 0 < kept < len(LINES)
        restored.add(LINES)
        restored.finish("drain", workers=1)
        check(restored, expected, duplicate=kept)


@contextmanager
def held_up_at_its_first_look(shop):
    """A dump begins, and gets no further; nobody else needs that table."""
    with psycopg.connect(shop.database) as other:
        other.execute("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE")
        yield


def dumps_waiting(shop):
    [(count,)] = administer(
        shop.database,
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND application_name = 'pg_dump' AND wait_event_type = 'Lock'",
    )
    return count


def test_a_backup_of_sqlite_under_load_is_restored_and_the_file_read_on(tmp_path):
    folder = a_folder(tmp_path / "shop")
    lines = generated(1500, seed=5)
    events = write_lines(tmp_path, lines)
    path = folder / "sends.jsonl"
    shopflow(folder, "simulate", str(events), "--until", "drain", "--sends", str(path))
    words = ("run", str(events), "--clock", "event", "--until", "drain")
    running = subprocess.Popen(command(folder, *words), stdout=subprocess.DEVNULL)
    try:
        while accepted(folder) < 100:
            assert running.poll() is None
        restored = [a_folder(tmp_path / name) for name in ("vacuumed", "copied")]
        source = sqlite3.connect(folder / "shopflow.db")
        source.execute("VACUUM INTO ?", (str(restored[0] / "shopflow.db"),))
        with sqlite3.connect(restored[1] / "shopflow.db") as copy:
            source.backup(copy)
        copy.close()
        source.close()
        assert running.poll() is None, "it was under load"
    finally:
        running.kill()
        running.wait()
    for each in restored:
        assert 0 < accepted(each) < len(lines)
        shopflow(each, *words)
        store = open_store(f"sqlite:///{each}/shopflow.db")
        status, kept = store.views.status(), store.views.messages(limit=10**6)
        store.close()
        assert {word: count for word, count in status.events.items() if count} == {
            "accepted": len(lines)
        }
        assert set(status.messages) == {"sent"}
        assert sorted(send_of(stored.message) for stored in kept) == sends_in(path)


def send_of(message):
    send = as_send(message)
    names = ("at", "customer_id", "workflow", "step", "channel", "trigger_event_id")
    return tuple(send[name] for name in names)


def a_folder(path):
    shutil.copytree(FACTS, path)
    write_files(path, CAPPED)
    return path


def accepted(folder):
    database = folder / "shopflow.db"
    if not database.exists():
        return 0
    connection = sqlite3.connect(database, timeout=60)
    try:
        (count,) = connection.execute("SELECT count(*) FROM events").fetchone()
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()
    return count
