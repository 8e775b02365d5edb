"""Loading a rules repository: the one door to compiled rules for everything above `lang`.

What the rules mean is `lang`'s; this module brings in the installed channels and the templates.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shopflow.channel import Channel
from shopflow.domain.ruleset import Ruleset
from shopflow.domain.workflow import Workflow
from shopflow.errors import RulesInvalid
from shopflow.lang.build import Build, build, sources
from shopflow.lang.compiler.context import Context, InstalledChannel
from shopflow.lang.compiler.workflow import compile_document
from shopflow.lang.document import Document, of_data
from shopflow.lang.lint import Subject, run_checks
from shopflow.lang.project import Project, process_environment
from shopflow.lang.repository import TEMPLATES, Repository, read_repository
from shopflow.lang.schemas import EventCatalogue
from shopflow.lang.settings import Settings, read_settings, unknown_channel
from shopflow.lang.templates import TemplateSet, load_templates
from shopflow.lang.validation import validate
from shopflow.plugins import complaints_about, find_channels
from shopflow.problem import Problem, Severity, in_order

#: Channels by name, as `shopflow.plugins.find_channels` gives them.
Channels = Mapping[str, type[Channel]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedProject:
    """A project, its compiled rules, and every problem found on the way.

    With a problem of severity error the rules must not be run: `require` sees to that.
    """

    project: Project
    ruleset: Ruleset
    templates: TemplateSet
    events: EventCatalogue
    context: Context
    problems: tuple[Problem, ...] = ()
    #: Each workflow's document as plain JSON, by digest: what is kept for enrolments pinned to it.
    sources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    #: The files of workflow tests that their schema accepts.
    tests: tuple[Document, ...] = ()

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that keep the rules from being run."""
        return tuple(each for each in self.problems if each.severity is Severity.ERROR)

    def require(self) -> LoadedProject:
        """The project itself; raises RulesInvalid with every problem if there are errors."""
        if self.errors:
            raise RulesInvalid(self.errors)
        return self


def load_project(
    root: Path,
    *,
    env: Mapping[str, str] | None = None,
    channels: Channels | None = None,
    strict: bool = True,
) -> LoadedProject:
    """The project under a folder, compiled and checked.

    `env` stands in for the process's environment, `channels` for the installed ones. Without
    `strict`, variables and secret files that are missing are no problem: nothing will be run.

    Raises:
        PluginError: An installed channel cannot be loaded.
    """
    root = root.resolve()
    installed = find_channels() if channels is None else channels
    with _uncollected():
        return _load(root, process_environment() if env is None else env, installed, strict=strict)


def _load(
    root: Path, env: Mapping[str, str], installed: Channels, *, strict: bool
) -> LoadedProject:
    settings = read_settings(
        root,
        env,
        lambda name, given: _complaints(name, given, installed),
        strict=strict,
    )
    project = settings.project
    repository = read_repository(root)
    templates, template_problems = load_templates(
        root / TEMPLATES,
        locale=project.locale,
        currency=project.currency,
        timezone=project.timezone,
    )
    built = build(repository, project, _installed(installed, settings))
    problems = [
        *settings.problems,
        *repository.problems,
        *template_problems,
        *built.problems,
        *run_checks(Subject(built, templates)),
    ]
    return _loaded(project, built, templates, in_order(problems), repository)


def lint(root: Path, *, env: Mapping[str, str] | None = None) -> list[Problem]:
    """Every problem of every file of a project, in order; variables may be missing."""
    return list(load_project(root, env=env, strict=False).problems)


def compile_workflow(data: Mapping[str, object], context: Context) -> Workflow:
    """The workflow of a document kept as plain JSON, such as one from an older revision.

    What it refers to may have changed since, so only what keeps it from being run is an error.

    Raises:
        RulesInvalid: The document is no workflow, or one of its expressions does not compile.
    """
    document = of_data(f"workflow {data.get('id', '')} of an older revision", data)
    problems = validate(document, "Workflow")
    if problems or document.root is None:
        raise RulesInvalid(problems)
    compiled = compile_document(document, document.root, context)
    if compiled.workflow is None or any(each.code in _FATAL for each in compiled.problems):
        raise RulesInvalid(compiled.problems)
    return compiled.workflow


#: Problems with which a workflow of an older revision cannot be run.
_FATAL = frozenset({"SF007", "SF009", "SF101", "SF116"})


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keeps the garbage collector out of it.

    A load makes many objects that all stay; visiting them again and again doubles its time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _loaded(
    project: Project,
    built: Build,
    templates: TemplateSet,
    problems: list[Problem],
    repository: Repository,
) -> LoadedProject:
    return LoadedProject(
        project=project,
        ruleset=built.ruleset,
        templates=templates,
        events=repository.catalogue,
        context=built.context,
        problems=tuple(problems),
        sources=sources(built.workflows),
        tests=tuple(file.document for file in repository.of_kind("WorkflowTest") if file.sound),
    )


def _complaints(name: str, settings: Mapping[str, object], installed: Channels) -> list[str]:
    if name not in installed:
        return unknown_channel(name, installed)
    return complaints_about(installed[name], settings)


def _installed(channels: Channels, settings: Settings) -> dict[str, InstalledChannel]:
    return {
        name: InstalledChannel(
            name=name,
            needs_address=channel.needs_address,
            extensions=channel.content.extensions,
            required_parts=channel.content.required,
            optional_parts=channel.content.optional,
            configured=name in settings.project.channels or not settings.known,
        )
        for name, channel in channels.items()
    }
