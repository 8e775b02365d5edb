"""What `shopflow lint` writes for editors and CI servers, on a small project of its own."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
import yaml
from click.testing import CliRunner
from jsonschema import Draft202012Validator
from support.small_project import CONSENT, PROJECT

from shopflow.cli.main import main
from shopflow.problem import Edit, Fix, Location, Problem, Related, Safety, Severity, render
from shopflow.report.problems import FORMATS
from shopflow.report.problems.github import MOST

WORKFLOW = """\
apiVersion: shopflow/v1
kind: Workflow
id: note
owner: me
status: draft
purpose: service
trigger: {event: order.place, key: event.order_id}
let: {big: customer.id == "1"}
steps: [{id: a, wait: 1h}]
"""
NOTE = "rules/workflows/note.yaml"


@pytest.fixture
def project(folder):
    return folder(
        {
            "shopflow.yaml": yaml.safe_dump(PROJECT),
            "rules/policies/consent.yaml": yaml.safe_dump(CONSENT),
            NOTE: WORKFLOW,
        }
    )


@pytest.fixture
def lint(project, monkeypatch):
    """Runs lint on the project; returns exit code and output."""
    for name in ("GITHUB_ACTIONS", "GITHUB_WORKSPACE", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)

    def call(*words, given=None):
        words = ["lint", "--project", str(project), *map(str, words)]
        result = CliRunner().invoke(main, words, input=given)
        return result.exit_code, result.output

    return call


def codes(output):
    return [each["code"] for each in json.loads(output)["problems"]]


A_PROBLEM = Problem(
    code="SF103",
    location=Location(path="rules/a b.yaml", line=3, column=2, length=4),
    message="no field 'totl', in 100% of events: none",
    hint="did you mean 'total'?",
    excerpt=" totl: 1",
    related=Related(
        location=Location(path="rules/events/x.json", line=7, column=3, length=5),
        message="its fields",
        excerpt='  "total": {}',
    ),
    fix=Fix(
        title="replace `totl` by `total`",
        edits=(Edit(path="rules/a b.yaml", start=20, end=24, text="total"),),
    ),
)

LEVEL = {"enum": ["error", "warning", "note"]}
TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}
COUNT = {"type": "integer", "minimum": 1}


def record(required=(), **properties):
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": properties,
    }


def many(items):
    return {"type": "array", "minItems": 1, "items": items}


FILE = record(["uri"], uri={"type": "string", "pattern": r"^[^\\ ]+$"}, uriBaseId={})
REGION = record(["startLine"], startLine=COUNT, startColumn=COUNT, endColumn=COUNT)
PLACE = record(["artifactLocation"], artifactLocation=FILE, region=REGION)
DELETED = record(
    ["charOffset"],
    charOffset={"type": "integer", "minimum": 0},
    charLength={"type": "integer", "minimum": 0},
)
#: The part of SARIF 2.1.0 that is written, as its specification has it: nothing else may be there.
SARIF = record(
    ["version", "runs"],
    **{"$schema": {"type": "string", "format": "uri"}},
    version={"const": "2.1.0"},
    runs=many(
        record(
            ["tool"],
            tool=record(
                ["driver"],
                driver=record(
                    ["name"],
                    name={"type": "string"},
                    semanticVersion={"type": "string"},
                    rules={
                        "type": "array",
                        "uniqueItems": True,
                        "items": record(
                            ["id"],
                            id={"type": "string"},
                            shortDescription=TEXT,
                            fullDescription=TEXT,
                            help=TEXT,
                            defaultConfiguration=record(level=LEVEL),
                        ),
                    },
                ),
            ),
            columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
            results={
                "type": "array",
                "items": record(
                    ["message"],
                    ruleId={"type": "string"},
                    ruleIndex={"type": "integer", "minimum": 0},
                    level=LEVEL,
                    message=TEXT,
                    locations=many(record(physicalLocation=PLACE)),
                    relatedLocations=many(record(physicalLocation=PLACE, message=TEXT)),
                    fixes=many(
                        record(
                            ["artifactChanges"],
                            description=TEXT,
                            artifactChanges=many(
                                record(
                                    ["artifactLocation", "replacements"],
                                    artifactLocation=FILE,
                                    replacements=many(
                                        record(
                                            ["deletedRegion"],
                                            deletedRegion=DELETED,
                                            insertedContent=TEXT,
                                        )
                                    ),
                                )
                            ),
                        )
                    ),
                ),
            },
        )
    ),
)


@pytest.mark.parametrize("problems", [[], [A_PROBLEM]], ids=["none", "one with everything"])
def test_sarif_is_of_its_schema(problems):
    log = json.loads(FORMATS["sarif"](problems, "shop/"))
    Draft202012Validator(SARIF).validate(log)
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    for result in log["runs"][0]["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        file = result["locations"][0]["physicalLocation"]["artifactLocation"]
        assert file["uri"] == "shop/rules/a%20b.yaml"


def test_text_points_at_both_places_and_names_the_fix():
    assert render(A_PROBLEM).splitlines() == [
        "rules/a b.yaml:3:2: error[SF103]: no field 'totl', in 100% of events: none",
        "   |  totl: 1",
        "   | .^^^^",
        " ::: rules/events/x.json:7:3: its fields",
        '   |   "total": {}',
        "   | ..^^^^^",
        "   = did you mean 'total'?",
        "   = --fix: replace `totl` by `total`",
    ]


def test_summary_counts_what_can_be_mended():
    unsafe = Problem(
        code="SF006",
        location=A_PROBLEM.location,
        message="a",
        severity=Severity.WARNING,
        fix=Fix(title="b", edits=(), safety=Safety.UNSAFE),
    )
    assert FORMATS["concise"]([A_PROBLEM, unsafe], "").splitlines()[-1] == (
        "1 error, 1 warning; --fix mends 1; --unsafe-fixes mends 1 more"
    )


def test_what_comes_of_a_mistake_is_said_once_of_each_code():
    again = replace(A_PROBLEM, location=replace(A_PROBLEM.location, line=9))
    lines = FORMATS["text"]([A_PROBLEM, again], "").splitlines()
    consequence = (
        "   = left as it is, the condition fails at every event, and nobody gets the message"
    )
    first = render(A_PROBLEM).splitlines()
    assert lines[: len(first) + 3] == [*first, consequence, "   = more: shopflow rule SF103", ""]
    assert lines.count(consequence) == 1


def test_gitlab_knows_a_problem_again_on_another_line():
    moved = replace(A_PROBLEM, location=replace(A_PROBLEM.location, line=9))
    one, two = json.loads(FORMATS["gitlab"]([A_PROBLEM, moved], "shop/"))
    (same,) = json.loads(FORMATS["gitlab"]([moved], "shop/"))
    assert one["fingerprint"] == same["fingerprint"] != two["fingerprint"]
    assert one["location"] == {"path": "shop/rules/a b.yaml", "lines": {"begin": 3}}
    assert (one["check_name"], one["severity"]) == ("SF103", "major")
    assert json.loads(FORMATS["gitlab"]([], "")) == []


def test_reviewdog_counts_bytes():
    wide = replace(A_PROBLEM, excerpt="é totl: 1", location=replace(A_PROBLEM.location, column=3))
    (told,) = json.loads(FORMATS["rdjson"]([wide], "shop/"))["diagnostics"]
    assert told["location"]["range"] == {
        "start": {"line": 3, "column": 4},
        "end": {"line": 3, "column": 8},
    }
    assert (told["severity"], told["code"]) == ("ERROR", {"value": "SF103"})


def test_a_table_in_markdown_keeps_its_columns():
    bars = replace(A_PROBLEM, message="a || b")
    row = FORMATS["markdown"]([bars], "shop/").splitlines()[-1]
    assert row == "| `shop/rules/a b.yaml:3` | error SF103: a \\|\\| b | did you mean 'total'? |"


def test_github_reads_every_sign():
    annotation = FORMATS["github"]([A_PROBLEM], "shop/").splitlines()[0]
    assert annotation == (
        "::error file=shop/rules/a b.yaml,line=3,col=2,endColumn=6,"
        "title=SF103 (shopflow rule SF103)::"
        "no field 'totl', in 100%25 of events: none%0Adid you mean 'total'?"
    )


def test_github_shows_what_it_can_and_the_job_the_rest(lint, project, monkeypatch, tmp_path):
    for number in range(MOST + 2):
        path = project / f"rules/workflows/note-{number}.yaml"
        path.write_text(WORKFLOW.replace("note", f"note-{number}"), encoding="utf-8")
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.setenv("GITHUB_WORKSPACE", str(project.parent))
    code, output = lint()
    assert code == 1
    assert output.count("\n::error ") + output.startswith("::error ") == MOST
    assert f"::error file={project.name}/rules/workflows/note-0.yaml,line=7" in output
    assert "more, which GitHub would not show in place:" in output
    written = summary.read_text(encoding="utf-8")
    assert written.count("error SF106") == MOST + 3


def test_junit_has_a_failure_for_each(lint):
    _, output = lint("--format", "junit")
    root = ET.fromstring(output)
    assert [case.get("name") for case in root.iter("testcase")] == ["SF106:7:18", "SF115:8:7"]
    assert root.get("failures") == "2"


def test_junit_of_nothing_has_a_case_that_passed():
    root = ET.fromstring(FORMATS["junit"]([], ""))
    assert (root.get("tests"), root.get("failures")) == ("1", "0")


def test_concise_has_a_line_each(lint):
    _, output = lint("--format", "concise")
    assert output.splitlines() == [
        f"{NOTE}:7:18: error[SF106]: no event type 'order.place'",
        f"{NOTE}:8:7: warning[SF115]: nothing reads vars.big",
        "1 error, 1 warning; --fix mends 2",
    ]


@pytest.mark.parametrize("ending", [".json", ".md", ".sarif", ".xml", ".txt"])
def test_a_file_gets_another_form_at_the_same_time(lint, tmp_path, ending):
    file = tmp_path / f"report{ending}"
    _, output = lint("--format", "concise", "--output-file", file)
    assert "SF106" in output
    assert "SF106" in file.read_text(encoding="utf-8")


def test_a_file_of_no_form_is_refused(lint, tmp_path):
    code, output = lint("--output-file", tmp_path / "report.html")
    assert code == 2
    assert "the ending says the form: one of .json, .md, .sarif, .txt, .xml, not '.html'" in output


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["--select", "SF1"], ["SF106", "SF115"]),
        (["--select", "SF106,SF2"], ["SF106"]),
        (["--select", "SF106", "--select", "SF115"], ["SF106", "SF115"]),
        (["--ignore", "SF115"], ["SF106"]),
        # What is locked is not hidden by a prefix.
        (["--ignore", "SF1"], ["SF106"]),
    ],
)
def test_codes_are_chosen_by_prefix(lint, words, shown):
    _, output = lint("--format", "json", *words)
    assert codes(output) == shown


def test_what_is_not_shown_does_not_fail(lint):
    assert lint("--select", "SF4")[0] == 0


def test_a_code_that_there_is_not_is_wrong_usage(lint):
    code, output = lint("--select", "SF1155")
    assert code == 2
    assert "no code 'SF1155'; did you mean 'SF115'?" in output


def test_standard_input_stands_for_a_file(lint, project):
    mended = WORKFLOW.replace("order.place", "order.placed")
    words = ["-", "--stdin-filename", project / NOTE, "--format", "json"]
    code, output = lint(*words, given=mended)
    assert (code, codes(output)) == (0, ["SF115"])
    assert (project / NOTE).read_text(encoding="utf-8") == WORKFLOW


def test_standard_input_may_be_a_file_that_is_not_there_yet(lint, project):
    new = project / "rules/workflows/new/other.yaml"
    code, output = lint("-", "--stdin-filename", new, "--format", "concise", given="a: [")
    assert code == 1
    assert "rules/workflows/new/other.yaml:2:1: error[SF001]" in output
    assert not new.parent.exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-"], "--stdin-filename says which file it is"),
        (["-", os.devnull, "--stdin-filename", "a"], "`-` stands alone"),
        (["-", "--stdin-filename", "/elsewhere/a.yaml"], "is not in the project"),
    ],
)
def test_standard_input_without_a_place_is_wrong_usage(lint, words, told):
    code, output = lint(*words, given="")
    assert code == 2
    assert told in output


def test_a_comment_suppresses_and_its_day_comes(lint, project):
    comment = '  # shopflow: ignore[SF115] until={} reason="used from spring on"'
    text = WORKFLOW.replace("order.place", "order.placed")
    line = 'let: {big: customer.id == "1"}'
    for day, found in [("2999-12-31", []), ("2020-01-01", ["SF115", "SF903"])]:
        written = text.replace(line, line + comment.format(day))
        (project / NOTE).write_text(written, encoding="utf-8")
        assert codes(lint("--format", "json")[1]) == found
