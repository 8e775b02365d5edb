"""`shopflow lint`: every problem of every rule file, for people, editors and CI servers."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import click

from shopflow.cli.main import CLEAN, FINDINGS
from shopflow.cli.options import PROJECT
from shopflow.cli.rule import named
from shopflow.cli.watching import watching
from shopflow.gitops.fixing import mend
from shopflow.gitops.git import changed_files, fork_of, trunk_of
from shopflow.gitops.linting import View, finder, short_lived
from shopflow.gitops.working_copy import working_copy
from shopflow.lang.repository import PROJECT_FILE
from shopflow.problem import Problem, Severity
from shopflow.report.problems import FORMATS
from shopflow.report.problems.github import annotated
from shopflow.report.problems.markdown import as_markdown
from shopflow.rulebook import load_project

#: Ending of a file -> the form of what is written into it.
_ENDINGS: Mapping[str, str] = {
    ".json": "json",
    ".md": "markdown",
    ".sarif": "sarif",
    ".txt": "text",
    ".xml": "junit",
}
_STDIN = Path("-")


def _codes(
    ctx: click.Context, param: click.Parameter, given: tuple[str, ...]
) -> frozenset[str] | None:
    """The codes that prefixes mean, as `SF1,SF203`; None where nothing was asked."""
    del ctx, param
    words = [word.strip() for text in given for word in text.split(",") if word.strip()]
    return frozenset(entry.code for entry in named(words)) if words else None


def _form(ctx: click.Context, param: click.Parameter, path: Path | None) -> Path | None:
    del ctx, param
    if path is not None and path.suffix not in _ENDINGS:
        known = ", ".join(_ENDINGS)
        raise click.BadParameter(f"the ending says the form: one of {known}, not '{path.suffix}'")
    return path


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(exists=True, allow_dash=True, path_type=Path))
@PROJECT
@click.option(
    "--changed",
    is_flag=False,
    flag_value="",
    metavar="[=BASE]",
    help="Show problems of files that differ from BASE, or from where main was left.",
)
@click.option(
    "--allow-shrink", is_flag=True, help="With --changed: many workflows are meant to be gone."
)
@click.option("--fix", is_flag=True, help="Mend what can be mended for sure.")
@click.option("--unsafe-fixes", is_flag=True, help="Mend what wants a look afterwards as well.")
@click.option(
    "--diff", is_flag=True, help="Show what --fix would change, and change nothing; 1 if it would."
)
@click.option(
    "--stdin-filename",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file that standard input stands for, where PATHS is `-`.",
)
@click.option(
    "--select",
    multiple=True,
    callback=_codes,
    metavar="CODES",
    help="Show these codes only; a prefix such as SF4 means all that begin so.",
)
@click.option(
    "--ignore",
    multiple=True,
    callback=_codes,
    metavar="CODES",
    help="Do not show these codes or prefixes; what is locked is shown all the same.",
)
@click.option(
    "--format",
    "style",
    type=click.Choice(["auto", *FORMATS]),
    default="auto",
    show_default=True,
    help="How problems are shown; auto is github in GitHub Actions, and text elsewhere.",
)
@click.option(
    "--output-file",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    callback=_form,
    help="Write them here too; the ending says the form: .json, .md, .sarif, .txt, .xml (JUnit).",
)
@click.option(
    "--fail-level",
    type=click.Choice(["error", "warning"]),
    default="error",
    show_default=True,
    help="The least severity that makes the exit code 1.",
)
@watching
def lint(
    paths: tuple[Path, ...],
    *,
    project: Path,
    changed: str | None,
    allow_shrink: bool,
    fix: bool,
    unsafe_fixes: bool,
    diff: bool,
    stdin_filename: Path | None,
    select: frozenset[str] | None,
    ignore: frozenset[str] | None,
    style: str,
    output_file: Path | None,
    fail_level: str,
) -> int:
    """Check every rule file: schema, names, types, references, and what they mean together.

    With PATHS, only problems of these files and folders are shown; all files are read all the same.
    `-` reads one file from standard input, as an editor has it before it is saved.
    """
    root = project.resolve()
    if not (root / PROJECT_FILE).is_file():
        hint = "name the rules repository with --project, or make one with `shopflow init`"
        raise click.UsageError(f"no {PROJECT_FILE} in {root}; {hint}")
    if allow_shrink and changed is None:
        raise click.UsageError("--allow-shrink goes with --changed, which sees what is gone")
    if _STDIN in paths:
        if fix or unsafe_fixes or diff or changed is not None:
            raise click.UsageError("`-` is one file as it stands: no --changed, --fix or --diff")
        problems = _of_stdin(root, paths, stdin_filename)
        view = View(root, select=select, ignore=ignore)
    else:
        base = None if changed is None else fork_of(root, changed or trunk_of(root))
        files = None if base is None else changed_files(root, base)
        view = View(root, paths=paths, files=files, select=select, ignore=ignore)
        finding = finder(root, base, files or frozenset(), _today(), allow_shrink=allow_shrink)
        with short_lived(), finding as find:
            if fix or unsafe_fixes or diff:
                mended = mend(root, find, wanted=view.shows, unsafe=unsafe_fixes)
                if diff:
                    click.echo(mended.diff(), nl=False)
                    return FINDINGS if mended.after else CLEAN
                mended.write(root)
                problems = list(mended.problems)
                where = "1 file" if len(mended.after) == 1 else f"{len(mended.after)} files"
                click.echo(f"{mended.count} mended in {where}", err=True)
            else:
                problems = find(root)
    problems = [each for each in problems if view.shows(each)]
    _show(problems, root, style, output_file)
    failing = {Severity.ERROR} if fail_level == "error" else {Severity.ERROR, Severity.WARNING}
    return FINDINGS if any(each.severity in failing for each in problems) else CLEAN


def _today() -> date:
    return date.today()  # noqa: DTZ011 - suppressions end with the author's day


def _of_stdin(root: Path, paths: Sequence[Path], name: Path | None) -> list[Problem]:
    """The problems of the file that standard input stands for, within its project."""
    if len(paths) > 1 or name is None:
        raise click.UsageError("`-` stands alone, and --stdin-filename says which file it is")
    try:
        path = name.resolve().relative_to(root)
    except ValueError as e:
        raise click.UsageError(f"{name} is not in the project {root}") from e
    with working_copy(root) as copy:
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / path).write_bytes(sys.stdin.buffer.read())
        found = load_project(copy, strict=False, today=_today()).problems
    return [each for each in found if each.location.path == path.as_posix()]


def _show(problems: Sequence[Problem], root: Path, style: str, file: Path | None) -> None:
    in_actions = os.environ.get("GITHUB_ACTIONS") == "true"
    if style == "auto":
        style = "github" if in_actions else "text"
    prefix = _prefix(root)
    click.echo(FORMATS[style](problems, prefix))
    if file is not None:
        form = FORMATS[_ENDINGS[file.suffix]]
        file.write_text(f"{form(problems, prefix)}\n", encoding="utf-8")
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if style == "github" and summary and annotated(problems)[1]:
        with Path(summary).open("a", encoding="utf-8") as stream:
            stream.write(f"{as_markdown(problems, prefix)}\n")


def _prefix(root: Path) -> str:
    """The way from the repository's top, or from here, to the project."""
    top = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd()).resolve()
    if root == top or not root.is_relative_to(top):
        return ""
    return f"{root.relative_to(top).as_posix()}/"
