"""Keyed hashes, by which persons and addresses are known that must not be known by name.

The key is outside of the database: whoever has a copy of that cannot try addresses out.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from shopflow.errors import SettingsError
from shopflow.lang.project import Project
from shopflow.store.protocol import Store

log = logging.getLogger("shopflow.app")

#: The environment variable with the key; it must never change.
HASH_SECRET = "SHOPFLOW_HASH_SECRET"  # noqa: S105 - its name
#: What is kept of the key, so that another one is noticed.
_FINGERPRINT = "hash_key"
_SIZE = 20


@dataclass(frozen=True, slots=True)
class Hashes:
    """Makes the hashes of one installation."""

    key: bytes = field(repr=False)

    def address(self, address: str) -> str:
        """The hash of an address, however it is written; empty for none."""
        plain = normalised(address)
        return self._hash(b"address", plain) if plain else ""

    def customer(self, customer_id: str) -> str:
        """The hash of a customer's id."""
        return self._hash(b"customer", customer_id)

    def once(self, text: str) -> str:
        """The hash of what is not to be taken in twice."""
        return self._hash(b"once", text)

    @property
    def fingerprint(self) -> str:
        """Differs where the key does, and tells nothing of it."""
        return self._hash(b"fingerprint", "")

    def _hash(self, kind: bytes, text: str) -> str:
        made = blake2b(text.encode(), key=self.key[:64], person=kind, digest_size=_SIZE)
        return made.hexdigest()


def normalised(address: str) -> str:
    """The address as it is compared: an e-mail address in lower case, a number without spaces."""
    plain = address.strip()
    if "@" in plain or plain.startswith("http"):
        return plain.lower() if "@" in plain else plain
    digits = "".join(each for each in plain if each.isdigit() or each == "+")
    return digits if len(digits) > 3 else plain.lower()  # noqa: PLR2004 - no number is shorter


def hashes_of(environment: Mapping[str, str], fallback: bytes, project: Project) -> Hashes:
    """The hashes of a project; without a key of their own, by one that follows from `fallback`."""
    secret = environment.get(HASH_SECRET, "").encode()
    if not secret and project.delivery.mode.value == "live":
        log.warning("%s is not set: suppressions hang on the key that signs links", HASH_SECRET)
    given = secret or fallback
    return Hashes(blake2b(given, person=b"shopflow hashes").digest())


def hold(store: Store, hashes: Hashes) -> None:
    """The store's hashes are of this key.

    Raises:
        SettingsError: They are of another one, so that none of them would be found again.
    """
    kept = store.people.hold_setting(_FINGERPRINT, hashes.fingerprint)
    if kept == hashes.fingerprint:
        return
    if next(store.people.suppressions(), None) is not None:
        raise SettingsError(
            f"{HASH_SECRET}: is not the key that suppressions and erasures were kept under; "
            "with another one, people who refused would be written to again: set it back"
        )
    store.people.set_setting(_FINGERPRINT, hashes.fingerprint)
