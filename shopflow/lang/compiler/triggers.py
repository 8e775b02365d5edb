"""Triggers: what starts an enrolment, in its five forms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import time

from shopflow.domain.expression import Expression
from shopflow.domain.trigger import (
    DateTrigger,
    EventTrigger,
    ManualTrigger,
    ScheduleTrigger,
    SegmentTrigger,
    Trigger,
)
from shopflow.lang.calendars import CronSchedule, cron_schedule
from shopflow.lang.calendars import zone as is_zone
from shopflow.lang.cel.types import DYN, Type, TypeKind
from shopflow.lang.compiler.event_types import MANUAL
from shopflow.lang.compiler.scope import Scope
from shopflow.lang.compiler.setting import Setting
from shopflow.lang.compiler.typed import having, present, type_of
from shopflow.lang.lengths import parse_time_of_day
from shopflow.lang.names import did_you_mean
from shopflow.lang.tree import Kind, Node

#: When a date trigger fires if it does not say.
NINE = time(9, 0)


@dataclass(frozen=True, slots=True)
class CompiledTrigger:
    """A trigger, what `trigger` is afterwards, and what its key may use."""

    trigger: Trigger
    payload: Type
    item: Type | None
    scope: Scope


def compile_trigger(setting: Setting, node: Node) -> CompiledTrigger | None:
    """The compiled trigger; None when the node does not say what it is."""
    for word, compiler in _COMPILERS.items():
        if word in node:
            return compiler(setting, node)
    return None


@dataclass(frozen=True, slots=True)
class _Each:
    """The list of `each` and its element, and the names that a trigger's condition has then."""

    expression: Expression | None
    item: Type | None
    scope: Scope


def _each(setting: Setting, node: Node, scope: Scope) -> _Each:
    if "each" not in node:
        return _Each(None, None, scope)
    expression = setting.source.cel(node["each"], scope.wanting("list").lenient())
    found = type_of(expression, scope)
    item = found.item if found.kind is TypeKind.LIST and found.item is not None else DYN
    return _Each(expression, item, scope.having(item=item))


def _event(setting: Setting, node: Node) -> CompiledTrigger:
    source, types = setting.source, setting.context.event_types
    pattern = source.pattern(node["event"])
    each = _each(setting, node, setting.trigger_scope(types.event(pattern)))
    when = source.optional_cel(node, "when", each.scope.wanting("bool"))
    is_subject = "subject" in node and node["subject"].data is True
    if not types.about_customers(pattern) and "audience" not in node and not is_subject:
        message = "an event about no customer needs an audience, or `subject: true`"
        hint = "audience: a condition that says which customers it concerns"
        source.report("SF004", node["event"], message, hint=hint)
    audience = source.optional_cel(node, "audience", each.scope.wanting("bool"))
    trigger = EventTrigger(
        pattern=pattern,
        when=when,
        each=each.expression,
        audience=audience,
        subject=is_subject,
    )
    there = present(when, "event") | present(audience, "event")
    item = None if each.item is None else having(each.item, present(when, "item"))
    names = {"event": having(types.event(pattern), there)}
    if item is not None:
        names["item"] = item
    payload = having(types.trigger(pattern), there)
    return CompiledTrigger(trigger, payload, item, each.scope.having(**names))


def _segment(setting: Setting, node: Node) -> CompiledTrigger:
    source, name = setting.source, node["segment"]
    if name.text not in setting.context.segments and not setting.context.open_segments:
        hint = did_you_mean(name.text, setting.context.segments, label="segments")
        source.report(
            "SF102",
            name,
            f"no segment named '{name.text}'",
            hint=hint,
            known=setting.context.segments,
        )
    scope = setting.trigger_scope(None)
    enters = "on" not in node or node["on"].text == "enters"
    asks = "backfill" in node and node["backfill"].data is True
    if asks and not enters:
        message = "only those in a segment can be there already: `on: leaves` has no backfill"
        hint = "leave backfill away, or start on `enters`"
        source.report("SF004", node["backfill"], message, hint=hint)
    trigger = SegmentTrigger(
        segment=name.text,
        enters=enters,
        backfill=asks,
        when=source.optional_cel(node, "when", scope.wanting("bool")),
    )
    return CompiledTrigger(trigger, setting.context.event_types.trigger(None), None, scope)


def _date(setting: Setting, node: Node) -> CompiledTrigger:
    source = setting.source
    each = _each(setting, node, setting.trigger_scope(None))
    trigger = DateTrigger(
        date=source.cel(node["date"], each.scope.lenient()),
        at=parse_time_of_day(node["at"].text) if "at" in node else NINE,
        offset=source.length(node.get("offset")),
        yearly="every" in node,
        each=each.expression,
        when=source.optional_cel(node, "when", each.scope.wanting("bool")),
    )
    payload = setting.context.event_types.trigger(None)
    return CompiledTrigger(trigger, payload, each.item, each.scope)


def _schedule(setting: Setting, node: Node) -> CompiledTrigger:
    source, schedule = setting.source, node["schedule"]
    is_short = schedule.kind is Kind.SCALAR
    cron = schedule if is_short else schedule["cron"]
    zone = None if is_short else schedule.get("timezone")
    timezone = source.timezone(zone) if zone is not None else setting.context.timezone
    recurrence = cron_schedule(cron.text, timezone if is_zone(timezone) else "UTC")
    if not isinstance(recurrence, CronSchedule):
        message = f"'{cron.text}' is no cron schedule: {recurrence}"
        hint = 'minute, hour, day of month, month, day of week: "0 10 * * mon"'
        source.report("SF009", cron, message, hint=hint)
        recurrence = CronSchedule("0 0 1 1 *", "UTC")
    scope = setting.trigger_scope(None)
    when = source.optional_cel(node, "when", scope.wanting("bool"))
    audience = source.optional_cel(node, "audience", scope.wanting("bool"))
    if when is not None:
        hint = "move the condition into audience"
        source.report("SF004", node.key("when"), "a schedule has an audience, no when", hint=hint)
    trigger = ScheduleTrigger(
        recurrence=recurrence, audience=audience, spread=source.length(node.get("spread"))
    )
    return CompiledTrigger(trigger, setting.context.event_types.trigger(None), None, scope)


def _manual(setting: Setting, node: Node) -> CompiledTrigger:
    types = setting.context.event_types
    scope = setting.trigger_scope(types.event(MANUAL))
    when = setting.source.optional_cel(node, "when", scope.wanting("bool"))
    return CompiledTrigger(ManualTrigger(when=when), DYN, None, scope)


_COMPILERS: Mapping[str, Callable[[Setting, Node], CompiledTrigger]] = {
    "event": _event,
    "segment": _segment,
    "date": _date,
    "schedule": _schedule,
    "manual": _manual,
}
