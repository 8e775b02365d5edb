"""The command line itself: what ends with which exit code."""

from __future__ import annotations

import inspect
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from shopflow.cli import main as cli
from shopflow.cli.commands import COMMANDS
from shopflow.errors import RulesInvalid, SettingsError, StoreError
from shopflow.problem import Location, Problem

PROBLEM = Problem(code="SF001", location=Location(path="rules/a.yaml", line=3), message="is wrong")


@pytest.fixture
def ending_with(monkeypatch):
    """Runs a command that raises this."""

    def run(error):
        @click.command
        def status():
            raise error

        monkeypatch.setattr(cli.LazyGroup, "get_command", lambda *_: status)
        return CliRunner().invoke(cli.main, ["status"])

    return run


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (RulesInvalid([PROBLEM]), 1, "rules/a.yaml:3:1: error[SF001]: is wrong"),
        (SettingsError("shopflow.yaml: database: is missing"), 2, "database: is missing"),
        (StoreError("the disk is full"), 3, "the disk is full"),
        (RuntimeError("boom"), 3, "internal error"),
        (KeyboardInterrupt(), 130, "stopped"),
    ],
    ids=["rules", "settings", "store", "bug", "ctrl-c"],
)
def test_an_error_is_told_on_stderr_and_has_its_exit_code(ending_with, error, code, told):
    result = ending_with(error)
    assert result.exit_code == code
    assert told in result.stderr
    assert not result.stdout


def test_an_error_of_ours_shows_no_traceback(ending_with):
    assert "Traceback" not in ending_with(StoreError("the disk is full")).stderr


def test_a_misspelt_command_brings_the_right_one():
    result = CliRunner().invoke(cli.main, ["statsu"])
    assert result.exit_code == 2
    assert "did you mean 'status'?" in result.stderr


def test_help_says_of_each_command_what_the_command_says_of_itself():
    context = click.Context(cli.main)
    for name, known in COMMANDS.items():
        command = cli.main.get_command(context, name)
        first = inspect.cleandoc(command.help).partition("\n\n")[0]
        assert known.purpose == first.replace("\n", " ")


def test_help_lists_every_command_without_loading_any():
    code = (
        "import sys; from shopflow.cli.main import main\n"
        "try: main(['--help'])\n"
        "finally: print(*sorted(m for m in sys.modules if m.startswith('shopflow.cli.')))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *shown, loaded = ran.stdout.splitlines()
    assert loaded == "shopflow.cli.commands shopflow.cli.main"
    listed = [line.split()[0] for line in shown[shown.index("Commands:") + 1 :]]
    assert listed == list(COMMANDS)


def test_the_command_line_starts_without_loading_what_it_does_not_need():
    heavy = ["sqlalchemy", "redis", "starlette", "jsonschema", "minijinja"]
    code = "import sys, shopflow.cli.main; print(*[m for m in sys.argv[1:] if m in sys.modules])"
    ran = subprocess.run(
        [sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True
    )
    assert not ran.stdout.strip()


@pytest.mark.parametrize(
    "words",
    [["lint"], ["test"], ["graph"], ["plan", "--against", "main"], ["preview"], ["status"],
     ["explain", "customer", "anna"], ["test", "--from-customer", "anna"]],
    ids=" ".join,
)  # fmt: skip
def test_a_folder_that_is_no_project_is_wrong_usage(words, tmp_path):
    ran = CliRunner().invoke(cli.main, [*words, "--project", str(tmp_path)])
    assert ran.exit_code == cli.USAGE, ran.output
    assert "no shopflow.yaml in" in ran.output
