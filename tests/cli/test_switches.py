"""The kill switch and the dead letters, by their commands."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from support.production import a_shop
from support.running import MailSink, a_project, an_event, who, write_events

from shopflow.cli.main import main


def now(**ago):
    return (datetime.now(UTC) - timedelta(**ago)).isoformat()


@pytest.fixture
def sink():
    with MailSink().listening() as sink:
        yield sink


@pytest.fixture
def call(sink, tmp_path):
    a_project(tmp_path, sink.port)

    def run(*words, code=0, given=None):
        words = [*words, "--project", str(tmp_path)]
        result = CliRunner().invoke(main, words, input=given)
        assert result.exit_code == code, result.output + result.stderr
        return result.output + (result.stderr if code else "")

    return run


@pytest.fixture
def two_events(tmp_path):
    events = [who("anna", now(minutes=2)), an_event(1, "anna", at=now(minutes=1))]
    return write_events(tmp_path / "events.jsonl", events)


def status(call):
    return json.loads(call("status", "--format", "json"))


def test_what_is_paused_waits_in_the_outbox_until_it_is_resumed(call, sink, two_events):
    call("run", str(write_events(two_events.parent / "none.jsonl", [])))
    out = call("pause", "hello", "--reason", "wrong price")
    assert "paused: workflow:hello (wrong price)" in out
    call("run", str(two_events))
    assert not sink.counts
    found = status(call)
    assert found["messages"] == {"queued": 1}
    (pause,) = found["pauses"]
    assert (pause["scope"], pause["reason"]) == ("workflow:hello", "wrong price")
    assert "resumed: workflow:hello" in call("resume", "hello", "--reason", "mended")
    call("run", "-", given="")
    assert sink.counts.total() == 1
    assert status(call)["pauses"] == []


@pytest.mark.parametrize(
    ("words", "scope"),
    [
        (["--channel", "email"], "channel:email"),
        (["--sender", "email/marketing"], "sender:email/marketing"),
        (["--marketing"], "marketing"),
        (["--all"], "all"),
    ],
)
def test_more_than_a_workflow_can_be_paused(call, words, scope):
    call("run", "-", given="")
    told = json.loads(call("pause", *words, "--reason", "storm", "--format", "json"))
    assert told == {"paused": scope, "reason": "storm"}
    call("resume", *words)


def test_a_pause_that_would_stop_nothing_is_refused(call):
    call("run", "-", given="")
    assert "did you mean 'hello'?" in call("pause", "helo", "--reason", "x", code=2)
    assert "no channel" in call("pause", "--channel", "pigeon", "--reason", "x", code=2)
    assert "name one" in call("pause", "--reason", "x", code=2)
    assert "name one" in call("pause", "hello", "--all", "--reason", "x", code=2)
    assert "Missing option '--reason'" in call("pause", "hello", code=2)
    assert "paused are: none" in call("resume", "hello", code=2)


def letters(call, *words):
    return json.loads(call("dead-letters", "list", "--format", "json", *words))


@pytest.fixture
def some_letters(call, tmp_path):
    """Three letters: of an unknown type, of a wrong field, and no JSON at all."""
    path = tmp_path / "bad.jsonl"
    bad = [an_event(2, "bert", "order.eaten", at=now(minutes=1)), an_event(3, "bert", sku=7)]
    text = "".join(json.dumps(event) + "\n" for event in bad) + "not json\n"
    path.write_text(text, encoding="utf-8")
    call("run", str(path))


@pytest.mark.usefixtures("some_letters")
def test_dead_letters_are_listed_by_reason_and_number(call):
    found = letters(call)
    assert {one["reason"] for one in found} == {"unknown_type", "payload", "not_json"}
    assert "payload" not in found[0]
    (one,) = letters(call, "--reason", "payload", "--payload")
    assert json.loads(one["payload"])["id"] == "e3"
    assert letters(call, str(one["number"])) == letters(call, "--reason", "payload")
    assert "3 dead letters: not_json 1, payload 1, unknown_type 1" in call("dead-letters", "list")


@pytest.mark.usefixtures("some_letters")
def test_once_its_cause_is_mended_a_letter_is_taken(call, tmp_path):
    schema = {"type": "object", "additionalProperties": True}
    folder = tmp_path / "rules/events"
    folder.mkdir()
    (folder / "order.eaten.schema.json").write_text(json.dumps(schema))
    out = call("dead-letters", "retry", "--all")
    assert "2 handed back to the door, 1 kept" in out
    assert "not_json: it is no JSON" in out
    assert status(call)["events"] == {"in": 3, "accepted": 1, "duplicate": 0, "dead_letter": 2}
    assert {one["reason"] for one in letters(call)} == {"payload", "not_json"}
    again = json.loads(call("dead-letters", "retry", "--reason", "payload", "--format", "json"))
    assert again == {"handed_on": 1, "kept": []}
    assert status(call)["events"]["in"] == 3


@pytest.mark.usefixtures("some_letters")
def test_letters_are_dropped_for_a_reason_and_stay_counted(call):
    assert "say which" in call("dead-letters", "drop", "--because", "x", code=2)
    call("dead-letters", "drop", "--all", "--because", "x", code=130, given="n\n")
    assert len(letters(call)) == 3
    out = call("dead-letters", "drop", "--reason", "not_json", given="noise of a probe\ny\n")
    assert "1 dropped" in out
    call("dead-letters", "drop", "--all", "--because", "noise", "--yes")
    assert letters(call) == []
    assert status(call)["events"] == {"in": 3, "accepted": 0, "duplicate": 0, "dead_letter": 3}


def test_in_production_letters_go_back_to_the_stream(tmp_path):
    with a_shop(tmp_path) as shop:
        event = {**an_event(1, "c1"), "type": "order.eaten"}
        shop.add([json.dumps(event), "garbage"])
        shop.finish()
        assert shop.status().events == {"dead_letter": 2}
        schema = {"type": "object", "additionalProperties": True}
        (tmp_path / "rules/events").mkdir(exist_ok=True)
        (tmp_path / "rules/events/order.eaten.schema.json").write_text(json.dumps(schema))
        out = shop.run("dead-letters", "retry", "--all").stdout
        assert "1 handed back to the door, 1 kept" in out
        assert shop.waiting() == 1
        shop.finish()
        assert {k: v for k, v in shop.status().events.items() if v} == {
            "accepted": 1,
            "dead_letter": 1,
        }
