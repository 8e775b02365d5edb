"""The helpdesk channel: tickets for people, opened over HTTP.

```yaml
channels:
  helpdesk:
    url: https://boutique.zendesk.example/api/v2/tickets.json
    authorization: "${HELPDESK_AUTHORIZATION}"
    format: zendesk
```

`format: plain` posts the ticket as it is; `zendesk` in the shape of its tickets API, which several
help desks understand. A repetition carries the same `Idempotency-Key`, and the message's id as
the ticket's `external_id`, so that it is no second ticket.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from shopflow.channel import ContentSpec, Message, OnUncertain, Receipt
from shopflow_channels.posting import SETTINGS, PostingChannel

#: Values that are the ticket's own; the others are fields of the shop.
_OWN = frozenset({"subject", "body", "priority", "requester", "tags"})
#: Longest subject that help desks take.
_SUBJECT = 150


class HelpdeskChannel(PostingChannel):
    """Opens a ticket for each message; needs no address, though a requester is told if known."""

    name: ClassVar[str] = "helpdesk"
    settings_schema: ClassVar[Mapping[str, object]] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": False,
        "required": ["url"],
        "properties": {
            **SETTINGS,
            "format": {"enum": ["plain", "zendesk"], "default": "plain"},
        },
    }
    needs_address: ClassVar[bool] = False
    #: What a ticket says stands in its step.
    content: ClassVar[ContentSpec] = ContentSpec()
    on_uncertain: ClassVar[OnUncertain] = OnUncertain.RESEND

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__(settings)
        self._is_zendesk = settings.get("format") == "zendesk"

    async def _post(self, message: Message) -> Receipt:
        ticket = _ticket(message)
        told = _as_zendesk(ticket) if self._is_zendesk else ticket
        body = json.dumps(told, default=str).encode()
        return await self._poster.post(message, body)


def _ticket(message: Message) -> dict[str, Any]:
    """The ticket that the message's values describe."""
    values = message.variables
    text = str(values.get("body") or message.content.get("text") or "")
    subject = str(values.get("subject") or message.content.get("subject") or message.workflow)
    tags = values.get("tags")
    return {
        "external_id": message.id,
        "subject": " ".join(subject.split())[:_SUBJECT],
        "body": text or subject,
        "priority": str(values.get("priority") or "normal"),
        "requester": str(values.get("requester") or ""),
        "fields": {name: value for name, value in values.items() if name not in _OWN},
        "tags": [str(tag) for tag in tags] if isinstance(tags, list) else [],
        "customer_id": message.customer_id,
        "workflow": message.workflow,
        "created_at": message.created_at.isoformat(),
    }


def _as_zendesk(ticket: Mapping[str, Any]) -> dict[str, Any]:
    about = [f"{name}: {value}" for name, value in ticket["fields"].items()]
    about.append(f"customer: {ticket['customer_id']}")
    told: dict[str, Any] = {
        "external_id": ticket["external_id"],
        "subject": ticket["subject"],
        "comment": {"body": "\n".join([ticket["body"], "", *about]), "public": False},
        "priority": ticket["priority"],
        "tags": [*ticket["tags"], ticket["workflow"]],
    }
    if ticket["requester"]:
        told["requester"] = {"email": ticket["requester"], "name": ticket["requester"]}
    return {"ticket": told}
