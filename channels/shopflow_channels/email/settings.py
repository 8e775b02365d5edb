"""The settings of the e-mail channel: their schema, and what follows from them."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Any

from shopflow.channel import SENDER_SETTINGS
from shopflow.errors import SettingsError

from .headers import checked_address
from .mime import Identity

_CLASSES = ("service", "relationship", "marketing", "internal", "tracking")
_FROM = {"type": "string", "minLength": 3, "description": "Shop <hello@shop.example>"}
_REPLY_TO = {"type": "string", "minLength": 3, "description": "hello@shop.example"}
_SENDER: Mapping[str, object] = {
    "type": "object",
    "additionalProperties": False,
    "dependentRequired": {"warm_up": ["rate"]},
    "properties": {"from": _FROM, "reply_to": _REPLY_TO, **SENDER_SETTINGS},
}

#: What shopflow.yaml may say under `channels.email`.
SCHEMA: Mapping[str, object] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["host"],
    "dependentRequired": {"username": ["password"], "password": ["username"]},
    "properties": {
        "host": {"type": "string", "minLength": 1},
        "port": {"type": "integer", "minimum": 1, "maximum": 65535},
        "tls": {
            "enum": ["none", "starttls", "tls"],
            "description": "starttls unless the host is this machine",
        },
        "ca_file": {"type": "string", "minLength": 1, "description": "PEM of a private authority"},
        "username": {"type": "string", "minLength": 1},
        "password": {"type": "string", "minLength": 1, "x-secret": True},
        "hostname": {"type": "string", "minLength": 1, "description": "Our name in EHLO"},
        "connections": {"type": "integer", "minimum": 1, "maximum": 100, "default": 4},
        "max_per_connection": {"type": "integer", "minimum": 1, "default": 100},
        "timeout": {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 600,
            "default": 30,
            "description": "Seconds that the server may take for one answer",
        },
        "from": _FROM,
        "reply_to": _REPLY_TO,
        "senders": {
            "type": "object",
            "additionalProperties": False,
            "properties": dict.fromkeys(_CLASSES, _SENDER),
        },
    },
}

#: Whose sender a class takes when it has none of its own.
_STAND_IN = {"relationship": "marketing", "internal": "service", "tracking": "service"}

_PORTS = {"none": 25, "starttls": 587, "tls": 465}
_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where mails are handed over, and how."""

    host: str
    port: int
    tls: str
    ca_file: str
    username: str
    password: str
    hostname: str
    connections: int
    max_per_connection: int
    timeout: float

    def tls_context(self) -> ssl.SSLContext | None:
        """The trust used for TLS; built once, reading the authorities takes a while.

        Raises:
            SettingsError: The file of a private authority cannot be read.
        """
        if self.tls == "none":
            return None
        try:
            return ssl.create_default_context(cafile=self.ca_file or None)
        except OSError as e:
            raise SettingsError(
                f"channels.email.ca_file: cannot be used as a list of authorities: {e.strerror}"
            ) from e


def read_server(settings: Mapping[str, Any]) -> Server:
    """The server that the settings name.

    Raises:
        SettingsError: A password would travel in the clear.
    """
    host = settings["host"]
    local = host in _THIS_MACHINE
    tls = settings.get("tls", "none" if local else "starttls")
    if tls == "none" and settings.get("password") and not local:
        raise SettingsError(
            "channels.email.tls: the password would travel in the clear; set starttls or tls"
        )
    return Server(
        host=host,
        port=settings.get("port", _PORTS[tls]),
        tls=tls,
        ca_file=settings.get("ca_file", ""),
        username=settings.get("username", ""),
        password=settings.get("password", ""),
        hostname=settings.get("hostname", ""),
        connections=settings.get("connections", 4),
        max_per_connection=settings.get("max_per_connection", 100),
        timeout=float(settings.get("timeout", 30)),
    )


class SenderTable:
    """The sender of each message class, stand-ins and defaults applied."""

    __slots__ = ("_identities",)

    def __init__(self, settings: Mapping[str, Any]) -> None:
        given: Mapping[str, Mapping[str, Any]] = settings.get("senders", {})
        default = {key: settings[key] for key in ("from", "reply_to") if key in settings}
        self._identities: dict[str, Identity] = {}
        for kind in _CLASSES:
            name = kind if kind in given else _STAND_IN.get(kind, kind)
            own = {**default, **given.get(name, {})}
            if "from" in own:
                self._identities[kind] = _identity(own, f"channels.email.senders.{name}")
        if not self._identities:
            raise SettingsError(
                "channels.email.from: is missing; give it, or a sender for each class in "
                "channels.email.senders"
            )

    def identity(self, message_class: str) -> Identity | None:
        """Whom mails of this class come from; None when nobody is named."""
        return self._identities.get(message_class)


def _identity(sender: Mapping[str, Any], where: str) -> Identity:
    name, address = parseaddr(sender["from"])
    checked = checked_address(address)
    if not checked:
        raise SettingsError(f"{where}.from: is no address; write Shop <hello@shop.example>")
    reply_to = ""
    if given := sender.get("reply_to"):
        reply_to = checked_address(given)
        if not reply_to:
            raise SettingsError(f"{where}.reply_to: is no address; write hello@shop.example")
    return Identity(address=checked, name=name, reply_to=reply_to)
