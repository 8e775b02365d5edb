"""A database knows its environment, and one bundle goes from staging to production as it is."""

from __future__ import annotations

import json
import os

import pytest
from click.testing import CliRunner
from support.running import PROJECT, a_project, an_event, shopflow, who, write_events

from shopflow.cli.main import main

STAGING = """
apiVersion: shopflow/v1
kind: Environment
delivery: {mode: sink}
database: sqlite:///staging.db
"""
PRODUCTION = """
apiVersion: shopflow/v1
kind: Environment
delivery: {mode: live}
database: sqlite:///production.db
timezone: Europe/Paris
"""


@pytest.fixture
def project(tmp_path, sink):
    settings = PROJECT.format(port=sink.port, connections=4, timeout=30)
    settings = settings.replace("environment: test", "environment: ${SHOPFLOW_ENV:-staging}")
    settings = settings.replace('delivery: {mode: allowlist, allowlist: ["*@*"]}\n', "")
    files = {
        "shopflow.yaml": settings,
        "environments/staging.yaml": STAGING,
        "environments/production.yaml": PRODUCTION,
    }
    return a_project(tmp_path, sink.port, **files)


def call(project, environment, *words, code=0):
    ran = CliRunner().invoke(
        main, [*words, "--project", str(project)], env={"SHOPFLOW_ENV": environment}
    )
    assert ran.exit_code == code, ran.output
    return ran.output


def run(project, environment, code=0):
    events = write_events(project / "e.jsonl", [who("anna"), an_event(1, "anna")])
    env = {**os.environ, "SHOPFLOW_ENV": environment}
    return shopflow(project, "run", str(events), "--clock", "event", code=code, env=env)


def test_one_bundle_goes_from_staging_to_production_as_it_is(project, sink, tmp_path):
    file = tmp_path / "rules.bundle"
    made = json.loads(call(project, "staging", "bundle", "--out", str(file), "--format", "json"))
    content = file.read_bytes()
    assert call(project, "production", "bundle", "--out", str(file))
    assert file.read_bytes() == content
    staged = json.loads(call(project, "staging", "deploy", str(file), "--format", "json"))
    run(project, "staging")
    assert len(sink.arrivals) == 0
    live = json.loads(call(project, "production", "deploy", str(file), "--format", "json"))
    run(project, "production")
    assert len(sink.arrivals) == 1
    assert staged["digest"] == live["digest"] == made["digest"]
    # What rules mean comes with them, whatever an environment says.
    assert made["settings"]["timezone"] == "UTC"


def test_a_database_of_another_environment_is_refused(project):
    run(project, "staging")
    (project / "staging.db").rename(project / "production.db")
    refused = run(project, "production", code=2)
    assert "belongs to the environment 'staging', and this is 'production'" in refused.stderr
    assert "shopflow db stamp" in call(project, "production", "deploy", "--dry-run", code=2)
    call(project, "production", "versions")
    out = call(project, "production", "db", "stamp")
    assert "belongs to 'production' (before: 'staging')" in out
    run(project, "production")


def test_nothing_leaves_from_an_environment_that_is_not_production(project):
    (project / "environments/staging.yaml").write_text(STAGING.replace("sink", "live"))
    assert "only `environment: production` may be live" in run(project, "staging", code=1).stderr
