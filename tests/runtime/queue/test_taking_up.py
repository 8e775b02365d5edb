"""Workers take up what is deployed between two jobs, or stay with the rules that they have."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from support.production import FACTS, House
from support.running import a_project, an_event

from shopflow.gitops.bundle import Provenance
from shopflow.gitops.deploying import Leave, compiled_folder, deploy, proposed
from shopflow.rulebook import load_project
from shopflow.runtime import activation
from shopflow.runtime.queue.bells import Bell, Kind
from shopflow.store.deployments import Deployment, Move


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    """Every look is a look into the database."""
    monkeypatch.setattr(activation, "LOOK", 0.0)


@pytest.fixture
def folder(tmp_path):
    """The rules, to be changed."""
    return shutil.copytree(FACTS, tmp_path / "rules-repository")


def put_to_work(store, folder, **leave):
    given = Leave(shrink=True, **leave)
    candidate = compiled_folder(folder, Provenance(revision="c0ffee"))
    at = datetime.now(UTC)
    proposal = proposed(store, candidate, given, at=at)
    return deploy(store, proposal, at=at, by="anna", leave=given)


def events(number, at="2026-03-01T10:00:00Z"):
    data = {"sku": f"A{number}", "price": 600.0}
    return json.dumps(
        {
            "id": f"e{number}",
            "type": "product.viewed",
            "customer_id": f"c{number}",
            "data": data,
            "occurred_at": at,
        }
    )


def work(fleet):
    """Everything that waits, decided by one worker."""
    partitions = range(fleet.streams.partitions)
    bells = [Bell(Kind.INGEST), *map(fleet.partition_bell, partitions)]
    for bell in bells:
        fleet.answer(bell)
        fleet.answered()


def in_flight(store, customer, workflow):
    found = store.views.customer(customer).enrolments
    return [one for one in found if one.workflow == workflow]


def test_a_worker_runs_what_was_deployed_from_its_next_job_on(house, folder):
    fleet = house.worker()
    assert fleet.rules().revision == "folder"
    first = put_to_work(house.store, folder)
    work(fleet)
    assert fleet.rules().revision == first.digest.removeprefix("sha256:")[:12]
    assert fleet.app.deployment == first
    before = fleet.work
    work(fleet)
    assert fleet.work is before


def test_a_job_at_hand_ends_after_its_batch_when_others_rules_wait(house, folder):
    fleet = house.worker()
    put_to_work(house.store, folder)
    fleet._slice = None
    assert fleet.lookout.has_moved()
    fleet.keep_up()
    assert not fleet.lookout.has_moved()


def test_rules_that_cannot_be_run_here_leave_the_old_ones_at_work(house, folder, caplog):
    fleet = house.worker()
    first = put_to_work(house.store, folder)
    work(fleet)
    before = fleet.work
    bad = Deployment(
        number=2,
        move=Move.DEPLOY,
        digest="sha256:" + "0" * 64,
        revision="",
        ruleset="",
        at=datetime.now(UTC),
        by="anna",
    )
    house.store.deployments.swap(bad)
    house.add([events(1)])
    work(fleet)
    assert fleet.work is before
    assert fleet.app.deployment == first
    assert "does not keep it" in fleet.rules().failure
    assert "the old ones go on" in caplog.text
    assert house.events["accepted"] == 1


def test_what_failed_is_tried_again_only_after_a_while(house, folder, monkeypatch):
    fleet = house.worker()
    tried = []

    def broken(*given):
        tried.append(given)
        raise RuntimeError("a plug-in is missing")

    monkeypatch.setattr(activation, "load_deployed", broken)
    put_to_work(house.store, folder)
    for _ in range(5):
        fleet.keep_up()
    assert len(tried) == 1
    assert "RuntimeError" in fleet.rules().failure
    monkeypatch.setattr(activation, "AGAIN", 0.0)
    monkeypatch.undo()
    monkeypatch.setattr(activation, "LOOK", 0.0)
    monkeypatch.setattr(activation, "AGAIN", 0.0)
    fleet.keep_up()
    assert fleet.rules().failure == ""
    assert fleet.app.deployment.number == 1


def test_enrolments_go_on_by_the_version_that_they_began_on(queue, tmp_path):
    folder = a_project(tmp_path, 1)
    path = folder / "rules/workflows/later.yaml"
    loaded = load_project(folder).require()
    house = House(loaded, *queue, tmp_path / "own.db", event_clock=False, partitions=4)
    with closing(house):
        fleet = house.worker()
        put_to_work(house.store, folder)
        at = datetime.now(UTC)
        house.add([json.dumps(an_event(1, "anna", at=at.isoformat()))])
        work(fleet)
        (began,) = in_flight(house.store, "anna", "later")
        path.write_text(path.read_text().replace("20m", "30m").replace("version: 1", "version: 2"))
        put_to_work(house.store, folder)
        house.add([json.dumps(an_event(2, "ben", at=at.isoformat()))])
        work(fleet)
        (pinned,) = in_flight(house.store, "anna", "later")
        (fresh,) = in_flight(house.store, "ben", "later")
        assert pinned == began
        assert (pinned.version, fresh.version) == (1, 2)
        assert fresh.due_at - pinned.due_at == timedelta(minutes=10)
        path.unlink()
        put_to_work(house.store, folder)
        house.add([json.dumps(an_event(3, "cleo", at=at.isoformat()))])
        work(fleet)
        assert in_flight(house.store, "cleo", "later") == []
        assert in_flight(house.store, "anna", "later") == [began]


def test_a_worker_begins_with_what_is_live(house, folder):
    put_to_work(house.store, folder)
    active = activation.activate(FACTS, house.store)
    with closing(house.worker(app=house.app.activated(active)).deliveries):
        assert active.number == 1
