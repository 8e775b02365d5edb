"""Leaving a workflow: exit rules, withdrawn consent, and exits that overtook their trigger."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from shopflow.domain.codec_making import maker
from shopflow.domain.customer import ConsentState, Enrolment, RecentEvent
from shopflow.domain.event import Event
from shopflow.domain.ids import CustomerId
from shopflow.domain.journal import EndReason
from shopflow.domain.policy import MessageClass
from shopflow.domain.workflow import Exit, Workflow
from shopflow.engine import gates
from shopflow.engine.ending import end
from shopflow.engine.names import enrolment_names, seen
from shopflow.engine.turn import Turn
from shopflow.engine.waits import is_met

_recent = maker(RecentEvent)

#: Exit events are kept this long, and this many, to meet triggers that come late.
RECENT_LIFE = timedelta(hours=48)
RECENT_EVENTS = 32


def on_event(turn: Turn, workflow: Workflow, enrolment: Enrolment, event: Event) -> bool:
    """True when the event ended the enrolment; one from before its trigger cannot."""
    if event.occurred_at < enrolment.entered_at:
        return False
    rule = _fitting(turn, workflow, enrolment, event)
    if rule is None:
        return False
    at = max(event.occurred_at, enrolment.cursor_at)
    names = enrolment_names(turn, workflow, enrolment, event.occurred_at, event=event)
    values = seen(rule.when, names) if rule.when is not None else None
    end(turn, workflow, enrolment, rule.outcome, at, by=rule.id, event=event, values=values)
    return True


def _fitting(turn: Turn, workflow: Workflow, enrolment: Enrolment, event: Event) -> Exit | None:
    for rule in workflow.exits:
        if is_met(turn, workflow, enrolment, rule, event):
            return rule
    return None


def on_condition(turn: Turn, workflow: Workflow, enrolment: Enrolment, at: datetime) -> bool:
    """True when an exit rule without an event ended the enrolment."""
    if not turn.rulebook.ends_by_itself(workflow):
        return False
    names = enrolment_names(turn, workflow, enrolment, at)
    rule = gates.exited(turn, workflow, enrolment, names, at)
    if rule is None:
        return False
    values = seen(rule.when, names) if rule.when is not None else None
    end(turn, workflow, enrolment, rule.outcome, at, by=rule.id, values=values)
    return True


#: States after which a purpose is over on a channel.
_OVER = frozenset({ConsentState.WITHDRAWN, ConsentState.DENIED, ConsentState.SUNSET})


def on_consent(turn: Turn, workflow: Workflow, enrolment: Enrolment, at: datetime) -> bool:
    """True when all that is left to send was withdrawn on every channel it could use."""
    left = turn.rulebook.sends_from(workflow, enrolment.step)
    if not left:
        return False
    consents, purposes = turn.customer.consents, turn.rulebook.ruleset.purposes
    for step in left:
        purpose = purposes.get(step.purpose)
        if purpose is None or purpose.message_class in _NEEDS_NONE:
            return False
        for channel in step.channels:
            entry = consents.get((channel, step.purpose))
            if entry is None or entry.state not in _OVER:
                return False
    end(turn, workflow, enrolment, EndReason.CONSENT_WITHDRAWN, at)
    return True


_NEEDS_NONE = frozenset({MessageClass.SERVICE, MessageClass.INTERNAL})


def remember(turn: Turn, event: Event) -> None:
    """Keep an event of an exit's type, with the fields that exits read, for late triggers."""
    fields = turn.rulebook.interest(event.type).exit_fields
    if fields is None:
        return
    kept = _recent(
        id=event.id,
        type=event.type,
        occurred_at=event.occurred_at,
        data={name: value for name, value in event.data.items() if name in fields},
    )
    recent = sorted((*turn.customer.recent, kept), key=lambda known: known.occurred_at)
    horizon = recent[-1].occurred_at - RECENT_LIFE
    turn.customer.recent = tuple([r for r in recent if r.occurred_at >= horizon][-RECENT_EVENTS:])


def left_already(
    turn: Turn, workflow: Workflow, enrolment: Enrolment, recent: Iterable[RecentEvent]
) -> bool:
    """True when an exit from after the trigger was seen before it, and so ended the enrolment."""
    for known in recent:
        if known.occurred_at > enrolment.entered_at and on_event(
            turn, workflow, enrolment, _as_event(known, turn.customer.id)
        ):
            return True
    return False


def _as_event(recent: RecentEvent, customer: CustomerId) -> Event:
    return Event(
        id=recent.id,
        type=recent.type,
        occurred_at=recent.occurred_at,
        data=recent.data,
        customer_id=customer,
    )
