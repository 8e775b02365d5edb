"""What one event would start, end and send for one customer, and why it would not.

It is decided by the engine, on a copy: nothing is kept and nothing leaves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from shopflow.domain.customer import Customer
from shopflow.domain.event import Event, Facts
from shopflow.domain.expression import Expression
from shopflow.domain.journal import JournalEntry, Kind, Queue
from shopflow.domain.message import Message
from shopflow.domain.trigger import EventTrigger
from shopflow.domain.workflow import Status, Workflow
from shopflow.engine import Rulebook, decide
from shopflow.engine.names import Names, event_record, trigger_names
from shopflow.engine.turn import Turn
from shopflow.errors import EvaluationError
from shopflow.gitops.pools import EndlessPools
from shopflow.gitops.verdict import Verdict, verdict_on


class Answer(StrEnum):
    """What the event does to a workflow."""

    STARTS = "starts"
    #: Its condition holds, and re-entry or cool-down forbids another enrolment.
    REFUSED = "refused"
    #: Its trigger takes the type, and a condition says no.
    NO = "no"
    #: Nobody starts it: a draft, or paused.
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """One workflow whose trigger takes events of the type, and what becomes of this one."""

    workflow: str
    answer: Answer
    #: The reason of a refusal, the status of one that is off; empty else.
    reason: str = ""
    #: Its conditions by name, as far as they were asked.
    verdicts: tuple[tuple[str, Verdict], ...] = ()


@dataclass(slots=True, kw_only=True)
class WhatIf:
    """All that the event would bring about at once."""

    prospects: list[Prospect] = field(default_factory=list)
    #: How many workflows take no event of the type.
    deaf: int = 0
    #: Decisions beside starting: exits, drops, holds, consents.
    others: list[JournalEntry] = field(default_factory=list)
    #: What would leave at once.
    messages: list[Message] = field(default_factory=list)


def what_if(rulebook: Rulebook, event: Event, customer: Customer) -> WhatIf:
    """What would come of the event."""
    facts = EndlessPools(rulebook.ruleset).facts(Facts(event_clock=True))
    at = event.occurred_at
    decision = decide(rulebook, customer, event, at=at, clock=at, facts=facts)
    entries = [each for each in decision.effects if isinstance(each, JournalEntry)]
    result = WhatIf(
        messages=[each.message for each in decision.effects if isinstance(each, Queue)],
        others=[each for each in entries if each.kind not in {Kind.ENTERED, Kind.REFUSED}],
    )
    # Traits count the event before any condition is asked.
    turn = Turn(rulebook, decision.customer, at, facts)
    for workflow in sorted(rulebook.ruleset.workflows.values(), key=lambda each: each.id):
        own = [each for each in entries if each.workflow == workflow.id]
        trigger = workflow.trigger
        if isinstance(trigger, EventTrigger) and trigger.pattern.matches(event.type):
            verdicts = tuple(_verdicts(turn, workflow, trigger, event))
            result.prospects.append(_prospect(workflow, own, verdicts))
        elif any(each.kind is Kind.ENTERED for each in own):
            # A segment that the event brings its customer into.
            result.prospects.append(_prospect(workflow, own, ()))
        else:
            result.deaf += 1
    return result


def _prospect(
    workflow: Workflow, entries: list[JournalEntry], verdicts: tuple[tuple[str, Verdict], ...]
) -> Prospect:
    refused = next((each for each in entries if each.kind is Kind.REFUSED), None)
    if workflow.status not in {Status.LIVE, Status.SHADOW}:
        answer, reason = Answer.OFF, str(workflow.status)
    elif any(each.kind is Kind.ENTERED for each in entries):
        answer, reason = Answer.STARTS, ""
    elif refused is not None:
        answer, reason = Answer.REFUSED, str(refused.reason)
    else:
        answer, reason = Answer.NO, ""
    return Prospect(workflow=workflow.id, answer=answer, reason=reason, verdicts=verdicts)


def _verdicts(
    turn: Turn, workflow: Workflow, trigger: EventTrigger, event: Event
) -> Iterator[tuple[str, Verdict]]:
    """The conditions of the trigger, up to the first that says no."""
    names = trigger_names(turn, workflow, event_record(event), event.occurred_at, None)
    if trigger.each is not None:
        # One element stands for all; the answer itself is the engine's, on each of them.
        names = {**names, "item": _first(trigger.each, names)}
    for name, condition in (("when", trigger.when), ("audience", trigger.audience)):
        if condition is not None:
            verdict = verdict_on(condition, names)
            yield name, verdict
            if not verdict.answer:
                return


def _first(each: Expression, names: Names) -> object:
    try:
        items = each.evaluate(names)
    except EvaluationError:
        return None
    return items[0] if isinstance(items, list) and items else None
