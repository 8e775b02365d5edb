"""What a change of rules alters, by the node of a drawing that it belongs to.

It is the difference that a plan tells, so a drawing and a plan never disagree; a drawing alone
would pass over what it does not show, such as a longer `max_lateness` or another text of a mail.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from shopflow.domain.step import Send
from shopflow.gitops.plan.fields import step_of
from shopflow.gitops.plan.places import Thing
from shopflow.gitops.plan.rule_changes import Action, RuleChanges, WorkflowChange, field_changes
from shopflow.rulebook import LoadedProject


class Alteration(NamedTuple):
    """Something that is otherwise than it was."""

    line: str
    #: The value before and after, where a drawing may show them.
    before: str | None = None
    after: str | None = None


#: Node -> what is altered of what it stands for.
Alterations = Mapping[str, Sequence[Alteration]]

#: Workflows under the same id before and after; others are added or removed as a whole.
_ALTERED = frozenset({Action.CHANGED, Action.INDIRECT})
#: Kind of what is shared -> how drawings call it.
_DRAWN = {
    "caps": "cap",
    "coupons": "coupon",
    "events": "event",
    "segments": "segment",
    "templates": "template",
}


def on_the_way(before: LoadedProject, after: LoadedProject, changes: RuleChanges) -> Alterations:
    """The alterations of a drawing of ways: at the step, or at the trigger for all of it."""
    found: dict[str, list[Alteration]] = defaultdict(list)
    for change in _altered(changes):
        name, workflow = change.workflow, after.ruleset.workflows[change.workflow]
        for step, field in _own(before, after, change):
            found[f"{name}.{step or 'trigger'}"].append(field)
        for thing, line in _shared(changes, change):
            shown = [
                str(step.id)
                for step in workflow.steps.values()
                if isinstance(step, Send) and thing == Thing("templates", step.template)
            ]
            for place in shown or ["trigger"]:
                found[f"{name}.{place}"].append(Alteration(line))
    return found


def across(changes: RuleChanges) -> Alterations:
    """The alterations of a drawing of workflows and of what they use."""
    found: dict[str, list[Alteration]] = defaultdict(list)
    for change in _altered(changes):
        found[f"workflow {change.workflow}"] += map(Alteration, change.reasons)
    for thing, line in changes.shared.items():
        if thing.kind in _DRAWN:
            found[f"{_DRAWN[thing.kind]} {thing.name}"].append(Alteration(line))
    return found


def _altered(changes: RuleChanges) -> Iterator[WorkflowChange]:
    return (each for each in changes.workflows if each.action in _ALTERED)


def _own(
    before: LoadedProject, after: LoadedProject, change: WorkflowChange
) -> Iterator[tuple[str, Alteration]]:
    """The fields of its own file, each with the step that it is of, where it is of one."""
    if not change.direct:
        return
    for field in field_changes(change.workflow, change.workflow, before, after):
        step = step_of(field.path)
        # A step that came or went is drawn as such.
        if field.path != f"steps.{step}":
            line = str(field).removeprefix(f"steps.{step}").lstrip(". ")
            yield step, Alteration(line, field.before, field.after)


def _shared(changes: RuleChanges, change: WorkflowChange) -> Iterator[tuple[Thing, str]]:
    for thing, line in changes.shared.items():
        if line in change.via:
            yield thing, f"via {line}"
