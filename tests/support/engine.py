"""Values for engine tests: sane defaults, overridden by keyword."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from shopflow.domain.customer import Consent, ConsentState, Customer
from shopflow.domain.event import Event, Facts, Tick
from shopflow.domain.policy import ChannelConsent, MessageClass, Purpose
from shopflow.domain.ruleset import ChannelFacts, Ruleset
from shopflow.domain.step import Send, Wait
from shopflow.domain.trait import Attribute, TraitType
from shopflow.domain.trigger import EventPattern, EventTrigger
from shopflow.domain.workflow import Exit, InFlight, Reentry, Status, Workflow
from shopflow.engine import Rulebook, decide
from shopflow.lang.cel import compile_expression

cel = lru_cache(maxsize=None)(compile_expression)

T0 = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

PURPOSES = {
    "service": Purpose(id="service", message_class=MessageClass.SERVICE),
    "review": Purpose(id="review", message_class=MessageClass.RELATIONSHIP),
    "marketing": Purpose(
        id="marketing",
        message_class=MessageClass.MARKETING,
        channels={"email": ChannelConsent(), "sms": ChannelConsent()},
    ),
    "cart_recovery": Purpose(
        id="cart_recovery",
        message_class=MessageClass.MARKETING,
        parent="marketing",
        channels={"email": ChannelConsent(), "sms": ChannelConsent()},
    ),
}
CHANNELS = {
    "email": ChannelFacts(name="email", address_attribute="email"),
    "sms": ChannelFacts(name="sms", address_attribute="phone"),
    "log": ChannelFacts(name="log"),
}
ATTRIBUTES = {
    name: Attribute(name=name, type=TraitType.STRING)
    for name in ("email", "phone", "first_name", "locale", "timezone", "country", "birthday")
}


def on(*types):
    return EventPattern(types=frozenset(types))


def a_wait(step_id="settle", length="1h", next_step="reminder", **more):
    literal = f'duration("{length}")'
    return Wait(id=step_id, next=next_step, length=cel(literal), **more)


def a_send(step_id="reminder", next_step=None, **more):
    defaults = {
        "channels": ("log",),
        "template": "cart/reminder",
        "purpose": "service",
        "max_lateness": DAY,
    }
    return Send(id=step_id, next=next_step, **{**defaults, **more})


def a_workflow(workflow_id="abandoned-cart", *, steps=None, **more):
    steps = steps if steps is not None else [a_wait(), a_send()]
    defaults = {
        "id": workflow_id,
        "version": 1,
        "digest": f"digest-of-{workflow_id}",
        "title": workflow_id,
        "owner": "team",
        "status": Status.LIVE,
        "purpose": "service",
        "trigger": EventTrigger(pattern=on("cart.updated")),
        "reentry": Reentry.RESTART,
        "steps": {step.id: step for step in steps},
        "start": steps[0].id if steps else None,
        "in_flight": InFlight(max_age=400 * DAY),
        "exits": (
            Exit(id="purchased", pattern=on("order.placed"), when=None, outcome="converted"),
        ),
    }
    return Workflow(**{**defaults, **more})


def a_ruleset(*workflows, **more):
    defaults = {
        "workflows": {workflow.id: workflow for workflow in workflows},
        "purposes": PURPOSES,
        "channels": CHANNELS,
        "attributes": ATTRIBUTES,
        "timezone": "Europe/Paris",
    }
    return Ruleset(**{**defaults, **more})


def an_event(event_type="cart.updated", at=T0, event_id=None, customer="anna", **data):
    moment = at if isinstance(at, datetime) else T0 + at
    name = event_id or f"{event_type}@{moment.isoformat()}"
    return Event(id=name, type=event_type, occurred_at=moment, data=data, customer_id=customer)


def a_customer(customer_id="anna", *, consent=(), **more):
    consents = {pair: Consent(state=ConsentState.GRANTED, at=T0 - 100 * DAY) for pair in consent}
    attributes = {"email": "anna@shop.example", "phone": "+33612345678"}
    return Customer(id=customer_id, consents=consents, attributes=attributes, **more)


class Life:
    """One customer, decided on input by input; time follows the events unless a clock is given."""

    def __init__(self, *workflows, customer=None, event_clock=True, facts=None, **ruleset):
        self.rulebook = Rulebook(a_ruleset(*workflows, **ruleset))
        self.customer = customer if customer is not None else a_customer()
        self.facts = Facts(event_clock=event_clock, **(facts or {}))
        self.effects = []

    def give(self, given, *, clock=None):
        at = given.occurred_at if isinstance(given, Event) else given.at
        decision = decide(
            self.rulebook, self.customer, given, at=at, clock=clock or at, facts=self.facts
        )
        self.customer = decision.customer
        self.effects.extend(decision.effects)
        return decision.effects

    def event(self, event_type="cart.updated", at=T0, *, clock=None, **data):
        return self.give(an_event(event_type, at, **data), clock=clock)

    def tick(self, at, *, clock=None):
        moment = at if isinstance(at, datetime) else T0 + at
        return self.give(Tick(at=moment), clock=clock)

    def of(self, kind):
        return [effect for effect in self.effects if isinstance(effect, kind)]
