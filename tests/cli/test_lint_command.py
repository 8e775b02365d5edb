"""`shopflow lint` as people and programs use it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

WORKFLOW = """\
apiVersion: shopflow/v1
kind: Workflow
id: note
owner: me
status: live
purpose: service
trigger: {event: order.placed, when: event.total > 20}
steps: [{id: a, wait: 1h}]
"""


@pytest.fixture
def project(tmp_path, repo):
    """The shipped rules, in a folder of their own."""
    shutil.copy(repo / "shopflow.yaml", tmp_path)
    shutil.copytree(repo / "rules", tmp_path / "rules")
    return tmp_path


def lint(*args: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", "from shopflow.cli.main import main; main()", "lint", *args]
    return subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, timeout=60
    )


def test_the_shipped_rules_are_clean(project):
    done = lint("--project", project)
    assert (done.returncode, done.stdout) == (0, "no problems found\n")


def test_sound_rules_are_checked_without_loading_what_they_do_not_need(project):
    code = (
        "import sys; from shopflow.cli.main import main\n"
        "try: main()\n"
        "finally: print(*{'celpy', 'httpx', 'jsonschema'} & sys.modules.keys())"
    )
    command = [sys.executable, "-c", code, "lint", "--project", str(project)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout == "no problems found\n\n"


def test_warnings_fail_only_when_asked(project):
    (project / "rules/workflows/note.yaml").write_text(WORKFLOW, encoding="utf-8")
    done = lint("--project", project)
    assert done.returncode == 0
    assert "warning[SF108]" in done.stdout
    assert done.stdout.endswith("0 errors, 1 warning\n")
    assert lint("--project", project, "--fail-level", "warning").returncode == 1


def test_an_error_fails_and_json_tells_where(project):
    path = project / "rules/workflows/note.yaml"
    path.write_text(WORKFLOW.replace("order.placed", "order.place"), encoding="utf-8")
    done = lint("--project", project, "--format", "json")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert (report["valid"], report["errors"]) == (False, 1)
    (problem,) = [each for each in report["problems"] if each["severity"] == "error"]
    assert (problem["code"], problem["path"]) == ("SF106", "rules/workflows/note.yaml")
    assert (problem["line"], problem["column"], problem["length"]) == (7, 18, 11)
    assert problem["hint"] == "did you mean 'order.placed'?"


def test_paths_narrow_what_is_shown(project):
    (project / "rules/workflows/note.yaml").write_text(WORKFLOW, encoding="utf-8")
    assert "SF108" in lint("--project", project, project / "rules/workflows").stdout
    assert "SF108" not in lint("--project", project, project / "rules/tests").stdout


def test_a_folder_without_project_is_wrong_usage(tmp_path):
    done = lint("--project", tmp_path)
    assert done.returncode == 2
    assert "no shopflow.yaml" in done.stderr
