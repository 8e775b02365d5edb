"""Texts: in all languages (SF305), in one segment (SF306), and with a way out (SF307)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shopflow import sms
from shopflow.domain.policy import MessageClass
from shopflow.errors import TemplateError
from shopflow.lang.compiler.sends import channel_nodes
from shopflow.lang.compiler.workflow import CompiledWorkflow
from shopflow.lang.lint.subject import Subject
from shopflow.lang.names import listing
from shopflow.lang.templates import STANDARD, Template
from shopflow.lang.tree import Node
from shopflow.problem import Location, Problem, Severity

#: Classes whose messages end with the word STOP.
_STOPPABLE = frozenset({MessageClass.MARKETING, MessageClass.RELATIONSHIP})
#: What stands for the shop's number while it has none: French ones have five digits.
_SOME_NUMBER = "36000"
#: A code as shops write them, where the template says nothing of it.
_COUPON: Mapping[str, object] = {
    "id": "coupon",
    "type": "percent",
    "value": 10,
    "code": "ABCDE-12345",
    "expires_at": "2026-12-28T23:59:59Z",
}


def fits_one_segment(subject: Subject) -> Iterator[Problem]:
    """A text is one segment, however long its values are, in letters that telephones have."""
    found: dict[str, Template] = {}
    stoppable: set[str] = set()
    for each, step, channel in _texts(subject):
        for template in subject.templates.written(step["template"].text, channel.text):
            found[template.path] = template
            if _is_stoppable(subject, each, step):
                stoppable.add(template.path)
    for path, template in found.items():
        for message, hint in _faults(subject, template, stops=path in stoppable):
            yield Problem(
                code="SF306",
                severity=Severity.WARNING,
                location=Location(path=path),
                message=message,
                hint=hint,
            )


def can_be_stopped(subject: Subject) -> Iterator[Problem]:
    """There is a number for STOP where a text must say one."""
    if subject.sms_stop:
        return
    for each, step, channel in _texts(subject):
        if _is_stoppable(subject, each, step):
            message = "nobody could stop this text: shopflow.yaml names no number for STOP"
            hint = 'add `sms_stop: "36111"` under sender, with the number of your provider'
            yield each.document.problem("SF307", channel, message, hint=hint)


def languages_are_complete(subject: Subject) -> Iterator[Problem]:
    """A template is written in the same languages for every channel."""
    for name in sorted(subject.templates.names()):
        written = {
            channel: subject.templates.locales(name, channel)
            for channel in sorted(subject.templates.channels(name))
        }
        languages = {_language(locale) for locales in written.values() for locale in locales}
        for channel, locales in written.items():
            missing = sorted(languages - {_language(locale) for locale in locales})
            template = subject.templates.find(name, channel, min(locales))
            if missing and template is not None:
                message = f"not written in {listing(missing)}, as it is for other channels"
                hint = f"add {channel}.{missing[0]}: until then, its readers get another language"
                yield Problem(
                    code="SF305",
                    severity=Severity.WARNING,
                    location=Location(path=template.path),
                    message=message,
                    hint=hint,
                )


def _language(locale: str) -> str:
    return locale.split("-", maxsplit=1)[0]


def _texts(subject: Subject) -> Iterator[tuple[CompiledWorkflow, Node, Node]]:
    """Every send by SMS: its workflow, its step, and where the step names the channel."""
    channels = subject.build.context.channels
    for each, step in subject.sends:
        for node in channel_nodes(step["send"]):
            known = channels.get(node.text)
            if known is not None and known.is_sms and known.configured:
                yield each, step, node


def _is_stoppable(subject: Subject, each: CompiledWorkflow, step: Node) -> bool:
    root = each.document.root
    node = step.get("purpose") or (root["purpose"] if root is not None else None)
    purpose = (subject.build.context.purposes or {}).get(node.text if node is not None else "")
    return purpose is None or purpose.message_class in _STOPPABLE


def _faults(subject: Subject, template: Template, *, stops: bool) -> Iterator[tuple[str, str]]:
    """What is wrong with the text, and what to do; nothing where products are picked for it."""
    if template.strategies:
        return
    unsaid = sorted({*template.variables} - {*template.longest} - {*STANDARD})
    if unsaid:
        example = f"longest: {{{unsaid[0]}: …}}"
        hint = f"add `{example}` to the front matter, with a value as long as it gets"
        yield f"nothing says how long {listing(unsaid)} can get", hint
        return
    try:
        values = {"coupon": _COUPON, **template.longest}
        parts = subject.templates.render(template.name, template.channel, template.locale, values)
    except TemplateError as e:
        yield f"cannot be written with the values under longest: {e}", ""
        return
    text = parts.get("text", "").strip()
    if lost := sms.altered(text):
        hint = "write around them where the sense suffers"
        yield f"telephones lack {listing(list(lost))}: accents will be left out", hint
    if stops:
        text = sms.with_stop(text, template.locale, subject.sms_stop or _SOME_NUMBER)
    size = sms.size(sms.plain(text))
    if size.foreign:
        hint = f"take out {listing(list(size.foreign))}"
        message = f"with letters that telephones lack, a segment has 70: it takes {size.segments}"
        yield message, hint
    elif size.segments > 1:
        stop = ", with the word STOP," if stops else ""
        message = f"{size.segments} segments: {size.units} letters{stop} of 160"
        yield message, f"shorten it by {size.units - 160}"
