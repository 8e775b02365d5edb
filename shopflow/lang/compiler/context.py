"""What rules are compiled against: the events, what is known of customers, purposes, channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property

from shopflow.domain.policy import Purpose
from shopflow.domain.trait import Attribute, Segment, Trait
from shopflow.lang.cel.types import (
    BOOL,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    Type,
    list_of,
    record,
)
from shopflow.lang.compiler.event_types import EventTypes
from shopflow.lang.compiler.scope import Scope
from shopflow.lang.schemas import EventCatalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledChannel:
    """What rules need to know of a channel: what it takes from templates, and its address."""

    name: str
    needs_address: bool = True
    #: Endings of its template files; empty when it takes none.
    extensions: tuple[str, ...] = ()
    #: Parts of its templates that must, and that may, be there.
    required_parts: tuple[str, ...] = ()
    optional_parts: tuple[str, ...] = ()
    #: Its text travels as SMS.
    is_sms: bool = False
    #: shopflow.yaml names it.
    configured: bool = True


@dataclass(frozen=True, kw_only=True)
class Context:
    """The declarations that expressions and workflows refer to."""

    catalogue: EventCatalogue
    event_types: EventTypes
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    traits: Mapping[str, Trait] = field(default_factory=dict)
    segments: Mapping[str, Segment] = field(default_factory=dict)
    #: None while the consent policy cannot be read: then no purpose is called unknown.
    purposes: Mapping[str, Purpose] | None = None
    channels: Mapping[str, InstalledChannel] = field(default_factory=dict)
    timezone: str = "UTC"
    #: A file could not be read as a whole: what is not known here may be in it.
    open_profile: bool = False
    open_segments: bool = False
    #: The customer record, with the types of attributes and traits.
    customer: Type = DYN

    def customer_scope(self, place: str) -> Scope:
        """What can be used wherever there is a customer."""
        return Scope(place, self._names)

    @cached_property
    def _names(self) -> Mapping[str, Type]:
        return {
            "customer": self.customer,
            "segments": DYN if self.open_segments else record(dict.fromkeys(self.segments, BOOL)),
            "reachable": record(dict.fromkeys(self.channels, BOOL)),
            "now": TIMESTAMP,
        }


def type_of_value(value: object) -> Type:
    """The type of a literal under `values`."""
    match value:
        case bool():
            return BOOL
        case int():
            return INT
        case float():
            return DOUBLE
        case str():
            return STRING
        case timedelta():
            return DURATION
        case list() | tuple():
            types = {type_of_value(each).kind: type_of_value(each) for each in value}
            return list_of(next(iter(types.values())) if len(types) == 1 else DYN)
        case _:
            return DYN
