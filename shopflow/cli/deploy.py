"""`shopflow deploy`: rules put to work, once everything that can fail has not."""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from shopflow.cli.bundle import kept_bundle, read_bundle
from shopflow.cli.main import CLEAN, FINDINGS
from shopflow.cli.options import FORMAT, PROJECT, tell
from shopflow.errors import SettingsError
from shopflow.gitops.bundle import Provenance, bundle_of, is_digest
from shopflow.gitops.deploying import (
    Approved,
    Candidate,
    Leave,
    Proposal,
    Side,
    compiled,
    compiled_folder,
    proposed,
)
from shopflow.gitops.deploying import deploy as swap
from shopflow.gitops.revision import provenance_of, revision
from shopflow.gitops.shadowing import shadowed
from shopflow.lang.project import Project
from shopflow.rulebook import load_settings
from shopflow.runtime.app import database_url
from shopflow.runtime.environment import hold_environment
from shopflow.runtime.promotion import promoted
from shopflow.store.deployments import short
from shopflow.store.opening import open_store
from shopflow.store.protocol import Store

#: Who deploys, where that is not the user of this machine: set by CI.
ACTOR = "SHOPFLOW_ACTOR"


def _percent(ctx: click.Context, param: click.Parameter, text: str | None) -> float | None:
    """A share; all of them is no ramp at all."""
    if text is None:
        return None
    try:
        share = float(text.removesuffix("%")) / 100
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise click.BadParameter(f"'{text}' is no share such as 5% or 50%", ctx, param)
    return share if share < 1 else None


@click.command
@click.argument("bundle", required=False)
@click.option(
    "--from",
    "source",
    metavar="ENVIRONMENT",
    help="Take the BUNDLE from the database of this environment; without one, what is live there.",
)
@click.option("--ref", help="The rules of this commit, branch or tag, instead of the folder's.")
@click.option(
    "--plan",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The plan that was approved, of `shopflow plan --format json`; refused when it is stale.",
)
@click.option(
    "--ramp",
    metavar="PERCENT",
    callback=_percent,
    help="Give the new workflows to this share of the customers, such as 5%; 100% is everybody.",
)
@click.option(
    "--shadow",
    is_flag=True,
    help="Put new and changed workflows beside the live ones: they decide, and send nothing.",
)
@click.option("--dry-run", is_flag=True, help="Try everything, and change nothing.")
@click.option("--allow-shrink", is_flag=True, help="Deploy though many workflows are gone.")
@click.option(
    "--lift-hold",
    metavar="REASON",
    default="",
    help="Deploy what was rolled back before, for this reason.",
)
@click.option(
    "--despite-freeze",
    metavar="REASON",
    default="",
    help="Deploy though shopflow.yaml says `freeze` for now, for this reason.",
)
@FORMAT
@PROJECT
def deploy(  # noqa: PLR0917 - click passes each option by name
    bundle: str | None,
    source: str | None,
    ref: str | None,
    plan: Path | None,
    ramp: float | None,
    shadow: bool,  # noqa: FBT001 - click passes flags by name
    dry_run: bool,  # noqa: FBT001 - click passes flags by name
    allow_shrink: bool,  # noqa: FBT001 - click passes flags by name
    lift_hold: str,
    despite_freeze: str,
    style: str,
    project: Path,
) -> int:
    """Put rules to work: those of a BUNDLE, of a commit, or of the folder.

    BUNDLE is a file of `shopflow bundle`, or the digest of one that was deployed here before, or
    six signs of it; with --from, of one that was deployed there, so that what was tried is what is
    put to work. The rules are compiled and their tests are run; then one row of the database makes
    them live, and every worker takes them up within seconds, without a restart. Enrolments on their
    way go on as their workflow says. Once something was deployed to a database, its workers run
    that and nothing else, whatever their folder holds.

    Exits with 1 and changes nothing when the rules have errors, tests fail, or a rail refuses.
    """
    if ref is not None and (bundle is not None or source is not None):
        raise click.UsageError("name a BUNDLE or --ref, not both; --from is of bundles")
    if shadow and ramp is not None:
        raise click.UsageError("give --ramp or --shadow, not both")
    approved = read_plan(plan) if plan is not None else None
    leave = Leave(
        shrink=allow_shrink,
        lift_hold=lift_hold,
        despite_freeze=despite_freeze,
        plan=approved,
        ramp=ramp,
    )
    settings = load_settings(project)
    with _opened(settings) as store:
        if source is not None:
            found = promoted(settings, source, bundle, lift=bool(lift_hold))
            candidate = compiled(project, found)
        else:
            candidate = _candidate(project, store, bundle, ref)
        if shadow:
            candidate = shadowed(project, store, candidate)
        proposal = proposed(store, candidate, leave, at=datetime.now(UTC))
        if dry_run:
            tell(style, told(proposal), "\n".join(shown(proposal)))
            return FINDINGS if proposal.refusals else CLEAN
        if proposal.is_live and not proposal.refusals:
            tell(style, {**told(proposal), "deployed": False}, _already(proposal))
            return CLEAN
        made = swap(store, proposal, at=datetime.now(UTC), by=actor(), leave=leave)
    whom = f" for {made.share:.0%} of the customers" if made.ramp else ""
    said = f"deployed as number {made.number}{whom}; workers take it up within seconds"
    tell(
        style,
        {**told(proposal), "deployed": True, "number": made.number, "share": made.share or 1.0},
        "\n".join([*shown(proposal), said]),
    )
    return CLEAN


def actor() -> str:
    """Who is at work here."""
    if named := os.environ.get(ACTOR, ""):
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def read_plan(path: Path) -> Approved:
    """What a plan is of.

    Raises:
        SettingsError: The file holds no plan.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        base, head = document["base"], document["head"]
        return Approved(
            base=Side(commit=base["commit"] or "", digest=base["digest"]),
            head=Side(commit=head["commit"] or "", digest=head["digest"]),
        )
    except (OSError, ValueError, LookupError, TypeError) as e:
        raise SettingsError(
            f"{path} holds no plan; write one with `shopflow plan --format json`"
        ) from e


def told(proposal: Proposal) -> dict[str, object]:
    """The proposal, for programs."""
    manifest, changes = proposal.candidate.bundle.manifest, proposal.difference
    return {
        "digest": manifest.digest,
        "revision": manifest.provenance.revision,
        "dirty": manifest.provenance.dirty,
        "live": proposal.live.digest if proposal.live is not None else None,
        "tests": len(proposal.results),
        "added": list(changes.added),
        "changed": list(changes.changed),
        "removed": list(changes.removed),
        "unchanged": len(changes.same),
        "refusals": [{"reason": one.reason, "message": one.message} for one in proposal.refusals],
    }


def shown(proposal: Proposal) -> Iterator[str]:
    """The proposal, for people: a line each."""
    manifest, changes = proposal.candidate.bundle.manifest, proposal.difference
    live = short(proposal.live.digest) if proposal.live is not None else "nothing deployed"
    yield f"{live} -> {short(manifest.digest)} ({manifest.provenance.shown})"
    for sign, names in (("+", changes.added), ("~", changes.changed), ("-", changes.removed)):
        yield from (f"  {sign} {name}" for name in names)
    yield f"  = {len(changes.same)} workflows as they are"
    yield f"tests: {len(proposal.results)} run"
    yield from (f"refused, {one.reason}: {one.message}" for one in proposal.refusals)


def _already(proposal: Proposal) -> str:
    live = proposal.live
    whom = f" for {live.share:.0%} of the customers" if live is not None and live.ramp else ""
    return f"{short(proposal.candidate.bundle.digest)} is live already{whom}; nothing has changed"


def _candidate(root: Path, store: Store, bundle: str | None, ref: str | None) -> Candidate:
    if bundle is not None:
        named = kept_bundle(store, bundle) if is_digest(bundle) else read_bundle(bundle)
        return compiled(root, named)
    if ref is None:
        return compiled_folder(root, provenance_of(root))
    with revision(root, ref) as found:
        ruleset = found.load().require().ruleset
        made = bundle_of(found.root, ruleset, Provenance(revision=found.commit))
    return compiled(root, made)


@contextmanager
def _opened(settings: Project) -> Iterator[Store]:
    """The store of the project, made when it is missing: rules may come before events."""
    store = open_store(database_url(settings), partitions=settings.partitions)
    try:
        hold_environment(store, settings)
        yield store
    finally:
        store.close()
