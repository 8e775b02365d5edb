"""Who is in the segments that workflows start on: where it began, what has changed, who starts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from shopflow.domain.ids import EventId, is_subject
from shopflow.domain.trigger import SegmentTrigger
from shopflow.domain.workflow import Workflow
from shopflow.engine import entry
from shopflow.engine.names import customer_names, holds, trigger_names, truth_of
from shopflow.engine.rulebook import Rulebook
from shopflow.engine.turn import Turn
from shopflow.errors import EvaluationError


def begin(turn: Turn, at: datetime) -> list[entry.Entered]:
    """Write down who is in what is watched anew, and enrol where a rule asks for existing members.

    Nobody enters or leaves by it. Somebody who is new was in nothing before.
    """
    rulebook, customer = turn.rulebook, turn.customer
    begun, beginnings = customer.begun, rulebook.beginnings
    if begun == beginnings.everything or is_subject(customer.id):
        return []
    # What is no longer watched begins again if it comes back; a pause does not.
    wanted = beginnings.everything | (begun & beginnings.asking)
    if wanted == begun:
        return []
    customer.begun = wanted
    if turn.is_new:
        return []
    fresh = {name for name, mark in beginnings.segments.items() if mark not in begun}
    before = customer.segments
    known = (before - fresh) & beginnings.segments.keys()
    customer.segments = known | (members(turn, at) & fresh if fresh else frozenset())
    found: list[entry.Entered] = []
    for workflow, trigger in _triggers(rulebook):
        backfill = beginnings.backfills.get(workflow.id)
        if backfill is None or trigger.segment not in customer.segments:
            continue
        # Who was in it by another definition, with the rule there, is no news.
        if backfill.mark not in begun or trigger.segment in fresh - before:
            found += _entered(turn, workflow, trigger, at, EventId(f"backfill@{at.isoformat()}"))
    return found


def waits_to_begin(turn: Turn, at: datetime) -> bool:
    """True when the customer has to be told that something is watched anew.

    Time alone may change who is in a timed segment, so where that began cannot be left until the
    next input. The draft is used up by it.
    """
    beginnings = turn.rulebook.beginnings
    missing = beginnings.everything - turn.customer.begun
    return bool(missing) and (not missing.isdisjoint(beginnings.timed) or bool(begin(turn, at)))


def changes(turn: Turn, at: datetime) -> tuple[frozenset[str], frozenset[str]]:
    """The watched segments that the customer has just entered, and those just left."""
    rulebook, customer = turn.rulebook, turn.customer
    if not rulebook.watched_segments or customer.are_segments_by(
        rulebook.segments_digest, rulebook.segment_reads
    ):
        return frozenset(), frozenset()
    before, after = customer.segments, members(turn, at)
    if after != before:
        customer.segments = after
    customer.know_segments(rulebook.segments_digest)
    return after - before, before - after


def members(turn: Turn, at: datetime) -> frozenset[str]:
    """The watched segments that the customer is in."""
    names = customer_names(turn, at)
    inside = set()
    for segment in turn.rulebook.watched_segments:
        try:
            if truth_of(segment.when, names):
                inside.add(segment.name)
        except EvaluationError:
            # A trait that is not there yet: not a member.
            continue
    return frozenset(inside)


def started(
    turn: Turn,
    entered: frozenset[str],
    left: frozenset[str],
    at: datetime,
    cause: EventId,
) -> list[entry.Entered]:
    """Enrol where a workflow starts on entering or leaving a segment."""
    found: list[entry.Entered] = []
    if not entered and not left:
        return found
    for workflow, trigger in _triggers(turn.rulebook):
        if trigger.segment in (entered if trigger.enters else left):
            found += _entered(turn, workflow, trigger, at, cause)
    return found


def _triggers(rulebook: Rulebook) -> Iterator[tuple[Workflow, SegmentTrigger]]:
    for workflow in rulebook.segment_triggers:
        trigger = workflow.trigger
        assert isinstance(trigger, SegmentTrigger)  # noqa: S101 - the rulebook sorted them
        yield workflow, trigger


def _entered(
    turn: Turn, workflow: Workflow, trigger: SegmentTrigger, at: datetime, cause: EventId
) -> list[entry.Entered]:
    bound = trigger_names(turn, workflow, {}, at, None)
    if not holds(turn, trigger.when, bound, at=at, workflow=workflow):
        return []
    enrolment = entry.enter(turn, workflow, bound, {}, at, cause=cause)
    return [] if enrolment is None else [(workflow, enrolment)]
