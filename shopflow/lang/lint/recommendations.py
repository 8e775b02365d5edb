"""Templates that recommend: what has to be known (SF327), under which class (SF403)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shopflow.domain.policy import MessageClass
from shopflow.domain.recommendation import BOUGHT, CART, VIEWED, Strategy
from shopflow.domain.trait import Aggregate
from shopflow.lang.compiler.sends import channel_nodes
from shopflow.lang.lint.subject import Subject
from shopflow.lang.templates import Template
from shopflow.lang.tree import Node
from shopflow.problem import Problem

#: Trait -> how to declare it.
_DECLARED: Mapping[str, str] = {
    BOUGHT: '{event: order.placed, collect: "event.items.map(i, i.sku)", in_any: 180d}',
    CART: '{event: cart.updated, last: "event.items.map(i, i.sku)"}',
    VIEWED: "{event: product.viewed, collect: event.sku}",
}
_LISTS = frozenset({Aggregate.COLLECT, Aggregate.LAST})


def shoppers_are_known(subject: Subject) -> Iterator[Problem]:
    """The traits are declared that keep what a customer has from being recommended."""
    if subject.build.context.open_profile:
        return
    for each, step in subject.sends:
        strategies = {one for template in _templates(subject, step) for one in template.strategies}
        if not strategies:
            continue
        needed = [BOUGHT, CART]
        if Strategy.RECENTLY_VIEWED in strategies:
            needed.append(VIEWED)
        for name in needed:
            trait = subject.build.ruleset.traits.get(name)
            if trait is None or trait.by is not None or trait.aggregate not in _LISTS:
                message = f"the template recommends products, and no trait '{name}' lists skus"
                hint = f"declare it in rules/traits.yaml: {name}: {_DECLARED[name]}"
                yield each.document.problem("SF327", step["template"], message, hint=hint)


def recommending_is_marketing(subject: Subject) -> Iterator[Problem]:
    """A message that recommends products is marketing, whatever its purpose calls itself."""
    purposes = subject.build.context.purposes or {}
    for each, step in subject.sends:
        root = each.document.root
        if root is None or not any(template.strategies for template in _templates(subject, step)):
            continue
        purpose = purposes.get((step.get("purpose") or root["purpose"]).text)
        if purpose is not None and purpose.message_class is not MessageClass.MARKETING:
            message = f"recommended products in a message of class {purpose.message_class}"
            hint = "give the send a purpose of class marketing, or another template"
            yield each.document.problem("SF403", step["template"], message, hint=hint)


def _templates(subject: Subject, step: Node) -> Iterator[Template]:
    name = step["template"].text
    for channel in channel_nodes(step["send"]):
        yield from subject.templates.written(name, channel.text)
