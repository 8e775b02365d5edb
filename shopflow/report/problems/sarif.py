"""Problems as SARIF 2.1.0, the form of code scanning."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from urllib.parse import quote

import shopflow
from shopflow.lang.lint.catalogue import Entry, catalogue
from shopflow.problem import Fix, Location, Problem, Related, Severity

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_LEVELS: Mapping[Severity, str] = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.INFO: "note",
}


def as_sarif(problems: Sequence[Problem], prefix: str = "") -> str:
    """One run, with the codes that it found and what they mean."""
    known = catalogue()
    codes = sorted({problem.code for problem in problems})
    driver = {
        "name": "shopflow",
        "semanticVersion": shopflow.__version__,
        "rules": [_rule(known[code]) for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(each, codes.index(each.code), prefix) for each in problems],
    }
    content = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(content, indent=2, ensure_ascii=False)


def _rule(entry: Entry) -> dict[str, object]:
    return {
        "id": entry.code,
        "shortDescription": {"text": entry.title},
        "fullDescription": {"text": entry.explanation},
        "help": {"text": entry.page, "markdown": entry.page},
        "defaultConfiguration": {"level": _LEVELS[entry.severity]},
    }


def _result(problem: Problem, index: int, prefix: str) -> dict[str, object]:
    text = f"{problem.message}\n{problem.hint}" if problem.hint else problem.message
    result: dict[str, object] = {
        "ruleId": problem.code,
        "ruleIndex": index,
        "level": _LEVELS[problem.severity],
        "message": {"text": text},
        "locations": [_location(problem.location, prefix)],
    }
    if problem.related is not None:
        result["relatedLocations"] = [_related(problem.related, prefix)]
    if problem.fix is not None:
        result["fixes"] = [_fix(problem.fix, prefix)]
    return result


def _location(place: Location, prefix: str) -> dict[str, object]:
    region = {
        "startLine": place.line,
        "startColumn": place.column,
        "endColumn": place.column + place.length,
    }
    return {"physicalLocation": {"artifactLocation": _file(place.path, prefix), "region": region}}


def _related(related: Related, prefix: str) -> dict[str, object]:
    return {**_location(related.location, prefix), "message": {"text": related.message}}


def _fix(fix: Fix, prefix: str) -> dict[str, object]:
    paths = sorted({each.path for each in fix.edits})
    return {
        "description": {"text": fix.title},
        "artifactChanges": [
            {
                "artifactLocation": _file(path, prefix),
                "replacements": [
                    {
                        "deletedRegion": {
                            "charOffset": each.start,
                            "charLength": each.end - each.start,
                        },
                        "insertedContent": {"text": each.text},
                    }
                    for each in fix.edits
                    if each.path == path
                ],
            }
            for path in paths
        ],
    }


def _file(path: str, prefix: str) -> dict[str, object]:
    return {"uri": quote(f"{prefix}{path}"), "uriBaseId": "SRCROOT"}
