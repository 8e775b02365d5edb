"""The policies: purposes and consent, frequency caps, quiet hours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from shopflow.domain.policy import (
    CalendarWindow,
    ChannelConsent,
    FrequencyCap,
    IfCapped,
    MessageClass,
    Purpose,
    QuietWindow,
    SoftOptIn,
)
from shopflow.lang.calendars import PublicHolidays, public_holidays
from shopflow.lang.compiler.context import Context
from shopflow.lang.compiler.setting import Setting
from shopflow.lang.compiler.source import Source
from shopflow.lang.lengths import parse_time_of_day, weekdays
from shopflow.lang.names import did_you_mean
from shopflow.lang.tree import Node

#: Classes that caps and quiet hours are for when they do not say.
_DEFAULT_CLASSES = frozenset({MessageClass.MARKETING, MessageClass.RELATIONSHIP})


def compile_purposes(source: Source, root: Node, context: Context) -> dict[str, Purpose]:
    """The purposes, each with its channels: its own or its parent's."""
    setting = Setting(source=source, context=context)
    nodes = dict(root["purposes"].pairs())
    purposes = {name: _purpose(setting, name, node) for name, node in nodes.items()}
    for name, purpose in purposes.items():
        if purpose.parent is not None and purpose.parent not in purposes and not source.partial:
            hint = did_you_mean(purpose.parent, purposes, label="purposes")
            message = f"no purpose named '{purpose.parent}'"
            source.report("SF402", nodes[name]["parent"], message, hint=hint)
    resolved = {}
    for name, purpose in purposes.items():
        line = _ancestors(purpose, purposes)
        if purpose in line:
            message = f"the purpose '{name}' is its own parent"
            source.report("SF402", nodes[name]["parent"], message)
        channels = next((each.channels for each in (purpose, *line) if each.channels), {})
        resolved[name] = replace(purpose, channels=channels)
    return resolved


def _purpose(setting: Setting, name: str, node: Node) -> Purpose:
    channels: dict[str, ChannelConsent] = {}
    if "channels" in node:
        for channel, each in node["channels"].pairs():
            setting.check_policy_channel(node["channels"].key(channel))
            channels[channel] = _channel_consent(setting.source, each)
    return Purpose(
        id=name,
        message_class=MessageClass(node["class"].text),
        parent=node["parent"].text if "parent" in node else None,
        inherit="inherit" in node and node["inherit"].data is True,
        channels=channels,
        title=_words(node, "title"),
        text=_words(node, "text"),
    )


def _words(node: Node, key: str) -> dict[str, str]:
    return {locale: each.text for locale, each in node[key].pairs()} if key in node else {}


def _channel_consent(source: Source, node: Node) -> ChannelConsent:
    soft = node.get("soft_opt_in")
    return ChannelConsent(
        double_opt_in="double_opt_in" in node and node["double_opt_in"].data is True,
        soft_opt_in=None
        if soft is None
        else SoftOptIn(
            event_type=source.event_type(soft["event"]),
            notice_required="notice" not in soft or soft["notice"].text == "required",
        ),
    )


def _ancestors(purpose: Purpose, purposes: Mapping[str, Purpose]) -> list[Purpose]:
    line: list[Purpose] = []
    while purpose.parent is not None and purpose.parent in purposes:
        purpose = purposes[purpose.parent]
        if purpose in line:
            break
        line.append(purpose)
    return line


def compile_caps(
    source: Source, root: Node, context: Context, workflows: frozenset[str] | None
) -> tuple[FrequencyCap, ...]:
    """The frequency caps, in the order of the file."""
    setting = Setting(source=source, context=context)
    setting.unique("cap", [item["id"] for item in root["caps"].items])
    return tuple(_cap(setting, item, workflows) for item in root["caps"].items)


def _cap(setting: Setting, node: Node, workflows: frozenset[str] | None) -> FrequencyCap:
    reserved = node.get("reserved")
    _check_selection(setting, node)
    for item in node["workflows"].items if "workflows" in node else ():
        if workflows is not None and item.text not in workflows:
            hint = did_you_mean(item.text, workflows, label="workflows")
            setting.source.report(
                "SF102", item, f"no workflow named '{item.text}'", hint=hint, known=workflows
            )
    limit = _whole(node["max"])
    slots = _whole(reserved["slots"]) if reserved is not None else 0
    if reserved is not None and slots > limit:
        message = f"{slots} slots are reserved, but the cap has {limit}"
        setting.source.report(
            "SF406", reserved["slots"], message, hint="reserve fewer, or raise max"
        )
    return FrequencyCap(
        id=node["id"].text,
        limit=limit,
        window=CalendarWindow(node["each"].text)
        if "each" in node
        else setting.source.length(node["in_any"]),
        if_capped=IfCapped(node["if_capped"].text) if "if_capped" in node else IfCapped.SKIP,
        channels=_texts(node, "channels"),
        classes=_classes(node),
        purposes=_texts(node, "purposes"),
        tags=_texts(node, "tags"),
        workflows=_texts(node, "workflows"),
        reserved_slots=slots,
        reserved_priority=_whole(reserved["min_priority"]) if reserved is not None else 0,
    )


def compile_quiet_hours(source: Source, root: Node, context: Context) -> tuple[QuietWindow, ...]:
    """The quiet windows, in the order of the file."""
    setting = Setting(source=source, context=context)
    setting.unique("window", [item["id"] for item in root["quiet_hours"].items])
    return tuple(_window(setting, item) for item in root["quiet_hours"].items)


def _window(setting: Setting, node: Node) -> QuietWindow:
    source = setting.source
    _check_selection(setting, node)
    zone = node.get("timezone")
    customers_own = zone is None or zone.text == "customer"
    return QuietWindow(
        id=node["id"].text,
        channels=_texts(node, "channels"),
        start=parse_time_of_day(node["from"].text) if "from" in node else None,
        end=parse_time_of_day(node["to"].text) if "to" in node else None,
        days=weekdays([day.text for day in node["days"].items]) if "days" in node else frozenset(),
        holidays=_holidays(source, node["holidays"]) if "holidays" in node else None,
        timezone=None if zone is None or customers_own else source.timezone(zone),
        classes=_classes(node),
    )


def _holidays(source: Source, node: Node) -> PublicHolidays | None:
    found = public_holidays(node.text)
    if found is None:
        hint = "use a country code such as FR, or FR-57 for a part of it"
        source.report("SF009", node, f"no holidays known for '{node.text}'", hint=hint)
    return found


def _check_selection(setting: Setting, node: Node) -> None:
    for item in node["channels"].items if "channels" in node else ():
        setting.check_policy_channel(item)
    for item in node["purposes"].items if "purposes" in node else ():
        setting.check_purpose(item)


def _texts(node: Node, key: str) -> frozenset[str]:
    return frozenset(item.text for item in node[key].items) if key in node else frozenset()


def _classes(node: Node) -> frozenset[MessageClass]:
    if "classes" not in node:
        return _DEFAULT_CLASSES
    return frozenset(MessageClass(item.text) for item in node["classes"].items)


def _whole(node: Node) -> int:
    return node.data if isinstance(node.data, int) else 0
