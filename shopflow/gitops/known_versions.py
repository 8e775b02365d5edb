"""Every version of every workflow that a database knows, and whether anybody is still on it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shopflow.gitops.bundle import Manifest
from shopflow.gitops.rolling_back import in_flight
from shopflow.store.deployments import label_of
from shopflow.store.protocol import Store
from shopflow.store.records import retained_workflows


class Phase(StrEnum):
    """Where a version is in its life."""

    #: It is live: enrolments begin on it.
    ACTIVE = "active"
    #: Another one is live, or none, and some are still on their way by it.
    DRAINING = "draining"
    #: Nobody is on it.
    DRAINED = "drained"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownVersion:
    """One version of a workflow."""

    workflow: str
    version: int
    digest: str
    phase: Phase
    enrolments: int


def known_versions(store: Store) -> list[KnownVersion]:
    """All of them, by workflow and version; reads every customer once."""
    live, standing = _live(store), in_flight(store)
    known = {
        (name, one.digest): one.version
        for text in store.deployments.manifests().values()
        for name, one in Manifest.from_json(text).workflows.items()
    } | {
        (label[0], digest): label[1]
        for digest, document in store.views.retained_workflows().items()
        if (label := label_of(document)) is not None
    }
    found = []
    for (workflow, digest), version in sorted(known.items(), key=lambda one: (one[0][0], one[1])):
        count = standing[workflow, digest]
        phase = Phase.DRAINING if count else Phase.DRAINED
        found.append(
            KnownVersion(
                workflow=workflow,
                version=version,
                digest=digest,
                phase=Phase.ACTIVE if digest in live else phase,
                enrolments=count,
            )
        )
    return found


def _live(store: Store) -> set[str]:
    """The digests of the workflows that are live."""
    newest = store.deployments.newest()
    if newest is not None:
        kept = store.deployments.manifests()
        at_work = {newest.digest, newest.newest_rules}
        return {
            one.digest
            for digest in at_work
            for one in Manifest.from_json(kept[digest]).workflows.values()
        }
    return set(retained_workflows(store.views.rulesets()[:1]))
