"""The whole contract a channel plugin sees: the message, its receipt, and what a channel declares.

Finding the installed channels and checking their settings is left to `shopflow.plugins`; leases,
retries and fall-backs are the deliverer's. Importing this module loads nothing heavy.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Protocol

from shopflow.errors import ChannelError, FailureReason

__all__ = [
    "OPT_OUT_CLASSES",
    "RATE_PATTERN",
    "SENDER_SETTINGS",
    "Channel",
    "ChannelError",
    "ContentSpec",
    "FailureReason",
    "Message",
    "OnUncertain",
    "Outcome",
    "Receipt",
    "Sender",
]

#: The message classes that must carry a way out: a link to unsubscribe or to object.
OPT_OUT_CLASSES = frozenset({"marketing", "relationship"})


#: How a rate is written in settings: `20/s`, `300/min`, `5000/h`, `20000/day`.
RATE_PATTERN = r"^([1-9][0-9]{0,8})/(s|min|h|day)$"
_RATE: Mapping[str, object] = {
    "type": "string",
    "pattern": RATE_PATTERN,
    "description": "20/s, 300/min, 5000/h, 20000/day",
}

#: What each sender under a channel's `senders` may be given besides its own settings, as JSON
#: Schema. The deliverer keeps to it, for all workers together; a channel only lists it.
SENDER_SETTINGS: Mapping[str, object] = {
    "rate": _RATE,
    "domains": {
        "type": "object",
        "description": "Rates of recipients' domains: {gmail.com: 5/s}",
        "propertyNames": {"pattern": r"^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$"},
        "additionalProperties": _RATE,
    },
    "warm_up": {
        "type": "object",
        "description": "So many messages on the first day, twice as many on each next, up to rate",
        "additionalProperties": False,
        "required": ["since", "first_day"],
        "properties": {
            "since": {"type": "string", "pattern": r"^20[0-9]{2}-[01][0-9]-[0-3][0-9]$"},
            "first_day": {"type": "integer", "minimum": 1, "maximum": 100_000_000},
        },
    },
}


class OnUncertain(StrEnum):
    """What becomes of a message whose attempt was begun and never answered."""

    #: Sent again with the same id; right where the receiver recognises the id.
    RESEND = "resend"
    #: Never repeated by itself; `shopflow status` lists it.
    HOLD = "hold"


class Outcome(StrEnum):
    """What a receipt says."""

    ACCEPTED = "accepted"
    FAILED = "failed"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who the shop is, as the law wants it told; channels add it, templates cannot remove it."""

    legal_name: str = ""
    address: str = ""
    contact: str = ""
    privacy_url: str = ""
    sms_stop: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentSpec:
    """What a channel takes from templates; lint holds the templates against it."""

    #: Endings of the template files it takes, the preferred one first; empty: it takes none.
    extensions: tuple[str, ...] = ()
    #: Parts that every `Message.content` must have.
    required: tuple[str, ...] = ()
    #: Parts it uses when they are there.
    optional: tuple[str, ...] = ()
    #: Its text travels as SMS, so lint counts the segments (`shopflow.sms`).
    is_sms: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One send, rendered and ready; everything a channel may know of it."""

    #: Stable over retries: the e-mail Message-ID and the provider's idempotency key derive from it.
    id: str
    #: Where it goes, in the channel's own terms; empty for channels that need no address.
    to: str = ""
    customer_id: str = ""
    #: service, relationship, marketing, internal or tracking.
    message_class: str
    purpose: str = ""
    workflow: str = ""
    step: str = ""
    locale: str = ""
    #: The rendered parts by name: subject, preheader, html, text; title, body; body.
    content: Mapping[str, str] = field(default_factory=dict)
    #: The values the message was rendered with, plain JSON, for channels that pass them on.
    variables: Mapping[str, object] = field(default_factory=dict)
    #: The way out; empty for the classes that have none.
    unsubscribe_url: str = ""
    unsubscribe_mailto: str = ""
    #: Where the person chooses what they receive; empty where there is no such page.
    preferences_url: str = ""
    sender: Sender = field(default_factory=Sender)
    created_at: datetime
    #: Counted from 1.
    attempt: int = 1
    #: Extra headers, for channels that have headers.
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_opt_out(self) -> bool:
        """Whether it must tell the person how to stop messages of its kind."""
        return self.message_class in OPT_OUT_CLASSES


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of one attempt; made by `accepted`, `failed` or `uncertain`.

    The detail is for people and logs: it holds no address, no name and no secret.
    """

    outcome: Outcome
    provider_id: str = ""
    reason: FailureReason | None = None
    retryable: bool = False
    detail: str = ""
    #: What is kept with the message in place of its values, plain JSON, for the shop to read.
    kept: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def accepted(
        cls, provider_id: str = "", detail: str = "", kept: Mapping[str, object] | None = None
    ) -> Receipt:
        """The receiver took responsibility for the message."""
        return cls(
            outcome=Outcome.ACCEPTED, provider_id=provider_id, detail=detail, kept=kept or {}
        )

    @classmethod
    def failed(cls, reason: FailureReason, *, retryable: bool, detail: str = "") -> Receipt:
        """The message certainly did not leave; retryable says whether trying again may help."""
        return cls(outcome=Outcome.FAILED, reason=reason, retryable=retryable, detail=detail)

    @classmethod
    def uncertain(cls, reason: FailureReason, detail: str = "") -> Receipt:
        """The message was handed over and the answer lost: nobody knows whether it left.

        The deliverer applies the channel's `on_uncertain` to it.
        """
        return cls(outcome=Outcome.UNCERTAIN, reason=reason, detail=detail)


class Channel(Protocol):
    """What carries messages: one object per configured channel, used within one event loop.

    It is built by `ChannelClass(settings)` with settings that passed its schema; building it
    opens nothing. It raises `ChannelError` only when it cannot work at all.
    """

    #: The word used in rules: `send: email`.
    name: ClassVar[str]
    #: JSON Schema of its settings in shopflow.yaml: validation, editor help and docs in one.
    settings_schema: ClassVar[Mapping[str, object]]
    #: Whether a message needs an address of the customer; without one the send is dropped.
    needs_address: ClassVar[bool]
    content: ClassVar[ContentSpec]
    on_uncertain: ClassVar[OnUncertain]

    def __init__(self, settings: Mapping[str, object]) -> None: ...

    def send(self, messages: Sequence[Message]) -> AsyncIterator[tuple[str, Receipt]]:
        """Each message's id and receipt, as soon as it is known, in any order.

        Every message gets exactly one receipt, unless the process dies or the call is cancelled.
        """
        ...

    async def aclose(self) -> None:
        """Lets go of connections and files; harmless when called twice."""
        ...
