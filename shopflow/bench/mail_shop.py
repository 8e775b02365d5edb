"""The mail that is measured, in a project of its own: an order confirmed, with its lines."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shopflow.domain.ids import CustomerId, EnrolmentId, EventId, MessageId, StepId, WorkflowId
from shopflow.domain.message import Message
from shopflow.domain.policy import MessageClass

SUBJECT = "Your order {{ order_id }}, {{ name }}"
_LINES = (
    "{% for item in items %}<tr><td>{{ item.name }}</td><td>{{ item.quantity }}</td>"
    '<td><a href="https://shop.example/p/{{ item.sku }}">{{ item.price }} EUR</a></td></tr>\n'
    "{% endfor %}"
)
_PARAGRAPH = "<p>Thank you for your order. We tell you as soon as it is on its way to you.</p>\n"
HTML = (
    "<html><body><h1>Hello {{ name }}</h1>\n"
    + _PARAGRAPH * 20
    + f"<table>{_LINES}</table>\n<p>Total {{{{ total }}}} EUR</p></body></html>"
)
TEXT = (
    "Hello {{ name }},\n\n"
    + "Thank you for your order. We tell you as soon as it is on its way to you.\n" * 20
    + "{% for item in items %}{{ item.quantity }} x {{ item.name }}: {{ item.price }} EUR\n"
    "{% endfor %}\nTotal {{ total }} EUR\n"
)
VARIABLES: Mapping[str, object] = {
    "name": "Anna",
    "order_id": "A-1001",
    "total": 149.5,
    "items": [
        {"sku": f"S{number}", "name": f"Candle no. {number}", "quantity": 1, "price": 29.9}
        for number in range(5)
    ],
}
_PROJECT = """
apiVersion: shopflow/v1
kind: Project
timezone: UTC
locale: en
sender: {legal_name: Shop, address: Paris, contact: hello@shop.example}
channels: {email: {host: 127.0.0.1, from: hello@shop.example}}
"""
_CONSENT = """
apiVersion: shopflow/v1
kind: ConsentPolicy
purposes: {review: {class: relationship}}
"""
_WORKFLOW = """
apiVersion: shopflow/v1
kind: Workflow
id: order-confirmed
version: 1
title: Order confirmed
owner: bench
status: live
purpose: review
max_per_hour: 1000000000
trigger: {event: order.placed}
steps:
  - id: send
    send: email
    template: order/confirmed
    with: {name: "'Anna'", order_id: "'A'", total: 1.0, items: trigger.items}
"""
_HEAD = f"""---
subject: "{SUBJECT}"
purposes: [review]
variables: {{name: string, order_id: string, total: number, items: list}}
---
"""


def written(folder: Path) -> Path:
    """The folder with the project in it."""
    templates = folder / "rules" / "templates" / "order" / "confirmed"
    policies = folder / "rules" / "policies"
    workflows = folder / "rules" / "workflows"
    for each in (templates, policies, workflows):
        each.mkdir(parents=True)
    (folder / "shopflow.yaml").write_text(_PROJECT, encoding="utf-8")
    (policies / "consent.yaml").write_text(_CONSENT, encoding="utf-8")
    (workflows / "order-confirmed.yaml").write_text(_WORKFLOW, encoding="utf-8")
    (templates / "email.en.html").write_text(_HEAD + HTML, encoding="utf-8")
    (templates / "email.en.txt").write_text(TEXT, encoding="utf-8")
    return folder


def a_message(number: int) -> Message:
    """One to anna, decided just now."""
    now = datetime.now(UTC)
    return Message(
        id=MessageId(f"bench-{number:06}"),
        customer_id=CustomerId("anna"),
        enrolment_id=EnrolmentId("n1"),
        workflow=WorkflowId("order-confirmed"),
        version=1,
        digest="d",
        step=StepId("send"),
        visit=1,
        channel="email",
        purpose="review",
        message_class=MessageClass.RELATIONSHIP,
        priority=50,
        template="order/confirmed",
        locale="en",
        address="anna@customers.example",
        variables=VARIABLES,
        trigger_event_id=EventId("e1"),
        decided_at=now,
        cursor_at=now,
        send_by=now + timedelta(days=1),
    )
