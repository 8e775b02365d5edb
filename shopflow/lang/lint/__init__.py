"""What can be wrong in rules that compile: one small module for each family of checks."""

from __future__ import annotations

from shopflow.lang.build import Build
from shopflow.lang.expressions import check_uses
from shopflow.lang.templates import TemplateSet
from shopflow.problem import Problem

__all__ = ["run_checks"]


def run_checks(built: Build, templates: TemplateSet) -> list[Problem]:
    """Every finding of every check."""
    del templates
    problems = []
    for each in built.workflows:
        problems += check_uses(each.document, each.uses)
    for document, use in built.uses:
        problems += check_uses(document, [use])
    return problems
