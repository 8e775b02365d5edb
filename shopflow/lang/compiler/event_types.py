"""The types of event payloads as conditions see them, from the schemas of the catalogue."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from shopflow.domain.event import MANUAL_START
from shopflow.domain.trigger import EventPattern
from shopflow.lang.cel.types import (
    DOUBLE,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    Type,
    TypeKind,
    one_of,
    record,
    type_from_schema,
)
from shopflow.lang.schemas import EventCatalogue


@dataclass(slots=True)
class EventTypes:
    """Payload types by event, each read from its schema once."""

    catalogue: EventCatalogue
    _payloads: dict[str, Type] = field(default_factory=dict)
    _records: dict[EventPattern, Type] = field(default_factory=dict)

    def names(self, pattern: EventPattern) -> tuple[str, ...]:
        """The known event types that a pattern means."""
        known = {name for name in pattern.types if name in self.catalogue}
        for prefix in pattern.prefixes:
            known.update(self.catalogue.under(prefix))
        return tuple(sorted(known))

    def payload(self, event_type: str) -> Type:
        """The payload of one event type; anything when the type is not known."""
        if event_type not in self._payloads:
            schema = self.catalogue.schemas.get(event_type)
            # Payloads are plain JSON: an instant in them is text until timestamp() reads it.
            found = DYN if schema is None else closed(type_from_schema(schema, date_time=STRING))
            self._payloads[event_type] = found
        return self._payloads[event_type]

    def event(self, pattern: EventPattern) -> Type:
        """What `event` is: the payload with id, type and occurred_at."""
        if pattern not in self._records:
            names = self.names(pattern)
            payload = union(self.payload(name) for name in names)
            if len(names) < len(pattern.types) or payload.kind is not TypeKind.RECORD:
                self._records[pattern] = DYN
            else:
                self._records[pattern] = _with_envelope(payload, one_of(names))
        return self._records[pattern]

    def trigger(self, pattern: EventPattern | None) -> Type:
        """What `trigger` is: the payload that started an enrolment, with id and occurred_at."""
        if pattern is None:
            return _with_envelope(record({}), None)
        event = self.event(pattern)
        if event.kind is not TypeKind.RECORD:
            return event
        fields = {name: each for name, each in event.fields.items() if name != "type"}
        return replace(event, fields=fields, required=event.required - {"type"})

    def about_customers(self, pattern: EventPattern) -> bool:
        """Whether every event it means is about a customer."""
        schemas = [self.catalogue.schemas[name] for name in self.names(pattern)]
        return all(schema.get("x-about", "customer") == "customer" for schema in schemas)


#: The trigger of a workflow that is started by hand carries what the person gave.
MANUAL = EventPattern(types=frozenset({MANUAL_START}))


def union(types: Iterable[Type]) -> Type:
    """What is known of a value that has one of these types."""
    found: Type | None = None
    for each in types:
        found = each if found is None else _both(found, each)
    return DYN if found is None else found


def _both(one: Type, other: Type) -> Type:
    if one == other:
        return one
    if {one.kind, other.kind} == {TypeKind.INT, TypeKind.DOUBLE}:
        return _within_both(DOUBLE, one, other)
    if one.kind is not other.kind:
        return DYN
    if one.kind is TypeKind.RECORD:
        return _both_records(one, other)
    item = None if one.item is None or other.item is None else _both(one.item, other.item)
    values = (*one.enum, *(value for value in other.enum if value not in one.enum))
    return _within_both(
        replace(
            one,
            item=item,
            enum=values if one.enum and other.enum else (),
            nullable=one.nullable or other.nullable,
            secret=one.secret or other.secret,
            personal=one.personal or other.personal,
        ),
        one,
        other,
    )


def _within_both(found: Type, one: Type, other: Type) -> Type:
    """The type with the bounds that hold for both."""
    least = None if one.least is None or other.least is None else min(one.least, other.least)
    most = None if one.most is None or other.most is None else max(one.most, other.most)
    return replace(found, least=least, most=most)


def _both_records(one: Type, other: Type) -> Type:
    fields = dict(one.fields)
    for name, each in other.fields.items():
        fields[name] = _both(fields[name], each) if name in fields else each
    return replace(
        one,
        fields=fields,
        required=one.required & other.required,
        open=one.open or other.open,
    )


def _with_envelope(payload: Type, names: Type | None) -> Type:
    envelope = {"id": STRING, "occurred_at": TIMESTAMP}
    if names is not None:
        envelope["type"] = names
    return replace(
        payload,
        fields={**payload.fields, **envelope},
        required=payload.required | frozenset(envelope),
    )


def is_amount(value: Type) -> bool:
    """Whether it is a decimal number, as amounts of money are."""
    return value.kind is TypeKind.DOUBLE


def is_number(value: Type) -> bool:
    """Whether it is a number of any kind."""
    return value.kind in (INT.kind, DOUBLE.kind)


def closed(found: Type) -> Type:
    """The type without fields that it does not name, so that a misspelt one is found."""
    if found.kind is TypeKind.LIST and found.item is not None:
        return replace(found, item=closed(found.item))
    if found.kind is TypeKind.RECORD:
        fields = {name: closed(each) for name, each in found.fields.items()}
        return replace(found, fields=fields, open=False)
    return found
