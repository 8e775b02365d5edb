"""The benchmarks of the store run, and tell what they found."""

from __future__ import annotations

import json

import pytest

from shopflow.bench import store, timers


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(store, "BATCH", 20)
    monkeypatch.setattr(timers, "SIZES", (600, 1_200))


@pytest.mark.usefixtures("small")
def test_the_store_is_shown_beside_the_bare_drivers(server):
    report = store.run(1, postgres=server, customers=1_000)
    shown = store.render(report)
    assert "bare sqlite3 executemany" in shown
    assert "bare psycopg json_to_recordset" in shown
    assert "customers written" in shown
    sqlite, postgres = json.loads(store.render_json(report))["lines"]
    assert sqlite["ratio"] == pytest.approx(sqlite["rows"] / sqlite["floor"])
    assert postgres["floor"] == min(postgres["floors"].values())


@pytest.mark.usefixtures("small")
def test_many_timers_are_shown_beside_few(server):
    report = timers.run(1, postgres=server)
    assert set(report.growth) == {"sqlite", "postgresql"}
    assert "1,200 armed cost" in timers.render(report)
    assert len(json.loads(timers.render_json(report))["lines"]) == 4
