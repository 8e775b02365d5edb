"""Deploys, a rollback and kills while events come in: nothing is sent by it, and nothing is lost.

All revisions mean the same, and each has versions of its own of every workflow. So whatever is
decided by which of them, the sends must be those of `simulate`, which knows of no deploy.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta

import pytest
import yaml
from support.faults import Workers
from support.production import a_shop, generated, write_lines

from shopflow.runtime.queue.pulse import Board

EVENTS = 2_400
#: Revisions that are deployed while events come in, after the first.
DEPLOYS = 5
CONSENT = """
apiVersion: shopflow/v1
kind: ConsentPolicy
purposes:
  service: {class: service}
  nudges: {class: relationship}
"""
MOST, WINDOW = 2, timedelta(hours=6)
CAPS = """
apiVersion: shopflow/v1
kind: FrequencyCaps
caps:
  - {id: few, max: 2, in_any: 6h, classes: [relationship], if_capped: skip}
"""
NUDGE = """
apiVersion: shopflow/v1
kind: Workflow
id: nudge
title: A few words on every cart
owner: tests
status: live
purpose: nudges
trigger: {event: cart.updated, reentry: restart}
exit_on:
  - {id: bought, event: order.placed, outcome: converted}
steps:
  - {id: settle, wait: 5m}
  - {id: first, send: log, template: fact/found}
  - {id: cool_off, wait: 40m}
  - {id: second, send: log, template: fact/found}
"""
MORE = {
    "rules/policies/consent.yaml": CONSENT,
    "rules/policies/caps.yaml": CAPS,
    "rules/workflows/shop/nudge.yaml": NUDGE,
}


@pytest.fixture
def shop(tmp_path):
    with a_shop(tmp_path, files=MORE) as shop:
        found = shop.folder / "rules/templates/fact/found/log.en.txt"
        text = found.read_text(encoding="utf-8")
        found.write_text(text.replace("[service]", "[service, nudges]"), encoding="utf-8")
        yield shop


def revise(shop, number):
    """Every workflow has a new version, which means what the one before did."""
    for path in sorted((shop.folder / "rules/workflows").rglob("*.yaml")):
        workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
        workflow |= {"version": number, "tags": [f"revision-{number}"]}
        path.write_text(yaml.safe_dump(workflow, sort_keys=False), encoding="utf-8")


def put_to_work(shop, *words):
    return json.loads(shop.run(*words, "--format", "json").stdout)


def runs(shop, revision):
    """True when a worker that lives runs this bundle."""
    _, _, workers = Board(shop.redis, shop.namespace).read()
    return any(revision.removeprefix("sha256:").startswith(one.revision) for one in workers)


def entered(found):
    return {name: one["entered"] for name, one in found["workflows"].items() if one["entered"]}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_deploys_and_a_rollback_under_load_change_nothing_of_what_is_sent(shop):
    lines = generated(EVENTS, seed=7)
    path = write_lines(shop.folder, lines)
    revise(shop, 1)
    put_to_work(shop, "deploy")
    chunk = len(lines) // (DEPLOYS + 2)
    left = list(lines)

    def push():
        some, left[:chunk] = left[:chunk], []
        shop.add(some)

    with Workers(shop, seed=7) as workers:
        push()
        for number in range(2, 2 + DEPLOYS):
            revise(shop, number)
            push()
            made = put_to_work(shop, "deploy")
            workers.work_until(lambda: runs(shop, made["digest"]))  # noqa: B023 - called at once
            if number % 2:
                workers.kill()
            if number == 3:
                back = put_to_work(shop, "rollback", "--yes", "--reason", "to see whether it holds")
                workers.work_until(lambda: runs(shop, back["to"]))  # noqa: B023 - called at once
        shop.add(left)
        workers.work_until(workers.is_done)
        assert workers.kills
    for until in ("end", "drain"):
        shop.finish(until)
        assert shop.sends() == shop.simulated(path, until)
    status = shop.status()
    assert status.events == {"accepted": len(lines)}
    assert set(status.messages) == {"sent"}
    assert status.inbox == shop.waiting() == 0
    simulated = shop.run("simulate", str(path), "--until", "drain", "--format", "json").stdout
    with shop.store() as store:
        begun = Counter()
        versions = set()
        for row in store.views.stats():
            if row.key.result.startswith("entered"):
                begun[row.key.workflow] += row.count
                versions.add(row.key.version)
        moves = [one.move for one in store.deployments.history()]
    # Nobody began twice, and nobody was forgotten, whichever revision it began on.
    assert dict(begun) == entered(json.loads(simulated))
    assert len(versions) > 2, f"the load was over before the rules changed: {versions}"
    assert moves.count("deploy") == DEPLOYS + 1
    assert moves.count("rollback") == 1
    assert most_within(shop.sends()) == MOST


def most_within(sends):
    """The most messages under the cap that one customer got in any window of its length."""
    times = {}
    for at, customer, workflow, *_ in sends:
        if workflow == "nudge":
            times.setdefault(customer, []).append(at)
    return max(
        sum(first <= other < first + WINDOW for other in of_one)
        for of_one in times.values()
        for first in of_one
    )
