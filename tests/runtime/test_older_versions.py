"""Versions are kept while anybody may be on them, and what is taken up is bounded by that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from support.deploys import happen, put_to_work, write_later
from support.production import scratch_database, wait_for
from support.running import PROJECT, a_project, an_event, who

from shopflow.domain.policy import Retention
from shopflow.errors import SettingsError
from shopflow.gitops.rolling_back import InFlight, roll_back, started, way_back
from shopflow.lang.compiler import workflow as compiler
from shopflow.runtime.app import open_app
from shopflow.runtime.hashes import Hashes
from shopflow.runtime.older_versions import GRACE, WAYS_BACK, forget_bundles, forget_drained
from shopflow.runtime.retirement import Retirement
from shopflow.runtime.upkeep import starter
from shopflow.store.deployments import Deployment, Hold, Move, StoredBundle
from shopflow.store.opening import open_store

BEGIN = datetime(2026, 3, 1, 10, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request, tmp_path):
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'shop.db'}"
        return
    with scratch_database() as url:
        yield url


@pytest.fixture
def store(url):
    store = open_store(url, partitions=4)
    yield store
    store.close()


@pytest.fixture
def root(tmp_path, url):
    settings = PROJECT.format(port=1, connections=1, timeout=1)
    settings = settings.replace("sqlite:///shopflow.db", url)
    return a_project(tmp_path, 1, **{"shopflow.yaml": settings})


def version(root, store, number, day, *, wait="20m", **leave):
    """This version of the workflow `later` is live from that day on."""
    changes = [("wait: 20m", f"wait: {wait}"), ("steps:", "in_flight: {max_age: 300d}\nsteps:")]
    write_later(root, number, changes)
    return put_to_work(root, store, BEGIN + day * DAY, **leave)


def looked_at(number, customer, day):
    at = (BEGIN + day * DAY).isoformat()
    return [who(customer, at), an_event(number, customer, at=at)]


def compiled(root):
    """The versions of `later` that are compiled beside the live one when rules are taken up."""
    with open_app(root) as app:
        parts = app.parts(deliver=False)
        parts.write.close()
        retained = parts.rulebook.ruleset.retained.values()
        return sorted(one.version for one in retained if one.id == "later")


def asked(store):
    """Who was asked later, and by which version."""
    found = store.views.messages(workflow="later", limit=99)
    return {one.message.customer_id: one.message.version for one in found}


def nights(store, day, count=2):
    for night in range(count):
        forget_drained(store, BEGIN + (day + night) * DAY)


def test_fifty_deploys_do_not_make_fifty_versions_to_compile(root, store):
    for number in range(1, 51):
        version(root, store, number, number, wait="60d" if number == 3 else f"{number}m")
        if number == 3:
            happen(root, *looked_at(1, "anna", 3))
        forget_drained(store, BEGIN + number * DAY + DAY / 2)
    # Those of the last week, and the one whose first night without anybody this was.
    lately = list(range(49 - GRACE.days, 50))
    assert compiled(root) == [3, *lately]
    # Who began on the third goes on by it, and is asked sixty days later.
    happen(root, *looked_at(2, "ben", 62))
    assert asked(store) == {}
    happen(root, *looked_at(3, "cleo", 64))
    assert asked(store) == {"anna": 3, "ben": 50}
    nights(store, 65)
    assert compiled(root) == []


def test_a_version_is_marked_one_night_and_gone_the_next(root, store):
    version(root, store, 1, 0)
    version(root, store, 2, 1, wait="30m")
    nights(store, 30, count=1)
    assert compiled(root) == [1]
    nights(store, 31, count=1)
    assert compiled(root) == []


def test_who_comes_back_to_a_version_in_between_keeps_it(root, store):
    version(root, store, 1, 0, wait="90d")
    version(root, store, 2, 1, wait="30m")
    nights(store, 30, count=1)
    roll_back(
        store,
        way_back(store, None),
        in_flight=InFlight.KEEP,
        reason="",
        at=BEGIN + 31 * DAY,
        by="a",
    )
    happen(root, *looked_at(1, "anna", 31))
    version(root, store, 3, 32, wait="40m")
    nights(store, 60)
    assert compiled(root) == [1]


def test_the_other_side_of_a_ramp_is_kept_while_it_lasts(root, store):
    version(root, store, 1, 0)
    live = version(root, store, 2, 1, wait="30m", ramp=0.5)
    nights(store, 60, count=3)
    documents = store.views.retained_workflows().values()
    assert {one["version"] for one in documents if one["id"] == "later"} == {1, 2}
    assert live.ramp


def test_rules_that_come_back_are_kept_again(root, store):
    version(root, store, 1, 0, wait="50d")
    for number in (2, 3):
        version(root, store, number, number, wait=f"{number}h")
    nights(store, 40)
    way = way_back(store, "1")
    roll_back(store, way, in_flight=InFlight.KEEP, reason="", at=BEGIN + 42 * DAY, by="anna")
    happen(root, *looked_at(1, "anna", 43))
    version(root, store, 4, 44, wait="4h")
    happen(root, *looked_at(2, "ben", 94))
    assert asked(store) == {"anna": 1}


def test_what_began_after_an_upgrade_of_the_program_goes_on_after_the_next_deploy(
    root, store, monkeypatch
):
    """The same bundle compiles to other digests, which no deployment has brought."""
    monkeypatch.setenv("SHOPFLOW_CACHE", "off")
    version(root, store, 1, 0, wait="2d")
    before = compiler.workflow_digest
    monkeypatch.setattr(compiler, "workflow_digest", lambda one: before(one)[::-1])
    happen(root, *looked_at(1, "anna", 1))
    version(root, store, 2, 2, wait="5d")
    happen(root, *looked_at(2, "ben", 4))
    assert asked(store) == {"anna": 1}


def test_bad_rules_are_taken_back_by_whatever_digest_the_program_gives_them(
    root, store, monkeypatch
):
    monkeypatch.setenv("SHOPFLOW_CACHE", "off")
    version(root, store, 1, 0, wait="2d")
    version(root, store, 2, 1, wait="3d")
    before = compiler.workflow_digest
    monkeypatch.setattr(compiler, "workflow_digest", lambda one: before(one)[::-1])
    happen(root, *looked_at(1, "anna", 2))
    way = way_back(store, None)
    assert list(started(store, way).values()) == [1]
    roll_back(store, way, in_flight=InFlight.END, reason="bad", at=BEGIN + 3 * DAY, by="anna")
    happen(root, *looked_at(2, "ben", 9))
    happen(root, *looked_at(3, "cleo", 12))
    assert asked(store) == {"ben": 1}


def a_deployment(store, number, day, digest=None, hold=None, **more):
    digest = digest or f"sha256:{number}"
    at = BEGIN + day * DAY
    bundle = StoredBundle(digest=digest, manifest=b"{}", content=b"", kept_at=at)
    usual = {"move": Move.DEPLOY, "revision": "", "ruleset": "r", "by": "anna"}
    deployment = Deployment(number=number, digest=digest, at=at, **{**usual, **more})
    store.deployments.swap(deployment, bundle=bundle, hold=hold)


def kept(store):
    return sorted(int(one.rpartition(":")[2]) for one in store.deployments.manifests())


def test_bundles_go_that_were_not_live_within_their_retention(store):
    for number in range(1, 16):
        a_deployment(store, number, number if number < 4 else 400 + number)
    forget_bundles(store, Retention(), BEGIN + 420 * DAY)
    # The third was live until the fourth came, and is within its year of grace.
    assert kept(store) == list(range(3, 16))
    forget_bundles(store, Retention(bundles=30 * DAY), BEGIN + 900 * DAY)
    assert kept(store) == list(range(6, 16))
    assert len(kept(store)) == WAYS_BACK


def test_bundles_that_are_held_are_no_way_back_and_both_sides_of_a_ramp_stay(store):
    for number in range(1, 15):
        a_deployment(store, number, number)
    hold = Hold(digest="sha256:9", revision="", reason="bad", at=BEGIN, by="anna")
    a_deployment(store, 15, 15, "sha256:14", hold, ramp="sha256:1", share=0.5)
    forget_bundles(store, Retention(bundles=DAY), BEGIN + 900 * DAY)
    assert kept(store) == [1, 5, 6, 7, 8, 10, 11, 12, 13, 14]


def test_there_is_no_way_back_to_a_bundle_that_is_gone(root, store):
    made = [version(root, store, number, number, wait=f"{number}h") for number in (1, 2, 3)]
    store.deployments.forget_bundles([made[1].digest], newest=3)
    assert way_back(store, None).to.digest == made[0].digest
    with pytest.raises(SettingsError, match="is no longer kept, see `bundles`"):
        way_back(store, "2")


def test_the_nightly_run_lets_go_of_both(root, url, store):
    long_ago = (datetime.now(UTC) - BEGIN) // DAY - 500
    for number in range(1, WAYS_BACK + 3):
        version(root, store, number, long_ago + number, wait=f"{number}h")
    night = starter(url, 4, Retention(), Retirement(hashes=Hashes(b"key")))
    first = night()
    wait_for(lambda: first.exitcode == 0)
    second = night()
    wait_for(lambda: second.exitcode == 0)
    assert compiled(root) == []
    assert len(store.deployments.manifests()) == WAYS_BACK
