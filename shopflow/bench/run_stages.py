"""Where the time of `bench run` goes: each stage's own share, without those inside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from time import perf_counter
from typing import Any

from shopflow.engine.index import RuleIndex
from shopflow.runtime.ingest import Ingest
from shopflow.runtime.queue.streams import Streams
from shopflow.runtime.workset import Workset
from shopflow.store.sql import rows
from shopflow.store.sql.batch import SqlBatch
from shopflow.store.sql.postgres import Postgres
from shopflow.store.sql.sqlite import Sqlite

#: Stage -> the functions that are it: where they are kept, and their names.
STAGES: dict[str, tuple[tuple[Any, str], ...]] = {
    "read the stream": ((Streams, "read"),),
    "trim the stream": ((Streams, "trim"), (Streams, "went_back")),
    "decode, validate": ((Ingest, "read"),),
    "due timers, inbox": ((SqlBatch, "due"), (SqlBatch, "take_inbox")),
    "events": ((SqlBatch, "accept_events"),),
    "customers read": ((SqlBatch, "load"),),
    "customers decode": ((rows, "customer_of"),),
    "match": ((RuleIndex, "lookup"),),
    "decide": ((Workset, "decide"),),
    "encode": tuple((rows, f"{name}_row") for name in ("customer", "event", "journal", "message")),
    "write": (
        *((kind, name) for kind in (Postgres, Sqlite) for name in ("insert", "insert_new")),
        (Workset, "write"),
        (SqlBatch, "flush"),
    ),
}
REST = "begin, commit, the rest"


class Stages:
    """Stopwatches, of which one runs at a time."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = dict.fromkeys([*STAGES, REST], 0.0)
        self._running = [REST]
        self._since = perf_counter()

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, its time counted for the stage and not for the one around it."""

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            self._turn()
            self._running.append(stage)
            try:
                return function(*args, **kwargs)
            finally:
                self._turn()
                self._running.pop()

        return call

    def _turn(self) -> None:
        now = perf_counter()
        self.seconds[self._running[-1]] += now - self._since
        self._since = now


@contextmanager
def watched() -> Iterator[dict[str, float]]:
    """Seconds by stage of what runs inside, complete when it ends."""
    with ExitStack() as patched:
        stages = Stages()
        for stage, places in STAGES.items():
            for owner, name in places:
                plain = getattr(owner, name)
                setattr(owner, name, stages.timed(stage, plain))
                patched.callback(setattr, owner, name, plain)
        yield stages.seconds
        stages._turn()  # noqa: SLF001 - the last lap
