"""Workers killed in the middle of their work, and Redis emptied under them: the sums hold."""

from __future__ import annotations

import gzip
import os
import signal

import pytest
from support.faults import Workers
from support.production import (
    a_shop,
    generated,
    lose,
    wait_for,
    write_lines,
)

SEED = 20261121


@pytest.fixture
def shop(tmp_path):
    with a_shop(tmp_path) as shop:
        yield shop


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
    path = write_lines(shop.folder, lines)
    expected = shop.simulated(path, "drain")
    shop.add([*lines, "garbage", *lines[-20:], "{}"])
    with Workers(shop, seed=SEED) as workers:
        workers.kill_along(kills, most)
    assert workers.kills >= kills / 2
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


@pytest.mark.soak
def test_redis_emptied_in_the_middle_loses_only_what_is_sent_again(shop):
    lines = generated(500)
    expected = shop.simulated(write_lines(shop.folder, lines), "drain")
    with Workers(shop, seed=SEED + 1) as workers:
        shop.add(lines[:400])
        workers.kill_along(1, 100)
        lose(shop.redis, shop.namespace)
        # A shop that keeps a copy sends all of it again; what is known counts as duplicate.
        shop.add(lines)
        workers.kill_along(2, 200)
        workers.work_until(workers.is_done)
    shop.finish("drain")
    status = check_end(shop, lines, expected)
    assert status.events["duplicate"] > 0
    assert "dead_letter" not in status.events


def test_a_worker_that_is_stopped_by_rq_or_by_a_signal_ends_in_order(shop):
    lines = generated(400)
    shop.add(lines)
    worker = shop.start("--clock", "event")
    try:
        wait_for(lambda: shop.waiting() < 400)
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
        wait_for(lambda: shop.redis.scard(workers) == 2)
        victim = shop.redis.srandmember(workers)
        os.kill(int(shop.redis.hget(victim, "pid")), signal.SIGKILL)
        wait_for(lambda: shop.redis.scard(workers) == 3)
        crew.terminate()
        out, err = crew.communicate(timeout=60)
    finally:
        crew.kill()
    assert crew.returncode == 0, out + err
    assert "is started again" in err
