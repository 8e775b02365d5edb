"""`shopflow lint`: every problem of every rule file, for people or for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from shopflow.lang.repository import PROJECT_FILE
from shopflow.problem import Problem, Severity, render
from shopflow.rulebook import lint as find_problems

_CLEAN, _FINDINGS = 0, 1
#: The version of the JSON that is printed; a reader refuses a higher first number.
FORMAT_VERSION = "1.0"


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--project",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="The rules repository; here unless given.",
)
@click.option(
    "--format",
    "output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="For people or for machines.",
)
@click.option(
    "--fail-level",
    type=click.Choice(["error", "warning"]),
    default="error",
    help="The least severity that makes the exit code 1.",
)
def lint(paths: tuple[Path, ...], project: Path, output: str, fail_level: str) -> int:
    """Check every rule file: schema, names, types and references.

    With PATHS, only problems of these files and folders are shown; all files are read all the same.
    """
    root = project.resolve()
    if not (root / PROJECT_FILE).is_file():
        hint = "name the rules repository with --project, or make one with `shopflow init`"
        raise click.UsageError(f"no {PROJECT_FILE} in {root}; {hint}")
    problems = _under(find_problems(root), root, paths)
    click.echo(_as_json(problems) if output == "json" else _as_text(problems))
    failing = {Severity.ERROR} if fail_level == "error" else {Severity.ERROR, Severity.WARNING}
    return _FINDINGS if any(each.severity in failing for each in problems) else _CLEAN


def _under(problems: list[Problem], root: Path, paths: Sequence[Path]) -> list[Problem]:
    if not paths:
        return problems
    wanted = [path.resolve() for path in paths]
    return [
        each
        for each in problems
        if any((root / each.location.path).is_relative_to(path) for path in wanted)
    ]


def _as_text(problems: Sequence[Problem]) -> str:
    errors, warnings = _counts(problems)
    if not problems:
        return "no problems found"
    summary = f"{_number(errors, 'error')}, {_number(warnings, 'warning')}"
    return "\n\n".join([*map(render, problems), summary])


def _as_json(problems: Sequence[Problem]) -> str:
    errors, warnings = _counts(problems)
    content = {
        "format_version": FORMAT_VERSION,
        "valid": errors == 0,
        "errors": errors,
        "warnings": warnings,
        "problems": [
            {
                "code": each.code,
                "severity": str(each.severity),
                "path": each.location.path,
                "line": each.location.line,
                "column": each.location.column,
                "length": each.location.length,
                "message": each.message,
                "hint": each.hint,
                "excerpt": each.excerpt,
            }
            for each in problems
        ],
    }
    return json.dumps(content, indent=2, ensure_ascii=False)


def _counts(problems: Sequence[Problem]) -> tuple[int, int]:
    errors = sum(each.severity is Severity.ERROR for each in problems)
    return errors, sum(each.severity is Severity.WARNING for each in problems)


def _number(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
