"""Customers, messages and inputs as plain dicts and back: the shape in which state is kept.

Keys are short and what is empty is left out. Times stay datetimes on the way out, since the JSON
writer turns them into ISO text (`2026-03-03T10:00:00Z`) faster than Python could; on the way in
they are that text. Writing the JSON is left to the store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from shopflow.domain.codec_making import maker
from shopflow.domain.codec_parts import (
    Json,
    drawn_from_json,
    drawn_to_json,
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
    trial_watch_from_json,
    trial_watch_to_json,
)
from shopflow.domain.customer import (
    EMPTY,
    Consent,
    ConsentState,
    Customer,
    LegalBasis,
    Mark,
    RecentEvent,
    SuppressionScope,
)
from shopflow.domain.event import DeliveryReport, Event, Input, Merge, News, Outcome, Tick
from shopflow.domain.ids import CustomerId, WorkflowId
from shopflow.domain.stored import StoredCustomer, stored
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

_consent = maker(Consent)
_mark = maker(Mark)
_recent = maker(RecentEvent)
_event = maker(Event)


def customer_to_state(customer: Customer) -> Json:
    """Everything of the customer but its id and `next_due_at`, which the store keeps beside."""
    if type(customer) is StoredCustomer:
        # What has not changed since it was read is written as it was read.
        state = dict(customer.state)
        for name, value in customer.changes.items():
            if (changed := _PARTS.get(name)) is None:
                continue
            if written := changed.write(value):
                state[changed.key] = written
            else:
                state.pop(changed.key, None)
        return state
    return full({part.key: part.write(getattr(customer, name)) for name, part in _PARTS.items()})


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
    watermark, calendar_at = get("w"), get("l")
    return stored(
        customer_id,
        state,
        {
            "attributes": get("a", EMPTY),
            "traits": get("t", EMPTY),
            "segments": frozenset(get("s", ())),
            "segments_by": get("b", ""),
            "watermark": _time(watermark) if watermark else None,
            "calendar_at": _time(calendar_at) if calendar_at else None,
            "alias_of": get("z"),
            "next_due_at": next_due_at,
        },
        _read_part,
    )


class _Part(NamedTuple):
    """How a part of a customer is kept."""

    key: str
    #: From what came out of JSON, where there is something.
    read: Callable[[Any], object]
    #: To what JSON can be written of; something empty is left out.
    write: Callable[[Any], object]
    #: The value where nothing is kept.
    empty: object


def _read_part(state: Mapping[str, Any], name: str) -> object:
    if name == "stands":
        return [(one["w"], one["d"], one.get("st")) for one in state.get("e", ())]
    part = _PARTS[name]
    kept = state.get(part.key)
    return part.read(kept) if kept else part.empty


def _itself(value: Any) -> Any:
    return value


def _consents_to_json(consents: Mapping[tuple[str, str], Consent]) -> list[object]:
    return [
        [channel, purpose, consent.state.value, consent.at, consent.basis.value, consent.until]
        for (channel, purpose), consent in consents.items()
    ]


def _consents_from_json(kept: list[Any]) -> Mapping[tuple[str, str], Consent]:
    return {
        (channel, purpose): _consent(
            state=_CONSENT_STATE[word],
            at=_time(at),
            basis=_BASIS[basis],
            until=_time(until) if until else None,
        )
        for channel, purpose, word, at, basis, until in kept
    }


def _marks_to_json(marks: Mapping[tuple[WorkflowId, str | None], Mark]) -> list[object]:
    return [
        [workflow, key, mark.entered_at, mark.used_at, mark.last_message_at]
        for (workflow, key), mark in marks.items()
    ]


def _marks_from_json(kept: list[Any]) -> Mapping[tuple[WorkflowId, str | None], Mark]:
    return {
        (workflow, key): _mark(
            entered_at=_time(entered),
            last_message_at=_time(last) if last else None,
            used_at=_time(used),
        )
        for workflow, key, entered, used, last in kept
    }


def _recent_to_json(recent: tuple[RecentEvent, ...]) -> list[object]:
    return [[event.id, event.type, event.occurred_at, plain(event.data)] for event in recent]


def _recent_from_json(kept: list[Any]) -> tuple[RecentEvent, ...]:
    return tuple(
        [
            _recent(id=key, type=kind, occurred_at=_time(at), data=data)
            for key, kind, at, data in kept
        ]
    )


#: Field of a customer -> how it is kept, in the order in which it is written.
_PARTS: Mapping[str, _Part] = {
    "attributes": _Part("a", _itself, plain, EMPTY),
    "tags": _Part("g", frozenset, sorted, frozenset()),
    "traits": _Part("t", _itself, plain, EMPTY),
    "segments": _Part("s", frozenset, sorted, frozenset()),
    "segments_by": _Part("b", _itself, _itself, ""),
    "begun": _Part("n", frozenset, sorted, frozenset()),
    "consents": _Part("c", _consents_from_json, _consents_to_json, EMPTY),
    "suppressions": _Part(
        "x",
        lambda kept: frozenset((channel, _SCOPE[scope]) for channel, scope in kept),
        lambda stops: sorted([channel, scope.value] for channel, scope in stops),
        frozenset(),
    ),
    "sent": _Part(
        "m",
        lambda kept: tuple([sent_from_json(record) for record in kept]),
        lambda sent: [sent_to_json(record) for record in sent],
        (),
    ),
    "enrolments": _Part(
        "e",
        lambda kept: tuple([enrolment_from_json(enrolment) for enrolment in kept]),
        lambda enrolments: [enrolment_to_json(enrolment) for enrolment in enrolments],
        (),
    ),
    "marks": _Part("k", _marks_from_json, _marks_to_json, EMPTY),
    "goals": _Part(
        "o",
        lambda kept: tuple([goal_from_json(goal) for goal in kept]),
        lambda goals: [goal_to_json(goal) for goal in goals],
        (),
    ),
    "recent": _Part("r", _recent_from_json, _recent_to_json, ()),
    "codes": _Part(
        "d",
        lambda kept: tuple([drawn_from_json(drawn) for drawn in kept]),
        lambda codes: [drawn_to_json(drawn) for drawn in codes],
        (),
    ),
    "trials": _Part(
        "y",
        lambda kept: tuple([trial_watch_from_json(watch) for watch in kept]),
        lambda trials: [trial_watch_to_json(watch) for watch in trials],
        (),
    ),
    "watermark": _Part("w", _time, _itself, None),
    "calendar_at": _Part("l", _time, _itself, None),
    "alias_of": _Part("z", _itself, _itself, None),
}


def input_to_json(what: Input) -> Json:
    """The input with its kind under `k`."""
    match what:
        case Event():
            return _event_to_json(what)
        case News():
            return {"k": "news", "ev": _event_to_json(what.event), "en": list(what.enrolments)}
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


def _event_to_json(event: Event) -> Json:
    return full(
        {
            "k": "event",
            "id": event.id,
            "ty": event.type,
            "at": event.occurred_at,
            "da": plain(event.data),
            "cu": event.customer_id,
            "an": event.anonymous_id,
            "n": event.hops,
        }
    )


def input_from_json(json: Json) -> Input:
    """The input of what `input_to_json` gave, once it went through JSON."""
    match json["k"]:
        case "event":
            return _event_from_json(json)
        case "news":
            return News(event=_event_from_json(json["ev"]), enrolments=tuple(json["en"]))
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


def _event_from_json(json: Json) -> Event:
    event: Event = _event(
        id=json.get("id", ""),
        type=json.get("ty", ""),
        occurred_at=_time(json["at"]),
        data=json.get("da", {}),
        customer_id=json.get("cu"),
        anonymous_id=json.get("an"),
        hops=json.get("n", 0),
    )
    return event


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
