"""Parts of a workflow in a few words, as drawings and pages show them."""

from __future__ import annotations

from datetime import timedelta

from shopflow.domain.expression import Expression
from shopflow.domain.step import Send, SendMode, Wait
from shopflow.domain.trigger import (
    DateTrigger,
    EventPattern,
    EventTrigger,
    ManualTrigger,
    ScheduleTrigger,
    SegmentTrigger,
)
from shopflow.domain.workflow import Workflow
from shopflow.lang.cel import Program
from shopflow.lang.cel.parts import essence
from shopflow.lang.lengths import DAY_NAMES, written

#: Longer conditions are cut in a drawing.
LONGEST = 64


def source(expression: Expression) -> str:
    """The expression on one line."""
    return " ".join(expression.source.split())


def short(expression: Expression) -> str:
    """The expression on one line that fits into a drawing: what it asks beyond `has(…)`."""
    text = essence(expression) if isinstance(expression, Program) else expression.source
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 2].rstrip()} …"


def pattern(events: EventPattern) -> str:
    """The event types, in order."""
    return ", ".join([*sorted(events.types), *(f"{prefix}*" for prefix in events.prefixes)])


def length(workflow: Workflow, expression: Expression) -> str:
    """A length of time: what a value stands for where it is one, else how it is worked out."""
    if len(expression.reads) == 1:
        (path,) = expression.reads
        value = workflow.values.get(path[1]) if path[0] == "values" and len(path) > 1 else None
        if isinstance(value, timedelta) and source(expression) == ".".join(path):
            return written(value)
    return short(expression)


def trigger(workflow: Workflow) -> str:
    """What starts it, without conditions."""
    match workflow.trigger:
        case EventTrigger(pattern=events):
            return pattern(events)
        case SegmentTrigger(segment=segment, backfill=True):
            return f"enters segment {segment}, or is in it already"
        case SegmentTrigger(segment=segment, enters=enters):
            return f"{'enters' if enters else 'leaves'} segment {segment}"
        case DateTrigger() as dated:
            whose = "each of " + source(dated.each) if dated.each else source(dated.date)
            shift = f", {written(dated.offset)}" if dated.offset else ""
            yearly = ", every year" if dated.yearly else ""
            return f"{whose}{shift}{yearly}, at {dated.at:%H:%M}"
        case ScheduleTrigger(recurrence=recurrence):
            return f"schedule {recurrence.source}"
        case ManualTrigger():
            return "started by hand"


def conditions(workflow: Workflow) -> list[tuple[str, Expression]]:
    """What else has to hold for it to start, each after the word of its key."""
    keys = ("when", "each", "audience")
    found = [(key, getattr(workflow.trigger, key, None)) for key in keys]
    return [(key, expression) for key, expression in found if expression is not None]


def channels(step: Send) -> str:
    """Over which channels a send goes."""
    return (" and " if step.mode is SendMode.EACH_OF else ", else ").join(step.channels)


def wait(workflow: Workflow, step: Wait) -> str:
    """How long, or until when."""
    if step.length is not None:
        return f"wait {length(workflow, step.length)}"
    if step.until is not None:
        return f"until {short(step.until)}"
    days = ", ".join(DAY_NAMES[day] for day in sorted(step.days))
    return f"until {step.until_time:%H:%M}{f' ({days})' if days else ''}"
