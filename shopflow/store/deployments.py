"""What was put to work, when and by whom: records of it, and what a store does for them.

The history only grows. Its last row says which bundle is live, so that adding a row is the one
step by which rules change: whoever adds it second finds its number taken.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from shopflow.store.records import StoredRuleset

#: How every digest of a bundle begins.
SHA256 = "sha256:"
#: Signs of a digest that people are shown.
SHORT = 12
#: The fewest signs by which a digest or a commit may be named.
FEWEST = 6
#: A workflow's id and the version that its file says.
Label = tuple[str, int]
#: How rules are called that no deployment put to work.
FOLDER = "folder"


def label_of(document: object) -> Label | None:
    """What people call the workflow of a kept document; None when it is of none."""
    if not isinstance(document, Mapping) or "id" not in document:
        return None
    return str(document["id"]), int(document.get("version") or 1)


def short(digest: str) -> str:
    """The digest of a bundle, as long as people need it."""
    return digest.removeprefix(SHA256)[:SHORT]


def named(digests: Iterable[str], wanted: str) -> str | None:
    """The digest that begins so; None where none does, or several, or too few signs are given."""
    beginning = SHA256 + wanted.removeprefix(SHA256)
    found = [digest for digest in digests if digest.startswith(beginning)]
    return found[0] if len(found) == 1 and len(beginning) >= len(SHA256) + FEWEST else None


def revision_of(deployment: Deployment | None) -> str:
    """How the rules of a deployment are told from others: by the digest, or `folder`."""
    return short(deployment.newest_rules) if deployment is not None else FOLDER


class Move(StrEnum):
    """Why the live bundle changed."""

    DEPLOY = "deploy"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One row of the history."""

    #: Counted from 1.
    number: int
    move: Move
    #: The bundle that is live from here on.
    digest: str
    #: The commit that it was made of; empty when none is known.
    revision: str
    #: What it compiled to; the workflows are kept under this digest.
    ruleset: str
    at: datetime
    by: str
    reason: str = ""
    #: The bundle whose workflows a share of the customers gets meanwhile; empty when there is none.
    ramp: str = ""
    #: That share, 0 to 1.
    share: float = 0.0

    @property
    def ramped(self) -> str:
        """Which share gets which bundle meanwhile, for people; empty when all get the same."""
        return f"{self.share:.0%} get {short(self.ramp)}" if self.ramp else ""

    @property
    def newest_rules(self) -> str:
        """The bundle that everything but workflows comes from."""
        return self.ramp or self.digest


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBundle:
    """A bundle as it is kept."""

    digest: str
    #: What it says of itself, as JSON.
    manifest: bytes
    #: The whole archive.
    content: bytes
    kept_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A bundle that is not to come back."""

    digest: str
    revision: str
    reason: str
    at: datetime
    by: str
    #: Digests of workflows whose enrolments end at their next input instead of going on.
    ended: tuple[str, ...] = ()


class Deployments(Protocol):
    """The deployments of one installation."""

    def newest(self) -> Deployment | None:
        """The one that counts; None when rules come from the folder."""

    def newest_number(self) -> int:
        """Its number, at little cost; 0 when there is none."""

    def history(self, *, limit: int | None = 1_000) -> list[Deployment]:
        """The newest first; all of them without a limit."""

    def bundle(self, digest: str) -> StoredBundle | None:
        """The bundle of that digest."""

    def manifests(self) -> dict[str, bytes]:
        """What each kept bundle says of itself, by digest."""

    def holds(self) -> list[Hold]:
        """The bundles that are not to come back, the newest first."""

    def swap(
        self,
        deployment: Deployment,
        *,
        bundle: StoredBundle | None = None,
        ruleset: StoredRuleset | None = None,
        hold: Hold | None = None,
        lift: bool = False,
    ) -> None:
        """The deployment is the newest, in one step with all that comes with it.

        A bundle that is kept already stays as it is; `lift` takes back the hold of its digest.

        Raises:
            Conflict: Its number is taken: somebody else was quicker, and nothing was written.
        """

    def rewrite_ruleset(
        self, seen: StoredRuleset, document: Mapping[str, object] | None, *, newest: int
    ) -> None:
        """The ruleset has another document, or is gone without one.

        Nothing happens where it was deployed again since it was seen, or where another deployment
        is the newest.
        """

    def forget_bundles(self, digests: Collection[str], *, newest: int) -> None:
        """These bundles are gone; nothing happens where another deployment is the newest."""
