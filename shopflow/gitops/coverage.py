"""How much of a workflow its tests show: steps, branches, exits, and both answers of conditions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from shopflow.domain.expression import Expression
from shopflow.domain.step import Choose, DrawCode, Repeat, Send, Split, Step, WaitFor
from shopflow.domain.workflow import Workflow
from shopflow.gitops.sightings import DRAWN, ELSE, MATCHED, TIMEOUT, Key, Sightings, outcome
from shopflow.lang.cel import Program
from shopflow.lang.cel.parts import Anatomy, is_condition
from shopflow.lang.compiler.shape import every_step, split_branches
from shopflow.lang.document import Document
from shopflow.lang.tree import Node
from shopflow.problem import Location, Problem, Severity

_CONDITIONS = ("when", "audience")


class Aspect(StrEnum):
    """What coverage counts."""

    STEPS = "steps"
    BRANCHES = "branches"
    EXITS = "exits"
    OUTCOMES = "outcomes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One thing that a test can show of a workflow."""

    aspect: Aspect
    key: Key
    location: Location
    #: What it means that no test shows it.
    complaint: str
    excerpt: str = ""

    def problem(self) -> Problem:
        """The finding where no test shows it."""
        return Problem(
            code="SF704" if self.aspect is Aspect.EXITS else "SF703",
            location=self.location,
            message=self.complaint,
            severity=Severity.WARNING,
            excerpt=self.excerpt,
        )


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many."""

    seen: int
    of: int

    @property
    def percent(self) -> float:
        """100 where there is nothing to see; never rounded."""
        return 100 * self.seen / self.of if self.of else 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowCoverage:
    """What the tests show of one workflow."""

    workflow: str
    shares: Mapping[Aspect, Share]
    never_seen: tuple[Problem, ...] = ()

    @property
    def share(self) -> Share:
        """All aspects together."""
        return _sum(self.shares.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What the tests show of the workflows."""

    workflows: Sequence[WorkflowCoverage]

    @property
    def shares(self) -> Mapping[Aspect, Share]:
        """Each aspect over all workflows."""
        return {aspect: _sum(one.shares[aspect] for one in self.workflows) for aspect in Aspect}

    @property
    def share(self) -> Share:
        """Everything together."""
        return _sum(self.shares.values())

    @property
    def never_seen(self) -> list[Problem]:
        """What no test shows, workflow by workflow, in the order of their files."""
        return [problem for one in self.workflows for problem in one.never_seen]


def floor(percent: float) -> float:
    """The percentage to one place, cut rather than rounded: 100 means that nothing is missing."""
    return math.floor(percent * 10) / 10


def measure(
    workflows: Iterable[Workflow], documents: Mapping[str, Document], sightings: Sightings
) -> Coverage:
    """What was seen of these workflows, held against all that there is to see."""
    return Coverage(
        workflows=[_of(one, documents[one.id], sightings.of(one.id)) for one in workflows]
    )


def _of(workflow: Workflow, document: Document, seen: frozenset[Key]) -> WorkflowCoverage:
    points = points_of(workflow, document)
    missing = sorted(
        (point.problem() for point in points if point.key not in seen),
        # A whole condition comes before the part that it begins with.
        key=lambda problem: (
            problem.location.line,
            problem.location.column,
            -problem.location.length,
        ),
    )
    return WorkflowCoverage(
        workflow=workflow.id,
        shares={
            aspect: Share(
                sum(point.aspect is aspect and point.key in seen for point in points),
                sum(point.aspect is aspect for point in points),
            )
            for aspect in Aspect
        },
        never_seen=tuple(missing),
    )


def _sum(shares: Iterable[Share]) -> Share:
    known = list(shares)
    return Share(sum(one.seen for one in known), sum(one.of for one in known))


def points_of(workflow: Workflow, document: Document) -> list[Point]:
    """All that there is to see of a workflow."""
    finder = _Finder(document)
    return [] if document.root is None else list(finder.points(workflow, document.root))


class _Finder:
    """Finds the points of one file."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def points(self, workflow: Workflow, root: Node) -> Iterator[Point]:
        trigger = root["trigger"]
        for key in _CONDITIONS:
            expression = getattr(workflow.trigger, key, None)
            yield from self._outcomes(
                trigger.get(key), expression, f"trigger {key}", f"`{key}` of the trigger"
            )
        for node, rule in zip(_items(root.get("exit_on")), workflow.exits, strict=True):
            yield self._point(
                Aspect.EXITS, ("exit", rule.id), node["id"], f"exit `{rule.id}` was never taken"
            )
            yield from self._outcomes(
                node.get("when"), rule.when, f"exit {rule.id}", f"`when` of exit `{rule.id}`"
            )
        let = root.get("let")
        for name, node in let.pairs() if let is not None else ():
            expression = workflow.let[name]
            if isinstance(expression, Program) and is_condition(expression):
                yield from self._outcomes(node, expression, f"let {name}", f"`{name}`")
        steps = {str(name): step for name, step in workflow.steps.items()}
        for node in every_step(root["steps"]):
            yield from self._step(node, steps[node["id"].text])

    def _step(self, node: Node, step: Step) -> Iterator[Point]:
        what = "sent nothing" if isinstance(step, Send) else "never ran"
        yield self._point(
            Aspect.STEPS, ("step", step.id), node["id"], f"step `{step.id}` {what} in any test"
        )
        yield from self._answers(node.get("only_if"), step.only_if, step, "only_if")
        match step:
            case Choose():
                yield from self._choose(node, step)
            case Split():
                for item in split_branches(node["split"]):
                    yield self._branch(step, item["name"].text, item["name"])
            case WaitFor():
                yield self._branch(step, MATCHED, node["wait_for"], "the event never came")
                yield self._branch(step, TIMEOUT, node["timeout"], "the time-out never passed")
                yield from self._answers(node.get("when"), step.when, step, "when")
            case DrawCode():
                yield self._branch(step, DRAWN, node["coupon"], "no code was ever drawn")
                yield self._branch(step, ELSE, node["coupon"], "there was always a code")
            case Repeat():
                yield from self._answers(node["repeat"].get("while"), step.while_, step, "while")
            case _:
                pass

    def _choose(self, node: Node, step: Choose) -> Iterator[Point]:
        branches = iter(step.branches)
        for item in node["choose"].items:
            if "else" in item:
                yield self._branch(step, ELSE, item.key("else"))
                continue
            branch = next(branches)
            yield self._branch(step, branch.name, item.key("when"))
            yield from self._answers(item["when"], branch.when, step, f"choose {branch.name}")

    def _branch(self, step: Step, name: str, node: Node, complaint: str = "") -> Point:
        told = complaint or f"branch `{name}` was never taken"
        return self._point(
            Aspect.BRANCHES, ("branch", step.id, name), node, f"step `{step.id}`: {told}"
        )

    def _answers(
        self, node: Node | None, expression: Expression | None, step: Step, key: str
    ) -> Iterator[Point]:
        words = f"`{key}` of step `{step.id}`"
        yield from self._outcomes(node, expression, f"step {step.id} {key}", words)

    def _outcomes(
        self, node: Node | None, expression: Expression | None, place: str, words: str
    ) -> Iterator[Point]:
        """The condition true and false, and likewise each part that is joined with others."""
        if node is None or not isinstance(expression, Program):
            return
        for value in (True, False):
            complaint = f"{words} was never {str(value).lower()}"
            yield self._point(Aspect.OUTCOMES, outcome(place, value), node, complaint)
        for number, part in enumerate(Anatomy(expression).parts):
            before = expression.source[: part.start]
            line, column = before.count("\n") + 1, part.start - before.rfind("\n")
            length = len(part.source.split("\n", 1)[0])
            location = self._document.location_in(node, line, column, length)
            source = " ".join(part.source.split())
            for value in (True, False):
                yield Point(
                    aspect=Aspect.OUTCOMES,
                    key=outcome(place, value, number),
                    location=location,
                    complaint=f"{words}: `{source}` was never {str(value).lower()}",
                    excerpt=self._document.line(location.line),
                )

    def _point(self, aspect: Aspect, key: Key, node: Node, complaint: str) -> Point:
        location = self._document.location(node)
        return Point(
            aspect=aspect,
            key=key,
            location=location,
            complaint=complaint,
            excerpt=self._document.line(location.line),
        )


def _items(node: Node | None) -> list[Node]:
    return node.items if node is not None else []
