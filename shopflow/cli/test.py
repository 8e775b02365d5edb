"""`shopflow test`: the rules' own tests, on a virtual clock."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path, PurePath

import click
from rich.console import Console
from rich.progress import track

from shopflow.cli.main import CLEAN, FINDINGS, USAGE
from shopflow.cli.options import PROJECT, write_report
from shopflow.cli.test_of_record import test_of_record
from shopflow.cli.watching import watching
from shopflow.errors import RulesInvalid
from shopflow.gitops.coverage import Coverage, floor, measure
from shopflow.gitops.expecting import Result
from shopflow.gitops.git import unadded
from shopflow.gitops.judging import Judge
from shopflow.gitops.rehearsal import Stage
from shopflow.gitops.reports import as_github, as_json, as_junit, as_markdown, as_text, summary
from shopflow.gitops.scenario import Scenario, read_scenarios
from shopflow.gitops.sightings import Sightings
from shopflow.gitops.texts import FOLDER, Snapshots
from shopflow.gitops.versions import changed_by
from shopflow.lang.document import Document
from shopflow.lang.names import listing
from shopflow.problem import render
from shopflow.rulebook import LoadedProject, load_project

_FORMATS: Mapping[str, Callable[[Sequence[Result], Coverage | None], str]] = {
    "text": as_text,
    "json": as_json,
    "junit": as_junit,
    "github": as_github,
    "markdown": as_markdown,
}
#: Where test files lie.
_TESTS = "rules/tests/"


def _pattern(
    ctx: click.Context, param: click.Parameter, text: str | None
) -> re.Pattern[str] | None:
    try:
        return re.compile(text) if text is not None else None
    except re.error as e:
        raise click.BadParameter(f"'{text}' is no regular expression: {e}", ctx, param) from e


@click.command
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option(
    "-k",
    "pattern",
    metavar="REGEX",
    callback=_pattern,
    help="Only tests whose place and name contain this.",
)
@click.option(
    "--format",
    "style",
    type=click.Choice(list(_FORMATS)),
    default="text",
    show_default=True,
    help="For people, programs or CI servers; at the lines of a pull request, or in its text.",
)
@click.option(
    "--coverage",
    "covering",
    is_flag=True,
    help="Tell which steps, branches, exits and answers of conditions the tests show.",
)
@click.option(
    "--min-coverage",
    "bar",
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    help="Fail when the tests show less than this; implies --coverage.",
)
@click.option(
    "--shuffle-ties",
    "shuffling",
    is_flag=True,
    help="Try events of one instant in every order; a test that hangs on it fails.",
)
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="How many processes share the work; the answer is the same.",
)
@click.option("--fail-fast", "hasty", is_flag=True, help="Stop at the first test that fails.")
@click.option(
    "--update",
    is_flag=True,
    help="Write snapshots of what messages say, in place of checking them.",
)
@click.option(
    "--output-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the report there; one line says how it went.",
)
@click.option(
    "--from-customer",
    "recorded",
    metavar="ID",
    help="Run nothing: make a test of what is recorded of this customer, without personal data.",
)
@click.option("--workflow", help="With --from-customer: the workflow that it is a test of.")
@PROJECT
@watching
@click.pass_context
def test(  # noqa: PLR0917 - click passes each option by name
    ctx: click.Context,
    paths: tuple[Path, ...],
    pattern: re.Pattern[str] | None,
    style: str,
    covering: bool,  # noqa: FBT001 - an option
    bar: float | None,
    shuffling: bool,  # noqa: FBT001
    jobs: int,
    hasty: bool,  # noqa: FBT001
    update: bool,  # noqa: FBT001
    output_file: Path | None,
    recorded: str | None,
    workflow: str | None,
    project: Path,
) -> None:
    """Run the rules' own tests: all, or those under PATHS.

    Coverage of chosen tests is that of the workflows they are about.
    """
    if recorded is not None:
        report = test_of_record(project, recorded, workflow)
        _hand_out(report, output_file, f"wrote {output_file}")
        return
    if workflow is not None:
        raise click.UsageError("--workflow goes with --from-customer; PATHS and -k choose tests")
    loaded = load_project(project, strict=False)
    _refuse_broken_tests(ctx, loaded)
    if update:
        _refuse_unseen(project)
    documents = _under(paths, loaded.require(), project.resolve())
    scenarios = _scenarios(ctx, documents, loaded)
    chosen = [each for each in scenarios if pattern is None or pattern.search(each.title)]
    if not chosen:
        click.echo("no tests found", err=True)
        ctx.exit(FINDINGS)
    sightings = Sightings() if covering or bar is not None else None
    stage = Stage(loaded.ruleset, loaded.templates, asdict(loaded.project.sender), sightings)
    snapshots = Snapshots(root=project.resolve(), update=update)
    judge = Judge(stage=stage, snapshots=snapshots, shuffling=shuffling)
    results = list(_results(judge, chosen, jobs=jobs, hasty=hasty))
    for path in snapshots.written:
        click.echo(f"wrote {path}", err=True)
    about = {each.workflow for each in chosen} if paths or pattern else loaded.workflows
    coverage = None if sightings is None else _coverage(loaded, about, sightings)
    report = _FORMATS[style](results, coverage)
    _hand_out(report, output_file, summary(results))
    enough = coverage is None or bar is None or _reaches(coverage, bar)
    ctx.exit(CLEAN if enough and all(result.passed for result in results) else FINDINGS)


def _hand_out(report: str, output: Path | None, line: str) -> None:
    """The report, or where it went to a file, a line about it."""
    if output is None:
        click.echo(report)
    else:
        write_report(output, report)
        click.echo(line)


def _results(
    judge: Judge, scenarios: Sequence[Scenario], *, jobs: int, hasty: bool
) -> Iterator[Result]:
    """The verdicts; in a hurry, up to the first that fails."""
    found = judge.results(scenarios, jobs)
    console = Console(stderr=True)
    hidden = not console.is_terminal
    shown = track(found, "testing", len(scenarios), console=console, transient=True, disable=hidden)
    for result in shown:
        yield result
        if hasty and not result.passed:
            return


def _coverage(loaded: LoadedProject, about: Container[str], sightings: Sightings) -> Coverage:
    workflows = loaded.ruleset.workflows.values()
    chosen = [each for each in workflows if each.id in about]
    return measure(chosen, loaded.workflows, sightings)


def _reaches(coverage: Coverage, bar: float) -> bool:
    """True when the tests show that much; else the miss is told."""
    percent = coverage.share.percent
    if percent < bar:
        click.echo(f"coverage is {floor(percent):g} %, less than {bar:g} %", err=True)
    return percent >= bar


def _refuse_broken_tests(ctx: click.Context, loaded: LoadedProject) -> None:
    """Stop when a test names what does not exist: it would prove nothing."""
    broken = [each for each in loaded.errors if each.location.path.startswith(_TESTS)]
    if broken:
        click.echo("\n\n".join(map(render, loaded.errors)), err=True)
        ctx.exit(USAGE)


def _refuse_unseen(project: Path) -> None:
    """Stop when what --update would write over was not yet looked at."""
    unseen = sorted(path for path in unadded(project) if PurePath(path).parent.name == FOLDER)
    if unseen:
        raise click.UsageError(
            f"--update would write over changes that nobody has looked at yet: {listing(unseen)}; "
            "`git add` what is right"
        )


def _scenarios(
    ctx: click.Context, documents: Iterable[Document], loaded: LoadedProject
) -> list[Scenario]:
    try:
        return read_scenarios(documents, loaded.ruleset, changed_by(loaded))
    except RulesInvalid as e:
        click.echo(str(e), err=True)
        ctx.exit(USAGE)


def _under(paths: tuple[Path, ...], loaded: LoadedProject, root: Path) -> list[Document]:
    """The files of tests that are one of the paths, or lie below one."""
    if not paths:
        return list(loaded.tests)
    wanted = [path.resolve() for path in paths]
    return [
        document
        for document in loaded.tests
        if any((root / document.path).is_relative_to(path) for path in wanted)
    ]
