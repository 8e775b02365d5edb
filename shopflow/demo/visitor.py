"""What the simulated shop remembers of a person between two visits."""

from __future__ import annotations

from dataclasses import dataclass, field

from shopflow.demo.assortment import Product
from shopflow.demo.people import Person


@dataclass(slots=True)
class Visitor:
    """What the shop remembers of one person between two visits."""

    person: Person
    #: Known by a cookie only; events name the visitor and not the customer.
    anonymous: bool = False
    #: Has left an address.
    known: bool = False
    cart: dict[Product, int] = field(default_factory=dict)
    carts: int = 0
    visits: int = 0
    points: int = 0

    @property
    def ids(self) -> dict[str, str]:
        """Whom the events name."""
        if self.anonymous:
            return {"anonymous_id": f"a-{self.person.id[2:]}"}
        return {"customer_id": self.person.id}

    @property
    def cart_id(self) -> str:
        """The cart that is filled now."""
        return f"k-{self.person.id[2:]}-{self.carts}"

    @property
    def session_id(self) -> str:
        """The visit that goes on now."""
        return f"v-{self.person.id[2:]}-{self.visits}"
