"""Every customer that a store keeps, read a page at a time."""

from __future__ import annotations

from collections.abc import Iterator

from shopflow.domain.customer import Customer
from shopflow.store.protocol import Store

#: Customers that are read at a time.
PAGE = 1_000


def everybody(store: Store) -> Iterator[Customer]:
    """Every row, aliases and rows of things too, by partition and id; reads the whole table."""
    for partition in range(store.partitions):
        after = ""
        while page := store.views.customers_after(partition, after, limit=PAGE):
            yield from page
            after = page[-1].id
