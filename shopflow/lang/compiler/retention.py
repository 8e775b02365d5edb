"""How long what happened is kept, from rules/policies/retention.yaml."""

from __future__ import annotations

from datetime import timedelta

from shopflow.domain.policy import Retention
from shopflow.lang.compiler.source import Source
from shopflow.lang.names import did_you_mean
from shopflow.lang.tree import Node


def compile_retention(source: Source, root: Node) -> Retention:
    """The policy; what it does not say is as it is by default."""
    plain = Retention()
    of_types = root.get("event_types")
    return Retention(
        events=source.length(root.get("events"), plain.events),
        event_types=plain.event_types if of_types is None else _by_type(source, of_types),
        journal=source.length(root.get("journal"), plain.journal),
        dead_letters=source.length(root.get("dead_letters"), plain.dead_letters),
    )


def _by_type(source: Source, node: Node) -> dict[str, timedelta]:
    for name, _ in node.pairs():
        if name not in source.events:
            hint = did_you_mean(name, source.events.schemas)
            source.report("SF106", node.key(name), f"no event type '{name}'", hint=hint)
    return {name: source.length(length) for name, length in node.pairs()}
