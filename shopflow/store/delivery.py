"""What both stores know of the outbox: the order of leases, what a pause covers, who may settle."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from shopflow.domain.event import Event, Outcome
from shopflow.domain.ids import CustomerId, WorkflowId
from shopflow.domain.journal import JournalEntry, Kind
from shopflow.domain.message import Message
from shopflow.domain.policy import MessageClass
from shopflow.store.records import DeliveryState, Pace, Pause, Source

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
#: States in which a cancel still comes in time. Whoever has leased the message learns of it when
#: the attempt is to begin, which is then refused.
CANCELLABLE = frozenset({DeliveryState.QUEUED, DeliveryState.LEASED, DeliveryState.RETURNED})
#: States in which the receiver has had its say: what breakers look at.
ENDED = frozenset({DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.FAILED})
#: The classes that the pause `marketing` covers.
MARKETING = frozenset({MessageClass.MARKETING, MessageClass.RELATIONSHIP})

#: The last place of each class in the outbox; further apart than priorities reach.
_PLACES: Mapping[MessageClass, int] = {
    MessageClass.SERVICE: 0,
    MessageClass.INTERNAL: 200,
    MessageClass.TRACKING: 400,
    MessageClass.RELATIONSHIP: 600,
    MessageClass.MARKETING: 1_000,
}
_PRIORITIES = 100

#: Hours back that a workflow's busiest one is looked for in: 30 days.
HOURS_KEPT = 30 * 24

#: Whose the journal's lines are that are about no customer.
NOBODY = CustomerId("")

#: Why a message that has been given a turn of its own is back in the outbox.
TURN = "turn"


def rank(message: Message) -> int:
    """The place in the outbox, lowest first: service before all, then the higher priority."""
    return _PLACES[message.message_class] - message.priority


def ranks(classes: Collection[MessageClass]) -> list[tuple[int, int]]:
    """The places of these classes, first and last of each stretch, lowest first."""
    stretches: list[tuple[int, int]] = []
    for one, last in _PLACES.items():
        if one not in classes:
            continue
        first = last - _PRIORITIES
        if stretches and not any(stretches[-1][1] < place < first for place in _PLACES.values()):
            first = stretches.pop()[0]
        stretches.append((first, last))
    return stretches


def turns(pace: Pace, next_at: datetime, now: datetime, limit: int) -> list[datetime]:
    """At most so many turns of the pace, not too far ahead; `next_at` is the first one left."""
    first = max(now, next_at)
    left = (now + pace.ahead - first) // pace.distance + 1 if pace.distance else limit
    return [first + number * pace.distance for number in range(min(limit, max(left, 0)))]


def hour_of(at: datetime) -> int:
    """The hour of an instant, counted from 1970."""
    return int(at.timestamp() // 3600)


def covered(message: Message, scopes: Collection[str]) -> bool:
    """True when a pause of one of these scopes holds the message back."""
    return bool(scopes) and (
        "all" in scopes
        or ("marketing" in scopes and message.message_class in MARKETING)
        or f"channel:{message.channel}" in scopes
        or f"workflow:{message.workflow}" in scopes
    )


def pause_entry(pause: Pause) -> JournalEntry:
    """The journal's line that a kill switch is on."""
    values = {"scope": pause.scope, "reason": pause.reason}
    return _switched(Kind.PAUSED, pause.at, pause.source, values)


def resume_entry(scope: str, at: datetime, reason: str) -> JournalEntry:
    """The journal's line that a kill switch is off."""
    return _switched(Kind.RESUMED, at, Source.PERSON, {"scope": scope, "reason": reason})


def _switched(kind: Kind, at: datetime, by: Source, values: dict[str, str]) -> JournalEntry:
    scope = values["scope"]
    workflow = scope.removeprefix("workflow:") if scope.startswith("workflow:") else None
    return JournalEntry(
        at=at,
        customer_id=NOBODY,
        kind=kind,
        workflow=WorkflowId(workflow) if workflow else None,
        reason=by.value,
        values=values,
    )


def came_in(stream: str | None, event: Event | None) -> bool:
    """True when what is set aside was an input of the stream, not something shopflow emitted."""
    return stream is not None and (event is None or event.hops == 0)
