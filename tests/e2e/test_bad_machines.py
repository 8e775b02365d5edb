"""Bad days of the machine: a full disk under SQLite, clocks that jump."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from support.capped import CAPPED
from support.faults import Workers
from support.production import FACTS, a_shop, generated, sends_in, write_files, write_lines
from support.running import command, shopflow, status
from support.servers import FalseClock, Missing, missing

from shopflow.runtime.simulate import as_send
from shopflow.store.opening import open_store

pytestmark = pytest.mark.slow

AS_ROOT = [] if os.geteuid() == 0 else ["sudo", "-n"]


class SmallDisk:
    """A file system of so many KiB; whoever is not root needs sudo without a password for it."""

    def __init__(self, path, size):
        self.path = path
        self.size = size
        path.mkdir()
        self.mount(f"size={size}k")

    def mount(self, options):
        options += f",mode=700,uid={os.getuid()}"
        words = [*AS_ROOT, "mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.path)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            missing(f"a small disk cannot be mounted here: {done.stderr}")

    def grow(self, more):
        self.size += more
        self.mount(f"remount,size={self.size}k")


@pytest.fixture
def small_disk(tmp_path):
    disk = SmallDisk(tmp_path / "disk", 700)
    yield disk
    subprocess.run([*AS_ROOT, "umount", "-l", disk.path], check=True)


def test_a_full_disk_stops_the_runner_with_what_to_do_and_loses_nothing(small_disk, tmp_path):
    folder = tmp_path / "shop"
    shutil.copytree(FACTS, folder)
    write_files(folder, CAPPED)
    events = write_lines(folder, generated(500, seed=11))
    path = folder / "sends.jsonl"
    shopflow(folder, "simulate", str(events), "--until", "drain", "--sends", str(path))
    database = small_disk.path / "shop.db"
    with (folder / "shopflow.yaml").open("a", encoding="utf-8") as settings:
        settings.write(f"database: sqlite:///{database}\n")

    words = ("run", str(events), "--clock", "event", "--until", "drain")
    refused = 0
    while (ran := run(folder, *words)).returncode:
        refused += 1
        assert ran.returncode == 3
        assert "free some space and start again" in ran.stderr
        small_disk.grow(800)
    assert refused

    found = status(folder)
    assert found["events"]["accepted"] == 500
    assert found["events"]["duplicate"] == found["events"]["dead_letter"] == 0
    assert list(found["messages"]) == ["sent"]
    store = open_store(f"sqlite:///{database}")
    kept = [as_send(stored.message) for stored in store.views.messages(limit=10**6)]
    store.close()
    assert sorted(map(key_of, kept)) == sorted(map(tuple, sends_in(path)))


def key_of(send):
    names = ("at", "customer_id", "workflow", "step", "channel", "trigger_event_id")
    return tuple(send[name] for name in names)


def run(folder, *words):
    return subprocess.run(command(folder, *words), capture_output=True, text=True, check=False)


@pytest.fixture
def clock(tmp_path):
    """The clock of the workers' machine."""
    try:
        return FalseClock(tmp_path)
    except Missing as error:
        missing(error)


def a_look(number, at, customer):
    return json.dumps(
        {
            "id": f"e{number}",
            "type": "product.viewed",
            "occurred_at": at.isoformat(),
            "customer_id": customer,
            "data": {"sku": "A1", "price": 9.5},
        }
    )


def test_clocks_that_jump_fire_nothing_early_nothing_twice_and_never_stop(clock, tmp_path):
    with (
        a_shop(tmp_path) as shop,
        Workers(shop, 1, "--clock", "wall", environment=clock.environment) as workers,
    ):
        now = datetime.now(UTC)
        shop.add([a_look(1, now, "anna"), a_look(2, now, "bert")])
        workers.work_until(lambda: shop.status().events == {"accepted": 2})
        # Ours alone says that it is time, or that it is not nearly time.
        for ahead in ("+3h", "-3h", "+0"):
            clock.set(ahead)
            # More than one tick.
            workers.rounds(4)
            assert shop.sends() == []
            workers.work_until(workers.is_done)
        # That of Redis has jumped ahead and back: its places stay ahead.
        ahead = int((now + timedelta(hours=3)).timestamp() * 1000)
        shop.redis.xadd(shop.door, {"tick": ""}, id=f"{ahead}-0")
        workers.rounds(4)
        assert shop.sends() == []
        # Both say that half an hour is over.
        clock.set("+31m")
        workers.work_until(lambda: sent(shop) == ["browse-abandoned-30min"] * 2)
        # Back again, so that the same time comes twice.
        for again in ("-61m", "+31m"):
            clock.set(again)
            workers.rounds(4)
            assert sent(shop) == ["browse-abandoned-30min"] * 2
        # Events are decided as ever, and known ones are known.
        later = datetime.now(UTC) + timedelta(minutes=31)
        shop.add([a_look(3, later, "carl"), a_look(1, now, "anna")])
        workers.work_until(lambda: shop.status().events == {"accepted": 3, "duplicate": 1})
        clock.set("+62m")
        wanted = ["browse-abandoned-30min"] * 3 + ["browse-abandoned-60min"] * 2
        workers.work_until(lambda: shop.status().messages == {"sent": 5})
        assert sent(shop) == wanted


def sent(shop):
    return sorted(send[2] for send in shop.sends())
