"""What becomes of enrolments on their way once the new rules are deployed, as the engine has it.

It never releases anybody at once: who waits keeps the time of the wait. See
`shopflow.engine.walk.settle_version`, of which this is the prediction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from shopflow.domain.ids import StepId
from shopflow.domain.ruleset import Ruleset
from shopflow.domain.workflow import OnChange, Status, Workflow
from shopflow.gitops.plan.replayed import Place


class Fate(StrEnum):
    """What becomes of those who stand at a step."""

    #: The workflow is as it was.
    UNAFFECTED = "unaffected"
    #: They go on by the version that they started on.
    PINNED = "pinned"
    #: They go on by the new version, from the same step.
    UPGRADED = "upgraded"
    #: Their step is gone from the new version that they would go on by: they end as `retired`.
    ORPHANED = "orphaned"
    #: The workflow is gone: they go on by the version that they started on, nobody follows.
    DRAINING = "draining"
    #: The workflow rests: they go on, and what they would be sent is dropped.
    SILENCED = "silenced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """So many enrolments at one step, and what becomes of them."""

    workflow: str
    step: str
    count: int
    fate: Fate
    why: str


def standing(base: Ruleset, head: Ruleset, places: Mapping[Place, int]) -> tuple[Standing, ...]:
    """What becomes of all who stand somewhere; by workflow, most people first."""
    found = [
        Standing(
            workflow=place.workflow, step=place.step or "start", count=count, fate=fate, why=why
        )
        for place, count in places.items()
        for fate, why in [fate_of(base, head, place)]
    ]
    return tuple(sorted(found, key=lambda each: (each.workflow, -each.count, each.step)))


def fate_of(base: Ruleset, head: Ruleset, place: Place) -> tuple[Fate, str]:
    """What becomes of those who stand there, and why."""
    live, former = head.workflows.get(place.workflow), base.workflows.get(place.workflow)
    label = f"version {former.version}" if former is not None else "their version"
    if live is None:
        return Fate.DRAINING, f"the workflow is gone; they go on by {label}"
    if live.status in (Status.PAUSED, Status.DRAFT):
        return Fate.SILENCED, f"the workflow is {live.status}; what they would be sent is dropped"
    if live.digest == place.digest:
        return Fate.UNAFFECTED, ""
    if live.in_flight.on_change is OnChange.PIN:
        return Fate.PINNED, f"in_flight: pin; they keep {label}"
    return _upgraded(live, place.step)


def _upgraded(live: Workflow, step: str) -> tuple[Fate, str]:
    renamed = live.in_flight.renamed.get(StepId(step), StepId(step))
    if step and renamed not in live.steps:
        return Fate.ORPHANED, f"in_flight: upgrade, and step {step} is gone; they end as retired"
    moved = f" at step {renamed}" if renamed != step else ""
    return Fate.UPGRADED, f"in_flight: upgrade{moved}; a running wait keeps its time"
