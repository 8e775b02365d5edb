"""A schedule by the wall clock, through a worker that is killed: everybody concerned, once."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime

import pytest
from support.production import FACTS, a_shop, wait_for

MINUTELY = """
apiVersion: shopflow/v1
kind: Workflow
id: minutely
owner: tests
status: live
purpose: service
trigger: {schedule: "* * * * *", audience: customer.alerts > 0, reentry: once, key: "'one'"}
steps:
  - {id: tell, send: log, template: fact/found, with: {fact: "'minutely'"}}
"""
FILES = {
    "rules/workflows/minutely.yaml": MINUTELY,
    "rules/traits.yaml": (FACTS / "rules/traits.yaml").read_text(encoding="utf-8")
    + "  alerts: {event: stock_alert.requested, count: true}\n",
}


def alert(number):
    return json.dumps(
        {
            "id": f"e{number}",
            "type": "stock_alert.requested" if number % 2 else "wishlist.added",
            "occurred_at": datetime.now(UTC).isoformat(),
            "customer_id": f"c{number}",
            "data": {"sku": "s1"},
        }
    )


@pytest.mark.slow
def test_everybody_in_the_audience_is_told_once_although_a_worker_is_killed(tmp_path):
    with a_shop(tmp_path, files=FILES) as shop:
        first = shop.start()
        shop.add([alert(number) for number in range(300)])
        wait_for(lambda: shop.status().events.get("accepted") == 300)
        wait_for(lambda: shop.status().sweeps, seconds=120)
        first.kill()
        shop.start()
        wanted = {f"c{number}" for number in range(1, 300, 2)}
        wait_for(lambda: {one[1] for one in shop.sends()} == wanted, seconds=180)
        assert set(Counter(one[1] for one in shop.sends()).values()) == {1}
        assert {one[2] for one in shop.sends()} == {"minutely"}
