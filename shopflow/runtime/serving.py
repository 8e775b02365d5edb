"""Deciding a batch once what it asks for is at hand: products, codes, trials."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from shopflow.runtime.stream import Stream
from shopflow.runtime.workset import Rules

Result = TypeVar("Result")


def served(
    rules: Rules,
    work: Callable[[], Result],
    stream: Stream,
    *,
    timers_only: bool = False,
    alone: bool = True,
) -> Result:
    """What the batch gives, with products as they are; once it has the codes that it needs.

    And knows of its trials; in a replay, `timers_only` tells that only timers are left to fire.

    Raises:
        DecideAgain: It asks for what others of its batch may change; `alone` it can be decided.
    """
    if rules.products is not None:
        rules.products.refresh()
    codes, trials = rules.codes, rules.trials

    def with_codes() -> Result:
        return work() if codes is None else codes.serve(work)

    return (
        with_codes()
        if trials is None
        else trials.serve(with_codes, stream, timers_only=timers_only, alone=alone)
    )
