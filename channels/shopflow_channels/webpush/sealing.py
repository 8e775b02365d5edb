"""Keys, encryption (RFC 8291) and signature (RFC 8292) of web pushes, done by their libraries."""

from __future__ import annotations

import json
import os
from base64 import urlsafe_b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid02, VapidException

from shopflow.errors import SettingsError
from shopflow_channels.posting import THIS_MACHINE

_POINT, _AUTH_SECRET = 65, 16


class Unfit(ValueError):  # noqa: N818 - the name is the claim
    """Raised when an address is no subscription that may be posted to; says why, shows nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Where a browser is reached, and its keys."""

    endpoint: str
    origin: str
    key: ec.EllipticCurvePublicKey
    auth: bytes


class Signer:
    """Signs for the shop, by its VAPID key; raises SettingsError when the key is none."""

    def __init__(self, private_key: str, contact: str) -> None:
        self._key = _private_key(private_key)
        self._contact = contact

    def headers(self, origin: str) -> Mapping[str, str]:
        """What a request to the push service at that origin shows."""
        claims = {"sub": self._contact, "aud": origin}
        headers: dict[str, str] = Vapid02(self._key).sign(claims)
        return headers


def sealed(notice: bytes, to: Subscription) -> bytes:
    """The notice as only that browser can read it."""
    body: bytes = http_ece.encrypt(
        notice,
        salt=os.urandom(16),
        private_key=ec.generate_private_key(ec.SECP256R1()),
        dh=to.key,
        auth_secret=to.auth,
        version="aes128gcm",
    )
    return body


def subscription(address: str, services: Sequence[str]) -> Subscription:
    """The browser's own keys and address; raises Unfit."""
    try:
        told = json.loads(address)
        endpoint, keys = told["endpoint"], told["keys"]
        point, auth = _bytes(keys["p256dh"]), _bytes(keys["auth"])
        parts = urlsplit(endpoint)
        host, port = parts.hostname or "", parts.port
    except (ValueError, TypeError, KeyError, AttributeError) as e:
        raise Unfit("no push subscription with an endpoint and its keys") from e
    if not any(fnmatchcase(host.lower(), pattern.lower()) for pattern in services):
        raise Unfit("the endpoint is at no known push service")
    if not (parts.scheme == "https" or (parts.scheme == "http" and host in THIS_MACHINE)):
        raise Unfit("the endpoint is not https")
    if not endpoint.isascii() or not endpoint.isprintable() or " " in endpoint or parts.username:
        raise Unfit("the endpoint is no address")
    if len(point) != _POINT or len(auth) != _AUTH_SECRET:
        raise Unfit("keys of the wrong length")
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError as e:
        raise Unfit("a key that is no point of the curve") from e
    origin = f"{parts.scheme}://{host}" + (f":{port}" if port else "")
    return Subscription(endpoint=endpoint, origin=origin, key=key, auth=auth)


def _private_key(text: str) -> ec.EllipticCurvePrivateKey:
    where = "channels.webpush.private_key"
    try:
        key = Vapid02.from_string("".join(text.split())).private_key
    except (ValueError, TypeError, Base64Error, VapidException) as e:
        raise SettingsError(f"{where}: is no VAPID key; `vapid --gen` makes one") from e
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise SettingsError(f"{where}: is no key of the curve P-256")
    return key


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
