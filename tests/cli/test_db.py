"""`shopflow db upgrade` makes the tables where shopflow.yaml says."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from shopflow.cli.db import db
from shopflow.cli.main import exit_code
from shopflow.errors import RulesInvalid, SettingsError
from shopflow.store.opening import open_store

PROJECT = "apiVersion: shopflow/v1\nkind: Project\n"


@pytest.fixture
def run(monkeypatch):
    monkeypatch.delenv("SHOP_DB", raising=False)

    def invoke(folder, *args):
        given = ["upgrade", "--project", str(folder), *args]
        return CliRunner().invoke(db, given)

    return invoke


def test_the_database_is_made_beside_the_settings(run, folder):
    root = folder({"shopflow.yaml": PROJECT + "database: sqlite:///state/shop.db\n", "state/x": ""})
    first = run(root)
    assert first.exit_code == 0, first.output
    assert first.output.startswith("done: 0001 ")
    assert f"{root}/state/shop.db are up to date" in first.output
    assert "done" not in run(root).output
    open_store(f"sqlite:///{root}/state/shop.db", create=False).close()


def test_it_tells_programs_the_steps(run, folder):
    root = folder({"shopflow.yaml": PROJECT})
    steps = json.loads(run(root, "--format", "json").output)["steps"]
    assert steps[0] == "0001 The first tables."
    assert json.loads(run(root, "--format", "json").output) == {
        "database": f"{root}/shopflow.db",
        "steps": [],
    }


def test_without_settings_it_says_what_to_do(run, folder):
    error = run(folder({})).exception
    assert isinstance(error, RulesInvalid)
    assert "no shopflow.yaml in" in str(error)


def test_a_variable_that_is_missing_is_named(run, folder):
    root = folder({"shopflow.yaml": PROJECT + "database: ${SHOP_DB}\n"})
    error = run(root).exception
    assert isinstance(error, SettingsError)
    assert "${SHOP_DB}" in str(error)
    assert exit_code(error) == 2
