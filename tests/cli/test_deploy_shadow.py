"""`shopflow deploy --shadow`: changed workflows decide beside the live ones, and send nothing."""

from __future__ import annotations

import json
from contextlib import closing

import pytest
from support.running import a_project, an_event, shopflow, who, write_events

from shopflow.store.opening import open_store

HELLO = "rules/workflows/hello.yaml"


@pytest.fixture
def project(tmp_path, sink):
    return a_project(tmp_path, sink.port)


def told(command, *words, code=0):
    return json.loads(command("deploy", *words, "--format", "json", code=code))


def change(project, old, new):
    path = project / HELLO
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new).replace("version: 1", "version: 2"))


def look(project, number, customer):
    events = [who(customer), an_event(number, customer)]
    shopflow(project, "run", str(write_events(project / "e.jsonl", events)), "--clock", "event")


def dropped(project, customer):
    with closing(open_store(f"sqlite:///{project}/shopflow.db", partitions=4)) as store:
        journal = store.views.timeline(customer).journal
        return [(entry.workflow, entry.reason) for entry in journal if entry.kind == "dropped"]


def test_the_live_ones_send_as_before_and_the_shadow_says_what_it_would(project, command, sink):
    told(command)
    change(project, "reentry: once", "reentry: ignore")
    assert told(command, "--shadow")["added"] == ["hello-shadow"]
    look(project, 1, "anna")
    assert len(sink.arrivals) == 1
    assert dropped(project, "anna") == [("hello-shadow", "shadow")]
    # Another shadow takes the place of the first; the rules themselves put an end to it.
    change(project, "title: Hello", "title: Good day")
    assert told(command, "--shadow")["deployed"] is True
    found = told(command)
    assert (found["removed"], found["changed"]) == (["hello-shadow"], ["hello"])
    look(project, 2, "ben")
    assert len(sink.arrivals) == 2
    assert dropped(project, "ben") == []


def test_what_a_shadow_cannot_show_is_refused(project, command):
    assert "deploy without --shadow first" in command("deploy", "--shadow", code=1)
    told(command)
    assert "no workflow is new or changed" in command("deploy", "--shadow", code=1)
    change(project, "steps:\n", "steps:\n  - {id: known, set: {add_tags: [seen]}}\n")
    refused = command("deploy", "--shadow", code=1)
    assert "no mere shadow: the steps known of hello" in refused
    consent = project / "rules/policies/consent.yaml"
    consent.write_text(consent.read_text() + "  extra: {class: service}\n")
    assert "more than workflows: rules/policies/consent.yaml" in command(
        "deploy", "--shadow", code=1
    )
    assert "not both" in command("deploy", "--shadow", "--ramp", "5%", code=2)
