"""The whole starter pack over months of real shops: no event is refused, and no condition fails."""

from __future__ import annotations

import json

import pytest
from support.running import shopflow

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("stream", "started"),
    [
        ("rees46", {"order-follow-up", "vip", "win-back"}),
        ("online_retail", {"order-follow-up", "re-engage-and-sunset", "seasonal-return"}),
    ],
)
def test_the_pack_runs_over_a_real_stream_without_a_failing_condition(
    shared, repo, stream, started
):
    events = shared / "data" / stream / "events.jsonl.gz"
    told = json.loads(shopflow(repo, "simulate", events, "--format", "json").stdout)
    entered = {name for name, one in told["workflows"].items() if one["entered"]}
    assert told["errors"] == 0
    assert told["dead_letters"] == 0
    assert told["events"] > 10_000
    assert started <= entered
