"""Trials in the SQL store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, select, update

from shopflow.domain.ids import StepId, TrialId, WorkflowId
from shopflow.domain.trial import CountResult, Result, Trial
from shopflow.store import tables
from shopflow.store.sql import rows, shapes
from shopflow.store.sql.database import Database
from shopflow.store.tables import instant, micros
from shopflow.store.trials import KeptTrial


def begin(database: Database, connection: Connection, trials: Sequence[Trial]) -> list[Trial]:
    """See `TrialWrites`."""
    kept = sorted(_row(trial) for trial in trials)
    database.dialect.insert(connection, shapes.TRIALS, kept)
    return [one.trial for one in _of(connection, {trial.id for trial in trials})]


def count(database: Database, connection: Connection, results: Iterable[CountResult]) -> None:
    """The branches have so many more; sorted, so that writers never deadlock."""
    counted = Counter(
        (
            one.watch.trial,
            # The customer's own partition: its one reader is who writes here.
            database.partition_of(one.customer_id),
            one.watch.branch,
            one.result.value,
        )
        for one in results
    )
    kept = sorted((*key, number) for key, number in counted.items())
    database.dialect.insert(connection, shapes.TRIAL_RESULTS, kept)


def decide(connection: Connection, trial: TrialId, winner: str) -> bool:
    """See `TrialWrites`."""
    table = tables.trials
    open_one = update(table).where(table.c.id == trial, table.c.winner == "")
    return bool(connection.execute(open_one.values(winner=winner)).rowcount)


def one_of(connection: Connection, trial: TrialId) -> KeptTrial | None:
    """See `TrialReads`."""
    return next(iter(_of(connection, {trial})), None)


def latest(connection: Connection, limit: int) -> list[KeptTrial]:
    """See `TrialReads`."""
    table = tables.trials
    newest = select(table.c.id).order_by(table.c.begun_at.desc(), table.c.id).limit(limit)
    return _of(connection, set(connection.execute(newest).scalars()))


def _of(connection: Connection, ids: Collection[str]) -> list[KeptTrial]:
    """Those that are kept, the newest first."""
    table, results = tables.trials, tables.trial_results
    wanted = select(table).where(table.c.id.in_(sorted(ids)))
    counted = select(results).where(results.c.trial.in_(sorted(ids)))
    counts: dict[str, dict[str, dict[Result, int]]] = {}
    for row in connection.execute(counted).mappings():
        of_branch = counts.setdefault(row["trial"], {}).setdefault(row["branch"], {})
        result = Result(row["result"])
        of_branch[result] = of_branch.get(result, 0) + row["count"]
    ordered = wanted.order_by(table.c.begun_at.desc(), table.c.id)
    return [
        KeptTrial(trial=_trial(row), counts=counts.get(row["id"], {}))
        for row in connection.execute(ordered).mappings()
    ]


def _row(trial: Trial) -> tuple[Any, ...]:
    return (
        trial.id,
        trial.workflow,
        trial.version,
        trial.digest,
        trial.step,
        trial.run,
        micros(trial.begun_at),
        micros(trial.decide_at),
        rows.to_json(list(trial.branches), f"trial {trial.id}"),
        trial.by.value,
        trial.winner,
    )


def _trial(row: RowMapping) -> Trial:
    return Trial(
        id=TrialId(row["id"]),
        workflow=WorkflowId(row["workflow"]),
        version=row["version"],
        digest=row["digest"],
        step=StepId(row["step"]),
        run=row["run"],
        begun_at=instant(row["begun_at"]),
        decide_at=instant(row["decide_at"]),
        branches=tuple(rows.from_json(row["branches"])),
        by=Result(row["by"]),
        winner=row["winner"],
    )
