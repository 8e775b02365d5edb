"""A trial: the branches of a split are tried on a few, and the best of them is for all others.

What is counted of it, and which branch has won; who takes part is the engine's, keeping it the
store's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from fractions import Fraction

from shopflow.domain.ids import CustomerId, EnrolmentId, MessageId, StepId, TrialId, WorkflowId


class Result(StrEnum):
    """What is counted of a branch: each of them once for everybody who took it in the trial."""

    SENT = "sent"
    OPENED = "opened"
    CLICKED = "clicked"
    GOAL = "goal"


#: Branch -> result -> how many.
Counts = Mapping[str, Mapping[Result, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One trial: from when to when, and its winner once it is known."""

    id: TrialId
    workflow: WorkflowId
    version: int
    digest: str
    step: StepId
    #: Tells the trials of one split apart, such as the letters of a newsletter.
    run: str = ""
    begun_at: datetime
    decide_at: datetime
    #: Names of the branches in the order of the file, and what they compete for.
    branches: tuple[str, ...]
    by: Result
    #: Empty until it is known.
    winner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialWatch:
    """The part that a customer has in a trial, while its results count."""

    trial: TrialId
    workflow: WorkflowId
    version: int
    step: StepId
    enrolment_id: EnrolmentId
    branch: str
    #: Results from then on come too late.
    until: datetime
    #: What the enrolment has sent since.
    messages: tuple[MessageId, ...] = ()
    seen: frozenset[Result] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginTrial:
    """Nobody was known to have come to this split before: its trial begins."""

    trial: Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class CountResult:
    """A branch has one more of a result."""

    customer_id: CustomerId
    watch: TrialWatch
    result: Result
    at: datetime


def winner_of(branches: Sequence[str], by: Result, counts: Counts) -> str:
    """The branch with the best share of its messages; of equals, and of none, the first."""

    def share(branch: str) -> Fraction:
        counted = counts.get(branch, {})
        sent = counted.get(Result.SENT, 0)
        return Fraction(counted.get(by, 0), sent) if sent else Fraction(0)

    return max(branches, key=share)
