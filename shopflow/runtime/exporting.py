"""Recorded events for others to see: who they are about cannot be told from them.

What is written is what plan needs to decide as production did: of the time asked for, every event
that some rule listens to; of the time before, what consents, contact points and traits are made of.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import orjson

from shopflow.domain.event import IDENTIFIED, MANUAL_START
from shopflow.domain.product import is_about_product
from shopflow.domain.ruleset import Ruleset
from shopflow.domain.step import WaitFor
from shopflow.domain.workflow import Workflow
from shopflow.engine import Rulebook
from shopflow.engine.consent import CONSENT_EVENTS
from shopflow.engine.coupons import CODE_EVENTS
from shopflow.engine.preferences import CHANGED
from shopflow.engine.profile import CONTACT_ATTRIBUTES, CONTACT_EVENTS, TELLING_EVENTS
from shopflow.gitops.graph.reading import expressions
from shopflow.gitops.plan.uses import patterns
from shopflow.rulebook import LoadedProject
from shopflow.runtime.ingest import Accepted, Ingest
from shopflow.runtime.pseudonyms import Pseudonyms
from shopflow.runtime.recorded import recorded
from shopflow.runtime.without_words import WithoutWords
from shopflow.store.protocol import Store
from shopflow.store.records import StoredEvent

#: Events by which a customer's value is made, beside those that traits fold.
_MAKING = TELLING_EVENTS | CONSENT_EVENTS | {CHANGED, IDENTIFIED}
#: A text in a condition; one with escapes is no plain word.
_LITERAL = re.compile(r"""\"[^\"\\\n]*\"|'[^'\\\n]*'""")
#: A field that a condition asks for.
_MEMBER = re.compile(r"\.([a-z_]\w*)")
#: What the engine itself reads of any event.
_ALWAYS = frozenset({"consents", "marketing_notice", "coupon_codes"})


@dataclass(slots=True)
class Exported:
    """What an export came to."""

    events: int = 0
    #: Events that no rule listens to.
    unused: int = 0
    #: Type -> events that are not sound without their words.
    unsound: Counter[str] = field(default_factory=Counter)


class Exporter:
    """Writes the events of a store without what names anybody."""

    def __init__(self, loaded: LoadedProject, pseudonyms: Pseudonyms) -> None:
        self._rulebook = Rulebook(loaded.ruleset)
        self._pseudonyms = pseudonyms
        self._schemas = loaded.events.schemas
        self._ingest = Ingest(loaded.events.schemas, event_clock=True)
        self._fields = {name: self._wanted(name) for name in loaded.events.schemas}
        sources = _sources(loaded.ruleset)
        values = [dict(one.values) for one in loaded.ruleset.workflows.values()]
        self._words = frozenset(
            [*_texts(values), *(text[1:-1] for one in sources for text in _LITERAL.findall(one))]
        )
        self._asked = frozenset(name for one in sources for name in _MEMBER.findall(one))
        self.done = Exported()

    def lines(self, store: Store, since: datetime) -> Iterator[bytes]:
        """A line of JSON for each event, oldest first."""
        for event in recorded(store, self._schemas.keys()):
            if not self._matters(event.type, of_before=event.occurred_at < since):
                self.done.unused += 1
            elif (line := self._line(event)) is None:
                self.done.unsound[event.type] += 1
            else:
                self.done.events += 1
                yield line

    def _line(self, event: StoredEvent) -> bytes | None:
        """The event without its words; None where it is no longer sound without them."""
        if not event.payload:
            # Of somebody who was erased, nothing is left but that there was something.
            return None
        kept = orjson.loads(event.payload)
        data = kept.get("data")
        if not isinstance(data, Mapping):
            return None
        wordless = WithoutWords(
            self._pseudonyms, self._schemas[event.type], self._words, self._asked
        )
        ids = {name: kept.get(name) for name in ("customer_id", "anonymous_id")}
        told = {
            "id": self._pseudonyms.token(event.id),
            "type": event.type,
            "occurred_at": event.occurred_at.isoformat().replace("+00:00", "Z"),
            **{name: self._pseudonyms.token(str(value)) for name, value in ids.items() if value},
            "data": wordless.payload(data, self._fields[event.type]),
        }
        line = orjson.dumps(told)
        read = self._ingest.read(line, received_at=event.occurred_at)
        return line + b"\n" if isinstance(read, Accepted) else None

    def _matters(self, event_type: str, *, of_before: bool) -> bool:
        if event_type in _MAKING or self._rulebook.interest(event_type).traits:
            return True
        if is_about_product(event_type):
            return True
        return not of_before and (
            event_type in CODE_EVENTS
            or self._rulebook.interest(event_type).is_goal
            or any(self._listens(one, event_type) for one in self._workflows())
        )

    def _wanted(self, event_type: str) -> frozenset[str]:
        """The payload fields of a type that rules, or the engine, ask for."""
        ruleset = self._rulebook.ruleset
        found = set(_ALWAYS)
        if event_type in _MAKING:
            found |= {*ruleset.attributes, "channel", "purpose", "bounce", "paused_until"}
            found |= {"endpoint", "keys", "customer_id", "anonymous_id"}
        if event_type in CONTACT_EVENTS:
            found |= set(CONTACT_ATTRIBUTES)
        if is_about_product(event_type):
            found |= {"sku", "price", "stock", "in_stock", "quantity", "category", "available"}
        if event_type == MANUAL_START:
            found.add("workflow")
        for trait in ruleset.traits.values():
            if trait.pattern.matches(event_type):
                for each in (trait.value, trait.when, trait.by):
                    found |= _payload_fields(each.reads if each is not None else ())
        for workflow in self._workflows():
            if self._listens(workflow, event_type):
                found |= _read_by(workflow)
        return frozenset(found)

    def _workflows(self) -> Iterator[Workflow]:
        yield from self._rulebook.ruleset.workflows.values()

    def _listens(self, workflow: Workflow, event_type: str) -> bool:
        goal = workflow.goal
        return any(each.matches(event_type) for each in patterns(workflow)) or (
            goal is not None and goal.pattern.matches(event_type)
        )


def _sources(ruleset: Ruleset) -> list[str]:
    """Every condition and value of the rules, as it is written."""
    every = [each for one in ruleset.workflows.values() for each in expressions(one)]
    every += [segment.when for segment in ruleset.segments.values()]
    for trait in ruleset.traits.values():
        every += [each for each in (trait.value, trait.when, trait.by) if each is not None]
    return [each.source for each in every]


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case Mapping():
            for inner in value.values():
                yield from _texts(inner)
        case list() | tuple():
            for inner in value:
                yield from _texts(inner)


def _read_by(workflow: Workflow) -> set[str]:
    """Payload fields that a workflow asks for, of whatever event it listens to."""
    found = _payload_fields(path for each in expressions(workflow) for path in each.reads)
    for rule in workflow.exits:
        found |= set(rule.match)
    for step in workflow.steps.values():
        if isinstance(step, WaitFor):
            found |= {*step.match, *(step.keep or ())}
    return found


def _payload_fields(reads: Iterable[tuple[str, ...]]) -> set[str]:
    return {path[1] for path in reads if len(path) > 1 and path[0] in ("event", "trigger")}
