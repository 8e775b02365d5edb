"""Results of rule tests as people and programs read them: text, JSON, JUnit, GitHub, Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from html import escape
from xml.etree import ElementTree as ET

from shopflow.gitops.coverage import Coverage, floor
from shopflow.gitops.coverage_report import coverage_json, coverage_text
from shopflow.gitops.expecting import Result, Row
from shopflow.gitops.scenario import Scenario

_NOTHING = "."


def as_text(results: Sequence[Result], coverage: Coverage | None = None) -> str:
    """Each failure with its two timelines, what the tests show, and one line of summary."""
    blocks = ["\n".join(_failure(result)) for result in results if not result.passed]
    if coverage is not None:
        blocks.append(coverage_text(coverage))
    return "\n\n".join([*blocks, summary(results)])


def summary(results: Sequence[Result]) -> str:
    """How many passed and failed, in words."""
    failed = sum(not result.passed for result in results)
    passed = len(results) - failed
    return f"{failed} failed, {passed} passed" if failed else f"{passed} passed"


def as_json(results: Sequence[Result], coverage: Coverage | None = None) -> str:
    """The results for programs."""
    failed = sum(not result.passed for result in results)
    tests = [
        {
            "file": result.scenario.location.path,
            "line": result.scenario.location.line,
            "name": result.scenario.name,
            "workflow": result.scenario.workflow,
            "passed": result.passed,
            "problems": result.problems,
            "order": result.order,
            "notes": result.notes,
            "timeline": [
                {
                    "at": None if row.at is None else row.at.isoformat().replace("+00:00", "Z"),
                    "expected": row.expected or None,
                    "got": row.got or None,
                    "values": row.values,
                    "wrong": row.wrong,
                }
                for row in result.rows
            ],
        }
        for result in results
    ]
    told: dict[str, object] = {"passed": len(results) - failed, "failed": failed, "tests": tests}
    if coverage is not None:
        told["coverage"] = coverage_json(coverage)
    return json.dumps(told, indent=2, ensure_ascii=False)


def as_junit(results: Sequence[Result], coverage: Coverage | None = None) -> str:
    """The results for CI servers, a suite for each file; coverage is a property of the whole."""
    root = ET.Element("testsuites", name="shopflow test")
    if coverage is not None:
        properties = ET.SubElement(root, "properties")
        percent = str(floor(coverage.share.percent))
        ET.SubElement(properties, "property", name="coverage", value=percent)
    for path in dict.fromkeys(result.scenario.location.path for result in results):
        of_file = [result for result in results if result.scenario.location.path == path]
        failures = str(sum(not result.passed for result in of_file))
        suite = ET.SubElement(
            root, "testsuite", name=path, tests=str(len(of_file)), failures=failures
        )
        for result in of_file:
            scenario = result.scenario
            case = ET.SubElement(
                suite,
                "testcase",
                classname=scenario.workflow,
                name=scenario.name,
                file=path,
                line=str(scenario.location.line),
            )
            if not result.passed:
                message = "; ".join(result.problems)
                failure = ET.SubElement(case, "failure", message=message)
                failure.text = "\n".join(_failure(result))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True)


def as_github(results: Sequence[Result], coverage: Coverage | None = None) -> str:
    """A workflow command for each failure, which GitHub shows at its line; then the text."""
    commands = [
        f"::error file={_property(each.scenario.location.path)},line={each.scenario.location.line},"
        f"title={_property(each.scenario.name)}::{_data('; '.join(each.problems))}"
        for each in results
        if not each.passed
    ]
    return "\n".join([*commands, as_text(results, coverage)])


def as_markdown(results: Sequence[Result], coverage: Coverage | None = None) -> str:
    """A summary for a pull request or a job: each failure folded, with its two timelines."""
    blocks = [f"### shopflow test: {summary(results)}"]
    for each in results:
        if not each.passed:
            body = "\n".join(_failure(each))
            # More ticks than any line of it begins with.
            blocks.append(
                f"<details><summary>{escape(each.scenario.title)}</summary>\n\n"
                f"````text\n{body}\n````\n\n</details>"
            )
    if coverage is not None:
        blocks.append(f"````text\n{coverage_text(coverage)}\n````")
    return "\n\n".join(blocks)


def _data(text: str) -> str:
    """Text as workflow commands want it."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _failure(result: Result) -> Iterator[str]:
    scenario = result.scenario
    yield f"FAIL {scenario.title}"
    if result.order:
        yield f"  with events of one instant in another order: {result.order}"
    for problem in result.problems:
        yield from (f"  {line}" for line in problem.splitlines())
    if result.rows:
        yield from _timelines(scenario, result.rows)
    if result.notes:
        yield ""
        for note in result.notes:
            yield from (f"  {line}" for line in note.splitlines())


def _timelines(scenario: Scenario, rows: Sequence[Row]) -> Iterator[str]:
    clocks = [scenario.clock_of(row.at) if row.at is not None else "?" for row in rows]
    first = max(len(clock) for clock in (*clocks, "clock"))
    second = max(len(row.expected) for row in rows)
    second = max(second, len("expected"))
    third = max(len("got"), *(len(row.got) for row in rows))
    yield ""
    yield f"  {'clock':<{first}}  {'expected':<{second}}  got"
    for clock, row in zip(clocks, rows, strict=True):
        line = f"  {clock:<{first}}  {row.expected or _NOTHING:<{second}}  {row.got or _NOTHING}"
        if row.wrong:
            word = "not expected" if row.got else "did not come"
            line = f"{line:<{first + second + third + 6}}  <- {word}"
        yield line.rstrip()
        if row.values:
            yield f"  {'':<{first}}  {'':<{second}}    {row.values}"
