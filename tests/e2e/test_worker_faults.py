"""Workers killed in the middle of their work, and Redis emptied under them: the sums hold."""

from __future__ import annotations

import gzip
import os
import random
import signal
import time

import pytest
from support.production import (
    a_shop,
    generated,
    lose,
    wait_for,
)

SEED = 20261121


@pytest.fixture
def shop(tmp_path):
    with a_shop(tmp_path) as shop:
        yield shop


def write(folder, lines):
    path = folder / "events.jsonl"
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


class Killer:
    """Two workers, one of which is killed each time the work has come a little further."""

    def __init__(self, shop, rng):
        self.shop = shop
        self.rng = rng
        self.workers = [self.start() for _ in range(2)]
        self.kills = 0

    def start(self):
        return self.shop.start("--clock", "event")

    def done(self):
        """How far the work is: events taken and messages that left."""
        with self.shop.store() as store:
            status = store.views.status()
        return sum(status.events.values()) + status.messages.get("sent", 0)

    def kill_after(self, most):
        """Returns False when nothing moves any more."""
        begin, wanted = self.done(), self.rng.randint(1, most)
        deadline = time.monotonic() + 90
        while self.done() < begin + wanted:
            if not self.shop.waiting():
                return False
            assert time.monotonic() < deadline, "the work stands still"
            time.sleep(self.rng.uniform(0, 0.05))
        place = self.rng.randrange(2)
        self.end(self.workers[place])
        self.workers[place] = self.start()
        self.kills += 1
        return True

    def end(self, worker):
        worker.send_signal(signal.SIGKILL)
        worker.communicate(timeout=30)
        assert worker.returncode == -signal.SIGKILL

    def end_all(self):
        for worker in self.workers:
            self.end(worker)


def check_end(shop, lines, expected):
    status = shop.status()
    assert status.events["accepted"] == len(lines)
    assert shop.sends() == expected
    assert status.messages == {"sent": len(expected)} | {
        state: count for state, count in status.messages.items() if not count
    }
    assert status.inbox == 0
    return status


def killed_and_finished(shop, lines, *, kills, most):
    path = write(shop.folder, lines)
    expected = shop.simulated(path, "drain")
    shop.add([*lines, "garbage", *lines[-20:], "{}"])
    killer = Killer(shop, random.Random(SEED))
    try:
        while killer.kills < kills and killer.kill_after(most):
            pass
    finally:
        killer.end_all()
    assert killer.kills >= kills / 2
    shop.finish("drain")
    status = check_end(shop, lines, expected)
    # Every entry was counted once, whoever was killed with it in hand.
    assert status.events == {"accepted": len(lines), "duplicate": 20, "dead_letter": 2}


def test_workers_killed_again_and_again_lose_nothing_and_double_nothing(shop):
    killed_and_finished(shop, generated(500), kills=2, most=150)


@pytest.mark.soak
def test_workers_killed_twenty_times_on_a_real_stream(shop, shared):
    with gzip.open(shared / "data/rees46/events.jsonl.gz", "rt", encoding="utf-8") as file:
        lines = [line.rstrip("\n") for line in file]
    killed_and_finished(shop, lines, kills=20, most=1500)


def test_redis_emptied_in_the_middle_loses_only_what_is_sent_again(shop):
    lines = generated(500)
    expected = shop.simulated(write(shop.folder, lines), "drain")
    killer = Killer(shop, random.Random(SEED + 1))
    try:
        shop.add(lines[:400])
        assert killer.kill_after(100)
        lose(shop.redis, shop.namespace)
        # A shop that keeps a copy sends all of it again; what is known counts as duplicate.
        shop.add(lines)
        killer.kill_after(200)
        wait_for(lambda: not shop.waiting(), seconds=120)
    finally:
        killer.end_all()
    shop.finish("drain")
    status = check_end(shop, lines, expected)
    assert status.events["duplicate"] > 0
    assert "dead_letter" not in status.events


def test_a_worker_that_is_stopped_by_rq_or_by_a_signal_ends_in_order(shop):
    lines = generated(400)
    shop.add(lines)
    worker = shop.start("--clock", "event")
    try:
        wait_for(lambda: shop.waiting() < 400, seconds=90)
        worker.terminate()
        out, err = worker.communicate(timeout=60)
    finally:
        worker.kill()
    assert worker.returncode == 0, out + err
    assert not list(shop.redis.scan_iter(f"{shop.namespace}:lease:*"))
    states = shop.status().messages
    assert {state for state, count in states.items() if count} <= {"queued", "sent"}
    shop.finish("drain", workers=1)
    assert shop.status().events == {"accepted": 400}


def test_several_processes_under_one_command_are_started_again_and_stop_together(shop):
    crew = shop.start("--processes", "2", "--clock", "event")
    workers = f"rq:workers:{shop.namespace}-process"
    try:
        wait_for(lambda: shop.redis.scard(workers) == 2, seconds=90)
        victim = shop.redis.srandmember(workers)
        os.kill(int(shop.redis.hget(victim, "pid")), signal.SIGKILL)
        wait_for(lambda: shop.redis.scard(workers) == 3, seconds=90)
        crew.terminate()
        out, err = crew.communicate(timeout=60)
    finally:
        crew.kill()
    assert crew.returncode == 0, out + err
    assert "is started again" in err
