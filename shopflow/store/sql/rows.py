"""Values as rows and back; the JSON inside is that of `shopflow.domain.codec`."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import orjson
from sqlalchemy import Row as SqlRow
from sqlalchemy import RowMapping

from shopflow.domain.codec import (
    STATE_VERSION,
    customer_from_state,
    customer_to_state,
    input_from_json,
    input_to_json,
    message_from_json,
    message_to_json,
)
from shopflow.domain.customer import Customer
from shopflow.domain.event import Event
from shopflow.domain.ids import CustomerId
from shopflow.domain.journal import JournalEntry, Kind, LedgerEntry
from shopflow.domain.message import Message
from shopflow.errors import Unstorable
from shopflow.store.delivery import rank
from shopflow.store.deployments import Deployment, Move
from shopflow.store.records import (
    Arrival,
    DeliveryState,
    StoredDeadLetter,
    StoredEvent,
    StoredMessage,
    Wait,
)
from shopflow.store.sql.dialect import CustomerRow
from shopflow.store.sweeps import Sweep
from shopflow.store.tables import instant, micros
from shopflow.store.tally import day_of

#: The most that the state of one customer may take, in bytes of JSON.
MOST_STATE = 64 * 1024

Row = tuple[Any, ...]


def to_json(value: object, what: str) -> str:
    """The value as JSON text.

    Raises:
        Unstorable: It holds something that JSON has no word for.
    """
    try:
        return orjson.dumps(value, default=_plain, option=orjson.OPT_UTC_Z).decode()
    except TypeError as error:
        raise Unstorable(f"{what} holds a value that cannot be kept: {error}") from error


def from_json(text: str) -> Any:
    """The value of JSON text that this module wrote."""
    return orjson.loads(text)


def customer_row(customer: Customer, partition: int) -> Row:
    """A row of `customers`.

    Raises:
        Unstorable: The state is too large or holds something that JSON has no word for.
    """
    state = to_json(customer_to_state(customer), f"customer {customer.id}")
    if len(state) > MOST_STATE:
        raise Unstorable(
            f"the state of customer {customer.id} is {len(state):,} characters of JSON, "
            f"over {MOST_STATE:,}: keep less in traits, or fewer parallel enrolments"
        )
    due = customer.next_due_at
    return partition, customer.id, micros(due) if due else None, STATE_VERSION, state


def customer_of(row: CustomerRow) -> Customer:
    """The customer of a row."""
    key, due, version, state = row
    return customer_from_state(
        CustomerId(key), orjson.loads(state), version, None if due is None else instant(due)
    )


def event_row(arrival: Arrival) -> Row:
    """A row of `events`."""
    event, at = arrival.event, arrival.event.occurred_at
    raw = b"" if arrival.copied else arrival.raw
    return (
        day_of(at),
        arrival.partition,
        event.id,
        event.type,
        micros(at),
        event.concerns,
        raw.decode("utf-8", "replace"),
    )


def stored_event(row: RowMapping) -> StoredEvent:
    """The event of a row."""
    return StoredEvent(
        id=row["id"],
        type=row["type"],
        partition=row["partition"],
        occurred_at=instant(row["occurred_at"]),
        customer_id=row["customer_id"],
        payload=row["payload"],
    )


def journal_row(entry: JournalEntry) -> Row:
    """A row of `journal`; what nobody searches by goes into the details."""
    details = {
        key: value
        for key, value in (
            ("v", entry.version),
            ("d", entry.digest),
            ("en", entry.enrolment_id),
            ("st", entry.step),
            ("ch", entry.channel),
            ("va", entry.values),
        )
        if value
    }
    return (
        entry.customer_id,
        micros(entry.at),
        entry.kind.value,
        entry.workflow,
        entry.reason,
        entry.event_id,
        to_json(details, f"a journal entry of customer {entry.customer_id}"),
    )


def journal_entry(row: RowMapping) -> JournalEntry:
    """The journal entry of a row."""
    details = from_json(row["details"])
    return JournalEntry(
        at=instant(row["at"]),
        customer_id=row["customer_id"],
        kind=Kind(row["kind"]),
        workflow=row["workflow"],
        version=details.get("v"),
        digest=details.get("d"),
        enrolment_id=details.get("en"),
        step=details.get("st"),
        channel=details.get("ch"),
        reason=row["reason"],
        event_id=row["event_id"],
        values=details.get("va", {}),
    )


def message_row(message: Message) -> Row:
    """A row of `messages`, as it enters the outbox."""
    decided = micros(message.decided_at)
    return (
        message.id,
        message.customer_id,
        message.enrolment_id,
        message.workflow,
        message.channel,
        message.message_class.value,
        rank(message),
        decided,
        micros(message.send_by),
        DeliveryState.QUEUED.value,
        decided,
        0,
        0,
        "",
        None,
        "",
        "",
        decided,
        message_json(message),
        "",
    )


def message_json(message: Message) -> str:
    """The message as text, whole."""
    return to_json(message_to_json(message), f"message {message.id}")


def message_of(text: str) -> Message:
    """The message of its text."""
    return message_from_json(orjson.loads(text))


def stored_message(row: RowMapping) -> StoredMessage:
    """The message of a row, and its life so far."""
    next_at = row["next_attempt_at"]
    return StoredMessage(
        message=message_of(row["message"]),
        state=DeliveryState(row["state"]),
        attempts=row["attempts"],
        uncertain=row["uncertain"],
        next_attempt_at=None if next_at is None else instant(next_at),
        reason=row["reason"],
        provider_id=row["provider_id"],
        changed_at=instant(row["changed_at"]),
    )


def wait_row(wait: Wait, partition: int) -> Row:
    """A row of `waits`."""
    return (
        wait.event_type,
        wait.key,
        wait.enrolment_id,
        partition,
        wait.customer_id,
        micros(wait.since),
    )


def wait_of(row: RowMapping) -> Wait:
    """The wait of a row."""
    return Wait(
        row["event_type"],
        row["key"],
        row["enrolment_id"],
        row["customer_id"],
        instant(row["since"]),
    )


def sweep_row(sweep: Sweep) -> Row:
    """A row of `sweeps`."""
    event = sweep.event
    return (
        sweep.partition,
        micros(sweep.at),
        event.id if event else "",
        to_json(input_to_json(event), f"event {event.id}") if event else "",
        sweep.after,
        sweep.looked,
        sweep.told,
        int(sweep.done),
    )


def sweep_of(row: RowMapping) -> Sweep:
    """The sweep of a row."""
    event = input_from_json(orjson.loads(row["event"])) if row["event"] else None
    return Sweep(
        partition=row["partition"],
        at=instant(row["at"]),
        event=event if isinstance(event, Event) else None,
        after=row["after"],
        looked=row["looked"],
        told=row["told"],
        done=bool(row["done"]),
    )


def ledger_row(entry: LedgerEntry) -> Row:
    """A row of `consents`."""
    consent = entry.consent
    return (
        entry.customer_id,
        entry.channel,
        entry.purpose,
        consent.state.value,
        micros(consent.at),
        consent.basis.value,
        micros(consent.until) if consent.until else None,
        entry.source,
        entry.text_version,
        entry.proof,
        entry.event_id,
    )


def dead_letter(row: RowMapping) -> StoredDeadLetter:
    """The dead letter of a row."""
    return StoredDeadLetter(
        seq=row["seq"],
        at=instant(row["at"]),
        reason=row["reason"],
        detail=row["detail"],
        stream=row["stream"],
        event_id=row["event_id"],
        customer_id=row["customer_id"],
        payload=row["payload"],
    )


def _plain(value: object) -> object:
    if isinstance(value, MappingProxyType):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no plain JSON")


def deployment(row: SqlRow[Any]) -> Deployment:
    """The deployment of a row."""
    return Deployment(
        number=row.number,
        move=Move(row.move),
        digest=row.digest,
        revision=row.revision,
        ruleset=row.ruleset,
        at=instant(row.at),
        by=row.by,
        reason=row.reason,
        ramp=row.ramp,
        share=row.share / 1_000_000,
    )
