"""What the simulated shop knows before its month begins: its catalogue, and what sold last year."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from shopflow.demo.assortment import ASSORTMENT
from shopflow.demo.shop import simulate_shop
from shopflow.domain.recommendation import Ranking
from shopflow.recommend import History, compute

#: The language that the catalogue is written in.
LOCALE = "fr"
#: Somebody else's month, a quarter before.
CUSTOMERS, SEED, BEFORE = 300, 1_000, timedelta(days=90)
#: A new product comes in so often.
PACE = timedelta(days=12)
#: What is made for something else of the shop.
MADE_FOR: Mapping[str, tuple[str, ...]] = {
    "CUI-405": ("CUI-402", "CUI-401"),
    "CUI-406": ("CUI-407",),
    "BAI-802": ("BAI-801",),
    "PAP-706": ("PAP-702",),
    "TAB-307": ("CUI-404", "CUI-403"),
    "JAR-507": ("JAR-504",),
}


def catalogue(start: datetime) -> dict[str, Mapping[str, object]]:
    """Every product, by sku, as the shop tells of it when the month begins."""
    return {
        product.sku: {
            **product.told(LOCALE),
            "in_stock": True,
            "published_at": (start - number * PACE).isoformat(),
            "compatible_with": list(MADE_FOR.get(product.sku, ())),
        }
        for number, product in enumerate(reversed(ASSORTMENT), 1)
    }


def rankings(start: datetime) -> Iterator[Ranking]:
    """What goes together, from the orders, views and searches of a month before."""
    history = History()
    for event in simulate_shop(customers=CUSTOMERS, days=30, seed=SEED, start=start - BEFORE):
        who, data = event.get("customer_id") or event.get("anonymous_id"), event["data"]
        if isinstance(data, Mapping) and who:
            at = datetime.fromisoformat(str(event["occurred_at"])).astimezone(UTC)
            history.add(str(event["type"]), str(who), at, data)
    yield from compute(history, catalogue(start))
