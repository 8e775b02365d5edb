"""Problems in the diagnostic format of reviewdog, which brings them into reviews anywhere."""

from __future__ import annotations

import json
from collections.abc import Sequence

from shopflow.problem import Problem


def as_rdjson(problems: Sequence[Problem], prefix: str = "") -> str:
    """A diagnostic for each."""
    told = {
        "source": {"name": "shopflow"},
        "diagnostics": [
            {
                "message": "\n".join(filter(None, [each.message, each.hint])),
                "location": {
                    "path": f"{prefix}{each.location.path}",
                    "range": {
                        "start": _place(each, each.location.column),
                        "end": _place(each, each.location.column + each.location.length),
                    },
                },
                "severity": each.severity.upper(),
                "code": {"value": each.code},
            }
            for each in problems
        ],
    }
    return json.dumps(told, indent=2, ensure_ascii=False)


def _place(problem: Problem, column: int) -> dict[str, int]:
    """The place in its line; the format counts bytes of UTF-8, and we count characters."""
    wider = len(problem.excerpt[: column - 1].encode()) - len(problem.excerpt[: column - 1])
    return {"line": problem.location.line, "column": column + wider}
