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


def live(project, environment):
    return json.loads(call(project, environment, "versions", "--format", "json"))["deployments"][0]


def revise(project, version):
    path = project / "rules/workflows/later.yaml"
    text = path.read_text().replace("20m", f"{20 + version}m")
    path.write_text(text.replace("version: 1", f"version: {version}"))


def test_what_is_live_in_staging_is_put_to_work_in_production(project):
    staged = json.loads(call(project, "staging", "deploy", "--format", "json"))
    # What the folder holds by then is nobody's word.
    revise(project, 2)
    tried = call(project, "production", "deploy", "--from", "staging", "--dry-run")
    assert f"nothing deployed -> {staged['digest'][7:19]}" in tried
    made = json.loads(
        call(project, "production", "deploy", "--from", "staging", "--format", "json")
    )
    assert made["digest"] == staged["digest"] == live(project, "production")["bundle"]
    again = call(project, "production", "deploy", "--from", "staging")
    assert "is live already; nothing has changed" in again


def test_one_that_was_live_there_before_is_named_by_its_digest(project):
    first = json.loads(call(project, "staging", "deploy", "--format", "json"))["digest"]
    revise(project, 2)
    call(project, "staging", "deploy")
    call(project, "production", "deploy", first[7:13], "--from", "staging")
    assert live(project, "production")["bundle"] == first


def test_what_cannot_be_promoted_is_refused_and_says_why(project):
    def refused(*words, code=2):
        return call(project, "production", "deploy", *words, code=code)

    assert "staging.db yet" in refused("--from", "staging", code=3)
    run(project, "staging")
    assert "nothing was ever deployed to the database of 'staging'" in refused("--from", "staging")
    digest = json.loads(call(project, "staging", "deploy", "--format", "json"))["digest"]
    assert "there is no environments/stagin.yaml; did you mean 'staging'?" in refused(
        "--from", "stagin"
    )
    assert "'production' is this environment" in refused("--from", "production")
    for unknown in ("sha256:" + "0" * 64, "c0ffee", digest[7:10]):
        found = refused(unknown, "--from", "staging")
        assert f"no bundle {unknown} was deployed to the database of 'staging'" in found
    assert "name a BUNDLE or --ref" in refused("--from", "staging", "--ref", "HEAD")
    kept = json.loads(call(project, "production", "versions", "--format", "json"))
    assert kept["deployments"] == []


def test_a_bundle_that_was_rolled_back_in_staging_goes_no_further(project):
    call(project, "staging", "deploy")
    revise(project, 2)
    bad = json.loads(call(project, "staging", "deploy", "--format", "json"))["digest"]
    call(project, "staging", "rollback", "--yes", "--reason", "came twice")
    words = ("deploy", bad, "--from", "staging")
    assert "was rolled back in 'staging'" in call(project, "production", *words, code=1)
    call(project, "production", *words, "--lift-hold", "it was the provider")
    assert live(project, "production")["bundle"] == bad


def test_while_two_are_at_work_in_staging_one_has_to_be_named(project):
    first = json.loads(call(project, "staging", "deploy", "--format", "json"))["digest"]
    revise(project, 2)
    ramp = ("deploy", "--ramp", "50%", "--format", "json")
    second = json.loads(call(project, "staging", *ramp))["digest"]
    told = call(project, "production", "deploy", "--from", "staging", code=2)
    assert f"50% get {second[7:19]}, all others {first[7:19]}" in told
    call(project, "production", "deploy", second, "--from", "staging")
    assert live(project, "production")["bundle"] == second


def test_settings_that_lead_to_another_environments_database_are_refused(project):
    call(project, "production", "deploy")
    path = project / "environments/staging.yaml"
    path.write_text(STAGING.replace("staging.db", "production.db"))
    told = call(project, "production", "deploy", "--from", "staging", code=2)
    assert "the settings of 'staging' lead from here to the database of 'production'" in told
    path.write_text(STAGING.replace("sqlite:///staging.db", "${STAGING_URL}"))
    told = call(project, "production", "deploy", "--from", "staging", code=2)
    assert "`database` of the environment 'staging' is ${STAGING_URL}: set what it" in told
    settings = project / "shopflow.yaml"
    fixed = settings.read_text().replace("${SHOPFLOW_ENV:-staging}", "production")
    settings.write_text(fixed)
    told = call(project, "production", "deploy", "--from", "staging", code=2)
    assert "says `environment: production` for every environment" in told


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
