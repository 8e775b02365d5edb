"""Trials where nothing is stored: when each began, what is counted, and who has won."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace

from shopflow.domain.ids import TrialId
from shopflow.domain.journal import Effect
from shopflow.domain.trial import BeginTrial, CountResult, Counts, Result, Trial, winner_of

#: Split -> what is counted of its branches from the beginning, beside what happens.
Results = Mapping[str, Counts]


class VirtualTrials:
    """The trials of one shop."""

    def __init__(self, results: Results) -> None:
        self._results = results
        self._counts: defaultdict[TrialId, defaultdict[str, Counter[Result]]] = defaultdict(
            lambda: defaultdict(Counter)
        )
        #: By id; the same mapping for good, so that facts may hold it.
        self.known: dict[TrialId, Trial] = {}

    def take(self, effect: Effect) -> None:
        """What a decision says of trials holds for every decision after it."""
        match effect:
            case BeginTrial(trial=trial):
                self.begin(trial)
            case CountResult(watch=watch, result=result):
                self._counts[watch.trial][watch.branch][result] += 1

    def begin(self, trial: Trial) -> None:
        """The trial begins, unless it has begun."""
        if trial.id not in self.known:
            self.known[trial.id] = trial
            for branch, counted in self._results.get(trial.step, {}).items():
                self._counts[trial.id][branch].update(counted)

    def settle(self, trial: Trial) -> None:
        """The trial has a winner."""
        begun = self.known[trial.id]
        if not begun.winner:
            winner = winner_of(begun.branches, begun.by, self._counts[trial.id])
            self.known[trial.id] = replace(begun, winner=winner)
