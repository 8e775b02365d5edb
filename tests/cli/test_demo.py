"""The demo, with a handful of people, on the shipped rules."""

from __future__ import annotations

import json
import re
import time

import pytest
from click.testing import CliRunner

from shopflow.cli.main import main
from shopflow.demo import run

pytestmark = pytest.mark.slow


def call(*words, **options):
    result = CliRunner().invoke(main, list(words), **options)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_demo_sends_every_mail_and_can_be_looked_at(tmp_path, repo):
    folder = tmp_path / "demo"
    began = time.monotonic()
    told = call("demo", "--customers", "60", "--seed", "7", "--out", str(folder))
    assert time.monotonic() - began < 120
    said = r"messages: (\d+) sent(?:, (\d+) dropped)?; (\d+) mails arrived"
    sent, dropped, arrived = (int(number or 0) for number in re.search(said, told).groups())
    assert sent == arrived > 50
    assert "<html" in (folder / "mail.html").read_text()
    assert "order-follow-up" in told
    environment = {"SHOPFLOW_DATABASE_URL": re.search(r"sqlite:///\S+", told)[0]}
    where = ("--project", str(repo))
    found = json.loads(call("status", "--format", "json", *where, env=environment))
    assert found["messages"] == {"sent": sent} | ({"dropped": dropped} if dropped else {})
    # Every command that it proposes works.
    customer = re.search(r"explain customer (\S+)", told)[1]
    assert "accepted by the channel" in call(
        "explain", "customer", customer, *where, env=environment
    )
    # What the runtime sent is what a simulation says, message for message, but for tickets and
    # calls, which nobody takes here, and mails with nothing to recommend: a simulation writes none.
    simulated = json.loads(
        call("simulate", str(folder / "events.jsonl"), "--format", "json", *where)
    )
    sends = sum(sum(one["sends"].values()) for one in simulated["workflows"].values())
    assert sends == sent + dropped
    mails = sum(one["sends"].get("email", 0) for one in simulated["workflows"].values())
    assert sent <= mails < sent * 1.05


def test_without_the_shipped_rules_it_says_where_they_are(monkeypatch, tmp_path):
    monkeypatch.setattr(run.shopflow, "__file__", str(tmp_path / "lib/shopflow/__init__.py"))
    result = CliRunner().invoke(main, ["demo", "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert "clone it" in result.stderr
