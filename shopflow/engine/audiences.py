"""Audiences of schedules: whom time alone does not bring into them.

Every customer is asked at every occurrence, and most are in no audience for reasons that no clock
changes: they never searched, never bought. A condition that is false before it is told what time it
is stays false, and CEL's `&&` makes this common: `has(customer.searched_at) && now - ...`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from shopflow.domain.trigger import ScheduleTrigger
from shopflow.domain.workflow import Workflow
from shopflow.engine.names import timeless_names, truth_of
from shopflow.engine.turn import Turn
from shopflow.errors import EvaluationError


class Verdict(NamedTuple):
    """Whether an audience is out of reach, for a customer with these attributes and traits."""

    attributes: Mapping[str, object]
    traits: Mapping[str, object]
    out_of_reach: bool


def is_out_of_reach(turn: Turn, workflow: Workflow) -> bool:
    """True when no time brings the customer, as it is, into the audience of the schedule."""
    customer = turn.customer
    known = turn.verdicts.get(workflow.digest)
    if (
        known is None
        or known.attributes is not customer.attributes
        or known.traits is not customer.traits
    ):
        found = _is_false_at_any_time(turn, workflow)
        turn.verdicts[workflow.digest] = known = Verdict(
            customer.attributes, customer.traits, found
        )
    return known.out_of_reach


def _is_false_at_any_time(turn: Turn, workflow: Workflow) -> bool:
    trigger = workflow.trigger
    assert isinstance(trigger, ScheduleTrigger)  # noqa: S101 - nothing else has such an audience
    if trigger.audience is None:
        return False
    try:
        return not truth_of(trigger.audience, timeless_names(turn, workflow))
    except EvaluationError:
        # It hangs on the time, or it fails: then it is asked, and written down, at each occurrence.
        return False
