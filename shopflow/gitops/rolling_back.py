"""Going back to rules that were live before, and keeping the bad ones from coming back."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from shopflow.errors import Conflict, DeployRefused, SettingsError
from shopflow.gitops.bundle import Manifest
from shopflow.store.deployments import (
    FEWEST,
    SHA256,
    SHORT,
    Deployment,
    Hold,
    Move,
    label_of,
    short,
)
from shopflow.store.everybody import everybody
from shopflow.store.protocol import Store

#: A workflow's id and the digest of one of its versions.
Version = tuple[str, str]


class InFlight(StrEnum):
    """What becomes of enrolments that began on rules which are taken back."""

    KEEP = "keep"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class WayBack:
    """A rollback, worked out and not yet done."""

    bad: Deployment
    to: Deployment
    #: Versions that only the bad rules have.
    only_bad: frozenset[Version]

    @property
    def left(self) -> str:
        """The digest of the bundle that is left and held back."""
        return self.bad.newest_rules


def way_back(store: Store, wanted: str | None) -> WayBack:
    """The way to rules that were live before: those named, or the last ones that are not held.

    They are named by the number of a deployment, or the beginning of a digest or a commit.

    Raises:
        SettingsError: There is nothing to go back to, or nothing of that name.
    """
    history = store.deployments.history()
    if not history:
        raise SettingsError("nothing was ever deployed to this database; there is no way back")
    bad, *before = history
    kept = store.deployments.manifests().keys()
    if wanted is None and bad.ramp:
        # What is live for the others is where all go back to.
        origin = next(one for one in before if one.newest_rules == bad.digest)
        to = replace(origin, digest=bad.digest, ramp="", share=0.0)
    elif wanted is not None:
        to = _named(before, wanted)
        if to.digest == bad.newest_rules:
            raise SettingsError(f"{short(bad.digest)} is live already")
        if to.digest not in kept:
            raise SettingsError(
                f"{short(to.digest)} was deployed on {to.at:%Y-%m-%d} and is no longer kept, see "
                f"`bundles` in the retention policy; {_again(to)}"
            )
    else:
        held = {hold.digest for hold in store.deployments.holds()} | {bad.newest_rules}
        found = next((one for one in before if one.digest in kept - held), None)
        if found is None:
            raise SettingsError(
                f"nothing else was live before {short(bad.newest_rules)} that is kept and not held "
                "back: `shopflow versions` lists what was deployed, `shopflow pause` stops sending"
            )
        to = found
    return WayBack(bad=bad, to=to, only_bad=_versions(store, bad) - _versions(store, to))


def started(store: Store, way: WayBack) -> dict[Version, int]:
    """How many are on their way by rules that are taken back; reads every customer."""
    standing = in_flight(store)
    return {version: standing[version] for version in sorted(way.only_bad) if standing[version]}


def roll_back(
    store: Store, way: WayBack, *, in_flight: InFlight, reason: str, at: datetime, by: str
) -> Deployment:
    """The earlier rules are live again, and the bad ones are held back.

    Raises:
        DeployRefused: Something else was deployed meanwhile.
    """
    deployment = replace(
        way.to,
        number=way.bad.number + 1,
        move=Move.ROLLBACK,
        at=at,
        by=by,
        reason=reason,
        ramp="",
        share=0.0,
    )
    ended = sorted(digest for _, digest in way.only_bad) if in_flight is InFlight.END else []
    hold = Hold(
        digest=way.left,
        revision=way.bad.revision,
        reason=reason,
        at=at,
        by=by,
        ended=tuple(ended),
    )
    kept = next((one for one in store.views.rulesets() if one.digest == way.to.ruleset), None)
    row = replace(kept, deployed_at=at) if kept is not None else None
    try:
        # A hold on what becomes live again would be a contradiction.
        store.deployments.swap(deployment, ruleset=row, hold=hold, lift=True)
    except Conflict as e:
        raise DeployRefused(
            "overtaken: something else was deployed meanwhile, and nothing has changed; look at "
            "`shopflow versions` first"
        ) from e
    return deployment


def in_flight(store: Store) -> Counter[Version]:
    """How many enrolments are on their way, by workflow and version; reads every customer."""
    found: Counter[Version] = Counter()
    for customer in everybody(store):
        found.update((one.workflow, one.digest) for one in customer.enrolments)
    return found


def _versions(store: Store, deployment: Deployment) -> frozenset[Version]:
    kept = store.deployments.manifests().get(deployment.newest_rules)
    workflows = Manifest.from_json(kept).workflows if kept is not None else {}
    labels = {(name, one.version) for name, one in workflows.items()}
    # Another version of the program compiles the same to other digests.
    compiled = {
        (label[0], digest)
        for digest, document in store.views.retained_workflows().items()
        if (label := label_of(document)) in labels and label is not None
    }
    return frozenset((name, one.digest) for name, one in workflows.items()) | compiled


def _again(deployment: Deployment) -> str:
    if not deployment.revision:
        return "deploy the file that it was made as"
    return f"deploy its commit: `shopflow deploy --ref {deployment.revision[:SHORT]}`"


def _named(before: list[Deployment], wanted: str) -> Deployment:
    plain = wanted.removeprefix(SHA256)
    for one in before:
        names = (one.digest.removeprefix(SHA256), one.revision)
        if plain == str(one.number) or (
            len(plain) >= FEWEST and any(name.startswith(plain) for name in names)
        ):
            return one
    raise SettingsError(
        f"nothing named {wanted} was deployed here before; name it by the number of a deployment, "
        f"or by at least {FEWEST} signs of its digest or commit: `shopflow versions` lists them"
    )
