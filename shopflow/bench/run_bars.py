"""The parts of `bench run` and the bars that they are held against."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Part(StrEnum):
    """What can be measured by itself, or left out."""

    FLOOR = "floor"
    NAIVE = "naive"
    RULES = "rules"
    INGEST = "ingest"
    WORKERS = "workers"
    LATENCY = "latency"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """How far something may go, or how far it has to come."""

    part: Part
    #: What is measured, in words.
    name: str
    limit: float
    #: True for what has to stay below the limit, false for what has to come up to it.
    at_most: bool = False
    unit: str = "times"

    def held(self, figure: float) -> Held:
        """The bar with what was measured."""
        return Held(bar=self, figure=figure)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One bar and the figure of this run."""

    bar: Bar
    figure: float

    @property
    def reached(self) -> bool:
        """The figure is on the right side of the limit."""
        if self.bar.at_most:
            return self.figure <= self.bar.limit
        return self.figure >= self.bar.limit

    @property
    def told(self) -> str:
        """The figure, the limit and which side it is on, in one line."""
        bar = self.bar
        side = "at most" if bar.at_most else "at least"
        verdict = "reached" if self.reached else "MISSED"
        return (
            f"{bar.name:<52}{self.figure:>10,.2f} {bar.unit:<6}({side} {bar.limit:,g}: {verdict})"
        )


FLOOR = Bar(part=Part.FLOOR, name="the floor's rate, share that the product reaches", limit=0.6)
NAIVE = Bar(part=Part.NAIVE, name="faster than a job an event and cel-python", limit=1_000)
RULES = Bar(part=Part.RULES, name="10,000 rules cost against 10", limit=1.15, at_most=True)
INGEST = Bar(part=Part.INGEST, name="ingest is faster than process", limit=3)
WORKERS = Bar(part=Part.WORKERS, name="two worker processes against one", limit=1.7)
MEDIAN = Bar(
    part=Part.LATENCY,
    name="event to committed decision at half load, median",
    limit=50,
    at_most=True,
    unit="ms",
)
P99 = Bar(
    part=Part.LATENCY,
    name="event to committed decision at half load, p99",
    limit=500,
    at_most=True,
    unit="ms",
)
