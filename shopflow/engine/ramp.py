"""Two sets of workflows at once: each customer is decided on by one of them.

They differ in workflows and in nothing else, so caps, consent, quiet hours, traits and segments are
the same whoever is on which side, and what a customer keeps of a workflow (marks, cooldowns,
enrolments) counts on both. Nobody is on both sides, so nobody enters twice.
"""

from __future__ import annotations

from dataclasses import replace

from shopflow.domain.ids import fraction
from shopflow.domain.ruleset import Ramp, Ruleset
from shopflow.engine.rulebook import Rulebook


class RampedRulebook(Rulebook):
    """Asked about nobody in particular, it answers for both sides: too much, never too little."""

    def __init__(self, ruleset: Ruleset, ramp: Ramp) -> None:
        older = {f"{name}@before": workflow for name, workflow in ramp.others.items()}
        new = {one.digest: one for one in ruleset.workflows.values()}
        old = {one.digest: one for one in ramp.others.values()}
        # An enrolment may have begun on the other side, before the share grew or shrank.
        both = {**ruleset.retained, **new, **old}
        super().__init__(replace(ruleset, workflows={**ruleset.workflows, **older}, retained=both))
        self._ramp = ramp
        self._new = Rulebook(replace(ruleset, retained=both))
        self._old = Rulebook(replace(ruleset, workflows=ramp.others, retained=both))

    def side(self, customer: str) -> Rulebook:
        """See `Rulebook`; by a hash, so that it is the same on every machine and at every time."""
        return self._new if self.is_in(customer) else self._old

    def is_in(self, customer: str) -> bool:
        """True for those who get the new workflows."""
        return fraction(f"ramp/{self._ramp.salt}", customer) < self._ramp.share
