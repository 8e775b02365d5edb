"""Problems as JUnit XML, which every CI server shows: a suite for each file."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from xml.etree import ElementTree as ET

from shopflow.problem import Problem, render


def as_junit(problems: Sequence[Problem], prefix: str = "") -> str:
    """A failed case for each problem; one that passed where there is none."""
    failures = str(len(problems))
    root = ET.Element("testsuites", name="shopflow lint", tests=failures, failures=failures)
    for path, group in groupby(problems, key=lambda each: each.location.path):
        of_file = list(group)
        number = str(len(of_file))
        suite = ET.SubElement(root, "testsuite", name=path, tests=number, failures=number)
        for problem in of_file:
            case = ET.SubElement(
                suite,
                "testcase",
                classname=path,
                name=f"{problem.code}:{problem.location.line}:{problem.location.column}",
                file=f"{prefix}{path}",
                line=str(problem.location.line),
            )
            failure = ET.SubElement(
                case, "failure", type=str(problem.severity), message=problem.message
            )
            failure.text = render(problem)
    if not problems:
        # A report without any case counts as a broken run for some servers.
        suite = ET.SubElement(root, "testsuite", name="shopflow lint", tests="1", failures="0")
        ET.SubElement(suite, "testcase", classname="shopflow", name="lint")
        root.set("tests", "1")
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True)
