"""Customers, messages and inputs as plain dicts and back: the shape in which state is kept.

Keys are short and what is empty is left out. Times stay datetimes on the way out, since the JSON
writer turns them into ISO text (`2026-03-03T10:00:00Z`) faster than Python could; on the way in
they are that text. Writing the JSON is left to the store.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from shopflow.domain.codec_making import maker
from shopflow.domain.codec_parts import (
    Json,
    enrolment_from_json,
    enrolment_to_json,
    full,
    goal_from_json,
    goal_to_json,
    message_from_json,
    message_to_json,
    plain,
    sent_from_json,
    sent_to_json,
)
from shopflow.domain.customer import (
    Consent,
    ConsentState,
    Customer,
    LegalBasis,
    Mark,
    RecentEvent,
    SuppressionScope,
)
from shopflow.domain.event import DeliveryReport, Event, Input, Merge, Outcome, Tick
from shopflow.domain.ids import CustomerId
from shopflow.errors import StoreError

__all__ = [
    "STATE_VERSION",
    "UPCASTERS",
    "Json",
    "customer_from_state",
    "customer_to_state",
    "input_from_json",
    "input_to_json",
    "message_from_json",
    "message_to_json",
]

#: The version of a customer's state that this module writes.
STATE_VERSION = 1
#: From each older version, what makes its state one of the next version.
UPCASTERS: dict[int, Callable[[Json], Json]] = {}

_time = datetime.fromisoformat

# Looking a word up in a dict is five times faster than calling the enum.
_CONSENT_STATE = {word.value: word for word in ConsentState}
_BASIS = {word.value: word for word in LegalBasis}
_SCOPE = {word.value: word for word in SuppressionScope}
_OUTCOME = {word.value: word for word in Outcome}

_customer = maker(Customer)
_consent = maker(Consent)
_mark = maker(Mark)
_recent = maker(RecentEvent)
_event = maker(Event)


def customer_to_state(customer: Customer) -> Json:
    """Everything of the customer but its id and `next_due_at`, which the store keeps beside."""
    return full(
        {
            "a": plain(customer.attributes),
            "g": sorted(customer.tags),
            "t": plain(customer.traits),
            "s": sorted(customer.segments),
            "c": [
                [
                    channel,
                    purpose,
                    consent.state.value,
                    consent.at,
                    consent.basis.value,
                    consent.until,
                ]
                for (channel, purpose), consent in customer.consents.items()
            ],
            "x": sorted([channel, scope.value] for channel, scope in customer.suppressions),
            "m": [sent_to_json(record) for record in customer.sent],
            "e": [enrolment_to_json(enrolment) for enrolment in customer.enrolments],
            "k": [
                [workflow, key, mark.entered_at, mark.used_at, mark.last_message_at]
                for (workflow, key), mark in customer.marks.items()
            ],
            "o": [goal_to_json(goal) for goal in customer.goals],
            "r": [
                [event.id, event.type, event.occurred_at, plain(event.data)]
                for event in customer.recent
            ],
            "w": customer.watermark,
            "l": customer.calendar_at,
            "z": customer.alias_of,
        }
    )


def customer_from_state(
    customer_id: CustomerId, state: Json, version: int, next_due_at: datetime | None = None
) -> Customer:
    """The customer of a state as it came out of JSON, brought up to the present version first.

    Raises:
        StoreError: A newer program wrote the state, or no upcaster leads here from its version.
    """
    if version != STATE_VERSION:
        state = _upcast(customer_id, state, version)
    get = state.get
    return _customer(
        id=customer_id,
        attributes=get("a", {}),
        tags=frozenset(get("g", ())),
        traits=get("t", {}),
        segments=frozenset(get("s", ())),
        consents={
            (channel, purpose): _consent(
                state=_CONSENT_STATE[word],
                at=_time(at),
                basis=_BASIS[basis],
                until=_time(until) if until else None,
            )
            for channel, purpose, word, at, basis, until in get("c", ())
        },
        suppressions=frozenset((channel, _SCOPE[scope]) for channel, scope in get("x", ())),
        sent=tuple([sent_from_json(record) for record in get("m", ())]),
        enrolments=tuple([enrolment_from_json(enrolment) for enrolment in get("e", ())]),
        marks={
            (workflow, key): _mark(
                entered_at=_time(entered),
                last_message_at=_time(last) if last else None,
                used_at=_time(used),
            )
            for workflow, key, entered, used, last in get("k", ())
        },
        goals=tuple([goal_from_json(goal) for goal in get("o", ())]),
        recent=tuple(
            [
                _recent(id=key, type=kind, occurred_at=_time(at), data=data)
                for key, kind, at, data in get("r", ())
            ]
        ),
        watermark=_time(at) if (at := get("w")) else None,
        calendar_at=_time(at) if (at := get("l")) else None,
        alias_of=get("z"),
        next_due_at=next_due_at,
    )


def input_to_json(what: Input) -> Json:
    """The input with its kind under `k`."""
    match what:
        case Event():
            return full(
                {
                    "k": "event",
                    "id": what.id,
                    "ty": what.type,
                    "at": what.occurred_at,
                    "da": plain(what.data),
                    "cu": what.customer_id,
                    "an": what.anonymous_id,
                    "n": what.hops,
                }
            )
        case DeliveryReport():
            return {
                "k": "report",
                "m": message_to_json(what.message),
                "o": what.outcome.value,
                "at": what.at,
                "r": what.reason,
            }
        case Merge(customer=customer):
            return {
                "k": "merge",
                "id": customer.id,
                "s": customer_to_state(customer),
                "v": STATE_VERSION,
                "du": customer.next_due_at,
                "at": what.at,
            }
        case Tick():
            return {"k": "tick", "at": what.at, "t": what.timers_only}


def input_from_json(json: Json) -> Input:
    """The input of what `input_to_json` gave, once it went through JSON."""
    match json["k"]:
        case "event":
            return _event(
                id=json.get("id", ""),
                type=json.get("ty", ""),
                occurred_at=_time(json["at"]),
                data=json.get("da", {}),
                customer_id=json.get("cu"),
                anonymous_id=json.get("an"),
                hops=json.get("n", 0),
            )
        case "report":
            return DeliveryReport(
                message=message_from_json(json["m"]),
                outcome=_OUTCOME[json["o"]],
                at=_time(json["at"]),
                reason=json["r"],
            )
        case "merge":
            due = json["du"]
            customer = customer_from_state(
                json["id"], json["s"], json["v"], _time(due) if due else None
            )
            return Merge(customer=customer, at=_time(json["at"]))
        case "tick":
            return Tick(at=_time(json["at"]), timers_only=json["t"])
    raise StoreError(f"the inbox holds an input of an unknown kind '{json['k']}': upgrade shopflow")


def _upcast(customer_id: CustomerId, state: Json, version: int) -> Json:
    if version > STATE_VERSION:
        raise StoreError(
            f"the state of customer {customer_id} was written by a newer shopflow "
            f"(state version {version}, this one knows {STATE_VERSION}): upgrade this program"
        )
    while version != STATE_VERSION:
        if version not in UPCASTERS:
            raise StoreError(
                f"the state of customer {customer_id} has version {version}, "
                f"from which nothing leads to {STATE_VERSION}: restore it from a backup"
            )
        state = UPCASTERS[version](state)
        version += 1
    return state
