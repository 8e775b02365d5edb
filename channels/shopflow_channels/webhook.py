"""The webhook channel: a signed JSON POST to one of the shop's own services.

```yaml
channels:
  webhook: {url: "https://hooks.boutique.example/shopflow", secret: "${WEBHOOK_SECRET}"}
```

The body is the template's JSON, or without a template the message's values. The receiver checks
`Shopflow-Signature: t=<unix time>,v1=<hex>`, an HMAC-SHA256 over `<unix time>.<body>` with the
secret, and recognises a repetition by `Idempotency-Key`.
"""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, ClassVar

from shopflow.channel import ContentSpec, Message, OnUncertain, Receipt
from shopflow_channels.posting import SETTINGS, PostingChannel


class WebhookChannel(PostingChannel):
    """Posts messages to one URL; needs no address of the customer."""

    name: ClassVar[str] = "webhook"
    settings_schema: ClassVar[Mapping[str, object]] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": False,
        "required": ["url", "secret"],
        "properties": {
            **SETTINGS,
            "secret": {"type": "string", "minLength": 16, "x-secret": True},
        },
    }
    needs_address: ClassVar[bool] = False
    content: ClassVar[ContentSpec] = ContentSpec(extensions=("json",), optional=("body",))
    #: A repetition carries the same Idempotency-Key.
    on_uncertain: ClassVar[OnUncertain] = OnUncertain.RESEND

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__(settings)
        self._secret: bytes = settings["secret"].encode()

    async def _post(self, message: Message) -> Receipt:
        body = _body(message)
        stamp = str(int(time.time()))
        signed = f"t={stamp},v1={signature(self._secret, stamp, body)}"
        return await self._poster.post(message, body, {"Shopflow-Signature": signed})


def signature(secret: bytes, stamp: str, body: bytes) -> str:
    """The hex HMAC-SHA256 of `stamp.body`, as the receiver computes it to compare."""
    return hmac.new(secret, stamp.encode() + b"." + body, sha256).hexdigest()


def _body(message: Message) -> bytes:
    if text := message.content.get("body"):
        return text.encode(errors="replace")
    whole = {
        "id": message.id,
        "created_at": message.created_at.isoformat(),
        "customer_id": message.customer_id,
        "workflow": message.workflow,
        "step": message.step,
        "values": dict(message.variables),
    }
    return json.dumps(whole, default=str).encode()
