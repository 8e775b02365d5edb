"""Workflows beside each other: double sends (SF501), two offers (SF502), twins (SF503)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from itertools import product

from shopflow.domain.ids import WorkflowId
from shopflow.domain.policy import FrequencyCap, MessageClass
from shopflow.domain.step import CallWebhook, OpenTicket, Send
from shopflow.domain.trigger import EventTrigger
from shopflow.domain.workflow import Status
from shopflow.lang.compiler.ways import Stop, Way
from shopflow.lang.compiler.workflow import CompiledWorkflow
from shopflow.lang.digest import workflow_digest
from shopflow.lang.lengths import written
from shopflow.lang.lint.caps import covers, length_of_window
from shopflow.lang.lint.ranges import reader_of
from shopflow.lang.lint.subject import SendStep, Subject
from shopflow.lang.normal import Form, event_is
from shopflow.problem import Problem, Related, Severity

#: Two messages in less than this are felt as one too many.
_CLOSE = timedelta(hours=24)
#: A workflow is held against so many before it, lest a thousand of one event take for ever.
MOST_COMPARED = 50
_ASKED_FOR = frozenset({MessageClass.MARKETING, MessageClass.RELATIONSHIP})


@dataclass(frozen=True, slots=True)
class _Sure:
    """A message that everybody gets whom the workflow begins for, unless an exit comes first."""

    message: SendStep
    after: timedelta


def customers_are_written_to_once(subject: Subject) -> Iterator[Problem]:
    """No two workflows answer one event by the same channel within a day, with no cap between."""
    by_event: dict[str, list[_Writer]] = {}
    for each in filter(_is_live, subject.build.workflows):
        writer = _Writer(subject, each)
        for name in _events(subject, each) if writer.sure else ():
            by_event.setdefault(name, []).append(writer)
    told: set[str] = set()
    for name, writers in sorted(by_event.items()):
        for place, writer in enumerate(writers):
            before = writers[max(0, place - MOST_COMPARED) : place]
            found = next(_doubles(subject, before, writer, name), None)
            if found is not None and writer.path not in told:
                told.add(writer.path)
                yield found


class _Writer:
    """A live workflow that writes to whoever starts it by an event."""

    def __init__(self, subject: Subject, each: CompiledWorkflow) -> None:
        self.subject = subject
        self.each = each
        self.path = each.document.path
        self.sure = _sure(subject, each)

    @cached_property
    def began(self) -> Form:
        """When it begins."""
        return _began(self.subject, self.each)


def _is_live(each: CompiledWorkflow) -> bool:
    return each.workflow is not None and each.workflow.status is Status.LIVE and not each.partial


def _events(subject: Subject, each: CompiledWorkflow) -> tuple[str, ...]:
    trigger = each.workflow.trigger if each.workflow is not None else None
    if not isinstance(trigger, EventTrigger) or trigger.subject or trigger.each is not None:
        return ()
    return subject.build.context.event_types.names(trigger.pattern)


def _began(subject: Subject, each: CompiledWorkflow) -> Form:
    """When the workflow begins."""
    trigger = each.workflow.trigger if each.workflow is not None else None
    form = event_is(_events(subject, each))
    if not isinstance(trigger, EventTrigger):
        return form
    for use in each.uses:
        if use.program in (trigger.when, trigger.audience):
            form &= reader_of(subject, use, each).true(use.program.tree)
    return form


def _meet(one: Form, other: Form) -> bool:
    """Whether one event can begin both, as far as the normal form tells.

    What it looks at as a whole may exclude what the other asks in other words: then no.
    """
    is_known = not (_dark(one) & _roots(other)) and not (_dark(other) & _roots(one))
    return is_known and not (one & other).is_empty


def _roots(form: Form) -> set[str]:
    """The variables that it asks about, beside the type of the event."""
    terms = {term for clause in form.clauses for term in clause if term.name != "event.type"}
    return {root for term in terms for root in term.roots}


def _dark(form: Form) -> set[str]:
    """The variables of what is only looked at as a whole, or belongs to one workflow."""
    terms = {term for clause in form.clauses for term in clause}
    return {root for term in terms if not term.shown for root in term.roots}


def _sure(subject: Subject, each: CompiledWorkflow) -> list[_Sure]:
    """The messages that come on every way, and always after the same time."""
    messages = subject.messages_of.get(each.document.path, [])
    if each.workflow is None or not messages or not _events(subject, each):
        return []
    found = subject.ways(each.workflow)
    sure = []
    for message in messages:
        stops = [_stop_at(way, message.step) for way in found or ()]
        times = {(stop.earliest, stop.latest) if stop else None for stop in stops}
        place = times.pop() if len(times) == 1 else None
        if place is not None and place[0] == place[1] and message.step.only_if is None:
            sure.append(_Sure(message, place[0]))
    return sure


def _stop_at(way: Way, step: Send) -> Stop | None:
    return next((stop for stop in way if stop.step is step), None)


def _doubles(
    subject: Subject, writers: list[_Writer], other: _Writer, event: str
) -> Iterator[Problem]:
    """The messages of others that come too close to one of this workflow."""
    for writer in writers:
        for first, second in product(writer.sure, other.sure):
            if not _is_pair(first, second):
                continue
            coupons = {first.message.step.coupon, second.message.step.coupon}
            is_second_offer = len(coupons - {None}) > 1
            if not is_second_offer and _kept_apart(subject, first.message, second.message):
                continue
            if _meet(writer.began, other.began):
                yield _problem(first, second, event, "SF502" if is_second_offer else "SF501")


def _is_pair(first: _Sure, second: _Sure) -> bool:
    return (
        first.message.step.channels == second.message.step.channels
        and len(first.message.step.channels) == 1
        and abs(first.after - second.after) < _CLOSE
        and {first.message.message_class, second.message.message_class} <= _ASKED_FOR
        and not isinstance(first.message.step, OpenTicket | CallWebhook)
    )


def _kept_apart(subject: Subject, first: SendStep, second: SendStep) -> bool:
    """Whether a cap lets one of the two through in a day."""
    channel = first.step.channels[0]
    return any(
        covers(cap, first, channel)
        and covers(cap, second, channel)
        and length_of_window(cap) >= _CLOSE
        and _room(cap, first, second) <= 1
        for cap in subject.build.ruleset.caps
    )


def _room(cap: FrequencyCap, *messages: SendStep) -> int:
    least = min(message.workflow.priority for message in messages)
    return cap.limit - (cap.reserved_slots if least < cap.reserved_priority else 0)


def _problem(first: _Sure, second: _Sure, event: str, code: str) -> Problem:
    one, other = first.message, second.message
    times = f"{written(first.after)} and {written(second.after)} after {event}"
    what = "two coupons" if code == "SF502" else "twice"
    channel = one.step.channels[0]
    message = (
        f"'{one.workflow.id}' and '{other.workflow.id}' write to one customer {what} by {channel}: "
        f"{times}"
    )
    hint = "tell their triggers apart, or add a cap of one a day that counts both"
    if code == "SF502":
        hint = "tell their triggers apart, or give both the same coupon"
    place = one.each.document.location(one.node["id"])
    related = Related(
        location=place, message="the other message", excerpt=one.each.document.line(place.line)
    )
    found = other.each.document.problem(
        code, other.node["id"], message, hint=hint, severity=Severity.WARNING
    )
    return replace(found, related=related)


def no_workflow_stands_twice(subject: Subject) -> Iterator[Problem]:
    """No two workflows do the same under two names."""
    first: dict[str, CompiledWorkflow] = {}
    alike: dict[tuple[str, ...], list[CompiledWorkflow]] = {}
    for each in filter(_is_live, subject.build.workflows):
        workflow = each.workflow
        if workflow is None:
            continue
        # What differs at first sight needs no digest.
        sight = (*workflow.steps, *(use.program.source for use in each.uses))
        alike.setdefault(sight, []).append(each)
    for each in (each for group in alike.values() if len(group) > 1 for each in group):
        workflow, root = each.workflow, each.document.root
        if workflow is None or root is None:
            continue
        digest = workflow_digest(replace(workflow, id=WorkflowId("")))
        if digest in first:
            before = first[digest]
            name = before.workflow.id if before.workflow is not None else ""
            message = f"'{workflow.id}' does just what '{name}' does"
            hint = "remove one of the two, or tell them apart"
            yield each.document.problem(
                "SF503", root["id"], message, hint=hint, severity=Severity.WARNING
            )
        first.setdefault(digest, each)
