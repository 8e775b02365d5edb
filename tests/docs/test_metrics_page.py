"""docs/metrics.md lists every metric there is, as the program has them."""

from __future__ import annotations

import re
from pathlib import Path

from shopflow.runtime.metrics_catalogue import METRICS, shown_names

REPO = Path(__file__).resolve().parents[2]
HEADER = """# Metrics

What `/metrics` of `shopflow serve` and `shopflow run --http` tells, written by `make docs`.
How to use them is in [operations](operations.md#metrics).

| name | kind | labels | what it says |
|---|---|---|---|
"""
WORD = re.compile(r"\bshopflow_[a-z_]+\b")


def row(name, metric):
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `shopflow_{name}` | {metric.kind} | {labels} | {metric.says} |\n"


def test_the_page_of_metrics_is_what_the_program_has(golden):
    golden(REPO / "docs/metrics.md", HEADER + "".join(row(*one) for one in METRICS.items()))


def test_no_page_names_a_metric_that_there_is_not():
    pages = [*REPO.glob("*.md"), *(REPO / "docs").rglob("*.md"), *(REPO / "deploy").glob("*.y*ml")]
    found = {
        (page.name, word)
        for page in pages
        for word in WORD.findall(page.read_text(encoding="utf-8"))
        if word not in shown_names() and word not in {"shopflow_channels", "shopflow_test"}
    }
    assert not found


def test_no_metric_has_a_label_that_could_hold_a_person():
    labels = {label for metric in METRICS.values() for label in metric.labels}
    bounded = {
        "part", "result", "workflow", "reason", "outcome", "channel", "state", "scope", "digest",
        "stream", "source", "queue", "version", "host", "class", "status",
        "revision",
    }  # fmt: skip
    assert not labels - bounded, "is it bounded, and can it never say who somebody is?"
