"""What both stores know of the outbox: the order of leases, what a pause covers, who may settle."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from shopflow.domain.event import Event, Outcome
from shopflow.domain.message import Message
from shopflow.domain.policy import MessageClass
from shopflow.store.records import DeliveryState

#: The state of a message after a word about its attempt.
AFTER: Mapping[Outcome, DeliveryState] = {
    Outcome.ACCEPTED: DeliveryState.SENT,
    Outcome.FAILED: DeliveryState.FAILED,
    Outcome.UNCERTAIN: DeliveryState.UNCERTAIN,
    Outcome.RETURNED: DeliveryState.RETURNED,
    Outcome.DROPPED: DeliveryState.DROPPED,
}
#: States in which one owner holds the message.
IN_HAND = frozenset({DeliveryState.LEASED, DeliveryState.ATTEMPTED})
#: States that an acceptance ends, whoever brings it: the message has left.
OPEN = IN_HAND | {DeliveryState.QUEUED, DeliveryState.UNCERTAIN, DeliveryState.RETURNED}
#: States in which a cancel still comes in time.
CANCELLABLE = frozenset({DeliveryState.QUEUED, DeliveryState.RETURNED})
#: The classes that the pause `marketing` covers.
MARKETING = frozenset({MessageClass.MARKETING, MessageClass.RELATIONSHIP})

#: Above every priority, so that a class comes before it.
_CLASS_STEP = 1_000


def rank(message: Message) -> int:
    """The place in the outbox, lowest first: service before all, then the higher priority."""
    behind = 0 if message.message_class is MessageClass.SERVICE else _CLASS_STEP
    return behind - message.priority


def covered(message: Message, scopes: Collection[str]) -> bool:
    """True when a pause of one of these scopes holds the message back."""
    return bool(scopes) and (
        "all" in scopes
        or ("marketing" in scopes and message.message_class in MARKETING)
        or f"channel:{message.channel}" in scopes
        or f"workflow:{message.workflow}" in scopes
    )


def came_in(stream: str | None, event: Event | None) -> bool:
    """True when what is set aside was an input of the stream, not something shopflow emitted."""
    return stream is not None and (event is None or event.hops == 0)
