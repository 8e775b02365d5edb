"""What a change of rules adds, removes and alters, drawn."""

from __future__ import annotations

import subprocess
from xml.etree import ElementTree as ET

import pytest
import yaml
from click.testing import CliRunner
from support.repositories import commit
from support.servers import tool
from support.small_project import CART, project_files

from shopflow.cli.main import main

PATH = "rules/workflows/shop/cart.yaml"
REMINDER = CART["steps"][1]
SLOWER = {
    **CART,
    "steps": [{"id": "settle", "wait": "3h"}, {"id": "rest", "wait": "1h"}],
    "exit_on": [*CART["exit_on"], {"id": "late", "event": "order.delayed", "outcome": "late"}],
}


@pytest.fixture
def root(folder):
    """A repository with one commit."""
    root = folder(project_files())
    who = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "Begin"]):
        subprocess.run(["git", "-C", root, *who, *words], check=True, capture_output=True)
    return root


@pytest.fixture
def drawn(root):
    """Draws the difference between the commit and this workflow in place of the first."""

    def draw(workflow, *words, base="main", code=0):
        path = root / PATH
        if workflow is None:
            path.unlink()
        else:
            path.write_text(yaml.safe_dump(workflow, sort_keys=False))
        ran = CliRunner().invoke(main, ["graph", *words, "--diff", base, "--project", str(root)])
        assert ran.exit_code == code, ran.output
        return ran.stdout, ran.stderr

    return draw


def test_added_removed_and_altered_steps_are_told_apart(drawn):
    text, _ = drawn(SLOWER)
    assert '("wait 3h<br>was: wait 1h"):::changed' in text
    assert '("wait 1h"):::added' in text
    assert "cart/reminder" in next(line for line in text.splitlines() if ":::removed" in line)
    for change in ("added", "removed", "changed"):
        assert f"classDef {change} " in text
    assert text.count("linkStyle") == 2


def test_a_change_that_is_not_drawn_is_said(drawn):
    text, error = drawn({**CART, "title": "Another title"})
    assert "nothing that is drawn has changed since main" in error
    assert "linkStyle" not in text
    assert ":::added" not in text


def lines_of(text, mark):
    """The texts of the nodes that carry the mark."""
    return [line.split('"')[1].split("<br>") for line in text.splitlines() if f":::{mark}" in line]


def test_what_no_text_shows_is_told_where_it_belongs(drawn):
    late = {**REMINDER, "max_lateness": "3h", "with": {"total": "trigger.total + 1.0"}}
    changed = {**CART, "priority": 10, "steps": [CART["steps"][0], late]}
    text, _ = drawn(changed)
    assert lines_of(text, "changed") == [
        ["cart.updated", "when event.total #gt;= 20", "changed: priority added: 10"],
        [
            "email, else log",
            "cart/reminder",
            "changed: with.total trigger.total -#gt; trigger.total + 1.0",
            "changed: max_lateness added: 3h",
        ],
    ]
    # The way itself is as it was.
    assert "linkStyle" not in text


def test_what_the_drawing_shows_is_told_once(drawn):
    text, _ = drawn({**CART, "trigger": {**CART["trigger"], "event": "cart.viewed"}})
    assert lines_of(text, "changed") == [
        ["cart.viewed", "when event.total #gt;= 20", "was: cart.updated"]
    ]


@pytest.mark.parametrize(
    ("path", "change", "place", "told"),
    [
        ("rules/templates/cart/reminder/email.en.mjml", ("Total {{", "In all {{"),
         "cart/reminder", "via templates.cart/reminder email.en"),
        ("rules/policies/caps.yaml", ("max: 100000", "max: 99999"),
         "cart.updated", "via caps.wide max 100000 -#gt; 99999"),
    ],
    ids=["template", "cap"],
)  # fmt: skip
def test_what_is_shared_is_told_of_each_that_uses_it(root, drawn, path, change, place, told):
    marketing = {**CART, "purpose": "marketing"}
    commit(root, {PATH: yaml.safe_dump(marketing)})
    file = root / path
    text = file.read_text()
    assert change[0] in text
    file.write_text(text.replace(*change))
    (node,) = lines_of(drawn(marketing)[0], "changed")
    assert place in node
    assert node[-1].startswith(f"changed: {told}")
    # Across workflows it stands at the thing itself, too.
    nodes = lines_of(drawn(marketing, "--view", "all")[0], "changed")
    shared = told.removeprefix("via ")
    assert [node[0] for node in nodes if node[-1].startswith(f"changed: {told}")] == ["cart"]
    assert any(node[-1].startswith(f"changed: {shared}") for node in nodes)


def test_only_workflows_that_differ_are_drawn(drawn):
    assert drawn(CART)[0] == "flowchart TD\n"
    assert "wait 1h" in drawn(CART, "cart")[0]


def test_a_workflow_that_is_gone_is_red_all_over(drawn):
    text, _ = drawn(None)
    nodes = [line for line in text.splitlines() if line.lstrip().startswith("n") and '"' in line]
    nodes = [line for line in nodes if "--" not in line and "-." not in line]
    assert nodes
    assert all(line.endswith(":::removed") for line in nodes)


def test_events_that_start_and_stop_are_compared_too(drawn):
    text, _ = drawn(SLOWER, "--view", "events")
    assert '(["order.delayed"]):::added' in text


def test_graphviz_draws_it(drawn):
    text, _ = drawn(SLOWER, "--format", "dot")
    program = tool("dot", "graphviz")
    picture = subprocess.run(
        [program, "-Tsvg"], input=text.encode(), capture_output=True, check=True
    )
    assert b"#bbf7d0" in picture.stdout
    assert ET.fromstring(picture.stdout) is not None


@pytest.mark.parametrize(
    ("words", "base", "told"),
    [
        (["--format", "markdown"], "main", "--diff draws"),
        ([], "mian", "no revision 'mian'; did you mean 'main'?"),
        (["crat"], "main", "no workflow named 'crat'; did you mean 'cart'?"),
    ],
)
def test_what_cannot_be_drawn_is_said(drawn, words, base, told):
    assert told in drawn(CART, *words, base=base, code=2)[1]
