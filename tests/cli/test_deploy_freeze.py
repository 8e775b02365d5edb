"""`freeze` in the settings: no deploy without a reason meanwhile, and always a way back."""

from __future__ import annotations

import json

import pytest
from support.running import a_project

#: From long ago until long after these tests.
NOW = "{from: 2001-01-01, to: 2099-12-30, reason: Black Friday}"
PAST = "{from: 2001-01-01, to: 2001-01-31}"


@pytest.fixture
def project(tmp_path, sink):
    return a_project(tmp_path, sink.port)


def freeze(project, *freezes):
    path = project / "shopflow.yaml"
    path.write_text(f"{path.read_text()}\nfreeze: [{', '.join(freezes)}]\n")


def revise(project):
    path = project / "rules/workflows/later.yaml"
    path.write_text(path.read_text().replace("20m", "30m").replace("version: 1", "version: 2"))


def deployments(command):
    return json.loads(command("versions", "--format", "json"))["deployments"]


def test_a_deploy_is_refused_and_told_when_and_how_it_can_be_done(project, command):
    freeze(project, PAST, NOW)
    told = command("deploy", code=1)
    assert "not deployed, nothing has changed" in told
    assert (
        "frozen: nothing is deployed from 2001-01-01 to 2099-12-30 (Black Friday), so not until "
        "2099-12-31 00:00 UTC; wait, or deploy all the same with --despite-freeze REASON"
    ) in told
    assert "2001-01-31" not in told
    assert deployments(command) == []


def test_a_dry_run_tells_of_it(project, command):
    freeze(project, NOW)
    found = json.loads(command("deploy", "--dry-run", "--format", "json", code=1))
    assert [one["reason"] for one in found["refusals"]] == ["frozen"]
    assert "refused, frozen: nothing is deployed" in command("deploy", "--dry-run", code=1)
    assert "frozen" not in command("deploy", "--dry-run", "--despite-freeze", "a wrong price")


def test_in_an_emergency_it_is_done_for_a_reason_that_is_kept(project, command):
    freeze(project, NOW)
    command("deploy", "--despite-freeze", "a wrong price")
    assert [one["reason"] for one in deployments(command)] == ["a wrong price"]


def test_a_freeze_that_is_over_holds_nothing_up(project, command):
    freeze(project, PAST)
    command("deploy")
    assert [one["reason"] for one in deployments(command)] == [""]


def test_ramps_and_shadows_wait_too(project, command):
    command("deploy")
    revise(project)
    freeze(project, NOW)
    for words in (["--ramp", "5%"], ["--shadow"]):
        assert "frozen: " in command("deploy", *words, code=1)


def test_a_rollback_is_never_refused_and_a_hold_and_a_freeze_want_a_reason_each(project, command):
    command("deploy")
    revise(project)
    command("deploy")
    freeze(project, NOW)
    command("rollback", "--yes", "--reason", "came twice")
    lift = ("deploy", "--lift-hold", "it was the mail server")
    assert "frozen: " in command(*lift, code=1)
    command(*lift, "--despite-freeze", "people wait for it")
    found = [(one["move"], one["reason"]) for one in deployments(command)]
    assert found[:2] == [
        ("deploy", "it was the mail server; people wait for it"),
        ("rollback", "came twice"),
    ]


def test_what_no_freeze_can_be_is_no_leave_to_deploy(project, command):
    freeze(project, "{from: fri 16:00, to: fri 16:00}")
    assert "the freeze would never end" in command("deploy", code=1)
    assert deployments(command) == []
