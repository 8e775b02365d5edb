"""The way out of marketing: a link that says who, which channel and which purpose, signed.

The pages that the links lead to are the web's; a token never expires, so its form must stay.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote

import orjson

#: Where links point while no address of the shop's own door is configured; it resolves nowhere.
NOWHERE = "https://links.invalid"


class Subject(NamedTuple):
    """Whose messages, on which channel, for which purpose."""

    customer_id: str
    channel: str
    purpose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Makes and checks the links of one installation."""

    secret: bytes
    base_url: str = NOWHERE
    #: The shop's own mailbox; without it there is no way out by mail.
    contact: str = ""

    def unsubscribe_url(self, subject: Subject) -> str:
        """The link that stops messages of this kind; empty when there is nowhere to lead to."""
        if not self.base_url:
            return ""
        return f"{self.base_url.rstrip('/')}/u/{self.token(subject)}"

    def unsubscribe_mailto(self, subject: Subject) -> str:
        """The same by mail; empty when the shop names no mailbox."""
        if not self.contact:
            return ""
        return (
            f"mailto:{quote(self.contact, safe='@+')}?subject=unsubscribe%20{self.token(subject)}"
        )

    def token(self, subject: Subject) -> str:
        """The subject and its signature, as text that fits into a link."""
        return _token(self.secret, subject)

    def verify(self, token: str) -> Subject | None:
        """Whom the token was made for; None when this secret did not make it."""
        payload, _, signature = token.partition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(payload).encode()):
            return None
        try:
            return Subject(*orjson.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))
        except (ValueError, TypeError, Base64Error):
            return None

    def _signature(self, payload: str) -> str:
        return _signature(self.secret, payload)


@lru_cache(maxsize=64)
def _token(secret: bytes, subject: Subject) -> str:
    """Kept for a moment: a mail has it in its text, in its page and in two headers."""
    payload = _text(orjson.dumps(list(subject)))
    return f"{payload}.{_signature(secret, payload)}"


def _signature(secret: bytes, payload: str) -> str:
    return _text(hmac.digest(secret, b"unsubscribe." + payload.encode(), sha256))


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")
