"""Bringing everybody up to an instant in a replay, where nothing but events moves the clock.

The timers of a customer fire before the customer's own next input. What is counted over all
customers, such as the results of a trial, wants them all to have fired.
"""

from __future__ import annotations

from datetime import datetime

from shopflow.runtime.stream import Stream
from shopflow.runtime.sweep import Sweeps
from shopflow.runtime.timers import Timers
from shopflow.runtime.workset import Rules
from shopflow.store.protocol import Store


class Replay:
    """See `Advance`."""

    def __init__(self, store: Store, rules: Rules) -> None:
        self._timers = Timers(store, rules)
        self._sweeps = Sweeps(store, rules)

    def __call__(self, stream: Stream, until: datetime, *, timers_only: bool) -> None:
        """See `Advance`."""
        if timers_only:
            for _ in self._timers.drain(stream, until):
                continue
            return
        while self._timers.tick_page(until, stream=stream):
            continue
        for _ in self._sweeps.all_at_once(until, stream, until):
            continue
