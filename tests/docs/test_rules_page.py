"""What the pages show of the rule language lints, and its tests pass: as a project of its own."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import get_args

import pytest
import yaml

import shopflow
from shopflow.domain.step import Step
from shopflow.lang.lint.catalogue import CATALOGUE

REPO = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^ *```yaml ?(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
PLACES = {
    "Project": "shopflow.yaml",
    "Workflow": "rules/workflows/shown/{id}.yaml",
    "WorkflowTest": "rules/tests/shown/{workflow}.test.yaml",
    "Traits": "rules/traits.yaml",
    "Segments": "rules/segments.yaml",
    "ConsentPolicy": "rules/policies/consent.yaml",
    "FrequencyCaps": "rules/policies/caps.yaml",
    "QuietHours": "rules/policies/quiet-hours.yaml",
    "Retention": "rules/policies/retention.yaml",
    "Coupon": "rules/coupons/{id}.yaml",
}
FAMILIES = {
    "SF0": "Files and settings",
    "SF1": "Conditions",
    "SF2": "Flow",
    "SF3": "Messages, templates, coupons",
    "SF4": "Consent, caps, hours",
    "SF5": "Across workflows",
    "SF6": "Change safety",
    "SF7": "Tests",
    "SF8": "Cost",
    "SF9": "Suppressions and style",
}
#: An event with every field that the fragments read.
SHOWN = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["order_id", "cart_url", "starts_at", "total", "items"],
    "properties": {
        "order_id": {"type": "string"},
        "cart_url": {"type": "string"},
        "starts_at": {"type": "string", "format": "date-time"},
        "total": {"type": "number"},
        "items": {"type": "array", "maxItems": 100, "items": {"type": "object"}},
    },
}
HEAD = """apiVersion: shopflow/v1
kind: Workflow
id: example-{number}
version: 1
title: An example
owner: docs
status: draft
purpose: {purpose}
"""
TEMPLATE = """---
subject: "Bonjour"
variables: [{variables}]
---
<mjml><mj-body><mj-section><mj-column><mj-text>Bonjour {shown}</mj-text></mj-column></mj-section>
</mj-body></mjml>
"""


def blocks(page):
    """The YAML blocks of a page, each with the word after `yaml`."""
    return BLOCK.findall((REPO / page).read_text(encoding="utf-8"))


def whole_files(page):
    """Path -> text of every block that is a complete file."""
    found = {}
    for word, text in blocks(page):
        if not word:
            document = yaml.safe_load(text)
            found[PLACES[document["kind"]].format(**document)] = text
    return found


def workflow_around(number, word, text):
    """A complete workflow around a fragment, which stays as it is written."""
    parts = {
        "trigger": "event: example.shown",
        "exit_on": "- {id: bought, event: order.placed, outcome: converted}",
        "steps": "- {id: reminder, end: done}",
    }
    parts["exit_on" if word == "exits" else word] = text
    purpose = "service" if "template: payment" in text else "marketing"
    head = HEAD.format(number=number, purpose=purpose)
    return head + "".join(
        f"{key}:\n{textwrap.indent(part, '  ').rstrip()}\n" for key, part in parts.items()
    )


def docstring_examples():
    """The YAML in the docstring of each step kind."""
    return {
        kind.__name__: textwrap.dedent(BLOCK.search(inspect.getdoc(kind) or "")[2])
        for kind in get_args(Step)
        if BLOCK.search(inspect.getdoc(kind) or "")
    }


def sends(node):
    """Every send step below a node."""
    if isinstance(node, dict):
        if "template" in node:
            yield node
        for value in node.values():
            yield from sends(value)
    elif isinstance(node, list):
        for value in node:
            yield from sends(value)


def templates_for(files):
    """A template for each that the files name, with the variables that they give it."""
    variables, with_code = {}, set()
    for text in files.values():
        for send in sends(yaml.safe_load(text)):
            variables.setdefault(send["template"], set()).update(send.get("with", {}))
            if "coupon" in send:
                with_code.add(send["template"])
    return {
        f"rules/templates/{name}/email.fr.mjml": TEMPLATE.format(
            variables=", ".join(sorted(given)),
            shown=" ".join(
                f"{{{{ {variable} }}}}"
                for variable in [*sorted(given), *(["coupon.code"] if name in with_code else [])]
            ),
        )
        for name, given in variables.items()
    }


def run(command, project):
    ran = subprocess.run(
        [Path(sys.executable).parent / "shopflow", command, "--project", project],
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.returncode, ran.stdout + ran.stderr


@pytest.mark.parametrize("page", ["docs/rules.md", "README.md"])
def test_project_shown_on_a_page_lints_and_passes_its_tests(page, folder):
    files = {**whole_files("docs/rules.md"), **whole_files(page)}
    if not any("coupon: cart10" in text for text in files.values()):
        # The page shows a workflow of its own in place of the one that draws it.
        del files["rules/coupons/cart10.yaml"]
    project = folder({**files, **templates_for(files)})
    for command in ("lint", "test"):
        code, output = run(command, project)
        assert code == 0, output
        assert "warning" not in output, output


@pytest.mark.parametrize(
    "fragments",
    [
        [block for block in blocks("docs/rules.md") if block[0]],
        [("steps", text) for text in docstring_examples().values()],
    ],
    ids=["the page", "the docstrings of the steps"],
)
def test_fragments_lint_inside_a_workflow(fragments, folder):
    files = {
        path: text
        for path, text in whole_files("docs/rules.md").items()
        if not path.startswith(("rules/workflows/", "rules/tests/"))
    }
    for number, (word, text) in enumerate(fragments):
        path = f"rules/workflows/shown/example-{number}.yaml"
        files[path] = workflow_around(number, word, text)
    files |= templates_for(files)
    files["rules/events/example.shown.schema.json"] = json.dumps(SHOWN)
    code, output = run("lint", folder(files))
    assert code == 0, output


def test_every_step_kind_shows_an_example():
    assert set(docstring_examples()) == {kind.__name__ for kind in get_args(Step)}


def problems_section():
    """The codes of lint by family, as the page tells them."""
    commands = "`shopflow lint` and `shopflow test --coverage`"
    parts = [f"## Problems\n\nEvery problem that {commands} can find, by its code.\n"]
    parts.append("An error fails lint; a warning asks for attention.\n")
    family = ""
    for code, entry in sorted(CATALOGUE.items()):
        if code[:3] != family:
            family = code[:3]
            parts.append(f"\n### {FAMILIES[family]}\n")
        sentences = re.sub(r"(?<=[.!?]) (?=[A-Z`])", "\n", entry.explanation)
        parts.append(f"\n#### {code}: {entry.title} ({entry.severity})\n\n{sentences}\n")
    return "".join(parts)


def test_problems_of_the_page_are_those_that_lint_knows(golden):
    page = REPO / "docs/rules.md"
    by_hand, _, _ = page.read_text(encoding="utf-8").partition("## Problems\n")
    golden(page, by_hand + problems_section())


def test_every_code_that_is_reported_is_known():
    modules = Path(shopflow.__file__).parent.rglob("*.py")
    codes = {
        code
        for path in [*modules, *(REPO / "schemas/v1").glob("*.json")]
        for code in re.findall(r'"(SF\d{3})"', path.read_text(encoding="utf-8"))
    }
    assert not codes - set(CATALOGUE)
