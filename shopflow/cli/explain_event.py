"""`shopflow explain event TYPE --data`: what an event would lead to, told in words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from shopflow.cli.reading import open_for_reading
from shopflow.domain.customer import Customer
from shopflow.domain.event import Event
from shopflow.domain.ids import CustomerId
from shopflow.engine import Rulebook, with_retained
from shopflow.gitops.verdict import Verdict
from shopflow.gitops.what_if import Answer, Prospect, WhatIf, what_if
from shopflow.lang.names import did_you_mean
from shopflow.report.masking import Mask
from shopflow.report.sentences import REFUSED, sentence
from shopflow.rulebook import LoadedProject, load_project
from shopflow.runtime.contact import region_of
from shopflow.runtime.ingest import Ingest, Refused
from shopflow.runtime.older_versions import retained_of

#: Somebody of whom nothing is known.
_NOBODY = "somebody-new"
_ID = "what-if"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The event that somebody asks about; `data` is JSON, or @ and the name of a file of it."""

    type: str
    data: str
    customer: str | None
    at: datetime | None


def what_if_told(project: Path, wish: Wish, mask: Mask, style: str, level: str) -> None:
    """Prints what would come of the event, at the level of a text for people.

    Raises:
        click.UsageError: There is no such type or customer, or the payload is not as its schema.
        RulesInvalid: The rules have errors.
    """
    loaded = load_project(project, strict=False).require()
    if wish.type not in loaded.events:
        hint = did_you_mean(wish.type, loaded.events.schemas)
        raise click.UsageError(f"no event type '{wish.type}'; {hint}")
    customer, rulebook = _customer(project, loaded, wish.customer)
    event = _event(loaded, wish, customer.id)
    result = what_if(rulebook, event, customer)
    if style == "json":
        click.echo(json.dumps(_as_json(wish, result, mask), indent=2, default=str))
        return
    who = f"customer {wish.customer}" if wish.customer else "somebody of whom nothing is known"
    click.echo(f"{wish.type} at {event.occurred_at:%Y-%m-%d %H:%M} UTC, about {who}")
    for line in _lines(result, mask, level):
        click.echo(line)


def _customer(
    project: Path, loaded: LoadedProject, customer_id: str | None
) -> tuple[Customer, Rulebook]:
    """Whom it is about, and the rules with the versions that their enrolments are pinned to."""
    if customer_id is None:
        return Customer(id=CustomerId(_NOBODY)), Rulebook(loaded.ruleset)
    with open_for_reading(project) as (_, store):
        found = store.views.customer(CustomerId(customer_id))
        older = store.views.retained_workflows()
    if found is None:
        raise click.UsageError(f"no customer '{customer_id}' is known here")
    return found, Rulebook(with_retained(loaded.ruleset, retained_of(loaded, older)))


def _event(loaded: LoadedProject, wish: Wish, customer_id: CustomerId) -> Event:
    """The event as the shop would send it, let in by the same door."""
    text = wish.data
    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as e:
            raise click.UsageError(f"--data {wish.data} cannot be read: {e}") from e
    try:
        data: Any = json.loads(text)
    except ValueError as e:
        raise click.UsageError(f"--data is no JSON: {e}") from e
    at = wish.at or datetime.now(UTC)
    told: Mapping[str, object] = data if isinstance(data, dict) else {}
    if told.get("type") == wish.type and isinstance(told.get("data"), dict):
        # A whole event as the shop sends it.
        data = told["data"]
    envelope = {
        "id": _ID,
        "type": wish.type,
        "occurred_at": at.isoformat(),
        "customer_id": customer_id,
        "data": data,
    }
    arrived = Ingest(
        loaded.events.schemas, event_clock=True, region=region_of(loaded.project.locale)
    ).read(json.dumps(envelope), received_at=at)
    if isinstance(arrived, Refused):
        raise click.UsageError(f"the shop could not send this: {arrived.detail}")
    return arrived.event


def _lines(result: WhatIf, mask: Mask, level: str) -> Iterator[str]:
    order = list(Answer)
    for one in sorted(result.prospects, key=lambda each: order.index(each.answer)):
        if level == "fails" and one.answer is Answer.STARTS:
            continue
        yield ""
        yield f"{one.workflow} {_because(one)}"
        for name, verdict in one.verdicts:
            if level == "full" or not verdict.answer:
                yield f"  {name}: {'yes' if verdict.answer else 'no'}"
                yield from (f"    {mask.text(line)}" for line in _shown(verdict, mask).lines())
    if not result.prospects:
        yield "no workflow takes events of this type"
    told = [mask.text(f"{each.workflow or 'the customer'}: {sentence(each)}")
            for each in result.others]  # fmt: skip
    if told:
        yield ""
        yield "at once"
        yield from (f"  {line}" for line in dict.fromkeys(told))
    if result.deaf and result.prospects:
        yield ""
        more = "1 more workflow takes" if result.deaf == 1 else f"{result.deaf} more workflows take"
        yield f"{more} no event of this type"


def _because(one: Prospect) -> str:
    match one.answer:
        case Answer.STARTS:
            return "would start"
        case Answer.REFUSED:
            return f"would not start: {REFUSED.get(one.reason, one.reason)}"
        case Answer.OFF:
            return f"would not start: it is {one.reason}"
        case Answer.NO if all(verdict.answer for _, verdict in one.verdicts):
            return "would not start: the event is about nobody whom it could start for"
        case Answer.NO:
            return "would not start"


def _shown(verdict: Verdict, mask: Mask) -> Verdict:
    """The verdict with its values masked."""
    return verdict.with_values(mask.shown)


def _as_json(wish: Wish, result: WhatIf, mask: Mask) -> dict[str, object]:
    return {
        "type": wish.type,
        "customer_id": wish.customer,
        "workflows": [
            {
                "workflow": one.workflow,
                "answer": one.answer,
                "reason": one.reason,
                "conditions": {
                    name: _shown(verdict, mask).as_json() for name, verdict in one.verdicts
                },
            }
            for one in result.prospects
        ],
        "sends": [{"workflow": one.workflow, "step": one.step, "channel": one.channel}
                  for one in result.messages],
        "others": [mask.text(sentence(each)) for each in result.others],
        "not_listening": result.deaf,
    }  # fmt: skip
