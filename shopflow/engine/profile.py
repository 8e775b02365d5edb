"""What an event tells of the person: attributes, contact points and suppressions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from shopflow.domain.customer import SuppressionScope
from shopflow.domain.event import Event
from shopflow.domain.journal import Stopped, Suppress
from shopflow.engine import consent
from shopflow.engine.turn import Turn

#: Events by which the shop tells who the customer is: every attribute in them is taken.
PROFILE_EVENTS = frozenset(
    {
        "customer.registered",
        "customer.updated",
        "customer.identified",
        "newsletter.subscribed",
        "lead.requested",
    }
)
#: Events that carry contact points by the way: they fill what is not known yet.
CONTACT_EVENTS = frozenset({"order.placed", "checkout.started", "stock_alert.requested"})
CONTACT_ATTRIBUTES = ("email", "phone", "first_name", "last_name", "locale", "timezone")

#: Events of a browser that agreed to pushes or no longer takes them, and where its address is kept.
SUBSCRIBED, UNSUBSCRIBED = "webpush.subscribed", "webpush.unsubscribed"
WEBPUSH = "webpush"

#: Where an event names those of its addresses that are none; they are not among its data.
UNUSABLE = "unusable_addresses"

#: Word of messages that had been accepted.
BOUNCED = "message.bounced"
COMPLAINED = "message.complained"

#: Every event that is read here; one that is not among them is never shown to `absorb`.
TELLING_EVENTS = PROFILE_EVENTS | CONTACT_EVENTS | {SUBSCRIBED, UNSUBSCRIBED, BOUNCED, COMPLAINED}


def absorb(turn: Turn, event: Event, *, late: bool) -> bool:
    """Take in attributes and suppressions; a late event does not overwrite what is known.

    True when something was suppressed.
    """
    if event.type in PROFILE_EVENTS:
        known = turn.rulebook.ruleset.attributes
        told = {name: event.data[name] for name in known if event.data.get(name) is not None}
        _set(turn, told, overwrite=not late)
    elif event.type in CONTACT_EVENTS:
        told = {n: event.data[n] for n in CONTACT_ATTRIBUTES if event.data.get(n) is not None}
        _set(turn, told, overwrite=False)
    elif event.type == SUBSCRIBED:
        # The newest browser is the one that is reached.
        if not late and (subscription := _subscription(event)):
            _set(turn, {WEBPUSH: subscription}, overwrite=True)
    elif event.type == UNSUBSCRIBED:
        _forget_browser(turn, event)
    elif event.type == BOUNCED:
        if event.data.get("bounce") == "hard":
            suppress(turn, _channel(event), Stopped.HARD_BOUNCE, event.occurred_at)
            return True
    elif event.type == COMPLAINED:
        suppress(turn, _channel(event), Stopped.COMPLAINT, event.occurred_at)
        return True
    return False


def _subscription(event: Event) -> str:
    """The browser's address as the channel takes it; empty when nothing could be sent there."""
    endpoint, keys = event.data.get("endpoint"), event.data.get("keys")
    if not isinstance(endpoint, str) or not isinstance(keys, Mapping):
        return ""
    return f'{_opening(endpoint)}, "keys": {json.dumps(dict(keys))}}}'


def _opening(endpoint: str) -> str:
    return f'{{"endpoint": {json.dumps(endpoint)}'


def _forget_browser(turn: Turn, event: Event) -> None:
    """Another browser than the one that is reached may say what it likes."""
    attributes, gone = turn.customer.attributes, event.data.get("endpoint")
    known = attributes.get(WEBPUSH)
    if known is None or (isinstance(gone, str) and not str(known).startswith(_opening(gone))):
        return
    turn.customer.attributes = {k: v for k, v in attributes.items() if k != WEBPUSH}


def _channel(event: Event) -> str:
    return str(event.data.get("channel") or "email")


def _set(turn: Turn, told: Mapping[str, object], *, overwrite: bool) -> None:
    customer = turn.customer
    changed = {
        name: value
        for name, value in told.items()
        if customer.attributes.get(name) != value
        and (overwrite or customer.attributes.get(name) is None)
    }
    if not changed:
        return
    customer.attributes = {**customer.attributes, **changed}
    # A new address has not bounced yet; a complaint stays with the person.
    fresh = {
        (channel, SuppressionScope.ADDRESS)
        for channel, facts in turn.rulebook.ruleset.channels.items()
        if facts.address_attribute in changed
    }
    customer.suppressions = customer.suppressions - fresh


def suppress(
    turn: Turn, channel: str, reason: Stopped, at: datetime, address: str | None = None
) -> None:
    """Stop the channel for this customer and for whoever has the address, as far as is due.

    Without an address, the one that the customer has now.
    """
    complained = reason is Stopped.COMPLAINT
    scope = SuppressionScope.MARKETING if complained else SuppressionScope.ADDRESS
    turn.customer.suppressions = turn.customer.suppressions | {(channel, scope)}
    turn.effects.append(
        Suppress(
            customer_id=turn.customer.id,
            channel=channel,
            address=consent.address(turn, channel) or "" if address is None else address,
            scope=scope,
            reason=reason,
            at=at,
        )
    )
