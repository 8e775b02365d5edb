"""Whose an address is: an index by keyed hash, kept in the transaction that changes an address.

It answers for a provider that knows a number and no name, and for a reply that names no message.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from shopflow.domain.customer import Customer
from shopflow.domain.ids import CustomerId
from shopflow.runtime.hashes import Hashes
from shopflow.store.door import AddressLink
from shopflow.store.protocol import Batch, Store

log = logging.getLogger("shopflow.app")

#: The attributes that hold an address which somebody outside may name.
ATTRIBUTES = ("email", "phone")
#: What is kept of the key that the index was made by.
_MADE_BY = "addresses_of"
_PAGE = 1_000


def link_changes(
    batch: Batch, changes: Iterable[tuple[Customer, Customer]], hashes: Hashes
) -> None:
    """The index says of each customer, given as before and as now, what holds now."""
    gone, new = set[AddressLink](), set[AddressLink]()
    for before, now in changes:
        # Nearly every change leaves the person where they were.
        if before.attributes is now.attributes and before.alias_of == now.alias_of:
            continue
        had, has = links_of(before, hashes), links_of(now, hashes)
        gone |= had - has
        new |= has - had
    if gone or new:
        batch.link_addresses(gone, new)


def links_of(customer: Customer, hashes: Hashes) -> set[AddressLink]:
    """Where the customer is to be found; a visitor who turned out to be somebody is not."""
    if customer.alias_of is not None:
        return set()
    told = (customer.attributes.get(name) for name in ATTRIBUTES)
    found = (hashes.address(one) for one in told if isinstance(one, str))
    return {AddressLink(each, customer.id) for each in found if each}


def who_has(store: Store, hashes: Hashes, address: str) -> list[CustomerId]:
    """The customers who have the address, however it is written."""
    known = hashes.address(address)
    return store.people.at_address([known]) if known else []


def fill_index(store: Store, hashes: Hashes) -> None:
    """Everybody is in the index who was there before there was one; done once for each key."""
    made_by = store.people.hold_setting(_MADE_BY, "")
    if made_by == hashes.fingerprint:
        return
    count = 0
    for partition in range(store.partitions):
        after = ""
        while page := store.views.customers_after(partition, after, limit=_PAGE):
            with store.transaction() as batch:
                # As it is now: somebody may have moved since the page was read.
                people = batch.load([one.id for one in page]).values()
                links = {link for one in people for link in links_of(one, hashes)}
                batch.link_addresses((), links)
            after, count = page[-1].id, count + len(page)
    store.people.set_setting(_MADE_BY, hashes.fingerprint)
    if count:
        log.info("%s customers are in the index of addresses now", count)
