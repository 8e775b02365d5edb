"""Loading a rules repository: the one door to compiled rules for everything above `lang`.

What the rules mean is `lang`'s; this module brings in the installed channels and the templates.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from shopflow.channel import Channel
from shopflow.domain.ruleset import Ruleset
from shopflow.errors import RulesInvalid, SettingsError
from shopflow.lang.build import Build, build, context_of, sources
from shopflow.lang.bundle_cache import BundleCache, Sources, key_of
from shopflow.lang.compiler.context import Context, InstalledChannel
from shopflow.lang.document import Document
from shopflow.lang.lint import Subject, run_checks
from shopflow.lang.lint.suppressions import MARK, suppress
from shopflow.lang.project import Project, process_environment
from shopflow.lang.repository import (
    RULES,
    SINGLE,
    TEMPLATES,
    WORKFLOWS,
    Repository,
    read_repository,
)
from shopflow.lang.schemas import EventCatalogue
from shopflow.lang.settings import Settings, has_errors, read_settings, unknown_channel
from shopflow.lang.templates import TemplateSet, load_templates
from shopflow.plugins import complaints_about, find_channels
from shopflow.problem import Problem, Severity, in_order

#: Workflows from which on compiling them is another process's work.
MANY = 1000

#: Channels by name, as `shopflow.plugins.find_channels` gives them.
Channels = Mapping[str, type[Channel]]


@dataclass(frozen=True, slots=True)
class DeployedRules:
    """Rules that were deployed: laid out in a folder, with the settings that come with them."""

    #: What holds their `rules/`.
    folder: Path
    #: `timezone`, `locale` and `currency`.
    settings: Mapping[str, str]

    def over(self, project: Project) -> Project:
        """The project with the settings that come with the rules."""
        changes: Any = self.settings
        return replace(project, **changes)

    @property
    def words(self) -> tuple[str, str]:
        """As another process is told of them."""
        return str(self.folder), json.dumps(dict(self.settings))


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedProject:
    """A project, its compiled rules, and every problem found on the way.

    With a problem of severity error the rules must not be run: `require` sees to that.
    """

    project: Project
    ruleset: Ruleset
    templates: TemplateSet
    events: EventCatalogue
    problems: tuple[Problem, ...] = ()
    #: The files of workflow tests that their schema accepts.
    tests: tuple[Document, ...] = ()
    #: The file of each workflow, by id.
    workflows: Mapping[str, Document] = field(default_factory=dict)
    #: The files that workflows share, by path: traits, segments, policies, coupons.
    shared: Mapping[str, Document] = field(default_factory=dict)
    #: What is seldom asked for, and made when it is.
    make_context: Callable[[], Context] = field(repr=False)
    make_sources: Callable[[], Sources] = field(repr=False)

    @property
    def context(self) -> Context:
        """What the rules are compiled against."""
        return self.make_context()

    @property
    def sources(self) -> Sources:
        """Each workflow's document, by digest: what is kept for enrolments pinned to it."""
        return self.make_sources()

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
    kept: bool = False,
    rules: DeployedRules | None = None,
    today: date | None = None,
) -> LoadedProject:
    """The project under a folder, compiled and checked.

    `rules` stand in for those of the folder, whose settings of the environment stay.

    `env` stands in for the process's environment, `channels` for the installed ones. Without
    `strict`, variables and secret files that are missing are no problem: nothing will be run.

    With `kept`, to run them, rules that were found sound before come from the cache: without
    their warnings, their files and their tests.

    Suppressions that have ended by `today` do not count; without a day, none has.

    Raises:
        PluginError: An installed channel cannot be loaded.
    """
    root = root.resolve()
    installed = find_channels() if channels is None else channels
    given = process_environment() if env is None else env
    with _uncollected():
        settings = read_settings(
            root,
            given,
            lambda name, of_channel: _complaints(name, of_channel, installed),
            strict=strict,
        )
        place = root
        if rules is not None:
            place = rules.folder
            settings.project = rules.over(settings.project)
        if kept and settings.known:
            # A process of its own would not know what was handed to this one.
            elsewhere = [str(root), *rules.words] if rules is not None else [str(root)]
            apart = elsewhere if env is None and channels is None else None
            return _kept(place, settings, installed, BundleCache.of(given), apart)
        return _load(place, settings, installed, today)


def _load(
    root: Path, settings: Settings, installed: Channels, today: date | None = None
) -> LoadedProject:
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
        *run_checks(Subject(built, templates, sms_stop=project.sender.sms_stop)),
    ]
    problems = suppress(problems, repository.texts_with(MARK), today)
    return _loaded(project, built, templates, in_order(problems), repository)


def _kept(
    root: Path,
    settings: Settings,
    installed: Channels,
    bundles: BundleCache,
    apart: Sequence[str] | None,
) -> LoadedProject:
    """As the cache has it; what it has not is compiled, and put there if it is sound.

    `apart` are the words by which another process compiles the same.
    """
    project, channels = settings.project, _installed(installed, settings)
    made_of = (project.timezone, project.locale, project.currency, sorted(channels.items()))
    key = key_of(root, (RULES,), made_of)
    ruleset, documents = bundles.read(key), None
    if ruleset is None:
        # Whoever compiles for another process leaves the lock to that one.
        with bundles.alone() if apart else nullcontext():
            ruleset = bundles.read(key)
            if ruleset is None and apart:
                ruleset = _made_elsewhere(root, bundles, key, apart)
            if ruleset is None:
                loaded = _load(root, settings, installed)
                if loaded.errors:
                    return loaded
                if not bundles.write(key, loaded.ruleset, loaded.sources):
                    documents = loaded.sources
                # The files that it was compiled from are not held by who runs it.
                ruleset = bundles.read(key) or loaded.ruleset
    templates, problems = load_templates(
        root / TEMPLATES,
        locale=project.locale,
        currency=project.currency,
        timezone=project.timezone,
    )
    around = read_repository(root, workflows=False)

    def make_sources() -> Sources:
        # What has gone from the cache meanwhile is made again.
        return documents or bundles.sources(key) or _load(root, settings, installed).sources

    return LoadedProject(
        project=project,
        ruleset=ruleset,
        templates=templates,
        events=around.catalogue,
        problems=tuple(in_order([*settings.problems, *problems])),
        make_context=cache(lambda: context_of(around, project, channels)),
        make_sources=make_sources,
    )


def load_settings(
    root: Path, *, strict: bool = False, env: Mapping[str, str] | None = None
) -> Project:
    """The project's settings; its rules and channels may be broken, the database is not theirs.

    `env` stands in for the process's environment.

    Raises:
        RulesInvalid: There is no shopflow.yaml that can be read; if strict, anything is wrong.
        SettingsError: It does not say which database.
    """
    given = process_environment() if env is None else env
    settings = read_settings(root.resolve(), given, lambda *_: [], strict=strict)
    if not settings.known or (strict and has_errors(settings.problems)):
        raise RulesInvalid(settings.problems)
    if "${" in settings.project.database:
        raise SettingsError(
            f"`database` of the environment '{settings.project.environment}' is "
            f"{settings.project.database}: set what it asks for, or give a default: "
            "${NAME:-default}"
        )
    return settings.project


def fill_cache(root: str, folder: str = "", settings: str = "{}") -> None:
    """The project's rules are in the cache, if they are sound; see `DeployedRules.words`."""
    rules = DeployedRules(Path(folder), json.loads(settings)) if folder else None
    load_project(Path(root), env=process_environment(), kept=True, rules=rules)


def _made_elsewhere(
    root: Path, bundles: BundleCache, key: str, words: Sequence[str]
) -> Ruleset | None:
    """As another process compiles it, so that this one does not grow by what that takes.

    Few rules take little, and None is the answer; and where it cannot be done there.
    """
    count = sum(1 for _ in (root / WORKFLOWS).rglob("*.yaml"))
    if count < MANY or not bundles.keeps:
        return None
    code = "import sys, shopflow.rulebook as r; r.fill_cache(*sys.argv[1:])"
    command = [sys.executable, "-c", code, *words]
    subprocess.run(command, check=False, capture_output=True)  # noqa: S603 - our own words
    return bundles.read(key)


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
        problems=tuple(problems),
        tests=tuple(file.document for file in repository.of_kind("WorkflowTest") if file.sound),
        workflows={
            each.workflow.id: each.document for each in built.workflows if each.workflow is not None
        },
        shared={
            path: file.document
            for path, file in repository.files.items()
            if path in SINGLE or file.kind == "Coupon"
        },
        make_context=lambda: built.context,
        make_sources=cache(lambda: sources(built.workflows)),
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
            is_sms=channel.content.is_sms,
            configured=name in settings.project.channels or not settings.known,
        )
        for name, channel in channels.items()
    }
