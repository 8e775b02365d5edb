"""`run`, `status`, `explain` and `events import` on a small project, as processes and in place."""

from __future__ import annotations

import gzip
import json
import os
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from click.testing import CliRunner
from support.production import wait_for
from support.running import (
    a_project,
    an_event,
    start,
    who,
    write_events,
)

from shopflow.cli.main import main


@pytest.fixture
def shop(tmp_path, sink, command):
    """Runs a command on a small project; returns its output, in place of a process."""
    a_project(tmp_path, sink.port)
    return command


def now(**ago):
    return (datetime.now(UTC) - timedelta(**ago)).isoformat()


def lines(events):
    return "".join(json.dumps(event) + "\n" for event in events)


def test_a_file_becomes_mails_and_a_second_run_sends_nothing(shop, sink, tmp_path):
    events = [who("anna", now(minutes=2)), an_event(1, "anna", at=now(minutes=1), sku="B7")]
    path = write_events(tmp_path / "events.jsonl", events)
    out = shop("run", str(path))
    assert "2 events in: 2 accepted, 0 duplicates, 0 dead letters" in out
    assert "messages: 1 sent" in out
    assert sink.counts.total() == 1
    assert "0 events in" in shop("run", str(path))
    # The same events once more, by another way: they are recognised.
    assert "0 accepted, 2 duplicates" in shop("run", "-", given=lines(events))
    assert sink.counts.total() == 1


def test_packed_files_are_read_like_plain_ones(shop, sink, tmp_path):
    events = [who("anna", now(minutes=2)), an_event(1, "anna", at=now(minutes=1))]
    path = tmp_path / "events.jsonl.gz"
    path.write_bytes(gzip.compress(lines(events).encode()))
    shop("run", str(path))
    assert sink.counts.total() == 1


def test_bad_input_is_set_aside_with_its_reason_and_the_rest_goes_on(shop, tmp_path):
    good = [who("anna", now(minutes=2)), an_event(1, "anna", at=now(minutes=1))]
    bad = [
        "not json",
        json.dumps(an_event(2, "x" * 10_240)),
        json.dumps(an_event(3, "anna", "order.eaten")),
        json.dumps(an_event(4, "anna", at="0000-01-01T00:00:00Z")),
        json.dumps(an_event(5, "anna", at="9999-12-31T23:59:59Z")),
        json.dumps(an_event(6, "anna", sku=7)),
        json.dumps(an_event(7, "a\x00nna")),
        json.dumps(an_event(8, "anna", note="x" * 300_000)),
    ]
    text = lines(good[:1]) + "\n".join(bad) + "\n" + lines(good[1:]) + lines(good[1:])
    path = tmp_path / "events.jsonl"
    path.write_text(text, encoding="utf-8")
    out = shop("run", str(path))
    assert "11 events in: 2 accepted, 1 duplicates, 8 dead letters" in out
    found = json.loads(shop("status", "--format", "json"))
    assert found["events"] == {"in": 11, "accepted": 2, "duplicate": 1, "dead_letter": 8}
    assert found["dead_letters"] == {
        "not_json": 1,
        "envelope": 1,
        "unknown_type": 1,
        "bad_time": 2,
        "payload": 1,
        "nul": 1,
        "too_large": 1,
    }
    assert "order.eaten" not in shop("explain", "event", "e1")
    assert "unknown_type" in shop("explain", "event", "e3")


def test_a_template_that_fails_hurts_its_own_message_only(shop, sink, tmp_path):
    (tmp_path / "rules/templates/hello/email.en.txt").write_text(
        '---\nsubject: "Hello"\npurposes: [service]\nvariables: {sku: string}\n---\n'
        "{{ [1, 2, 3][sku|length] + 1 }}\n"
    )
    events = [
        who("anna", now(minutes=2)), an_event(1, "anna", at=now(minutes=1), sku="no such place"),
        who("berta", now(minutes=2)), an_event(2, "berta", at=now(minutes=1), sku="A1"),
    ]  # fmt: skip
    path = write_events(tmp_path / "events.jsonl", events)
    shop("run", str(path))
    assert sink.counts.total() == 1
    found = json.loads(shop("status", "--format", "json"))
    assert found["messages"] == {"sent": 1, "failed": 1}
    assert found["workflows"]["hello"]["delivery:failed"] == 1
    assert "(template)" in shop("explain", "customer", "anna")


def test_old_history_is_imported_without_sending_anything(shop, sink, tmp_path):
    events = [who("anna", now(days=100)), an_event(1, "anna", at=now(days=99))]
    path = write_events(tmp_path / "history.jsonl", events)
    assert "2 accepted" in shop("events", "import", str(path))
    shop("run", "-", given="")
    assert sink.counts.total() == 0
    found = json.loads(shop("status", "--format", "json"))
    assert found["workflows"]["hello"]["dropped:stale"] == 1


def test_a_timer_that_came_due_while_nothing_ran_fires_at_the_next_start(shop, sink, tmp_path):
    events = [who("anna", now(minutes=40)), an_event(1, "anna", at=now(minutes=30))]
    shop("events", "import", str(write_events(tmp_path / "events.jsonl", events)))
    assert sink.counts.total() == 0
    shop("run", "-", given="")
    assert sink.counts.total() == 2


def test_explain_tells_why_in_order_and_shows_no_address(shop, tmp_path):
    events = [
        who("anna", now(minutes=2)),
        an_event(1, "anna", at=now(minutes=1)),
        an_event(2, "berta", at=now(minutes=1)),
    ]
    shop("run", str(write_events(tmp_path / "events.jsonl", events)))
    told = shop("explain", "customer", "anna")
    assert told.index("hello: entered") < told.index("queued") < told.index("accepted by the chan")
    assert "a***@example.com" in told
    assert "anna@example.com" not in told
    assert "no address is known for the channel" in shop("explain", "customer", "berta")
    assert "hello" not in shop("explain", "customer", "anna", "--workflow", "later")
    event = json.loads(shop("explain", "event", "e1", "--format", "json"))
    assert [line["kind"] for line in event["timeline"]].count("queued") == 1
    assert "no customer 'nobody'" in shop("explain", "customer", "nobody", code=2)
    assert "no event 'e99'" in shop("explain", "event", "e99", code=2)


def test_what_is_wrong_before_anything_runs_is_told(shop, tmp_path):
    assert "there is no database" in shop("status", code=3)
    assert "name a file" in shop("run", code=2)
    assert "cannot be read" in shop("run", str(tmp_path / "missing.jsonl"), code=2)
    assert "write HOST:PORT" in shop("run", "--http", "here", code=2)
    (tmp_path / "rules/workflows/hello.yaml").write_text("kind: Workflow\nid: [")
    assert "hello.yaml" in shop("run", "-", given="", code=1)


def test_in_a_sink_nothing_leaves(shop, sink, tmp_path):
    path = tmp_path / "shopflow.yaml"
    text = path.read_text().replace('{mode: allowlist, allowlist: ["*@*"]}', "{mode: sink}")
    path.write_text(text)
    events = [who("anna", now(minutes=2)), an_event(1, "anna", at=now(minutes=1))]
    assert "1 sent" in shop("run", str(write_events(tmp_path / "events.jsonl", events)))
    assert sink.counts.total() == 0


def test_events_over_http_are_on_disk_when_they_are_answered(sink, tmp_path):
    a_project(tmp_path, sink.port)
    environment = {**os.environ, "SHOPFLOW_API_KEY": "key-of-sixteen-signs"}
    process = start(tmp_path, "run", "--http", "127.0.0.1:0", env=environment)
    try:
        url = process.stderr.readline().rpartition(" ")[2].strip()
        event = an_event(1, "anna", at=now(minutes=1))
        with httpx.Client(
            headers={"authorization": "Bearer key-of-sixteen-signs"}, timeout=30
        ) as client:
            assert httpx.post(url, json=event).status_code == 401
            answer = client.post(url, json=[who("anna", now(minutes=2)), event, {"id": "x"}])
            assert answer.status_code == 202
            assert [one["result"] for one in answer.json()["events"]] == [
                "accepted", "accepted", "dead_letter",
            ]  # fmt: skip
            assert client.post(url, content=lines([event, event])).json()["duplicate"] == 2
            # Killed at once: what was answered is there.
            process.kill()
    finally:
        process.kill()
        process.communicate()
    told = CliRunner().invoke(main, ["status", "--format", "json", "--project", str(tmp_path)])
    found = json.loads(told.stdout)
    assert found["events"] == {"in": 5, "accepted": 2, "duplicate": 2, "dead_letter": 1}


def test_who_is_under_way_stays_on_the_version_they_started_on(shop, tmp_path):
    path = write_events(tmp_path / "events.jsonl", [who("anna"), an_event(1, "anna")])
    replay = ("run", str(path), "--clock", "event")
    shop(*replay)
    rule = tmp_path / "rules/workflows/later.yaml"
    text = rule.read_text().replace("version: 1", "version: 2").replace("wait: 20m", "wait: 5h")
    rule.write_text(text)
    shop(*replay, "--until", "drain")
    told = json.loads(
        shop("explain", "customer", "anna", "--workflow", "later", "--format", "json")
    )
    (queued,) = [line for line in told["timeline"] if line["kind"] == "queued"]
    assert (queued["version"], queued["at"]) == (1, "2026-03-01T10:20:00+00:00")


def test_what_is_appended_is_followed_until_it_is_told_to_stop(sink, tmp_path):
    a_project(tmp_path, sink.port)
    path = write_events(tmp_path / "events.jsonl", [who("anna", now(minutes=2))])
    process = start(tmp_path, "run", str(path), "--follow")
    try:
        with path.open("a") as file:
            file.write(json.dumps(an_event(1, "anna", at=now(minutes=1))) + "\n")
        wait_for(lambda: sink.arrivals)
        process.terminate()
        out, _ = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0
    assert "2 events in: 2 accepted" in out
    assert sink.counts.total() == 1
