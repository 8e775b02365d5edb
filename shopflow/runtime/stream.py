"""The right to read a stream, and the transactions that end with it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime
from typing import NamedTuple

from shopflow.runtime.workset import Rules, Workset
from shopflow.store.protocol import Batch, Store


class Stream(NamedTuple):
    """The right to read a stream: its name and the epoch of this reader."""

    name: str
    epoch: int
    #: The one partition whose events it holds; None: it holds all, and has no reader beside it.
    partition: int | None = None

    def workset(self, store: Store, batch: Batch, rules: Rules, clock: datetime) -> Workset:
        """What one transaction of this stream decides: the customers of its partition."""
        rules = rules.of_partition(self.partition)
        if self.partition is None:
            return Workset(batch, rules, clock=clock)
        return Workset(
            batch, rules, clock=clock, ours=lambda key: store.partition_of(key) == self.partition
        )


#: The stream of whoever decides everything alone.
ALONE = Stream("", 0)


def fenced(store: Store, stream: Stream) -> AbstractContextManager[Batch]:
    """One batch that commits only while the stream is this reader's; alone there is no fence."""
    return store.transaction(stream.name, stream.epoch) if stream.name else store.transaction()
