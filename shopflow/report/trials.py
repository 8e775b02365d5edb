"""What trials came to, for people and as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shopflow.domain.trial import Result
from shopflow.store.trials import KeptTrial

#: What a branch did, in words.
_DID = {Result.OPENED: "opened", Result.CLICKED: "clicked", Result.GOAL: "reached the goal"}


def as_json(trials: Sequence[KeptTrial]) -> list[dict[str, object]]:
    """Each with what is counted of its branches; the winner is empty until it is known."""
    return [
        {
            "workflow": one.trial.workflow,
            "step": one.trial.step,
            "run": one.trial.run,
            "begun_at": one.trial.begun_at.isoformat(),
            "decide_at": one.trial.decide_at.isoformat(),
            "by": one.trial.by.value,
            "winner": one.trial.winner,
            "branches": {
                branch: {result.value: _count(one, branch, result) for result in Result}
                for branch in one.trial.branches
            },
        }
        for one in trials
    ]


def as_text(trials: Sequence[KeptTrial]) -> Iterator[str]:
    """A line each."""
    for one in trials:
        trial = one.trial
        told = ", ".join(
            f"{branch} {_count(one, branch, trial.by):,} of {_count(one, branch, Result.SENT):,}"
            for branch in trial.branches
        )
        run = f" {trial.run}" if trial.run else ""
        end = (
            f"{trial.winner} has won"
            if trial.winner
            else f"decided after {trial.decide_at:%Y-%m-%d %H:%M} UTC"
        )
        yield f"trial {trial.workflow}/{trial.step}{run}, {_DID[trial.by]}: {told}; {end}"


def _count(one: KeptTrial, branch: str, result: Result) -> int:
    return one.counts.get(branch, {}).get(result, 0)
