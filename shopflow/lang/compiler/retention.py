"""How long what happened is kept, from rules/policies/retention.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from shopflow.domain.policy import Retention
from shopflow.domain.trait import Aggregate, Trait
from shopflow.lang.compiler.source import Source
from shopflow.lang.names import did_you_mean
from shopflow.lang.tree import Node


def compile_retention(source: Source, root: Node, traits: Mapping[str, Trait]) -> Retention:
    """The policy; what it does not say is as it is by default."""
    plain = Retention()
    of_types, people = root.get("event_types"), root.get("people")
    return Retention(
        events=source.length(root.get("events"), plain.events),
        event_types=plain.event_types if of_types is None else _by_type(source, of_types),
        journal=source.length(root.get("journal"), plain.journal),
        dead_letters=source.length(root.get("dead_letters"), plain.dead_letters),
        bodies=source.length(root.get("bodies"), plain.bodies),
        unconfirmed=source.length(root.get("unconfirmed"), plain.unconfirmed),
        bundles=source.length(root.get("bundles"), plain.bundles),
        consent_proof=source.length(root.get("consent_proof"), plain.consent_proof),
        people=source.length(people.get("after") if people else None, plain.people),
        people_since=None if people is None else _last_contact(source, people["since"], traits),
    )


def _last_contact(source: Source, node: Node, traits: Mapping[str, Trait]) -> str:
    """The trait that keeps the newest of its events, and so their time."""
    trait = traits.get(node.text)
    if trait is None:
        hint = did_you_mean(node.text, traits, label="traits")
        source.report("SF103", node, f"no trait named '{node.text}'", hint=hint, known=traits)
    elif trait.aggregate is not Aggregate.LAST or trait.window or trait.by:
        message = f"the trait '{node.text}' does not keep the last of its events"
        source.report("SF103", node, message, hint="declare it with `last`, without `in_any`, `by`")
    return node.text


def _by_type(source: Source, node: Node) -> dict[str, timedelta]:
    for name, _ in node.pairs():
        if name not in source.events:
            hint = did_you_mean(name, source.events.schemas)
            source.report(
                "SF106",
                node.key(name),
                f"no event type '{name}'",
                hint=hint,
                known=source.events.schemas,
            )
    return {name: source.length(length) for name, length in node.pairs()}
