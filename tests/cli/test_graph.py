"""`shopflow graph`: the rules as drawings in every format, and the page of them all."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner
from support.servers import tool
from support.small_project import CART, FULL, project_files

from shopflow.cli.main import main

GIFT = {
    "apiVersion": "shopflow/v1",
    "kind": "Coupon",
    "id": "gift",
    "type": "gift",
    "codes": {"pattern": "GIFT-{random:8}"},
    "valid_for": "14d",
}
#: A workflow with every kind of way.
WINDING = {
    "id": "winding",
    "title": 'A "winding" way',
    "values": {"patience": "3d"},
    "exit_on": [
        {"id": "bought", "event": "order.placed", "outcome": "converted"},
        {"id": "gone", "when": "customer.orders_count > 9", "outcome": "left"},
    ],
    "steps": [
        {"id": "settle", "wait": "values.patience"},
        {
            "id": "paid",
            "wait_for": "payment.received",
            "timeout": "values.patience",
            "then": [{"id": "thanks", "end": "paid"}],
            "else": [],
        },
        {
            "id": "size",
            "choose": [
                {"when": "trigger.total >= 100", "then": [{"id": "big", "end": "big"}]},
                {"else": [{"id": "tell", "emit": {"event": "order.delayed"}}]},
            ],
        },
        {
            "id": "half",
            "split": [
                {"name": "left", "weight": 25, "then": [{"id": "rest", "wait": "1h"}]},
                {"name": "right", "weight": 75, "then": []},
            ],
        },
        {
            "id": "chase",
            "repeat": {
                "every": "2d",
                "max": 3,
                "steps": [
                    {
                        "id": "remind",
                        "send": {"first_of": ["email", "log"]},
                        "template": "cart/reminder",
                        "with": {"total": "trigger.total"},
                        "only_if": "trigger.total > 20",
                    }
                ],
            },
        },
    ],
}
OPEN = r"\(\[|\[/|\(|\{\{|\{|\[\[|\["
SHUT = r"\]\)|/\]|\)|\}\}|\}|\]\]|\\\]|\]"
NODE = rf"n\d+(?:{OPEN})\"[^\"]+\"(?:{SHUT})(?::::[a-z]+)?"
EDGE = r"n\d+ (?:-->|-\.->|==>)(?:\|\"[^\"]+\"\|)? n\d+"
STYLE = r"classDef [a-z]+ \S+|linkStyle [\d,]+ \S+"
FRAME = r"subgraph g\d+\[\"[^\"]+\"\]|end"
MERMAID = re.compile(rf" *(?:{NODE}|{EDGE}|{STYLE}|{FRAME})")


@pytest.fixture
def draw(folder):
    """Runs the command on the small project with the winding workflow beside its own."""

    def run(*arguments, workflow=WINDING):
        files = project_files(**{"rules/coupons/gift.yaml": GIFT})
        other = project_files(workflow=workflow)
        root = folder({**other, **files})
        return CliRunner().invoke(main, ["graph", *arguments, "--project", str(root)])

    return run


def drawn(ran):
    """Nodes by their text, and the edges between them with their labels."""
    told = json.loads(ran.stdout)
    texts = {node["id"]: " ".join(node["lines"]) for node in told["nodes"]}
    edges = {
        (texts[edge["source"]], edge["label"], texts[edge["target"]]) for edge in told["edges"]
    }
    return texts, edges


def test_the_way_through_a_workflow_has_every_branch_and_every_end(draw):
    ran = draw("winding", "--format", "json")
    texts, edges = drawn(ran)
    remind = "email, else log cart/reminder only if trigger.total > 20"
    start = "cart.updated when event.total >= 20"
    assert ran.exit_code == 0
    assert edges == {
        (start, "", "wait 3d"),
        (start, "bought: order.placed", "converted"),
        (start, "gone: when customer.orders_count > 9", "left"),
        ("wait 3d", "", "wait for payment.received"),
        ("wait for payment.received", "it came", "paid"),
        ("wait for payment.received", "after 3d", "size"),
        ("size", "trigger.total >= 100", "big"),
        ("size", "else", "emit order.delayed"),
        ("emit order.delayed", "", "half"),
        ("half", "left, 25%", "wait 1h"),
        ("half", "right, 75%", "chase: at most 3 times, every 2d"),
        ("wait 1h", "", "chase: at most 3 times, every 2d"),
        ("chase: at most 3 times, every 2d", "a round", remind),
        (remind, "", "chase: at most 3 times, every 2d"),
        ("chase: at most 3 times, every 2d", "over", "completed"),
    }
    assert next(iter(texts.values())) == start


@pytest.mark.parametrize("view", ["flow", "events", "all"])
def test_every_line_of_mermaid_is_one_that_mermaid_reads(draw, view):
    first, *lines = draw("--view", view).stdout.splitlines()
    assert first in {"flowchart TD", "flowchart LR"}
    assert [line for line in lines if not MERMAID.fullmatch(line)] == []


def test_several_workflows_stand_in_a_frame_each(draw):
    told = json.loads(draw("--format", "json").stdout)
    assert [group["title"] for group in told["groups"]] == ["cart", 'A "winding" way']
    assert '["A #quot;winding#quot; way"]' in draw().stdout


def test_events_tell_what_starts_and_stops_and_feeds_a_workflow(draw):
    _, edges = drawn(draw("winding", "--view", "events", "--format", "json"))
    assert edges == {
        ("cart.updated", "starts", "winding"),
        ("order.placed", "stops", "winding"),
        ("payment.received", "awaited", "winding"),
        ("winding", "emits", "order.delayed"),
    }


def test_a_circle_of_emits_is_marked(draw):
    steps = [{"id": "again", "emit": {"event": "cart.updated"}}]
    ran = draw("--view", "events", "--format", "json", workflow={**WINDING, "steps": steps})
    loops = [edge for edge in json.loads(ran.stdout)["edges"] if edge["loop"]]
    assert [(edge["source"], edge["target"]) for edge in loops] == [
        ("workflow winding", "event cart.updated")
    ]


def test_all_adds_what_a_workflow_uses(draw):
    _, edges = drawn(draw("winding", "--view", "all", "--format", "json"))
    assert ("winding", "sends", "cart/reminder") in edges


def test_a_coupon_is_drawn_or_there_is_none_left(draw):
    steps = [{"id": "gift", "coupon": "gift", "else": [{"id": "none_left", "end": "no_code"}]}]
    _, edges = drawn(draw("winding", "--format", "json", workflow={**WINDING, "steps": steps}))
    ways = {target: label for source, label, target in edges if source == "coupon gift"}
    assert set(ways) == {"completed", "no_code"}
    assert all(ways.values())
    ran = draw("winding", "--view", "all", "--format", "json", workflow={**WINDING, "steps": steps})
    assert ("winding", "draws", "gift") in drawn(ran)[1]


def test_a_drawing_is_the_same_every_time(draw):
    assert draw("--view", "all").stdout == draw("--view", "all").stdout


def test_graphviz_draws_it(draw):
    tool("dot", "graphviz")
    ran = draw("--format", "svg")
    assert ET.fromstring(ran.stdout).tag.endswith("svg")
    assert "A &quot;winding&quot; way" in ran.stdout


def test_without_graphviz_svg_says_what_to_install(draw, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    ran = draw("--format", "svg")
    assert ran.exit_code == 2
    assert "apt install graphviz" in ran.stderr


def test_dot_quotes_what_a_workflow_says(draw):
    assert 'label="A \\"winding\\" way"' in draw("--format", "dot").stdout


def test_a_workflow_that_is_not_there_is_named_with_the_nearest(draw):
    ran = draw("windin")
    assert ran.exit_code == 2
    assert "no workflow named 'windin'" in ran.stderr
    assert "winding" in ran.stderr


def test_the_page_tells_all_of_a_workflow(draw):
    page = draw("winding", "--format", "markdown").stdout
    assert page.startswith('## shop\n\n### winding\n\n**A "winding" way.**\n')
    for line in (
        "| starts on | `cart.updated`, when `has(event.total) && event.total >= 20` |",
        "| sends | `remind`: email, else log, `cart/reminder`, only if `trigger.total > 20` |",
        "| leaves | `bought` on `order.placed`: converted |",
        "| leaves | `gone` when `customer.orders_count > 9`: left |",
        "| purpose | service (service) |",
        "| values | `patience` 3d |",
    ):
        assert line in page
    assert "```mermaid\nflowchart TD\n" in page


def test_steps_that_no_test_shows_are_marked(folder):
    test = {"events": [FULL], "expect": {"sends": []}, "until": "30m"}
    steps = [*CART["steps"], {"id": "rest", "wait": "1h"}]
    root = folder(project_files({"steps": steps}, [test]))

    def marked(*words):
        ran = CliRunner().invoke(main, ["graph", "--project", str(root), *words])
        assert ran.exit_code == 0, ran.output
        nodes = json.loads(ran.output)["nodes"]
        return [node["id"] for node in nodes if node["change"] == "untested"]

    assert marked("--format", "json", "--coverage") == ["cart.reminder", "cart.rest"]
    assert marked("--format", "json") == []
    text = CliRunner().invoke(main, ["graph", "--project", str(root), "--coverage"]).output
    assert text.count(":::untested") == 2
    assert "classDef untested" in text


@pytest.mark.parametrize("words", [["--view", "all"], ["--diff", "main"], ["--format", "markdown"]])
def test_coverage_is_of_ways_alone(folder, words):
    root = folder(project_files())
    ran = CliRunner().invoke(main, ["graph", "--project", str(root), "--coverage", *words])
    assert ran.exit_code == 2
    assert "--coverage marks the steps" in ran.output
