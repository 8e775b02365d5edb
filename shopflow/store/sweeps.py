"""Looking at every customer: what is kept of a sweep, and what a store does for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shopflow.domain.customer import Customer
from shopflow.domain.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """A look at all customers of a partition, by their ids, for what starts by `at`."""

    partition: int
    at: datetime
    #: What it is for, where that is an event; else what starts by the calendar.
    event: Event | None = None
    #: The last customer that was looked at.
    after: str = ""
    looked: int = 0
    #: Those who had something to start.
    told: int = 0
    done: bool = False

    @property
    def key(self) -> tuple[int, datetime, str]:
        """What tells it from any other."""
        return self.partition, self.at, self.event.id if self.event else ""


class SweepWrites(Protocol):
    """What a batch does for sweeps."""

    def begin_sweep(self, sweep: Sweep) -> None:
        """The partition is to be swept; one that was begun already stays as it is."""

    def keep_sweep(self, sweep: Sweep) -> None:
        """The sweep has come so far."""

    def forget_sweeps(self, before: datetime) -> None:
        """Sweeps for earlier instants that are done are gone."""


class SweepReads(Protocol):
    """What can be read of sweeps, and for them."""

    def sweeps(self) -> list[Sweep]:
        """The sweeps that are under way, and those done and not forgotten, oldest first."""

    def customers_after(self, partition: int, after: str, *, limit: int) -> list[Customer]:
        """The next customers of the partition in the order of their ids, as last committed."""
