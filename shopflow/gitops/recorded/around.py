"""What the shop was like around a recorded customer: its products, and news that is nobody's own.

How a product was at the beginning is kept nowhere. It is worked out: from what the first event
afterwards says that it was, else from what the catalogue says today where no event has changed it
since, else from what events said before.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from shopflow.domain.product import (
    Product,
    after,
    before,
    can_be_bought,
    is_about_product,
    substitutes,
)
from shopflow.domain.ruleset import Ruleset
from shopflow.domain.step import Send
from shopflow.domain.workflow import Status, Workflow
from shopflow.engine import Rulebook
from shopflow.gitops.graph.reading import expressions
from shopflow.store.recommendations import Recommendations
from shopflow.store.records import StoredEvent

#: What conditions call to learn of a product.
_ASKING = "in_stock("

#: The type of an event, and its payload.
_Told = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """The shop from the first event of a customer on."""

    #: Events about no customer that may concern this one, oldest first.
    events: Sequence[StoredEvent] = ()
    #: By sku, what was known of products when it began.
    products: Mapping[str, Product] = field(default_factory=dict)


def around(
    ruleset: Ruleset, workflow: Workflow, own: Sequence[StoredEvent], kept: Recommendations
) -> Around:
    """The shop around these events of a customer, oldest first, as far as the workflow asks."""
    if not own:
        return Around()
    alone = replace(ruleset, workflows={workflow.id: replace(workflow, status=Status.LIVE)})
    rulebook = Rulebook(alone)
    named = {value for event in own for value in _values(data_of(event))}
    of_products = filter(is_about_product, ruleset.subject_events)
    types = rulebook.awaited_types | frozenset(of_products if _asks(workflow) else ())
    found = [
        event
        for event in (kept.past(types) if types else ())
        if event.customer_id is None and event.payload and _concerns(rulebook, event, named)
    ]
    start = own[0].occurred_at
    news = [event for event in found if event.occurred_at >= start]
    if not _asks(workflow):
        return Around(events=news)
    past = [event for event in found if event.occurred_at < start]
    products = _then(kept, {str(value) for value in named}, past, news)
    return Around(events=list(_telling(rulebook, news, products)), products=products)


def data_of(event: StoredEvent) -> Mapping[str, Any]:
    """The payload of an event that is kept."""
    data: Mapping[str, Any] = json.loads(event.payload).get("data", {})
    return data


def _asks(workflow: Workflow) -> bool:
    """True when something is decided by what the catalogue says."""
    sends = (step for step in workflow.steps.values() if isinstance(step, Send))
    return any(step.promotes for step in sends) or any(
        _ASKING in each.source for each in expressions(workflow)
    )


def _concerns(rulebook: Rulebook, event: StoredEvent, named: set[object]) -> bool:
    """True when the customer's own events name what this one is about, or it is for everybody."""
    data = data_of(event)
    if is_about_product(event.type) and data.get("sku") in named:
        return True
    awaited = rulebook.awaited_fields.get(event.type)
    if awaited is None:
        return not is_about_product(event.type)
    return any(all(data.get(name) in named for name in names) for names in awaited)


def _then(
    kept: Recommendations,
    skus: set[str],
    past: Sequence[StoredEvent],
    news: Sequence[StoredEvent],
) -> dict[str, Product]:
    """The products as they were known between what was past then and the news."""
    today = kept.products(skus)
    others = {sku for product in today.values() for sku in substitutes(product)}
    today = {**today, **kept.products(others - today.keys())}
    told, telling = _by_sku(past), _by_sku(news)
    known: dict[str, Product] = {}
    for sku in sorted({*today, *told, *telling}):
        later = telling.get(sku, ())
        changed = _after_all(later)
        lasting = {key: value for key, value in today.get(sku, {}).items() if key not in changed}
        at_first = before(*later[0]) if later else {}
        known[sku] = {**_after_all(told.get(sku, ())), **lasting, **at_first}
    return known


def _after_all(told: Iterable[_Told]) -> Product:
    """What these events, one after the other, say of a product."""
    product: Product | None = None
    for event_type, data in told:
        product = after(event_type, data, product)
    return product or {}


def _by_sku(events: Iterable[StoredEvent]) -> dict[str, list[_Told]]:
    """What events say of products, of each in their order."""
    found: dict[str, list[_Told]] = {}
    for event in events:
        if is_about_product(event.type):
            data = data_of(event)
            found.setdefault(str(data["sku"]), []).append((event.type, data))
    return found


def _telling(
    rulebook: Rulebook, news: Sequence[StoredEvent], products: Mapping[str, Product]
) -> Iterator[StoredEvent]:
    """Without those that nobody waits for and that change nothing of what decisions read."""
    known = dict(products)
    for event in news:
        if is_about_product(event.type):
            data = data_of(event)
            sku = str(data["sku"])
            was, known[sku] = known.get(sku), after(event.type, data, known.get(sku)) or {}
            if event.type not in rulebook.awaited_types and _offer(was) == _offer(known[sku]):
                continue
        yield event


def _offer(product: Product | None) -> tuple[object, ...]:
    told = product or {}
    return can_be_bought(product), told.get("price"), told.get("currency"), substitutes(product)


def _values(value: object) -> Iterator[object]:
    """Every text and number of a payload, wherever it stands."""
    match value:
        case Mapping():
            for inner in value.values():
                yield from _values(inner)
        case list():
            for inner in value:
                yield from _values(inner)
        case _:
            yield value
