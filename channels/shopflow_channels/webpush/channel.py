"""The webpush channel: notifications to browsers, encrypted and signed by the shop's VAPID key.

```yaml
channels:
  webpush:
    private_key: ${VAPID_PRIVATE_KEY}
    contact: mailto:bonjour@boutique.example
```

An address is what `PushManager.subscribe()` gives, as JSON: the endpoint and its keys. The browser
gets the template's parts as JSON, with `id` to tell a repetition; its service worker shows them. A
subscription that has ended (404, 410) is a bad address, so nothing goes there any more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, ClassVar

from shopflow.channel import ContentSpec, FailureReason, Message, OnUncertain, Receipt
from shopflow_channels.posting import SETTINGS, PostingChannel

#: The services of Chrome and Edge, Firefox, Safari and Windows. An address comes from a browser,
#: so without this list anybody could have the shop post to any host, its own among them.
SERVICES = (
    "fcm.googleapis.com",
    "*.push.services.mozilla.com",
    "*.push.apple.com",
    "*.notify.windows.com",
)
#: What every service takes (RFC 8030, section 7.2), less what encryption adds.
_LONGEST = 3_800
_GONE = frozenset({404, 410})
_TOO_LARGE = 413
_DAY = 86_400


class WebPushChannel(PostingChannel):
    """Posts notifications to the push services of browsers."""

    name: ClassVar[str] = "webpush"
    settings_schema: ClassVar[Mapping[str, object]] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": False,
        "required": ["private_key", "contact"],
        "properties": {
            **{key: SETTINGS[key] for key in ("timeout", "connections", "allow_private")},
            "private_key": {
                "description": "The VAPID key: 32 bytes as URL-safe base64, or DER as base64",
                "type": "string",
                "minLength": 16,
                "x-secret": True,
            },
            "contact": {
                "description": "Whom a push service may ask, as mailto:name@domain",
                "type": "string",
                "pattern": r"^mailto:[^@\s]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$",
            },
            "ttl": {
                "description": "Seconds that a service keeps a message for a browser that is off",
                "type": "integer",
                "minimum": 0,
                "maximum": 28 * _DAY,
                "default": _DAY,
            },
            "services": {
                "description": "Hosts that may be posted to; the known push services unless given",
                "type": "array",
                "minItems": 1,
                "maxItems": 50,
                "items": {"type": "string", "pattern": r"^(\*\.)?[A-Za-z0-9.-]+$"},
            },
        },
    }
    needs_address: ClassVar[bool] = True
    content: ClassVar[ContentSpec] = ContentSpec(
        extensions=("yaml",),
        required=("title", "body"),
        optional=("icon", "image", "url", "tag"),
    )
    #: A repetition has the same topic and tag, and takes the place of the first.
    on_uncertain: ClassVar[OnUncertain] = OnUncertain.RESEND

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__(settings, _reading)
        # Every command looks at every channel; only who sends waits for the cryptography.
        from shopflow_channels.webpush import sealing  # noqa: PLC0415

        self._sealing = sealing
        self._signer = sealing.Signer(settings["private_key"], settings["contact"])
        self._ttl = str(settings.get("ttl", _DAY))
        self._services: Sequence[str] = settings.get("services", SERVICES)

    async def _post(self, message: Message) -> Receipt:
        try:
            to = self._sealing.subscription(message.to, self._services)
        except self._sealing.Unfit as e:
            return Receipt.failed(FailureReason.BAD_ADDRESS, retryable=False, detail=str(e))
        notice = _notice(message)
        if len(notice) > _LONGEST:
            detail = f"{len(notice)} bytes; a push carries {_LONGEST}"
            return Receipt.failed(FailureReason.REJECTED, retryable=False, detail=detail)
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Encoding": "aes128gcm",
            "TTL": self._ttl,
            "Urgency": "normal",
            # Of two with one topic that wait for a browser, the service keeps the later one.
            "Topic": sha256(message.id.encode(errors="replace")).hexdigest()[:32],
            **self._signer.headers(to.origin),
        }
        body = self._sealing.sealed(notice, to)
        return await self._poster.post(message, body, headers, url=to.endpoint)


def _notice(message: Message) -> bytes:
    """What the service worker of the shop's page is told."""
    known = ("title", "body", "icon", "image", "url", "tag")
    told = {name: message.content[name] for name in known if message.content.get(name)}
    # A browser shows two notifications of one tag as one.
    return json.dumps({"tag": message.id, **told, "id": message.id}, ensure_ascii=False).encode(
        errors="replace"
    )


def _reading(status: int, _text: bytes) -> Receipt | None:
    """An ended subscription is an address that there is no more."""
    if status in _GONE:
        detail = f"POST answered {status}: the subscription has ended"
        return Receipt.failed(FailureReason.BAD_ADDRESS, retryable=False, detail=detail)
    if status == _TOO_LARGE:
        detail = f"POST answered {status}: too large"
        return Receipt.failed(FailureReason.REJECTED, retryable=False, detail=detail)
    return None
