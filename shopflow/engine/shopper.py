"""What a customer has and has seen, as recommendations need it: read from declared traits."""

from __future__ import annotations

from datetime import datetime

from shopflow.domain.customer import Customer
from shopflow.domain.recommendation import BOUGHT, CART, VIEWED, Shopper
from shopflow.domain.ruleset import Ruleset
from shopflow.engine import traits
from shopflow.engine.turn import Draft


def shopper_of(ruleset: Ruleset, customer: Customer, now: datetime) -> Shopper:
    """What is known of the customer now; a trait that is not declared tells nothing."""
    return Shopper(
        bought=frozenset(_skus(ruleset, customer, BOUGHT, now)),
        cart=frozenset(_skus(ruleset, customer, CART, now)),
        viewed=tuple(reversed(_skus(ruleset, customer, VIEWED, now))),
    )


def _skus(ruleset: Ruleset, customer: Customer, name: str, now: datetime) -> list[str]:
    if name not in ruleset.traits:
        return []
    try:
        value = traits.read(ruleset, Draft(customer), name, now)
    except KeyError:
        return []
    return [sku for sku in value if isinstance(sku, str)] if isinstance(value, list) else []
