"""What a step makes of an enrolment: it goes on, stays until a time, or ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from shopflow.domain.coupon import DrawnCode
from shopflow.domain.ids import StepId


@dataclass(frozen=True, slots=True)
class Go:
    """On to the next step; None is the end of the workflow."""

    to: StepId | None
    outcome: str = ""
    #: What the journal shows of a way that was chosen; None for a step not worth a line.
    values: Mapping[str, object] | None = None
    #: The code that the step has drawn.
    code: DrawnCode | None = None


@dataclass(frozen=True, slots=True)
class Stay:
    """Wait here until then, or until an event."""

    until: datetime | None


@dataclass(frozen=True, slots=True)
class End:
    """The enrolment is over."""

    outcome: str
    by: str = ""


Move = Go | Stay | End
