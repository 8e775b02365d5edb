"""The project's settings: shopflow.yaml with the environment's file laid over it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from shopflow.lang.calendars import zone
from shopflow.lang.document import Document
from shopflow.lang.freezes import Freeze, check_freezes, freezes_of
from shopflow.lang.names import did_you_mean
from shopflow.lang.tree import Kind, Node
from shopflow.problem import Problem

DEFAULT_ENVIRONMENT = "development"
DEFAULT_PARTITIONS = 64
DEFAULT_DATABASE = "sqlite:///shopflow.db"
_REFERENCE = re.compile(
    r"\$\{(?:file:(?P<file>[^}]+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<default>:-[^}]*)?)\}"
)
#: Settings of a channel that a deployment overrides one by one, not as a whole.
_MERGED = ("delivery", "sender", "pages", "queue", "channels", "providers")
#: What is read of a provider's word, and what it may mean.
WORD_FIELDS = ("id", "kind", "message_id", "provider_id", "address", "text")
WORD_KINDS = (
    "delivered",
    "bounced",
    "soft_bounced",
    "complained",
    "unsubscribed",
    "received",
)


class DeliveryMode(StrEnum):
    """What may leave."""

    SINK = "sink"
    ALLOWLIST = "allowlist"
    LIVE = "live"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What may leave: nothing, only listed addresses, or everything."""

    mode: DeliveryMode = DeliveryMode.SINK
    #: Address patterns such as `*@boutique.example`.
    allowlist: tuple[str, ...] = ()
    #: Patterns of the addresses that test messages may go to, in any mode.
    test_recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderIdentity:
    """Who the shop is, as the law wants it told."""

    legal_name: str = ""
    address: str = ""
    contact: str = ""
    privacy_url: str = ""
    sms_stop: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSettings:
    """How the pages look that customers see."""

    name: str = ""
    logo_url: str = ""
    colour: str = "#1f4d3a"
    home_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSettings:
    """The streams and job queues in Redis."""

    #: What every key begins with, so that several installations can share a server.
    namespace: str = "shopflow"
    #: Events that may wait in the streams.
    max_length: int = 1_000_000


class ProviderAuth(StrEnum):
    """How a provider shows that it knows the secret."""

    #: `t=<unix time>,v1=<hex>`: an HMAC-SHA256 over `<unix time>.<body>`, of just now.
    SIGNED = "signed"
    #: An HMAC-SHA256 over the body.
    HMAC = "hmac"
    #: The secret itself.
    HEADER = "header"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """Who tells us of messages of a channel, and how to read it."""

    channel: str
    secret: str = field(repr=False)
    auth: ProviderAuth = ProviderAuth.SIGNED
    #: The header that shows it, and what stands before it there.
    header: str = "Shopflow-Signature"
    prefix: str = ""
    #: Of an HMAC: `hex` or `base64`.
    encoding: str = "hex"
    #: The path of the list of words; empty: the body is one word, or a list of them.
    list: str = ""
    #: Field -> the path where a word has it.
    fields: Mapping[str, str] = field(default_factory=lambda: {name: name for name in WORD_FIELDS})
    #: The provider's word -> ours.
    kinds: Mapping[str, str] = field(default_factory=lambda: {name: name for name in WORD_KINDS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The settings of one installation; what may hold a secret is not shown by `repr`."""

    root: Path
    environment: str = DEFAULT_ENVIRONMENT
    delivery: Delivery = field(default_factory=Delivery)
    sender: SenderIdentity = field(default_factory=SenderIdentity)
    pages: PageSettings = field(default_factory=PageSettings)
    timezone: str = "UTC"
    locale: str = "en"
    currency: str = "EUR"
    database: str = field(default=DEFAULT_DATABASE, repr=False)
    #: Empty: one process with everything in it.
    redis: str = field(default="", repr=False)
    queue: QueueSettings = field(default_factory=QueueSettings)
    partitions: int = DEFAULT_PARTITIONS
    #: Each channel that is used, with its settings.
    channels: Mapping[str, Mapping[str, object]] = field(default_factory=dict, repr=False)
    #: Who may tell of messages, by the name in the address that they post to.
    providers: Mapping[str, ProviderSettings] = field(default_factory=dict)
    #: When nothing is deployed.
    freeze: tuple[Freeze, ...] = ()


@dataclass(slots=True)
class SettingsReader:
    """Puts the environment's values into the text of settings."""

    environment: Mapping[str, str]
    #: Values that are not there are problems, not placeholders: what `run` needs and lint does not.
    strict: bool
    problems: list[Problem] = field(default_factory=list)

    def fill(self, document: Document, node: Node, path: str = "") -> None:
        """Replaces every reference below the node, in place."""
        for key, value in node.pairs():
            self.fill(document, value, f"{path}.{key}" if path else key)
        for number, item in enumerate(node.items, 1):
            self.fill(document, item, f"{path}[{number}]")
        if node.kind is Kind.SCALAR and "${" in node.text:
            text = _REFERENCE.sub(lambda match: self._value(document, node, path, match), node.text)
            node.replace_text(text)

    def _value(self, document: Document, node: Node, path: str, match: re.Match[str]) -> str:
        if match["file"] is not None:
            return self._from_file(document, node, path, match["file"])
        found = plain_value(match, self.environment)
        if found is not None:
            return found
        message = f"`{path}` needs the environment variable {match['name']}"
        return self._missing(document, node, match, message)

    def _from_file(self, document: Document, node: Node, path: str, name: str) -> str:
        try:
            return Path(name).read_text(encoding="utf-8").strip()
        except OSError as e:
            message = f"`{path}` needs the file {name}: {e.strerror}"
        except UnicodeDecodeError:
            message = f"`{path}` needs the file {name}, which is no text"
        found = _REFERENCE.search(node.text)
        return self._missing(document, node, found, message) if found else ""

    def _missing(self, document: Document, node: Node, match: re.Match[str], message: str) -> str:
        if self.strict:
            hint = "set it, or give a default: ${NAME:-default}"
            self.problems.append(document.problem("SF012", node, message, hint=hint))
        return match.group()


def plain_value(match: re.Match[str], environment: Mapping[str, str]) -> str | None:
    """What a variable or its default gives; None when neither is there."""
    found = environment.get(match["name"])
    default: str | None = match["default"]
    if found or (found is not None and default is None):
        return found
    return default.removeprefix(":-") if default is not None else None


def overlay(base: Mapping[str, object], above: Mapping[str, object]) -> dict[str, object]:
    """Settings with those of an environment laid over them; channels are merged one by one."""
    merged = {key: value for key, value in base.items() if key not in ("apiVersion", "kind")}
    for key, value in above.items():
        if key in ("apiVersion", "kind"):
            continue
        own = merged.get(key)
        if key in _MERGED and isinstance(own, Mapping) and isinstance(value, Mapping):
            merged[key] = _merged(own, value, deep=key == "channels")
        else:
            merged[key] = value
    return merged


def _merged(
    base: Mapping[str, object], above: Mapping[str, object], *, deep: bool
) -> dict[str, object]:
    merged = dict(base)
    for key, value in above.items():
        own = merged.get(key)
        if deep and isinstance(own, Mapping) and isinstance(value, Mapping):
            merged[key] = _merged(own, value, deep=False)
        else:
            merged[key] = value
    return merged


def project_of(root: Path, settings: Mapping[str, object]) -> Project:
    """The project of settings that their schema accepts."""
    delivery, sender = _mapping(settings.get("delivery")), _mapping(settings.get("sender"))
    channels = _mapping(settings.get("channels"))
    partitions = settings.get("partitions", DEFAULT_PARTITIONS)
    return Project(
        root=root,
        environment=_text(settings, "environment", DEFAULT_ENVIRONMENT),
        delivery=Delivery(
            mode=DeliveryMode(str(delivery.get("mode", DeliveryMode.SINK))),
            allowlist=_texts(delivery, "allowlist"),
            test_recipients=_texts(delivery, "test_recipients"),
        ),
        sender=SenderIdentity(**{key: str(value) for key, value in sender.items()}),
        pages=PageSettings(
            **{key: str(value) for key, value in _mapping(settings.get("pages")).items()}
        ),
        timezone=_text(settings, "timezone", "UTC"),
        locale=_text(settings, "locale", "en"),
        currency=_text(settings, "currency", "EUR"),
        database=_text(settings, "database", DEFAULT_DATABASE),
        redis=_text(settings, "redis", ""),
        queue=QueueSettings(**_mapping(settings.get("queue"))),  # type: ignore[arg-type]  # by schema
        partitions=partitions if isinstance(partitions, int) else DEFAULT_PARTITIONS,
        channels={name: _mapping(each) for name, each in channels.items()},
        providers={
            name: _provider(_mapping(each))
            for name, each in _mapping(settings.get("providers")).items()
        },
        freeze=freezes_of(settings.get("freeze"), _text(settings, "timezone", "UTC")),
    )


def _provider(given: Mapping[str, object]) -> ProviderSettings:
    named = {str(key): str(path) for key, path in _mapping(given.get("fields")).items()}
    kinds = {str(word): str(ours) for word, ours in _mapping(given.get("kinds")).items()}
    plain = ("channel", "secret", "header", "prefix", "encoding", "list")
    return ProviderSettings(
        **{key: str(given[key]) for key in plain if key in given},
        auth=ProviderAuth(str(given.get("auth", ProviderAuth.SIGNED))),
        fields={name: named.get(name, name) for name in WORD_FIELDS},
        kinds=kinds or {name: name for name in WORD_KINDS},
    )


def check_settings(document: Document, project: Project) -> list[Problem]:
    """What the schema cannot say of the settings in one of the project's files."""
    problems = check_freezes(document)
    root = document.root
    if root is not None and "timezone" in root and zone(root["timezone"].text) is None:
        message = f"no time zone named '{root['timezone'].text}'"
        hint = "use an IANA name such as Europe/Paris or UTC"
        problems.append(document.problem("SF009", root["timezone"], message, hint=hint))
    if root is not None and "providers" in root:
        problems += [
            _unknown_channel(document, name, node["channel"], project)
            for name, node in root["providers"].pairs()
            if "channel" in node and node["channel"].text not in project.channels
        ]
    return problems


def _unknown_channel(document: Document, name: str, node: Node, project: Project) -> Problem:
    message = f"providers.{name}.channel: no channel named '{node.text}' is set up"
    hint = did_you_mean(node.text, project.channels, label="channels")
    return document.problem("SF313", node, message, hint=hint)


def process_environment() -> Mapping[str, str]:
    """The variables of this process."""
    return dict(os.environ)


def _text(settings: Mapping[str, object], key: str, default: str) -> str:
    return str(settings.get(key, default))


def _texts(settings: Mapping[str, object], key: str) -> tuple[str, ...]:
    value = settings.get(key, [])
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
