"""Deployments as they are kept: the last row counts, and of two at once one is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from shopflow.errors import Conflict
from shopflow.store.deployments import Deployment, Hold, Move, StoredBundle
from shopflow.store.records import StoredRuleset

HOUR = timedelta(hours=1)


def a_deployment(number, digest, at, **more):
    usual = {"move": Move.DEPLOY, "revision": "c0ffee", "ruleset": "r", "by": "anna"}
    return Deployment(number=number, digest=digest, at=at, **{**usual, **more})


def a_bundle(digest, at):
    return StoredBundle(digest=digest, manifest=b'{"a": 1}', content=b"\0\xff" * 9, kept_at=at)


def test_nothing_is_live_before_the_first_deployment(store):
    assert store.deployments.newest() is None
    assert store.deployments.newest_number() == 0
    assert store.deployments.bundle("sha256:a") is None


def test_the_last_row_is_live_and_comes_with_its_bundle_and_its_workflows(store, now):
    first = a_deployment(1, "sha256:a", now)
    ruleset = StoredRuleset(digest="r", document={"workflows": {"w": {"id": "x"}}}, deployed_at=now)
    store.deployments.swap(first, bundle=a_bundle("sha256:a", now), ruleset=ruleset)
    assert store.deployments.newest() == first
    assert store.deployments.bundle("sha256:a") == a_bundle("sha256:a", now)
    assert store.deployments.manifests() == {"sha256:a": b'{"a": 1}'}
    assert store.views.retained_workflows() == {"w": {"id": "x"}}
    second = a_deployment(2, "sha256:b", now + HOUR, move=Move.ROLLBACK, reason="too many")
    store.deployments.swap(second, bundle=a_bundle("sha256:b", now))
    assert store.deployments.history() == [second, first]
    assert store.deployments.newest_number() == 2


def test_of_two_deployments_at_once_the_second_writes_nothing(store, now):
    store.deployments.swap(a_deployment(1, "sha256:a", now), bundle=a_bundle("sha256:a", now))
    late = a_deployment(1, "sha256:b", now)
    hold = Hold(digest="sha256:a", revision="", reason="bad", at=now, by="ben")
    with pytest.raises(Conflict):
        store.deployments.swap(late, bundle=a_bundle("sha256:b", now), hold=hold)
    assert [one.digest for one in store.deployments.history()] == ["sha256:a"]
    assert store.deployments.bundle("sha256:b") is None
    assert store.deployments.holds() == []


def test_a_hold_lasts_until_it_is_lifted_by_the_deployment_of_that_bundle(store, now):
    hold = Hold(digest="sha256:b", revision="c0ffee", reason="bad", at=now, by="ben")
    store.deployments.swap(a_deployment(1, "sha256:a", now), hold=hold)
    again = replace(hold, reason="worse", at=now + HOUR, ended=("w1", "w2"))
    store.deployments.swap(a_deployment(2, "sha256:a", now), hold=again)
    assert store.deployments.holds() == [again]
    store.deployments.swap(a_deployment(3, "sha256:a", now), lift=True)
    assert store.deployments.holds() == [again]
    store.deployments.swap(a_deployment(4, "sha256:b", now), lift=True)
    assert store.deployments.holds() == []


def a_ruleset(at, **workflows):
    return StoredRuleset(digest="r", document={"workflows": workflows}, deployed_at=at)


def test_a_ruleset_gets_another_document_or_goes(store, now):
    store.deploy("r", {"workflows": {"w1": {"id": "x"}, "w2": {"id": "y"}}}, now)
    (seen,) = store.views.rulesets()
    store.deployments.rewrite_ruleset(seen, {"workflows": {"w2": {"id": "y"}}}, newest=0)
    assert store.views.rulesets() == [a_ruleset(now, w2={"id": "y"})]
    store.deployments.rewrite_ruleset(seen, None, newest=0)
    assert store.views.rulesets() == []


@pytest.mark.parametrize("document", [None, {"workflows": {}}])
def test_a_ruleset_that_was_deployed_again_stays_as_it_is(store, now, document):
    whole = {"workflows": {"w": {"id": "x"}}}
    store.deploy("r", whole, now)
    (seen,) = store.views.rulesets()
    store.deploy("r", whole, now + HOUR)
    store.deployments.rewrite_ruleset(seen, document, newest=0)
    assert store.views.rulesets() == [a_ruleset(now + HOUR, w={"id": "x"})]
    (seen,) = store.views.rulesets()
    store.deployments.swap(a_deployment(1, "sha256:a", now))
    store.deployments.rewrite_ruleset(seen, document, newest=0)
    assert store.views.rulesets() == [seen]


def test_bundles_go_unless_something_was_deployed_since_they_were_looked_at(store, now):
    for number, digest in enumerate(("sha256:a", "sha256:b", "sha256:c"), start=1):
        store.deployments.swap(a_deployment(number, digest, now), bundle=a_bundle(digest, now))
    store.deployments.forget_bundles({"sha256:a", "sha256:b"}, newest=2)
    assert len(store.deployments.manifests()) == 3
    store.deployments.forget_bundles({"sha256:a", "sha256:b"}, newest=3)
    assert store.deployments.manifests().keys() == {"sha256:c"}
    # What was at work is told all the same.
    assert len(store.deployments.history(limit=None)) == 3
