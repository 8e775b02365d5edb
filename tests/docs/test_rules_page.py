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
from support.schema_keys import keys_of

from shopflow.domain.step import Step
from shopflow.lang.reading import parse

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
    "Question": "rules/questions/{id}.yaml",
}
#: Fragments of a workflow, by the key that they stand under.
OF_WORKFLOWS = frozenset({"trigger", "exits", "steps", "goal", "in_flight"})
#: Fragments of other files: keys that stand in place of those of the whole file that is shown.
OF_FILES = {
    "project": "Project",
    "environment": "Environment",
    "traits": "Traits",
    "segments": "Segments",
    "consent": "ConsentPolicy",
    "caps": "FrequencyCaps",
    "quiet_hours": "QuietHours",
    "retention": "Retention",
    "coupon": "Coupon",
}
#: Keys that hold things by name.
NAMED = frozenset({"attributes", "traits", "segments", "purposes", "channels"})
#: An event with every field that the fragments read.
SHOWN = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["order_id", "friend_id", "cart_url", "starts_at", "total", "items"],
    "properties": {
        "order_id": {"type": "string"},
        "friend_id": {"type": "string"},
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


def run(command, project, *options):
    ran = subprocess.run(
        [Path(sys.executable).parent / "shopflow", command, "--project", project, *options],
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


def test_fragments_of_tests_pass_in_the_test_file_that_is_shown(folder):
    files = whole_files("docs/rules.md")
    path = next(name for name in files if name.startswith("rules/tests/"))
    shown = "".join(text for word, text in blocks("docs/rules.md") if word == "tests")
    files[path] += textwrap.indent(shown, "  ")
    project = folder({**files, **templates_for(files)})
    code, output = run("lint", project)
    assert code == 0, output
    snapshot = "rules/tests/shown/snapshots/abandoned-cart.reminder.txt"
    assert run("test", project, "--update") == (0, f"7 passed\nwrote {snapshot}\n")
    assert run("test", project) == (0, "7 passed\n")


@pytest.mark.parametrize(
    "fragments",
    [
        [block for block in blocks("docs/rules.md") if block[0] in OF_WORKFLOWS],
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


@pytest.mark.parametrize("word", OF_FILES)
def test_fragments_of_other_files_lint_in_place_of_what_is_shown(word, folder):
    files = whole_files("docs/rules.md")
    (text,) = [text for each, text in blocks("docs/rules.md") if each == word]
    kind = OF_FILES[word]
    shown = {yaml.safe_load(text)["kind"]: path for path, text in files.items()}
    path = shown.get(kind, "environments/staging.yaml")
    head = {"apiVersion": "shopflow/v1", "kind": kind}
    whole = {**yaml.safe_load(files.get(path, "{}")), **head}
    for key, value in yaml.safe_load(text).items():
        # What is named beside others stays beside them.
        both = key in NAMED and key in whole
        whole[key] = {**whole[key], **value} if both else value
    files[path] = yaml.safe_dump(whole, sort_keys=False, allow_unicode=True)
    code, output = run("lint", folder({**files, **templates_for(files)}))
    assert code == 0, output


def keys_in(data):
    """The names of all keys of an example."""
    if isinstance(data, dict):
        for name, below in data.items():
            yield str(name)
            yield from keys_in(below)
    elif isinstance(data, list):
        for below in data:
            yield from keys_in(below)


def shown_keys():
    """Kind of file -> every key that some example of the page has."""
    found = {}
    for word, text in blocks("docs/rules.md"):
        data = parse("docs/rules.md", textwrap.dedent(text)).root.data
        kind = OF_FILES.get(word, "WorkflowTest" if word == "tests" else "Workflow")
        kind = kind if word else data["kind"]
        found.setdefault(kind, {"apiVersion", "kind"}).update(keys_in(data))
    # An environment may say what the project says, in the same words.
    found["Environment"] |= found["Project"]
    return found


@pytest.mark.parametrize(
    "schema", sorted((REPO / "schemas/v1").glob("*.json")), ids=lambda p: p.name
)
def test_every_key_is_in_an_example_that_is_loaded(schema):
    content = json.loads(schema.read_text(encoding="utf-8"))
    missing = set(keys_of(content)) - shown_keys()[content["title"]]
    # The branch of a split; the workflow that the page tests has none.
    assert missing - {"variant"} == set()


def test_every_step_kind_shows_an_example():
    assert set(docstring_examples()) == {kind.__name__ for kind in get_args(Step)}
