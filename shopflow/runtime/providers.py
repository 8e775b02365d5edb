"""What providers tell of messages, read: who signed it, and what each of its words means.

A provider's own JSON or form is read by paths that the settings declare, so that no provider needs
a program of its own. What becomes of a word is `shopflow.runtime.feedback`'s.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from urllib.parse import parse_qsl

import orjson

from shopflow.lang.project import ProviderAuth, ProviderSettings
from shopflow.runtime.contact import email_address, provider_number

#: The most that a provider may say at once.
MAX_WORDS = 1000
#: Seconds by which a signed time may be off.
TOLERANCE = 300
#: Channels whose addresses are telephone numbers.
_BY_NUMBER = frozenset({"sms", "whatsapp"})
_LONGEST_TEXT = 10_000


class Means(StrEnum):
    """What a word can mean."""

    DELIVERED = "delivered"
    BOUNCED = "bounced"
    SOFT_BOUNCED = "soft_bounced"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    #: Somebody wrote to us.
    RECEIVED = "received"


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One thing that a provider tells."""

    provider: str
    channel: str
    means: Means
    #: The provider's own id of it, or what stands for one.
    id: str
    #: Ours, where the provider gives it back.
    message_id: str = ""
    #: The provider's id of the message, as its receipt had it.
    provider_id: str = ""
    #: In the form that addresses are kept in; empty for none.
    address: str = ""
    text: str = ""


class Unreadable(Exception):  # noqa: N818 - the name is the claim
    """Raised for a body that says nothing by the settings; tells why, and no value."""


def is_authentic(
    settings: ProviderSettings, headers: Mapping[str, str], body: bytes, now: datetime
) -> bool:
    """Whether whoever sends it knows the secret; headers by their names in lower case."""
    secret, given = settings.secret.encode(), headers.get(settings.header.lower(), "")
    match settings.auth:
        case ProviderAuth.HEADER:
            return hmac.compare_digest(given.encode(), settings.prefix.encode() + secret)
        case ProviderAuth.HMAC:
            made = hmac.digest(secret, body, "sha256")
            text = made.hex() if settings.encoding == "hex" else b64encode(made).decode()
            return hmac.compare_digest(given.encode(), f"{settings.prefix}{text}".encode())
        case ProviderAuth.SIGNED:
            return _is_signed(secret, given, body, now)


def words(name: str, settings: ProviderSettings, body: bytes, region: str) -> Iterator[Word]:
    """What the body says; what it says of nothing that is known here is left out.

    Raises:
        Unreadable: It is neither JSON nor a form, or says too much at once.
    """
    items = _items(settings, body)
    if len(items) > MAX_WORDS:
        raise Unreadable(f"{len(items)} words; at most {MAX_WORDS} are taken at a time")
    for item in items:
        told = settings.kinds.get(_text(item, settings.fields["kind"]), "")
        if told:
            yield _word(name, settings, item, Means(told), region)


def _word(name: str, settings: ProviderSettings, item: object, means: Means, region: str) -> Word:
    found = {field: _text(item, path) for field, path in settings.fields.items()}
    by_number = settings.channel in _BY_NUMBER
    address = found["address"]
    return Word(
        provider=name,
        channel=settings.channel,
        means=means,
        # What has no id of its own is known by all that it says.
        id=found["id"] or sha256(orjson.dumps(item, option=orjson.OPT_SORT_KEYS)).hexdigest(),
        message_id=found["message_id"],
        provider_id=found["provider_id"],
        address=provider_number(address, region) if by_number else email_address(address),
        text=found["text"][:_LONGEST_TEXT],
    )


def _items(settings: ProviderSettings, body: bytes) -> list[object]:
    try:
        document: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = _form(body)
    found = _at(document, settings.list) if settings.list else document
    return found if isinstance(found, list) else [found]


def _form(body: bytes) -> Mapping[str, str]:
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True))
    except ValueError as e:
        raise Unreadable("the body is neither JSON nor a form") from e


def _at(item: object, path: str) -> object:
    """What stands at a path such as `data.0.id`; None for nothing."""
    for step in path.split("."):
        if isinstance(item, Mapping):
            item = item.get(step)
        elif isinstance(item, list) and step.isdecimal() and int(step) < len(item):
            item = item[int(step)]
        else:
            return None
    return item


def _text(item: object, path: str) -> str:
    found = _at(item, path)
    if isinstance(found, bool) or not isinstance(found, (str, int)):
        return ""
    return str(found).replace("\0", "").strip()


def _is_signed(secret: bytes, given: str, body: bytes, now: datetime) -> bool:
    """Whether the header is `t=<unix time>,v1=<hex HMAC-SHA256 of time.body>`, and of just now."""
    parts = dict(part.strip().partition("=")[::2] for part in given.split(","))
    stamp = parts.get("t", "")
    if not stamp.isdecimal() or len(stamp) > len("9999999999"):
        return False
    made = hmac.digest(secret, stamp.encode() + b"." + body, "sha256").hex()
    is_ours = hmac.compare_digest(parts.get("v1", "").encode(), made.encode())
    return is_ours and abs(now.timestamp() - int(stamp)) <= TOLERANCE
