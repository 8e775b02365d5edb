"""Links in messages: for one thing each, sealed, with nothing personal to be read in them.

A token is `KEY.SEALED`: the number of its key, and what it says encrypted and authenticated by
AES-SIV (RFC 5297) with its purpose as associated data. So a token of one purpose opens nothing
else, nobody can make or change one, and whoever sees a link learns neither who nor what. The same
subject gives the same token, which headers and body of one mail need.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple
from urllib.parse import quote

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from shopflow.store.keys import StoredKey

#: Where links point while no address of the shop's own door is configured; it resolves nowhere.
NOWHERE = "https://links.invalid"
#: The longest token that is looked at.
LONGEST = 4096


class For(StrEnum):
    """What a link is for; the letter is its page's path."""

    UNSUBSCRIBE = "u"
    PREFERENCES = "p"
    CONFIRM = "c"
    QUESTION = "q"
    CLICK = "r"
    OPEN = "o"
    #: What pages of the shop show to one visitor.
    SLOTS = "s"


#: How long a link is good for; what is not here is good for ever.
LIFE: Mapping[For, timedelta] = {
    For.PREFERENCES: timedelta(days=90),
    For.CONFIRM: timedelta(days=30),
    For.QUESTION: timedelta(days=90),
    For.CLICK: timedelta(days=400),
    For.OPEN: timedelta(days=90),
    For.SLOTS: timedelta(days=30),
}


class Subject(NamedTuple):
    """Whose messages, on which channel, for which purpose."""

    customer_id: str
    channel: str
    purpose: str


class Expired(Exception):  # noqa: N818 - the name is the claim
    """Raised for a token that was good once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What a good token says."""

    says: Sequence[str]
    made_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """The keys of one installation, made of the project's secret and what the store keeps."""

    #: The secret that is used, then former ones, whose tokens count for unsubscribes only.
    secrets: Sequence[bytes]
    read: Callable[[], Sequence[StoredKey]] = field(default=lambda: (), repr=False)

    def newest(self) -> tuple[int, AESSIV]:
        """The key that seals, and its number."""
        kept = self.read()
        if not kept:
            return 0, _key(self.secrets[0], "")
        return kept[0].number, _key(self.secrets[0], kept[0].salt)

    def candidates(self, number: int, purpose: For) -> list[AESSIV]:
        """The keys of this number that may have sealed for the purpose."""
        found = next((one for one in self.read() if one.number == number), None)
        if found is None:
            if number:
                return []
            found = StoredKey(number=0, salt="", made_at=datetime.min.replace(tzinfo=UTC))
        if purpose is For.UNSUBSCRIBE:
            return [_key(secret, found.salt) for secret in self.secrets]
        return [] if found.condemned_at else [_key(self.secrets[0], found.salt)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Makes and opens the links of one installation."""

    keyring: Keyring
    base_url: str = NOWHERE
    #: The shop's own mailbox; without it there is no way out by mail.
    contact: str = ""

    def url(self, purpose: For, *says: str, now: datetime | None = None) -> str:
        """A link for the purpose; empty when there is nowhere to lead to.

        `now` is when it was made, wherever it is not good for ever.
        """
        if not self.base_url:
            return ""
        token = self.token(purpose, *says, now=now)
        return f"{self.base_url.rstrip('/')}/{purpose}/{token}"

    def unsubscribe_url(self, subject: Subject) -> str:
        """The link that stops messages of this kind; empty when there is nowhere to lead to."""
        return self.url(For.UNSUBSCRIBE, *subject)

    def unsubscribe_mailto(self, subject: Subject) -> str:
        """The same by mail; empty when the shop names no mailbox."""
        if not self.contact:
            return ""
        token = self.token(For.UNSUBSCRIBE, *subject)
        return f"mailto:{quote(self.contact, safe='@+')}?subject=unsubscribe%20{token}"

    def token(self, purpose: For, *says: str, now: datetime | None = None) -> str:
        """What is said, sealed, as text that fits into a link."""
        if (now is None) is (purpose in LIFE):
            raise ValueError(f"a link for {purpose.name.lower()} {_TIMED[purpose in LIFE]}")
        number, key = self.keyring.newest()
        return _sealed(number, key, purpose, 0 if now is None else int(now.timestamp()), says)

    def open(self, purpose: For, token: str, *, now: datetime) -> Opened | None:
        """What the token says; None when it is not ours, or for something else.

        Raises:
            Expired: It was good once.
        """
        number, dot, sealed = token.partition(".")
        if not dot or len(token) > LONGEST or not (number.isascii() and number.isdigit()):
            return None
        try:
            raw = urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
        except (ValueError, Base64Error):
            return None
        for key in self.keyring.candidates(int(number[:9]), purpose):
            try:
                stamp, *says = orjson.loads(key.decrypt(raw, [purpose.encode()]))
            except (InvalidTag, ValueError):
                continue
            made_at = datetime.fromtimestamp(stamp, UTC)
            if purpose in LIFE and now - made_at > LIFE[purpose]:
                raise Expired
            return Opened(says=says, made_at=made_at)
        return None

    def verify(self, token: str) -> Subject | None:
        """Whom an unsubscribe token was made for; None when it is none of ours."""
        opened = self.open(For.UNSUBSCRIBE, token, now=datetime.now(UTC))
        return None if opened is None or len(opened.says) != 3 else Subject(*opened.says)  # noqa: PLR2004 - the fields of a subject

    def fingerprint(self, *of: str) -> str:
        """Something that stands for a text and cannot be traced back to it, always the same."""
        secret = self.keyring.secrets[0]
        return hmac.digest(secret, orjson.dumps(["fingerprint", *of]), "sha256").hex()[:32]


_TIMED = {True: "expires: say when it was made", False: "is good for ever"}


@lru_cache(maxsize=64)
def _sealed(number: int, key: AESSIV, purpose: For, stamp: int, says: tuple[str, ...]) -> str:
    """Kept for a moment: a mail has it in its text, in its page and in two headers."""
    raw = key.encrypt(orjson.dumps([stamp, *says]), [purpose.encode()])
    return f"{number}.{urlsafe_b64encode(raw).decode().rstrip('=')}"


@lru_cache(maxsize=64)
def _key(secret: bytes, salt: str) -> AESSIV:
    long = blake2b(secret, digest_size=64, person=b"shopflow links").digest()
    # Both go through a keyed hash: neither half alone tells anything of the key.
    return AESSIV(blake2b(salt.encode(), key=long, digest_size=64).digest())
