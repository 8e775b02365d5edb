"""A plan for programs: every field of it, by a format whose first number only grows on a break."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal

from shopflow.gitops.plan.comparing import Change, Comparison
from shopflow.gitops.plan.plan import Plan, Side
from shopflow.problem import Problem

#: The version of the JSON; a reader refuses a higher first number and ignores unknown fields.
FORMAT_VERSION = "1.0"
#: Customers listed under each change.
LISTED = 1_000


def as_json(plan: Plan) -> str:
    """The plan as one JSON object."""
    return json.dumps(as_record(plan), indent=2, ensure_ascii=False)


def as_record(plan: Plan) -> dict[str, object]:
    """The plan as plain values."""
    changes = plan.changes
    return {
        "format_version": FORMAT_VERSION,
        "base": _side(plan.base),
        "head": _side(plan.head),
        "changes_behaviour": bool(changes),
        "refused": plan.is_refused,
        "workflows": [
            {
                "workflow": each.workflow,
                "action": each.action.value,
                "was": each.was or None,
                "action_reason": "direct" if each.direct else "indirect" if each.via else "",
                "direct": list(each.direct),
                "via": list(each.via),
            }
            for each in changes.workflows
        ],
        "unchanged": changes.unchanged,
        "shared": {str(thing): line for thing, line in changes.shared.items()},
        "worst_case": {
            name: {"messages": one.messages, "unlimited": list(one.unlimited)}
            for name, one in zip(("before", "after"), plan.worst, strict=True)
        },
        "findings": [_finding(each) for each in plan.findings],
        "breaches": list(plan.breaches),
        "replay": None if plan.comparison is None else _comparison(plan.comparison, plan.currency),
    }


def _side(one: Side) -> dict[str, object]:
    return {"ref": one.ref, "commit": one.commit or None, "digest": one.digest}


def _finding(problem: Problem) -> dict[str, object]:
    return {
        "code": problem.code,
        "severity": problem.severity.value,
        "path": problem.location.path,
        "line": problem.location.line,
        "column": problem.location.column,
        "message": problem.message,
        "hint": problem.hint,
    }


def _comparison(found: Comparison, currency: str) -> dict[str, object]:
    since, until = found.after.since, found.after.until
    return {
        "events": found.after.events,
        "duplicates": found.after.duplicates,
        "dead_letters": _change(
            Change(before=found.before.dead_letters, after=found.after.dead_letters)
        ),
        "errors": _change(Change(before=found.before.errors, after=found.after.errors)),
        "customers": found.after.customers,
        "since": None if since is None else since.isoformat(),
        "until": None if until is None else until.isoformat(),
        "days": round(found.after.days, 3),
        "channels": _changes(found.channels),
        "sends": [
            {"workflow": workflow, "channel": channel, **_change(change)}
            for (workflow, channel), change in found.sends.items()
        ],
        "reached_twice": {
            **_change(found.reached_twice),
            "pairs": [
                {"workflows": list(pair), **_change(change)} for pair, change in found.pairs.items()
            ],
        },
        "capped": _changes(found.capped),
        "codes": _changes(found.codes),
        "codes_left": dict(found.left),
        "costs": {"currency": currency, "channels": _changes(found.costs)},
        "changed_customers": found.changed_customers,
        "new_customers": found.new_customers,
        "outcomes": [
            {
                "sign": each.sign,
                "workflow": each.workflow,
                "what": each.what,
                "why": each.why,
                "count": len(each.customers),
                "customers": list(each.customers[:LISTED]),
            }
            for each in found.outcomes
        ],
        "in_flight": {
            "released_at_once": 0,
            "standing": [
                {
                    "workflow": each.workflow,
                    "step": each.step,
                    "count": each.count,
                    "fate": each.fate.value,
                    "why": each.why,
                }
                for each in found.standing
            ],
        },
        "limits": list(found.limits),
    }


def _changes(
    found: Mapping[str, Change[int]] | Mapping[str, Change[Decimal]],
) -> dict[str, dict[str, object]]:
    return {name: _change(change) for name, change in found.items()}


def _change(change: Change[int] | Change[Decimal]) -> dict[str, object]:
    numbers = {"before": change.before, "after": change.after, "delta": change.delta}
    return {
        name: str(number) if isinstance(number, Decimal) else number
        for name, number in numbers.items()
    }
