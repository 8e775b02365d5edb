"""What a place of the shop's pages shows to one person: what was kept for it and is not over."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from shopflow.domain.customer import Customer
from shopflow.domain.ids import CustomerId
from shopflow.domain.message import Message
from shopflow.domain.ruleset import Ruleset
from shopflow.engine import consent
from shopflow.engine.turn import Draft
from shopflow.store.protocol import Store
from shopflow.store.records import DeliveryState

#: The channel that keeps content for pages.
CHANNEL = "onsite"
#: Of so many of a person's latest messages for pages one is looked for.
LATEST = 50
#: What of it is the page's business.
_SHOWN = ("title", "body", "url", "button", "more_url", "more_button", "image", "until")


def content_of(
    store: Store, ruleset: Ruleset, visitor: str, customer: Customer, slot: str, now: datetime
) -> Mapping[str, str] | None:
    """The newest content of the slot; None where there is none, or where it may not be shown.

    `customer` is whom the visitor turned out to be: what either was told counts. Consent counts as
    it is now, not as it was when the content was kept.

    Raises:
        StoreError: The store does not answer.
    """
    found = [
        stored.message
        for one in {CustomerId(visitor), customer.id}
        for stored in store.views.messages(
            customer=one, channel=CHANNEL, state=DeliveryState.SENT, limit=LATEST
        )
    ]
    for message in sorted(found, key=lambda each: (each.decided_at, each.id), reverse=True):
        kept = message.variables
        if kept.get("slot") == slot and _is_on(kept, now) and _may(ruleset, customer, message, now):
            shown = {name: str(kept[name]) for name in _SHOWN if kept.get(name)}
            return {"id": message.id, **shown}
    return None


def _is_on(kept: Mapping[str, object], now: datetime) -> bool:
    until = kept.get("until")
    return isinstance(until, str) and now < datetime.fromisoformat(until)


def _may(ruleset: Ruleset, customer: Customer, message: Message, now: datetime) -> bool:
    draft = Draft(customer)
    if consent.suppressed(draft, message.message_class, CHANNEL):
        return False
    return consent.permits(draft, ruleset.purposes.get(message.purpose), CHANNEL, now)
