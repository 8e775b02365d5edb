"""Frequency caps: every marketing message has one (SF405), and none is in vain (SF406)."""

from __future__ import annotations

from collections.abc import Container, Iterator
from datetime import timedelta

from shopflow.domain.ids import StepId
from shopflow.domain.policy import CalendarWindow, FrequencyCap, IfCapped, MessageClass
from shopflow.domain.step import Send
from shopflow.lang.compiler.sends import channel_nodes
from shopflow.lang.compiler.ways import Stop, Way
from shopflow.lang.lengths import written
from shopflow.lang.lint.subject import SendStep, Subject
from shopflow.problem import Problem

_LENGTHS = {
    CalendarWindow.DAY: timedelta(days=1),
    CalendarWindow.WEEK: timedelta(days=7),
    CalendarWindow.MONTH: timedelta(days=30),
}


def marketing_is_capped(subject: Subject) -> Iterator[Problem]:
    """Some cap counts every marketing message that comes to somebody."""
    if any(not file.sound for file in subject.files("FrequencyCaps")):
        return
    for message in subject.messages:
        if message.message_class is not MessageClass.MARKETING:
            continue
        for node in channel_nodes(message.node["send"]):
            channel = subject.build.context.channels.get(node.text)
            # What a page shows comes to nobody.
            if channel is None or not channel.needs_address:
                continue
            if not any(covers(cap, message, node.text) for cap in subject.build.ruleset.caps):
                text = f"no cap counts marketing by {node.text} of this workflow"
                hint = "add one to policies/caps.yaml, such as three in any 7d"
                yield message.each.document.problem("SF405", node, text, hint=hint)


def covers(cap: FrequencyCap, message: SendStep, channel: str) -> bool:
    """Whether the cap counts the message by that channel."""
    return (
        message.message_class in cap.classes
        and (not cap.channels or channel in cap.channels)
        and (not cap.purposes or message.step.purpose in cap.purposes)
        and (not cap.workflows or message.workflow.id in cap.workflows)
        and (not cap.tags or bool(cap.tags & message.workflow.tags))
    )


def caps_leave_room(subject: Subject) -> Iterator[Problem]:
    """No cap lets through fewer in a longer time, for the same messages and more."""
    caps = {cap.id: cap for cap in subject.build.ruleset.caps}
    for document, root in subject.sound("FrequencyCaps"):
        for node in root["caps"].items:
            wide = caps[node["id"].text]
            for narrow in caps.values():
                if _overrules(wide, narrow):
                    message = (
                        f"'{wide.id}' lets fewer through than '{narrow.id}' does in a shorter "
                        f"time: {wide.limit} against {narrow.limit}"
                    )
                    hint = f"raise it, or take '{narrow.id}' out: it never counts"
                    yield document.problem("SF406", node["max"], message, hint=hint)


def _overrules(wide: FrequencyCap, narrow: FrequencyCap) -> bool:
    return (
        wide.limit < narrow.limit
        and length_of_window(wide) > length_of_window(narrow)
        and wide.classes >= narrow.classes
        and _includes(wide.channels, narrow.channels)
        and _includes(wide.purposes, narrow.purposes)
        and _includes(wide.workflows, narrow.workflows)
        and _includes(wide.tags, narrow.tags)
    )


def _includes(wide: frozenset[str], narrow: frozenset[str]) -> bool:
    return not wide or (bool(narrow) and wide >= narrow)


def length_of_window(cap: FrequencyCap) -> timedelta:
    """How long a window is, about."""
    return cap.window if isinstance(cap.window, timedelta) else _LENGTHS[cap.window]


def last_message_fits(subject: Subject) -> Iterator[Problem]:
    """No workflow sends so much before a message that the cap keeps that message back."""
    for messages in subject.messages_of.values():
        for cap in subject.build.ruleset.caps:
            yield from _kept_back(subject, cap, messages)


def _kept_back(subject: Subject, cap: FrequencyCap, messages: list[SendStep]) -> Iterator[Problem]:
    counted = {m.step.id: m for m in messages if _always_counted(cap, m)}
    workflow = messages[0].workflow
    room = cap.limit
    if workflow.priority < cap.reserved_priority:
        room -= cap.reserved_slots
    # Of a cap by calendar the window may end in between; what is deferred comes later.
    if cap.if_capped is IfCapped.DEFER or not isinstance(cap.window, timedelta):
        return
    if len(counted) <= room:
        return
    for message in counted.values():
        before = _least_before(subject.ways(workflow), message.step, counted.keys(), cap.window)
        if before is not None and before >= room:
            text = f"the cap '{cap.id}' has no room for this workflow: this message never leaves"
            if room > 0:
                text = (
                    f"the cap '{cap.id}' has room for {room} of this workflow in "
                    f"{written(cap.window)}, and {before} have left before this one: it never does"
                )
            hint = "send fewer, wait longer between them, or raise the cap or the priority"
            yield message.each.document.problem("SF406", message.node["id"], text, hint=hint)


def _always_counted(cap: FrequencyCap, message: SendStep) -> bool:
    """Whether the cap counts the message by whichever channel it goes."""
    channels = message.step.channels
    return bool(channels) and all(covers(cap, message, channel) for channel in channels)


def _least_before(
    found: tuple[Way, ...] | None, step: Send, counted: Container[StepId], window: timedelta
) -> int | None:
    """The fewest messages that have left within the window when the step comes; None: unknown."""
    if found is None:
        return None
    counts = [
        _before(way[:place], stop, counted, window)
        for way in found
        for place, stop in enumerate(way)
        if stop.step is step
    ]
    return min(counts, default=None)


def _before(way: Way, last: Stop, counted: Container[StepId], window: timedelta) -> int:
    return sum(
        isinstance(stop.step, Send)
        and stop.step.only_if is None
        and stop.step.id in counted
        and stop.latest is not None
        and last.latest is not None
        and last.latest - stop.latest < window
        for stop in way
    )
