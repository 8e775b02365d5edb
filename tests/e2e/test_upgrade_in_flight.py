"""A deploy meets enrolments on their way: `upgrade` moves them by their step, `pin` leaves them.

Two workflows of the same words, one for each of the two, so that each proves the other.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from support.production import FACTS, PARTITIONS, a_shop, write_files, write_lines

from shopflow.domain.journal import Kind
from shopflow.store.opening import open_store

T0 = datetime(2026, 3, 1, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
HEAD = """
apiVersion: shopflow/v1
kind: Workflow
id: {id}
version: {version}
title: A few words on a cart
owner: tests
status: live
purpose: service
trigger: {{event: cart.updated, reentry: ignore, cooldown: 30d}}
in_flight: {{on_change: {on_change}{renamed}}}
exit_on: [{{id: bought, event: order.placed, outcome: bought}}]
steps:
"""
FIRST = """\
  - {id: settle, wait: 2h}
  - {id: remind, send: log, template: fact/found}
  - {id: pause, wait: 2h}
  - {id: insist, send: log, template: fact/found}
"""
#: The first wait has another name and length, and `pause` with what followed it is gone.
SECOND = """\
  - {id: rest, wait: 5h}
  - {id: tell, send: log, template: fact/found}
"""
WORKFLOWS = {"moved": "upgrade", "stayed": "pin"}


def rules(version, steps, renamed=""):
    return {
        f"rules/workflows/shop/{name}.yaml": HEAD.format(
            id=name, version=version, on_change=change, renamed=renamed
        )
        + steps
        for name, change in WORKFLOWS.items()
    }


class OneProcess:
    """The embedded runner: started, and started again."""

    def __init__(self, folder):
        self.folder = folder
        shutil.copytree(FACTS, folder, dirs_exist_ok=True)
        settings = folder / "shopflow.yaml"
        text = f"database: sqlite:///shop.db\npartitions: {PARTITIONS}\n"
        settings.write_text(settings.read_text(encoding="utf-8") + text, encoding="utf-8")

    def run(self, *words):
        code = "from shopflow.cli.main import main; main()"
        command = [sys.executable, "-c", code, *words, "--project", str(self.folder)]
        subprocess.run(command, check=True, capture_output=True)

    def happen(self, lines):
        self.run("run", str(write_lines(self.folder, lines)), "--clock", "event")

    def store(self):
        return closing(open_store(f"sqlite:///{self.folder}/shop.db", partitions=PARTITIONS))


class Fleet:
    """Workers on a queue and a database, which end when nothing is left."""

    def __init__(self, shop):
        self.folder, self.run, self.store = shop.folder, shop.run, shop.store
        self._shop = shop

    def happen(self, lines):
        self._shop.add(lines)
        self._shop.finish("end")


@pytest.fixture(params=["embedded", "workers"])
def shop(request, tmp_path):
    if request.param == "embedded":
        yield OneProcess(tmp_path)
        return
    with a_shop(tmp_path) as shop:
        yield Fleet(shop)


def a_cart(customer, at):
    """A cart, and by its time the clock of the replay."""
    item = {"sku": "A1", "price": 60.0, "quantity": 1}
    event = {
        "id": f"cart-{customer}",
        "type": "cart.updated",
        "occurred_at": (T0 + at).isoformat(),
        "customer_id": customer,
        "data": {"items": [item], "total": 60.0},
    }
    return json.dumps(event)


def put_to_work(shop, files):
    write_files(shop.folder, files)
    shop.run("deploy")


def sends(store, workflow):
    found = store.views.messages(workflow=workflow, limit=99)
    told = [(each.message, (each.message.decided_at - T0) / HOUR) for each in found]
    return sorted((at, one.customer_id, one.step, one.version) for one, at in told)


def ends(store, customer, workflow):
    journal = store.views.timeline(customer).journal
    return [
        (one.reason, (one.at - T0) / HOUR)
        for one in journal
        if one.kind is Kind.EXITED and one.workflow == workflow
    ]


@pytest.mark.slow
def test_an_upgrade_moves_whoever_is_on_the_way_and_retires_whose_step_is_gone(shop):
    put_to_work(shop, rules(1, FIRST))
    # By then ben has been reminded and pauses; anna still waits for the first words.
    shop.happen([a_cart("ben", 0 * HOUR), a_cart("anna", 3 * HOUR)])
    put_to_work(shop, rules(2, SECOND, ", renamed: {settle: rest}"))
    shop.happen([a_cart("cleo", 6 * HOUR), a_cart("last", 13 * HOUR)])
    with shop.store() as store:
        assert sends(store, "moved") == [
            (2, "ben", "remind", 1),
            # Her wait keeps its end, and what comes then is what is live.
            (5, "anna", "tell", 2),
            (11, "cleo", "tell", 2),
        ]
        assert sends(store, "stayed") == [
            (2, "ben", "remind", 1),
            (4, "ben", "insist", 1),
            (5, "anna", "remind", 1),
            (7, "anna", "insist", 1),
            (11, "cleo", "tell", 2),
        ]
        assert ends(store, "ben", "moved") == [("retired", 4)]
        assert [reason for reason, _ in ends(store, "ben", "stayed")] == ["completed"]
        assert [reason for reason, _ in ends(store, "anna", "moved")] == ["completed"]


@pytest.mark.slow
def test_a_step_that_is_renamed_without_a_word_is_a_step_that_is_gone(shop):
    put_to_work(shop, rules(1, FIRST))
    shop.happen([a_cart("anna", 0 * HOUR)])
    put_to_work(shop, rules(2, SECOND))
    shop.happen([a_cart("last", 5 * HOUR)])
    with shop.store() as store:
        assert sends(store, "moved") == []
        assert ends(store, "anna", "moved") == [("retired", 2)]
        assert ends(store, "anna", "stayed") == [("completed", 4)]
