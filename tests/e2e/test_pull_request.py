"""A pull request from its change to its comment, in a repository that `shopflow init` made."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from support.repositories import commit, git, repository

from shopflow.cli.main import main

CART = "rules/workflows/cart/abandoned-cart.yaml"
CAPS = "rules/policies/caps.yaml"
EVENTS = "example-events.jsonl"
UPGRADE = "in_flight: {on_change: upgrade}\n\nsteps:"


@pytest.fixture
def shop(tmp_path):
    """A new repository of rules on main, and a branch for the change."""
    root = tmp_path / "shop"
    ran = CliRunner().invoke(main, ["init", str(root)])
    assert ran.exit_code == 0, ran.output
    repository(root)
    git(root, "switch", "--quiet", "--create", "change")
    return root


def edit(root, path, *changes):
    """Replaces these texts in a file of the branch, and commits it."""
    file = root / path
    text = file.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")
    commit(root)


def run(root, *words):
    ran = CliRunner().invoke(main, [*words, "--project", str(root)])
    return ran.exit_code, ran.output


def lint(root, *options):
    return run(root, "lint", "--format", "text", *options)


def lint_changed(root):
    """The exit code, and the codes of what the branch is told."""
    code, output = run(root, "lint", "--changed=main", "--format", "json")
    return code, [problem["code"] for problem in json.loads(output)["problems"]]


def plan(root, *options):
    events = ["--events", str(root / EVENTS)]
    return run(root, "plan", "--against", "main", *events, *options)


def assert_told(output, *lines):
    assert not [line for line in lines if line not in output], output


def test_a_wait_that_changes_is_told_and_held_against_the_bars(shop):
    edit(shop, CART, ("first_wait: 1h", "first_wait: 30m"))
    assert lint(shop)[0] == 0
    assert lint_changed(shop) == (1, ["SF609"])
    edit(shop, CART, ("version: 1", "version: 2"))
    assert lint_changed(shop) == (0, [])
    code, output = plan(shop)
    assert code == 0
    assert_told(
        output,
        "  ~ abandoned-cart  changed    values.first_wait 1h -> 30m\n",
        "  = 1 other  no behaviour change",
        "1  + abandoned-cart.reminder by email: before: not come that far   such as anna",
        "1  abandoned-cart.settle  pinned: in_flight: pin; they keep version 1",
        "0  released at once",
    )
    assert plan(shop, "--detailed-exitcode")[0] == 4
    code, output = plan(shop, "--detailed-exitcode", "--max-extra-sends", "50%")
    assert code == 1
    assert_told(output, "! email: +1 messages on 1, over --max-extra-sends 50%")


def test_a_broken_field_stops_lint_and_plan_at_its_line(shop):
    edit(shop, CART, ("event.total >= values", "event.totl >= values"))
    for code, output in (lint(shop), plan(shop)):
        assert code == 1
        assert_told(
            output, f"{CART}:20:", "error[SF103]: event has no field 'totl'", "did you mean 'total'"
        )


def test_a_weaker_cap_needs_a_reason(shop):
    edit(shop, CAPS, ("max: 3", "max: 4"))
    assert lint(shop)[0] == 0
    assert lint_changed(shop) == (1, ["SF605"])
    code, output = plan(shop)
    assert code == 1
    assert_told(
        output,
        "  ~ abandoned-cart  indirect   via caps.marketing-week max 3 -> 4\n",
        f"{CAPS}:5:31: error[SF605]: caps.marketing-week protects people less: max 3 -> 4",
        "   = say why with `reason:`",
    )
    edit(shop, CAPS, ("if_capped: skip}", 'if_capped: skip, reason: "agreed for the sale"}'))
    code, output = plan(shop)
    assert code == 0
    assert_told(output, "info[SF605]", "because: agreed for the sale")
    assert lint_changed(shop) == (0, ["SF605"])
    # What explained the change before explains no other.
    git(shop, "branch", "--force", "main")
    edit(shop, CAPS, ("max: 4", "max: 5"))
    assert plan(shop)[0] == 1


@pytest.mark.parametrize(
    ("path", "change", "told"),
    [
        ("rules/policies/consent.yaml", ("double_opt_in: true", "double_opt_in: false"),
         "purposes.marketing protects people less: email: double_opt_in is gone"),
        ("rules/policies/quiet-hours.yaml", ('from: "22:00"', 'from: "23:00"'),
         "quiet_hours.night protects people less: it is silent for less time"),
    ],
)  # fmt: skip
def test_weaker_consent_and_quiet_hours_need_a_reason_too(shop, path, change, told):
    edit(shop, path, change)
    code, output = plan(shop)
    assert code == 1
    assert_told(output, "error[SF605]", told)


def test_a_step_that_is_gone_with_people_at_it(shop):
    edit(shop, CART, ("{id: settle,", "{id: pause,"), ("steps:", UPGRADE))
    assert lint(shop)[0] == 0
    assert lint_changed(shop) == (1, ["SF609", "SF601"])
    code, output = plan(shop)
    assert code == 1
    assert_told(
        output,
        "error[SF601]: step `settle` is gone: 1 enrolment at it would end as `retired`",
        "1  abandoned-cart.settle  orphaned: in_flight: upgrade, and step settle is gone",
    )
    renamed = "{on_change: upgrade, renamed: {settle: pause}}"
    edit(shop, CART, ("{on_change: upgrade}", renamed))
    code, output = plan(shop)
    assert code == 0
    assert_told(output, "1  abandoned-cart.settle  upgraded: in_flight: upgrade at step pause")


def test_a_workflow_under_a_new_id(shop):
    (shop / "rules/tests/cart/abandoned-cart.test.yaml").unlink()
    git(shop, "mv", CART, CART.replace("abandoned-cart", "cart-reminder"))
    edit(
        shop,
        CART.replace("abandoned-cart", "cart-reminder"),
        ("id: abandoned-", "id: cart-reminder\n#"),
    )
    assert "SF602" in lint_changed(shop)[1]
    code, output = plan(shop)
    assert code == 0
    assert_told(
        output,
        "  ~ cart-reminder  renamed from abandoned-cart",
        "warning[SF602]: `cart-reminder` looks like `abandoned-cart` under a new id",
        "1  abandoned-cart.settle  draining: the workflow is gone; they go on by version 1",
        "nobody gets anything else than before",
    )


#: Stands in for the program that talks to GitHub: it notes what it is asked, and finds a comment
#: of the number in FOUND.
GH = """#!/usr/bin/env bash
printf '%s\\n' "$*" >> "$CALLS"
case "$*" in *--jq*) echo "$FOUND" ;; esac
"""


@pytest.fixture
def action(shop, tmp_path):
    """Runs the steps of the action as a pull request's job would; returns how each ended."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "gh").write_text(GH)
    (tools / "gh").chmod(0o755)
    (tools / "shopflow").write_text(
        f'#!/bin/sh\nexec {sys.executable} -c "from shopflow.cli.main import main; main()" "$@"\n'
    )
    (tools / "shopflow").chmod(0o755)
    text = (shop / ".github/actions/shopflow/action.yml").read_text(encoding="utf-8")
    steps = {step["name"]: step for step in yaml.safe_load(text)["runs"]["steps"]}
    outputs = tmp_path / "outputs"

    def step(name, **inputs):
        given = {key: _filled(value, inputs) for key, value in steps[name]["env"].items()}
        environment = {
            **os.environ,
            **given,
            "PATH": f"{tools}:{os.environ['PATH']}",
            "GITHUB_OUTPUT": str(outputs),
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
            "CALLS": str(tmp_path / "calls"),
            "FOUND": inputs.get("found", ""),
        }
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", steps[name]["run"]]
        return subprocess.run(
            command, cwd=shop, env=environment, capture_output=True, text=True, check=False
        )

    step.outputs = outputs
    step.calls = tmp_path / "calls"
    step.summary = tmp_path / "summary.md"
    return step


def _filled(value, inputs):
    """An expression of the workflow, as far as this job needs it."""
    return re.sub(r"\$\{\{ *([\w.]+) *\}\}", lambda found: inputs.get(found[1], ""), str(value))


def test_the_action_lints_tests_and_comments_before_it_fails(shop, action):
    project = {"inputs.project": "."}
    assert action("Lint", **project).returncode == 0
    assert action("Test", **project).returncode == 0

    edit(shop, CART, ("first_wait: 1h", "first_wait: 30m"))
    asked = {
        "inputs.against": "main",
        "inputs.events": EVENTS,
        "inputs.bars": "--max-extra-sends 5%",
    }
    planned = action("Plan", **project, **asked)
    assert planned.returncode == 0, planned.stderr
    assert action.outputs.read_text() == "code=1\n"
    assert action.summary.read_text().startswith("<!-- shopflow plan -->")
    assert json.loads((shop / "plan.json").read_text())["refused"] is True

    place = {"github.repository": "boutique/rules", "inputs.comment": "7"}
    assert action("Comment", **place).returncode == 0
    assert action("Comment", **place, found="42").returncode == 0
    posted = [line for line in action.calls.read_text().splitlines() if "body=@plan.md" in line]
    assert posted == [
        "api --silent repos/boutique/rules/issues/7/comments --field body=@plan.md",
        "api --silent --method PATCH repos/boutique/rules/issues/comments/42 --field body=@plan.md",
    ]
    assert action("Verdict", **{"steps.plan.outputs.code": "1"}).returncode == 1


def test_a_branch_name_is_never_run(shop, action):
    inputs = {"inputs.project": ".", "inputs.against": "$(touch seen)`touch seen`; touch seen"}
    assert action("Plan", **inputs).returncode == 0
    assert action.outputs.read_text() == "code=2\n"
    assert not Path(shop / "seen").exists()
