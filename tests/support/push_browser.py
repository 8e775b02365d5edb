"""A browser that agreed to pushes: its subscription, and how it reads what it is sent."""

from __future__ import annotations

import json
import os
from base64 import urlsafe_b64encode

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def _text(raw):
    return urlsafe_b64encode(raw).decode().rstrip("=")


def vapid_key():
    """A private key as a shop would configure it."""
    return _text(
        ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value.to_bytes(32)
    )


class Browser:
    """One browser, whose push service listens at a port of this machine."""

    def __init__(self, port):
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._auth = os.urandom(16)
        self.endpoint = f"http://127.0.0.1:{port}/push/abc"

    @property
    def subscription(self):
        """What `PushManager.subscribe()` gives, as JSON."""
        point = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        keys = {"p256dh": _text(point), "auth": _text(self._auth)}
        return json.dumps({"endpoint": self.endpoint, "expirationTime": None, "keys": keys})

    def read(self, body):
        """The notice in the body of a push."""
        return json.loads(http_ece.decrypt(body, private_key=self._key, auth_secret=self._auth))
