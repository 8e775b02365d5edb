"""How an installation is, as plain values: what metrics and status are made of.

Reading them, off SQL, Redis and the process itself, is the runtime's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from shopflow.store.records import StatRow
from shopflow.store.vitals import StoreVitals


class Part(StrEnum):
    """What an installation stands on."""

    DATABASE = "database"
    REDIS = "redis"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """How far the reader of a stream is behind."""

    #: `door`, or the number of a partition.
    stream: str
    #: Entries that wait, ticks among them.
    entries: int
    #: How long the first of them has waited since it came to the door.
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSeen:
    """A worker process as it last told of itself."""

    name: str
    host: str
    pid: int
    version: str
    #: The digest of its rules.
    digest: str
    queues: tuple[str, ...]
    started_at: datetime
    seen_at: datetime
    #: Its memory, in bytes.
    resident: int = 0
    #: The bundle that its rules are of; `folder` where nothing was ever deployed.
    revision: str = ""
    #: Why it does not run what was deployed last; empty when nothing went wrong.
    failure: str = ""


#: A sum or an instant that processes keep: its name, and the values of its labels.
Series = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """One look at an installation; a part that is away says nothing."""

    at: datetime
    up: Mapping[Part, bool]
    store: StoreVitals | None = None
    #: Statistics by workflow, channel and result.
    sums: tuple[StatRow, ...] = ()
    lags: tuple[Lag, ...] = ()
    workers: tuple[WorkerSeen, ...] = ()
    #: Why this process does not run what was deployed last, where it is the only one.
    failure: str = ""
    #: What processes counted by themselves, and when something last happened.
    counted: Mapping[Series, float] = field(default_factory=dict)
    marks: Mapping[Series, float] = field(default_factory=dict)
