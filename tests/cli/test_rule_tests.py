"""`shopflow test`: which tests it runs, how it tells of them, and its exit codes."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner
from support.repositories import git, repository
from support.small_project import FULL, ORDER, project_files, rule_tests

from shopflow.cli.main import main

PASSING = {
    "name": "an hour of silence brings a reminder",
    "events": [FULL],
    "expect": {"sends": [{"at": "1h", "step": "reminder"}]},
}
FAILING = {
    "name": "buying stops the reminder",
    "events": [FULL, {**ORDER, "at": "2h"}],
    "expect": {"sends": [], "end": {"at": "2h", "outcome": "converted"}},
}


@pytest.fixture
def shopflow_test(folder):
    """Runs the command on a project with these tests."""

    def run(*tests, options=(), paths=(), **more):
        root = folder(project_files(tests=tests, **more))
        arguments = ["test", *(str(root / path) for path in paths), "--project", str(root)]
        return CliRunner().invoke(main, [*arguments, *options])

    return run


def test_tests_that_pass_are_counted_and_the_command_is_clean(shopflow_test):
    ran = shopflow_test(PASSING)
    assert (ran.exit_code, ran.output) == (0, "1 passed\n")


def test_a_failure_shows_both_timelines_side_by_side(shopflow_test):
    ran = shopflow_test(PASSING, FAILING)
    assert ran.exit_code == 1
    lines = ran.output.splitlines()
    assert lines[0].startswith("FAIL rules/tests/shop/cart.test.yaml:")
    assert lines[0].endswith(" buying stops the reminder")
    assert lines[1:9] == [
        "  send reminder email at 1h was not expected",
        "  end converted: at 1h, expected 2h; outcome 'completed', expected 'converted'",
        "",
        "  clock             expected       got",
        "  Tue 03 Mar 11:00  .              send reminder email  <- not expected",
        "  Tue 03 Mar 11:00  .              end completed        <- not expected",
        "  Tue 03 Mar 12:00  end converted  .                    <- did not come",
        "",
    ]
    assert lines[-1] == "1 failed, 1 passed"


def test_values_that_decided_are_shown(shopflow_test):
    exits = [
        {
            "id": "purchased",
            "event": "order.placed",
            "when": "event.order_id == 'o1'",
            "outcome": "converted",
        }
    ]
    test = {**FAILING, "events": [FULL, {**ORDER, "at": "1m"}], "expect": {"sends": [{}]}}
    ran = shopflow_test(test, workflow={"exit_on": exits})
    assert "end converted by purchased" in ran.output
    assert "event.order_id = 'o1'" in ran.output


def test_programs_read_json(shopflow_test):
    ran = shopflow_test(PASSING, FAILING, options=["--format", "json"])
    result = json.loads(ran.stdout)
    assert (result["passed"], result["failed"], ran.exit_code) == (1, 1, 1)
    good, bad = result["tests"]
    assert (good["passed"], good["problems"], good["workflow"]) == (True, [], "cart")
    assert bad["timeline"][0] == {
        "at": "2026-03-03T10:00:00Z",
        "expected": None,
        "got": "send reminder email",
        "values": "",
        "wrong": True,
    }


def test_ci_servers_read_junit(shopflow_test):
    ran = shopflow_test(PASSING, FAILING, options=["--format", "junit"])
    (suite,) = ET.fromstring(ran.stdout)
    assert suite.attrib["tests"] == "2"
    good, bad = suite
    assert good.find("failure") is None
    assert bad.attrib["name"] == "buying stops the reminder"
    assert "was not expected" in bad.find("failure").attrib["message"]


@pytest.mark.parametrize("pattern", ["silence", r"cart\.test\.yaml:\d+ an hour"])
def test_tests_are_chosen_by_name(shopflow_test, pattern):
    ran = shopflow_test(PASSING, FAILING, options=["-k", pattern])
    assert (ran.exit_code, ran.output) == (0, "1 passed\n")


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("rules/tests/shop/cart.test.yaml", 1),
        ("rules/tests/other", 2),
        ("rules/tests", 3),
        ("rules", 3),
    ],
)
def test_tests_are_chosen_by_place(shopflow_test, path, count):
    more = {"rules/tests/other/more.test.yaml": rule_tests(PASSING, PASSING)}
    ran = shopflow_test(PASSING, paths=[path], **more)
    assert ran.output == f"{count} passed\n"


@pytest.mark.parametrize(("options", "paths"), [(["-k", "nothing"], []), ([], ["rules/policies"])])
def test_no_tests_at_all_are_a_finding(shopflow_test, options, paths):
    ran = shopflow_test(PASSING, options=options, paths=paths)
    assert (ran.exit_code, ran.output) == (1, "no tests found\n")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"expect": {"sends": [{"step": "remider"}]}}, "did you mean 'reminder'?"),
        ({"customer": "anna"}, "no customer named 'anna'"),
        ({"events": [{**FULL, "data": "cart"}]}, "no fixture named 'cart'"),
        ({"mocks": {"chanel": {}}}, "no mock named 'chanel'"),
    ],
)
def test_a_name_that_does_not_exist_stops_everything(shopflow_test, change, told):
    ran = shopflow_test(FAILING, {**PASSING, **change})
    assert ran.exit_code == 2
    assert told in ran.output
    assert "passed" not in ran.output


def test_rules_with_errors_are_findings(shopflow_test):
    ran = shopflow_test(PASSING, workflow={"purpose": "fun"})
    assert ran.exit_code == 1
    assert "no purpose named 'fun'" in ran.output


def test_a_pattern_that_is_none_is_told(shopflow_test):
    ran = shopflow_test(PASSING, options=["-k", "("])
    assert ran.exit_code == 2
    assert "is no regular expression" in ran.output


def test_the_first_failure_stops_it_on_demand(shopflow_test):
    ran = shopflow_test(FAILING, PASSING, options=["--fail-fast"])
    assert ran.exit_code == 1
    assert ran.output.endswith("\n1 failed, 0 passed\n")


RACE = {
    "name": "buying at the same instant",
    "events": [FULL, {**ORDER, "at": "0s"}],
    "expect": {"sends": [], "end": {"outcome": "converted"}},
}


def test_a_test_that_hangs_on_the_order_of_one_instant_is_found(shopflow_test):
    assert shopflow_test(RACE).exit_code == 0
    ran = shopflow_test(RACE, PASSING, options=["--shuffle-ties"])
    assert ran.exit_code == 1
    told = "events of one instant in another order: order.placed (event-2), cart.updated (event-1)"
    assert told in ran.output
    assert ran.output.endswith("\n1 failed, 1 passed\n")


def test_github_shows_failures_at_their_lines(shopflow_test):
    ran = shopflow_test(PASSING, FAILING, options=["--format", "github"])
    command, _, problems = ran.output.splitlines()[0].rpartition("::")
    assert command.startswith("::error file=rules/tests/shop/cart.test.yaml,line=")
    assert command.endswith(",title=buying stops the reminder")
    assert problems.startswith("send reminder email at 1h was not expected; end converted: ")


def test_markdown_folds_each_failure(shopflow_test):
    ran = shopflow_test(PASSING, FAILING, options=["--format", "markdown"])
    assert ran.output.startswith("### shopflow test: 1 failed, 1 passed\n\n<details><summary>")
    assert "<- not expected" in ran.output


def test_a_report_goes_to_a_file(shopflow_test, tmp_path):
    path = tmp_path / "report.xml"
    options = ["--format", "junit", "--output-file", str(path)]
    ran = shopflow_test(PASSING, FAILING, options=options)
    assert (ran.exit_code, ran.output) == (1, "1 failed, 1 passed\n")
    assert ET.parse(path).getroot().tag == "testsuites"


def test_a_report_that_cannot_be_written_is_said(shopflow_test, tmp_path):
    ran = shopflow_test(PASSING, options=["--output-file", str(tmp_path / "no/report.txt")])
    assert ran.exit_code == 2
    assert "No such file or directory" in ran.output


@pytest.mark.parametrize(
    "options",
    [
        ["--format", "json"],
        ["--coverage"],
        ["--coverage", "--fail-fast"],
        ["--shuffle-ties", "--format", "junit"],
    ],
    ids=" ".join,
)
def test_processes_side_by_side_answer_as_one_alone(shopflow_test, options):
    tests = [{**PASSING, "name": f"test {n}"} for n in range(20)]
    tests[13] = {**FAILING, "name": "the failing one"}
    # What no other test shows: the exit.
    tests[17] = {**FAILING, "events": [FULL, {**ORDER, "at": "1m"}], "expect": {"sends": []}}
    alone = shopflow_test(*tests, options=options)
    assert alone.exit_code == 1
    assert "the failing one" in alone.output
    for jobs in ("2", "3"):
        shared = shopflow_test(*tests, options=[*options, "-j", jobs])
        assert (shared.exit_code, shared.output) == (alone.exit_code, alone.output)


def test_a_snapshot_that_nobody_has_looked_at_is_not_written_over(shopflow_test, tmp_path):
    told = {**PASSING, "expect": {**PASSING["expect"], "render": {"snapshot": "reminder"}}}
    snapshot = tmp_path / "rules/tests/shop/snapshots/cart.reminder.txt"
    assert "wrote" in shopflow_test(told, options=["--update"]).stderr
    repository(tmp_path)
    mail = tmp_path / "rules/templates/cart/reminder/email.en.mjml"
    mail.write_text(mail.read_text().replace("Your cart", "Your full cart"))
    # The rules may differ: only what would be lost matters.
    run = ["test", "--update", "--project", str(tmp_path)]
    assert CliRunner().invoke(main, run).exit_code == 0
    assert "Your full cart" in snapshot.read_text()
    mail.write_text(mail.read_text().replace("Your full cart", "Your cart"))
    ran = CliRunner().invoke(main, run)
    assert ran.exit_code == 2
    assert "rules/tests/shop/snapshots/cart.reminder.txt" in ran.output
    assert "Your full cart" in snapshot.read_text()
    git(tmp_path, "add", ".")
    assert CliRunner().invoke(main, run).exit_code == 0
