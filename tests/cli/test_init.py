"""`shopflow init`: what it makes lints and tests green, and nothing is lost by making it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from shopflow.cli.main import main
from shopflow.gitops.new_project import scaffold


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
    workflow = yaml.safe_load(scaffold()[".github/workflows/rules.yml"])
    runs = [step["run"] for step in workflow["jobs"]["rules"]["steps"] if "run" in step]
    assert runs == ["pip install shopflow", "shopflow lint", "shopflow test"]


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
