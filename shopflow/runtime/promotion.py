"""Promotion: a bundle goes from one environment to the next as it is.

It is read from the other environment's database, by that environment's settings. Whether it may be
put to work here is asked as of any other bundle.
"""

from __future__ import annotations

from shopflow.errors import DeployRefused, SettingsError
from shopflow.gitops.bundle import Bundle
from shopflow.lang.names import did_you_mean
from shopflow.lang.project import Project, process_environment
from shopflow.lang.repository import ENVIRONMENTS, PROJECT_FILE
from shopflow.rulebook import load_settings
from shopflow.runtime.app import database_url
from shopflow.runtime.environment import environment_of
from shopflow.store.deployments import FEWEST, named, short
from shopflow.store.opening import open_store
from shopflow.store.protocol import Store

#: The variable by which a process is told its environment.
ENVIRONMENT = "SHOPFLOW_ENV"


def promoted(here: Project, source: str, wanted: str | None, *, lift: bool) -> Bundle:
    """The bundle that is live in the environment `source`, or the one of that digest there.

    The digest may be cut short. With `lift`, it may be one that is held back there.

    Raises:
        SettingsError: There is no such environment or bundle, or its database is not its own.
        DeployRefused: It was rolled back there.
        StoreError: That database cannot be opened.
    """
    there = _settings_of(here, source)
    store = open_store(database_url(there), partitions=there.partitions, create=False)
    try:
        if (owner := environment_of(store, there)) != source:
            raise SettingsError(
                f"the settings of '{source}' lead from here to the database of '{owner}': let "
                f"`database` in {ENVIRONMENTS}/{source}.yaml name {source}'s own, by a variable of "
                "its own if need be"
            )
        digest = _live(store, source) if wanted is None else _named(store, source, wanted)
        if not lift:
            _require_not_held(store, source, digest)
        kept = store.deployments.bundle(digest)
    finally:
        store.close()
    if kept is None:
        raise SettingsError(f"the database of '{source}' no longer keeps {short(digest)}")
    return Bundle.from_bytes(kept.content)


def _settings_of(here: Project, source: str) -> Project:
    """The project's settings as another environment has them."""
    if source == here.environment:
        raise SettingsError(
            f"'{source}' is this environment: name the one that the bundle was tried in, and set "
            f"{ENVIRONMENT} to the one that it goes to"
        )
    known = sorted(path.stem for path in (here.root / ENVIRONMENTS).glob("*.yaml"))
    if source not in known:
        hint = did_you_mean(source, known, label="environments")
        raise SettingsError(f"there is no {ENVIRONMENTS}/{source}.yaml; {hint}")
    there = load_settings(here.root, env={**process_environment(), ENVIRONMENT: source})
    if there.environment != source:
        raise SettingsError(
            f"{PROJECT_FILE} says `environment: {there.environment}` for every environment: write "
            f"${{{ENVIRONMENT}:-{there.environment}}} there, so that '{source}' has settings too"
        )
    return there


def _live(store: Store, source: str) -> str:
    newest = store.deployments.newest()
    if newest is None:
        raise SettingsError(f"nothing was ever deployed to the database of '{source}'")
    if newest.ramp:
        raise SettingsError(
            f"two bundles are at work in '{source}' ({newest.ramped}, all others "
            f"{short(newest.digest)}): name the one that is meant"
        )
    return newest.digest


def _named(store: Store, source: str, wanted: str) -> str:
    found = named(store.deployments.manifests(), wanted)
    if found is None:
        raise SettingsError(
            f"no bundle {wanted} was deployed to the database of '{source}': give at least "
            f"{FEWEST} signs of a digest that `{ENVIRONMENT}={source} shopflow versions` lists"
        )
    return found


def _require_not_held(store: Store, source: str, digest: str) -> None:
    for hold in store.deployments.holds():
        if hold.digest == digest:
            raise DeployRefused(
                f"not deployed: {short(digest)} was rolled back in '{source}' by {hold.by} on "
                f"{hold.at:%Y-%m-%d %H:%M} UTC: {hold.reason}; --lift-hold REASON lets it pass"
            )
