"""What starts, stops and feeds which workflow; and what each of them uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from shopflow.domain.ruleset import Ruleset
from shopflow.domain.step import DrawCode, Emit, Send, WaitFor
from shopflow.domain.trigger import EventPattern, EventTrigger
from shopflow.domain.workflow import Workflow
from shopflow.engine.caps import Candidate, covers
from shopflow.gitops.graph import words
from shopflow.gitops.graph.model import Edge, Graph, Line, Node, Shape
from shopflow.gitops.graph.reading import expressions


def events(workflows: Iterable[Workflow]) -> Graph:
    """Events and workflows: what starts, stops and is waited for, and what is emitted."""
    graph = Graph()
    chosen = list(workflows)
    circles = _circles(chosen)
    for workflow in chosen:
        here = graph.add(
            Node(id=f"workflow {workflow.id}", shape=Shape.WORKFLOW, lines=(workflow.id,))
        )
        for name in _starters(workflow):
            graph.connect(Edge(source=_event(graph, name), target=here, label="starts"))
        for rule in workflow.exits:
            for name in _names(rule.pattern):
                source = _event(graph, name)
                graph.connect(Edge(source=source, target=here, label="stops", line=Line.DOTTED))
        for step in workflow.steps.values():
            if isinstance(step, WaitFor):
                for name in _names(step.pattern):
                    graph.connect(Edge(source=_event(graph, name), target=here, label="awaited"))
            if isinstance(step, Emit):
                emitted = Edge(
                    source=here,
                    target=_event(graph, step.event_type),
                    label="emits",
                    line=Line.THICK,
                    loop=(workflow.id, step.event_type) in circles,
                )
                graph.connect(emitted)
    _under_prefixes(graph)
    return graph


def everything(ruleset: Ruleset, workflows: Iterable[Workflow]) -> Graph:
    """The events, and the templates, segments and caps that the workflows hang on."""
    chosen = list(workflows)
    graph = events(chosen)
    for workflow in chosen:
        here = f"workflow {workflow.id}"
        for template in dict.fromkeys(step.template for step in sends(workflow) if step.template):
            node = Node(id=f"template {template}", shape=Shape.TEMPLATE, lines=(template,))
            graph.connect(Edge(source=here, target=graph.add(node), label="sends"))
        for coupon in coupons_of(workflow):
            node = Node(id=f"coupon {coupon}", shape=Shape.COUPON, lines=(coupon,))
            graph.connect(Edge(source=here, target=graph.add(node), label="draws"))
        for segment in segments_read(ruleset, workflow):
            node = Node(id=f"segment {segment}", shape=Shape.SEGMENT, lines=(segment,))
            graph.connect(Edge(source=graph.add(node), target=here, label="read", line=Line.DOTTED))
        for cap in caps_of(ruleset, workflow):
            node = Node(id=f"cap {cap}", shape=Shape.CAP, lines=(cap,))
            graph.connect(
                Edge(source=graph.add(node), target=here, label="limits", line=Line.DOTTED)
            )
    return graph


def sends(workflow: Workflow) -> list[Send]:
    """Its send steps, in the order of the file."""
    return [step for step in workflow.steps.values() if isinstance(step, Send)]


def caps_of(ruleset: Ruleset, workflow: Workflow) -> list[str]:
    """The caps that count one of its messages or more."""
    found: dict[str, None] = {}
    for step in sends(workflow):
        purpose = ruleset.purposes.get(step.purpose)
        if purpose is None:
            continue
        for channel in step.channels:
            candidate = Candidate(
                channel=channel,
                purpose=step.purpose,
                message_class=purpose.message_class,
                workflow=workflow.id,
                tags=workflow.tags,
                priority=workflow.priority,
            )
            found |= {cap.id: None for cap in ruleset.caps if covers(cap, candidate)}
    return [cap.id for cap in ruleset.caps if cap.id in found]


def coupons_of(workflow: Workflow) -> list[str]:
    """The coupons whose codes it gives away."""
    steps = workflow.steps.values()
    named = [step.coupon for step in steps if isinstance(step, Send | DrawCode)]
    return list(dict.fromkeys(name for name in named if name is not None))


def segments_read(ruleset: Ruleset, workflow: Workflow) -> list[str]:
    """The segments that it starts from or asks about."""
    read = {
        path[1]
        for expression in expressions(workflow)
        for path in expression.reads
        if path[0] == "segments" and len(path) > 1
    }
    read.add(getattr(workflow.trigger, "segment", ""))
    return [name for name in ruleset.segments if name in read]


def _event(graph: Graph, name: str) -> str:
    return graph.add(Node(id=f"event {name}", shape=Shape.EVENT, lines=(name,)))


def _starters(workflow: Workflow) -> list[str]:
    if isinstance(workflow.trigger, EventTrigger):
        return list(_names(workflow.trigger.pattern))
    return [words.trigger(workflow)]


def _names(pattern: EventPattern | None) -> Iterator[str]:
    if pattern is not None:
        yield from sorted(pattern.types)
        yield from (f"{prefix}*" for prefix in pattern.prefixes)


def _under_prefixes(graph: Graph) -> None:
    """Lead the events that fall under a prefix to it."""
    names = {node.id: node.lines[0] for node in graph.nodes if node.shape is Shape.EVENT}
    for family, name in names.items():
        for one, other in names.items():
            if name.endswith(".*") and other.startswith(name[:-1]) and other != name:
                graph.connect(Edge(source=one, target=family, label="is one of"))


def _circles(workflows: Sequence[Workflow]) -> set[tuple[str, str]]:
    """The workflows and the events by which they start themselves again in the end."""
    emits: dict[str, list[str]] = {
        workflow.id: [one.event_type for one in workflow.steps.values() if isinstance(one, Emit)]
        for workflow in workflows
    }

    def started(event_type: str) -> Iterator[str]:
        for workflow in workflows:
            trigger = workflow.trigger
            if isinstance(trigger, EventTrigger) and trigger.pattern.matches(event_type):
                yield workflow.id

    def reached(event_type: str) -> set[str]:
        found: set[str] = set()
        waiting = [event_type]
        while waiting:
            for name in started(waiting.pop()):
                if name not in found:
                    found.add(name)
                    waiting += emits[name]
        return found

    return {
        (name, told) for name, types in emits.items() for told in types if name in reached(told)
    }
