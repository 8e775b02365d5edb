"""`shopflow run` takes up what is deployed while it runs, and its pages with it."""

from __future__ import annotations

import json
import re
import signal
from datetime import UTC, datetime
from urllib.request import urlopen

import pytest
from support.production import wait_for
from support.running import a_project, an_event, shopflow, start, who

HELLO = "rules/workflows/hello.yaml"


@pytest.fixture
def project(tmp_path, sink):
    return a_project(tmp_path, sink.port)


def add(project, *events):
    with (project / "events.jsonl").open("a") as file:
        file.writelines(json.dumps(event) + "\n" for event in events)


def now():
    return datetime.now(UTC).isoformat()


def metric(port, name):
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
        text = page.read().decode()
    return re.findall(rf"^{name}(.*)$", text, re.MULTILINE)


def test_rules_deployed_meanwhile_are_at_work_without_a_restart(project, sink):
    add(project, who("anna", now()), who("ben", now()), an_event(1, "anna", at=now()))
    running = start(
        project, "run", "--follow", str(project / "events.jsonl"), "--http", "127.0.0.1:0"
    )
    try:
        port = re.search(r"127\.0\.0\.1:(\d+)", running.stderr.readline()).group(1)
        wait_for(lambda: len(sink.arrivals) == 1)
        assert metric(port, "shopflow_revision_info") == ['{revision="folder"} 1.0']
        path = project / HELLO
        changed = path.read_text().replace("reentry: once", "reentry: ignore")
        path.write_text(changed.replace("version: 1", "version: 2"))
        made = json.loads(shopflow(project, "deploy", "--format", "json").stdout)
        revision = made["digest"].removeprefix("sha256:")[:12]
        shown = [f'{{revision="{revision}"}} 1.0']
        wait_for(lambda: metric(port, "shopflow_revision_info") == shown)
        sent = len(sink.arrivals)
        # What went by the old rules is not repeated; a second look counts by the new ones.
        assert sent == 1

        def again():
            add(project, an_event(f"ben-{now()}", "ben", at=now()))
            return len(sink.arrivals) >= 3

        wait_for(again)
        assert metric(port, "shopflow_last_activation_successful") == [" 1.0"]
    finally:
        running.send_signal(signal.SIGTERM)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 0, said
