"""What is to be done in one instant, in the order of its priority.

Slots under a cap may be few, and those who come first get them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

from shopflow.domain.customer import Enrolment
from shopflow.engine.turn import Turn


class Job(NamedTuple):
    """Something to be carried out in this instant, where there may be slots for a few only."""

    priority: int
    run: Callable[[], None]


def carry_out(jobs: Iterable[Job]) -> None:
    """The highest priority goes first; of equals, in the order given."""
    for job in sorted(jobs, key=lambda each: -each.priority):
        job.run()


def rank(turn: Turn, enrolment: Enrolment) -> tuple[int, datetime, int]:
    """Who comes first: by priority, then by age."""
    workflow = turn.rulebook.workflow(enrolment.digest)
    return (-(workflow.priority if workflow else 0), enrolment.entered_at, enrolment.number)
