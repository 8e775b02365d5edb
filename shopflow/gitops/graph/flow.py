"""A workflow as a way: its trigger, its steps with every branch, and how it ends."""

from __future__ import annotations

from collections.abc import Iterable

from shopflow.domain.ids import StepId
from shopflow.domain.step import (
    CallWebhook,
    ChangeConsent,
    Choose,
    DrawCode,
    Emit,
    End,
    OpenTicket,
    Repeat,
    Send,
    SetValues,
    Split,
    Step,
    TrialRule,
    Wait,
    WaitFor,
)
from shopflow.domain.workflow import Workflow
from shopflow.gitops.graph import words
from shopflow.gitops.graph.model import Edge, Graph, Line, Node, Shape

_COMPLETED = "completed"


def flow(workflows: Iterable[Workflow]) -> Graph:
    """The ways of these workflows; several stand in a frame each."""
    graph = Graph()
    drawn = [(workflow, _Flow(workflow).draw()) for workflow in workflows]
    for workflow, one in drawn:
        graph.take(one)
        if len(drawn) > 1:
            graph.group(workflow.id, workflow.title, one.nodes)
    return graph


class _Flow:
    """Draws one workflow."""

    def __init__(self, workflow: Workflow) -> None:
        self._workflow = workflow
        self._graph = Graph()

    def draw(self) -> Graph:
        workflow = self._workflow
        conditions = [f"{key} {words.short(what)}" for key, what in words.conditions(workflow)]
        start = self._add("trigger", Shape.TRIGGER, words.trigger(workflow), *conditions)
        for step in workflow.steps.values():
            self._add(step.id, _shape(step), *self._lines(step))
        self._connect(start, workflow.start)
        for step in workflow.steps.values():
            self._leave(step)
        for rule in workflow.exits:
            seen = [words.pattern(rule.pattern)] if rule.pattern is not None else []
            seen += [f"when {words.short(rule.when)}"] if rule.when is not None else []
            ended = self._end(rule.outcome)
            label = f"{rule.id}: {', '.join(seen)}"
            self._graph.connect(Edge(source=start, target=ended, label=label, line=Line.DOTTED))
        return self._graph

    def _add(self, name: str, shape: Shape, *lines: str) -> str:
        return self._graph.add(Node(id=self._id(name), shape=shape, lines=lines))

    def _id(self, name: str) -> str:
        return f"{self._workflow.id}.{name}"

    def _end(self, outcome: str) -> str:
        return self._add(f"end {outcome}", Shape.END, outcome)

    def _connect(self, source: str, target: StepId | None, label: str = "") -> None:
        there = self._id(target) if target is not None else self._end(_COMPLETED)
        self._graph.connect(Edge(source=source, target=there, label=label))

    def _leave(self, step: Step) -> None:
        """The ways on from a step."""
        here = self._id(step.id)
        match step:
            case Choose():
                for branch in step.branches:
                    label = words.short(branch.when) if branch.when is not None else ""
                    self._connect(here, branch.target, label)
                self._connect(here, step.otherwise, "else")
            case Split():
                for branch in step.branches:
                    tried = "" if step.trial is None else " or winner"
                    label = f"{branch.name}, {branch.weight:.0%}{tried}"
                    self._connect(here, branch.target, label)
            case WaitFor():
                self._connect(here, step.then, "it came")
                patience = words.length(self._workflow, step.timeout)
                self._connect(here, step.otherwise, f"after {patience}")
            case DrawCode():
                self._connect(here, step.next, "drawn" if step.otherwise != step.next else "")
                if step.otherwise != step.next:
                    self._connect(here, step.otherwise, "no code")
            case Repeat():
                if step.body is not None:
                    self._connect(here, step.body, "a round")
                self._connect(here, step.next, "over")
            case End():
                if step.only_if is not None:
                    self._connect(here, step.next, "else")
            case _:
                self._connect(here, step.next)

    def _lines(self, step: Step) -> list[str]:
        lines = self._words(step)
        if step.only_if is not None:
            lines.append(f"only if {words.short(step.only_if)}")
        return lines

    def _words(self, step: Step) -> list[str]:
        workflow = self._workflow
        match step:
            case Send():
                return self._sent(step)
            case Wait():
                gathers = [f"collects up to {step.gather}"] if step.gather else []
                return [words.wait(workflow, step), *gathers]
            case WaitFor():
                when = [f"when {words.short(step.when)}"] if step.when is not None else []
                return [f"wait for {words.pattern(step.pattern)}", *when]
            case Repeat():
                every = words.length(workflow, step.every)
                going = [f"while {words.short(step.while_)}"] if step.while_ is not None else []
                return [f"{step.id}: at most {step.limit} times, every {every}", *going]
            case Emit() | End():
                return [f"emit {step.event_type}" if isinstance(step, Emit) else step.outcome]
            case SetValues():
                return [f"set {', '.join(_set(step))}"]
            case ChangeConsent():
                what = " on ".join(part for part in (step.purpose, step.channel) if part)
                length = step.length
                lasting = f" for {words.length(workflow, length)}" if length is not None else ""
                return [f"consent {what}: {step.state}{lasting}"]
            case DrawCode():
                return [f"coupon {step.coupon}"]
            case Split(trial=TrialRule() as trial):
                after = words.length(workflow, trial.decide_after)
                return [step.id, f"winner by {trial.by} after {after}"]
            case _:
                return [step.id]

    def _sent(self, step: Send) -> list[str]:
        match step:
            case OpenTicket():
                return ["ticket", words.short(step.variables["subject"])]
            case CallWebhook():
                return ["webhook", ", ".join(step.variables)]
            case _:
                coupon = [] if step.coupon is None else [f"coupon {step.coupon}"]
                purpose = [] if step.purpose == self._workflow.purpose else [f"as {step.purpose}"]
                return [words.channels(step), step.template, *coupon, *purpose]


def _set(step: SetValues) -> list[str]:
    return [
        *step.attributes,
        *(f"+{tag}" for tag in step.add_tags),
        *(f"-{tag}" for tag in step.remove_tags),
    ]


def _shape(step: Step) -> Shape:
    match step:
        case Send():
            return Shape.SEND
        case Wait() | WaitFor():
            return Shape.WAIT
        case Choose() | Split():
            return Shape.CHOICE
        case Repeat():
            return Shape.ROUNDS
        case End():
            return Shape.END
        case _:
            return Shape.STEP
