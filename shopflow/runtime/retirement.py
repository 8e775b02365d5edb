"""People whose data has served: long without contact, or signed up and never confirmed."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shopflow.domain.customer import ConsentState, Customer
from shopflow.domain.ids import is_subject
from shopflow.domain.policy import Retention
from shopflow.runtime import erasure
from shopflow.runtime.hashes import Hashes
from shopflow.runtime.safety import SafetyLog
from shopflow.store.everybody import everybody
from shopflow.store.people import ENDED
from shopflow.store.protocol import Store

log = logging.getLogger("shopflow.upkeep")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: What somebody does who signs up and no more.
_SIGNING_UP = ("newsletter.", "consent.", "customer.updated", "customer.identified", "message.")
_UNCONFIRMED = {ConsentState.PENDING, ConsentState.LAPSED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Retirement:
    """Erases those people, one after the other; they stay refused by their tombstones."""

    hashes: Hashes
    log: SafetyLog | None = None

    def retire(self, store: Store, retention: Retention, now: datetime) -> int:
        """Everybody is erased whose time is over; returns how many."""
        gone = 0
        for customer in everybody(store):
            if customer.alias_of is not None or is_subject(customer.id):
                continue
            if _is_over(store, customer, retention, now):
                person = erasure.person_of(store, customer.id)
                erasure.erase(
                    store,
                    self.hashes,
                    person,
                    now,
                    log=self.log,
                    thorough=False,
                    opt_out=any(one.state in ENDED for one in customer.consents.values()),
                )
                gone += 1
        if gone:
            store.people.scrub()
            log.info("people were erased whose time was over", extra={"count": gone})
        return gone


def _is_over(store: Store, customer: Customer, retention: Retention, now: datetime) -> bool:
    last = last_contact(customer, retention.people_since)
    if retention.people_since is not None and last is not None and last < now - retention.people:
        return True
    return _never_confirmed(store, customer, now - retention.unconfirmed)


def last_contact(customer: Customer, trait: str | None) -> datetime | None:
    """When the person was last in contact; where no such thing is known, what is known at all."""
    kept = customer.traits.get(trait) if trait is not None else None
    if isinstance(kept, (list, tuple)) and kept and isinstance(kept[0], int):
        # What `last` keeps begins with the instant of the event.
        return _EPOCH + timedelta(microseconds=kept[0])
    return customer.watermark


def _never_confirmed(store: Store, customer: Customer, before: datetime) -> bool:
    """True for whoever signed up before then, did not confirm it, and is known for nothing else."""
    consents = customer.consents.values()
    if not consents or customer.enrolments or customer.watermark is None:
        return False
    if not all(one.state in _UNCONFIRMED and one.at < before for one in consents):
        return False
    events = store.views.timeline(customer.id).events
    return all(one.type.startswith(_SIGNING_UP) for one in events)
