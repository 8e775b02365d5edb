"""Which recorded events can make a difference to a workflow."""

from __future__ import annotations

from collections.abc import Iterator

from shopflow.domain.event import IDENTIFIED
from shopflow.domain.step import WaitFor
from shopflow.domain.trigger import EventPattern, EventTrigger
from shopflow.domain.workflow import Workflow
from shopflow.gitops.graph.reading import expressions
from shopflow.rulebook import LoadedProject
from shopflow.store.records import StoredEvent

#: Events that tell who may be written to, and where; each matters to every workflow.
_ALWAYS = ("consent.", "customer.", "preferences.", "newsletter.")


class Relevance:
    """What can make a difference to one workflow."""

    def __init__(self, loaded: LoadedProject, workflow: Workflow) -> None:
        ruleset = loaded.ruleset
        self.reads = _customer_reads(loaded, workflow)
        self._events = loaded.events
        traits = [ruleset.traits[name] for name in self.reads if name in ruleset.traits]
        self._patterns = [*_patterns(workflow), *(trait.pattern for trait in traits)]
        #: A segment, a date or a schedule starts it, and no event by itself.
        self._starts_otherwise = not isinstance(workflow.trigger, EventTrigger)

    def concerns(self, event: StoredEvent) -> bool:
        """True when the event may start, end, move or change something."""
        # A visitor's events before are in the timeline already, under the same customer.
        if event.type == IDENTIFIED or event.type not in self._events:
            return False
        if event.type.startswith(_ALWAYS) or '"consents"' in event.payload:
            return True
        return self.is_heard(event)

    def is_heard(self, event: StoredEvent) -> bool:
        """True when the workflow itself, or a trait that it reads, waits for such events."""
        return self.hears(event.type) or self._starts_otherwise

    def hears(self, event_type: str) -> bool:
        """True when events of the type may mean something by themselves."""
        return any(pattern.matches(event_type) for pattern in self._patterns)


def _patterns(workflow: Workflow) -> Iterator[EventPattern]:
    if isinstance(workflow.trigger, EventTrigger):
        yield workflow.trigger.pattern
    yield from (rule.pattern for rule in workflow.exits if rule.pattern is not None)
    for step in workflow.steps.values():
        if isinstance(step, WaitFor):
            yield step.pattern


def _customer_reads(loaded: LoadedProject, workflow: Workflow) -> frozenset[str]:
    """The traits and attributes that the workflow hangs on, through segments as well."""
    segments = loaded.ruleset.segments
    pending = [path for each in expressions(workflow) for path in each.reads]
    if name := getattr(workflow.trigger, "segment", ""):
        pending.append(("segments", name))
    found, seen = set[str](), set[str]()
    while pending:
        root, *rest = pending.pop()
        if root == "customer" and rest:
            found.add(rest[0])
        elif root == "segments" and rest and rest[0] in segments and rest[0] not in seen:
            seen.add(rest[0])
            pending.extend(segments[rest[0]].when.reads)
    return frozenset(found)
