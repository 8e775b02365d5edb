"""Ending an enrolment, and calling back what it had queued."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from shopflow.domain.customer import Enrolment, SlotState
from shopflow.domain.event import Event
from shopflow.domain.ids import DrawId
from shopflow.domain.journal import Cancel, Kind, Reason
from shopflow.domain.workflow import Workflow
from shopflow.engine import coupons
from shopflow.engine.turn import Turn


def end(
    turn: Turn,
    workflow: Workflow | None,
    enrolment: Enrolment,
    outcome: str,
    at: datetime,
    *,
    by: str = "",
    event: Event | None = None,
    values: Mapping[str, object] | None = None,
    cancel: bool = True,
) -> None:
    """End the enrolment; what it has queued and not yet sent is called back."""
    turn.customer.enrolments.pop(enrolment.id, None)
    told = {**(values or {}), **({"by": by} if by else {})}
    turn.journal(Kind.EXITED, at, workflow, enrolment, reason=outcome, event=event, values=told)
    if cancel:
        call_back(turn, Reason.EXITED, enrolment)
    coupons.settle_enrolment(turn, enrolment, at)


def call_back(turn: Turn, reason: str, enrolment: Enrolment | None = None) -> None:
    """Cancel the messages, all or one enrolment's, that have no receipt yet.

    Whether one of them had begun to leave is for the store to say, so its slot stays taken until
    word comes: no cap is exceeded by a message that could not be stopped.
    """
    kept, forgotten = [], set[DrawId]()
    for record in turn.customer.sent:
        ours = enrolment is None or record.enrolment_id == enrolment.id
        if ours and record.state is SlotState.RESERVED:
            turn.effects.append(Cancel(message_id=record.message_id, reason=reason, tell=True))
            kept.append(replace(record, state=SlotState.CALLED))
        elif ours and record.state is SlotState.HELD:
            draws = record.draws
            turn.effects.append(Cancel(message_id=record.message_id, reason=reason, draws=draws))
            forgotten.update(draws)
        else:
            kept.append(record)
    turn.customer.sent = tuple(kept)
    coupons.forget(turn, forgotten)
