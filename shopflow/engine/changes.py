"""Steps that change something: attributes and tags, consent, and events of our own."""

from __future__ import annotations

from datetime import datetime

from shopflow.domain.customer import Consent, ConsentState, Enrolment
from shopflow.domain.event import Event
from shopflow.domain.ids import CustomerId, EventId, derive
from shopflow.domain.journal import Tell
from shopflow.domain.step import ChangeConsent, ConsentChange, Emit, SetValues
from shopflow.domain.workflow import Workflow
from shopflow.engine import consent, preferences, waits
from shopflow.engine.names import Names, plain
from shopflow.engine.turn import Turn
from shopflow.errors import EvaluationError


def set_values(turn: Turn, step: SetValues, names: Names) -> None:
    """Set attributes and tags; all of them or, when one cannot be worked out, none."""
    values = {name: plain(value.evaluate(names)) for name, value in step.attributes.items()}
    customer = turn.customer
    if values:
        customer.attributes = {**customer.attributes, **values}
    if step.add_tags or step.remove_tags:
        customer.tags = (customer.tags | set(step.add_tags)) - set(step.remove_tags)


def change_consent(
    turn: Turn, workflow: Workflow, enrolment: Enrolment, step: ChangeConsent, names: Names
) -> None:
    """Pause, sunset or lapse what the step names; what was never given stays as it is."""
    at = enrolment.cursor_at
    until = at + waits.length(step.length, names) if step.length is not None else None
    for channel, purpose in sorted({*preferences.named(turn, step.channel, step.purpose)}):
        current = turn.customer.consents.get((channel, purpose))
        current = current or preferences.presumed(turn, purpose, at)
        changed = _changed(step.state, current, at, until)
        if changed is not None:
            consent.record(
                turn, channel, purpose, changed, source=f"workflow {workflow.id}/{step.id}"
            )


def _changed(
    state: ConsentChange, current: Consent | None, at: datetime, until: datetime | None
) -> Consent | None:
    if current is None:
        return None
    match state:
        case ConsentChange.PAUSED:
            return consent.paused(current, at, until)
        case ConsentChange.SUNSET:
            if current.state in (ConsentState.GRANTED, ConsentState.PAUSED):
                return Consent(state=ConsentState.SUNSET, at=at, basis=current.basis)
        case ConsentChange.LAPSED:
            if current.state is ConsentState.PENDING:
                return Consent(state=ConsentState.LAPSED, at=at, basis=current.basis)
    return None


def emit(turn: Turn, enrolment: Enrolment, step: Emit, names: Names) -> None:
    """Emit an event: to this customer within the same decision, to another through the inbox."""
    data = {name: plain(value.evaluate(names)) for name, value in step.data.items()}
    to = turn.customer.id
    if step.to is not None:
        named = step.to.evaluate(names)
        if not isinstance(named, str) or not named:
            raise EvaluationError("`to` must name a customer")
        to = CustomerId(named)
    visit = enrolment.visits.get(step.id, 1)
    event = Event(
        id=EventId(derive("emit", enrolment.id, step.id, visit)),
        type=step.event_type,
        occurred_at=enrolment.cursor_at,
        data=data,
        customer_id=to,
        hops=turn.hops + 1,
    )
    if to == turn.customer.id:
        turn.pending.append(event)
    else:
        turn.effects.append(Tell(to=to, input=event))
