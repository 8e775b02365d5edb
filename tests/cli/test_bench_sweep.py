"""`shopflow bench sweep`: everybody is looked at, some are told, and the floor read as many."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from support.servers import postgres_url

from shopflow.cli.bench import bench


@pytest.mark.slow
def test_everybody_is_looked_at_on_both_databases():
    asked = ["sweep", "--customers", "4500", "--rounds", "1", "--format", "json"]
    told = CliRunner().invoke(bench, [*asked, "--postgres", postgres_url()])
    report = json.loads(told.stdout)
    assert [line["database"] for line in report["lines"]] == ["sqlite", "postgresql"]
    for line in report["lines"]:
        assert line["customers"] == 4500
        assert 0 < line["told"] < 4500
        assert line["sweep"] > 0
        assert line["floor"] > 0
