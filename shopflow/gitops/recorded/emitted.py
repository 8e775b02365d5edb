"""What workflows emitted to a recorded customer: nobody keeps such events, so they come again.

Each workflow that emits what another hears is rehearsed on what is recorded.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from shopflow.domain.customer import Customer
from shopflow.domain.event import Event
from shopflow.domain.ids import EventId, derive
from shopflow.domain.step import Emit, Step
from shopflow.domain.workflow import Workflow
from shopflow.engine.names import plain
from shopflow.gitops.recorded.around import around, data_of
from shopflow.gitops.recorded.relevance import Relevance
from shopflow.gitops.rehearsal import Stage
from shopflow.gitops.scenario import UNNAMED, Happening, Scenario
from shopflow.gitops.wrapping import Wrapped
from shopflow.problem import Location
from shopflow.rulebook import LoadedProject
from shopflow.store.recommendations import Recommendations
from shopflow.store.records import StoredEvent, Timeline


def emitted(
    loaded: LoadedProject,
    relevant: Relevance,
    timeline: Timeline,
    customer: Customer | None,
    kept: Recommendations,
) -> list[StoredEvent]:
    """What is relevant of the events that workflows would have emitted to the customer."""
    found: list[StoredEvent] = []
    for workflow in loaded.ruleset.workflows.values():
        steps = [step for step in workflow.steps.values() if isinstance(step, Emit)]
        if any(relevant.hears(step.event_type) for step in steps):
            found += _told(loaded, workflow, timeline, customer, kept)
    return found


def _told(
    loaded: LoadedProject,
    workflow: Workflow,
    timeline: Timeline,
    customer: Customer | None,
    kept: Recommendations,
) -> Iterator[StoredEvent]:
    """All that the workflow emits, in a rehearsal of what is recorded."""
    relevant = Relevance(loaded, workflow)
    own = [event for event in timeline.events if relevant.concerns(event)]
    if not own:
        return
    shop = around(loaded.ruleset, workflow, own, kept)
    noted: list[Event] = []
    steps = {name: _noting(step, noted) for name, step in workflow.steps.items()}
    ruleset = replace(loaded.ruleset, workflows={workflow.id: replace(workflow, steps=steps)})
    events = sorted([*own, *shop.events], key=lambda event: event.occurred_at)
    attributes = {} if customer is None else customer.attributes
    Stage(ruleset, loaded.templates).rehearse(
        Scenario(
            name=workflow.id,
            location=Location(path=""),
            workflow=workflow.id,
            start=own[0].occurred_at,
            zone=ZoneInfo(loaded.project.timezone),
            customers={UNNAMED: {"attributes": attributes}},
            customer=UNNAMED,
            events=tuple(
                Happening(at=event.occurred_at, type=event.type, data=data_of(event))
                for event in events
            ),
            mocks={"products": shop.products},
            expect={},
        )
    )
    for event in noted:
        yield StoredEvent(
            id=event.id,
            type=event.type,
            partition=own[0].partition,
            occurred_at=event.occurred_at,
            customer_id=own[0].customer_id,
            payload=json.dumps({"data": event.data}),
        )


def _noting(step: Step, noted: list[Event]) -> Step:
    """The same step; where it emits something to its own customer, that is noted."""
    if not isinstance(step, Emit) or step.to is not None:
        return step
    return replace(step, only_if=_Noting(step, noted))


class _Noting(Wrapped):
    """The condition of a step that emits, which notes what comes of a yes."""

    def __init__(self, step: Emit, noted: list[Event]) -> None:
        super().__init__(step.only_if)
        self._step = step
        self._noted = noted

    def evaluate(self, bindings: Mapping[str, object]) -> object:
        """The answer of the condition itself."""
        answer = super().evaluate(bindings)
        at = bindings["now"]
        if answer is True and isinstance(at, datetime):
            data = {name: plain(each.evaluate(bindings)) for name, each in self._step.data.items()}
            event_id = derive("emitted", self._step.id, len(self._noted))
            self._noted.append(
                Event(id=EventId(event_id), type=self._step.event_type, occurred_at=at, data=data)
            )
        return answer
