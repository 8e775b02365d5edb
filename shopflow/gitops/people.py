"""Customers of a workflow test, made of what the test says of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from shopflow.domain.customer import (
    Consent,
    ConsentState,
    Customer,
    Mark,
    SentRecord,
    SlotState,
    SuppressionScope,
)
from shopflow.domain.event import Facts
from shopflow.domain.ids import CustomerId, EnrolmentId, MessageId, StepId, WorkflowId, derive
from shopflow.domain.policy import MessageClass
from shopflow.domain.ruleset import Ruleset
from shopflow.domain.trait import Aggregate, Trait
from shopflow.engine import Rulebook, segments
from shopflow.engine.traits import EPOCH
from shopflow.engine.turn import Turn
from shopflow.gitops.scenario import PastSend

#: Consents that a test takes as given are older than whatever happens in it.
GIVEN = timedelta(days=365)

_MICROSECOND = timedelta(microseconds=1)
_PHONE = "+33600000000"


def make_customer(
    rulebook: Rulebook, name: str, told: Mapping[str, Any], at: datetime, sends: Iterable[PastSend]
) -> Customer:
    """The customer as the scenario finds them: reachable on every channel unless it says no."""
    ruleset = rulebook.ruleset
    known = {**told.get("attributes", {}), **told.get("traits", {})}
    attributes = {
        **_addresses(ruleset, name),
        **{key: told[key] for key in ("timezone", "locale") if key in told},
        **{key: value for key, value in known.items() if key not in ruleset.traits},
    }
    customer = Customer(
        id=CustomerId(name),
        attributes={key: value for key, value in attributes.items() if value is not None},
        tags=frozenset(told.get("tags", ())),
        traits={
            key: trait_state(ruleset.traits[key], value, at)
            for key, value in known.items()
            if key in ruleset.traits
        },
        consents={
            (channel, purpose): Consent(state=ConsentState.GRANTED, at=at - GIVEN)
            for channel, purposes in told.get("consent", {}).items()
            for purpose in purposes
        },
        suppressions=frozenset(
            (channel, SuppressionScope.ADDRESS) for channel in told.get("suppressed", ())
        ),
        sent=tuple(_record(ruleset, name, send) for send in sends),
        marks={
            (WorkflowId(send.workflow), None): Mark(
                entered_at=send.at, last_message_at=send.at, used_at=send.at
            )
            for send in sends
            if send.workflow
        },
    )
    return _in_segments(rulebook, customer, at)


def trait_state(trait: Trait, value: Any, at: datetime) -> object:
    """The state that the trait would have, had events made it this value."""
    if trait.by is not None:
        return {str(key): _series(trait, inner, at) for key, inner in value.items()}
    return _series(trait, value, at)


def _series(trait: Trait, value: Any, at: datetime) -> object:
    cell = _cell(trait, value, at)
    return cell if trait.window is None else [[_micros(at), cell]]


def _cell(trait: Trait, value: Any, at: datetime) -> object:
    match trait.aggregate:
        case Aggregate.SUM:
            return str(value)
        case Aggregate.FIRST | Aggregate.LAST:
            return [_micros(at), value]
        case Aggregate.COLLECT:
            return list(value)
        case Aggregate.TOP:
            return {str(value): 1}
        case Aggregate.COUNT | Aggregate.MIN | Aggregate.MAX:
            return value


def _micros(at: datetime) -> int:
    return (at - EPOCH) // _MICROSECOND


def _addresses(ruleset: Ruleset, name: str) -> dict[str, str]:
    """An address for every channel that needs one, none of which exists."""
    needed = {facts.address_attribute for facts in ruleset.channels.values()} - {None}
    invented = {"email": f"{name.lower()}@example.com", "phone": _PHONE}
    return {
        attribute: invented.get(attribute, f"{attribute} of {name}")
        for attribute in sorted(each for each in needed if each is not None)
    }


def _record(ruleset: Ruleset, name: str, send: PastSend) -> SentRecord:
    purpose = ruleset.purposes.get(send.purpose)
    workflow = ruleset.workflows.get(send.workflow)
    return SentRecord(
        message_id=MessageId(derive("past", name, send.at, send.channel, send.purpose)),
        enrolment_id=EnrolmentId(""),
        workflow=WorkflowId(send.workflow),
        step=StepId(""),
        channel=send.channel,
        purpose=send.purpose,
        message_class=purpose.message_class if purpose else MessageClass.MARKETING,
        tags=workflow.tags if workflow else frozenset(),
        decided_at=send.at,
        state=SlotState.ACCEPTED,
        accepted_at=send.at,
    )


def _in_segments(rulebook: Rulebook, customer: Customer, at: datetime) -> Customer:
    """The customer, in the segments that they are in already, so that none of them is entered."""
    turn = Turn(rulebook, customer, at, Facts(event_clock=True))
    turn.customer.segments = segments.members(turn, at)
    turn.customer.begun = frozenset(rulebook.beginnings.segments.values())
    return turn.customer.freeze(None)
