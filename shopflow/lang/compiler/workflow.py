"""A workflow document compiled to the domain's workflow, with its problems and its expressions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from shopflow.domain.expression import Expression
from shopflow.domain.ids import StepId, WorkflowId
from shopflow.domain.step import Step, WaitFor
from shopflow.domain.workflow import (
    Exit,
    Goal,
    InFlight,
    OnChange,
    Reentry,
    Since,
    Status,
    Workflow,
)
from shopflow.lang.cel.types import Type
from shopflow.lang.compiler.context import Context
from shopflow.lang.compiler.let import compile_let
from shopflow.lang.compiler.longest import longest_path
from shopflow.lang.compiler.path import Passed
from shopflow.lang.compiler.setting import Setting
from shopflow.lang.compiler.shape import every_step
from shopflow.lang.compiler.source import Source, Use
from shopflow.lang.compiler.steps import StepCompiler
from shopflow.lang.compiler.triggers import CompiledTrigger, compile_trigger
from shopflow.lang.compiler.typed import having
from shopflow.lang.digest import workflow_digest
from shopflow.lang.document import Document
from shopflow.lang.lengths import parse_length, parse_share
from shopflow.lang.tree import Node
from shopflow.problem import Problem

#: How an enrolment ended by an exit rule that names no outcome.
EXITED = "exited"
MAX_AGE = timedelta(days=400)
#: Names of the envelope, which an enrolment has without keeping the payload's fields.
_ENVELOPE = frozenset({"id", "type", "occurred_at"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledWorkflow:
    """A workflow and what lint wants to know of its making; no workflow where it has none."""

    document: Document
    workflow: Workflow | None
    problems: list[Problem] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    #: A part of the file was left out.
    partial: bool = False


def compile_document(
    document: Document, root: Node, context: Context, *, partial: bool = False
) -> CompiledWorkflow:
    """The workflow of a document that its schema accepts; `partial` when a part was left out."""
    source = Source(document, context.catalogue, partial=partial)
    workflow = _compile(source, root, context)
    return CompiledWorkflow(
        document=document,
        workflow=workflow,
        problems=source.problems,
        uses=source.uses,
        partial=partial,
    )


def _compile(source: Source, root: Node, context: Context) -> Workflow | None:
    setting = Setting(source=source, context=context, values=_values(root.get("values")))
    setting.purpose = root["purpose"].text
    setting.check_purpose(root["purpose"])
    nodes = every_step(root["steps"])
    setting.unique("step", [node["id"] for node in nodes])
    setting.gathers = any(_gathers(node) for node in nodes)
    trigger_node = root["trigger"]
    trigger = compile_trigger(setting, trigger_node)
    if trigger is None:
        return None
    setting.trigger, setting.item = trigger.payload, trigger.item
    let = compile_let(setting, root.get("let"), root["steps"])
    steps = StepCompiler(setting)
    start, passed = steps.sequence(root["steps"].items, None, Passed())
    workflow = Workflow(
        id=WorkflowId(root["id"].text),
        version=_whole(root.get("version"), 1),
        digest="",
        title=root["title"].text if "title" in root else root["id"].text,
        owner=root["owner"].text if "owner" in root else "",
        status=Status(root["status"].text),
        purpose=setting.purpose,
        trigger=trigger.trigger,
        steps=steps.steps,
        start=start,
        in_flight=_in_flight(source, root.get("in_flight"), steps.steps, start, setting.values),
        priority=_whole(root.get("priority"), 50),
        tags=frozenset(item.text for item in root["tags"].items) if "tags" in root else frozenset(),
        holdout=_share(root.get("holdout")),
        max_per_hour=_whole(root["max_per_hour"], 0) if "max_per_hour" in root else None,
        values=setting.values,
        let=let,
        key=source.optional_cel(trigger_node, "key", trigger.scope.wanting("key")),
        reentry=_reentry(trigger_node),
        cooldown=source.length(trigger_node.get("cooldown")),
        cooldown_per_key="cooldown_per" in trigger_node
        and trigger_node["cooldown_per"].text == "key",
        exits=_exits(setting, root.get("exit_on"), passed),
        goal=_goal(setting, root.get("goal"), passed),
    )
    return _finished(workflow, source.uses, trigger)


def _finished(workflow: Workflow, uses: Iterable[Use], trigger: CompiledTrigger) -> Workflow:
    """The workflow with what follows from all its expressions: fields to keep, and the digest."""
    del trigger
    later = [use.program.reads for use in uses if "trigger" in use.scope.names]
    fields = _fields_read(path for reads in later for path in reads)
    steps = {name: _keeping(step, later) for name, step in workflow.steps.items()}
    workflow = replace(workflow, trigger_fields=fields, steps=steps)
    return replace(workflow, digest=workflow_digest(workflow))


def _fields_read(paths: Iterable[tuple[str, ...]]) -> frozenset[str] | None:
    """Payload fields of the trigger that are read; None when it is read as a whole."""
    fields = set()
    for path in paths:
        if path[0] == "gathered" or path == ("trigger",):
            return None
        if path[0] == "trigger":
            fields.add(path[1])
    return frozenset(fields) - _ENVELOPE


def _keeping(step: Step, later: list[frozenset[tuple[str, ...]]]) -> Step:
    """A wait_for that keeps only those fields of its event that are read afterwards."""
    if not isinstance(step, WaitFor):
        return step
    fields = set()
    for path in (path for reads in later for path in reads if path[0] == "steps"):
        # ("steps",), ("steps", id) and ("steps", id, "event") each read all of it.
        if len(path) < 2 or path[1] == step.id:  # noqa: PLR2004
            if len(path) >= 4:  # noqa: PLR2004
                if path[2] == "event":
                    fields.add(path[3])
            elif len(path) < 3 or path[2] == "event":  # noqa: PLR2004
                return step
    return replace(step, keep=frozenset(fields))


def _values(node: Node | None) -> Mapping[str, object]:
    if node is None:
        return {}
    return {name: _value(each) for name, each in node.pairs()}


def _value(node: Node) -> object:
    if isinstance(node.data, str):
        length = parse_length(node.text)
        return node.text if length is None else length
    return node.data


def _gathers(node: Node) -> bool:
    wait = node.get("wait")
    return wait is not None and "gather" in wait


def _exits(setting: Setting, node: Node | None, passed: Passed) -> tuple[Exit, ...]:
    if node is None:
        return ()
    setting.unique("exit", [item["id"] for item in node.items])
    exits = []
    for item in node.items:
        scope = setting.step_scope(_anywhere(passed), "an exit").wanting("bool")
        pattern, match = None, dict[str, Expression]()
        if "event" in item:
            pattern = setting.source.pattern(item["event"])
            event = setting.context.event_types.event(pattern)
            match = setting.match(item.get("match"), scope.wanting(""), event)
            there = ((name,) for name in match)
            scope = scope.having(event=having(event, there))
        exits.append(
            Exit(
                id=item["id"].text,
                pattern=pattern,
                match=match,
                when=setting.source.optional_cel(item, "when", scope),
                outcome=item["outcome"].text if "outcome" in item else EXITED,
            )
        )
    return tuple(exits)


def _anywhere(passed: Passed) -> Passed:
    """What is known of the way when a place is not: any step may have been passed."""
    return replace(passed, certain=frozenset(), met={})


def _goal(setting: Setting, node: Node | None, passed: Passed) -> Goal | None:
    if node is None:
        return None
    source = setting.source
    pattern = source.pattern(node["event"])
    event: Type = setting.context.event_types.event(pattern)
    scope = setting.step_scope(_anywhere(passed), "the goal").having(event=event)
    value: Expression | None = source.optional_cel(node, "value", scope.lenient())
    return Goal(
        pattern=pattern,
        when=source.optional_cel(node, "when", scope.wanting("bool")),
        within=source.length(node["within"]),
        since=Since(node["since"].text) if "since" in node else Since.LAST_SEND,
        value=value,
    )


def _in_flight(
    source: Source,
    node: Node | None,
    steps: Mapping[StepId, Step],
    start: StepId | None,
    values: Mapping[str, object],
) -> InFlight:
    longest = longest_path(steps, start, values)
    given = node.get("max_age") if node is not None else None
    max_age = source.length(given, max(MAX_AGE, longest + timedelta(days=30)))
    least = longest_path(steps, start, values, events_at_once=True)
    if given is not None and least > max_age:
        days = least / timedelta(days=1)
        message = f"the longest way takes {days:.0f} days, longer than max_age {given.text}"
        hint = "raise max_age, or shorten the waits: the last step could never be reached"
        source.report("SF205", given, message, hint=hint)
    renamed = node.get("renamed") if node is not None else None
    for _, target in renamed.pairs() if renamed is not None else ():
        if target.text not in steps:
            source.report("SF209", target, f"no step named '{target.text}'")
    return InFlight(
        on_change=OnChange(node["on_change"].text)
        if node is not None and "on_change" in node
        else OnChange.PIN,
        max_age=max_age,
        renamed={}
        if renamed is None
        else {StepId(old): StepId(new.text) for old, new in renamed.pairs()},
    )


def _reentry(node: Node) -> Reentry:
    return Reentry(node["reentry"].text) if "reentry" in node else Reentry.IGNORE


def _whole(node: Node | None, default: int) -> int:
    return node.data if node is not None and isinstance(node.data, int) else default


def _share(node: Node | None) -> float:
    return parse_share(node.text) if node is not None else 0.0
