"""Events about products through Redis, RQ and PostgreSQL: every partition hears, once."""

from __future__ import annotations

import json
import random
from collections import Counter
from datetime import UTC, datetime, timedelta

from support.production import FACTS, PARTITIONS, a_shop

WORKFLOW = """
apiVersion: shopflow/v1
kind: Workflow
id: back-in-stock
owner: tests
status: live
purpose: service
trigger: {event: stock_alert.requested, key: event.sku}
exit_on:
  - {id: canceled, event: stock_alert.canceled, match: {sku: trigger.sku}, outcome: canceled}
  - {id: gone, event: product.withdrawn, match: {sku: trigger.sku}, outcome: gone}
steps:
  - {id: settle, wait: 30m}
  - id: stock
    wait_for: product.restocked
    match: {sku: trigger.sku}
    timeout: 1d
    then: [{id: back, send: log, template: fact/found, with: {fact: "'back'"}}]
    else: [{id: sorry, send: log, template: fact/found, with: {fact: "'sorry'"}}]
"""
TYPES = [
    "stock_alert.requested",
    "stock_alert.canceled",
    "product.restocked",
    "product.withdrawn",
    "coupon_pool.opened",
]
DAILY = """
apiVersion: shopflow/v1
kind: Workflow
id: daily
owner: tests
status: live
purpose: service
trigger: {schedule: "0 12 * * *", audience: customer.alerts > 2, spread: 2h}
steps:
  - {id: tell, send: log, template: fact/found, with: {fact: "'daily'"}}
"""
POOL = """
apiVersion: shopflow/v1
kind: Workflow
id: pool
owner: tests
status: live
purpose: service
trigger: {event: coupon_pool.opened, audience: customer.alerts > 3}
steps:
  - {id: settle, wait: 1h}
  - {id: tell, send: log, template: fact/found, with: {fact: trigger.pool}}
"""
FILES = {
    "rules/workflows/back-in-stock.yaml": WORKFLOW,
    "rules/workflows/daily.yaml": DAILY,
    "rules/workflows/pool.yaml": POOL,
    "rules/traits.yaml": (FACTS / "rules/traits.yaml").read_text(encoding="utf-8")
    + "  alerts: {event: stock_alert.requested, count: true}\n",
}


def lines(count, seed=1):
    """Alerts of many customers, and what becomes of the products."""
    rng, at = random.Random(seed), datetime(2026, 3, 1, tzinfo=UTC)
    for number in range(count):
        at += timedelta(minutes=rng.randrange(20))
        kind = rng.choices(TYPES, [70, 10, 16, 3, 1])[0]
        about = (
            {}
            if kind.startswith(("product.", "coupon_pool."))
            else {"customer_id": f"c{rng.randrange(80)}"}
        )
        event = {
            "id": f"e{number}",
            "type": kind,
            "occurred_at": at.isoformat(),
            "data": {"sku": f"s{rng.randrange(6)}", "pool": "spring"},
        }
        yield json.dumps({**event, **about})


def test_two_workers_tell_whoever_waits_in_any_partition_what_simulate_says(tmp_path):
    told = list(lines(600))
    bad = json.dumps({"id": "bad", "type": "product.restocked", "data": {"sku": 7}})
    again = [line for line in told if "product." in line][:20]
    path = tmp_path / "events.jsonl"
    path.write_text("".join(f"{line}\n" for line in [*told, *again, bad]), encoding="utf-8")
    with a_shop(tmp_path, files=FILES) as shop:
        shop.run("events", "send", str(path))
        for until in ("end", "drain"):
            shop.finish(until)
            assert shop.sends() == shop.simulated(path, until)
        steps = Counter((workflow, step) for _, _, workflow, step, _, _ in shop.sends())
        assert min(steps["back-in-stock", "back"], steps["back-in-stock", "sorry"]) > 20
        assert min(steps["daily", "tell"], steps["pool", "tell"]) > 20
        status = shop.status()
        assert status.events == {"accepted": 600, "duplicate": 20, "dead_letter": 1}
        assert status.dead_letters == {"envelope": 1}
        with shop.store() as store:
            about = {store.partition_of(one[1]) for one in shop.sends()}
            assert len(about) == PARTITIONS, "customers of every partition were told"
            waits = [
                store.views.waiting("product.restocked", f'{{"sku":"s{n}"}}') for n in range(6)
            ]
            assert waits == [[]] * 6
