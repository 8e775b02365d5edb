"""The whole starter pack over months of real shops: no event is refused, and no condition fails."""

from __future__ import annotations

import gzip
import json
from itertools import islice

import pytest
from support.running import shopflow

pytestmark = pytest.mark.slow


#: Events of a part; whole streams are for `make soak`.
PART, WHOLE = 1_000, 10**6
soak = pytest.mark.soak


@pytest.mark.parametrize(
    ("stream", "most", "started"),
    [
        ("rees46", PART, {"order-follow-up"}),
        ("online_retail", PART, {"order-follow-up"}),
        pytest.param("rees46", WHOLE, {"order-follow-up", "vip", "win-back"}, marks=soak),
        pytest.param(
            "online_retail",
            WHOLE,
            {"order-follow-up", "re-engage-and-sunset", "seasonal-return"},
            marks=soak,
        ),
    ],
)
def test_the_pack_runs_over_a_real_stream_without_a_failing_condition(
    shared, repo, tmp_path, stream, most, started
):
    events = tmp_path / "events.jsonl"
    with gzip.open(shared / "data" / stream / "events.jsonl.gz", "rt", encoding="utf-8") as lines:
        events.write_text("".join(islice(lines, most)), encoding="utf-8")
    told = json.loads(shopflow(repo, "simulate", events, "--format", "json").stdout)
    entered = {name for name, one in told["workflows"].items() if one["entered"]}
    assert told["errors"] == 0
    assert told["dead_letters"] == 0
    assert told["events"] >= min(most, 10_000)
    assert started <= entered
