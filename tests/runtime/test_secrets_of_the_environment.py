"""Secrets that can be guessed are refused, by their name and never with their value."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from support.running import a_project

from shopflow.cli.main import main
from shopflow.errors import SettingsError
from shopflow.runtime.sealing import LEAST, check_secrets


def test_a_short_secret_is_refused_and_not_repeated():
    with pytest.raises(SettingsError, match="HIS: has 6 signs") as refused:
        check_secrets({"HIS": "s3cret", "HERS": "x" * LEAST}, ["HERS", "HIS", "NONE"])
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("name", ["SHOPFLOW_LINKS_SECRET", "SHOPFLOW_HASH_SECRET"])
def test_whoever_runs_with_one_is_told_what_to_do(tmp_path, monkeypatch, name):
    a_project(tmp_path, 1)
    monkeypatch.setenv(name, "too short")
    result = CliRunner().invoke(main, ["run", "-", "--project", str(tmp_path)], input="")
    assert result.exit_code == 2
    assert f"{name}: has 9 signs" in result.stderr
    assert "openssl rand -hex 32" in result.stderr


@pytest.mark.parametrize("name", ["SHOPFLOW_API_KEY", "SHOPFLOW_METRICS_KEY"])
def test_a_door_does_not_open_with_a_short_key(tmp_path, monkeypatch, name):
    a_project(tmp_path, 1)
    monkeypatch.setenv(name, "too short")
    words = ["run", "--http", "127.0.0.1:0", "--project", str(tmp_path)]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert f"{name}: has 9 signs" in result.stderr
