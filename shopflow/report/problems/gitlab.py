"""Problems as a code quality report, which GitLab shows in a merge request."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256

from shopflow.problem import Problem, Severity

_SEVERITIES: Mapping[Severity, str] = {
    Severity.ERROR: "major",
    Severity.WARNING: "minor",
    Severity.INFO: "info",
}


def as_gitlab(problems: Sequence[Problem], prefix: str = "") -> str:
    """An entry for each; it is the same one as long as file, code and words are, on any line."""
    seen = Counter[tuple[str, str, str]]()
    told = []
    for each in problems:
        key = each.location.path, each.code, each.message
        seen[key] += 1
        told.append(
            {
                "description": "\n".join(filter(None, [each.message, each.hint])),
                "check_name": each.code,
                "fingerprint": sha256(json.dumps([*key, seen[key]]).encode()).hexdigest(),
                "severity": _SEVERITIES[each.severity],
                "location": {
                    "path": f"{prefix}{each.location.path}",
                    "lines": {"begin": each.location.line},
                },
            }
        )
    return json.dumps(told, indent=2, ensure_ascii=False)
