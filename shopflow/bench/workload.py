"""Events and conditions of an invented shop: 20 event types, the popular ones far ahead."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from random import Random

from shopflow.domain.event import Event
from shopflow.domain.ids import EventId

EVENT_TYPES = tuple(f"shop.event_{number}" for number in range(1, 21))
#: Zipf's law: the tenth type is a tenth as popular as the first.
WEIGHTS = tuple(1 / rank for rank in range(1, len(EVENT_TYPES) + 1))
#: How many clauses a condition has.
CLAUSES = (1, 2, 3, 4)

_WORDS = {
    "category": [f"category-{number}" for number in range(60)],
    "brand": [f"brand-{number}" for number in range(200)],
    "country": ["FR", "BE", "CH", "LU", "DE", "ES", "IT", "GB"],
    "channel": ["web", "app", "shop", "phone"],
}
#: Of a large shop.
_PRODUCTS = 20_000
_TAGS = [f"tag-{number}" for number in range(40)]
_PRICES = (1, 500)
_AT = datetime(2026, 3, 3, 10, tzinfo=UTC)


def a_type(chance: Random) -> str:
    """An event type, by popularity."""
    return chance.choices(EVENT_TYPES, WEIGHTS)[0]


def some_events(chance: Random, count: int) -> list[Event]:
    """Events as a shop would send them."""
    return [
        Event(
            id=EventId(f"e-{number}"), type=a_type(chance), occurred_at=_AT, data=_payload(chance)
        )
        for number in range(count)
    ]


def a_condition(chance: Random) -> str:
    """One to four clauses, each of another kind."""
    kinds = chance.sample(_KINDS, chance.choice(CLAUSES))
    return " && ".join(kind(chance) for kind in kinds)


def a_selective_condition(chance: Random) -> str:
    """One to four clauses, of which one names a product."""
    clauses = [kind(chance) for kind in chance.sample(_KINDS, chance.choice(CLAUSES) - 1)]
    clauses.insert(chance.randint(0, len(clauses)), _product(chance))
    return " && ".join(clauses)


def _payload(chance: Random) -> dict[str, object]:
    payload: dict[str, object] = {name: chance.choice(words) for name, words in _WORDS.items()}
    payload["sku"] = f"sku-{chance.randrange(_PRODUCTS)}"
    payload["price"] = round(chance.uniform(*_PRICES), 2)
    payload["quantity"] = chance.randint(1, 5)
    payload["tags"] = chance.sample(_TAGS, 3)
    payload["customer"] = {"orders_count": chance.randrange(20)}
    if chance.random() < 0.2:  # noqa: PLR2004 - a fifth of the events have one
        payload["coupon"] = "WELCOME"
    return payload


def _word(chance: Random) -> str:
    name = chance.choice(list(_WORDS))
    return f'event.{name} == "{chance.choice(_WORDS[name])}"'


def _product(chance: Random) -> str:
    return f'event.sku == "sku-{chance.randrange(_PRODUCTS)}"'


def _one_of(chance: Random) -> str:
    name = chance.choice(list(_WORDS))
    words = ", ".join(f'"{word}"' for word in chance.sample(_WORDS[name], 3))
    return f"event.{name} in [{words}]"


def _price(chance: Random) -> str:
    return f"event.price {chance.choice(['>=', '<'])} {chance.randint(*_PRICES)}"


def _orders(chance: Random) -> str:
    return f"event.customer.orders_count >= {chance.randrange(20)}"


def _tag(chance: Random) -> str:
    return f'"{chance.choice(_TAGS)}" in event.tags'


def _coupon(chance: Random) -> str:
    del chance
    return "has(event.coupon)"


_KINDS: list[Callable[[Random], str]] = [_word, _one_of, _price, _orders, _tag, _coupon]
