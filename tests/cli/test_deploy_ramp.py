"""`shopflow deploy --ramp`: new workflows for a few, then for more, then for all, or for none."""

from __future__ import annotations

import json
from contextlib import closing

import pytest
from support.running import a_project, an_event, shopflow, who, write_events

from shopflow.store.opening import open_store

LATER = "rules/workflows/later.yaml"
CUSTOMERS = [f"c{number}" for number in range(60)]


@pytest.fixture
def project(tmp_path, sink):
    return a_project(tmp_path, sink.port)


@pytest.fixture
def changed(project, command):
    """The first rules are live; the folder has a later version of one workflow."""
    command("deploy")
    path = project / LATER
    text = path.read_text().replace("20m", "30m").replace("version: 1", "version: 2")
    path.write_text(text)
    return path


def told(command, *words, code=0):
    return json.loads(command(*words, "--format", "json", code=code))


def enter(project, number, customers, at):
    lines = []
    for customer in customers:
        lines += [who(customer, at), an_event(f"{number}-{customer}", customer, at=at)]
    for line in lines:
        if line["type"] == "customer.updated":
            line["id"] = f"{number}-{line['id']}"
    events = write_events(project / f"{number}.jsonl", lines)
    shopflow(project, "run", str(events), "--clock", "event")


def begun(project):
    """By customer, the versions of the workflow that enrolments are on."""
    with closing(open_store(f"sqlite:///{project}/shopflow.db", partitions=4)) as store:
        found = {}
        for customer in CUSTOMERS:
            kept = store.views.customer(customer)
            found[customer] = [
                one.version for one in (kept.enrolments if kept else ()) if one.workflow == "later"
            ]
    return found


def test_a_few_begin_on_the_new_version_and_nobody_on_both(project, command, changed):
    assert changed
    assert told(command, "deploy", "--ramp", "40%")["share"] == 0.4
    enter(project, 1, CUSTOMERS, "2026-03-01T10:00:00Z")
    first = begun(project)
    assert {len(versions) for versions in first.values()} == {1}
    inside = {customer for customer, (version,) in first.items() if version == 2}
    assert 0 < len(inside) < len(CUSTOMERS)
    # The share grows in the middle of their wait: whoever is on their way stays as they are.
    command("deploy", "--ramp", "70%")
    enter(project, 2, CUSTOMERS, "2026-03-01T10:05:00Z")
    assert begun(project) == first
    command("deploy")
    enter(project, 3, CUSTOMERS, "2026-03-01T12:30:00Z")
    again = begun(project)
    assert {tuple(versions) for versions in again.values()} == {(2,)}
    with closing(open_store(f"sqlite:///{project}/shopflow.db", partitions=4)) as store:
        sent = [
            one.message.customer_id for one in store.views.messages(workflow="later", limit=999)
        ]
    assert sorted(sent) == sorted(CUSTOMERS)


def test_the_same_share_once_more_changes_nothing(command, changed):
    assert changed
    command("deploy", "--ramp", "5%")
    again = command("deploy", "--ramp", "5%")
    assert "is live already for 5% of the customers; nothing has changed" in again
    assert len(told(command, "versions")["deployments"]) == 2
    command("deploy", "--ramp", "6%")
    assert len(told(command, "versions")["deployments"]) == 3


def test_a_ramp_is_taken_back_for_all(project, command, changed):
    assert changed
    live = told(command, "versions")["deployments"][0]["bundle"]
    ramp = told(command, "deploy", "--ramp", "100%", "--dry-run")["digest"]
    command("deploy", "--ramp", "50%")
    assert f"50% get {ramp[7:19]}" in command("versions")
    assert f"50% get {ramp[7:19]}" in command("status")
    back = told(command, "rollback", "--yes")
    assert (back["from"], back["to"], back["held"]) == (ramp, live, ramp)
    enter(project, 1, CUSTOMERS, "2026-03-01T10:00:00Z")
    assert {tuple(versions) for versions in begun(project).values()} == {(1,)}
    assert "held" in command("deploy", "--ramp", "50%", code=1)


@pytest.mark.usefixtures("changed")
def test_what_all_customers_share_is_not_ramped(project, command):
    consent = project / "rules/policies/consent.yaml"
    consent.write_text(consent.read_text() + "  extra: {class: service}\n")
    found = told(command, "deploy", "--ramp", "5%", "--dry-run", code=1)
    assert [one["reason"] for one in found["refusals"]] == ["more than workflows"]
    assert "rules/policies/consent.yaml" in found["refusals"][0]["message"]


@pytest.mark.usefixtures("changed")
def test_a_new_template_may_come_with_a_ramp_and_a_changed_one_may_not(project, command):
    (project / "rules/templates/more").mkdir()
    text = (project / "rules/templates/hello/email.en.txt").read_text()
    (project / "rules/templates/more/email.en.txt").write_text(text)
    assert told(command, "deploy", "--ramp", "5%", "--dry-run")["refusals"] == []
    (project / "rules/templates/hello/email.en.txt").write_text(text + "\nBye.\n")
    found = told(command, "deploy", "--ramp", "5%", "--dry-run", code=1)
    assert "rules/templates/hello/email.en.txt" in found["refusals"][0]["message"]


@pytest.mark.usefixtures("project")
def test_there_is_something_to_ramp_from_or_else_it_is_refused(command):
    assert "deploy without --ramp first" in command("deploy", "--ramp", "5%", code=1)
    for wrong in ("0%", "many", "101%"):
        assert "is no share such as 5%" in command("deploy", "--ramp", wrong, code=2)
