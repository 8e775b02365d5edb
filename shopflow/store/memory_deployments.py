"""Deployments in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from shopflow.errors import Conflict
from shopflow.store.deployments import Deployment, Hold, StoredBundle
from shopflow.store.memory_state import State
from shopflow.store.records import StoredRuleset


class MemoryDeployments:
    """A `Deployments` over the state."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._bundles: dict[str, StoredBundle] = {}
        self._holds: dict[str, Hold] = {}

    def newest(self) -> Deployment | None:
        """See `Deployments`."""
        return self._state.deployments[-1] if self._state.deployments else None

    def newest_number(self) -> int:
        """See `Deployments`."""
        return len(self._state.deployments)

    def history(self, *, limit: int | None = 1_000) -> list[Deployment]:
        """See `Deployments`."""
        return self._state.deployments[::-1][:limit]

    def bundle(self, digest: str) -> StoredBundle | None:
        """See `Deployments`."""
        return self._bundles.get(digest)

    def manifests(self) -> dict[str, bytes]:
        """See `Deployments`."""
        return {digest: one.manifest for digest, one in self._bundles.items()}

    def holds(self) -> list[Hold]:
        """See `Deployments`."""
        return sorted(self._holds.values(), key=lambda hold: (hold.at, hold.digest), reverse=True)

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
        with self._state.changing():
            if deployment.number != len(self._state.deployments) + 1:
                raise Conflict(f"deployment {deployment.number} is there already")
            if bundle is not None:
                self._bundles.setdefault(bundle.digest, bundle)
            if ruleset is not None:
                self._state.put(self._state.rulesets, ruleset.digest, ruleset)
            if lift:
                self._holds.pop(deployment.digest, None)
            if hold is not None:
                self._holds[hold.digest] = hold
            self._state.deployments.append(deployment)

    def rewrite_ruleset(
        self, seen: StoredRuleset, document: Mapping[str, object] | None, *, newest: int
    ) -> None:
        """See `Deployments`."""
        table = self._state.rulesets
        with self._state.changing():
            kept = table.get(seen.digest)
            if kept is None or kept.deployed_at != seen.deployed_at:
                return
            if self.newest_number() != newest:
                return
            if document is None:
                self._state.drop(table, seen.digest)
            else:
                self._state.put(table, seen.digest, replace(kept, document=document))

    def forget_bundles(self, digests: Collection[str], *, newest: int) -> None:
        """See `Deployments`."""
        with self._state.changing():
            if self.newest_number() == newest:
                for digest in digests:
                    self._bundles.pop(digest, None)
