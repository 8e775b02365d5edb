"""`ticket` and `webhook` from the rule to the receiver: through the outbox, once, signed."""

from __future__ import annotations

import hmac
import json
import threading
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from shopflow_channels.helpdesk import HelpdeskChannel
from support.running import a_project, an_event, who, write_events

from shopflow import plugins

SECRET = "0123456789abcdef"
POLICY = """
apiVersion: shopflow/v1
kind: ConsentPolicy
purposes:
  service: {class: service}
  internal: {class: internal}
"""
RULES = """
apiVersion: shopflow/v1
kind: Workflow
id: tools
version: 1
title: Tools
owner: team
status: live
purpose: service
trigger: {event: order.placed, key: event.order_id, reentry: ignore}
steps:
  - id: call
    ticket:
      subject: "'Big order ' + trigger.order_id"
      priority: high
      fields: {order_id: trigger.order_id}
      tags: [big]
    only_if: trigger.total >= 100.0
  - {id: book, webhook: {order_id: trigger.order_id, total: trigger.total}}
"""


class Server(ThreadingHTTPServer):
    """Keeps what it was told; answers as `status` says."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.told = []
        self.status = 200


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.told.append((self.path, dict(self.headers), body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Nothing."""


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join(10)


@pytest.fixture
def shop(tmp_path, server, monkeypatch, command):
    """Runs a command on a project with a help desk and a webhook."""
    installed = {**plugins.find_channels(), "helpdesk": HelpdeskChannel}
    monkeypatch.setattr(plugins, "find_channels", lambda: installed)
    monkeypatch.setattr("shopflow.rulebook.find_channels", lambda: installed)
    a_project(tmp_path, 1, **{"rules/policies/consent.yaml": POLICY, "rules/workflows/t.yaml": ""})
    for unused in ("hello.yaml", "later.yaml", "t.yaml"):
        (tmp_path / "rules/workflows" / unused).unlink()
    (tmp_path / "rules/workflows/tools.yaml").write_text(RULES)
    url = f"http://127.0.0.1:{server.server_port}"
    settings = (tmp_path / "shopflow.yaml").read_text()
    settings += (
        f"  helpdesk: {{url: {url}/tickets, allow_private: true}}\n"
        f"  webhook: {{url: {url}/hook, secret: {SECRET}, allow_private: true}}\n"
    )
    (tmp_path / "shopflow.yaml").write_text(settings.replace('["*@*"]', '["*"]'))
    return command


def orders(tmp_path, *totals):
    at = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    events = [who("anna", at)]
    events += [
        an_event(number, "anna", "order.placed", at, order_id=f"o{number}", total=total, items=[])
        for number, total in enumerate(totals, 1)
    ]
    return str(write_events(tmp_path / "events.jsonl", events))


def test_a_person_and_a_program_are_told_once_each(shop, tmp_path, server):
    path = orders(tmp_path, 90.0, 250.0)
    assert "messages: 3 sent" in shop("run", path)
    assert "messages: 3 sent" in shop("run", path)
    paths = sorted(path for path, _, _ in server.told)
    assert paths == ["/hook", "/hook", "/tickets"]
    [ticket] = [json.loads(body) for path, _, body in server.told if path == "/tickets"]
    assert ticket["subject"] == "Big order o2"
    assert (ticket["priority"], ticket["tags"]) == ("high", ["big"])
    assert ticket["fields"] == {"order_id": "o2"}
    assert ticket["requester"] == "anna@example.com"


def test_what_a_program_is_told_is_signed_and_says_nothing_else(shop, tmp_path, server):
    shop("run", orders(tmp_path, 90.0))
    [(_, headers, body)] = server.told
    stamp, _, signed = headers["Shopflow-Signature"].partition(",v1=")
    whole = stamp.removeprefix("t=").encode() + b"." + body
    assert hmac.new(SECRET.encode(), whole, sha256).hexdigest() == signed
    assert json.loads(body)["values"] == {"order_id": "o1", "total": 90.0}


def test_a_help_desk_that_is_not_set_up_is_told_by_lint(shop, tmp_path):
    settings = tmp_path / "shopflow.yaml"
    lines = [line for line in settings.read_text().splitlines() if "helpdesk" not in line]
    settings.write_text("\n".join(lines) + "\n")
    assert "the channel 'helpdesk' is not set up in shopflow.yaml" in shop("lint", code=1)


def test_a_policy_without_an_internal_purpose_is_told_by_lint(shop, tmp_path):
    policy = tmp_path / "rules/policies/consent.yaml"
    policy.write_text(POLICY.replace("  internal: {class: internal}\n", ""))
    assert "no purpose has the class internal" in shop("lint", code=1)
