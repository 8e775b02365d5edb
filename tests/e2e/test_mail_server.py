"""A mail server that is down, slow, refuses or breaks off: nothing is lost, nothing doubled."""

from __future__ import annotations

import asyncio
import socket
import threading
from datetime import UTC, datetime, timedelta

import pytest
from support.running import MailSink, a_project, an_event, who, write_events

from shopflow.runtime.app import open_app
from shopflow.runtime.embedded import Embedded
from shopflow.runtime.retry import RetryPolicy
from shopflow.runtime.sources import open_sources

QUICK = RetryPolicy(first=timedelta(milliseconds=20), longest=timedelta(milliseconds=100))
PEOPLE = 30


def events_in(folder):
    at = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    events = []
    for number in range(PEOPLE):
        events += [who(f"c{number}", at), an_event(number, f"c{number}", at=at)]
    return write_events(folder / "events.jsonl", events)


def run(folder, *, retry=QUICK):
    """Runs to the end; returns the status."""
    path = events_in(folder)
    with open_app(folder) as app:
        runner = Embedded(app.parts(retry=retry), sources=open_sources([str(path)]))
        asyncio.run(asyncio.wait_for(runner.run(), 60))
        return app.store.views.status()


@pytest.fixture
def sink():
    return MailSink()


def everyone_once(sink, status):
    assert len(sink.counts) == PEOPLE
    assert set(sink.counts.values()) == {1}
    assert {str(state): count for state, count in status.messages.items() if count} == {
        "sent": PEOPLE
    }


def test_down_at_first(sink, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    a_project(tmp_path, port)
    found = []
    running = threading.Thread(target=lambda: found.append(run(tmp_path)))
    running.start()
    running.join(2)
    assert running.is_alive()
    with sink.listening(port):
        running.join(60)
    everyone_once(sink, found[0])
    assert not found[0].uncertain


@pytest.mark.parametrize("answer", ["451 try later", "421 closing", "452 too much"])
def test_refusing_for_a_while(sink, tmp_path, answer):
    refused = iter(range(20))
    sink.behave = lambda _: answer if next(refused, None) is not None else None
    with sink.listening():
        a_project(tmp_path, sink.port)
        everyone_once(sink, run(tmp_path))


def test_refusing_for_good(sink, tmp_path):
    refused = iter(range(5))
    sink.behave = lambda _: "554 no" if next(refused, None) is not None else None
    with sink.listening():
        a_project(tmp_path, sink.port)
        status = run(tmp_path)
    assert sink.counts.total() == PEOPLE - 5
    assert set(sink.counts.values()) == {1}
    assert status.messages["failed"] == 5
    assert status.workflows["hello"]["delivery:failed"] == 5


def test_breaking_off_in_the_middle(sink, tmp_path):
    """The connection is gone after the data and before the answer: sent again, same id, told."""
    dropped = iter(range(6))
    sink.behave = lambda _: "drop" if next(dropped, None) is not None else None
    with sink.listening():
        a_project(tmp_path, sink.port)
        status = run(tmp_path)
    everyone_once(sink, status)
    assert sum(one.uncertain for one in status.uncertain) == 6


def test_slow(sink, tmp_path):
    sink.behave = lambda number: asyncio.sleep(0.3 if number % 10 == 1 else 0)
    with sink.listening():
        a_project(tmp_path, sink.port)
        everyone_once(sink, run(tmp_path))


def test_too_slow_to_answer_in_time(sink, tmp_path):
    """It has taken the mail and answers after our patience: in doubt, told, and sent again."""
    late = iter(range(2))
    sink.behave = lambda _: asyncio.sleep(2 if next(late, None) is not None else 0)
    with sink.listening():
        a_project(tmp_path, sink.port, timeout=0.5)
        status = run(tmp_path)
    assert len(sink.counts) == PEOPLE
    doubled = {message_id for message_id, count in sink.counts.items() if count > 1}
    assert doubled <= {one.message.id for one in status.uncertain}
    assert len(doubled) <= 2
