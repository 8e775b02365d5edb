"""A plan: what merging a change of rules would do, as one value that every format is made of."""

from __future__ import annotations

from dataclasses import dataclass

from shopflow.gitops.plan.comparing import Comparison
from shopflow.gitops.plan.rule_changes import RuleChanges
from shopflow.gitops.plan.worst_case import WorstCase
from shopflow.problem import Problem, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two rulesets: how it was asked for, its commit and its digest."""

    ref: str
    #: Empty for the working tree.
    commit: str = ""
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is different, what it leads to, and what speaks against it."""

    base: Side
    head: Side
    currency: str
    changes: RuleChanges
    #: The most that somebody can be sent in seven days, before and after.
    worst: tuple[WorstCase, WorstCase]
    findings: tuple[Problem, ...] = ()
    #: None without recorded events.
    comparison: Comparison | None = None
    #: Thresholds that were passed, a line each.
    breaches: tuple[str, ...] = ()

    @property
    def is_refused(self) -> bool:
        """True when something in it has to be looked at before the change is merged."""
        errors = any(each.severity is Severity.ERROR for each in self.findings)
        return errors or bool(self.breaches)
