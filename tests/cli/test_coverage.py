"""`shopflow test --coverage`: what the tests show of the workflows, and what they never do."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner
from support.small_project import FULL, ORDER, project_files

from shopflow.cli.main import main

SMALL = {**FULL, "data": {"total": 5.0, "items": []}}
BARE = {**FULL, "data": {"items": []}}
REMINDED = {"events": [FULL], "expect": {"sends": [{"step": "reminder"}]}}
BOUGHT = {"events": [FULL, {**ORDER, "at": "1m"}], "expect": {"sends": []}}
TOO_SMALL = {"events": [SMALL], "expect": {"sends": []}}
NO_TOTAL = {"events": [BARE], "expect": {"sends": []}}
EVERYTHING = (REMINDED, BOUGHT, TOO_SMALL, NO_TOTAL)

#: Every kind of step that chooses a way, and a condition that has a name.
WINDING = {
    "values": {"dear": 100},
    "let": {"is_dear": "trigger.total >= values.dear"},
    "steps": [
        {
            "id": "paid",
            "wait_for": "payment.received",
            "timeout": "1d",
            "when": "has(event.order_id)",
            "then": [{"id": "thanks", "end": "paid"}],
            "else": [],
        },
        {
            "id": "size",
            "choose": [
                {"when": "vars.is_dear", "then": [{"id": "big", "end": "big"}]},
                {"else": []},
            ],
        },
        {
            "id": "half",
            "split": [
                {"name": "left", "weight": 50, "then": [{"id": "on_left", "wait": "1h"}]},
                {"name": "right", "weight": 50, "then": [{"id": "on_right", "wait": "1h"}]},
            ],
        },
        {
            "id": "reminder",
            "send": "email",
            "template": "cart/reminder",
            "with": {"total": "trigger.total"},
            "only_if": "customer.orders_count == 0",
        },
    ],
}


@pytest.fixture
def covered(folder):
    """Runs the command with coverage on a project with these tests."""

    def run(*tests, options=("--coverage",), **more):
        root = folder(project_files(tests=tests, **more))
        arguments = ["test", str(root / "rules/tests"), "--project", str(root)]
        return CliRunner().invoke(main, [*arguments, *options])

    return run


def never_seen(ran):
    """What the JSON says that no test shows."""
    return {each["message"] for each in json.loads(ran.stdout)["coverage"]["never_seen"]}


def test_tests_that_show_everything_reach_a_hundred_percent(covered):
    ran = covered(*EVERYTHING, options=["--min-coverage", "100"])
    assert ran.exit_code == 0
    header, cart, total = ran.stdout.splitlines()[:3]
    assert header.split() == ["coverage", "steps", "branches", "exits", "outcomes", "all"]
    assert cart.split() == ["cart", "2/2", "-", "1/1", "6/6", "100", "%"]
    assert total.split()[1:] == cart.split()[1:]
    assert "never seen" not in ran.output


def test_what_no_test_shows_is_listed_with_its_place(covered):
    ran = covered(REMINDED)
    told = [line for line in ran.stdout.splitlines() if "warning[SF70" in line]
    assert ran.exit_code == 0
    assert [line.split(" warning")[1] for line in told] == [
        "[SF703]: `when` of the trigger was never false",
        "[SF703]: `when` of the trigger: `has(event.total)` was never false",
        "[SF703]: `when` of the trigger: `event.total >= 20` was never false",
        "[SF704]: exit `purchased` was never taken",
    ]
    assert all(line.startswith("  rules/workflows/shop/cart.yaml:") for line in told)
    part = told[2].split(":")
    assert int(part[2]) == int(told[1].split(":")[2]) + len("has(event.total) && ")


def test_a_bar_that_is_not_reached_fails_and_says_by_how_much(covered):
    ran = covered(REMINDED, options=["--min-coverage", "95"])
    assert ran.exit_code == 1
    assert ran.stderr == "coverage is 55.5 %, less than 95 %\n"
    assert covered(REMINDED, options=["--min-coverage", "55.5"]).exit_code == 0


def test_a_send_that_a_test_sees_dropped_has_not_been_shown(covered):
    quiet = {"workflow": {"purpose": "marketing"}}
    test = {"customer": {"consent": {}}, "events": [FULL], "expect": {"sends": []}}
    ran = covered(test, options=["--coverage", "--format", "json"], **quiet)
    assert "step `reminder` sent nothing in any test" in never_seen(ran)


def test_every_way_through_the_steps_counts(covered):
    ran = covered(BOUGHT, options=["--coverage", "--format", "json"], workflow=WINDING)
    told = json.loads(ran.stdout)["coverage"]["workflows"]["cart"]
    assert told["branches"] == {"seen": 0, "of": 6}
    assert {
        "step `paid`: the event never came",
        "step `paid`: the time-out never passed",
        "step `size`: branch `1` was never taken",
        "step `size`: branch `else` was never taken",
        "step `half`: branch `left` was never taken",
        "step `half`: branch `right` was never taken",
        "step `thanks` never ran in any test",
        "`when` of step `paid` was never false",
        "`choose 1` of step `size` was never true",
        "`only_if` of step `reminder` was never false",
        "`is_dear` was never true",
    } <= never_seen(ran)


def test_ways_that_were_taken_are_seen(covered):
    paid = {"type": "payment.received", "at": "1h", "data": {"order_id": "o1", "amount": 5.0}}
    dear = {**FULL, "data": {"total": 900.0, "items": []}}
    tests = [
        {"events": [FULL, paid], "expect": {"end": {"outcome": "paid"}}},
        {"events": [FULL], "expect": {"sends": [{"step": "reminder"}]}},
        {"events": [dear], "expect": {"end": {"outcome": "big"}}},
    ]
    ran = covered(*tests, options=["--coverage", "--format", "json"], workflow=WINDING)
    result = json.loads(ran.stdout)
    assert result["failed"] == 0
    assert result["coverage"]["workflows"]["cart"]["branches"] == {"seen": 5, "of": 6}
    missing = {each for each in never_seen(ran) if each.startswith("step")}
    assert len([each for each in missing if each.startswith("step `half`: branch")]) == 1


def test_a_coupon_has_to_be_seen_drawn_and_gone(covered):
    gift = {
        "apiVersion": "shopflow/v1",
        "kind": "Coupon",
        "id": "gift",
        "type": "gift",
        "codes": {"pattern": "GIFT-{random:8}"},
        "valid_for": "14d",
    }
    steps = [
        {"id": "gift", "coupon": "gift", "else": [{"id": "none_left", "end": "no_code"}]},
        {"id": "over", "end": "given"},
    ]
    given = {"events": [FULL], "expect": {"end": {"outcome": "given"}}}
    gone = {
        "events": [FULL],
        "mocks": {"coupons": {"gift": "exhausted"}},
        "expect": {"end": {"outcome": "no_code"}},
    }
    files = {"workflow": {"steps": steps}, "rules/coupons/gift.yaml": gift}
    options = ["--coverage", "--format", "json"]
    assert "step `gift`: there was always a code" in never_seen(
        covered(given, options=options, **files)
    )
    assert "step `gift`: no code was ever drawn" in never_seen(
        covered(gone, options=options, **files)
    )
    told = json.loads(covered(given, gone, options=options, **files).stdout)
    assert told["coverage"]["workflows"]["cart"]["branches"] == {"seen": 2, "of": 2}


def test_workflows_without_a_test_count_unless_tests_are_chosen(folder):
    other = {**project_files()}
    name, text = next((k, v) for k, v in other.items() if k.startswith("rules/workflows/"))
    second = {name.replace("cart.yaml", "cart-two.yaml"): text.replace("id: cart", "id: cart-two")}
    root = folder({**project_files(tests=EVERYTHING), **second})
    run = ["test", "--coverage", "--format", "json", "--project", str(root)]
    everything = json.loads(CliRunner().invoke(main, run).stdout)["coverage"]
    assert everything["workflows"]["cart-two"]["percent"] == 0
    chosen = json.loads(CliRunner().invoke(main, [*run, "-k", "test"]).stdout)["coverage"]
    assert list(chosen["workflows"]) == ["cart"]


def test_junit_carries_the_percentage_as_a_property(covered):
    ran = covered(REMINDED, options=["--coverage", "--format", "junit"])
    (told,) = ET.fromstring(ran.stdout).iter("property")
    assert told.attrib == {"name": "coverage", "value": "55.5"}
