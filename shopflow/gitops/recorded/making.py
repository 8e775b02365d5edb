"""A test file of a recorded timeline: the same events, for somebody made up, and what comes of it.

What is expected is what the rules of today make of these events. Where the record differs, since
rules, caps or other workflows were others then, the file says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import yaml

from shopflow.domain.customer import ConsentState, Customer
from shopflow.domain.journal import Kind
from shopflow.domain.product import Product
from shopflow.domain.workflow import Workflow
from shopflow.errors import SettingsError
from shopflow.gitops.graph.reading import expressions
from shopflow.gitops.recorded.around import around, data_of
from shopflow.gitops.recorded.emitted import emitted
from shopflow.gitops.recorded.relevance import Relevance
from shopflow.gitops.recorded.shelves import NotedShelves, stand_in_for
from shopflow.gitops.recorded.stand_ins import StandIns
from shopflow.gitops.rehearsal import Stage
from shopflow.gitops.rehearsed import Happened, Rehearsal, What
from shopflow.gitops.scenario import read_scenarios
from shopflow.lang.calendars import zone
from shopflow.lang.lengths import written
from shopflow.lang.reading import parse
from shopflow.recommend import Shelves
from shopflow.rulebook import LoadedProject
from shopflow.store.recommendations import Recommendations
from shopflow.store.records import StoredEvent, Timeline

#: Fields of a happening that a test gives.
_FIELDS: Mapping[What, tuple[str, ...]] = {
    What.SEND: ("step", "channel"),
    What.DROP: ("step", "channel", "reason"),
    What.HOLD: ("step", "channel", "reason"),
    What.END: ("outcome", "by"),
}
_HEAD = "# Made of a recorded timeline; who it was cannot be told from it.\n"


def workflows_of(timeline: Timeline) -> list[str]:
    """The workflows that the customer entered, or that refused them, in the order of time."""
    kinds = {Kind.ENTERED, Kind.REFUSED}
    return list(
        dict.fromkeys(
            str(entry.workflow)
            for entry in timeline.journal
            if entry.workflow is not None and entry.kind in kinds
        )
    )


def file_of(
    loaded: LoadedProject,
    timeline: Timeline,
    customer: Customer | None,
    workflow_id: str,
    kept: Recommendations,
) -> str:
    """The text of the file, which passes; `kept` knows of the shop around the customer.

    Raises:
        SettingsError: Nothing is recorded that concerns the workflow.
    """
    workflow = loaded.ruleset.workflows[workflow_id]
    relevant = Relevance(loaded, workflow)
    own = [*timeline.events, *emitted(loaded, relevant, timeline, customer, kept)]
    concerning = sorted(filter(relevant.concerns, own), key=lambda event: event.occurred_at)
    shop = around(loaded.ruleset, workflow, concerning, kept)
    events = sorted([*concerning, *shop.events], key=lambda event: event.occurred_at)
    if not any(map(relevant.is_heard, events)):
        raise SettingsError(f"nothing is recorded of this customer that concerns {workflow_id}")
    maker = _Maker(loaded, workflow, events, customer, relevant)
    return maker.text(timeline, maker.shelves(shop.products, kept))


class _Maker:
    """Makes one file."""

    def __init__(
        self,
        loaded: LoadedProject,
        workflow: Workflow,
        events: list[StoredEvent],
        customer: Customer | None,
        relevant: Relevance,
    ) -> None:
        self._loaded = loaded
        self._workflow = workflow
        self._customer = customer
        self._relevant = relevant
        self._stand_ins = StandIns(_literals(loaded, workflow))
        self._start = events[0].occurred_at.replace(microsecond=0)
        self._events = [self._event(event) for event in events]
        self._mocks: dict[str, Any] = {}

    def shelves(self, products: Mapping[str, Product], kept: Recommendations) -> NotedShelves:
        """The shop's shelves, with these products as they were then."""
        told = {
            self._stand_ins.text("sku", sku, personal=False): stand_in_for(one, self._stand_ins)
            for sku, one in products.items()
        }
        return NotedShelves(kept, self._stand_ins, told)

    def text(self, timeline: Timeline, shelves: NotedShelves) -> str:
        """The file, its expectations taken from a rehearsal of it."""
        self._mocks = shelves.mocks
        # What messages recommend is known once they have asked for it.
        self._rehearsed({"entered": True}, shelves)
        self._mocks = shelves.mocks
        rehearsal = self._rehearsed({"entered": True})
        expect = _expected(rehearsal, self._start)
        head = _HEAD + "".join(
            f"# {line}\n" for line in _differences(rehearsal, timeline, self._workflow.id)
        )
        return head + _yaml(self._document(expect))

    def _rehearsed(self, expect: Mapping[str, Any], shelves: Shelves | None = None) -> Rehearsal:
        loaded = self._loaded
        path = f"rules/tests/{self._workflow.id}.test.yaml"
        document = parse(path, _yaml(self._document(expect)))
        (scenario,) = read_scenarios([document], loaded.ruleset)
        shop = asdict(loaded.project.sender)
        stage = Stage(loaded.ruleset, loaded.templates, shop, shelves=shelves)
        return stage.rehearse(scenario)

    def _document(self, expect: Mapping[str, Any]) -> dict[str, Any]:
        timezone = self._loaded.project.timezone
        local = self._start.astimezone(zone(timezone))
        return {
            "apiVersion": "shopflow/v1",
            "kind": "WorkflowTest",
            "workflow": str(self._workflow.id),
            "clock": {"start": local.strftime("%Y-%m-%dT%H:%M:%S"), "timezone": timezone},
            "tests": [
                {
                    "name": f"as recorded on {local:%Y-%m-%d}",
                    "customer": self._person(),
                    **({"mocks": self._mocks} if self._mocks else {}),
                    "events": self._events,
                    "expect": expect,
                }
            ],
        }

    def _event(self, event: StoredEvent) -> dict[str, Any]:
        told = self._stand_ins.payload(data_of(event), self._loaded.events.schemas[event.type])
        return {"at": written(event.occurred_at - self._start), "type": event.type, "data": told}

    def _person(self) -> dict[str, Any]:
        """What is known of the customer beside what the events say."""
        customer = self._customer
        consent: dict[str, list[str]] = {}
        person: dict[str, Any] = {"consent": consent}
        if customer is None:
            return person
        told = {(c["channel"], c["purpose"]) for c in _consents(self._events)}
        for (channel, purpose), one in sorted(customer.consents.items()):
            if one.state is ConsentState.GRANTED and (channel, purpose) not in told:
                consent.setdefault(channel, []).append(purpose)
        if suppressed := sorted({channel for channel, _ in customer.suppressions if channel}):
            person["suppressed"] = suppressed
        for name in ("timezone", "locale"):
            if name in customer.attributes:
                person[name] = customer.attributes[name]
        if attributes := self._attributes(customer):
            person["attributes"] = attributes
        return person

    def _attributes(self, customer: Customer) -> dict[str, Any]:
        """Those that conditions read, and addresses that there are none of."""
        found: dict[str, Any] = {}
        for facts in self._loaded.ruleset.channels.values():
            name = facts.address_attribute
            if name is not None and name not in customer.attributes:
                # A test makes up an address unless it is told that there is none.
                found[name] = None
        for name in sorted(self._relevant.reads - {"timezone", "locale"}):
            if name in self._loaded.ruleset.attributes and name in customer.attributes:
                value = customer.attributes[name]
                if isinstance(value, str):
                    value = self._stand_ins.text(name, value, personal=False)
                found[name] = value
        return found


def _expected(rehearsal: Rehearsal, start: datetime) -> dict[str, Any]:
    """What came of it, as a test expects it."""
    expect: dict[str, Any] = {
        "sends": [_line(each, start) for each in rehearsal.happened if each.what is What.SEND]
    }
    for key, what in (("drops", What.DROP), ("holds", What.HOLD)):
        if lines := [_line(each, start) for each in rehearsal.happened if each.what is what]:
            expect[key] = lines
    if ends := [each for each in rehearsal.happened if each.what is What.END]:
        expect["end"] = _line(ends[-1], start)
    expect["entered"] = rehearsal.entered
    if rehearsal.refused:
        expect["refused"] = rehearsal.refused
    if rehearsal.active:
        expect["active"] = True
    return expect


def _line(happened: Happened, start: datetime) -> dict[str, Any]:
    fields = {name: happened.fields.get(name) for name in _FIELDS[happened.what]}
    at = written(happened.at - start)
    # Between two seconds there is no length that a test could write.
    times = {"at": at} if happened.at.microsecond == 0 else {}
    return {**times, **{name: str(value) for name, value in fields.items() if value}}


def _differences(rehearsal: Rehearsal, timeline: Timeline, workflow: str) -> Iterator[str]:
    """Sends of the record that did not come, and the other way round."""
    recorded = [
        (str(one.message.step), one.message.channel)
        for one in timeline.messages
        if one.message.workflow == workflow
    ]
    now = [
        (str(each.fields["step"]), str(each.fields["channel"]))
        for each in rehearsal.happened
        if each.what is What.SEND
    ]
    for what, these, those in (
        ("was sent then, and is not now", recorded, list(now)),
        ("is sent now, and was not then", now, list(recorded)),
    ):
        for send in these:
            if send in those:
                those.remove(send)
            else:
                yield f"{send[0]} by {send[1]} {what}"


def _literals(loaded: LoadedProject, workflow: Workflow) -> frozenset[str]:
    """Texts in quotes in the conditions that decide: what they compare with has to stay."""
    ruleset = loaded.ruleset
    sources = [each.source for each in expressions(workflow)]
    sources += [segment.when.source for segment in ruleset.segments.values()]
    sources += [trait.when.source for trait in ruleset.traits.values() if trait.when is not None]
    texts = (text for source in sources for text in source.replace("'", '"').split('"')[1::2])
    values = (value for value in workflow.values.values() if isinstance(value, str))
    return frozenset((*texts, *values))


def _consents(events: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, str]]:
    """The consents that events speak of, by channel and purpose."""
    for event in events:
        data = event["data"]
        for one in (data, *data.get("consents", ())):
            if isinstance(one, dict) and "channel" in one and "purpose" in one:
                yield one


def _yaml(document: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True, width=100)
