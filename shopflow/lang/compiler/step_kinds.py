"""How each kind of step is compiled; putting them in sequence is `steps`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from shopflow.domain.expression import Expression
from shopflow.domain.ids import StepId
from shopflow.domain.step import (
    Branch,
    ChangeConsent,
    Choose,
    ConsentChange,
    DrawCode,
    Emit,
    End,
    Repeat,
    SetValues,
    Split,
    Step,
    TrialRule,
    Wait,
    WaitFor,
)
from shopflow.domain.trial import Result
from shopflow.lang.compiler.event_types import union
from shopflow.lang.compiler.path import Passed
from shopflow.lang.compiler.sends import compile_send
from shopflow.lang.compiler.setting import Setting
from shopflow.lang.compiler.shape import split_branches
from shopflow.lang.compiler.tools import compile_ticket, compile_webhook
from shopflow.lang.compiler.typed import having, present
from shopflow.lang.lengths import parse_share, parse_time_of_day, weekdays
from shopflow.lang.tree import Kind, Node


@dataclass(frozen=True, slots=True)
class Common:
    """What every kind of step is compiled from."""

    node: Node
    id: StepId
    next: StepId | None
    only_if: Expression | None
    passed: Passed


Compiled = tuple[Step, Passed]


class Sequencer(Protocol):
    """What compiles the steps inside a step."""

    setting: Setting

    def sequence(
        self, nodes: Sequence[Node], after: StepId | None, passed: Passed
    ) -> tuple[StepId | None, Passed]:
        """Steps one after the other: where they begin, and what has been passed at their end."""


def _wait(compiler: Sequencer, common: Common) -> Compiled:
    source = compiler.setting.source
    scope = compiler.setting.step_scope(common.passed)
    node = common.node["wait"]
    is_short = node.kind is Kind.SCALAR
    length = node if is_short else node.get("for")
    until = None if is_short else node.get("until")
    until_time = None if is_short else node.get("until_time")
    gather = None if is_short else node.get("gather")
    days = None if is_short else node.get("days")
    step = Wait(
        id=common.id,
        next=common.next,
        only_if=common.only_if,
        length=None if length is None else source.length_cel(length, scope),
        until=None if until is None else source.cel(until, scope.wanting("timestamp")),
        until_time=None if until_time is None else parse_time_of_day(until_time.text),
        days=frozenset() if days is None else weekdays([day.text for day in days.items]),
        gather=_whole(gather),
    )
    return step, common.passed.after_step(common.id)


def _wait_for(compiler: Sequencer, common: Common) -> Compiled:
    setting, node = compiler.setting, common.node
    source = setting.source
    scope = setting.step_scope(common.passed)
    pattern = source.pattern(node["wait_for"])
    event = setting.context.event_types.event(pattern)
    match = setting.match(node.get("match"), scope, event)
    with_event = scope.having("a wait_for", event=event)
    when = source.optional_cel(node, "when", with_event.wanting("bool"))
    met = having(event, {*present(when, "event"), *((name,) for name in match)})
    begin, after_then = _branch(
        compiler, node.get("then"), common, common.passed.after_step(common.id, event=met)
    )
    otherwise, after_else = _branch(
        compiler, node.get("else"), common, common.passed.after_step(common.id)
    )
    step = WaitFor(
        id=common.id,
        next=common.next,
        only_if=common.only_if,
        pattern=pattern,
        match=match,
        when=when,
        timeout=source.length_cel(node["timeout"], scope),
        then=begin,
        otherwise=otherwise,
    )
    return step, Passed.either([after_then, after_else])


def _branch(
    compiler: Sequencer, steps: Node | None, common: Common, passed: Passed
) -> tuple[StepId | None, Passed]:
    """A branch joins the way again at the step that follows."""
    return compiler.sequence(steps.items if steps is not None else [], common.next, passed)


def _send(compiler: Sequencer, common: Common) -> Compiled:
    scope = compiler.setting.step_scope(common.passed)
    step = compile_send(
        compiler.setting,
        common.node,
        scope,
        step_id=common.id,
        following=common.next,
        only_if=common.only_if,
    )
    after = common.passed.after_step(common.id)
    return step, after if step.coupon is None else after.maybe_drawing(common.id)


def _coupon(compiler: Sequencer, common: Common) -> Compiled:
    otherwise, without = _branch(
        compiler, common.node.get("else"), common, common.passed.after_step(common.id)
    )
    step = DrawCode(
        id=common.id,
        next=common.next,
        only_if=common.only_if,
        coupon=common.node["coupon"].text,
        otherwise=otherwise,
    )
    return step, Passed.either([common.passed.drawing(common.id), without])


def _choose(compiler: Sequencer, common: Common) -> Compiled:
    setting = compiler.setting
    inside = common.passed.after_step(common.id)
    scope = setting.step_scope(common.passed).wanting("bool")
    branches, ends, otherwise = [], [], common.next
    items = common.node["choose"].items
    for number, item in enumerate(items, 1):
        if "else" in item:
            if number < len(items):
                hint = "move it to the end of the list"
                setting.source.report(
                    "SF202", item.key("else"), "`else` is not the last branch", hint=hint
                )
            otherwise, after = _branch(compiler, item["else"], common, inside)
        else:
            when = setting.source.cel(item["when"], scope)
            target, after = _branch(compiler, item["then"], common, inside)
            branches.append(Branch(name=str(number), target=target, when=when))
        ends.append(after)
    step = Choose(
        id=common.id,
        next=common.next,
        only_if=common.only_if,
        branches=tuple(branches),
        otherwise=otherwise,
    )
    return step, Passed.either(ends)


def _split(compiler: Sequencer, common: Common) -> Compiled:
    inside = common.passed.after_step(common.id)
    node = common.node["split"]
    items = split_branches(node)
    tried = node.kind is Kind.MAP
    weights = [1.0 if tried else _number(item["weight"]) for item in items]
    whole = parse_share(node["test"].text) if tried else 1.0
    compiler.setting.unique("branch", [item["name"] for item in items])
    branches, ends = [], []
    for item, weight in zip(items, weights, strict=True):
        target, after = _branch(compiler, item["then"], common, inside)
        share = whole * weight / sum(weights)
        branches.append(Branch(name=item["name"].text, target=target, weight=share))
        ends.append(after)
    step = Split(
        id=common.id,
        next=common.next,
        only_if=common.only_if,
        branches=tuple(branches),
        trial=_trial(compiler.setting, common, node) if tried else None,
    )
    return step, Passed.either(ends)


def _trial(setting: Setting, common: Common, node: Node) -> TrialRule:
    scope = setting.step_scope(common.passed)
    return TrialRule(
        decide_after=setting.source.length_cel(node["decide_after"], scope),
        by=Result(node["by"].text),
        per=setting.source.optional_cel(node, "per", scope.wanting("key")),
    )


def _repeat(compiler: Sequencer, common: Common) -> Compiled:
    setting, node = compiler.setting, common.node["repeat"]
    scope = setting.step_scope(common.passed)
    inside = common.passed.after_step(common.id)
    # After its last step a round comes back here; the next begins from here.
    body, after = compiler.sequence(node["steps"].items, common.id, inside)
    step = Repeat(
        id=common.id,
        next=common.next,
        only_if=common.only_if,
        body=body if body != common.id else None,
        every=setting.source.length_cel(node["every"], scope),
        limit=_whole(node["max"]),
        while_=setting.source.optional_cel(
            node, "while", setting.step_scope(Passed.either([inside, after])).wanting("bool")
        ),
    )
    # `while` may be false at once.
    return step, Passed.either([inside, after]) if "while" in node else _unended(after, inside)


def _unended(after: Passed, inside: Passed) -> Passed:
    return after if not after.ended else Passed.either([after, inside]).ending()


def _set(compiler: Sequencer, common: Common) -> Compiled:
    setting, node = compiler.setting, common.node["set"]
    attributes = node.get("attributes")
    for name, _ in attributes.pairs() if attributes is not None else ():
        known = setting.context.attributes
        if attributes is not None and name not in known and not setting.context.open_profile:
            setting.unknown_attribute(attributes.key(name), name)
    step = SetValues(
        id=common.id,
        next=common.next,
        only_if=common.only_if,
        attributes=setting.source.cel_map(attributes, setting.step_scope(common.passed)),
        add_tags=_texts(node.get("add_tags")),
        remove_tags=_texts(node.get("remove_tags")),
    )
    return step, common.passed.after_step(common.id)


def _consent(compiler: Sequencer, common: Common) -> Compiled:
    setting, node = compiler.setting, common.node["consent"]
    purpose, channel, length = node.get("purpose"), node.get("channel"), node.get("for")
    if purpose is not None:
        setting.check_purpose(purpose)
    if channel is not None:
        setting.check_channel(channel)
    step = ChangeConsent(
        id=common.id,
        next=common.next,
        only_if=common.only_if,
        state=ConsentChange(node["state"].text),
        purpose=purpose.text if purpose is not None else None,
        channel=channel.text if channel is not None else None,
        length=None
        if length is None
        else setting.source.length_cel(length, setting.step_scope(common.passed)),
    )
    return step, common.passed.after_step(common.id)


def _emit(compiler: Sequencer, common: Common) -> Compiled:
    setting, node = compiler.setting, common.node["emit"]
    scope = setting.step_scope(common.passed)
    event_type = setting.source.event_type(node["event"])
    data = node.get("data")
    payload = setting.context.event_types.payload(event_type)
    for name, _ in data.pairs() if data is not None else ():
        if data is not None and payload.fields and name not in payload.fields:
            setting.unknown_field(data.key(name), name, union([payload]))
    step = Emit(
        id=common.id,
        next=common.next,
        only_if=common.only_if,
        event_type=event_type,
        data=setting.source.cel_map(data, scope),
        to=setting.source.optional_cel(node, "to", scope),
    )
    return step, common.passed.after_step(common.id)


def _ticket(compiler: Sequencer, common: Common) -> Compiled:
    scope = compiler.setting.step_scope(common.passed)
    step = compile_ticket(compiler.setting, common, scope)
    return step, common.passed.after_step(common.id)


def _webhook(compiler: Sequencer, common: Common) -> Compiled:
    scope = compiler.setting.step_scope(common.passed)
    step = compile_webhook(compiler.setting, common, scope)
    return step, common.passed.after_step(common.id)


def _end(compiler: Sequencer, common: Common) -> Compiled:
    del compiler
    step = End(
        id=common.id,
        next=common.next if common.only_if is not None else None,
        only_if=common.only_if,
        outcome=common.node["end"].text,
    )
    return step, common.passed.after_step(common.id).ending()


COMPILERS: Mapping[str, Callable[[Sequencer, Common], Compiled]] = {
    "wait": _wait,
    "wait_for": _wait_for,
    "send": _send,
    "choose": _choose,
    "split": _split,
    "repeat": _repeat,
    "coupon": _coupon,
    "set": _set,
    "consent": _consent,
    "emit": _emit,
    "ticket": _ticket,
    "webhook": _webhook,
    "end": _end,
}


def _texts(node: Node | None) -> tuple[str, ...]:
    return () if node is None else tuple(item.text for item in node.items)


def _whole(node: Node | None) -> int:
    return node.data if node is not None and isinstance(node.data, int) else 0


def _number(node: Node) -> float:
    return float(node.data) if isinstance(node.data, (int, float)) else 0.0
