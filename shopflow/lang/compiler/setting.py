"""The setting of one workflow's expressions: its own names, and checks of names it refers to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shopflow.domain.expression import Expression
from shopflow.domain.policy import MessageClass, Purpose
from shopflow.lang.cel.types import DYN, Type, list_of, record
from shopflow.lang.compiler.context import Context, type_of_value
from shopflow.lang.compiler.path import Passed
from shopflow.lang.compiler.scope import Scope
from shopflow.lang.compiler.source import Source
from shopflow.lang.names import did_you_mean, nearest
from shopflow.lang.tree import Node


@dataclass(slots=True, kw_only=True)
class Setting:
    """What the expressions of one workflow can use, beside the names of the customer."""

    source: Source
    context: Context
    values: Mapping[str, object] = field(default_factory=dict)
    trigger: Type = DYN
    item: Type | None = None
    #: Types of `let`, filled once they are known.
    let: dict[str, Type] = field(default_factory=dict)
    purpose: str = ""
    #: A wait of the workflow gathers further triggers.
    gathers: bool = False
    #: The scope worked out last: a step asks for its own more than once.
    _latest: tuple[Passed, str, Scope] | None = None
    _values: Type | None = None

    def trigger_scope(self, event: Type | None) -> Scope:
        """What a trigger's expressions may use."""
        names = {"values": self._values_type()}
        if event is not None:
            names["event"] = event
        return self.context.customer_scope("the trigger").having(**names)

    def enrolment_scope(self, place: str) -> Scope:
        """What every expression of an enrolment may use, but for `vars` and `steps`."""
        names = {"values": self._values_type(), "trigger": self.trigger}
        if self.item is not None:
            names["item"] = self.item
        if self.gathers:
            names["gathered"] = list_of(self.trigger)
        return self.context.customer_scope(place).having(**names)

    def match(self, node: Node | None, scope: Scope, event: Type) -> dict[str, Expression]:
        """What fields of an event must equal; a field that it does not have is reported."""
        found = dict(self.source.cel_map(node, scope))
        for name in found:
            if node is not None and event.fields and name not in event.fields:
                self.unknown_field(node.key(name), name, event)
        return found

    def step_scope(self, passed: Passed, place: str = "a step") -> Scope:
        """What a step's expressions may use, after these steps."""
        if self._latest is not None and self._latest[0] is passed and self._latest[1] == place:
            return self._latest[2]
        scope = self.enrolment_scope(place).having(
            vars=record(self.let), steps=passed.steps_type({})
        )
        self._latest = (passed, place, scope)
        return scope

    def _values_type(self) -> Type:
        if self._values is None:
            self._values = record({name: type_of_value(each) for name, each in self.values.items()})
        return self._values

    def purpose_of(self, name: str) -> Purpose | None:
        """The purpose of that name, when it is known."""
        return (self.context.purposes or {}).get(name)

    def is_service(self, purpose: str) -> bool:
        """Whether messages of this purpose are service."""
        found = self.purpose_of(purpose)
        return found is not None and found.message_class in (
            MessageClass.SERVICE,
            MessageClass.INTERNAL,
        )

    def check_purpose(self, node: Node) -> None:
        """Reports a purpose that the consent policy does not have."""
        purposes = self.context.purposes
        if purposes is not None and node.text not in purposes:
            hint = did_you_mean(node.text, purposes, label="purposes")
            self.source.report("SF402", node, f"no purpose named '{node.text}'", hint=hint)

    def check_channel(self, node: Node) -> None:
        """Reports a channel that is not installed, or that shopflow.yaml does not set up."""
        self.check_channel_of(node, node.text)

    def check_channel_of(self, node: Node, name: str) -> None:
        """The same for a channel that the step does not name, because it always uses that one."""
        channels = self.context.channels
        if name not in channels:
            hint = did_you_mean(name, channels, label="installed")
            self.source.report(
                "SF313", node, f"no channel named '{name}'", hint=hint, known=channels
            )
        elif not channels[name].configured:
            message = f"the channel '{name}' is not set up in shopflow.yaml"
            hint = f"add `{name}` under channels"
            self.source.report("SF313", node, message, hint=hint)

    def internal_purpose(self, node: Node) -> str:
        """A purpose of class internal; reports that there is none."""
        purposes = self.context.purposes
        found = [
            name
            for name, purpose in sorted((purposes or {}).items())
            if purpose.message_class is MessageClass.INTERNAL
        ]
        if purposes is not None and not found:
            hint = "add `internal: {class: internal}` to policies/consent.yaml"
            self.source.report("SF402", node, "no purpose has the class internal", hint=hint)
        return found[0] if found else "internal"

    def check_policy_channel(self, node: Node) -> None:
        """Reports a channel of a policy that looks like a slip.

        A policy may speak of channels that are not installed yet: consent comes before sending.
        """
        if node.text not in self.context.channels and nearest(node.text, self.context.channels):
            self.check_channel(node)

    def check_covered(self, purpose: str, channel: Node) -> None:
        """Reports a channel on which nobody can have agreed to the purpose."""
        found = self.purpose_of(purpose)
        if found is None or found.message_class is not MessageClass.MARKETING:
            return
        if channel.text in self.context.channels and channel.text not in found.channels:
            message = f"the purpose '{purpose}' does not cover the channel '{channel.text}'"
            covered = ", ".join(sorted(found.channels)) or "none"
            hint = (
                f"name the channel under the purpose in policies/consent.yaml; covered: {covered}"
            )
            self.source.report("SF402", channel, message, hint=hint)

    def unknown_field(self, node: Node, name: str, event: Type) -> None:
        """Reports a payload field that the event does not have."""
        hint = did_you_mean(name, event.fields, label="fields")
        self.source.report(
            "SF103", node, f"the event has no field '{name}'", hint=hint, known=event.fields
        )

    def unknown_attribute(self, node: Node, name: str) -> None:
        """Reports an attribute that nobody declared."""
        hint = did_you_mean(name, self.context.attributes)
        if not hint.startswith("did"):
            hint = "declare it under attributes in rules/traits.yaml"
        self.source.report(
            "SF103", node, f"no attribute named '{name}'", hint=hint, known=self.context.attributes
        )

    def unique(self, what: str, nodes: Sequence[Node]) -> None:
        """Reports names that stand twice."""
        first: dict[str, Node] = {}
        for node in nodes:
            if node.text in first:
                line = first[node.text].span.line + 1
                message = f"a second {what} named '{node.text}'; the first is in line {line}"
                self.source.report("SF007", node, message, hint="give it a name of its own")
            else:
                first[node.text] = node
