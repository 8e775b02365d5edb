"""Values that stand for others: the same for the same under one key, and nobody's.

E-mail addresses end in a domain that cannot exist, telephone numbers begin with a country code that
nobody has, so that no message could ever reach anybody by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from hashlib import blake2b

from shopflow.errors import SettingsError
from shopflow.runtime.sealing import LINKS_SECRET

#: The environment variable with the key; another one gives other pseudonyms.
PSEUDONYM_KEY = "SHOPFLOW_PSEUDONYM_KEY"
#: The fewest characters that make a key.
LEAST = 16
#: A domain that RFC 2606 keeps from ever being given away, and a country code without a country.
_DOMAIN, _COUNTRY = "pseudonym.invalid", "+999"
_NEUTRAL_YEAR = 2000
_DIGITS = 10
_DAYS = 366


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Makes the pseudonyms of one key."""

    key: bytes = field(repr=False)

    def token(self, value: str) -> str:
        """What stands for an id or any other word: 18 signs, wherever the same word stands."""
        return f"p-{self._hash(value).hex()[:16]}"

    def email(self, value: str) -> str:
        """What stands for an e-mail address."""
        return f"{self.token(value.strip().lower())}@{_DOMAIN}"

    def phone(self, value: str) -> str:
        """What stands for a telephone number."""
        return f"{_COUNTRY}{self._number(value) % 10**_DIGITS:0{_DIGITS}}"

    def url(self, value: str) -> str:
        """What stands for an address in the web."""
        return f"https://{_DOMAIN}/{self.token(value)}"

    def day(self, value: str) -> date:
        """What stands for a date that is somebody's: some day of a neutral year."""
        return date(_NEUTRAL_YEAR, 1, 1) + timedelta(days=self._number(value) % _DAYS)

    def whole(self, value: object, least: int, most: int) -> int:
        """What stands for a number that is somebody's, between two others."""
        return least + self._number(str(value)) % (most - least + 1)

    def _number(self, value: str) -> int:
        return int.from_bytes(self._hash(value), "big")

    def _hash(self, value: str) -> bytes:
        return blake2b(value.encode(), key=self.key, digest_size=32, person=b"pseudonym").digest()


def pseudonyms_of(environment: Mapping[str, str]) -> Pseudonyms:
    """By the key of the environment, or one that follows from the secret that seals links.

    Raises:
        SettingsError: There is no key, or one that could be guessed.
    """
    given = environment.get(PSEUDONYM_KEY, "")
    if given and len(given) < LEAST:
        raise SettingsError(f"{PSEUDONYM_KEY}: is shorter than {LEAST} characters")
    secret = given or environment.get(LINKS_SECRET, "")
    if not secret:
        raise SettingsError(
            f"{PSEUDONYM_KEY}: is missing; give a secret of at least {LEAST} characters. "
            "Who has it can tell whether somebody is in the file, so it belongs to nobody else"
        )
    return Pseudonyms(blake2b(secret.encode(), person=b"shopflow pseudo").digest())
