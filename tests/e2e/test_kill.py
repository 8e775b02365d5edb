"""kill -9 at any moment: nothing is lost, and what may be doubled is named and counted."""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.running import (
    MailSink,
    a_project,
    an_event,
    shopflow,
    start,
    status,
    who,
    write_events,
)

pytestmark = pytest.mark.slow

#: A real stream where it lies beside the repository; a generated one of its kind elsewhere.
SHARED = Path(__file__).resolve().parents[3] / "shared"
SEED = 20261121
KILLS = 20
CONNECTIONS = 4
EVENTS = 2500
#: A receipt that the sink gave so long before the kill has been written down.
WRITTEN = 2.0


def real_stream(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line, _ in zip(file, range(EVENTS), strict=False)]


def generated_stream():
    rng = random.Random(SEED)
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    return [
        an_event(
            number,
            f"c{rng.randrange(EVENTS // 4)}",
            at=(begin + timedelta(seconds=2 * number)).isoformat(),
        )
        for number in range(EVENTS)
    ]


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    """The stream, with every customer's address before the first event."""
    recorded = SHARED / "data/rees46/events.jsonl.gz"
    stream = real_stream(recorded) if recorded.is_file() else generated_stream()
    known, told = set(), []
    for event in stream:
        customer = event["customer_id"]
        if customer not in known:
            known.add(customer)
            told.append(who(customer, event["occurred_at"]))
        told.append(event)
    return write_events(tmp_path_factory.mktemp("stream") / "events.jsonl", told)


@pytest.fixture(scope="module")
def expected(events, tmp_path_factory):
    """The messages of a run that nothing disturbs."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with MailSink().listening() as sink:
        a_project(folder, sink.port, connections=CONNECTIONS)
        run(folder, events)
    assert set(sink.counts.values()) == {1}
    assert len(sink.counts) > 40 * KILLS
    assert status(folder)["uncertain"] == []
    return set(sink.counts)


def run(folder, events):
    return shopflow(folder, "run", str(events), "--clock", "event", "--until", "drain")


class Killer:
    """Kills the process at the n-th mail: before the sink has answered it, or a while after."""

    def __init__(self, sink, rng):
        self.sink = sink
        self.rng = rng
        self.killed_at = []
        sink.behave = self.behave
        self.process = None
        self.left = None
        self.unanswered = False

    def aim(self, process, number):
        # The first kills come early, while events are still being read.
        most = 15 if number < KILLS // 2 else 60
        self.process, self.left = process, self.rng.randint(1, most)
        self.unanswered = self.rng.random() < 0.5
        self.delay = self.rng.uniform(0, 0.02)

    def behave(self, _):
        if self.left is None:
            return
        self.left -= 1
        if self.left:
            return
        self.left = None
        if self.unanswered:
            self.kill()
        else:
            threading.Timer(self.delay, self.kill).start()
        return

    def kill(self):
        os.kill(self.process.pid, signal.SIGKILL)
        self.killed_at.append(time.monotonic())


def test_killed_twenty_times_every_message_arrives_and_every_double_is_listed(
    events, expected, tmp_path
):
    with MailSink().listening() as sink:
        a_project(tmp_path, sink.port, connections=CONNECTIONS)
        killer = Killer(sink, random.Random(SEED))
        for number in range(KILLS):
            process = start(tmp_path, "run", str(events), "--clock", "event", "--until", "drain")
            killer.aim(process, number)
            output = process.communicate(timeout=120)
            assert process.returncode == -signal.SIGKILL, f"kill {number}: {output}"
        sink.behave = None
        run(tmp_path, events)
    assert len(killer.killed_at) == KILLS
    assert set(sink.counts) == expected
    doubled = {message_id for message_id, count in sink.counts.items() if count > 1}
    extra = sink.counts.total() - len(sink.counts)
    assert extra <= KILLS * CONNECTIONS
    found = status(tmp_path)
    assert doubled <= {one["message_id"] for one in found["uncertain"]}
    assert found["messages"] == {"sent": len(expected)}
    total = events.read_text(encoding="utf-8").count("\n")
    counted = found["events"]
    assert counted["accepted"] == total
    assert counted["duplicate"] == counted["dead_letter"] == 0
    # A repetition is for a mail that the kill caught before its receipt was on disk; what was in
    # the sink's hands at the kill is noted a moment after it.
    for message_id in doubled:
        times = [one.answered for one in sink.arrivals if one.message_id == message_id]
        for answered in times[:-1]:
            assert any(-1 < at - answered < WRITTEN for at in killer.killed_at)


def test_a_stop_in_order_leaves_nothing_in_doubt_and_the_next_run_goes_on(
    events, expected, tmp_path
):
    with MailSink().listening() as sink:
        a_project(tmp_path, sink.port, connections=CONNECTIONS)
        for least in (30, 60):
            process = start(tmp_path, "run", str(events), "--clock", "event", "--until", "drain")
            deadline = time.monotonic() + 60
            while len(sink.arrivals) < least and time.monotonic() < deadline:
                time.sleep(0.01)
            process.terminate()
            out, err = process.communicate(timeout=60)
            assert process.returncode == 0, err
            assert "events in:" in out
        assert status(tmp_path)["messages"].keys() <= {"sent", "queued"}
        run(tmp_path, events)
    assert set(sink.counts) == expected
    assert set(sink.counts.values()) == {1}
    assert status(tmp_path)["uncertain"] == []


def test_a_second_runner_on_the_same_state_is_refused(events, tmp_path):
    with MailSink().listening() as sink:
        a_project(tmp_path, sink.port)
        process = start(tmp_path, "run", "--http", "127.0.0.1:0")
        assert "events: POST" in process.stderr.readline()
        refused = shopflow(tmp_path, "run", str(events), code=2)
        assert "another shopflow runs on" in refused.stderr
        process.terminate()
        process.communicate(timeout=60)
        assert process.returncode == 0
