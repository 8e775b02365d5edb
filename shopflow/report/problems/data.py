"""Problems as JSON, for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence

from shopflow.problem import Location, Problem, Severity

#: The version of the JSON that is printed; a reader ignores fields that it does not know, and
#: refuses a higher first number.
FORMAT_VERSION = "1.1"


def as_json(problems: Sequence[Problem], prefix: str = "") -> str:
    """All that is known of each problem; paths count from the project."""
    del prefix
    errors = sum(each.severity is Severity.ERROR for each in problems)
    warnings = sum(each.severity is Severity.WARNING for each in problems)
    content = {
        "format_version": FORMAT_VERSION,
        "valid": errors == 0,
        "errors": errors,
        "warnings": warnings,
        "problems": [*map(_problem, problems)],
    }
    return json.dumps(content, indent=2, ensure_ascii=False)


def _problem(problem: Problem) -> dict[str, object]:
    told: dict[str, object] = {
        "code": problem.code,
        "severity": str(problem.severity),
        **_place(problem.location),
        "message": problem.message,
        "hint": problem.hint,
        "excerpt": problem.excerpt,
    }
    if (related := problem.related) is not None:
        told["related"] = {
            **_place(related.location),
            "message": related.message,
            "excerpt": related.excerpt,
        }
    if (fix := problem.fix) is not None:
        told["fix"] = {
            "title": fix.title,
            "safety": str(fix.safety),
            "edits": [
                {"path": each.path, "start": each.start, "end": each.end, "text": each.text}
                for each in fix.edits
            ],
        }
    return told


def _place(location: Location) -> dict[str, object]:
    return {
        "path": location.path,
        "line": location.line,
        "column": location.column,
        "length": location.length,
    }
