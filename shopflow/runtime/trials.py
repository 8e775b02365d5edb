"""Trials as decisions find them among their facts, and their winners once they are wanted.

When a trial begins and who has won it is written down once, in SQL, and everybody takes it from
there. A batch that was decided without knowing is taken back and decided again; so nobody looks for
news, and a trial costs each process no more than two batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TypeVar

from shopflow.domain.ids import TrialId
from shopflow.domain.journal import JournalEntry, Kind
from shopflow.domain.trial import CountResult, Counts, Trial, winner_of
from shopflow.engine.news import JUST_BEFORE
from shopflow.engine.trials import WinnerWanted
from shopflow.errors import DecideAgain
from shopflow.store.delivery import NOBODY
from shopflow.store.protocol import Batch, Store

if TYPE_CHECKING:
    from shopflow.runtime.stream import Stream

Result = TypeVar("Result")

#: Trials that are remembered; those learnt first are forgotten, and looked up when wanted again.
REMEMBERED = 1_000
#: Times that one batch is decided anew; a timer may want one trial after the other.
ATTEMPTS = 1_000


class TrialsChanged(DecideAgain):
    """Raised when trials had begun, and the batch did not know."""

    def __init__(self, trials: Sequence[Trial]) -> None:
        super().__init__("a trial had begun before")
        self.trials = trials


class Advance(Protocol):
    """What has everybody decided up to an instant, where nothing but events moves the clock."""

    def __call__(self, stream: Stream, until: datetime, *, timers_only: bool) -> None:
        """Every timer due by then has fired; with `timers_only` nothing starts by calendar."""


class Trials:
    """What this process knows of trials."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.known: dict[TrialId, Trial] = {}
        #: Set where the events are the clock: all results up to its end count in a trial.
        self.advance: Advance | None = None

    def serve(
        self, work: Callable[[], Result], stream: Stream, *, timers_only: bool, alone: bool
    ) -> Result:
        """What the batch gives, once it knows of the trials that it needs to know of.

        Raises:
            WinnerWanted: It is not alone, and what comes before it in its batch may count.
        """
        for _ in range(ATTEMPTS):
            try:
                return work()
            except TrialsChanged as e:
                self._learn(e.trials)
            except WinnerWanted as e:
                if not alone:
                    raise
                self._begin(e.trial)
                if self.advance is not None and not self.known[e.trial.id].winner:
                    until = e.trial.decide_at - JUST_BEFORE
                    self.advance(stream, until, timers_only=timers_only)
                self._settle(e.trial.id)
        raise RuntimeError(f"a batch did not learn of its trials within {ATTEMPTS} attempts")

    def _begin(self, trial: Trial) -> None:
        with self._store.transaction() as batch:
            self._learn(batch.begin_trials([trial]))

    def _settle(self, trial: TrialId) -> None:
        """The trial has a winner, by what has been counted so far unless it had one before."""
        begun, counts = self._kept(trial)
        winner = winner_of(begun.branches, begun.by, counts)
        with self._store.transaction() as batch:
            if batch.decide_trial(trial, winner):
                batch.journal([decided(begun, winner, counts)])
        self._learn([self._kept(trial)[0]])

    def _kept(self, trial: TrialId) -> tuple[Trial, Counts]:
        kept = self._store.views.trial(trial)
        if kept is None:
            raise LookupError(f"the trial {trial} is gone")
        return kept.trial, kept.counts

    def _learn(self, trials: Iterable[Trial]) -> None:
        for trial in trials:
            self.known.pop(trial.id, None)
            self.known[trial.id] = trial
        for oldest in list(self.known)[: max(0, len(self.known) - REMEMBERED)]:
            del self.known[oldest]


def decided(trial: Trial, winner: str, counts: Counts) -> JournalEntry:
    """The line in the journal, of no customer, that the winner is known."""
    return JournalEntry(
        at=trial.decide_at,
        customer_id=NOBODY,
        kind=Kind.DECIDED,
        workflow=trial.workflow,
        version=trial.version,
        digest=trial.digest,
        step=trial.step,
        reason=winner,
        values={
            "by": trial.by.value,
            "run": trial.run,
            "counts": {
                branch: {result.value: number for result, number in counts.get(branch, {}).items()}
                for branch in trial.branches
            },
        },
    )


class Results:
    """What one batch does with trials."""

    def __init__(self) -> None:
        self._begun: list[Trial] = []
        self._counted: list[CountResult] = []

    def begin(self, trial: Trial) -> None:
        """The trial begins with this batch."""
        self._begun.append(trial)

    def count(self, counted: CountResult) -> None:
        """A branch has one more of a result."""
        self._counted.append(counted)

    def write(self, batch: Batch) -> None:
        """Everything is in the batch.

        Raises:
            TrialsChanged: A trial had begun before; the batch has to be decided again.
        """
        if self._begun:
            known = batch.begin_trials(self._begun)
            if set(known) != set(self._begun):
                raise TrialsChanged(known)
        if self._counted:
            batch.count_results(self._counted)
