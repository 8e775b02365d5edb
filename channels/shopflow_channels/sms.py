"""The sms channel: text messages by any provider that takes a POST of JSON or of a form.

```yaml
channels:
  sms:
    url: https://api.sms-provider.example/v1/messages
    authorization: "Bearer ${SMS_API_KEY:-none}"
    sender: MABOUTIQUE
    body: {to: "{to}", from: "{sender}", text: "{text}", reference: "{id}"}
    cost: 0.045
```

The body is written as the provider wants it; `{to}`, `{text}`, `{sender}`, `{id}`, `{class}` and
`{locale}` stand for the message's own. A number is an address in international form. Marketing
says how to stop it, as French law wants, whatever the template says. A message whose fate is
unknown is not repeated: it costs, and it wakes people up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlencode

from shopflow import sms
from shopflow.channel import ContentSpec, FailureReason, Message, OnUncertain, Receipt
from shopflow_channels.numbers import no_number, number_of
from shopflow_channels.posting import SETTINGS, PostingChannel, json_of

_FIELD = re.compile(r"\{(to|text|sender|id|class|locale)\}")
_BODY: Mapping[str, object] = {
    "to": "{to}",
    "from": "{sender}",
    "text": "{text}",
    "reference": "{id}",
}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_REFUSALS = range(400, 500)
#: Where providers put the code of what went wrong.
_CODE_KEYS = ("code", "errorCode", "error_code")


class SmsChannel(PostingChannel):
    """Hands text messages to one provider."""

    name: ClassVar[str] = "sms"
    settings_schema: ClassVar[Mapping[str, object]] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": False,
        "required": ["url", "sender"],
        "properties": {
            **SETTINGS,
            "sender": {
                "description": "Who it is from: 3 to 11 letters and digits, or a number",
                "type": "string",
                "pattern": r"^(\+?[0-9]{3,15}|(?=.*[A-Za-z])[A-Za-z0-9 ]{3,11})$",
            },
            "format": {"enum": ["json", "form"], "default": "json"},
            "body": {
                "description": "What is posted; {to} {text} {sender} {id} {class} {locale}",
                "type": "object",
                "minProperties": 1,
                "x-secret": True,
            },
            "bad_number_codes": {
                "description": "Codes in the provider's refusals that say: there is no such number",
                "type": "array",
                "maxItems": 100,
                "items": {"type": ["string", "integer"]},
            },
            "unicode": {
                "description": "Letters that GSM lacks: replaced by others, refused, or sent",
                "enum": ["replace", "refuse", "send"],
                "default": "replace",
            },
            "max_segments": {
                "description": "A longer message is not sent: each segment is paid for",
                "type": "integer",
                "minimum": 1,
                "maximum": 10,
                "default": 2,
            },
            "stop": {
                "description": "Who adds the word STOP to marketing: shopflow, or the provider",
                "enum": ["added", "by_provider"],
                "default": "added",
            },
        },
    }
    needs_address: ClassVar[bool] = True
    content: ClassVar[ContentSpec] = ContentSpec(
        extensions=("txt",), required=("text",), is_sms=True
    )
    on_uncertain: ClassVar[OnUncertain] = OnUncertain.HOLD

    def __init__(self, settings: Mapping[str, Any]) -> None:
        codes = frozenset(map(str, settings.get("bad_number_codes", ())))
        super().__init__(settings, lambda status, text: _bad_number(codes, status, text))
        self._sender: str = settings["sender"]
        self._is_form = settings.get("format") == "form"
        self._body: Mapping[str, object] = settings.get("body", _BODY)
        self._unicode: str = settings.get("unicode", "replace")
        self._most: int = settings.get("max_segments", 2)
        self._adds_stop = settings.get("stop", "added") == "added"

    async def _post(self, message: Message) -> Receipt:
        number = number_of(message.to)
        if not number:
            return no_number()
        text = self._written(message)
        if fault := self._fault(message, text):
            return Receipt.failed(FailureReason.REJECTED, retryable=False, detail=fault)
        own = {
            "to": number,
            "text": text,
            "sender": self._sender,
            "id": message.id,
            "class": message.message_class,
            "locale": message.locale,
        }
        told = _filled(self._body, own)
        if self._is_form:
            fields = {name: _in_a_form(value) for name, value in told.items()}
            return await self._poster.post(message, urlencode(fields, doseq=True).encode(), _FORM)
        return await self._poster.post(message, json.dumps(told).encode())

    def _written(self, message: Message) -> str:
        text = message.content.get("text", "").strip()
        if message.has_opt_out and self._adds_stop and message.sender.sms_stop:
            text = sms.with_stop(text, message.locale, message.sender.sms_stop)
        return sms.plain(text) if self._unicode == "replace" else text

    def _fault(self, message: Message, text: str) -> str:
        """Why the text must not be sent; empty when it may."""
        if message.has_opt_out and self._adds_stop and not message.sender.sms_stop:
            kind = message.message_class
            return f"a {kind} text without a way out: give sender.sms_stop in shopflow.yaml"
        if not text:
            return "the template gives no text"
        found = sms.size(text)
        if found.foreign and self._unicode == "refuse":
            return f"{len(found.foreign)} letters that the GSM alphabet does not have"
        if found.segments > self._most:
            return f"{found.segments} segments, and at most {self._most} may be sent"
        return ""


def _in_a_form(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _bad_number(codes: frozenset[str], status: int, text: bytes) -> Receipt | None:
    """The receipt when the provider says by a code that there is no such number."""
    if not codes or status not in _REFUSALS or not codes & set(_codes(json_of(text))):
        return None
    detail = f"POST answered {status}: no such number"
    return Receipt.failed(FailureReason.BAD_ADDRESS, retryable=False, detail=detail)


def _codes(told: object) -> list[str]:
    """Every code in the answer, wherever it stands."""
    found, pending = [], [told]
    while pending:
        match pending.pop():
            case dict() as inner:
                own = (inner.get(key) for key in _CODE_KEYS)
                found += [str(code) for code in own if isinstance(code, int | str)]
                pending += inner.values()
            case list() as several:
                pending += several
            case _:
                pass
    return found


def _filled(body: Any, own: Mapping[str, str]) -> Any:
    """The body with the message's own in the place of each name in braces."""
    match body:
        case str():
            return _FIELD.sub(lambda match: own[match[1]], body)
        case dict():
            return {key: _filled(inner, own) for key, inner in body.items()}
        case list():
            return [_filled(inner, own) for inner in body]
        case _:
            return body
