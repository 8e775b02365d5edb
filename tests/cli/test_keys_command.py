"""`shopflow keys`: a new key seals, the old ones are listed, and nothing secret is shown."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from support.running import a_project

from shopflow.cli.main import main
from shopflow.store.opening import open_store


@pytest.fixture
def project(tmp_path):
    a_project(tmp_path, 1)
    open_store(f"sqlite:///{tmp_path}/shopflow.db", partitions=4).close()
    return tmp_path


def keys(project, *words):
    ran = CliRunner().invoke(main, ["keys", *words, "--project", str(project)])
    assert ran.exit_code == 0, ran.output
    return ran.output


def test_a_project_begins_with_its_secret_alone(project):
    assert "SHOPFLOW_LINKS_SECRET alone" in keys(project, "list")


def test_keys_are_made_listed_and_condemned(project):
    assert "key 1 seals from now on" in keys(project, "rotate")
    newest, secret = keys(project, "list").splitlines()
    assert newest.startswith("key 1") and newest.endswith("seals")  # noqa: PT018 - one line
    assert "retired" in secret
    keys(project, "rotate", "--leaked")
    found = json.loads(keys(project, "list", "--format", "json"))["keys"]
    assert [one["number"] for one in found] == [2, 1, 0]
    assert [one["condemned_at"] is not None for one in found] == [False, True, True]
    assert set(found[0]) == {"number", "made_at", "condemned_at"}
