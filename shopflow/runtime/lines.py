"""Lines of a customer's journal that the runtime writes itself, beside what was decided."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from shopflow.domain.event import Event
from shopflow.domain.ids import CustomerId
from shopflow.domain.journal import JournalEntry, Kind
from shopflow.engine.profile import UNUSABLE
from shopflow.runtime.faults import place_of
from shopflow.runtime.ingest import BadReason


def unusable_addresses(customer_id: CustomerId, event: Event) -> Iterable[JournalEntry]:
    """The lines in the customer's journal that an address is none."""
    named = event.data.get(UNUSABLE)
    for name in named if isinstance(named, list) else ():
        yield JournalEntry(
            at=event.occurred_at,
            customer_id=customer_id,
            kind=Kind.UNUSABLE,
            reason=str(name),
            event_id=event.id,
        )


def failure(customer_id: CustomerId, at: datetime, error: Exception) -> JournalEntry:
    """The line in the customer's journal that something could not be decided."""
    return JournalEntry(
        at=at,
        customer_id=customer_id,
        kind=Kind.ERROR,
        reason=BadReason.DECIDE_FAILED,
        values={"error": place_of(error)},
    )
