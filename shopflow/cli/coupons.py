"""`shopflow coupons`: codes into their pools, and what is left of them."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from shopflow.cli.options import FORMAT, PROJECT
from shopflow.domain.coupon import CodeState, is_made
from shopflow.errors import SettingsError
from shopflow.rulebook import load_project
from shopflow.runtime.app import database_url
from shopflow.runtime.code_files import BadRow, read_codes
from shopflow.runtime.embedded import wall_clock
from shopflow.store.codes import Imported, PoolStatus
from shopflow.store.opening import open_store
from shopflow.store.protocol import Store

#: Bad rows that are told one by one.
MOST_TOLD = 20


@click.group
def coupons() -> None:
    """Bring codes in, and see what is left."""


@coupons.command(name="import")
@click.argument("pool")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@FORMAT
@PROJECT
def import_codes(pool: str, file: Path, style: str, project: Path) -> int:
    """Put the codes of FILE into POOL; those that are there already stay as they are.

    FILE is a CSV file with a column `code` and, if codes end, one `ends_at`; or one code a line.
    A row that is no code is told with its reason, and the others go in.
    """
    bad: list[BadRow] = []
    with _opened(project) as (pools, store):
        if pool not in pools:
            known = ", ".join(sorted(pools)) or "none"
            raise SettingsError(
                f"no coupon in rules/coupons takes its codes from a pool '{pool}'; pools: {known}"
            )
        codes = read_codes(file, bad.append)
        imported = store.codes.add(pool, codes, now=wall_clock())
    click.echo(_told(pool, imported, bad, style))
    return 1 if bad else 0


@coupons.command(name="list")
@FORMAT
@PROJECT
def list_pools(style: str, project: Path) -> None:
    """Show each pool: codes that are left, promised, sent and used, and when the next ones end."""
    with _opened(project) as (pools, store):
        found = {status.pool: status for status in store.codes.pools(now=wall_clock())}
    for pool in pools:
        found.setdefault(pool, PoolStatus(pool=pool))
    every = [found[pool] for pool in sorted(found)]
    if style == "json":
        click.echo(json.dumps([_as_json(status) for status in every], indent=2))
        return
    for status in every:
        click.echo(_line(status))
    if not every:
        click.echo("no coupon has codes")


@coupons.command
@click.argument("pool")
@PROJECT
def export(pool: str, project: Path) -> None:
    """Write the codes of POOL as CSV: what became of each, whose it is, and until when."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["code", "state", "customer_id", "promised_until", "ends_at", "changed_at"])
    with _opened(project) as (_, store):
        for one in store.codes.of_pool(pool):
            moments = (one.promised_until, one.ends_at, one.changed_at)
            times = [_time(moment) for moment in moments]
            writer.writerow([one.code, one.state.value, one.customer_id, *times])


@contextmanager
def _opened(root: Path) -> Iterator[tuple[set[str], Store]]:
    """The pools that coupons draw from, and the store; whoever runs on it may go on."""
    loaded = load_project(root)
    every = loaded.ruleset.coupons.values()
    project = loaded.project
    store = open_store(database_url(project), partitions=project.partitions)
    try:
        yield {one.imported_pool for one in every if one.imported_pool}, store
    finally:
        store.close()


def _told(pool: str, imported: Imported, bad: Sequence[BadRow], style: str) -> str:
    if style == "json":
        told = [{"line": one.line, "reason": one.reason} for one in bad]
        counts = {"new": imported.new, "known": imported.known, "bad": len(bad)}
        return json.dumps({"pool": pool, **counts, "bad_rows": told}, indent=2)
    lines = [f"{pool}: {imported.new:,} codes are new, {imported.known:,} were there already"]
    lines += [f"line {one.line}: {one.reason}" for one in bad[:MOST_TOLD]]
    if len(bad) > MOST_TOLD:
        lines.append(f"… and {len(bad) - MOST_TOLD:,} more")
    return "\n".join(lines)


def _as_json(status: PoolStatus) -> dict[str, object]:
    left = status.counts.get(CodeState.FREE, 0) - status.ended
    return {
        "pool": status.pool,
        "left": None if is_made(status.pool) else left,
        "ended": status.ended,
        "reserved": status.counts.get(CodeState.RESERVED, 0),
        "issued": status.counts.get(CodeState.ISSUED, 0),
        "used": status.counts.get(CodeState.USED, 0),
        "next_end": _time(status.next_end) or None,
    }


def _line(status: PoolStatus) -> str:
    told = _as_json(status)
    left = "made as needed" if told["left"] is None else f"{told['left']:,} left"
    parts = [left, *(f"{told[name]:,} {name}" for name in ("reserved", "issued", "used"))]
    if status.ended:
        parts.append(f"{status.ended:,} ended unused")
    if status.next_end is not None:
        parts.append(f"the next ends {_time(status.next_end)}")
    return f"{status.pool}: {', '.join(parts)}"


def _time(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
