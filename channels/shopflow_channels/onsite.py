"""The onsite channel: content for places of the shop's own pages; nothing leaves.

```yaml
channels:
  onsite: {slots: [home, cart], days: 14}
```

`onsite.fr.yaml` names the `slot` and gives `title` and `body`, and if wanted `url` with `button`,
`more_url` with `more_button`, `image`, and `until`, a time. What is accepted is kept with the
message until its end; `GET /v1/onsite/{slot}` gives it to the page.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from shopflow.channel import ContentSpec, FailureReason, Message, OnUncertain, Receipt

_SLOT = r"^[a-z][a-z0-9-]{0,39}$"
#: What the page is told of it, besides the slot and its end.
_SHOWN = ("title", "body", "url", "button", "more_url", "more_button", "image")
#: Addresses that a page may link to: never `javascript:`.
_LINKS = ("https://", "/")


class _Unfit(ValueError):  # noqa: N818 - never leaves this module
    """The content cannot stand on a page; says why, without personal data."""


class OnsiteChannel:
    """Keeps content for the shop's pages; needs no address."""

    name: ClassVar[str] = "onsite"
    settings_schema: ClassVar[Mapping[str, object]] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "slots": {
                "description": "The places that the shop's pages have; any unless given",
                "type": "array",
                "minItems": 1,
                "maxItems": 50,
                "items": {"type": "string", "pattern": _SLOT},
            },
            "days": {
                "description": "How long content stays that says no end",
                "type": "integer",
                "minimum": 1,
                "maximum": 365,
                "default": 14,
            },
        },
    }
    needs_address: ClassVar[bool] = False
    content: ClassVar[ContentSpec] = ContentSpec(
        extensions=("yaml",),
        required=("slot", "title", "body"),
        optional=("url", "button", "more_url", "more_button", "image", "until"),
    )
    #: Keeping it twice is keeping it once.
    on_uncertain: ClassVar[OnUncertain] = OnUncertain.RESEND

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._slots: Sequence[str] = settings.get("slots", ())
        self._stays = timedelta(days=settings.get("days", 14))

    async def send(self, messages: Sequence[Message]) -> AsyncIterator[tuple[str, Receipt]]:
        """Each message's receipt, with what is kept of it."""
        for message in messages:
            try:
                kept = self._kept(message)
            except _Unfit as e:
                receipt = Receipt.failed(FailureReason.TEMPLATE, retryable=False, detail=str(e))
            else:
                receipt = Receipt.accepted(kept=kept)
            yield message.id, receipt

    async def aclose(self) -> None:
        """Nothing is kept open."""

    def _kept(self, message: Message) -> dict[str, str]:
        content = message.content
        slot = content.get("slot", "")
        if not slot or (self._slots and slot not in self._slots):
            raise _Unfit("the template names no slot that the settings have")
        for part in ("url", "more_url", "image"):
            address = content.get(part, "")
            if address and (not address.startswith(_LINKS) or address.startswith("//")):
                raise _Unfit(f"{part} is no address that begins with https:// or /")
        until = _time(content["until"]) if content.get("until") else None
        end = until or message.created_at + self._stays
        shown = {part: content[part] for part in _SHOWN if content.get(part)}
        return {**shown, "slot": slot, "until": end.astimezone(UTC).isoformat()}


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as e:
        raise _Unfit("until is no time") from e
    if found.tzinfo is None:
        raise _Unfit("until is a time without its zone")
    return found
