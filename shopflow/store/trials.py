"""Trials as they are kept: when each began, what is counted of its branches, and who has won."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from shopflow.domain.ids import TrialId
from shopflow.domain.trial import CountResult, Counts, Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptTrial:
    """A trial with what has been counted."""

    trial: Trial
    counts: Counts


class TrialWrites(Protocol):
    """What a batch does for trials."""

    def begin_trials(self, begun: Sequence[Trial]) -> list[Trial]:
        """The trials have begun; one that had begun already stays, and is given back as it is."""

    def count_results(self, results: Iterable[CountResult]) -> None:
        """The branches have so many more, which the statistics tell as well."""

    def decide_trial(self, trial: TrialId, winner: str) -> bool:
        """The trial has this winner from now on; False when it had one already, which stays."""


class TrialReads(Protocol):
    """What can be read of trials."""

    def trial(self, trial: TrialId) -> KeptTrial | None:
        """The trial of that id, as last committed."""

    def trials(self, *, limit: int = 100) -> list[KeptTrial]:
        """The trials that began last."""
