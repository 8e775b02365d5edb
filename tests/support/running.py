"""A small project, a mail sink in a thread, and `shopflow run` as a process of its own."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from email import message_from_bytes

from aiosmtpd.smtp import SMTP

PROJECT = """
apiVersion: shopflow/v1
kind: Project
environment: test
delivery: {{mode: allowlist, allowlist: ["*@*"]}}
sender: {{legal_name: Shop, address: Paris, contact: hello@shop.example}}
timezone: UTC
locale: en
database: sqlite:///shopflow.db
partitions: 4
channels:
  email:
    host: 127.0.0.1
    port: {port}
    tls: none
    connections: {connections}
    timeout: {timeout}
    from: hello@shop.example
"""
FILES = {
    "rules/policies/consent.yaml": """
apiVersion: shopflow/v1
kind: ConsentPolicy
purposes:
  service: {class: service}
""",
    "rules/traits.yaml": """
apiVersion: shopflow/v1
kind: Traits
attributes: {email: {type: string}}
""",
    # Each customer's first look at a product is answered at once.
    "rules/workflows/hello.yaml": """
apiVersion: shopflow/v1
kind: Workflow
id: hello
version: 1
title: Hello
owner: team
status: live
purpose: service
trigger: {event: product.viewed, reentry: once}
steps:
  - {id: greet, send: email, template: hello, with: {sku: trigger.sku}}
""",
    # And a while after the last one there is another message.
    "rules/workflows/later.yaml": """
apiVersion: shopflow/v1
kind: Workflow
id: later
version: 1
title: Later
owner: team
status: live
purpose: service
trigger: {event: product.viewed, reentry: ignore, cooldown: 1h}
exit_on:
  - {id: bought, event: order.placed, outcome: bought}
steps:
  - {id: settle, wait: 20m}
  - {id: ask, send: email, template: hello, with: {sku: trigger.sku}}
""",
    # A cap, as marketing must have one, and so wide that it holds nobody back.
    "rules/policies/caps.yaml": """
apiVersion: shopflow/v1
kind: FrequencyCaps
caps: [{id: wide, max: 100000, in_any: 1d}]
""",
    "rules/templates/hello/email.en.txt": """---
subject: "Hello"
purposes: [service]
variables: {sku: string}
---
You looked at {{ sku }}.
""",
}


def a_project(folder, port, *, connections=4, timeout=30, **files):
    """Writes the project; more files by path, or other text for one of these."""
    settings = PROJECT.format(port=port, connections=connections, timeout=timeout)
    for name, text in {"shopflow.yaml": settings, **FILES, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def an_event(number, customer, event_type="product.viewed", at="2026-03-01T10:00:00Z", **data):
    if event_type == "product.viewed":
        data = {"sku": "A1", **data}
    return {
        "id": f"e{number}",
        "type": event_type,
        "occurred_at": at,
        "customer_id": customer,
        "data": data,
    }


def who(customer, at="2026-03-01T10:00:00Z"):
    """The event by which a customer's address becomes known."""
    email = f"{customer}@example.com"
    return {**an_event(0, customer, "customer.updated", at, email=email), "id": f"who-{customer}"}


def write_events(path, events):
    path.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    return path


class Arrival:
    """One mail at the sink; `answered` is when the sink told its sender that it has it."""

    def __init__(self, message_id):
        self.message_id = message_id
        self.answered = None


class MailSink:
    """An SMTP server in a thread; `behave(number)` may return another answer for a mail."""

    def __init__(self):
        self.arrivals = []
        self.behave = None
        self.port = 0

    @property
    def counts(self):
        return Counter(arrival.message_id for arrival in self.arrivals)

    async def handle_DATA(self, server, _session, envelope):  # noqa: N802
        mail = message_from_bytes(envelope.original_content)
        arrival = Arrival(mail["Message-ID"].strip("<>").partition("@")[0])
        number = len(self.arrivals) + 1
        answer = self.behave(number) if self.behave else None
        if asyncio.iscoroutine(answer):
            answer = await answer
        if answer == "drop":
            server.transport.abort()
            return "421 gone"
        if not answer or answer.startswith("250"):
            self.arrivals.append(arrival)
            arrival.answered = time.monotonic()
        return answer or "250 OK"

    @contextmanager
    def listening(self, port=0):
        loop = asyncio.new_event_loop()

        async def serve():
            return await loop.create_server(
                lambda: SMTP(self, hostname="sink.test"), "127.0.0.1", port
            )

        server = loop.run_until_complete(serve())
        self.port = server.sockets[0].getsockname()[1]
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(_close(server), loop).result(10)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)
            loop.close()


async def _close(server):
    server.close()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await asyncio.sleep(0.05)


def command(folder, *words):
    code = "from shopflow.cli.main import main; main()"
    return [sys.executable, "-c", code, *words, "--project", str(folder)]


def start(folder, *words, **options):
    """A process of its own."""
    return subprocess.Popen(
        command(folder, *words),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def shopflow(folder, *words, code=0, **options):
    """Runs the command to its end; returns what it printed."""
    ran = subprocess.run(
        command(folder, *words), capture_output=True, text=True, timeout=300, check=False, **options
    )
    assert ran.returncode == code, f"{words}: exit {ran.returncode}\n{ran.stdout}{ran.stderr}"
    return ran


def status(folder):
    return json.loads(shopflow(folder, "status", "--format", "json").stdout)
