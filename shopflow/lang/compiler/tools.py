"""The steps `ticket` and `webhook`: sends to the shop's own people and programs."""

from __future__ import annotations

from typing import Protocol

from shopflow.domain.expression import Expression
from shopflow.domain.ids import StepId
from shopflow.domain.step import CallWebhook, OpenTicket
from shopflow.lang.cel import compile_expression
from shopflow.lang.compiler.scope import Scope
from shopflow.lang.compiler.sends import MAX_LATENESS_SERVICE
from shopflow.lang.compiler.setting import Setting
from shopflow.lang.constant import Constant
from shopflow.lang.tree import Node

HELPDESK, WEBHOOK = "helpdesk", "webhook"
#: Whom the ticket is about, where the step does not say; not every customer has an address.
_REQUESTER = 'has(customer.email) ? customer.email : ""'


class Place(Protocol):
    """Where a step stands."""

    @property
    def node(self) -> Node:
        """The step in the file."""

    @property
    def id(self) -> StepId:
        """Its name."""

    @property
    def next(self) -> StepId | None:
        """The step that follows."""

    @property
    def only_if(self) -> Expression | None:
        """What it is skipped without."""


def compile_ticket(setting: Setting, common: Place, scope: Scope) -> OpenTicket:
    """The compiled step; the help desk has to be set up."""
    node = common.node
    ticket, source = node["ticket"], setting.source
    priority = ticket["priority"].text if "priority" in ticket else "normal"
    tags = [item.text for item in ticket["tags"].items] if "tags" in ticket else []
    variables: dict[str, Expression] = {
        "subject": source.cel(ticket["subject"], scope.for_message()),
        "priority": Constant(priority, priority),
        "tags": Constant(",".join(tags), tags),
        "requester": compile_expression(_REQUESTER)
        if "requester" not in ticket
        else source.cel(ticket["requester"], scope.for_message()),
    }
    if "body" in ticket:
        variables["body"] = source.cel(ticket["body"], scope.for_message())
    # What is none of these is a field of the shop's own.
    variables |= source.cel_map(ticket.get("fields"), scope.for_message())
    setting.check_channel_of(node.key("ticket"), HELPDESK)
    return OpenTicket(
        id=common.id,
        next=common.next,
        only_if=common.only_if,
        variables=variables,
        channels=(HELPDESK,),
        template="",
        purpose=setting.internal_purpose(node.key("ticket")),
        max_lateness=setting.source.length(node.get("max_lateness"), MAX_LATENESS_SERVICE),
    )


def compile_webhook(setting: Setting, common: Place, scope: Scope) -> CallWebhook:
    """The compiled step; the webhook has to be set up."""
    node = common.node
    setting.check_channel_of(node.key("webhook"), WEBHOOK)
    return CallWebhook(
        id=common.id,
        next=common.next,
        only_if=common.only_if,
        variables=setting.source.cel_map(node["webhook"], scope.for_message()),
        channels=(WEBHOOK,),
        template="",
        purpose=setting.internal_purpose(node.key("webhook")),
        max_lateness=setting.source.length(node.get("max_lateness"), MAX_LATENESS_SERVICE),
    )
