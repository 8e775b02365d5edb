"""Traits and segments: what is known of a customer, compiled and typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from shopflow.domain.trait import Aggregate, Attribute, Segment, Trait, TraitType
from shopflow.domain.trigger import EventPattern
from shopflow.lang.cel.types import (
    BOOL,
    DOUBLE,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    Type,
    TypeKind,
    list_of,
    map_of,
    record,
    type_from_schema,
)
from shopflow.lang.compiler.context import Context
from shopflow.lang.compiler.event_types import EventTypes, closed, is_amount
from shopflow.lang.compiler.scope import Scope
from shopflow.lang.compiler.source import Source
from shopflow.lang.compiler.typed import having, present, type_of
from shopflow.lang.schemas import EventCatalogue
from shopflow.lang.tree import Node

#: The event whose payload names the attributes that every shop has.
PROFILE_EVENT = "customer.updated"
#: A trait's value before the first event; the others are not there until then.
_ALWAYS_THERE = frozenset({Aggregate.COUNT, Aggregate.SUM, Aggregate.COLLECT})

_SUMMABLE = frozenset({TypeKind.INT, TypeKind.DOUBLE, TypeKind.DYN})
_TYPES: Mapping[TraitType, Type] = {
    TraitType.STRING: STRING,
    TraitType.INTEGER: INT,
    TraitType.NUMBER: DOUBLE,
    TraitType.BOOLEAN: BOOL,
    TraitType.TIMESTAMP: TIMESTAMP,
    TraitType.DATE: STRING,
    TraitType.LIST: list_of(DYN),
    TraitType.MAP: map_of(STRING, DYN),
    TraitType.ANY: DYN,
}
_KINDS: Mapping[TypeKind, TraitType] = {
    TypeKind.STRING: TraitType.STRING,
    TypeKind.INT: TraitType.INTEGER,
    TypeKind.DOUBLE: TraitType.NUMBER,
    TypeKind.BOOL: TraitType.BOOLEAN,
    TypeKind.TIMESTAMP: TraitType.TIMESTAMP,
    TypeKind.LIST: TraitType.LIST,
    TypeKind.MAP: TraitType.MAP,
    TypeKind.RECORD: TraitType.MAP,
}


def builtin_attributes(catalogue: EventCatalogue) -> tuple[dict[str, Attribute], dict[str, Type]]:
    """The attributes that every shop has, and how conditions see them."""
    schema = catalogue.schemas.get(PROFILE_EVENT, {})
    payload = closed(type_from_schema(schema, date_time=STRING))
    attributes, types = {}, {}
    for name, each in payload.fields.items():
        if name == "tags":
            continue
        kind = _KINDS.get(each.kind, TraitType.ANY)
        if schema["properties"][name].get("format") == "date":
            kind = TraitType.DATE
        attributes[name] = Attribute(name=name, type=kind)
        types[name] = each
    return attributes, types


def compile_profile(source: Source | None, context: Context) -> Context:
    """The context with attributes and traits, of traits.yaml or without one."""
    attributes, types = builtin_attributes(context.catalogue)
    traits: dict[str, Trait] = {}
    required = {"id", "tags"}
    types |= {"id": STRING, "tags": list_of(STRING)}
    root = source.document.root if source is not None else None
    if source is not None and root is not None:
        for name, node in _entries(root, "attributes"):
            kind = TraitType(node["type"].text)
            if name not in attributes or attributes[name].type is not kind:
                types[name] = _TYPES[kind]
            attributes[name] = Attribute(name=name, type=kind)
        for name, node in _entries(root, "traits"):
            if name in attributes:
                where = root["traits"].key(name)
                source.report(
                    "SF007", where, f"'{name}' is an attribute already", hint="rename the trait"
                )
            traits[name], types[name] = _trait(source, name, node, context.event_types)
            if traits[name].by is not None or traits[name].aggregate in _ALWAYS_THERE:
                required.add(name)
    customer = record(types, required=required)
    return replace(context, attributes=attributes, traits=traits, customer=customer)


def _entries(root: Node, key: str) -> list[tuple[str, Node]]:
    node = root.get(key)
    return [] if node is None else list(node.pairs())


def _trait(source: Source, name: str, node: Node, types: EventTypes) -> tuple[Trait, Type]:
    pattern = source.pattern(node["event"])
    event = types.event(pattern)
    when = source.optional_cel(node, "when", Scope("a trait", {"event": event}, "bool"))
    # The value is only worked out where the condition holds.
    scope = Scope("a trait", {"event": having(event, present(when, "event"))})
    aggregate = next(each for each in Aggregate if each.value in node and _is_aggregate(node, each))
    value = None if aggregate is Aggregate.COUNT else source.cel(node[aggregate.value], scope)
    value_type = replace(INT, least=0) if value is None else type_of(value, scope)
    if aggregate is Aggregate.SUM and value_type.kind not in _SUMMABLE:
        source.report("SF104", node["sum"], f"a sum adds numbers, this is {value_type}")
    if aggregate is Aggregate.SUM:
        value_type = replace(value_type, least=None, most=None)
    if aggregate is Aggregate.COLLECT and value_type.kind is not TypeKind.LIST:
        value_type = list_of(value_type)
    kind = _KINDS.get(value_type.kind, TraitType.ANY)
    if "type" in node:
        kind = TraitType(node["type"].text)
        value_type = _TYPES[kind]
    limit = node.get("max")
    trait = Trait(
        name=name,
        type=kind,
        pattern=pattern,
        aggregate=aggregate,
        value=value,
        when=when,
        by=source.optional_cel(node, "by", scope),
        window=source.length(node["in_any"]) if "in_any" in node else None,
        limit=limit.data if limit is not None and isinstance(limit.data, int) else 50,
        money=_is_money(node, aggregate, value_type, pattern, types),
    )
    if trait.by is not None:
        value_type = map_of(STRING, value_type)
    return trait, value_type


def _is_aggregate(node: Node, aggregate: Aggregate) -> bool:
    # `max` is the largest value as text, and the most entries as a number.
    return aggregate is not Aggregate.MAX or isinstance(node["max"].data, str)


def _is_money(
    node: Node, aggregate: Aggregate, value: Type, pattern: EventPattern, types: EventTypes
) -> bool:
    if "money" in node:
        return node["money"].data is True
    if aggregate is not Aggregate.SUM or not is_amount(value):
        return False
    event = types.event(pattern)
    return "currency" in event.fields


def compile_segments(source: Source | None, context: Context) -> Context:
    """The context with the segments of segments.yaml."""
    root = source.document.root if source is not None else None
    if source is None or root is None:
        return context
    entries = _entries(root, "segments")
    segments: dict[str, Segment] = {}
    scope = context.customer_scope("a segment").having(
        segments=record({name: BOOL for name, _ in entries})
    )
    for name, node in entries:
        when = source.cel(node["when"], scope.wanting("bool"))
        segments[name] = Segment(name=name, when=when)
    _report_circles(source, segments, dict(entries))
    timed = {
        name: replace(each, timed=_is_timed(each, segments, context))
        for name, each in segments.items()
    }
    return replace(context, segments=timed)


def _used(segment: Segment) -> set[str]:
    return {path[1] for path in segment.when.reads if path[0] == "segments" and len(path) > 1}


def _closure(name: str, segments: Mapping[str, Segment]) -> set[str]:
    """The segments that it reads, directly or through others."""
    found: set[str] = set()
    todo = _used(segments[name])
    while todo:
        each = todo.pop()
        if each not in found and each in segments:
            found.add(each)
            todo |= _used(segments[each])
    return found


def _is_timed(segment: Segment, segments: Mapping[str, Segment], context: Context) -> bool:
    for each in (segment, *(segments[name] for name in _closure(segment.name, segments))):
        for path in each.when.reads:
            trait = context.traits.get(path[1]) if path[0] == "customer" and len(path) > 1 else None
            if path[0] == "now" or (trait is not None and trait.window is not None):
                return True
    return False


def _report_circles(
    source: Source, segments: Mapping[str, Segment], nodes: Mapping[str, Node]
) -> None:
    for name in segments:
        if name in _closure(name, segments):
            source.report(
                "SF102",
                nodes[name]["when"],
                f"the segment '{name}' is defined by itself",
                hint="take one of the segments out of the circle",
            )
