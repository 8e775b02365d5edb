"""By which secrets a project's links, hashes and codes are made."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b

from shopflow.errors import SettingsError
from shopflow.lang.project import Project
from shopflow.runtime.envelope import Mode
from shopflow.runtime.hashes import HASH_SECRET, Hashes, hashes_of
from shopflow.runtime.links import NOWHERE, Keyring, Links
from shopflow.store.keys import StoredKey

log = logging.getLogger("shopflow.app")

#: The fewest signs of a secret that nobody may guess; `openssl rand -hex 32` gives 64.
LEAST = 16
#: Where the pages that links lead to are, and the secret that links are sealed with.
LINKS_URL, LINKS_SECRET = "SHOPFLOW_LINKS_URL", "SHOPFLOW_LINKS_SECRET"
#: Secrets that were used before, with spaces between them: their unsubscribes still count.
LINKS_FORMER_SECRETS = "SHOPFLOW_LINKS_FORMER_SECRETS"


def links_of(
    project: Project,
    environment: Mapping[str, str],
    keys: Callable[[], Sequence[StoredKey]] = lambda: (),
) -> Links:
    """How links are made here, by these keys.

    Outside of production they lead nowhere unless told otherwise. In production a link that leads
    nowhere must not be sent: without an address there is none, and no marketing mail either.
    """
    live = Mode(project.delivery.mode.value) is Mode.LIVE
    url, secret = environment.get(LINKS_URL, ""), environment.get(LINKS_SECRET, "").encode()
    if url and not secret:
        raise SettingsError(
            f"{LINKS_SECRET}: is missing; links to {url} need a secret to seal them"
        )
    if live and not url:
        log.warning("%s is not set: mails that need a way out will not be sent", LINKS_URL)
    check_secrets(environment, [LINKS_SECRET, HASH_SECRET])
    former = environment.get(LINKS_FORMER_SECRETS, "").encode().split()
    return Links(
        keyring=Keyring(secrets=(secret or _own_key(project), *former), read=keys),
        base_url=url or ("" if live else NOWHERE),
        contact=project.sender.contact,
    )


def check_secrets(environment: Mapping[str, str], names: Iterable[str]) -> None:
    """Every secret that is set is long enough.

    Raises:
        SettingsError: One of them can be guessed; says which, and never its value.
    """
    for name in names:
        length = len(environment.get(name, ""))
        if 0 < length < LEAST:
            raise SettingsError(
                f"{name}: has {length} signs, which can be guessed; at least {LEAST} are wanted: "
                "`openssl rand -hex 32` makes a good one"
            )


def project_hashes(project: Project) -> Hashes:
    """By which the project knows suppressed addresses and erased persons."""
    check_secrets(os.environ, [LINKS_SECRET, HASH_SECRET])
    key = os.environ.get(LINKS_SECRET, "").encode() or _own_key(project)
    return hashes_of(os.environ, key, project)


def salt_of(project: Project, environment: Mapping[str, str]) -> str:
    """What makes codes hard to guess here: it follows from the secret that seals links."""
    key = environment.get(LINKS_SECRET, "").encode() or _own_key(project)
    return blake2b(key, person=b"shopflow codes").hexdigest()


def _own_key(project: Project) -> bytes:
    # Without a secret of its own a development machine seals with what it is, which proves nothing.
    return blake2b(f"development {project.root}".encode()).digest()
