"""A page of the workflows: what each does, when, to whom and how often, with its drawing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import PurePosixPath

from shopflow.domain.policy import Purpose
from shopflow.domain.workflow import Goal, Reentry, Since, Workflow
from shopflow.gitops.graph import words
from shopflow.gitops.graph.dependencies import caps_of, sends
from shopflow.gitops.graph.flow import flow
from shopflow.gitops.graph.mermaid import mermaid
from shopflow.lang.document import Document
from shopflow.lang.lengths import written
from shopflow.rulebook import LoadedProject

_REENTRY = {
    Reentry.RESTART: "another start begins anew, until the first message has left",
    Reentry.IGNORE: "another start meanwhile changes nothing",
    Reentry.PARALLEL: "another start meanwhile runs beside it",
    Reentry.ONCE: "once and never again",
}


def page(loaded: LoadedProject, workflows: Iterable[Workflow]) -> str:
    """The page, by area; the title is left to whoever shows it."""
    areas: dict[str, list[Workflow]] = {}
    for workflow in workflows:
        areas.setdefault(_area(loaded.workflows[workflow.id]), []).append(workflow)
    parts = []
    for area, members in sorted(areas.items()):
        parts.append(f"## {area}\n")
        parts += ["\n".join(_section(loaded, workflow)) for workflow in members]
    return "\n".join(parts)


def _area(document: Document) -> str:
    return PurePosixPath(document.path).parent.name


def _section(loaded: LoadedProject, workflow: Workflow) -> Iterator[str]:
    yield f"### {workflow.id}\n"
    yield from _told(workflow, loaded.workflows[workflow.id])
    yield ""
    yield "| | |"
    yield "|---|---|"
    for name, text in _facts(loaded, workflow):
        yield f"| {name} | {text} |"
    yield ""
    yield f"```mermaid\n{mermaid(flow([workflow]))}```\n"


def _told(workflow: Workflow, document: Document) -> Iterator[str]:
    """The title, and what the file says of itself at its head, a sentence a line."""
    comments = []
    for line in document.text.splitlines():
        if not line.startswith("#"):
            break
        if "yaml-language-server" not in line:
            comments.append(line.removeprefix("#").strip())
    yield f"**{workflow.title}.**"
    yield from re.split(r"(?<=[.!?]) (?=[A-Z0-9])", " ".join(comments)) if comments else ()


def _facts(loaded: LoadedProject, workflow: Workflow) -> Iterator[tuple[str, str]]:
    ruleset = loaded.ruleset
    yield "starts on", _started(workflow)
    yield "starts again", _again(workflow)
    for step in sends(workflow):
        purpose = "" if step.purpose == workflow.purpose else f", as {step.purpose}"
        only = f", only if {_code(words.source(step.only_if))}" if step.only_if is not None else ""
        template = f", `{step.template}`" if step.template else ""
        coupon = f", with a code of `{step.coupon}`" if step.coupon is not None else ""
        yield "sends", f"`{step.id}`: {words.channels(step)}{template}{coupon}{purpose}{only}"
    for rule in workflow.exits:
        seen = f" on {_types(words.pattern(rule.pattern))}" if rule.pattern is not None else ""
        when = f" when {_code(words.source(rule.when))}" if rule.when is not None else ""
        yield "leaves", f"`{rule.id}`{seen}{when}: {rule.outcome}"
    if workflow.goal is not None:
        yield "goal", _goal(workflow.goal)
    yield "purpose", _purposes(loaded, workflow)
    yield "caps", ", ".join(f"`{cap}`" for cap in caps_of(ruleset, workflow)) or "none"
    held = f"; {workflow.holdout:.0%} held out" if workflow.holdout else ""
    yield "priority", f"{workflow.priority}{held}"
    if workflow.values:
        told = [f"`{name}` {_value(value)}" for name, value in workflow.values.items()]
        yield "values", ", ".join(told)
    yield "owner", workflow.owner
    if workflow.tags:
        yield "tags", ", ".join(sorted(workflow.tags))


def _started(workflow: Workflow) -> str:
    conditions = [
        f"{key} {_code(words.source(expression))}" for key, expression in words.conditions(workflow)
    ]
    return ", ".join([_types(words.trigger(workflow)), *conditions])


def _again(workflow: Workflow) -> str:
    key = f"one for each {_code(words.source(workflow.key))}; " if workflow.key is not None else ""
    rest = ""
    if workflow.cooldown:
        whose = "of that key" if workflow.cooldown_per_key else "to the customer"
        rest = f"; not within {written(workflow.cooldown)} of its last message {whose}"
    return f"{key}{_REENTRY[workflow.reentry]}{rest}"


def _goal(goal: Goal) -> str:
    since = "the last message" if goal.since is Since.LAST_SEND else "the start"
    when = f" when {_code(words.source(goal.when))}" if goal.when is not None else ""
    return f"{_types(words.pattern(goal.pattern))}{when} within {written(goal.within)} of {since}"


def _purposes(loaded: LoadedProject, workflow: Workflow) -> str:
    named = dict.fromkeys(step.purpose for step in sends(workflow)) or {workflow.purpose: None}
    known = {name: loaded.ruleset.purposes.get(name) for name in named}
    return ", ".join(f"{name} ({_class(purpose)})" for name, purpose in known.items())


def _class(purpose: Purpose | None) -> str:
    return purpose.message_class.value if purpose is not None else "unknown"


def _types(text: str) -> str:
    return ", ".join(f"`{each}`" for each in text.split(", ")) if "." in text else text


def _code(text: str) -> str:
    """Code inside a table, whose cells end at a bar."""
    return f"`{text}`".replace("|", "\\|")


def _value(value: object) -> str:
    if isinstance(value, timedelta):
        return written(value)
    return str(value).replace("|", "\\|")
