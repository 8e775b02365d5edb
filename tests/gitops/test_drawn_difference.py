"""What a change of rules adds, removes and alters, drawn."""

from __future__ import annotations

import subprocess
from xml.etree import ElementTree as ET

import pytest
import yaml
from click.testing import CliRunner
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
