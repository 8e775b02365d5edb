"""Rankings computed from the event log and the catalogue, and kept.

What they are computed by is `shopflow.recommend`'s, when `nightly`'s, looking them up `shelves`'s.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import orjson

from shopflow.domain.recommendation import Ranking
from shopflow.recommend import TYPES, History, compute
from shopflow.store.protocol import Store

#: Rankings that one transaction keeps, so that nobody waits long for it.
PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """What a run came to."""

    orders: int
    looks: int
    searches: int
    products: int
    rankings: int
    #: Rankings of earlier runs that no longer follow from anything.
    forgotten: int
    seconds: float


def compute_all(store: Store, now: datetime) -> Computed:
    """Computes every ranking anew and keeps it; those that no longer follow are gone."""
    began = time.monotonic()
    history = read_history(store)
    catalogue = store.views.products()
    count = 0
    for page in _pages(compute(history, catalogue)):
        store.recommendations.keep(page, now)
        count += len(page)
    return Computed(
        orders=len(history.orders),
        looks=len(history.looks),
        searches=len(history.searches),
        products=len(catalogue),
        rankings=count,
        forgotten=store.recommendations.forget(now),
        seconds=time.monotonic() - began,
    )


def read_history(store: Store) -> History:
    """What the event log says of products, as far back as it is kept."""
    history = History()
    for event in store.recommendations.past(TYPES):
        if event.customer_id is not None:
            data = orjson.loads(event.payload).get("data", {})
            history.add(event.type, event.customer_id, event.occurred_at, data)
    return history


def _pages(rankings: Iterable[Ranking]) -> Iterator[list[Ranking]]:
    left = iter(rankings)
    while page := list(islice(left, PAGE)):
        yield page
