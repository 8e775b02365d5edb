"""The core gets the time and never asks for it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import shopflow

ASKS = re.compile(r"\b(now|today|utcnow|time_ns|monotonic|perf_counter)\(")


@pytest.mark.parametrize("layer", ["domain", "engine"])
def test_core_never_asks_for_the_time(layer):
    package = Path(shopflow.__file__).parent
    asking = [
        f"{path.relative_to(package)}:{number}: {line.strip()}"
        for path in sorted((package / layer).rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if ASKS.search(line) and not line.lstrip().startswith("#")
    ]
    assert not asking, "pass the time in:\n" + "\n".join(asking)
