"""Quiet hours: what rings has some (SF404), and they leave time to send in (SF407)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time

from shopflow.domain.policy import MessageClass, QuietWindow
from shopflow.lang.compiler.context import InstalledChannel
from shopflow.lang.compiler.sends import channel_nodes
from shopflow.lang.lint.subject import Subject
from shopflow.problem import Problem

#: Classes that are not owed: they can wait for the morning.
_CAN_WAIT = frozenset({MessageClass.MARKETING, MessageClass.RELATIONSHIP})
#: Channels, beside text messages, that make a telephone ring.
_RINGING = frozenset({"webpush", "whatsapp"})
_DAYS, _MINUTES = 7, 24 * 60


def what_rings_has_quiet_hours(subject: Subject) -> Iterator[Problem]:
    """A text or a notification that advertises or asks does not ring at night."""
    if any(not file.sound for file in subject.files("QuietHours")):
        return
    windows = subject.build.ruleset.quiet_windows
    for message in subject.messages:
        if message.message_class not in _CAN_WAIT:
            continue
        for node in channel_nodes(message.node["send"]):
            channel = subject.build.context.channels.get(node.text)
            if channel is None or not _rings(channel):
                continue
            if not any(
                window.start is not None and _is_for(window, node.text, message.message_class)
                for window in windows
            ):
                text = f"no quiet hours keep {node.text} silent at night"
                hint = 'add a window to policies/quiet-hours.yaml: from: "20:00", to: "08:00"'
                yield message.each.document.problem("SF404", node, text, hint=hint)


def _rings(channel: InstalledChannel) -> bool:
    return channel.is_sms or channel.name in _RINGING


def _is_for(window: QuietWindow, channel: str, message_class: MessageClass) -> bool:
    return (not window.channels or channel in window.channels) and message_class in window.classes


def a_minute_is_left(subject: Subject) -> Iterator[Problem]:
    """The windows of a channel do not fill the week."""
    if any(not file.sound for file in subject.files("QuietHours")):
        return
    windows = {window.id: window for window in subject.build.ruleset.quiet_windows}
    channels = sorted(subject.build.context.channels)
    for document, root in subject.sound("QuietHours"):
        nodes = root["quiet_hours"].items
        filled: dict[tuple[str, MessageClass, str | None], set[int]] = {}
        for node in nodes:
            window = windows[node["id"].text]
            minutes = set(_quiet_minutes(window))
            full = []
            for channel in sorted(window.channels) or channels:
                for each in sorted(window.classes):
                    week = filled.setdefault((channel, each, window.timezone), set())
                    was_full = len(week) == _DAYS * _MINUTES
                    week |= minutes
                    if len(week) == _DAYS * _MINUTES and not was_full:
                        full.append(f"{each} by {channel}")
            if full:
                text = f"with this window no minute of the week is left for {full[0]}"
                hint = "shorten a window, or name the channels and classes that each is for"
                yield document.problem("SF407", node["id"], text, hint=hint)


def _quiet_minutes(window: QuietWindow) -> Iterator[int]:
    """The minutes of the week, from Monday's midnight on, in which it is quiet."""
    if window.holidays is not None and not window.days:
        return
    for day in window.days or range(_DAYS):
        begin, length = day * _MINUTES, _MINUTES
        if window.start is not None and window.end is not None:
            begin += _minute(window.start)
            length = (_minute(window.end) - _minute(window.start)) % _MINUTES or _MINUTES
        for minute in range(begin, begin + length):
            yield minute % (_DAYS * _MINUTES)


def _minute(moment: time) -> int:
    return moment.hour * 60 + moment.minute
