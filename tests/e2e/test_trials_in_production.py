"""A trial over several partitions, through real RQ workers: one winner, decided once, for all."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from support.faults import Workers
from support.production import a_shop, write_lines
from support.servers import FalseClock, Missing, missing

from shopflow.domain.ids import enrolment_id, fraction, message_id
from shopflow.domain.journal import Kind
from shopflow.domain.trial import Result
from shopflow.store.delivery import NOBODY

pytestmark = pytest.mark.slow

SHARE = 0.5
FILES = {
    "rules/policies/consent.yaml": """
apiVersion: shopflow/v1
kind: ConsentPolicy
purposes:
  service: {class: service}
""",
    "rules/workflows/shop/letter.yaml": """
apiVersion: shopflow/v1
kind: Workflow
id: letter
title: Two subjects, tried on a half
owner: tests
status: live
purpose: service
max_per_hour: 1000000
trigger: {event: contest.entered, key: event.contest_id, reentry: once}
steps:
  - id: subject
    split:
      test: 50%
      decide_after: 4h
      by: clicked
      per: trigger.contest_id
      branches:
        - {name: short, then: [{id: brief, send: log, template: fact/letter}]}
        - {name: long, then: [{id: whole, send: log, template: fact/letter}]}
""",
    "rules/templates/fact/letter/log.en.txt": "---\npurposes: [service]\n---\nNews.\n",
}
STEPS = {"short": "brief", "long": "whole"}
PEOPLE = [f"c{number}" for number in range(80)]
LATE = [f"late{number}" for number in range(12)]


def part_of(customer):
    """The branch that is tried on the customer; None: the customer waits for the winner."""
    place = fraction("letter/subject/march", customer)
    return "short" if place < SHARE / 2 else "long" if place < SHARE else None


TRIED = {branch: [one for one in PEOPLE if part_of(one) == branch] for branch in STEPS}
WAITING = [one for one in PEOPLE if part_of(one) is None]
#: More of the second branch click; without any result the first would win.
CLICKS = [*TRIED["long"], *TRIED["short"][:3]]


def an_event(event_id, event_type, at, customer, **data):
    return json.dumps(
        {
            "id": event_id,
            "type": event_type,
            "occurred_at": at.isoformat(),
            "customer_id": customer,
            "data": data,
        }
    )


def picked(customer, at):
    return an_event(f"e-{customer}", "contest.entered", at, customer, contest_id="march")


def clicked(customer, at, number=1):
    enrolment = enrolment_id(customer, "letter", "march", f"e-{customer}", 0)
    message = message_id(enrolment, STEPS[part_of(customer)], 1, "log")
    return an_event(
        f"k{number}-{customer}", "message.clicked", at, customer, message_id=message, channel="log"
    )


def the_trial(shop):
    """The one trial there is, as it is kept."""
    with shop.store() as store:
        [trial] = store.views.trials()
    return trial


def decisions(shop):
    """How often a winner was written into the journal."""
    with shop.store() as store:
        lines = store.views.timeline(NOBODY).journal
    return [line.reason for line in lines if line.kind is Kind.DECIDED]


def letters(sends):
    """Customer -> the step that wrote to them; each has one letter."""
    ours = [send for send in sends if send[2] == "letter"]
    found = Counter((customer, step) for _, customer, _, step, *_ in ours)
    assert max(found.values()) == 1
    assert len({customer for customer, _ in found}) == len(found)
    return dict(found.keys())


@pytest.fixture
def clock(tmp_path):
    try:
        return FalseClock(tmp_path)
    except Missing as error:
        missing(error)


def test_all_workers_take_one_winner_that_was_decided_once(clock, tmp_path):
    with (
        a_shop(tmp_path / "shop", files=FILES) as shop,
        Workers(shop, 2, "--clock", "wall", environment=clock.environment) as workers,
    ):
        now = datetime.now(UTC)
        shop.add(picked(one, now) for one in PEOPLE)
        tried = len(TRIED["short"]) + len(TRIED["long"])
        workers.work_until(lambda: shop.status().messages == {"sent": tried})
        shop.add(clicked(one, datetime.now(UTC)) for one in CLICKS)
        # Twice is once.
        shop.add(clicked(one, datetime.now(UTC), 2) for one in TRIED["short"][:3] * 2)
        expected = {"short": 3, "long": len(TRIED["long"])}
        workers.work_until(lambda: clicks(shop) == expected)
        assert the_trial(shop).trial.winner == ""
        # Four hours are over, by our clock and that of Redis.
        clock.set("+5h")
        later = datetime.now(UTC) + timedelta(hours=5)
        shop.redis.xadd(shop.door, {"tick": ""}, id=f"{int(later.timestamp() * 1000)}-0")
        workers.work_until(lambda: the_trial(shop).trial.winner)
        # Whoever decided is gone, and results that come now are too late.
        workers.kill()
        shop.add(clicked(one, later) for one in TRIED["short"][3:])
        shop.add(picked(one, later) for one in LATE)
        everybody = len(PEOPLE) + len(LATE)
        workers.work_until(lambda: shop.status().messages == {"sent": everybody})
        workers.work_until(workers.is_done)
        assert the_trial(shop).trial.winner == "long"
        assert clicks(shop) == expected
        assert decisions(shop) == ["long"]
        wanted = dict.fromkeys([*WAITING, *LATE, *TRIED["long"]], "whole")
        assert letters(shop.sends()) == {**wanted, **dict.fromkeys(TRIED["short"], "brief")}


def clicks(shop):
    counts = the_trial(shop).counts
    return {branch: counts.get(branch, {}).get(Result.CLICKED, 0) for branch in STEPS}


def test_a_replay_through_workers_differs_from_simulate_by_the_results_it_found_at_most(tmp_path):
    """By the events' clock a partition may be read before another, and find fewer results."""
    begin = datetime(2026, 3, 1, 10, tzinfo=UTC)
    lines = [picked(one, begin) for one in PEOPLE]
    lines += [clicked(one, begin + timedelta(hours=1)) for one in CLICKS]
    lines += [picked(one, begin + timedelta(hours=6)) for one in LATE]
    with a_shop(tmp_path / "shop", files=FILES) as shop:
        simulated = letters(shop.simulated(write_lines(shop.folder, lines), "drain"))
        assert {simulated[one] for one in [*WAITING, *LATE]} == {"whole"}
        with Workers(shop) as workers:
            shop.add(lines)
            workers.kill_along(2, 40)
            workers.work_until(workers.is_done)
        shop.finish("drain")
        sends, trial = letters(shop.sends()), the_trial(shop)
        # What was tried on whom is the same.
        tried = [*TRIED["short"], *TRIED["long"]]
        assert {one: sends[one] for one in tried} == {one: simulated[one] for one in tried}
        # One winner, decided once, for everybody who waited or came later.
        assert decisions(shop) == [trial.trial.winner]
        assert {sends[one] for one in [*WAITING, *LATE]} == {STEPS[trial.trial.winner]}
        assert sends.keys() == simulated.keys()
        # The counts that it was decided by are those that were there, and no more than there are.
        with shop.store() as store:
            [line] = [x for x in store.views.timeline(NOBODY).journal if x.kind is Kind.DECIDED]
        found = {branch: line.values["counts"][branch].get("clicked", 0) for branch in STEPS}
        assert found["short"] <= 3
        assert found["long"] <= len(TRIED["long"])
        if found == {"short": 3, "long": len(TRIED["long"])}:
            assert sends == simulated
        # In the end all of them are counted, though they came too late to decide.
        assert clicks(shop) == {"short": 3, "long": len(TRIED["long"])}


def test_with_one_partition_a_replay_through_workers_is_what_simulate_says(tmp_path, monkeypatch):
    monkeypatch.setattr("support.production.PARTITIONS", 1)
    begin = datetime(2026, 3, 1, 10, tzinfo=UTC)
    lines = [picked(one, begin) for one in PEOPLE]
    lines += [clicked(one, begin + timedelta(hours=1)) for one in CLICKS]
    lines += [picked(one, begin + timedelta(hours=6)) for one in LATE]
    with a_shop(tmp_path / "shop", files=FILES) as shop:
        shop.add(lines)
        shop.finish("drain")
        assert shop.sends() == shop.simulated(write_lines(shop.folder, lines), "drain")
        assert decisions(shop) == ["long"]
