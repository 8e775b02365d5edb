"""`shopflow rollback` and `versions`: back in one step, and the bad rules do not come back."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from datetime import timedelta

import pytest
from support.running import MailSink, a_project, an_event, shopflow, who, write_events

from shopflow.gitops import rolling_back
from shopflow.gitops.rolling_back import in_flight
from shopflow.store.opening import open_store

LATER = "rules/workflows/later.yaml"


@pytest.fixture
def project(tmp_path, sink):
    return a_project(tmp_path, sink.port)


def change(project, old, new, *, version):
    path = project / LATER
    text = path.read_text()
    assert old in text
    path.write_text(
        text.replace(old, new).replace(f"version: {version - 1}", f"version: {version}")
    )


def told(command, *words, code=0):
    return json.loads(command(*words, "--format", "json", code=code))


def a_store(project):
    return closing(open_store(f"sqlite:///{project}/shopflow.db", partitions=4))


def enter(project, number, customer):
    """Somebody's enrolment begins, and waits."""
    events = write_events(project / f"{number}.jsonl", [who(customer), an_event(number, customer)])
    shopflow(project, "run", str(events), "--clock", "event")


@pytest.fixture(scope="module")
def deployed_twice(tmp_path_factory, command_in):
    """A project with two deployments, and an enrolment on each."""
    with MailSink().listening() as sink:
        project = a_project(tmp_path_factory.mktemp("two"), sink.port)
        command = command_in(project)
        first = told(command, "deploy")
        enter(project, 1, "anna")
        change(project, "20m", "30m", version=2)
        second = told(command, "deploy")
        enter(project, 2, "ben")
    return project, first, second


@pytest.fixture
def two(project, deployed_twice):
    """The two deployments, of a project that is a test's own."""
    template, first, second = deployed_twice
    settings = (project / "shopflow.yaml").read_text()
    shutil.copytree(template, project, dirs_exist_ok=True)
    (project / "shopflow.yaml").write_text(settings)
    return first, second


def test_the_way_back_is_one_step_and_the_bad_rules_are_held(two, command):
    first, second = two
    back = told(command, "rollback", "--yes", "--reason", "too late")
    assert (back["from"], back["to"]) == (second["digest"], first["digest"])
    assert [(one["workflow"], one["enrolments"]) for one in back["started"]] == [("later", 1)]
    out = command("deploy", code=1)
    assert "held" in out
    assert "too late" in out
    found = told(command, "versions")
    assert [one["move"] for one in found["deployments"]] == ["rollback", "deploy", "deploy"]
    assert [one["bundle"] for one in found["held"]] == [second["digest"]]


def test_newer_rules_pass_and_a_hold_is_lifted_with_a_reason(two, project, command):
    _, second = two
    command("rollback", "--yes")
    assert told(command, "deploy", "--lift-hold", "it was the mail server")["deployed"] is True
    found = told(command, "versions")
    assert found["held"] == []
    assert found["deployments"][0]["reason"] == "it was the mail server"
    assert found["deployments"][0]["bundle"] == second["digest"]
    command("rollback", "--yes")
    change(project, "30m", "25m", version=3)
    assert told(command, "deploy")["changed"] == ["later"]


@pytest.mark.usefixtures("two")
def test_it_asks_with_what_is_on_its_way(project, command):
    out = command("rollback", given="n\n", code=130)
    assert "1 enrolments of later" in out
    assert "go on by it" in out
    with a_store(project) as store:
        assert store.deployments.newest_number() == 2
    command("rollback", given="y\n")
    with a_store(project) as store:
        assert store.deployments.newest_number() == 3


@pytest.mark.usefixtures("two")
def test_whoever_is_in_a_hurry_need_not_wait_until_everybody_is_counted(command, monkeypatch):
    counted, live = rolling_back.in_flight, []

    def watched(store):
        live.append(store.deployments.newest().move)
        return counted(store)

    monkeypatch.setattr(rolling_back, "in_flight", watched)
    back = told(command, "rollback", "--yes")
    assert live == ["rollback"]
    assert [one["enrolments"] for one in back["started"]] == [1]


@pytest.mark.usefixtures("two")
def test_versions_drain(project, command):
    found = {(one["version"], one["phase"]): one["enrolments"] for one in later(command)}
    assert found == {(1, "draining"): 1, (2, "active"): 1}
    bought = an_event(3, "anna", "order.placed", order_id="o1", items=[])
    events = write_events(project / "3.jsonl", [bought])
    shopflow(project, "run", str(events), "--clock", "event")
    assert [one["version"] for one in later(command)] == [2]
    assert {one["phase"] for one in later(command, "--all")} == {"active", "drained"}


def later(command, *words):
    return [
        one for one in told(command, "versions", *words)["versions"] if one["workflow"] == "later"
    ]


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(("fate", "sends"), [("keep", 2), ("end", 1)])
def test_enrolments_of_the_bad_rules_go_on_or_end(project, command, fate, sends):
    command("rollback", "--yes", "--in-flight", fate)
    at = "2026-03-01T11:00:00Z"
    events = write_events(project / "9.jsonl", [an_event(9, "cleo", at=at)])
    shopflow(project, "run", str(events), "--clock", "event")
    with a_store(project) as store:
        steps = [one.message.step for one in store.views.messages(workflow="later")]
        ended = [
            entry.reason
            for entry in store.views.timeline("ben").journal
            if entry.kind == "exited" and entry.workflow == "later"
        ]
        assert steps == ["ask"] * sends
        assert ended == (["retired"] if fate == "end" else ["completed"])
        assert {name for name, _ in in_flight(store)} == {"later"}


def test_a_revision_is_named_by_number_or_digest(two, command):
    first, _ = two
    assert told(command, "rollback", "1", "--yes")["to"] == first["digest"]
    assert told(command, "rollback", two[1]["digest"][:20], "--yes")["to"] == two[1]["digest"]


@pytest.mark.usefixtures("project")
def test_without_a_deployment_there_is_no_way_back(command):
    command("db", "upgrade")
    assert "there is no way back" in command("rollback", "--yes", code=2)
    assert "the rules of the folder are run" in command("versions")


@pytest.mark.usefixtures("two")
def test_names_that_stand_for_nothing_are_told(command):
    assert "nothing named 77 was deployed" in command("rollback", "77", "--yes", code=2)
    command("rollback", "--yes")
    assert "that is kept and not held back" in command("rollback", "--yes", code=2)


def test_a_stale_plan_is_refused(two, project, command, tmp_path):
    _, second = two
    with a_store(project) as store:
        rows = {one.digest: one.ruleset for one in store.deployments.history()}
    change(project, "30m", "25m", version=3)
    head = {"ref": "HEAD", "commit": None, "digest": "0" * 32}
    plan = tmp_path / "plan.json"
    base = {"ref": "main", "commit": "c0ffee" * 6, "digest": "1" * 32}
    plan.write_text(json.dumps({"base": base, "head": head}))
    found = told(command, "deploy", "--dry-run", "--plan", str(plan), code=1)
    assert [one["reason"] for one in found["refusals"]] == ["stale plan", "another plan"]
    base["digest"] = rows[second["digest"]]
    plan.write_text(json.dumps({"base": base, "head": head}))
    found = told(command, "deploy", "--dry-run", "--plan", str(plan), code=1)
    assert [one["reason"] for one in found["refusals"]] == ["another plan"]
    plan.write_text("[]")
    assert "holds no plan" in command("deploy", "--plan", str(plan), code=2)


@pytest.mark.usefixtures("two")
def test_a_rollback_takes_seconds(project, command):
    """It compiles nothing: whatever the folder holds, the way back is open."""
    (project / LATER).write_text("broken: [")
    began = told(command, "rollback", "--yes")
    assert began["number"] == 3
    with a_store(project) as store:
        newest = store.views.newest_revision()
        assert newest.digest == store.deployments.newest().ruleset
        assert newest.deployed_at - store.deployments.newest().at == timedelta()
