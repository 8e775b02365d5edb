"""Moving an enrolment: from step to step until it waits or ends, and ending it."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from shopflow.domain.customer import Enrolment, StepResult
from shopflow.domain.event import Event
from shopflow.domain.expression import Expression
from shopflow.domain.ids import StepId, fraction
from shopflow.domain.journal import EndReason, Kind
from shopflow.domain.step import (
    ChangeConsent,
    Choose,
    DrawCode,
    Emit,
    Repeat,
    Send,
    SetValues,
    Split,
    Step,
    Wait,
    WaitFor,
)
from shopflow.domain.step import End as EndStep
from shopflow.domain.workflow import OnChange, Workflow
from shopflow.engine import changes, coupons, news, trials, waits
from shopflow.engine.ending import end
from shopflow.engine.moves import End, Go, Move, Stay
from shopflow.engine.names import Names, enrolment_names, holds, note_failure, seen
from shopflow.engine.outgoing import AS_IF_SENT
from shopflow.engine.sending import send
from shopflow.engine.turn import Turn
from shopflow.errors import EvaluationError


def workflow_of(turn: Turn, enrolment: Enrolment) -> Workflow | None:
    """The version that the enrolment runs on: its own, or the live one where the file says so."""
    live = turn.rulebook.current(enrolment.workflow)
    if live is not None and live.digest == enrolment.digest:
        return live
    pinned = turn.rulebook.workflow(enrolment.digest)
    if live is not None and live.in_flight.on_change is OnChange.UPGRADE:
        return live
    return pinned


def settle_version(turn: Turn, enrolment: Enrolment, at: datetime) -> Enrolment | None:
    """The enrolment on the version it now runs on; None when its step is gone and it ended."""
    workflow = workflow_of(turn, enrolment)
    if workflow is None:
        end(turn, None, enrolment, EndReason.RETIRED, at)
        return None
    if workflow.digest == enrolment.digest:
        return enrolment
    renamed = workflow.in_flight.renamed
    step = enrolment.step
    if step is not None:
        step = renamed.get(step, step)
        if step not in workflow.steps:
            end(turn, workflow, enrolment, EndReason.RETIRED, at)
            return None
    upgraded = turn.put(
        enrolment,
        digest=workflow.digest,
        version=workflow.version,
        step=step,
        results={renamed.get(name, name): result for name, result in enrolment.results.items()},
        visits={renamed.get(name, name): count for name, count in enrolment.visits.items()},
    )
    return turn.put(upgraded, awaits=news.awaited(turn, workflow, upgraded))


def start(turn: Turn, workflow: Workflow, enrolment: Enrolment) -> None:
    """Walk a new enrolment to its first wait."""
    _arrive(turn, workflow, enrolment, workflow.start)


def resume(turn: Turn, workflow: Workflow, enrolment: Enrolment, due: datetime) -> None:
    """A timer of the enrolment has come: go on from the step it waits at."""
    held = enrolment.held_since
    enrolment = turn.put(enrolment, cursor_at=due, due_at=None)
    step = workflow.steps[enrolment.step] if enrolment.step is not None else None
    if due - enrolment.entered_at > workflow.in_flight.max_age:
        end(turn, workflow, enrolment, EndReason.EXPIRED, due)
        return
    match step:
        case Wait():
            _leave(turn, workflow, enrolment, step, Go(step.next))
        case WaitFor():
            _leave(turn, workflow, enrolment, step, Go(step.otherwise, outcome="timeout"))
        case Send():
            move = send(turn, workflow, enrolment, step)
            if held is not None and not isinstance(move, Stay):
                turn.put(turn.customer.enrolments[enrolment.id], held_since=None)
            _leave(turn, workflow, turn.customer.enrolments[enrolment.id], step, move)
        case Repeat():
            move = _begin_round(turn, workflow, enrolment, step)
            _leave(turn, workflow, turn.customer.enrolments[enrolment.id], step, move)
        case _:
            _arrive(turn, workflow, enrolment, enrolment.step or workflow.start)


def meet(turn: Turn, workflow: Workflow, enrolment: Enrolment, step: WaitFor, event: Event) -> None:
    """The event that the enrolment waited for has come."""
    enrolment = turn.put(enrolment, cursor_at=max(event.occurred_at, enrolment.cursor_at))
    fields = waits.kept_fields(step, event)
    result = StepResult(outcome="matched", at=event.occurred_at, event=fields)
    enrolment = turn.put(enrolment, results={**enrolment.results, step.id: result})
    _leave(turn, workflow, enrolment, step, Go(step.then))


def _arrive(turn: Turn, workflow: Workflow, enrolment: Enrolment, step_id: StepId | None) -> None:
    """Carry out steps from here on until one waits, or the workflow is at its end."""
    move: Move = Go(step_id)
    while isinstance(move, Go) and move.to is not None:
        step = workflow.steps[move.to]
        enrolment = turn.put(_count_visit(turn, enrolment, step), step=step.id)
        move = _carry_out(turn, workflow, enrolment, step)
        enrolment = _note(turn, workflow, turn.customer.enrolments[enrolment.id], step, move)
    _settle(turn, workflow, enrolment, move)


def _leave(turn: Turn, workflow: Workflow, enrolment: Enrolment, step: Step, move: Move) -> None:
    """Go on after a step that was waiting."""
    enrolment = _note(turn, workflow, enrolment, step, move)
    if isinstance(move, Go):
        _arrive(turn, workflow, enrolment, move.to)
    else:
        _settle(turn, workflow, enrolment, move)


def _settle(turn: Turn, workflow: Workflow, enrolment: Enrolment, move: Move) -> None:
    at = enrolment.cursor_at
    match move:
        case Stay(until=until):
            turn.put(enrolment, due_at=until, awaits=news.awaited(turn, workflow, enrolment))
        case End(outcome=outcome, by=by):
            end(turn, workflow, enrolment, outcome, at, by=by)
        case Go():
            complete(turn, workflow, turn.put(enrolment, due_at=None), at)


def complete(turn: Turn, workflow: Workflow, enrolment: Enrolment, at: datetime) -> None:
    """At its end an enrolment is over, unless a message of it is on hold: exits still count."""
    if enrolment.due_at is None and not turn.on_hold(enrolment.id):
        # What it queued last goes out: reaching the end is no reason to call it back.
        end(turn, workflow, enrolment, EndReason.COMPLETED, at, cancel=False)


#: Outcomes of a send whose result says more already.
_NOTED = AS_IF_SENT | {"sent"}


def _note(
    turn: Turn, workflow: Workflow, enrolment: Enrolment, step: Step, move: Move
) -> Enrolment:
    """Remember a step's outcome where it has one; the journal tells ways that were chosen."""
    if not isinstance(move, Go) or not move.outcome:
        return enrolment
    if not (isinstance(step, Send) and move.outcome in _NOTED):
        result = StepResult(
            outcome=move.outcome,
            at=enrolment.cursor_at,
            code=move.code.code if move.code else None,
            expires_at=move.code.ends_at if move.code else None,
        )
        enrolment = turn.put(enrolment, results={**enrolment.results, step.id: result})
    if not isinstance(step, Send):
        turn.journal(
            Kind.STEP,
            enrolment.cursor_at,
            workflow,
            enrolment,
            step=step.id,
            reason=move.outcome,
            values=move.values,
        )
    return enrolment


def _count_visit(turn: Turn, enrolment: Enrolment, step: Step) -> Enrolment:
    """Tell apart what is sent, drawn or emitted in each round of a repetition."""
    if isinstance(step, Emit):
        visit = enrolment.visits.get(step.id, 0) + 1
    elif isinstance(step, Send | DrawCode) and step.id in enrolment.results:
        visit = enrolment.visits.get(step.id, 1) + 1
    else:
        return enrolment
    return turn.put(enrolment, visits={**enrolment.visits, step.id: visit})


def _carry_out(turn: Turn, workflow: Workflow, enrolment: Enrolment, step: Step) -> Move:
    at = enrolment.cursor_at
    if isinstance(step, Send):
        # Its only_if is one of the gates, with a reason of its own.
        return send(turn, workflow, enrolment, step)
    names = enrolment_names(turn, workflow, enrolment, at)
    if not holds(turn, step.only_if, names, at=at, workflow=workflow, enrolment=enrolment):
        return Go(step.next)
    try:
        return _do(turn, workflow, enrolment, step, names)
    except EvaluationError as error:
        expression = _failing(step)
        note_failure(turn, expression, error, at=at, workflow=workflow, enrolment=enrolment)
        return End(EndReason.ERROR, by=step.id)


def _do(turn: Turn, workflow: Workflow, enrolment: Enrolment, step: Step, names: Names) -> Move:
    match step:
        case Wait():
            return waits.wait(turn, enrolment, step, names)
        case WaitFor():
            return Stay(enrolment.cursor_at + waits.length(step.timeout, names))
        case Choose():
            return _choose(turn, workflow, enrolment, step, names)
        case Split():
            return _split(turn, workflow, enrolment, step, names)
        case Repeat():
            return _come_round(turn, workflow, enrolment, step, names)
        case DrawCode():
            return _draw(turn, enrolment, step)
        case SetValues() | ChangeConsent() | Emit():
            _change(turn, workflow, enrolment, step, names)
            return Go(step.next)
        case EndStep():
            return End(step.outcome, by=step.id)
        case Send():
            return send(turn, workflow, enrolment, step)
        case _:
            assert_never(step)


def _change(
    turn: Turn,
    workflow: Workflow,
    enrolment: Enrolment,
    step: SetValues | ChangeConsent | Emit,
    names: Names,
) -> None:
    match step:
        case SetValues():
            changes.set_values(turn, step, names)
        case ChangeConsent():
            changes.change_consent(turn, workflow, enrolment, step, names)
        case Emit():
            changes.emit(turn, enrolment, step, names)


def _choose(
    turn: Turn, workflow: Workflow, enrolment: Enrolment, step: Choose, names: Names
) -> Move:
    values: dict[str, object] = {}
    for branch in step.branches:
        if branch.when is not None:
            values.update(seen(branch.when, names))
        if holds(
            turn,
            branch.when,
            names,
            at=enrolment.cursor_at,
            workflow=workflow,
            enrolment=enrolment,
        ):
            return Go(branch.target, outcome=branch.name, values=values)
    return Go(step.otherwise, outcome="else", values=values)


def _split(turn: Turn, workflow: Workflow, enrolment: Enrolment, step: Split, names: Names) -> Move:
    if step.trial is not None:
        return trials.take_part(turn, workflow, enrolment, step, step.trial, names)
    place = fraction(f"{workflow.id}/{step.id}", turn.customer.id)
    for branch in step.branches:
        place -= branch.weight
        if place < 0:
            return Go(branch.target, outcome=branch.name)
    last = step.branches[-1]
    return Go(last.target, outcome=last.name)


def _draw(turn: Turn, enrolment: Enrolment, step: DrawCode) -> Move:
    now = turn.clock(enrolment.cursor_at)
    place = coupons.Place(enrolment.id, step.id, enrolment.visits.get(step.id, 1))
    drawn = coupons.draw(turn, place, step.coupon, now)
    told = {"coupon": step.coupon}
    if isinstance(drawn, coupons.Refused):
        return Go(step.otherwise, outcome=drawn.why, values=told)
    return Go(step.next, outcome="drawn", values=told, code=drawn)


def _come_round(
    turn: Turn, workflow: Workflow, enrolment: Enrolment, step: Repeat, names: Names
) -> Move:
    """At the first arrival begin a round; after each round pause, until there were enough."""
    rounds = enrolment.visits.get(step.id, 0)
    if rounds == 0:
        return _begin_round(turn, workflow, enrolment, step)
    if rounds >= step.limit:
        return _end_rounds(turn, enrolment, step)
    pause = waits.length(step.every, names)
    if not pause:
        # A timer would be due now, and miss the next event of this very instant.
        return _begin_round(turn, workflow, enrolment, step)
    return Stay(enrolment.cursor_at + pause)


def _begin_round(turn: Turn, workflow: Workflow, enrolment: Enrolment, step: Repeat) -> Move:
    at = enrolment.cursor_at
    names = enrolment_names(turn, workflow, enrolment, at)
    wanted = holds(turn, step.while_, names, at=at, workflow=workflow, enrolment=enrolment)
    if step.body is None or not wanted:
        return _end_rounds(turn, enrolment, step)
    rounds = enrolment.visits.get(step.id, 0) + 1
    turn.put(enrolment, visits={**enrolment.visits, step.id: rounds})
    return Go(step.body)


def _end_rounds(turn: Turn, enrolment: Enrolment, step: Repeat) -> Move:
    """Go on, with the count at none: a repetition around this one may come here again."""
    others = {name: count for name, count in enrolment.visits.items() if name != step.id}
    turn.put(enrolment, visits=others)
    return Go(step.next)


def _failing(step: Step) -> Expression | None:
    """The expression that a step which could not be carried out hangs on, for the journal."""
    match step:
        case Wait():
            return step.length or step.until
        case WaitFor():
            return step.timeout
        case Repeat():
            return step.every
        case Split():
            return (step.trial.per or step.trial.decide_after) if step.trial else None
        case Emit():
            return step.to or next(iter(step.data.values()), None)
        case SetValues():
            return next(iter(step.attributes.values()), None)
        case ChangeConsent():
            return step.length
        case _:
            return None
