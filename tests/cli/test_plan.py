"""`shopflow plan`: what it tells of a change of rules, and with which exit code."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.repositories import commit, repository, write
from support.small_project import PROJECT, project_files

from shopflow.cli.main import main

CART = "rules/workflows/shop/cart.yaml"
STEPS = [
    {"id": "settle", "wait": "1h"},
    {"id": "note", "send": "log", "template": "cart/reminder", "with": {"total": "trigger.total"}},
]


def event(number, minutes, customer="anna", event_type="cart.updated", **data):
    hours, rest = divmod(minutes, 60)
    return {
        "id": f"e-{number}",
        "type": event_type,
        "occurred_at": f"2026-03-03T{10 + hours:02}:{rest:02}:00Z",
        "customer_id": customer,
        "data": data or {"total": 90.0, "items": []},
    }


#: Anna leaves a cart; ben looks in two hours later, so that there is time to remind her.
EVENTS = [event(1, 0), event(2, 120, "ben", "product.viewed", sku="A1")]


@pytest.fixture
def shop(tmp_path):
    """A repository of rules, and the events of one morning."""
    root = repository(tmp_path / "shop", project_files({"steps": STEPS}))
    text = "".join(json.dumps(each) + "\n" for each in EVENTS)
    (root / "events.jsonl").write_text(text, encoding="utf-8")
    return root


@pytest.fixture
def plan(shop):
    """Runs the command against main; with events unless told otherwise."""

    def run(*options, events=True):
        given = ["--events", str(shop / "events.jsonl")] if events else []
        words = ["plan", "--against", "main", "--project", str(shop), *given, *options]
        return CliRunner().invoke(main, words)

    return run


def change(shop, workflow=None, **files):
    write(shop, project_files({"steps": STEPS, **(workflow or {})}, **files))


def read(ran, code=0):
    assert ran.exit_code == code, ran.output
    return json.loads(ran.stdout)


def test_nothing_changed_is_no_change(plan):
    ran = plan("--detailed-exitcode")
    assert ran.exit_code == 0
    assert "no behaviour change" in ran.output
    assert "nobody gets anything else than before" in ran.output


def test_layout_and_comments_are_no_change(plan, shop):
    path = shop / CART
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("# why\n\n" + "\n".join(lines[::1]) + "  # here\n\n", encoding="utf-8")
    assert read(plan("--format", "json"))["changes_behaviour"] is False


def test_a_longer_wait_is_told_field_by_field_and_customer_by_customer(plan, shop):
    change(shop, {"steps": [{"id": "settle", "wait": "3h"}, STEPS[1]]})
    found = read(plan("--format", "json"))
    assert found["workflows"] == [
        {
            "workflow": "cart",
            "action": "changed",
            "was": None,
            "action_reason": "direct",
            "direct": ["steps.settle.wait 1h -> 3h"],
            "via": [],
        }
    ]
    replay = found["replay"]
    assert replay["channels"] == {"log": {"before": 1, "after": 0, "delta": -1}}
    assert replay["outcomes"] == [
        {
            "sign": "-",
            "workflow": "cart",
            "what": "cart.note by log",
            "why": "now: not come that far",
            "count": 1,
            "customers": ["anna"],
        }
    ]


def test_people_read_the_same(plan, shop):
    change(shop, {"steps": [{"id": "settle", "wait": "3h"}, STEPS[1]]})
    ran = plan()
    assert ran.exit_code == 0
    for line in (
        "  ~ cart  changed    steps.settle.wait 1h -> 3h",
        "  = 0 others  no behaviour change",
        "customers who get something else: 1; 0 of them got nothing before",
        "1  - cart.note by log: now: not come that far   such as anna",
        "limits of this estimate: recorded events are taken as given",
    ):
        assert line in ran.output, ran.output


def test_another_time_is_told_as_a_shift(plan, shop):
    change(shop, {"steps": [{"id": "settle", "wait": "30m"}, STEPS[1]]})
    (told,) = read(plan("--format", "json"))["replay"]["outcomes"]
    assert (told["sign"], told["why"]) == ("~", "30m earlier")


@pytest.mark.parametrize(
    ("since", "sends"), [("30m", 0), ("1h", 1), ("2026-03-03T11:00:00", 1), ("2026-03-03T12:00", 0)]
)
def test_what_was_decided_before_is_not_counted(plan, since, sends):
    channels = read(plan("--format", "json", "--since", since))["replay"]["channels"]
    assert sum(each["after"] for each in channels.values()) == sends


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--max-extra-sends", "5%"], "log: +1 messages on 1, over --max-extra-sends 5%"),
        (["--max-extra-sends", "0"], "over --max-extra-sends 0"),
        (["--max-new-customers", "0"], "1 customers get something and got nothing before"),
        (["--max-cost-increase", "0.5EUR/day"], "EUR a day, over --max-cost-increase 0.5EUR/day"),
    ],
)
def test_a_threshold_that_is_passed_is_a_finding(plan, shop, options, told):
    costly = {"email": {"host": "localhost"}, "log": {"cost": 0.5}}
    events = [EVENTS[0], event(3, 1, "carl", total=10.0), EVENTS[1]]
    (shop / "events.jsonl").write_text("".join(json.dumps(each) + "\n" for each in events))
    project = {**PROJECT, "channels": {**costly, "email": PROJECT["channels"]["email"]}}
    write(shop, project_files({"steps": STEPS}, **{"shopflow.yaml": project}))
    commit(shop)
    trigger = {"event": "cart.updated", "when": "has(event.total)", "reentry": "restart"}
    change(shop, {"trigger": trigger}, **{"shopflow.yaml": project})
    ran = plan(*options)
    assert ran.exit_code == 1, ran.output
    assert told in ran.output
    assert plan("--max-extra-sends", "200%").exit_code == 0


def test_a_change_within_thresholds_has_a_code_of_its_own(plan, shop):
    change(shop, {"priority": 70})
    assert plan("--detailed-exitcode", "--max-extra-sends", "5%").exit_code == 4
    assert plan("--max-extra-sends", "5%").exit_code == 0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--against", "mian"], "no revision 'mian'; did you mean 'main'?"),
        (["--since", "soon"], "'soon' is neither a length such as 30d nor a time"),
        (["--max-extra-sends", "few"], "'few' is neither a share such as 5% nor a number"),
        (["--max-cost-increase", "EUR"], "'EUR' is no amount such as 10EUR/day"),
        (["--events", "none.jsonl"], "'none.jsonl' does not exist"),
    ],
)
def test_wrong_usage_is_told(plan, options, told):
    ran = plan(*options)
    assert ran.exit_code == 2
    assert told in ran.output


def test_a_threshold_without_events_is_told(plan):
    ran = plan("--max-extra-sends", "5%", events=False)
    assert ran.exit_code == 2
    assert "a threshold needs recorded events: --events FILE" in ran.output


def test_rules_with_errors_are_findings_and_a_base_with_errors_is_no_base(plan, shop):
    change(shop, {"purpose": "fun"})
    assert plan().exit_code == 1
    commit(shop)
    change(shop)
    ran = plan()
    assert ran.exit_code == 2
    assert "the rules of main have errors, so nothing can be held against them" in ran.output


def test_many_events_are_replayed_by_two_processes_with_the_same_result(plan, shop, monkeypatch):
    change(shop, {"steps": [{"id": "settle", "wait": "3h"}, STEPS[1]]})
    alone = read(plan("--format", "json"))
    monkeypatch.setattr("shopflow.runtime.planning.MANY", 0)
    assert read(plan("--format", "json")) == alone


@pytest.mark.parametrize(
    ("until", "sends", "left"),
    [
        ("end", (1, 0), "what is due after the last event is not counted"),
        ("drain", (1, 1), None),
        ("2026-03-03T10:59:00Z", (0, 0), "what is due after 2026-03-03T10:59:00+00:00"),
        ("2026-03-03T14:00:00Z", (1, 1), "what is due after 2026-03-03T14:00:00+00:00"),
    ],
)
def test_the_clock_stops_where_it_is_told_to(plan, shop, until, sends, left):
    change(shop, {"steps": [{"id": "settle", "wait": "3h"}, STEPS[1]]})
    told = read(plan("--format", "json", "--until", until))["replay"]
    log = told["channels"].get("log", {"before": 0, "after": 0})
    assert (log["before"], log["after"]) == sends
    assert len(told["limits"]) == (1 if left is None else 2)
    assert left is None or told["limits"][1].startswith(left)


def test_who_waits_at_the_last_event_is_told_though_the_timers_run_on(plan, shop):
    change(shop, {"steps": [{"id": "settle", "wait": "3h"}, STEPS[1]]})
    commit(shop)
    standing = [
        read(plan("--format", "json", "--until", until))["replay"]["in_flight"]["standing"]
        for until in ("end", "drain")
    ]
    assert standing[0]
    assert standing[0] == standing[1]


def test_no_place_for_the_clock_to_stop_is_wrong_usage(plan):
    ran = plan("--until", "soon")
    assert ran.exit_code == 2
    assert "'soon' is neither end, drain nor a time" in ran.output


def test_the_comment_of_a_pull_request_shows_what_matters_and_folds_the_rest(plan, shop):
    change(shop, {"steps": [{"id": "settle", "wait": "3h"}, STEPS[1]]})
    comment = plan("--format", "markdown", "--max-extra-sends", "5%").output
    assert comment.startswith(
        "<!-- shopflow plan -->\n### shopflow plan: rules behave differently\n"
    )
    assert "| log | 1 | 0 | -1  (-100%) |" in comment
    assert "<details><summary>1 workflow with another behaviour</summary>" in comment
    assert comment.count("<details>") == comment.count("</details>") == 2


def test_nothing_in_the_rules_is_read_as_markdown(plan, shop):
    when = 'has(event.total) && event.locale == "``` </details> @all | **x**"'
    change(shop, {"trigger": {"event": "cart.updated", "when": when, "reentry": "restart"}})
    lines = plan("--format", "markdown", events=False).output.splitlines()
    fence = next(line for line in lines if line.startswith("````"))
    assert lines.count(fence.removesuffix("text")) == 1


def test_files_are_written_as_their_endings_say(plan, shop):
    markdown, record, text = (shop / f"plan.{ending}" for ending in ("md", "json", "txt"))
    options = [word for path in (markdown, record, text) for word in ("--out", str(path))]
    ran = plan(*options)
    assert markdown.read_text().startswith("<!-- shopflow plan -->")
    assert json.loads(record.read_text())["base"]["ref"] == "main"
    assert text.read_text() == ran.output


@pytest.mark.parametrize(
    ("path", "told"),
    [("plan.pdf", "'plan.pdf' ends in none of .txt, .md, .json"), ("/none/plan.md", "cannot be")],
)
def test_a_file_that_cannot_be_written_is_told(plan, path, told):
    ran = plan("--out", path)
    assert ran.exit_code == 2
    assert told in ran.output


def on_a_terminal(command):
    """What the command writes to standard error where that is a terminal."""
    here, there = pty.openpty()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=there):
        os.close(there)
        written = b""
        # It ends with an error once nobody has the other end any more.
        with os.fdopen(here, "rb", buffering=0) as terminal, suppress(OSError):
            while more := terminal.read(4096):
                written += more
    return written.decode()


def test_a_terminal_shows_how_far_it_is_and_a_pipe_does_not(shop):
    program = str(Path(sys.executable).parent / "shopflow")
    words = ["plan", "--against", "main", "--project", shop, "--events", shop / "events.jsonl"]
    command = [program, *map(str, words)]
    assert "replaying" in on_a_terminal(command)
    assert subprocess.run(command, capture_output=True, check=True).stderr == b""
