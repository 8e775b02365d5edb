"""`shopflow bundle` and `deploy`: what is tried before rules change, and what is run afterwards."""

from __future__ import annotations

import json
import subprocess
from contextlib import closing

import pytest
from support.running import FILES, a_project, an_event, shopflow, who, write_events

from shopflow.runtime import activation
from shopflow.store.deployments import Deployment
from shopflow.store.opening import open_store

HELLO = "rules/workflows/hello.yaml"


@pytest.fixture
def project(tmp_path, sink):
    return a_project(tmp_path, sink.port)


def change(project, name, old, new):
    text = (project / name).read_text()
    assert old in text
    (project / name).write_text(text.replace(old, new))


def told(command, *words, code=0):
    return json.loads(command("deploy", "--format", "json", *words, code=code))


def reasons(found):
    return [one["reason"] for one in found["refusals"]]


def git(project, *words):
    identity = ["-c", "user.name=Anna", "-c", "user.email=anna@shop.example"]
    done = subprocess.run(
        ["git", "-C", str(project), *identity, *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def commit(project):
    git(project, "init", "--quiet")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "Rules")
    return git(project, "rev-parse", "HEAD")


def test_what_is_deployed_is_run_whatever_the_folder_says_afterwards(project, command, sink):
    made = told(command)
    assert made["deployed"] is True
    assert made["added"] == ["hello", "later"]
    change(project, HELLO, "status: live", "status: draft")
    events = write_events(project / "e.jsonl", [who("anna"), an_event(1, "anna")])
    ran = shopflow(project, "run", str(events), "--clock", "event")
    assert "are not those that are run" in ran.stderr
    assert len(sink.arrivals) == 1


def test_before_anything_was_deployed_the_folder_is_run(project, sink):
    events = write_events(project / "e.jsonl", [who("anna"), an_event(1, "anna")])
    shopflow(project, "run", str(events), "--clock", "event")
    assert len(sink.arrivals) == 1


def test_a_dry_run_changes_nothing(project, command):
    found = told(command, "--dry-run")
    assert found["refusals"] == []
    with closing(open_store(f"sqlite:///{project}/shopflow.db", partitions=4)) as store:
        assert store.deployments.newest() is None


@pytest.mark.usefixtures("project")
def test_the_same_rules_are_deployed_once(command):
    told(command)
    assert told(command)["deployed"] is False
    assert "is live already; nothing has changed" in command("deploy")


def test_a_bundle_file_is_deployed_as_it_is(project, command, tmp_path):
    file = tmp_path / "rules.bundle"
    digest = json.loads(command("bundle", "--out", str(file), "--format", "json"))["digest"]
    change(project, HELLO, "title: Hello", "title: Something else")
    assert told(command, str(file))["digest"] == digest
    assert told(command)["digest"] != digest
    assert told(command, digest)["digest"] == digest


def test_a_commit_is_deployed_as_git_has_it(project, command):
    revision = commit(project)
    change(project, HELLO, "title: Hello", "title: Something else")
    assert told(command, "--dry-run")["dirty"] is True
    found = told(command, "--ref", "HEAD")
    assert (found["revision"], found["dirty"]) == (revision, False)
    change(project, HELLO, "title: Something else", "title: Hello")
    assert told(command)["deployed"] is False


def test_rules_with_errors_are_not_deployed(project, command):
    change(project, HELLO, "send: email", "send: emial")
    assert "no channel named 'emial'" in command("deploy", code=1)


def test_rules_whose_tests_fail_are_not_deployed(project, command):
    (project / "rules/tests").mkdir()
    (project / "rules/tests/hello.test.yaml").write_text(
        """
apiVersion: shopflow/v1
kind: WorkflowTest
workflow: hello
clock: {start: "2026-03-03T10:00:00", timezone: UTC}
tests:
  - name: nothing is sent
    customer: {attributes: {email: a@b.example}}
    events: [{at: 0s, type: product.viewed, data: {sku: A1}}]
    expect: {sends: []}
"""
    )
    assert reasons(told(command, "--dry-run", code=1)) == ["tests failed"]
    out = command("deploy", code=1)
    assert "not deployed, nothing has changed" in out
    assert "nothing is sent" in out


def test_rules_that_shrink_are_asked_about(project, command):
    told(command)
    (project / HELLO).unlink()
    assert reasons(told(command, "--dry-run", code=1)) == ["shrunken"]
    assert told(command, "--allow-shrink")["removed"] == ["hello"]
    (project / "rules/workflows/later.yaml").unlink()
    assert reasons(told(command, "--dry-run", code=1)) == ["empty"]


def test_a_known_version_never_means_something_else(project, command):
    told(command)
    change(project, HELLO, "reentry: once", "reentry: ignore")
    assert "write `version: 2` in its file" in command("deploy", code=1)
    change(project, HELLO, "version: 1", "version: 2")
    assert told(command)["changed"] == ["hello"]


def test_of_two_who_deploy_at_once_the_second_is_told(project, command, monkeypatch):
    told(command)
    change(project, HELLO, "title: Hello", "title: Good day")
    newest = Deployment.__init__

    def overtaken(self, *, number, **more):
        newest(self, number=number - 1 if number > 1 else number, **more)

    monkeypatch.setattr(Deployment, "__init__", overtaken)
    assert "something else was deployed meanwhile" in command("deploy", code=1)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere.bundle"], "there is no file nowhere.bundle"),
        (["sha256:" + "0" * 64], "the database keeps no bundle sha256:000"),
        (["c0ffee"], "the database keeps no bundle c0ffee"),
        (["a", "--ref", "HEAD"], "name a BUNDLE or --ref, not both"),
    ],
)
def test_what_is_not_there_is_named(command, words, says):
    assert says in command("deploy", *words, code=2)


@pytest.mark.usefixtures("project")
def test_a_file_that_is_no_bundle_is_refused(command, tmp_path):
    (tmp_path / "x.bundle").write_bytes(b"x" * 2000)
    assert "x.bundle: the file is no bundle" in command(
        "deploy", str(tmp_path / "x.bundle"), code=2
    )


def test_a_damaged_database_is_said_to_be_one(project, command, tmp_path):
    told(command)
    store = open_store(f"sqlite:///{tmp_path}/shopflow.db", partitions=4)
    newest = store.deployments.newest()
    store.deployments.swap(
        Deployment(
            number=2,
            move=newest.move,
            digest="sha256:" + "0" * 64,
            revision="",
            ruleset="r",
            at=newest.at,
            by="anna",
        )
    )
    with pytest.raises(activation.BundleRefused, match="does not keep it"):
        activation.activate(project, store)
    store.close()


def test_a_bundle_that_was_deployed_is_named_by_the_beginning_of_its_digest(project, command):
    first = told(command)["digest"]
    change(project, HELLO, "reentry: once", "reentry: ignore")
    change(project, HELLO, "version: 1", "version: 2")
    told(command)
    assert first in command("bundle", "show", first[7:19])
    assert told(command, first[7:13])["digest"] == first
    assert "there is no file" in command("deploy", first[7:12], code=2)


def test_what_is_in_a_bundle_can_be_shown(project, command, tmp_path):
    file = tmp_path / "rules.bundle"
    command("bundle", "--out", str(file))
    out = command("bundle", "show", str(file))
    assert "hello version 1" in out
    files = [path for path in (project / "rules").rglob("*") if path.is_file()]
    assert len(files) == len(FILES)
    assert f"{len(files)} files, 2 workflows" in out
