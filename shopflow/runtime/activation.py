"""Which rules a process runs: those deployed last, or the folder's where none ever were.

A process looks for newer ones between batches. They are made ready beside those at work, and one
assignment puts them in their place; when they cannot be made ready, nothing changes, and why is
told. Nothing about a customer lives in what is replaced, so taking rules up sends nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TypeVar

from shopflow.domain.ruleset import Ramp
from shopflow.errors import BundleRefused, SettingsError, ShopflowError, StoreError
from shopflow.gitops.bundle import Bundle, Manifest, folder_digest
from shopflow.gitops.deploying import laid_out
from shopflow.rulebook import LoadedProject, load_project
from shopflow.runtime.faults import place_of
from shopflow.runtime.older_versions import keep_documents
from shopflow.store.deployments import Deployment, revision_of, short
from shopflow.store.protocol import Store
from shopflow.store.records import StoredRuleset

log = logging.getLogger("shopflow.app")

Ready = TypeVar("Ready")

#: Seconds between two looks whether something was deployed.
LOOK = 1.0
#: Seconds after which rules that could not be taken up are tried again.
AGAIN = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """Rules ready to be run, and the deployment that they are of; None for the folder's own."""

    loaded: LoadedProject
    deployment: Deployment | None = None
    #: Whose workflows are others meanwhile; None when everybody's are the same.
    ramp: Ramp | None = None

    @property
    def number(self) -> int:
        """The number of the deployment; 0 for the folder's own rules."""
        return self.deployment.number if self.deployment is not None else 0

    @property
    def revision(self) -> str:
        """The rules as people and metrics know them: the digest of the bundle, or `folder`."""
        return revision_of(self.deployment)


def activate(root: Path, store: Store) -> Activation:
    """The rules that the store says are live, or the folder's where nothing was ever deployed.

    Raises:
        RulesInvalid: They cannot be run; carries every problem.
        BundleRefused: What the store keeps is damaged.
    """
    deployment = store.deployments.newest()
    if deployment is None:
        return Activation(loaded=load_project(root, kept=True).require())
    return of_deployment(root, store, deployment)


def of_deployment(root: Path, store: Store, deployment: Deployment) -> Activation:
    """What the deployment says is at work, made ready; see `load_deployed` for what is raised."""
    loaded = load_deployed(root, store, deployment.newest_rules)
    keep_documents(store, loaded, datetime.now(UTC))
    ramp = None
    if deployment.ramp:
        before = load_deployed(root, store, deployment.digest)
        keep_documents(store, before, datetime.now(UTC))
        others = before.ruleset.workflows
        ramp = Ramp(share=deployment.share, salt=deployment.ramp, others=others)
    return Activation(loaded=loaded, deployment=deployment, ramp=ramp)


def load_deployed(root: Path, store: Store, digest: str) -> LoadedProject:
    """The bundle of that digest, compiled under the settings of the project at `root`.

    Raises:
        RulesInvalid: It cannot be run here; carries every problem.
        BundleRefused: What the store keeps is damaged, or of a newer program.
    """
    kept = store.deployments.bundle(digest)
    if kept is None:
        raise BundleRefused(
            f"the database says that {short(digest)} is live, and does not keep it: "
            "restore the table `bundles`, or deploy again"
        )
    bundle = Bundle.from_bytes(kept.content)
    if bundle.digest != digest:
        raise BundleRefused(f"the database keeps another bundle as {short(digest)}")
    with laid_out(bundle) as rules:
        loaded = load_project(root, kept=True, rules=rules).require()
        # Its files are about to go.
        documents = loaded.sources
        context = loaded.context
    return replace(loaded, make_sources=lambda: documents, make_context=lambda: context)


def warn_of_difference(root: Path, deployment: Deployment | None) -> None:
    """Says so when the folder holds other rules than those that are run."""
    if deployment is None:
        return
    try:
        same = folder_digest(root) == deployment.digest
    except (SettingsError, OSError):
        # A folder without rules of its own is how production usually looks.
        return
    if not same:
        log.warning(
            "the rules of %s are not those that are run: %s was deployed to this database, and "
            "only `shopflow deploy` changes that",
            root,
            short(deployment.digest),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Rules that could not be taken up: the number of their deployment, and why."""

    number: int
    message: str


class Lookout:
    """Looks, at most once a second, whether something else is live than what is at work."""

    def __init__(
        self,
        root: Path,
        store: Store,
        active: Activation,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._root = root
        self._store = store
        self._clock = clock
        self._looked_at = clock()
        self._failed_at = 0.0
        self._moved = False
        self.active = active
        #: Why what is live is not at work here; None when it is.
        self.failure: Failure | None = None

    def has_moved(self) -> bool:
        """True when something else is live; costs a comparison most of the time."""
        now = self._clock()
        if now - self._looked_at < LOOK:
            return self._moved
        self._looked_at = now
        try:
            newest = self._store.deployments.newest_number()
        except StoreError as e:
            # Whoever works next meets the same error, and says so.
            log.info("whether rules were deployed cannot be told: %s", e)
            return self._moved
        failed = self.failure is not None and self.failure.number == newest
        retried = now - self._failed_at >= AGAIN
        self._moved = newest != self.active.number and (not failed or retried)
        return self._moved

    def take_up(self, ready: Callable[[Activation], Ready]) -> Ready | None:
        """What `ready` makes of newer rules, which are at work here from now on.

        None when there are none, or when they cannot be made ready: then the old ones go on.
        """
        if not self.has_moved():
            return None
        self._moved = False
        number = 0
        try:
            deployment = self._store.deployments.newest()
            if deployment is None or deployment.number == self.active.number:
                return None
            number = deployment.number
            active = of_deployment(self._root, self._store, deployment)
            made = ready(active)
        except Exception as e:  # noqa: BLE001 - whatever it is, the rules at work stay at work
            told = str(e) if isinstance(e, ShopflowError) else place_of(e)
            self._failed_at = self._clock()
            self.failure = Failure(number=number, message=told)
            log.error("rules cannot be taken up, the old ones go on: %s", told)  # noqa: TRY400 - it says what to do, the place does not
            return None
        self.active, self.failure = active, None
        log.info("rules taken up", extra={"deployment": active.number, "rules": active.revision})
        return made


def live_since(
    history: Sequence[StoredRuleset],
    deployments: Sequence[Deployment] = (),
    manifests: Mapping[str, bytes] | None = None,
) -> dict[str, datetime]:
    """Since which revision each workflow has been deployed without a gap; the newest come first."""
    since: dict[str, datetime] = {}
    for at, ids in _steps(history, deployments, manifests or {}):
        since = {name: since.get(name, at) for name in ids}
    return since


def _steps(
    history: Sequence[StoredRuleset],
    deployments: Sequence[Deployment],
    manifests: Mapping[str, bytes],
) -> list[tuple[datetime, set[str]]]:
    """The workflows that there were from each instant on, the oldest first."""
    compiled = {one.ruleset for one in deployments}
    of_folder = [
        (one.deployed_at, _ids(one)) for one in reversed(history) if one.digest not in compiled
    ]
    named = cache(lambda digest: set(Manifest.from_json(manifests[digest]).workflows))
    deployed = [
        (one.at, set().union(*map(named, {one.digest, one.newest_rules} & manifests.keys())))
        for one in reversed(deployments)
    ]
    return sorted([*of_folder, *deployed], key=lambda step: step[0])


def _ids(revision: StoredRuleset) -> set[str]:
    documents = revision.document.get("workflows", {})
    workflows = documents.values() if isinstance(documents, Mapping) else ()
    return {str(one["id"]) for one in workflows if isinstance(one, Mapping) and "id" in one}
