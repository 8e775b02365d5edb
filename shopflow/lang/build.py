"""A repository compiled: a ruleset, and everything that lint wants to know of its making."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from shopflow.domain.coupon import Coupon
from shopflow.domain.policy import FrequencyCap, Purpose, QuietWindow, Retention
from shopflow.domain.question import Question
from shopflow.domain.ruleset import ChannelFacts, Ruleset
from shopflow.domain.workflow import Workflow
from shopflow.lang.cel import DYN
from shopflow.lang.compiler.context import Context, InstalledChannel
from shopflow.lang.compiler.coupons import compile_coupon
from shopflow.lang.compiler.event_types import EventTypes
from shopflow.lang.compiler.policies import compile_caps, compile_purposes, compile_quiet_hours
from shopflow.lang.compiler.profile import compile_profile, compile_segments
from shopflow.lang.compiler.questions import compile_question
from shopflow.lang.compiler.retention import compile_retention
from shopflow.lang.compiler.source import Source, Use
from shopflow.lang.compiler.workflow import CompiledWorkflow, compile_document
from shopflow.lang.digest import ruleset_digest
from shopflow.lang.document import Document
from shopflow.lang.project import Project
from shopflow.lang.repository import Repository, RuleFile
from shopflow.lang.tree import Node
from shopflow.problem import Problem

#: The attribute that holds the address of a channel, where it is not the channel's own name.
ADDRESSES = {"email": "email", "sms": "phone", "whatsapp": "phone"}


@dataclass(slots=True, kw_only=True)
class Build:
    """What a repository compiles to; with problems of severity error it must not be run."""

    repository: Repository
    context: Context
    ruleset: Ruleset
    workflows: list[CompiledWorkflow] = field(default_factory=list)
    #: Every expression outside workflows, with its document.
    uses: list[tuple[Document, Use]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def build(
    repository: Repository, project: Project, channels: Mapping[str, InstalledChannel]
) -> Build:
    """Compiles every sound file of a repository."""
    maker = _Maker(repository)
    context = maker.context(project, channels)
    compiled = [
        compile_document(file.document, file.root, context, partial=not file.sound)
        for file in repository.of_kind("Workflow")
        if file.root is not None
    ]
    for each in compiled:
        maker.problems += each.problems
    ruleset = _ruleset(
        context,
        project,
        _by_id(compiled),
        _Around(
            maker.caps(context),
            maker.windows(context),
            maker.coupons(),
            maker.questions(),
            maker.retention(context),
        ),
    )
    return Build(
        repository=repository,
        context=context,
        ruleset=ruleset,
        workflows=compiled,
        uses=maker.uses,
        problems=maker.problems,
    )


class _Around(NamedTuple):
    """What stands around the workflows."""

    caps: tuple[FrequencyCap, ...]
    windows: tuple[QuietWindow, ...]
    coupons: Mapping[str, Coupon]
    questions: Mapping[str, Question]
    retention: Retention


def context_of(
    repository: Repository, project: Project, channels: Mapping[str, InstalledChannel]
) -> Context:
    """What the workflows of a repository are compiled against."""
    return _Maker(repository).context(project, channels)


class _Maker:
    """Compiles the files that stand around the workflows, and keeps their problems."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.problems: list[Problem] = []
        self.uses: list[tuple[Document, Use]] = []

    def context(self, project: Project, channels: Mapping[str, InstalledChannel]) -> Context:
        catalogue = self.repository.catalogue
        context = Context(
            catalogue=catalogue,
            event_types=EventTypes(catalogue),
            channels=channels,
            timezone=project.timezone,
        )
        traits, _ = self._opened("Traits")
        context = compile_profile(traits, context)
        if not self._complete("Traits"):
            # What is broken in the file may well be what a condition asks for.
            context = replace(context, customer=DYN, open_profile=True)
        self._close(traits)
        segments, _ = self._opened("Segments")
        context = compile_segments(segments, context)
        context = replace(context, open_segments=not self._complete("Segments"))
        self._close(segments)
        return replace(context, purposes=self._purposes(context))

    def _purposes(self, context: Context) -> dict[str, Purpose] | None:
        source, root = self._opened("ConsentPolicy")
        found: dict[str, Purpose] = {}
        if source is not None and root is not None:
            found = compile_purposes(source, root, context)
            self._close(source)
        return found if self._complete("ConsentPolicy") else None

    def _complete(self, kind: str) -> bool:
        """Whether every name that the file of a kind declares is known."""
        file = self.repository.single(kind)
        return file is None or file.sound

    def caps(self, context: Context) -> tuple[FrequencyCap, ...]:
        source, root = self._opened("FrequencyCaps")
        if source is None or root is None:
            return ()
        files = self.repository.of_kind("Workflow")
        ids = None if not all(map(_id_of, files)) else frozenset(map(_id_of, files))
        found = compile_caps(source, root, context, ids)
        self._close(source)
        return found

    def windows(self, context: Context) -> tuple[QuietWindow, ...]:
        source, root = self._opened("QuietHours")
        if source is None or root is None:
            return ()
        found = compile_quiet_hours(source, root, context)
        self._close(source)
        return found

    def retention(self, context: Context) -> Retention:
        source, root = self._opened("Retention")
        if source is None or root is None:
            return Retention()
        found = compile_retention(source, root, context.traits)
        self._close(source)
        return found

    def coupons(self) -> dict[str, Coupon]:
        files = self.repository.of_kind("Coupon")
        found = [compile_coupon(file.root) for file in files if file.root is not None]
        return {coupon.id: coupon for coupon in sorted(found, key=lambda each: each.id)}

    def questions(self) -> dict[str, Question]:
        files = self.repository.of_kind("Question")
        found = [compile_question(file.root) for file in files if file.root is not None]
        return {question.id: question for question in sorted(found, key=lambda each: each.id)}

    def _opened(self, kind: str) -> tuple[Source | None, Node | None]:
        file = self.repository.single(kind)
        if file is None or file.root is None:
            return None, None
        source = Source(file.document, self.repository.catalogue, partial=not file.sound)
        return source, file.root

    def _close(self, source: Source | None) -> None:
        if source is not None:
            self.problems += source.problems
            self.uses += [(source.document, use) for use in source.uses]


def _id_of(file: RuleFile) -> str:
    root = file.document.root
    node = root.get("id") if root is not None else None
    return node.text if node is not None else ""


def _by_id(compiled: list[CompiledWorkflow]) -> dict[str, Workflow]:
    found = [each.workflow for each in compiled if each.workflow is not None]
    return {workflow.id: workflow for workflow in sorted(found, key=lambda each: each.id)}


def _ruleset(
    context: Context,
    project: Project,
    workflows: Mapping[str, Workflow],
    around: _Around,
) -> Ruleset:
    ruleset = Ruleset(
        workflows=workflows,
        purposes=context.purposes or {},
        caps=around.caps,
        quiet_windows=around.windows,
        coupons=around.coupons,
        questions=around.questions,
        retention=around.retention,
        attributes=context.attributes,
        traits=context.traits,
        segments=context.segments,
        channels={
            name: ChannelFacts(name=name, address_attribute=address_of(channel))
            for name, channel in context.channels.items()
            if channel.configured
        },
        subject_events=frozenset(
            name
            for name, schema in context.catalogue.schemas.items()
            if schema.get("x-about") == "subject"
        ),
        timezone=project.timezone,
        locale=project.locale,
        currency=project.currency,
    )
    return replace(ruleset, digest=ruleset_digest(ruleset))


def address_of(channel: InstalledChannel) -> str | None:
    """The attribute that holds the address which the channel writes to; None: it needs none."""
    return ADDRESSES.get(channel.name, channel.name) if channel.needs_address else None


def sources(compiled: list[CompiledWorkflow]) -> dict[str, Mapping[str, Any]]:
    """Each workflow's document as plain data, by digest: what the store keeps for later."""
    return {
        each.workflow.digest: each.document.root.data
        for each in compiled
        if each.workflow is not None
        and each.document.root is not None
        and isinstance(each.document.root.data, dict)
    }
