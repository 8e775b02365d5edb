"""`/metrics` and `/readyz` of real processes: what they say is what happened."""

from __future__ import annotations

import os
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from support.production import a_shop, generated, wait_for
from support.prometheus import samples, value
from support.running import MailSink, a_project, an_event, start, who


@contextmanager
def web(process):
    """A client of the address that the process says it listens at."""
    url = process.stderr.readline().rpartition(" ")[2].strip()
    with httpx.Client(base_url=url.removesuffix("/v1/events"), timeout=30) as client:
        yield client


def recent(**ago):
    return (datetime.now(UTC) - timedelta(**ago)).isoformat()


@pytest.fixture
def embedded(tmp_path):
    """`shopflow run --http` on a small project, and a client of it."""
    with MailSink().listening() as sink:
        a_project(tmp_path, sink.port)
        environment = {**os.environ, "SHOPFLOW_API_KEY": "key-of-sixteen-signs"}
        process = start(tmp_path, "run", "--http", "127.0.0.1:0", env=environment)
        try:
            with web(process) as client:
                client.headers["authorization"] = "Bearer key-of-sixteen-signs"
                yield client
        finally:
            process.kill()
            process.communicate()


def test_one_process_tells_what_it_did(embedded):
    events = [who("anna", recent(minutes=2)), an_event(1, "anna", at=recent(minutes=1)), {"id": 1}]
    assert embedded.post("/v1/events", json=events).status_code == 202
    hello = {"workflow": "hello", "channel": "email"}

    def told():
        return embedded.get("/metrics").text

    # How long it took is told last.
    took = {"channel": "email", "class": "service"}
    wait_for(lambda: value(told(), "acceptance_seconds_count", **took) == 1)
    page = told()
    assert value(page, "deliveries_total", **hello, outcome="accepted") == 1
    assert value(page, "events_total", result="accepted") == 2
    assert value(page, "events_total", result="dead_letter") == 1
    assert sum(samples(page)[key] for key in samples(page) if key[0] == "dead_letters") == 1
    assert value(page, "enrolments_total", workflow="hello") == 1
    assert value(page, "messages_queued_total", **hello) == 1
    assert value(page, "decision_seconds_count") == 3
    assert value(page, "http_answers_total", status="202") == 1
    assert value(page, "up", part="database") == 1
    now = datetime.now(UTC).timestamp()
    assert now - value(page, "last_tick_timestamp_seconds") < 60
    assert now - value(page, "workflow_last_send_timestamp_seconds", workflow="hello") < 60
    for secret in ("anna", "example.com", "key-of-sixteen-signs"):
        assert secret not in page


def test_metrics_want_the_key_of_the_events_and_readiness_none(embedded):
    del embedded.headers["authorization"]
    assert embedded.get("/metrics").status_code == 401
    ready = embedded.get("/readyz")
    assert ready.status_code == 200
    checks = ready.json()["checks"]
    assert (checks["database"], checks["clock"]) == ("ok", "ok")
    assert len(checks["rules"]) >= 16


@pytest.mark.slow
def test_one_page_tells_of_all_workers_and_their_ends(tmp_path):
    with a_shop(tmp_path) as shop:
        environment = {**os.environ, "SHOPFLOW_METRICS_KEY": "key-to-look-with"}
        serving = shop.start_command("serve", "--http", "127.0.0.1:0", env=environment)
        with web(serving) as client:
            assert client.get("/metrics").status_code == 401
            client.headers["authorization"] = "Bearer key-to-look-with"

            def told(name, **labels):
                return value(client.get("/metrics").text, name, **labels)

            lines = generated(400)
            shop.add(lines)
            assert told("stream_entries", stream="door") == 400
            workers = [shop.start(), shop.start()]
            wait_for(lambda: told("events_total", result="accepted") == 400)
            wait_for(lambda: told("decision_seconds_count") == 400)
            wait_for(lambda: told("workers", queue="process") == 2)
            wait_for(lambda: told("last_tick_timestamp_seconds"))
            assert told("workers", queue="http") == 1
            # But for a tick that has just come.
            wait_for(lambda: told("stream_entries", stream="door") == 0)
            assert told("up", part="redis") == 1
            busy = told("busy_seconds_total", queue="process")
            assert busy > 0
            workers[0].terminate()
            workers[0].wait(60)
            wait_for(lambda: told("workers", queue="process") == 1)
            assert told("busy_seconds_total", queue="process") >= busy
            # Sent once more, one is told and 400 are duplicates.
            shop.add([*lines, "garbage"])
            wait_for(lambda: told("events_total", result="duplicate") == 400)
            wait_for(lambda: told("events_total", result="dead_letter") == 1)
            checks = client.get("/readyz").json()["checks"]
            assert {checks[part] for part in ("database", "redis", "clock")} == {"ok"}
