"""What enrolments on an older version of a workflow still need, and no longer find.

Steps, waits and conditions of an older version are kept with it; templates, coupons, traits,
segments, purposes and the schemas of events are always the live ones.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from shopflow.domain.expression import Expression
from shopflow.domain.step import WaitFor
from shopflow.domain.trigger import EventPattern
from shopflow.domain.workflow import Workflow
from shopflow.gitops.graph.dependencies import sends
from shopflow.gitops.plan.places import Thing
from shopflow.gitops.plan.uses import uses
from shopflow.rulebook import LoadedProject


def gone_things(former: Workflow, base: LoadedProject, head: LoadedProject) -> list[Thing]:
    """What the older version uses and the head no longer has."""
    before, after = _names(base), _names(head)
    found = {
        thing
        for thing in uses(base.ruleset, former, base.events.schemas)
        if thing.name in before.get(thing.kind, ()) and thing.name not in after[thing.kind]
    }
    found |= {
        Thing("templates", step.template)
        for step in sends(former)
        for channel in base.templates.channels(step.template) & set(step.channels)
        if channel not in head.templates.channels(step.template)
    }
    return sorted(found)


def gone_fields(
    former: Workflow, base: LoadedProject, head: LoadedProject
) -> list[tuple[Thing, str]]:
    """Payload fields that its exits and waits read, and that are gone or of another type."""
    found = {
        (Thing("events", name), field)
        for pattern, fields in _listening(former)
        for name in base.events.schemas
        if pattern.matches(name) and name in head.events.schemas
        for field in fields
        if _type(base, name, field) is not None
        and _type(base, name, field) != _type(head, name, field)
    }
    return sorted(found)


def _names(loaded: LoadedProject) -> Mapping[str, Collection[str]]:
    """What there is of the kinds that an enrolment cannot go on without."""
    ruleset = loaded.ruleset
    profile = {*ruleset.traits, *ruleset.attributes}
    return {
        "traits": profile,
        "attributes": profile,
        "segments": ruleset.segments,
        "purposes": ruleset.purposes,
        "coupons": ruleset.coupons,
        "channels": ruleset.channels,
        "templates": loaded.templates.names(),
        "events": loaded.events.schemas,
    }


def _listening(workflow: Workflow) -> Iterator[tuple[EventPattern, set[str]]]:
    """What it listens to on its way, and the payload fields that it asks for."""
    for rule in workflow.exits:
        if rule.pattern is not None:
            yield rule.pattern, {*rule.match, *_event_fields(rule.when)}
    for step in workflow.steps.values():
        if isinstance(step, WaitFor):
            yield step.pattern, {*step.match, *_event_fields(step.when), *(step.keep or ())}


def _event_fields(expression: Expression | None) -> Iterator[str]:
    for path in expression.reads if expression is not None else ():
        match path:
            case ("event", field, *_):
                yield field
            case _:
                pass


def _type(loaded: LoadedProject, event: str, field: str) -> object:
    """What the schema says a field is; None where it has no such field."""
    properties = loaded.events.schemas[event].get("properties")
    told = properties.get(field) if isinstance(properties, Mapping) else None
    return told.get("type", "anything") if isinstance(told, Mapping) else None
