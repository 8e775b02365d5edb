"""Splits that are tried: what they compete for can be counted (SF214), and is worth it (SF215)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from shopflow.domain.step import Split
from shopflow.domain.trial import Result
from shopflow.domain.trigger import ScheduleTrigger
from shopflow.lang.compiler.longest import length_of
from shopflow.lang.compiler.shape import every_step, split_branches
from shopflow.lang.compiler.workflow import CompiledWorkflow
from shopflow.lang.lint.subject import Subject
from shopflow.lang.tree import Kind, Node
from shopflow.problem import Problem, Severity

#: What a trial may be about: what no longer changes while somebody waits for its winner.
_FIXED = frozenset({"trigger", "values", "item"})
#: More than this is not a test any more: most customers are sent what may be worse.
_MOST = 0.5


def branches_can_be_compared(subject: Subject) -> Iterator[Problem]:
    """Every branch sends something that can be opened or clicked, or there is a goal to reach."""
    for each, node, step in _trials(subject):
        workflow, split = each.workflow, node["split"]
        rule = step.trial
        if workflow is None or rule is None:
            continue
        if rule.by is Result.GOAL and workflow.goal is None:
            message = "the branches compete for the goal, and the workflow has none"
            hint = "add a goal, or compete by clicked"
            yield each.document.problem("SF214", split["by"], message, hint=hint)
        for branch in split_branches(split) if rule.by is not Result.GOAL else ():
            if not any("send" in inner for inner in every_step(branch["then"])):
                message = f"branch '{branch['name'].text}' sends nothing that can be {rule.by}"
                hint = "send something in each branch, or compete by goal"
                yield each.document.problem("SF214", branch["name"], message, hint=hint)
        if rule.per is not None and not {path[0] for path in rule.per.reads} <= _FIXED:
            message = "what a trial is about must not change while somebody waits for its winner"
            hint = "read the trigger, as in per: trigger.issue"
            yield each.document.problem("SF214", split["per"], message, hint=hint)
        length = length_of(rule.decide_after, workflow.values)
        if length is not None and length <= timedelta():
            message = "nobody has time to react before the winner is known"
            hint = "give it some hours, as in decide_after: 4h"
            yield each.document.problem("SF214", split["decide_after"], message, hint=hint)


def trial_is_worth_it(subject: Subject) -> Iterator[Problem]:
    """Most customers get the winner, and it is known once most have come."""
    for each, node, step in _trials(subject):
        workflow, split, rule = each.workflow, node["split"], step.trial
        if workflow is None or rule is None:
            continue
        share = sum(branch.weight for branch in step.branches)
        if share > _MOST:
            message = f"the branches are tried on {split['test'].text}: few are left for the winner"
            hint = "try them on 50% at most; 10% is usual"
            yield _of_little_use(each, split["test"], message, hint)
        trigger, length = workflow.trigger, length_of(rule.decide_after, workflow.values)
        if isinstance(trigger, ScheduleTrigger) and length is not None and length <= trigger.spread:
            message = "the winner is known before all have come: the first steps are spread longer"
            hint = "make decide_after longer than the trigger's spread"
            yield _of_little_use(each, split["decide_after"], message, hint)


def _of_little_use(each: CompiledWorkflow, node: Node, message: str, hint: str) -> Problem:
    return each.document.problem("SF215", node, message, hint=hint, severity=Severity.WARNING)


def _trials(subject: Subject) -> Iterator[tuple[CompiledWorkflow, Node, Split]]:
    for each in subject.build.workflows:
        root = each.document.root
        if each.workflow is None or root is None:
            continue
        steps = {str(name): step for name, step in each.workflow.steps.items()}
        for node in every_step(root["steps"]):
            step = steps.get(node["id"].text)
            if isinstance(step, Split) and node["split"].kind is Kind.MAP:
                yield each, node, step
