"""Deployments in SQL."""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from shopflow.errors import Conflict
from shopflow.store import tables
from shopflow.store.deployments import Deployment, Hold, StoredBundle
from shopflow.store.records import StoredRuleset
from shopflow.store.sql import rows, shapes
from shopflow.store.sql.database import Database, again
from shopflow.store.tables import instant, micros

_MILLION = 1_000_000
_D, _B, _H, _R = tables.deployments, tables.bundles, tables.holds, tables.rulesets


class SqlDeployments:
    """A `Deployments` over its tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @again
    def newest(self) -> Deployment | None:
        """See `Deployments`."""
        return next(iter(self.history(limit=1)), None)

    @again
    def newest_number(self) -> int:
        """See `Deployments`."""
        with self._database.reading() as connection:
            return connection.execute(select(func.max(_D.c.number))).scalar() or 0

    @again
    def history(self, *, limit: int | None = 1_000) -> list[Deployment]:
        """See `Deployments`."""
        wanted = select(_D).order_by(_D.c.number.desc()).limit(limit)
        with self._database.reading() as connection:
            return [rows.deployment(row) for row in connection.execute(wanted)]

    @again
    def bundle(self, digest: str) -> StoredBundle | None:
        """See `Deployments`."""
        with self._database.reading() as connection:
            row = connection.execute(select(_B).where(_B.c.digest == digest)).first()
        if row is None:
            return None
        return StoredBundle(
            digest=row.digest,
            manifest=row.manifest.encode(),
            content=zlib.decompress(b64decode(row.content)),
            kept_at=instant(row.kept_at),
        )

    @again
    def manifests(self) -> dict[str, bytes]:
        """See `Deployments`."""
        with self._database.reading() as connection:
            found = connection.execute(select(_B.c.digest, _B.c.manifest))
            return {digest: manifest.encode() for digest, manifest in found}

    @again
    def holds(self) -> list[Hold]:
        """See `Deployments`."""
        wanted = select(_H).order_by(_H.c.at.desc(), _H.c.digest.desc())
        with self._database.reading() as connection:
            return [
                Hold(
                    digest=row.digest,
                    revision=row.revision,
                    reason=row.reason,
                    at=instant(row.at),
                    by=row.by,
                    ended=tuple(rows.from_json(row.ended)),
                )
                for row in connection.execute(wanted)
            ]

    def swap(
        self,
        deployment: Deployment,
        *,
        bundle: StoredBundle | None = None,
        ruleset: StoredRuleset | None = None,
        hold: Hold | None = None,
        lift: bool = False,
    ) -> None:
        """See `Deployments`."""
        insert_all = self._database.dialect.insert
        with self._database.writing() as connection:
            try:
                # First, so that of two at once the second one writes nothing at all.
                connection.execute(insert(_D).values(_values(deployment)))
            except IntegrityError as e:
                raise Conflict(f"deployment {deployment.number} is there already") from e
            if lift:
                connection.execute(delete(_H).where(_H.c.digest == deployment.digest))
            if bundle is not None:
                insert_all(connection, shapes.BUNDLES, [_bundle_row(bundle)])
            if ruleset is not None:
                document = rows.to_json(dict(ruleset.document), f"ruleset {ruleset.digest}")
                kept = (ruleset.digest, micros(ruleset.deployed_at), document)
                insert_all(connection, shapes.RULESETS, [kept])
            if hold is not None:
                insert_all(connection, shapes.HOLDS, [_hold_row(hold)])

    @again
    def rewrite_ruleset(
        self, seen: StoredRuleset, document: Mapping[str, object] | None, *, newest: int
    ) -> None:
        """See `Deployments`."""
        same = (
            _R.c.digest == seen.digest,
            _R.c.deployed_at == micros(seen.deployed_at),
            _is_newest(newest),
        )
        with self._database.writing() as connection:
            if document is None:
                connection.execute(delete(_R).where(*same))
            else:
                text = rows.to_json(dict(document), f"ruleset {seen.digest}")
                connection.execute(update(_R).where(*same).values(document=text))

    @again
    def forget_bundles(self, digests: Collection[str], *, newest: int) -> None:
        """See `Deployments`."""
        with self._database.writing() as connection:
            for digest in sorted(digests):
                connection.execute(delete(_B).where(_B.c.digest == digest, _is_newest(newest)))


def _is_newest(number: int) -> ColumnElement[bool]:
    return select(func.coalesce(func.max(_D.c.number), 0)).scalar_subquery() == number


def _bundle_row(bundle: StoredBundle) -> tuple[Any, ...]:
    # As text, which goes the way of all other rows.
    content = b64encode(zlib.compress(bundle.content)).decode()
    return bundle.digest, bundle.manifest.decode(), content, micros(bundle.kept_at)


def _hold_row(hold: Hold) -> tuple[Any, ...]:
    ended = rows.to_json(list(hold.ended), f"hold {hold.digest}")
    return hold.digest, hold.revision, hold.reason, micros(hold.at), hold.by, ended


def _values(deployment: Deployment) -> dict[str, Any]:
    return {
        "number": deployment.number,
        "move": deployment.move.value,
        "digest": deployment.digest,
        "revision": deployment.revision,
        "ruleset": deployment.ruleset,
        "at": micros(deployment.at),
        "by": deployment.by,
        "reason": deployment.reason,
        "ramp": deployment.ramp,
        "share": round(deployment.share * _MILLION),
    }
