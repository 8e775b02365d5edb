"""Ending an enrolment, and calling back what it had queued."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from shopflow.domain.customer import Enrolment, SlotState
from shopflow.domain.event import Event
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
    """End the enrolment; what it has queued and not yet sent is called back and frees its slot."""
    turn.customer.enrolments.pop(enrolment.id, None)
    told = {**(values or {}), **({"by": by} if by else {})}
    turn.journal(Kind.EXITED, at, workflow, enrolment, reason=outcome, event=event, values=told)
    if cancel:
        call_back(turn, enrolment)
    coupons.settle_enrolment(turn, enrolment, at)


def call_back(turn: Turn, enrolment: Enrolment) -> None:
    """Cancel the enrolment's messages that have no receipt yet."""
    waiting = [
        record
        for record in turn.customer.sent
        if record.enrolment_id == enrolment.id and record.state is not SlotState.ACCEPTED
    ]
    if not waiting:
        return
    turn.effects.extend(
        Cancel(message_id=record.message_id, reason=Reason.EXITED, draws=record.draws)
        for record in waiting
    )
    turn.customer.sent = tuple(r for r in turn.customer.sent if r not in waiting)
    coupons.forget(turn, {key for record in waiting for key in record.draws})
