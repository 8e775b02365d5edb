"""The `send` step: its channels, its purpose, and how late it may go."""

from __future__ import annotations

from datetime import timedelta

from shopflow.domain.expression import Expression
from shopflow.domain.ids import StepId
from shopflow.domain.product import IfSoldOut
from shopflow.domain.step import Send, SendMode
from shopflow.lang.compiler.scope import Scope
from shopflow.lang.compiler.setting import Setting
from shopflow.lang.names import did_you_mean
from shopflow.lang.tree import Kind, Node

#: Longest lateness of a send when the rule says none.
MAX_LATENESS = timedelta(hours=24)
MAX_LATENESS_SERVICE = timedelta(days=7)


def channel_nodes(send: Node) -> list[Node]:
    """The channels that the value of `send` names."""
    if send.kind is Kind.SCALAR:
        return [send]
    return next((value.items for _, value in send.pairs()), [])


def compile_send(
    setting: Setting,
    node: Node,
    scope: Scope,
    *,
    step_id: StepId,
    following: StepId | None,
    only_if: Expression | None,
) -> Send:
    """The compiled step; its channels and purpose are checked."""
    own_purpose = node.get("purpose")
    purpose = own_purpose.text if own_purpose is not None else setting.purpose
    if own_purpose is not None:
        setting.check_purpose(own_purpose)
    channels = channel_nodes(node["send"])
    for channel in channels:
        setting.check_channel(channel)
        setting.check_covered(purpose, channel)
    default = MAX_LATENESS_SERVICE if setting.is_service(purpose) else MAX_LATENESS
    if_held = node.get("if_held")
    return Send(
        id=step_id,
        next=following,
        only_if=only_if,
        channels=tuple(channel.text for channel in channels),
        mode=SendMode.EACH_OF if "each_of" in node["send"] else SendMode.FIRST_OF,
        template=node["template"].text,
        variables=setting.source.cel_map(node.get("with"), scope.for_message()),
        purpose=purpose,
        coupon=node["coupon"].text if "coupon" in node else None,
        promotes=_promotes(setting, node),
        max_lateness=setting.source.length(node.get("max_lateness"), default),
        skip_held=if_held is not None and if_held.text == "next",
    )


def _promotes(setting: Setting, node: Node) -> dict[str, IfSoldOut]:
    """What the step promotes, each a value under `with`."""
    promotes, given = node.get("promotes"), node.get("with")
    if promotes is None:
        return {}
    names = set() if given is None else set(given.entries)
    for name, _ in promotes.pairs():
        if name not in names:
            hint = did_you_mean(name, names, label="values")
            setting.source.report(
                "SF328",
                promotes.key(name),
                f"there is no '{name}' under with",
                hint=hint,
                known=names,
            )
    return {name: IfSoldOut(word.text) for name, word in promotes.pairs()}
