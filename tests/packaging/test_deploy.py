"""The examples in deploy/ start commands that there are, with options that there are."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest
import yaml
from support.servers import tool

from shopflow.cli.main import main
from shopflow.runtime.metrics_catalogue import shown_names
from shopflow.runtime.queue.bells import Kind

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))


def read(name):
    return yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))


def assert_runs(words):
    """The words begin with `shopflow COMMAND`, and every option is one of that command's."""
    assert Path(words[0]).name == "shopflow"
    command = main.get_command(click.Context(main), words[1])
    known = {name for parameter in command.params for name in parameter.opts}
    assert not [word for word in words if word.startswith("--") and word not in known]


def test_compose_starts_commands_that_there_are():
    compose = read("docker-compose.yml")
    ours = {
        name: one for name, one in compose["services"].items() if one["image"] == "shop-messages"
    }
    assert sorted(ours) == ["decide", "deliver", "serve"]
    for service in ours.values():
        assert_runs(service["command"])
        assert set(service["depends_on"]) <= set(compose["services"])
    work = " ".join(" ".join(one["command"]) for one in ours.values())
    assert all(kind in work for kind in Kind)


def test_every_volume_and_secret_of_compose_is_declared():
    compose = read("docker-compose.yml")
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            name = volume.partition(":")[0]
            assert name in compose["volumes"] or (DEPLOY / name).is_file()
        assert set(service.get("secrets", [])) <= set(compose["secrets"])


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_units_start_commands_that_there_are(unit):
    text = unit.read_text(encoding="utf-8")
    (start,) = re.findall(r"^ExecStart=(.+)$", text, re.MULTILINE)
    assert_runs([word for word in shlex.split(start) if not word.startswith("$")])
    for variables in re.findall(r"SHOPFLOW_WORKER=(.+)$", text, re.MULTILINE):
        assert_runs(["shopflow", "worker", *shlex.split(variables)])


def test_the_image_keeps_its_rules_sound():
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert "RUN shopflow lint" in text
    assert re.search(r"^USER shopflow$", text, re.MULTILINE)


def test_alerts_ask_for_metrics_that_there_are():
    rules = [rule for group in read("alerts.yml")["groups"] for rule in group["rules"]]
    asked = {name for rule in rules for name in re.findall(r"shopflow_\w+", rule["expr"])}
    assert asked
    assert not asked - shown_names()
    assert all(rule["labels"]["severity"] in {"critical", "warning"} for rule in rules)
    # Each of them is made to speak in alerts.test.yml, or is about several workers.
    tested = (DEPLOY / "alerts.test.yml").read_text(encoding="utf-8")
    assert not {rule["alert"] for rule in rules if rule["alert"] not in tested} - {
        "ShopflowTimersLate"
    }


@pytest.mark.slow
def test_alerts_speak_when_they_should():
    promtool = os.environ.get("PROMTOOL") or tool("promtool", "prometheus")
    ran = subprocess.run(
        [promtool, "test", "rules", str(DEPLOY / "alerts.test.yml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
