"""`shopflow simulate`: what it counts, where its clock stops, and what it says of bad input."""

from __future__ import annotations

import gzip
import json

import pytest
from click.testing import CliRunner
from support.small_project import project_files

from shopflow.cli.main import main

START = "2026-03-03T10:00:00Z"


def an_event(number, at=START, event_type="cart.updated", customer="anna", **data):
    return {
        "id": f"e-{number}",
        "type": event_type,
        "occurred_at": at,
        "customer_id": customer,
        "data": data or {"total": 90.0, "items": []},
    }


CART = an_event(1)
LATER = an_event(2, "2026-03-03T10:30:00Z", "product.viewed", "ben", sku="A1")


@pytest.fixture
def simulate(folder):
    """Runs the command on these lines."""

    def run(*lines, options=(), name="events.jsonl", **more):
        root = folder(project_files(**more))
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        content = "\n".join([*texts, ""]).encode()
        packed = gzip.compress(content) if name.endswith(".gz") else content
        (root / name).write_bytes(packed)
        arguments = ["simulate", str(root / name), "--project", str(root), *options]
        return CliRunner().invoke(main, arguments)

    return run


def counted(ran):
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)


@pytest.mark.parametrize(
    ("until", "sends"),
    [
        ("end", {}),
        ("drain", {"email": 1}),
        ("2026-03-03T10:59:59Z", {}),
        ("2026-03-03T11:00:00Z", {"email": 1}),
        ("2026-03-03T12:00:00+01:00", {"email": 1}),
        ("2026-03-03T11:00", {"email": 1}),
    ],
)
def test_the_clock_stops_where_it_is_told_to(simulate, until, sends):
    options = ["--until", until, "--format", "json"]
    order = an_event(3, event_type="customer.updated", email="anna@shop.example")
    result = counted(simulate(order, CART, LATER, options=options))
    assert result["workflows"]["cart"]["sends"] == sends
    assert result["events"] == 3


def test_events_after_the_given_time_are_not_looked_at(simulate):
    options = ["--until", "2026-03-03T10:15:00Z", "--format", "json"]
    result = counted(simulate(CART, LATER, options=options))
    assert (result["events"], result["customers"]) == (1, 1)


def test_the_summary_counts_inputs_and_customers(simulate):
    lines = [CART, CART, LATER, "not json", an_event(4, event_type="cart.stolen"), "", "  "]
    result = counted(simulate(*lines, options=["--format", "json"]))
    workflows = result.pop("workflows")
    assert result == {"events": 5, "duplicates": 1, "dead_letters": 2, "customers": 2, "errors": 0}
    assert workflows == {
        "cart": {
            "entered": 1,
            "ended": {},
            "sends": {},
            "drops": {},
            "holds": {},
            "errors": 0,
        }
    }


def test_the_sends_file_has_a_line_a_message_in_order_of_time(simulate, tmp_path):
    sends = tmp_path / "sends.jsonl"
    other = an_event(5, "2026-03-03T09:00:00Z", customer="ben")
    options = ["--until", "drain", "--sends", str(sends)]
    steps = [
        {"id": "settle", "wait": "1h"},
        {
            "id": "note",
            "send": "log",
            "template": "cart/reminder",
            "with": {"total": "trigger.total"},
        },
    ]
    assert simulate(CART, other, options=options, workflow={"steps": steps}).exit_code == 0
    first, second = map(json.loads, sends.read_text().splitlines())
    assert first == {
        "at": "2026-03-03T10:00:00Z",
        "customer_id": "ben",
        "workflow": "cart",
        "version": 1,
        "step": "note",
        "channel": "log",
        "trigger_event_id": "e-5",
    }
    assert second["trigger_event_id"] == "e-1"


def test_packed_files_are_read_as_plain_ones(simulate):
    options = ["--format", "json"]
    plain, packed = (
        counted(simulate(CART, LATER, options=options, name=name))
        for name in ("events.jsonl", "events.jsonl.gz")
    )
    assert plain == packed


def test_standard_input_is_a_source_too(folder):
    root = folder(project_files())
    arguments = ["simulate", "-", "--project", str(root), "--format", "json"]
    ran = CliRunner().invoke(main, arguments, input=f"{json.dumps(CART)}\n")
    assert counted(ran)["events"] == 1


def test_people_are_told_where_bad_lines_stand_and_why(simulate):
    ran = simulate(CART, "not json", options=["--until", "drain"])
    assert ran.exit_code == 0
    assert "2 events of 1 customers; 0 duplicates, 1 dead letters" in ran.output
    assert "events.jsonl:2: not_json:" in ran.output
    assert "drops    no_address 1" not in ran.output
    assert "  sends    log 1" in ran.output


def test_conditions_that_fail_are_told(simulate):
    trigger = {"event": "cart.updated", "when": "event.items.exists(i, i.price > 5.0)"}
    cart = an_event(1, items=[{"sku": "A1"}])
    ran = simulate(cart, workflow={"trigger": trigger})
    assert "1 conditions or values failed" in ran.output
    assert "nobody entered: cart" in ran.output


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--until", "tomorrow"], "'tomorrow' is neither end, drain nor a time"),
        (["--sends", "/nowhere/sends.jsonl"], "No such file or directory"),
        (["missing.jsonl"], "missing.jsonl: cannot be read: No such file or directory"),
    ],
)
def test_wrong_usage_is_told(simulate, options, told):
    ran = simulate(CART, options=options)
    assert ran.exit_code == 2
    assert told in ran.output


def test_rules_with_errors_are_not_simulated(simulate):
    ran = simulate(CART, workflow={"purpose": "fun"})
    assert ran.exit_code == 1
    assert "fun" in ran.output
