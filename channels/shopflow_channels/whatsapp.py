"""The whatsapp channel: templates that Meta has approved, by the Cloud API or what speaks like it.

```yaml
channels:
  whatsapp:
    url: https://graph.facebook.com/v23.0/1234567890/messages
    authorization: "Bearer ${WHATSAPP_TOKEN:-none}"
```

A shop's first word must be an approved template, so `whatsapp.fr.yaml` names one and gives its
parameters: `name`, `language` (the message's own unless given), `body` with a line for each
parameter, and where the template has them `header` (a text), `image` (an address) and `button`
(the end of its address). How to stop stands in the approved template itself.

There is no idempotency key: a message whose fate is unknown is not repeated. Error codes are those
of https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes (2026-03).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from shopflow.channel import ContentSpec, FailureReason, Message, OnUncertain, Receipt
from shopflow_channels.numbers import no_number, number_of
from shopflow_channels.posting import SETTINGS, PostingChannel, json_of

_NAME = re.compile(r"[a-z0-9_]{1,512}")
_RUNS = re.compile(r"[ \t\r\n]+")

#: What a code of the API means, and whether trying again may help.
_CODES: Mapping[int, tuple[FailureReason, bool]] = {
    0: (FailureReason.AUTH, True),
    3: (FailureReason.AUTH, False),
    10: (FailureReason.AUTH, False),
    190: (FailureReason.AUTH, True),  # the token has expired: it waits until there is a new one
    **dict.fromkeys((4, 80007, 130429, 131048, 131056), (FailureReason.RATE_LIMITED, True)),
    **dict.fromkeys((1, 2, 131000, 131016, 133004), (FailureReason.REJECTED, True)),
    **dict.fromkeys((131026, 131021, 133010), (FailureReason.BAD_ADDRESS, False)),
    **dict.fromkeys((132000, 132001, 132005, 132007, 132012), (FailureReason.TEMPLATE, False)),
    **dict.fromkeys((132015, 132016), (FailureReason.TEMPLATE, False)),
}


class _Unfit(ValueError):  # noqa: N818 - never leaves this module
    """The content is no template message; says why, without personal data."""


class WhatsAppChannel(PostingChannel):
    """Hands template messages to the WhatsApp Business platform."""

    name: ClassVar[str] = "whatsapp"
    settings_schema: ClassVar[Mapping[str, object]] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": False,
        "required": ["url"],
        "properties": dict(SETTINGS),
    }
    needs_address: ClassVar[bool] = True
    content: ClassVar[ContentSpec] = ContentSpec(
        extensions=("yaml",),
        required=("name",),
        optional=("language", "body", "header", "image", "button"),
    )
    on_uncertain: ClassVar[OnUncertain] = OnUncertain.HOLD

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__(settings, _reading)

    async def _post(self, message: Message) -> Receipt:
        number = number_of(message.to)
        if not number:
            return no_number()
        try:
            template = _template(message)
        except _Unfit as e:
            return Receipt.failed(FailureReason.TEMPLATE, retryable=False, detail=str(e))
        told = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": number.removeprefix("+"),
            "type": "template",
            "template": template,
            # Comes back with every word of this message.
            "biz_opaque_callback_data": message.id,
        }
        return await self._poster.post(message, json.dumps(told).encode())


def _template(message: Message) -> dict[str, object]:
    """The approved template and its parameters; raises _Unfit."""
    content = message.content
    name = content.get("name", "")
    if not _NAME.fullmatch(name):
        raise _Unfit("the name of an approved template has lower case, digits and underscores")
    language = content.get("language") or message.locale.replace("-", "_")
    return {"name": name, "language": {"code": language}, "components": _components(content)}


def _components(content: Mapping[str, str]) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    if image := content.get("image"):
        header = {"type": "image", "image": {"link": image}}
        found.append({"type": "header", "parameters": [header]})
    elif header_text := content.get("header"):
        found.append({"type": "header", "parameters": [_text(header_text, "header")]})
    if body := content.get("body", "").strip("\n"):
        lines = [_text(line, f"line {n} of body") for n, line in enumerate(body.split("\n"), 1)]
        found.append({"type": "body", "parameters": lines})
    if button := content.get("button"):
        found.append(
            {
                "type": "button",
                "sub_type": "url",
                "index": "0",
                "parameters": [_text(button, "button")],
            }
        )
    return found


def _text(value: str, place: str) -> dict[str, str]:
    # The API refuses empty parameters, and those with tabs or long runs of spaces.
    words = _RUNS.sub(" ", value).strip()
    if not words:
        raise _Unfit(f"{place} of the template is empty")
    return {"type": "text", "text": words}


def _reading(status: int, text: bytes) -> Receipt | None:
    """What an error's code means; None where there is none, or none that is known."""
    told = json_of(text)
    error = told.get("error") if isinstance(told, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    if not isinstance(code, int) or code not in _CODES:
        return None
    reason, retryable = _CODES[code]
    return Receipt.failed(reason, retryable=retryable, detail=f"POST answered {status}: {code}")
