"""A small project of rules as plain data, for tests of what is built around rules."""

from __future__ import annotations

import yaml

PROJECT = {
    "apiVersion": "shopflow/v1",
    "kind": "Project",
    "timezone": "Europe/Paris",
    "locale": "en",
    "currency": "EUR",
    "sender": {
        "legal_name": "Ma Boutique SAS",
        "address": "1 rue de la Paix, Paris",
        "contact": "bonjour@boutique.example",
        "privacy_url": "https://boutique.example/rgpd",
    },
    "channels": {
        "email": {
            "host": "localhost",
            "senders": {
                "service": {"from": "commande@boutique.example"},
                "marketing": {"from": "bonjour@boutique.example"},
            },
        },
        "log": {},
    },
}
CONSENT = {
    "apiVersion": "shopflow/v1",
    "kind": "ConsentPolicy",
    "purposes": {
        "service": {"class": "service"},
        "marketing": {"class": "marketing", "channels": {"email": {}, "log": {}}},
    },
}
#: So wide that it holds nobody back.
CAPS = {
    "apiVersion": "shopflow/v1",
    "kind": "FrequencyCaps",
    "caps": [{"id": "wide", "max": 100_000, "in_any": "1d"}],
}
TRAITS = {
    "apiVersion": "shopflow/v1",
    "kind": "Traits",
    "attributes": {"birthday": {"type": "date"}, "level": {"type": "string"}},
    "traits": {
        "orders_count": {"event": "order.placed", "count": True},
        "total_spent": {
            "event": "order.placed",
            "sum": "event.total",
            "when": "has(event.total)",
        },
        "last_order_at": {"event": "order.placed", "last": "event.occurred_at"},
        "skus": {"event": "order.placed", "collect": "event.items.map(i, i.sku)"},
        "views_7d": {
            "event": "product.viewed",
            "count": True,
            "by": "event.sku",
            "in_any": "7d",
        },
        "favourite": {"event": "product.viewed", "top": "event.sku"},
    },
}
CART = {
    "apiVersion": "shopflow/v1",
    "kind": "Workflow",
    "id": "cart",
    "owner": "tests",
    "status": "live",
    "purpose": "service",
    "trigger": {
        "event": "cart.updated",
        "when": "has(event.total) && event.total >= 20",
        "reentry": "restart",
    },
    "exit_on": [{"id": "purchased", "event": "order.placed", "outcome": "converted"}],
    "steps": [
        {"id": "settle", "wait": "1h"},
        {
            "id": "reminder",
            "send": {"first_of": ["email", "log"]},
            "template": "cart/reminder",
            "with": {"total": "trigger.total"},
        },
    ],
}
MAIL = """---
subject: "Your cart"
preheader: "Everything is as you left it, and there is no hurry at all."
purposes: [service, marketing]
variables: [total]
---
<mjml><mj-body><mj-section><mj-column><mj-text>Total {{ total }}</mj-text></mj-column></mj-section>
</mj-body></mjml>
"""
NOTE = """---
purposes: [service, marketing]
variables: [total]
---
Total {{ total }}
"""
#: A cart worth a reminder.
FULL = {"at": "0s", "type": "cart.updated", "data": {"total": 90.0, "items": []}}
ORDER = {"type": "order.placed", "data": {"order_id": "o1", "items": []}}


def rule_tests(*tests, **more):
    """A file with these tests; each has a name unless it gives one."""
    return {
        "apiVersion": "shopflow/v1",
        "kind": "WorkflowTest",
        "workflow": "cart",
        "clock": {"start": "2026-03-03T10:00:00", "timezone": "Europe/Paris"},
        "tests": [{"name": f"test {number}", **test} for number, test in enumerate(tests)],
        **more,
    }


def project_files(workflow=None, tests=None, **files):
    """Path -> text of the project, with more files or other ones, given as data."""
    workflow = {**CART, **(workflow or {})}
    content = {
        "shopflow.yaml": PROJECT,
        "rules/policies/consent.yaml": CONSENT,
        "rules/policies/caps.yaml": CAPS,
        "rules/traits.yaml": TRAITS,
        f"rules/workflows/shop/{workflow['id']}.yaml": workflow,
        **files,
    }
    if tests is not None:
        content["rules/tests/shop/cart.test.yaml"] = rule_tests(*tests)
    texts = {path: yaml.safe_dump(data, sort_keys=False) for path, data in content.items()}
    return {
        **texts,
        "rules/templates/cart/reminder/email.en.mjml": MAIL,
        "rules/templates/cart/reminder/log.en.txt": NOTE,
    }
