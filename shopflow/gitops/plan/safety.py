"""What speaks against a change of rules: findings that need the revision before it.

Those about enrolments on their way hold whatever was recorded; a replay only says how many they
are. See docs/lint.md for what each code means.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from shopflow.domain.ids import StepId
from shopflow.domain.step import Repeat, Send, Split, Step, Wait, WaitFor
from shopflow.domain.workflow import OnChange, Status, Workflow
from shopflow.gitops.plan.places import (
    path_of,
    reason_in,
    shared_problem,
    workflow_problem,
)
from shopflow.gitops.plan.replayed import Place
from shopflow.gitops.plan.rule_changes import Action, RuleChanges
from shopflow.gitops.plan.still_read import gone_fields, gone_things
from shopflow.gitops.plan.weakening import Weakening, weakenings
from shopflow.lang.names import did_you_mean
from shopflow.problem import Location, Problem, Severity, in_order
from shopflow.rulebook import LoadedProject

#: More than this share of workflows gone at once is rather a mistake.
MOST_GONE = 0.2
#: Steps at which enrolments can stand for a while.
_STANDING = (Wait, WaitFor, Send, Repeat, Split)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """The two revisions, and who stands where in the earlier one, as far as that is known."""

    base: LoadedProject
    head: LoadedProject
    changes: RuleChanges
    #: How many enrolments stand where, as far as that is known.
    standing: Mapping[Place, int]
    allow_shrink: bool

    def pairs(self) -> Iterator[tuple[Workflow, Workflow]]:
        """Workflows that both have and that differ."""
        for name, workflow in self.head.ruleset.workflows.items():
            former = self.base.ruleset.workflows.get(name)
            if former is not None and former.digest != workflow.digest:
                yield former, workflow

    def upgraded(self) -> Iterator[tuple[Workflow, Workflow]]:
        """Those of them whose enrolments go on by the new version."""
        for former, workflow in self.pairs():
            if workflow.in_flight.on_change is OnChange.UPGRADE:
                yield former, workflow

    def count(self, workflow: str, step: str | None = None) -> int:
        """How many stand at the step, or anywhere in the workflow; 0 where none were seen."""
        return sum(
            count
            for place, count in self.standing.items()
            if place.workflow == workflow and step in (None, place.step)
        )


def findings(
    base: LoadedProject,
    head: LoadedProject,
    changes: RuleChanges,
    standing: Mapping[Place, int],
    *,
    allow_shrink: bool = False,
) -> tuple[Problem, ...]:
    """Everything that speaks against the change, by file and line."""
    change = _Change(
        base=base, head=head, changes=changes, standing=standing, allow_shrink=allow_shrink
    )
    return tuple(in_order([problem for check in _CHECKS for problem in check(change)]))


def _steps_are_kept(change: _Change) -> Iterator[Problem]:
    """SF601: under `upgrade`, whoever waits at a step that is gone is thrown out."""
    for former, workflow in change.upgraded():
        renamed = workflow.in_flight.renamed
        fresh = [name for name in workflow.steps if name not in former.steps]
        for name, step in former.steps.items():
            if not isinstance(step, _STANDING) or renamed.get(name, name) in workflow.steps:
                continue
            count = change.count(workflow.id, name)
            meant = f"; {did_you_mean(name, fresh, label='new steps')}" if fresh else ""
            yield workflow_problem(
                change.head,
                workflow.id,
                "SF601",
                f"step `{name}` is gone: {_people(count)} at it would end as `retired`",
                key="in_flight",
                hint=f"name its successor, in_flight: {{renamed: {{{name}: …}}}}{meant}",
            )


def _steps_stay_what_they_are(change: _Change) -> Iterator[Problem]:
    """SF603: under `upgrade`, whoever waits at a step finds another kind of step there."""
    for former, workflow in change.upgraded():
        for name, step in former.steps.items():
            target = workflow.in_flight.renamed.get(name, name)
            after = workflow.steps.get(StepId(target))
            if isinstance(step, _STANDING) and after is not None and type(after) is not type(step):
                count = change.count(workflow.id, name)
                yield workflow_problem(
                    change.head,
                    workflow.id,
                    "SF603",
                    f"{_people(count)} at `{name}`, a {_kind(step)}, would go on at `{target}`, "
                    f"a {_kind(after)}",
                    key="in_flight",
                    hint="give the new step an id of its own, or let them keep their version: "
                    "on_change: pin",
                )


def _nobody_is_cut_short(change: _Change) -> Iterator[Problem]:
    """SF604: under `upgrade`, a shorter `max_age` ends enrolments at their next timer."""
    for former, workflow in change.upgraded():
        before, after = former.in_flight.max_age, workflow.in_flight.max_age
        if after < before:
            people = _people(change.count(workflow.id))
            yield workflow_problem(
                change.head,
                workflow.id,
                "SF604",
                f"in_flight.max_age is shorter: {people} in it for longer than that would end as "
                "`expired` at the next timer",
                key="in_flight",
                hint="on_change: pin lets them go on as they began",
                severity=Severity.WARNING,
            )


def _ids_are_kept(change: _Change) -> Iterator[Problem]:
    """SF602: a workflow under a new id is a new workflow."""
    for each in change.changes.workflows:
        if each.action is Action.RENAMED:
            people = _people(change.count(each.was))
            yield workflow_problem(
                change.head,
                each.workflow,
                "SF602",
                f"`{each.workflow}` looks like `{each.was}` under a new id: cooldowns and "
                f"re-entry begin anew, and {people} in `{each.was}` go on under the old one",
                hint="keep the id, and change `title`",
                severity=Severity.WARNING,
            )


def _protection_is_kept(change: _Change) -> Iterator[Problem]:
    """SF605: caps, quiet hours and consent are weakened only for a reason that is written down."""
    for weak in weakenings(change.base.ruleset, change.head.ruleset):
        if (reason := _new_reason(change, weak)) is None:
            yield shared_problem(
                change.head,
                weak.thing,
                "SF605",
                f"{weak.thing} protects people less: {weak.why}",
                key=weak.key,
                hint="say why with `reason:`, beside it or at the top of the file; "
                "a reason that was there before explains an earlier change",
            )
        else:
            yield shared_problem(
                change.head,
                weak.thing,
                "SF605",
                f"{weak.thing} protects people less: {weak.why}; because: {reason}",
                key=weak.key,
                severity=Severity.INFO,
            )
    for former, workflow in change.pairs():
        for gone in [
            one.id for one in former.exits if one.id not in {e.id for e in workflow.exits}
        ]:
            yield workflow_problem(
                change.head,
                workflow.id,
                "SF605",
                f"exit `{gone}` is gone: who would have left by it is sent the rest",
                key="exit_on",
                severity=Severity.WARNING,
            )


def _new_reason(change: _Change, weak: Weakening) -> str | None:
    """The reason that came with this change; None when there is none."""
    before = reason_in(change.base, weak.thing)
    after = reason_in(change.head, weak.thing)
    return next((new for old, new in zip(before, after, strict=True) if new and new != old), None)


def _drafts_are_tried(change: _Change) -> Iterator[Problem]:
    """SF606: what was a draft goes live without having been watched in shadow."""
    for name, workflow in change.head.ruleset.workflows.items():
        former = change.base.ruleset.workflows.get(name)
        was_draft = former is not None and former.status is Status.DRAFT
        if was_draft and workflow.status is Status.LIVE:
            yield workflow_problem(
                change.head,
                name,
                "SF606",
                f"`{name}` goes from draft to live at once",
                key="status",
                hint="let it decide and send nothing for a few days: status: shadow",
                severity=Severity.WARNING,
            )


def _rules_are_all_there(change: _Change) -> Iterator[Problem]:
    """SF607: no workflow is left, or many are gone at once."""
    before, after = change.base.ruleset.workflows, change.head.ruleset.workflows
    gone = [each.workflow for each in change.changes.workflows if each.action is Action.REMOVED]
    if change.allow_shrink or not before or (after and len(gone) <= MOST_GONE * len(before)):
        return
    told = (
        "no workflow is left" if not after else f"{len(gone)} of {len(before)} workflows are gone"
    )
    yield Problem(
        code="SF607",
        location=Location(path="rules/workflows"),
        message=f"{told}: {', '.join(gone)}",
        hint="if that is meant, say so with --allow-shrink",
    )


def _old_versions_can_be_read(change: _Change) -> Iterator[Problem]:
    """SF504 and SF608: what enrolments on an older version still need is there."""
    for former in _draining(change):
        label = f"`{former.id}`, version {former.version}"
        count = change.count(former.id)
        for thing in gone_things(former, change.base, change.head):
            yield shared_problem(
                change.head,
                thing,
                "SF504",
                f"{thing} is gone: {_people(count)} on the way by {label} would still need it",
                hint="remove the workflow first, and what it uses once nobody is in it any more",
            )
        for thing, field in gone_fields(former, change.base, change.head):
            yield Problem(
                code="SF608",
                location=Location(path=path_of(thing)),
                message=f"{thing}: `{field}` is gone or of another type: {_people(count)} on the "
                f"way by {label} would still need it",
                hint="keep the field, as an optional one, until nobody is in that version",
            )


def _draining(change: _Change) -> Iterator[Workflow]:
    """The versions of the base by which enrolments go on."""
    for name, former in change.base.ruleset.workflows.items():
        live = change.head.ruleset.workflows.get(name)
        is_kept = live is None or (
            live.digest != former.digest and live.in_flight.on_change is OnChange.PIN
        )
        if is_kept and former.status is not Status.DRAFT:
            yield former


def _people(count: int) -> str:
    if not count:
        return "all"
    return f"{count:,} enrolment{'' if count == 1 else 's'}"


def _kind(step: Step) -> str:
    """The kind of a step as people say it: `wait for`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(step).__name__).lower()


_CHECKS: tuple[Callable[[_Change], Iterator[Problem]], ...] = (
    _steps_are_kept,
    _steps_stay_what_they_are,
    _nobody_is_cut_short,
    _ids_are_kept,
    _protection_is_kept,
    _drafts_are_tried,
    _rules_are_all_there,
    _old_versions_can_be_read,
)
