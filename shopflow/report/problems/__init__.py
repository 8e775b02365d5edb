"""Problems as people, editors and CI servers read them: one module for each form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from shopflow.problem import Problem
from shopflow.report.problems.data import as_json
from shopflow.report.problems.github import as_github
from shopflow.report.problems.gitlab import as_gitlab
from shopflow.report.problems.junit import as_junit
from shopflow.report.problems.markdown import as_markdown
from shopflow.report.problems.rdjson import as_rdjson
from shopflow.report.problems.sarif import as_sarif
from shopflow.report.problems.text import as_concise, as_text

__all__ = ["FORMATS", "Format"]

#: Writes problems that are in order. The second argument leads from where the reader stands, the
#: top of a repository, to the project: empty, or with a slash at its end.
Format = Callable[[Sequence[Problem], str], str]

FORMATS: Mapping[str, Format] = {
    "text": as_text,
    "concise": as_concise,
    "json": as_json,
    "github": as_github,
    "gitlab": as_gitlab,
    "sarif": as_sarif,
    "rdjson": as_rdjson,
    "junit": as_junit,
    "markdown": as_markdown,
}
