"""Running one scenario: its workflow alone, on a virtual clock, over the engine of production.

Caps, quiet hours, consent and re-entry are enforced. Only what would make a test's answer hang on
something else is set aside: other workflows, the status, and the hold-out unless it is asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from functools import cached_property
from typing import Protocol

from shopflow.domain.event import IDENTIFIED, DeliveryReport, Event, Facts, Outcome
from shopflow.domain.ids import CustomerId, EventId
from shopflow.domain.journal import Effect, JournalEntry, Kind, Queue, Reason, Requeue
from shopflow.domain.message import Message
from shopflow.domain.ruleset import Ruleset
from shopflow.domain.step import Split
from shopflow.domain.workflow import Status, Workflow
from shopflow.engine import Rulebook
from shopflow.engine.news import JUST_BEFORE
from shopflow.engine.outgoing import shown_now
from shopflow.engine.shopper import shopper_of
from shopflow.errors import TemplateError, TooFewProducts
from shopflow.gitops.mocked_links import mocked_links
from shopflow.gitops.mocked_shelves import mocked_shelves
from shopflow.gitops.people import make_customer
from shopflow.gitops.pools import with_exhausted
from shopflow.gitops.reasons import reasons_for_no
from shopflow.gitops.rehearsed import Happened, Rehearsal, What
from shopflow.gitops.scenario import Happening, Scenario
from shopflow.gitops.sightings import Sightings, watched
from shopflow.gitops.versions import with_version
from shopflow.gitops.virtual import VirtualShop
from shopflow.recommend import Recommender, Shelves

_TEMPLATE = "template"


class Templates(Protocol):
    """What renders messages; raises TemplateError when it cannot."""

    def render(
        self, name: str, channel: str, locale: str, variables: Mapping[str, object], /
    ) -> Mapping[str, str]:
        """The parts of the message by name."""
        ...


class Stage:
    """The rules under test; rehearses one scenario after the other."""

    def __init__(
        self,
        ruleset: Ruleset,
        templates: Templates,
        shop: Mapping[str, object] | None = None,
        sightings: Sightings | None = None,
        shelves: Shelves | None = None,
    ) -> None:
        self.templates = templates
        #: What recommendations come from in place of what tests say of the shop.
        self.shelves = shelves
        #: What is seen of the workflows, where somebody wants to know.
        self.sightings = sightings
        #: What templates read as `shop`.
        self.shop = shop or {}
        self._ruleset = ruleset
        self._rulebooks: dict[tuple[object, ...], Rulebook] = {}

    def rehearse(self, scenario: Scenario) -> Rehearsal:
        """What comes of the scenario."""
        return _Performance(self, self._rulebook(scenario), scenario).run()

    def _rulebook(self, scenario: Scenario) -> Rulebook:
        holdout, own = bool(scenario.mocks.get("holdout")), sorted(scenario.values.items())
        key = (scenario.workflow, holdout, scenario.exhausted, repr(own))
        if key not in self._rulebooks:
            workflow = self._ruleset.workflows[scenario.workflow]
            values = {**workflow.values, **scenario.values}
            alone = self._alone(replace(workflow, values=values), float(holdout))
            ruleset = replace(self._ruleset, workflows={scenario.workflow: alone})
            self._rulebooks[key] = Rulebook(with_exhausted(ruleset, scenario.exhausted))
        return self._rulebooks[key]

    def with_version(self, rulebook: Rulebook, version: Workflow) -> Rulebook:
        """The rulebook after the deployment of another version, which runs as the first one did."""
        alone = rulebook.ruleset.workflows[version.id]
        if version.digest == self._ruleset.workflows[version.id].digest:
            version = self._alone(version)
        else:
            version = replace(version, status=Status.LIVE, holdout=alone.holdout)
        return Rulebook(with_version(rulebook.ruleset, version))

    def _alone(self, workflow: Workflow, holdout: float = 0.0) -> Workflow:
        alone = replace(workflow, status=Status.LIVE, holdout=holdout)
        return alone if self.sightings is None else watched(alone, self.sightings)


class _Performance:
    """One scenario on its way."""

    def __init__(self, stage: Stage, rulebook: Rulebook, scenario: Scenario) -> None:
        self._stage = stage
        self._rulebook = rulebook
        self._scenario = scenario
        self._workflow: Workflow = rulebook.ruleset.workflows[scenario.workflow]
        self._facts = Facts(products=scenario.mocks.get("products", {}), event_clock=True)
        self._shop = VirtualShop(rulebook, self._facts, self._take, scenario.results)
        self._result = Rehearsal(scenario=scenario)
        self._versions = list(scenario.versions)
        self._failures: Counter[str] = Counter()
        self._variants: dict[str, str] = {}
        self._seen: set[tuple[date, str]] = set()
        self._now = min([scenario.start, *(each.at for each in scenario.past_events)])

    @cached_property
    def _shelves(self) -> Shelves:
        mocks = self._scenario.mocks
        return self._stage.shelves or mocked_shelves(
            mocks.get("products", {}), mocks.get("recommendations", {})
        )

    def run(self) -> Rehearsal:
        """The scenario from its past to its end."""
        scenario, result = self._scenario, self._result
        self._deploy(scenario.start)
        self._people()
        past = sorted(scenario.past_events, key=lambda each: each.at)
        for number, happening in enumerate([*past, *scenario.events], 1):
            self._deploy(happening.at)
            self._run_to(happening.at)
            self._give(happening, f"event-{number}")
        self._deploy(scenario.until)
        if scenario.until is not None:
            self._run_to(scenario.until, inclusive=True)
        else:
            self._run_out()
        result.customer = self._shop.customers.get(CustomerId(scenario.customer))
        result.active = any(one.enrolments for one in self._shop.customers.values())
        # Sorted by time only, so that ties stay in the order of decision.
        result.happened.sort(key=lambda each: each.at)
        return result

    def _deploy(self, by: datetime | None) -> None:
        """Every version that is deployed by then, or at any time, is; at its own instant."""
        while self._versions and (by is None or self._versions[0].at <= by):
            version = self._versions.pop(0)
            # What was there from the beginning was there in the past as well.
            if version.at > self._scenario.start:
                self._run_to(version.at)
            self._rulebook = self._stage.with_version(self._rulebook, version.workflow)
            self._workflow = self._rulebook.ruleset.workflows[self._scenario.workflow]
            self._shop.rulebook = self._rulebook

    def _people(self) -> None:
        scenario = self._scenario
        for name, told in scenario.customers.items():
            sends = scenario.past_sends if name == scenario.customer else ()
            customer = make_customer(self._rulebook, name, told, self._now, sends)
            self._shop.customers[customer.id] = customer
        if self._rulebook.looks_at_everybody:
            # What starts for everybody is watched for from the beginning, its instant included.
            since = self._now - JUST_BEFORE
            self._shop.watch(since)
            for key, customer in self._shop.customers.items():
                self._shop.customers[key] = replace(
                    customer, calendar_at=since, next_due_at=self._now
                )

    def _run_to(self, moment: datetime, *, inclusive: bool = False) -> None:
        """Fire what is due before that moment, one instant after the other."""
        while (due := self._shop.next_due()) is not None:
            if due > moment or (due == moment and not inclusive):
                return
            self._now = max(self._now, due)
            self._shop.tick(due)

    def _run_out(self) -> None:
        if self._rulebook.beginnings.concern_all:
            self._run_to(self._scenario.start, inclusive=True)
        while (due := self._shop.next_due(timers_only=True)) is not None:
            self._shop.tick(due, timers_only=True)

    def _give(self, happening: Happening, default_id: str) -> None:
        event = self._event(happening, default_id)
        key = (event.occurred_at.date(), event.id)
        if key in self._seen:
            return
        self._seen.add(key)
        concerned = event.concerns
        if concerned is None:
            self._shop.hear(event)
            return
        before = self._shop.customers.get(concerned)
        self._shop.give(concerned, event)
        if event.occurred_at >= self._scenario.start:
            after = self._shop.customers[concerned]
            told = reasons_for_no(self._rulebook, self._workflow, self._facts, event, before, after)
            clock = self._scenario.clock_of(event.occurred_at)
            self._result.notes.extend(f"{clock} {line}" for line in told)

    def _event(self, happening: Happening, default_id: str) -> Event:
        customer = happening.customer
        visitor = happening.anonymous
        if happening.type == IDENTIFIED:
            visitor = visitor or happening.data.get("anonymous_id")
            customer = customer or happening.data.get("customer_id")
        is_nobodys = happening.type in self._rulebook.ruleset.subject_events
        if customer is None and not is_nobodys and not (visitor and happening.type != IDENTIFIED):
            customer = self._scenario.customer
        return Event(
            id=EventId(happening.id or default_id),
            type=happening.type,
            occurred_at=happening.at,
            data=happening.data,
            customer_id=None if customer is None else CustomerId(customer),
            anonymous_id=visitor,
        )

    def _take(self, effect: Effect) -> None:
        match effect:
            case JournalEntry() if effect.at >= self._scenario.start:
                self._note(effect)
            case Queue(message=message) | Requeue(message=message):
                self._leave(message)
            case _:
                pass

    def _leave(self, message: Message) -> None:
        """The message leaves, or fails as the test wants it or its template makes it."""
        reason = self._failure(message)
        if reason is not None:
            # The deliverer's word comes at once: how long it tries is not a rule's business.
            outcome = Outcome.DROPPED if reason == Reason.GUARD else Outcome.FAILED
            word = DeliveryReport(
                message=message, outcome=outcome, at=message.decided_at, reason=reason
            )
            self._shop.give(message.customer_id, word)
            return
        if message.decided_at >= self._scenario.start:
            if self._stage.sightings is not None:
                self._stage.sightings.left(message)
            self._result.happened.append(
                Happened(at=message.decided_at, what=What.SEND, fields=self._fields_of(message))
            )

    def _failure(self, message: Message) -> str | None:
        """Why the message cannot leave; None when it can."""
        mock = self._scenario.channel_mocks.get(message.channel)
        if mock is not None and (mock.times is None or self._failures[mock.channel] < mock.times):
            self._failures[mock.channel] += 1
            return mock.reason
        values = {
            **(shown_now(message, self._shop.products) or message.variables),
            "shop": self._stage.shop,
            **mocked_links(self._rulebook.ruleset),
            "recommend": self._recommender(message),
        }
        if not message.template:
            # A ticket or a webhook is its values.
            return None
        try:
            parts = self._stage.templates.render(
                message.template, message.channel, message.locale, values
            )
        except TooFewProducts:
            return Reason.GUARD
        except TemplateError as e:
            self._result.notes.append(f"{self._scenario.clock_of(message.decided_at)} {e}")
            return _TEMPLATE
        self._result.rendered.append((message.step, parts))
        return None

    def _recommender(self, message: Message) -> Recommender:
        customer = self._shop.customers[message.customer_id]
        return Recommender(
            self._shelves,
            lambda: shopper_of(self._rulebook.ruleset, customer, message.decided_at),
        )

    def _fields_of(self, message: Message) -> dict[str, object]:
        return {
            "step": message.step,
            "channel": message.channel,
            "template": message.template,
            "purpose": message.purpose,
            "locale": message.locale,
            "with": message.variables,
            "variant": self._variants.get(message.enrolment_id, ""),
            "to": message.address,
        }

    def _note(self, entry: JournalEntry) -> None:
        result = self._result
        match entry.kind:
            case Kind.ENTERED:
                result.entered += 1
            case Kind.REFUSED:
                result.refused.append(str(entry.reason))
                clock = self._scenario.clock_of(entry.at)
                result.notes.append(f"{clock} the trigger was refused: {entry.reason}")
            case Kind.DROPPED:
                self._happened(entry, What.DROP, step=entry.step, channel=entry.channel)
            case Kind.HELD:
                self._happened(entry, What.HOLD, step=entry.step, channel=entry.channel)
            case Kind.EXITED:
                outcome = {"outcome": str(entry.reason), "by": entry.values.get("by", "")}
                self._happened(entry, What.END, **outcome)
            case Kind.STEP:
                step = self._workflow.steps.get(entry.step) if entry.step else None
                if self._stage.sightings is not None:
                    self._stage.sightings.take(entry, step)
                if isinstance(step, Split) and entry.enrolment_id and entry.reason:
                    self._variants[entry.enrolment_id] = entry.reason
            case Kind.ERROR:
                told = entry.values
                clock = self._scenario.clock_of(entry.at)
                source = " ".join(str(told.get("source")).split())
                line = f"`{source}` failed: {told.get('error')}"
                result.notes.append(f"{clock} {line}")
            case _:
                pass

    def _happened(self, entry: JournalEntry, what: What, **fields: object) -> None:
        if what is not What.END:
            fields["reason"] = str(entry.reason)
        values = {key: value for key, value in entry.values.items() if key not in _INTERNAL}
        self._result.happened.append(Happened(at=entry.at, what=what, fields=fields, values=values))


#: Journal values that are told by fields of their own, or mean nothing to the author of a rule.
_INTERNAL = frozenset({"by", "message"})
