"""What is asked all the time is answered from an index, however many rows there are."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import text

from shopflow.store.opening import open_store

ROWS = 20_000
#: Every customer of partition 1, all due at one instant or each at its own.
POSTGRES_ROWS = f"""
INSERT INTO customers (partition, id, next_due_at, state_version, state)
SELECT 1, 'customer-' || n, CASE WHEN n % 2 = 0 THEN 1000 ELSE n END, 1, '{{}}'
FROM generate_series(1, {ROWS}) AS n
"""
SQLITE_ROWS = f"""
WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < {ROWS})
INSERT INTO customers (partition, id, next_due_at, state_version, state)
SELECT 1, 'customer-' || n, CASE WHEN n % 2 = 0 THEN 1000 ELSE n END, 1, '{{}}' FROM series
"""
DUE = """
SELECT next_due_at, id FROM customers WHERE partition = 1 AND next_due_at <= 1000
ORDER BY next_due_at, id LIMIT 500
"""
ASKED = {
    "customers_due": DUE,
    "journal_event": "SELECT * FROM journal WHERE event_id = 'e1' ORDER BY seq",
    "waits_oldest": "SELECT * FROM waits WHERE event_type = 'restock' AND key = 'A1' "
    "AND (since, enrolment_id) > (5, 'x') ORDER BY since, enrolment_id LIMIT 1000",
    "messages_queued": "SELECT id FROM messages WHERE channel = 'email' AND state = 'queued' "
    "ORDER BY rank, decided_at, id LIMIT 100",
    "messages_in_hand": "SELECT id FROM messages WHERE state IN ('leased', 'attempted') LIMIT 1",
}


def nodes(plan):
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


def test_sqlite_reads_no_timer_but_those_that_are_due(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'shop.db'}", partitions=4)
    with store._database.writing() as connection:
        connection.execute(text(SQLITE_ROWS))
    with store._database.reading() as connection:
        plan = [row[3] for row in connection.execute(text(f"EXPLAIN QUERY PLAN {DUE}"))]
    store.close()
    assert plan == [
        "SEARCH customers USING COVERING INDEX customers_due (partition=? AND next_due_at<?)"
    ]


@pytest.mark.parametrize("index", ASKED)
def test_sqlite_answers_from_the_index(tmp_path, index):
    store = open_store(f"sqlite:///{tmp_path / 'shop.db'}")
    with store._database.reading() as connection:
        plan = [row[3] for row in connection.execute(text(f"EXPLAIN QUERY PLAN {ASKED[index]}"))]
    store.close()
    assert index in plan[0]


def test_postgresql_reads_no_timer_but_those_that_are_due(postgres_shop):
    store = open_store(postgres_shop, partitions=4)
    with store._database.writing() as connection:
        connection.execute(text(POSTGRES_ROWS))
        connection.execute(text("ANALYZE customers"))
    with store._database.reading() as connection:
        (found,) = connection.execute(text(f"EXPLAIN (ANALYZE, FORMAT JSON) {DUE}")).one()
    store.close()
    plan = found if isinstance(found, list) else json.loads(found)
    steps = {node["Node Type"]: node for node in nodes(plan[0]["Plan"])}
    assert set(steps) <= {"Limit", "Index Only Scan", "Index Scan"}, "neither sorted nor searched"
    (scan,) = [node for kind, node in steps.items() if kind != "Limit"]
    assert scan["Index Name"] == "customers_due"
    assert scan["Actual Rows"] == 500, "it stops at the limit"
