"""What differs between the rules of two revisions, workflow by workflow, each with its reason.

Compiled rules are compared, so layout, comments and the order of keys are no difference. A change
of something shared is an indirect change of each workflow that it reaches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from shopflow.domain.workflow import Workflow
from shopflow.gitops.plan.fields import Difference, differences
from shopflow.gitops.plan.places import Thing
from shopflow.gitops.plan.shared_rules import shared_changes
from shopflow.gitops.plan.uses import uses
from shopflow.lang.digest import workflow_digest
from shopflow.rulebook import LoadedProject

#: Of two workflows, the share of equal fields from which on one is taken for the other renamed.
ALIKE = 0.7


class Action(StrEnum):
    """What happens to a workflow."""

    ADDED = "added"
    REMOVED = "removed"
    RENAMED = "renamed"
    CHANGED = "changed"
    #: By something that it uses; its own file is as it was.
    INDIRECT = "indirect"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowChange:
    """One workflow that behaves differently, and each reason in a line."""

    workflow: str
    action: Action
    #: Fields of its own file.
    direct: tuple[str, ...] = ()
    #: What is shared, as `via caps.marketing-week max 3 -> 4`.
    via: tuple[str, ...] = ()
    #: Its id before it was renamed.
    was: str = ""

    @property
    def reasons(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.direct, *(f"via {line}" for line in self.via))


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChanges:
    """Everything that differs between two rulesets."""

    workflows: tuple[WorkflowChange, ...] = ()
    #: What is shared and differs, used or not.
    shared: Mapping[Thing, str] = field(default_factory=dict)
    #: How many workflows behave as before.
    unchanged: int = 0

    @property
    def unused(self) -> list[str]:
        """What is shared, differs, and makes no difference to any workflow."""
        reached = {line for each in self.workflows for line in each.via}
        return [line for line in self.shared.values() if line not in reached]

    def __bool__(self) -> bool:
        return bool(self.workflows or self.shared)


def rule_changes(base: LoadedProject, head: LoadedProject) -> RuleChanges:
    """What the rules of the head do differently from those of the base."""
    shared = shared_changes(base, head)
    old, new = base.ruleset.workflows, head.ruleset.workflows
    renamed = _renamed(base, head)
    found: list[WorkflowChange] = []
    for name, workflow in new.items():
        former = old.get(renamed.get(name, name))
        if former is None:
            told = (f"status {workflow.status}",)
            found.append(WorkflowChange(workflow=name, action=Action.ADDED, direct=told))
            continue
        direct = _direct(former, workflow, base, head)
        via = tuple(shared[thing] for thing in shared if thing in _uses(name, former, base, head))
        if name in renamed:
            change = WorkflowChange(workflow=name, action=Action.RENAMED, was=former.id)
            found.append(replace(change, direct=direct, via=via))
        elif direct:
            found.append(
                WorkflowChange(workflow=name, action=Action.CHANGED, direct=direct, via=via)
            )
        elif via:
            found.append(WorkflowChange(workflow=name, action=Action.INDIRECT, via=via))
    gone = [name for name in old if name not in new and name not in renamed.values()]
    found += [WorkflowChange(workflow=name, action=Action.REMOVED) for name in gone]
    changed = {each.workflow for each in found}
    return RuleChanges(
        workflows=tuple(sorted(found, key=lambda each: each.workflow)),
        shared=shared,
        unchanged=sum(name not in changed for name in new),
    )


def _uses(name: str, former: Workflow, base: LoadedProject, head: LoadedProject) -> set[Thing]:
    """What the workflow hangs on before or after."""
    return uses(base.ruleset, former, base.events.schemas) | uses(
        head.ruleset, head.ruleset.workflows[name], head.events.schemas
    )


def _direct(
    former: Workflow, workflow: Workflow, base: LoadedProject, head: LoadedProject
) -> tuple[str, ...]:
    """The fields of its own file that make a difference."""
    if _behaviour(former) == _behaviour(workflow):
        return ()
    # A condition in another order has another digest, and behaves as before.
    return tuple(map(str, field_changes(former.id, workflow.id, base, head)))


def field_changes(
    former: str, name: str, base: LoadedProject, head: LoadedProject
) -> list[Difference]:
    """The fields in which two workflow files differ; their ids are none."""
    return [
        each for each in differences(_data(base, former), _data(head, name)) if each.path != "id"
    ]


def _behaviour(workflow: Workflow) -> tuple[object, ...]:
    anonymous = workflow_digest(replace(workflow, id=workflow.id.__class__("")))
    return anonymous, workflow.status, workflow.max_per_hour


def _renamed(base: LoadedProject, head: LoadedProject) -> dict[str, str]:
    """New id -> old id of workflows that are another one under a new name."""
    gone = [name for name in base.ruleset.workflows if name not in head.ruleset.workflows]
    found: dict[str, str] = {}
    for name in head.ruleset.workflows:
        if name in base.ruleset.workflows:
            continue
        likeness = {
            each: _likeness(_data(base, each), _data(head, name))
            for each in gone
            if each not in found.values()
        }
        nearest = max(likeness, key=lambda each: likeness[each], default=None)
        if nearest is not None and likeness[nearest] >= ALIKE:
            found[name] = nearest
    return found


def _likeness(before: object, after: object) -> float:
    """The share of lines that two files have in common."""
    differing = len(differences(before, after))
    every = len(differences({}, before)) + len(differences({}, after))
    return 1 - differing / max(1, every / 2)


def _data(loaded: LoadedProject, workflow: str) -> object:
    document = loaded.workflows.get(workflow)
    return document.root.data if document is not None and document.root is not None else {}
