"""Versions of workflows beside the live ones: run while anybody is on them, let go once drained.

What is kept of a version is its document. Workers compile what is kept, so that what they take up
does not grow with what was ever deployed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice

from shopflow.domain.policy import Retention
from shopflow.domain.ruleset import Ruleset
from shopflow.domain.workflow import Workflow
from shopflow.engine import with_retained
from shopflow.errors import RulesInvalid
from shopflow.gitops.bundle import Manifest
from shopflow.lang.older import compile_workflow
from shopflow.rulebook import LoadedProject
from shopflow.store.deployments import Deployment, Label, label_of
from shopflow.store.everybody import everybody
from shopflow.store.protocol import Store
from shopflow.store.records import StoredRuleset, retained_workflows

log = logging.getLogger("shopflow.upkeep")

#: How long a version is kept after it was live, though nobody is on it: messages on their way still
#: hang on it, and a process that cannot take newer rules up goes on by it.
GRACE = timedelta(days=7)
#: Bundles deployed last that are kept however old they are, so that there is a way back.
WAYS_BACK = 10


def with_older(loaded: LoadedProject, store: Store, history: Sequence[StoredRuleset]) -> Ruleset:
    """The rules with the versions that enrolments may still be pinned to."""
    # Enrolments that are to end find no version of theirs at their next input.
    ended = {digest for hold in store.deployments.holds() for digest in hold.ended}
    documents = retained_workflows(history)
    known = {digest: one for digest, one in documents.items() if digest not in ended}
    return with_retained(loaded.ruleset, retained_of(loaded, known))


def retained_of(loaded: LoadedProject, documents: Mapping[str, object]) -> dict[str, Workflow]:
    """The workflows of older revisions that can still be run, by digest, from their documents."""
    current = {workflow.digest for workflow in loaded.ruleset.workflows.values()}
    retained: dict[str, Workflow] = {}
    for digest, document in documents.items():
        if digest in current or not isinstance(document, Mapping):
            continue
        try:
            workflow = compile_workflow(document, loaded.context)
        except RulesInvalid as e:
            log.warning("a workflow of an older revision cannot be run any more: %s", e)
            continue
        # Its identity is what it was compiled to then, not what today's program makes of it.
        retained[digest] = replace(workflow, digest=digest)
    return retained


def keep_documents(store: Store, loaded: LoadedProject, now: datetime) -> None:
    """The store has the documents of these rules: whoever begins on them goes on by them later.

    A deployment brings them. But another version of the program compiles the same bundle to other
    digests, and rules that come back may have been drained meanwhile.
    """
    if not loaded.sources.keys() <= store.views.retained_workflows().keys():
        document = {"workflows": {key: dict(one) for key, one in loaded.sources.items()}}
        store.deploy(loaded.ruleset.digest, document, now)


def forget_drained(store: Store, now: datetime) -> None:
    """The documents of versions go that nobody is on and that were not live lately.

    A version that is met by nobody is marked first, and goes the next time: a customer that is
    merged into another while they are counted may be met nowhere once.
    """
    since = now - GRACE
    standing = _in_use(store)
    # What comes back from here on is not idle; then nothing more goes until the next night.
    newest = store.deployments.newest_number()
    live = _live_labels(store, since)
    younger: set[str] = set()
    is_recent = True
    for row in store.views.rulesets():
        workflows = retained_workflows([row])
        # The first one from before then was still live then.
        whole, is_recent = is_recent, row.deployed_at >= since
        if not whole:
            older = {key: one for key, one in workflows.items() if key not in younger}
            idle = {
                key
                for key, one in older.items()
                if key not in standing and label_of(one) not in live
            }
            left = _left(row, older, idle)
            if left != row.document:
                document = left if left["workflows"] else None
                store.deployments.rewrite_ruleset(row, document, newest=newest)
        younger |= workflows.keys()


def forget_bundles(store: Store, retention: Retention, now: datetime) -> None:
    """The bundles go that were not live within their retention, but never the last ways back."""
    kept = store.deployments
    history = kept.history(limit=None)
    if not history:
        return
    needed = {
        digest for one in _live_since(history, now - retention.bundles) for digest in _of(one)
    }
    held = {hold.digest for hold in kept.holds()}
    back = dict.fromkeys(digest for one in history for digest in _of(one) if digest not in held)
    needed.update(islice(back, WAYS_BACK))
    kept.forget_bundles(kept.manifests().keys() - needed, newest=history[0].number)


def _left(row: StoredRuleset, workflows: Mapping[str, object], idle: set[str]) -> dict[str, object]:
    """What is left of the row's document when the idle ones go that were marked before."""
    marked = row.document.get("idle")
    gone = idle.intersection(marked if isinstance(marked, list) else ())
    left = {key: one for key, one in workflows.items() if key not in gone}
    return {"workflows": left, "idle": sorted(idle - gone)}


def _in_use(store: Store) -> set[str]:
    """The digests of the versions that some enrolment, or some goal that may come, hangs on."""
    found = set[str]()
    for customer in everybody(store):
        found.update(one.digest for one in customer.enrolments)
        found.update(one.digest for one in customer.goals)
    return found


def _live_labels(store: Store, since: datetime) -> set[Label]:
    """The versions that were live at some time since then, by what people call them.

    Not by digest, which another version of the program may have compiled them to.
    """
    manifests = store.deployments.manifests()
    digests = {
        digest
        for one in _live_since(store.deployments.history(limit=None), since)
        for digest in _of(one)
    }
    return {
        (name, one.version)
        for digest in digests & manifests.keys()
        for name, one in Manifest.from_json(manifests[digest]).workflows.items()
    }


def _live_since(history: Sequence[Deployment], since: datetime) -> Iterator[Deployment]:
    """Those of the deployments, the newest first, that were live at some time since then."""
    for one in history:
        yield one
        if one.at < since:
            return


def _of(deployment: Deployment) -> tuple[str, str]:
    """The bundles that a deployment puts to work; the same twice where nothing is ramped."""
    return deployment.newest_rules, deployment.digest
