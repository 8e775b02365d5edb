"""Putting rules to work: what is tried and refused first, then one row in the history.

Everything that can fail happens before anything changes: rules are compiled, their own tests are
run, and the rails are asked. What is written then is written at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from shopflow.errors import Conflict, DeployRefused
from shopflow.gitops.bundle import Bundle, Labelled, Manifest, Provenance, bundle_of
from shopflow.gitops.expecting import Result, judge
from shopflow.gitops.freezing import frozen
from shopflow.gitops.ramping import Refusal, beside
from shopflow.gitops.rehearsal import Stage
from shopflow.gitops.scenario import read_scenarios
from shopflow.rulebook import DeployedRules, LoadedProject, load_project
from shopflow.store.deployments import Deployment, Hold, Label, Move, StoredBundle, label_of, short
from shopflow.store.protocol import Store
from shopflow.store.records import StoredRuleset

#: How the names of workflows end that only stand beside others.
SHADOW = "-shadow"
#: A bundle may leave out this share of the live workflows without being asked.
MOST_REMOVED = 0.2
#: Names of workflows and tests that are listed one by one.
_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A bundle that may become the live one, compiled under the settings of this environment."""

    bundle: Bundle
    loaded: LoadedProject


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What a bundle changes of the workflows of another one; ids, in order."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    same: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Rules by their commit, which may be unknown, and by the digest that they compiled to."""

    commit: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """What somebody has approved: the step from these rules to those."""

    base: Side
    head: Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """What whoever deploys has asked to be let through, and why."""

    #: More workflows than usual may be missing, or all.
    shrink: bool = False
    #: Why a bundle that is held back may come back after all; empty when it may not.
    lift_hold: str = ""
    #: Why it cannot wait for the end of a freeze; empty when it can.
    despite_freeze: str = ""
    #: What was approved, and nothing else may be deployed; None when nobody was asked.
    plan: Approved | None = None
    #: The share of the customers that gets the new workflows first; None: all at once.
    ramp: float | None = None

    @property
    def reason(self) -> str:
        """Why it may pass what would have held it up; empty when no reason was given."""
        return "; ".join(filter(None, (self.lift_hold, self.despite_freeze)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A candidate held against what is live."""

    candidate: Candidate
    live: Deployment | None
    difference: Difference
    refusals: tuple[Refusal, ...] = ()
    results: tuple[Result, ...] = field(default=(), repr=False)
    #: The share of the customers that is to get it; None: everybody.
    share: float | None = None

    @property
    def is_live(self) -> bool:
        """The very same bundle is live already, for everybody or for that very share."""
        live, digest = self.live, self.candidate.bundle.digest
        if live is None:
            return False
        is_ramped = self.share is not None and live.ramp == digest and live.share == self.share
        return is_ramped or (not live.ramp and live.digest == digest)

    def require(self) -> Proposal:
        """The proposal itself.

        Raises:
            DeployRefused: With every reason against it.
        """
        if self.refusals:
            lines = [f"{one.reason}: {one.message}" for one in self.refusals]
            raise DeployRefused("\n".join(["not deployed, nothing has changed", *lines]))
        return self


def compiled_folder(root: Path, provenance: Provenance) -> Candidate:
    """The rules of a project's folder, as a bundle.

    Raises:
        RulesInvalid: They cannot be run; carries every problem.
        SettingsError: They cannot be a bundle.
    """
    loaded = load_project(root, strict=False).require()
    return Candidate(bundle=bundle_of(root, loaded.ruleset, provenance), loaded=loaded)


def compiled(root: Path, bundle: Bundle) -> Candidate:
    """The bundle compiled under the settings of the project at `root`.

    Raises:
        RulesInvalid: It cannot be run here; carries every problem.
    """
    with laid_out(bundle) as rules:
        loaded = load_project(root, strict=False, rules=rules).require()
    return Candidate(bundle=bundle, loaded=loaded)


@contextmanager
def laid_out(bundle: Bundle) -> Iterator[DeployedRules]:
    """The bundle as files, which are gone afterwards."""
    with TemporaryDirectory(prefix="shopflow-bundle-") as folder:
        bundle.unpack(Path(folder))
        yield DeployedRules(Path(folder), bundle.manifest.settings)


def difference(live: Manifest | None, new: Manifest) -> Difference:
    """What becomes of the live workflows."""
    old: Mapping[str, Labelled] = live.workflows if live is not None else {}
    both = sorted(old.keys() & new.workflows.keys())
    changed = [name for name in both if old[name].digest != new.workflows[name].digest]
    return Difference(
        added=tuple(sorted(new.workflows.keys() - old.keys())),
        removed=tuple(sorted(old.keys() - new.workflows.keys())),
        changed=tuple(changed),
        same=tuple(name for name in both if name not in changed),
    )


def proposed(store: Store, candidate: Candidate, leave: Leave, *, at: datetime) -> Proposal:
    """The candidate, tried in every way: its tests are run, and the rails are asked."""
    live = store.deployments.newest()
    manifest = manifest_of(store, live.digest) if live is not None else None
    changes = difference(manifest, candidate.bundle.manifest)
    results = tuple(test_results(candidate.loaded))
    refusals = [
        *_failed(results),
        *_shrunken(changes, candidate.bundle.manifest, leave),
        *_relabelled(store, candidate.loaded),
        *_stale(live, candidate, leave.plan),
        *_held(store.deployments.holds(), candidate.bundle.manifest, leave),
        *beside(store, live, candidate.bundle, leave.ramp),
        *frozen(candidate.loaded.project.freeze, at, leave.despite_freeze),
    ]
    return Proposal(
        candidate=candidate,
        live=live,
        difference=changes,
        refusals=tuple(refusals),
        results=results,
        share=leave.ramp,
    )


def deploy(store: Store, proposal: Proposal, *, at: datetime, by: str, leave: Leave) -> Deployment:
    """The proposal's bundle is live.

    Raises:
        DeployRefused: There are reasons against it, or something else was deployed meanwhile.
    """
    candidate = proposal.require().candidate
    bundle, ruleset = candidate.bundle, candidate.loaded.ruleset
    deployment = Deployment(
        number=(proposal.live.number if proposal.live is not None else 0) + 1,
        move=Move.DEPLOY,
        digest=bundle.digest,
        revision=bundle.manifest.provenance.revision,
        ruleset=ruleset.digest,
        at=at,
        by=by,
        reason=leave.reason,
    )
    if leave.ramp is not None and proposal.live is not None:
        deployment = replace(
            deployment, digest=proposal.live.digest, ramp=bundle.digest, share=leave.ramp
        )
    workflows = {key: dict(one) for key, one in candidate.loaded.sources.items()}
    kept = StoredBundle(
        digest=bundle.digest,
        manifest=bundle.manifest.to_json(),
        content=bundle.to_bytes(),
        kept_at=at,
    )
    row = StoredRuleset(digest=ruleset.digest, document={"workflows": workflows}, deployed_at=at)
    try:
        store.deployments.swap(deployment, bundle=kept, ruleset=row, lift=bool(leave.lift_hold))
    except Conflict as e:
        raise DeployRefused(
            "overtaken: something else was deployed meanwhile, and nothing has changed; look at "
            "`shopflow versions`, and deploy again"
        ) from e
    return deployment


def manifest_of(store: Store, digest: str) -> Manifest | None:
    """What the bundle of that digest says of itself; None when it is not kept."""
    kept = store.deployments.bundle(digest)
    return None if kept is None else Manifest.from_json(kept.manifest)


def test_results(loaded: LoadedProject) -> Iterator[Result]:
    """The verdicts of the rules' own tests."""
    stage = Stage(loaded.ruleset, loaded.templates, asdict(loaded.project.sender))
    for scenario in read_scenarios(loaded.tests, loaded.ruleset):
        yield judge(stage.rehearse(scenario))


def _failed(results: Iterable[Result]) -> Iterator[Refusal]:
    failed = [one.scenario.title for one in results if not one.passed]
    if failed:
        more = f" and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
        message = f"{', '.join(failed[:_NAMED])}{more}; `shopflow test` shows what differs"
        yield Refusal(reason="tests failed", message=message)


def _shrunken(changes: Difference, new: Manifest, leave: Leave) -> Iterator[Refusal]:
    if leave.shrink:
        return
    removed = [name for name in changes.removed if not name.endswith(SHADOW)]
    before = len(removed) + len(changes.changed) + len(changes.same)
    if not new.workflows:
        message = "there is no workflow in it; --allow-shrink deploys it all the same"
        yield Refusal(reason="empty", message=message)
    elif len(removed) > MOST_REMOVED * before:
        named = f"{', '.join(removed[:_NAMED])}{' …' if len(removed) > _NAMED else ''}"
        message = (
            f"{len(removed)} of {before} live workflows are not in it ({named}), more than "
            f"{MOST_REMOVED:.0%}; --allow-shrink deploys it all the same"
        )
        yield Refusal(reason="shrunken", message=message)


def _relabelled(store: Store, loaded: LoadedProject) -> Iterator[Refusal]:
    """A label must not come to mean something else: people would look at the wrong rules."""
    known: dict[Label, list[tuple[str, object]]] = {}
    for digest, document in store.views.retained_workflows().items():
        if (label := label_of(document)) is not None:
            known.setdefault(label, []).append((digest, document))
    for text in store.deployments.manifests().values():
        for name, one in Manifest.from_json(text).workflows.items():
            # Its document may be gone by now.
            known.setdefault((name, one.version), []).append((one.digest, None))
    sources = loaded.sources
    for workflow in loaded.ruleset.workflows.values():
        old = known.get((workflow.id, workflow.version), ())
        # The same document may compile to another digest under another version of this program.
        if old and not any(
            digest == workflow.digest or document == sources.get(workflow.digest)
            for digest, document in old
        ):
            yield Refusal(
                reason="known version",
                message=f"{workflow.id} version {workflow.version} was deployed before with other "
                f"content; write `version: {_next(known, workflow.id)}` in its file",
            )


def _next(known: Iterable[Label], workflow: str) -> int:
    return max(version for name, version in known if name == workflow) + 1


def _stale(
    live: Deployment | None, candidate: Candidate, plan: Approved | None
) -> Iterator[Refusal]:
    """A plan tells of one step only: from what was live then to what was to come."""
    if plan is None:
        return
    at_work = Side(commit=live.revision, digest=live.ruleset) if live is not None else None
    if at_work is None or not _same(plan.base, at_work):
        now = f"{short(live.digest)} ({live.revision[:12] or 'no commit'})" if live else "nothing"
        yield Refusal(
            reason="stale plan",
            message=f"the plan begins with {plan.base.commit[:12] or plan.base.digest}, and {now} "
            "is live by now; plan again",
        )
    revision = candidate.bundle.manifest.provenance.revision
    if not _same(plan.head, Side(commit=revision, digest=candidate.loaded.ruleset.digest)):
        yield Refusal(
            reason="another plan",
            message=f"the plan is of {plan.head.commit[:12] or plan.head.digest}, and these are "
            "other rules; plan these",
        )


def _same(one: Side, other: Side) -> bool:
    # Rules compile to another digest where other channels are set up, such as in CI.
    return one.digest == other.digest or (one.commit != "" and one.commit == other.commit)


def _held(holds: Iterable[Hold], new: Manifest, leave: Leave) -> Iterator[Refusal]:
    if leave.lift_hold:
        return
    for hold in holds:
        same_commit = hold.revision and hold.revision == new.provenance.revision
        if hold.digest == new.digest or same_commit:
            yield Refusal(
                reason="held",
                message=f"{short(hold.digest)} was rolled back by {hold.by} on "
                f"{hold.at:%Y-%m-%d %H:%M} UTC: {hold.reason}; deploy newer rules, or let it come "
                "back with --lift-hold REASON",
            )
            return
