"""Why a customer got a message, or did not; what an event led to. Read from the journal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shopflow.domain.customer import Customer
from shopflow.domain.journal import JournalEntry, Kind
from shopflow.report.masking import Mask
from shopflow.report.sentences import delivery_sentence, sentence
from shopflow.store.records import (
    DeliveryState,
    StoredDeadLetter,
    StoredEvent,
    StoredMessage,
    Timeline,
)

#: Kinds of entries by which something did not come about.
_NOES = frozenset({Kind.REFUSED, Kind.HELD, Kind.DROPPED, Kind.ERROR, Kind.UNUSABLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that happened, at its time."""

    at: datetime
    what: str
    workflow: str = ""
    #: As it is kept, for machines.
    record: dict[str, object]


def of_customer(timeline: Timeline, workflow: str | None, mask: Mask) -> list[Line]:
    """What was decided for a customer, oldest first, with the events that it was decided on."""
    journal = [entry for entry in timeline.journal if workflow in {None, entry.workflow}]
    messages = [one for one in timeline.messages if workflow in {None, one.message.workflow}]
    causes = {entry.event_id for entry in journal}
    events = [event for event in timeline.events if event.id in causes]
    return _lines(events, journal, messages, mask)


def of_event(timeline: Timeline, event: StoredEvent, mask: Mask) -> list[Line]:
    """What an event led to: its own decisions, and all of the enrolments that it started."""
    caused = [entry for entry in timeline.journal if entry.event_id == event.id]
    started = {entry.enrolment_id for entry in caused if entry.kind == "entered"}
    journal = [
        entry
        for entry in timeline.journal
        if entry.event_id == event.id or (entry.enrolment_id and entry.enrolment_id in started)
    ]
    messages = [one for one in timeline.messages if one.message.enrolment_id in started]
    return _lines([event], journal, messages, mask)


def of_enrolment(timeline: Timeline, enrolment_id: str, mask: Mask) -> list[Line]:
    """What became of one enrolment, from the event that started it to its end."""
    journal = [each for each in timeline.journal if each.enrolment_id == enrolment_id]
    messages = [one for one in timeline.messages if one.message.enrolment_id == enrolment_id]
    causes = {entry.event_id for entry in journal}
    events = [event for event in timeline.events if event.id in causes]
    return _lines(events, journal, messages, mask)


def that_say_no(lines: Iterable[Line]) -> list[Line]:
    """Those of them that tell why something was not sent or not started."""
    return [
        line
        for line in lines
        if line.record["kind"] in _NOES or line.record.get("state") == DeliveryState.FAILED
    ]


def rendered(lines: Iterable[Line], zone: ZoneInfo, *, full: bool = False) -> Iterator[str]:
    """The lines with local times, a heading at each new day.

    In full, below each what the deciding condition saw, and of which enrolment it is.
    """
    day = ""
    for line in lines:
        local = line.at.astimezone(zone)
        if day != (day := f"{local:%A %d %B %Y}"):
            yield f"\n{day} ({zone.key})"
        where = f"{line.workflow}: " if line.workflow else ""
        yield f"  {local:%H:%M:%S}  {where}{line.what}"
        if full:
            yield from (f"            {more}" for more in _more(line.record))


def zone_of(customer: Customer | None, default: str) -> ZoneInfo:
    """The time zone that the customer lives in."""
    told = customer.attributes.get("timezone") if customer else None
    try:
        return ZoneInfo(str(told or default))
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(default)


def about(customer: Customer) -> Iterator[str]:
    """How the customer stands now."""
    if customer.alias_of:
        yield f"a visitor who turned out to be {customer.alias_of}"
        return
    granted = sorted(
        f"{purpose} by {channel}"
        for (channel, purpose), consent in customer.consents.items()
        if consent.state == "granted"
    )
    yield f"consents granted: {', '.join(granted) or 'none'}"
    for channel, scope in sorted(customer.suppressions):
        yield f"suppressed: {channel or 'every channel'} ({scope})"
    for one in customer.enrolments:
        due = f", next at {one.due_at:%Y-%m-%d %H:%M} UTC" if one.due_at else ""
        yield f"under way: {one.workflow} version {one.version}, at step {one.step}{due}"


def dead_letter(letter: StoredDeadLetter) -> str:
    """Why an input was set aside."""
    detail = f": {letter.detail}" if letter.detail else ""
    return f"{letter.at:%Y-%m-%d %H:%M:%S} UTC  dead letter, {letter.reason}{detail}"


def _more(record: Mapping[str, object]) -> Iterator[str]:
    if record.get("enrolment_id"):
        version = f", version {record['version']}" if record.get("version") else ""
        yield f"enrolment {record['enrolment_id']}{version}"
    values = record.get("values")
    if isinstance(values, Mapping):
        yield from (f"{path} = {value!r}" for path, value in values.items())


def _lines(
    events: Iterable[StoredEvent],
    journal: Iterable[JournalEntry],
    messages: Iterable[StoredMessage],
    mask: Mask,
) -> list[Line]:
    found = [
        *map(_event, events),
        *(_entry(each, mask) for each in journal),
        *(_delivery(each, mask) for each in messages),
    ]
    # Sorting keeps the order of ties: an event, what was decided on it, what became of that.
    return sorted(found, key=lambda line: line.at)


def _event(event: StoredEvent) -> Line:
    record: dict[str, object] = {"kind": "event", "type": event.type, "event_id": event.id}
    return Line(at=event.occurred_at, what=f"{event.type} (event {event.id})", record=record)


def _entry(entry: JournalEntry, mask: Mask) -> Line:
    record: dict[str, object] = {
        "kind": str(entry.kind),
        "reason": entry.reason,
        "version": entry.version,
        "digest": entry.digest,
        "enrolment_id": entry.enrolment_id,
        "step": entry.step,
        "channel": entry.channel,
        "event_id": entry.event_id,
        "values": mask.shown(entry.values),
    }
    return Line(
        at=entry.at, what=mask.text(sentence(entry)), workflow=entry.workflow or "", record=record
    )


def _delivery(stored: StoredMessage, mask: Mask) -> Line:
    message = stored.message
    to = f" to {mask.address(message.address)}" if message.address else ""
    record: dict[str, object] = {
        "kind": "message",
        "message_id": message.id,
        "step": message.step,
        "channel": message.channel,
        "state": str(stored.state),
        "reason": stored.reason,
        "attempts": stored.attempts,
        "uncertain": stored.uncertain,
    }
    return Line(
        at=stored.changed_at,
        what=f"step {message.step}: {message.channel}{to} {delivery_sentence(stored)}",
        workflow=message.workflow,
        record=record,
    )
