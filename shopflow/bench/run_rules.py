"""The rules of `bench run`: workflows of the shapes that the starter pack has, as many as asked.

The first ten do all that happens; every further one is a copy of one of them for a single product
that nobody looks at in the sample, so that more rules mean more to search and the same to do.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from shopflow.bench.run_workflows import LET, WORKFLOWS
from shopflow.domain.ids import WorkflowId
from shopflow.domain.trigger import EventTrigger
from shopflow.domain.workflow import Workflow
from shopflow.lang.cel import compile_expression
from shopflow.rulebook import LoadedProject, load_project

#: Conditions that copies are told apart by; more copies than that share them.
CONDITIONS = 500

_MAIL = """---
subject: "A word from the shop"
preheader: "Everything is as you left it, and there is no hurry at all."
purposes: [service, review, marketing, cart_recovery]
variables: [first_name, items]
---
<mjml><mj-body><mj-section><mj-column><mj-text>{{ first_name }}{% for item in items %}
{{ item.sku }}{% endfor %}</mj-text></mj-column></mj-section></mj-body></mjml>
"""
_PROJECT = {
    "kind": "Project",
    "timezone": "Europe/Paris",
    "locale": "en",
    "currency": "EUR",
    "sender": {
        "legal_name": "Shop",
        "address": "1 rue de la Paix, Paris",
        "contact": "shop@shop.example",
        "privacy_url": "https://shop.example/privacy",
    },
    "channels": {
        "email": {
            "host": "localhost",
            "senders": {
                "service": {"from": "order@shop.example"},
                "marketing": {"from": "news@shop.example"},
            },
        }
    },
}
_CONSENT = {
    "kind": "ConsentPolicy",
    "purposes": {
        "service": {"class": "service"},
        "review": {"class": "relationship"},
        "marketing": {
            "class": "marketing",
            "channels": {"email": {"soft_opt_in": {"event": "order.placed", "notice": "required"}}},
        },
        "cart_recovery": {"class": "marketing", "parent": "marketing", "inherit": True},
    },
}
_CAPS = {
    "kind": "FrequencyCaps",
    "caps": [
        {
            "id": "week",
            "max": 4,
            "in_any": "7d",
            "classes": ["marketing"],
            "if_capped": "skip",
            "reserved": {"min_priority": 60, "slots": 1},
        },
        {"id": "day", "max": 1, "each": "day", "classes": ["marketing"], "if_capped": "defer"},
    ],
}
_QUIET = {
    "kind": "QuietHours",
    "quiet_hours": [
        {
            "id": "night",
            "channels": ["email"],
            "from": "22:00",
            "to": "07:00",
            "timezone": "customer",
        }
    ],
}
_TRAITS = {
    "kind": "Traits",
    "traits": {
        "orders_count": {"event": "order.placed", "count": True},
        "total_spent": {"event": "order.placed", "sum": "event.total", "when": "has(event.total)"},
        "last_order_at": {"event": "order.placed", "last": "event.occurred_at"},
        "views_30d": {"event": "product.viewed", "count": True, "in_any": "30d"},
        "favourite_category": {
            "event": "product.viewed",
            "top": "event.category",
            "when": "has(event.category)",
        },
        "last_sign_at": {
            "event": ["site.visited", "product.viewed", "cart.updated", "order.placed"],
            "last": "event.occurred_at",
        },
    },
}
_SEGMENTS = {
    "kind": "Segments",
    "segments": {
        "buyer": {"when": "customer.orders_count >= 1"},
        "vip": {"when": "customer.total_spent >= 500"},
    },
}


#: What all workflows have in common.
COMMON: dict[str, object] = {"owner": "bench", "version": 1, "status": "live", "let": LET}


def project_files(workflows: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
    """A project with these workflows: the path of each file, and its text."""
    files: dict[str, object] = {
        "shopflow.yaml": _PROJECT,
        "rules/policies/consent.yaml": _CONSENT,
        "rules/policies/caps.yaml": _CAPS,
        "rules/policies/quiet-hours.yaml": _QUIET,
        "rules/traits.yaml": _TRAITS,
        "rules/segments.yaml": _SEGMENTS,
    }
    for name, workflow in workflows.items():
        document = {"kind": "Workflow", "id": name, **COMMON, **workflow}
        files[f"rules/workflows/shop/{name}.yaml"] = document
    texts = {
        path: json.dumps({"apiVersion": "shopflow/v1", **content}, indent=1)  # type: ignore[dict-item]
        for path, content in files.items()
    }
    return {**texts, "rules/templates/shop/word/email.en.mjml": _MAIL}


def write_files(root: Path, files: Mapping[str, str]) -> None:
    """The files are below the root."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def project_with(workflows: Mapping[str, Mapping[str, object]]) -> LoadedProject:
    """The project with these workflows, compiled from files as any other."""
    with tempfile.TemporaryDirectory(prefix="shopflow-bench-") as folder:
        write_files(Path(folder), project_files(workflows))
        return load_project(Path(folder), env={}).require()


@cache
def project() -> LoadedProject:
    """The project with the first ten."""
    return project_with(WORKFLOWS)


def with_rules(count: int) -> LoadedProject:
    """The project with so many workflows."""
    loaded = project()
    first = list(loaded.ruleset.workflows.values())[:count]
    shapes = [one for one in first if isinstance(one.trigger, EventTrigger)]
    workflows: dict[str, Workflow] = {one.id: one for one in first}
    for number in range(len(first), count):
        copy = _copy(shapes[number % len(shapes)], number)
        workflows[copy.id] = copy
    return replace(loaded, ruleset=replace(loaded.ruleset, workflows=workflows))


def _copy(shape: Workflow, number: int) -> Workflow:
    """The workflow for one product only."""
    name = WorkflowId(f"{shape.id}-{number}")
    trigger = shape.trigger
    if not isinstance(trigger, EventTrigger):
        raise TypeError("only what starts on an event can be for one product")
    only = f'has(event.sku) && event.sku == "other-{number % CONDITIONS}"'
    when = only if trigger.when is None else f"{only} && ({trigger.when.source})"
    trigger = replace(trigger, when=compile_expression(when))
    return replace(shape, id=name, digest=f"{shape.digest[:20]}{number:012}", trigger=trigger)
