"""Everything that is kept of one person: as JSON for machines, as a page for the person."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from html import escape

from shopflow.domain.codec import customer_to_state, message_to_json
from shopflow.domain.customer import Customer
from shopflow.domain.ids import CustomerId
from shopflow.report import consents
from shopflow.store.protocol import Store
from shopflow.store.records import StoredDeadLetter, Suppression, Timeline

#: Dead letters that are looked through.
_SEARCHED = 100_000

#: The parts of an export, as the person reads them.
_TITLES = {
    "customer_id": "Known as",
    "also_known_as": "Also known as",
    "profile": "Profile",
    "consents": "Consents, as they stand",
    "ledger": "Consents, as they came to be",
    "suppressions": "What stops messages",
    "events": "What happened in the shop",
    "messages": "Messages",
    "decisions": "What was decided",
    "dead_letters": "What could not be processed",
    "state": "What the program keeps to go on",
}
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #1a1a1a; background: #fff }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border: 1px solid #bbb;
  overflow-wrap: anywhere }
th { width: 14rem; background: #f3f3f3 }
"""


def export(
    store: Store,
    ids: Collection[CustomerId],
    suppressions: Iterable[Suppression],
    *,
    at: datetime,
) -> dict[str, object]:
    """All of it, as plain JSON; the first id is the customer's, the others are its visitors'."""
    customer_id, *aliases = ids
    customer = store.views.customer(customer_id)
    timelines = [store.views.timeline(each) for each in ids]
    ledger = store.people.ledger(ids)
    standing = consents.standing(ledger, at)
    letters = [one for one in store.views.dead_letters(limit=_SEARCHED) if one.customer_id in ids]
    return {
        "exported_at": at.isoformat(),
        "customer_id": customer_id,
        "also_known_as": aliases,
        "profile": _profile(customer),
        "consents": [
            {**consents.record(entry), "state": one.state} for one, entry in standing.values()
        ],
        "ledger": [consents.record(entry) for entry in ledger],
        "suppressions": [
            {"channel": s.channel or "all", "scope": s.scope, "reason": s.reason, "at": _iso(s.at)}
            for s in suppressions
        ],
        "events": [event for each in timelines for event in _events(each)],
        "messages": [message for each in timelines for message in _messages(each)],
        "decisions": [entry for each in timelines for entry in _decisions(each)],
        "dead_letters": [_letter(one) for one in letters],
        "state": None if customer is None else _plain(customer_to_state(customer)),
    }


def as_page(told: Mapping[str, object]) -> str:
    """The export as a page of HTML that needs nothing else; every text in it is escaped."""
    sections = [
        f"<h2>{escape(title)}</h2>\n{_html(told[name])}"
        for name, title in _TITLES.items()
        if told.get(name)
    ]
    body = "\n".join(sections)
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>What we keep of you</title>\n<style>{_STYLE}</style></head>\n"
        f"<body><h1>What we keep of you</h1>\n<p>As of {escape(str(told['exported_at']))}.</p>\n"
        f"{body}\n</body></html>\n"
    )


def timeline_of(store: Store, ids: Collection[CustomerId]) -> list[dict[str, object]]:
    """All that happened, was decided and was sent, in order of time."""
    lines: list[dict[str, object]] = []
    for each in ids:
        timeline = store.views.timeline(each)
        lines += ({**one, "what": "event"} for one in _events(timeline))
        lines += ({**one, "what": "decision"} for one in _decisions(timeline))
        lines += ({**one, "what": "message"} for one in _messages(timeline))
    return sorted(lines, key=lambda line: str(line["at"]))


def _profile(customer: Customer | None) -> dict[str, object]:
    if customer is None:
        return {}
    return {
        **customer.attributes,
        **({"tags": sorted(customer.tags)} if customer.tags else {}),
        **({"computed": _plain(customer.traits)} if customer.traits else {}),
        **({"segments": sorted(customer.segments)} if customer.segments else {}),
    }


def _events(timeline: Timeline) -> list[dict[str, object]]:
    return [
        {
            "at": _iso(one.occurred_at),
            "type": one.type,
            "id": one.id,
            "data": json.loads(one.payload).get("data", {}) if one.payload else {},
        }
        for one in timeline.events
    ]


def _messages(timeline: Timeline) -> list[dict[str, object]]:
    return [
        {
            "at": _iso(one.message.decided_at),
            "state": one.state,
            "reason": one.reason,
            **{
                name: getattr(one.message, name)
                for name in ("id", "workflow", "step", "channel", "purpose", "template", "address")
            },
            "values": _plain(message_to_json(one.message)).get("variables", {}),
        }
        for one in timeline.messages
    ]


def _decisions(timeline: Timeline) -> list[dict[str, object]]:
    return [
        {
            "at": _iso(one.at),
            "kind": one.kind,
            "workflow": one.workflow,
            "step": one.step,
            "channel": one.channel,
            "reason": one.reason,
            "event_id": one.event_id,
            "values": _plain(one.values),
        }
        for one in timeline.journal
    ]


def _letter(one: StoredDeadLetter) -> dict[str, object]:
    return {"at": _iso(one.at), "reason": one.reason, "detail": one.detail, "as_sent": one.payload}


def _iso(at: datetime) -> str:
    return at.isoformat()


def _plain(value: Mapping[str, object]) -> dict[str, object]:
    told: dict[str, object] = json.loads(json.dumps(value, default=_as_plain))
    return told


def _as_plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset, tuple)):
        return sorted(value, key=str)
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _html(value: object) -> str:
    if isinstance(value, Mapping):
        rows = "".join(
            f"<tr><th scope=row>{escape(str(key))}</th><td>{_html(one)}</td></tr>"
            for key, one in value.items()
            if one not in (None, "", [], {})
        )
        return f"<table>{rows}</table>"
    if isinstance(value, (list, tuple)):
        return "".join(f"<div>{_html(one)}</div>" for one in value)
    return escape(str(value))
