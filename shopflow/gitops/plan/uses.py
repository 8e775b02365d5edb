"""What a workflow hangs on beside its own file: what is shared, directly or through other things.

So a change of a cap, a trait or a template is told with every workflow that it reaches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shopflow.domain.event import MANUAL_START
from shopflow.domain.expression import Expression
from shopflow.domain.ruleset import Ruleset
from shopflow.domain.step import WaitFor
from shopflow.domain.trait import Trait
from shopflow.domain.trigger import EventPattern, EventTrigger, ManualTrigger, SegmentTrigger
from shopflow.domain.workflow import Workflow
from shopflow.gitops.graph.dependencies import caps_of, coupons_of, sends
from shopflow.gitops.graph.reading import expressions
from shopflow.gitops.plan.places import Thing
from shopflow.gitops.plan.shared_rules import SETTINGS


def uses(ruleset: Ruleset, workflow: Workflow, event_types: Iterable[str]) -> set[Thing]:
    """Everything shared that may make a difference to the workflow."""
    found = set(_profile(ruleset, workflow))
    found |= {Thing("caps", name) for name in caps_of(ruleset, workflow)}
    found |= {Thing("coupons", name) for name in coupons_of(workflow)}
    found |= {Thing("settings", name) for name in SETTINGS}
    found |= {
        Thing("events", name)
        for name in event_types
        if any(pattern.matches(name) for pattern in patterns(workflow))
    }
    for step in sends(workflow):
        found |= {Thing("channels", channel) for channel in step.channels}
        found |= {Thing("purposes", name) for name in _with_parents(ruleset, step.purpose)}
        found |= {Thing("quiet_hours", name) for name in _windows(ruleset, step.purpose, step)}
        if step.template:
            found.add(Thing("templates", step.template))
    return found


def patterns(workflow: Workflow) -> Iterator[EventPattern]:
    """The event types that it listens to: its trigger, its exits and what it waits for."""
    if isinstance(workflow.trigger, EventTrigger):
        yield workflow.trigger.pattern
    if isinstance(workflow.trigger, ManualTrigger):
        yield EventPattern(types=frozenset({MANUAL_START}))
    yield from (rule.pattern for rule in workflow.exits if rule.pattern is not None)
    for step in workflow.steps.values():
        if isinstance(step, WaitFor):
            yield step.pattern


def _windows(ruleset: Ruleset, purpose: str, step: object) -> Iterator[str]:
    known = ruleset.purposes.get(purpose)
    channels = frozenset(getattr(step, "channels", ()))
    for window in ruleset.quiet_windows:
        on_channel = not window.channels or bool(window.channels & channels)
        if on_channel and known is not None and known.message_class in window.classes:
            yield window.id


def _with_parents(ruleset: Ruleset, purpose: str | None) -> Iterator[str]:
    seen = set[str]()
    while purpose is not None and purpose not in seen:
        seen.add(purpose)
        yield purpose
        known = ruleset.purposes.get(purpose)
        purpose = known.parent if known is not None else None


def _profile(ruleset: Ruleset, workflow: Workflow) -> Iterator[Thing]:
    """Traits, attributes and segments that its conditions read, and what those read in turn."""
    waiting = [name for each in expressions(workflow) for name in _names(each)]
    if isinstance(workflow.trigger, SegmentTrigger):
        waiting.append(Thing("segments", workflow.trigger.segment))
    seen = set[Thing]()
    while waiting:
        thing = waiting.pop()
        if thing in seen:
            continue
        seen.add(thing)
        yield thing
        if thing.kind == "segments" and thing.name in ruleset.segments:
            waiting += _names(ruleset.segments[thing.name].when)
        if thing.kind == "traits" and thing.name in ruleset.traits:
            waiting += [
                name for each in _of_trait(ruleset.traits[thing.name]) for name in _names(each)
            ]


def _of_trait(trait: Trait) -> Iterator[Expression]:
    yield from (each for each in (trait.value, trait.when, trait.by) if each is not None)


def _names(expression: Expression) -> list[Thing]:
    found = []
    for path in expression.reads:
        match path:
            case ("customer", name, *_):
                # Which of the two it is, the ruleset knows; what is in neither changes nothing.
                found += [Thing("traits", name), Thing("attributes", name)]
            case ("segments", name, *_):
                found.append(Thing("segments", name))
            case _:
                pass
    return found
