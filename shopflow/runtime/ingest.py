"""From what the shop sent to an event, or to the reason why it is none.

Nothing here raises for bad input and nothing is dropped on the floor: what is refused becomes a
`Refused` with its reason. Storing either is left to `process`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import jsonschema_rs
import orjson

from shopflow.domain.codec_making import maker
from shopflow.domain.event import IDENTIFIED, Event
from shopflow.domain.ids import SUBJECT, CustomerId, EventId, is_subject
from shopflow.runtime.contact import DEFAULT_REGION, checked
from shopflow.runtime.secrets import Secrets

#: The most that one event may weigh.
MAX_BYTES = 256 * 1024
#: The longest id and event type.
MAX_ID = 200
#: How deep lists and objects may be nested.
MAX_DEPTH = 64
#: How far ahead of its receipt an event may claim to be.
MAX_AHEAD = timedelta(minutes=5)
#: A shop's events lie between these; what does not is a broken clock or a default value.
FIRST_YEAR, LAST_YEAR = 1970, 2199

_FIELDS = frozenset({"id", "type", "occurred_at", "customer_id", "anonymous_id", "data"})
_MESSAGE_LENGTH = 300
#: What nearly every id is; whatever else is looked at more closely.
_PLAIN = re.compile(rf"[^\x00-\x1f\x7f]{{1,{MAX_ID}}}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


class BadReason(StrEnum):
    """Why an input became a dead letter."""

    NOT_JSON = "not_json"
    TOO_LARGE = "too_large"
    TOO_DEEP = "too_deep"
    NUL = "nul"
    ENVELOPE = "envelope"
    UNKNOWN_TYPE = "unknown_type"
    PAYLOAD = "payload"
    BAD_TIME = "bad_time"
    FROM_FUTURE = "from_future"
    #: About somebody who was erased after it; nothing of it is kept.
    ERASED = "erased"
    #: It was a good event, and deciding or storing it failed.
    DECIDE_FAILED = "decide_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An input that is no event: why, and as much of it as may be kept."""

    reason: BadReason
    #: Names the place and the rule broken, never a value.
    detail: str
    #: As far as they could be read; empty else.
    event_id: str = ""
    type: str = ""
    #: Secrets are blanked, NUL characters replaced.
    raw: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A good event, and the day it was sent for, which its dedupe key holds."""

    event: Event
    #: As sent, where `event.occurred_at` may have been clamped to the receipt.
    sent_at: datetime


_event = maker(Event)
_accepted = maker(Accepted)


class _Bad(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, reason: BadReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Ingest:
    """Checks events against the envelope and their type's schema; schemas are compiled once."""

    def __init__(
        self,
        schemas: Mapping[str, Mapping[str, object]],
        *,
        event_clock: bool = False,
        region: str = DEFAULT_REGION,
    ) -> None:
        # `mask` keeps the values, which may be personal, out of the messages.
        self._validators = {
            name: jsonschema_rs.validator_for(dict(schema), mask="the value")
            for name, schema in schemas.items()
        }
        self._secrets = Secrets(schemas)
        self._event_clock = event_clock
        #: The country of numbers that are written without one.
        self._region = region

    @property
    def secrets(self) -> Secrets:
        """What has to be blanked before an event is kept."""
        return self._secrets

    def read(self, raw: bytes | str, *, received_at: datetime) -> Accepted | Refused:
        """The event in `raw`, or why there is none."""
        text = raw.encode(errors="surrogatepass") if isinstance(raw, str) else raw
        document: object = None
        try:
            document = _parse(text)
            return self._event(document, received_at)
        except _Bad as bad:
            fields: Mapping[str, object] = document if isinstance(document, dict) else {}
            return Refused(
                reason=bad.reason,
                detail=bad.detail[:_MESSAGE_LENGTH],
                event_id=_readable(fields.get("id")),
                type=_readable(fields.get("type")),
                raw=self._secrets.keepable(text, document),
            )

    def _event(self, document: object, received_at: datetime) -> Accepted:
        if not isinstance(document, dict):
            raise _Bad(BadReason.ENVELOPE, "an event is a JSON object")
        fields: dict[str, object] = document
        if unknown := fields.keys() - _FIELDS:
            # Keys are the sender's words and may be anything; only their number is safe to tell.
            raise _Bad(
                BadReason.ENVELOPE,
                f"{len(unknown)} unknown field(s) beside {', '.join(sorted(_FIELDS))}",
            )
        event_id = _id(fields, "id")
        event_type = _id(fields, "type")
        sent_at = _instant(fields.get("occurred_at"))
        data = fields.get("data", {})
        customer = _id(fields, "customer_id") if fields.get("customer_id") is not None else None
        visitor = _id(fields, "anonymous_id") if fields.get("anonymous_id") is not None else None
        for name, value in (("customer_id", customer), ("anonymous_id", visitor)):
            if value is not None and is_subject(value):
                raise _Bad(BadReason.ENVELOPE, f"{name}: no customer's id begins with '{SUBJECT}'")
        self._check_payload(event_type, data)
        # Schemas may say less than this, but an event's data is always an object.
        if not isinstance(data, dict):
            raise _Bad(BadReason.PAYLOAD, "data: must be an object")
        if event_type == IDENTIFIED:
            customer, visitor = _identities(customer, visitor, data)
        return _accepted(
            event=_event(
                id=EventId(event_id),
                type=event_type,
                occurred_at=self._clamped(sent_at, received_at),
                data=checked(event_type, data, self._region),
                customer_id=None if customer is None else CustomerId(customer),
                anonymous_id=visitor,
            ),
            sent_at=sent_at,
        )

    def _check_payload(self, event_type: str, data: object) -> None:
        validator = self._validators.get(event_type)
        if validator is None:
            raise _Bad(BadReason.UNKNOWN_TYPE, "no schema for this event type")
        if validator.is_valid(data):
            return
        error = next(iter(validator.iter_errors(data)))
        where = ".".join(["data", *map(str, error.instance_path)])
        raise _Bad(BadReason.PAYLOAD, f"{where}: {error.message}")

    def _clamped(self, sent_at: datetime, received_at: datetime) -> datetime:
        if self._event_clock or sent_at <= received_at:
            return sent_at
        if sent_at - received_at > MAX_AHEAD:
            raise _Bad(BadReason.FROM_FUTURE, "occurred_at: more than 5 minutes ahead of receipt")
        return received_at


def routing_id(event: Event) -> str:
    """The id that an event is routed by: its customer's, or its own when it concerns none."""
    return event.concerns or event.id


def as_sent(event: Event) -> bytes:
    """The event as the shop would send it."""
    ids = {"customer_id": event.customer_id, "anonymous_id": event.anonymous_id}
    return orjson.dumps(
        {
            "id": event.id,
            "type": event.type,
            "occurred_at": event.occurred_at.isoformat().replace("+00:00", "Z"),
            **{name: value for name, value in ids.items() if value is not None},
            "data": event.data,
        },
        default=dict,
    )


def _parse(raw: bytes) -> object:
    if len(raw) > MAX_BYTES:
        raise _Bad(BadReason.TOO_LARGE, f"{len(raw)} bytes; at most {MAX_BYTES} are taken")
    if b"\x00" in raw:
        raise _Bad(BadReason.NUL, "a NUL character")
    try:
        document: object = orjson.loads(raw)
    except orjson.JSONDecodeError as e:
        # orjson's message names what was wrong and where, and quotes nothing.
        reason = BadReason.TOO_DEEP if "depth" in e.msg else BadReason.NOT_JSON
        raise _Bad(reason, str(e)) from e
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _depth_exceeds(document, MAX_DEPTH):
        raise _Bad(BadReason.TOO_DEEP, f"nested deeper than {MAX_DEPTH} levels")
    if b"\\u0000" in raw and any("\x00" in text for text in _texts(document)):
        raise _Bad(BadReason.NUL, "a NUL character")
    return document


def _depth_exceeds(document: object, limit: int) -> bool:
    level = [document]
    for _ in range(limit + 1):
        level = [child for node in level for child in _children(node)]
        if not level:
            return False
    return True


def _children(node: object) -> Iterator[object]:
    if isinstance(node, dict):
        yield from node.values()
    elif isinstance(node, list):
        yield from node


def _texts(document: object) -> Iterator[str]:
    pending = [document]
    while pending:
        node = pending.pop()
        if isinstance(node, str):
            yield node
        elif isinstance(node, dict):
            yield from node
        pending.extend(_children(node))


def _id(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    if type(value) is str and _PLAIN.fullmatch(value) and not value.isspace():
        return value
    if value is None:
        raise _Bad(BadReason.ENVELOPE, f"{name}: is missing")
    if not isinstance(value, str):
        raise _Bad(BadReason.ENVELOPE, f"{name}: must be a string")
    if not value.strip():
        raise _Bad(BadReason.ENVELOPE, f"{name}: is empty")
    if len(value) > MAX_ID:
        raise _Bad(
            BadReason.ENVELOPE, f"{name}: {len(value)} characters; at most {MAX_ID} are taken"
        )
    if _CONTROL.search(value):
        raise _Bad(BadReason.ENVELOPE, f"{name}: holds a control character")
    return value


def _instant(value: object) -> datetime:
    if not isinstance(value, str):
        raise _Bad(BadReason.ENVELOPE, "occurred_at: must be an RFC 3339 time, as text")
    match = _RFC3339.fullmatch(value)
    if match is None:
        raise _Bad(
            BadReason.BAD_TIME, "occurred_at: must be RFC 3339 with a zone: 2026-03-01T10:00:00Z"
        )
    day, clock, fraction, zone = match.groups()
    try:
        if zone == "Z" and fraction is None:
            moment = datetime.fromisoformat(value)
        else:
            micros = (fraction or "0").ljust(6, "0")[:6]
            text = f"{day}T{clock}.{micros}{zone.upper()}"
            moment = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as e:
        raise _Bad(BadReason.BAD_TIME, "occurred_at: no such moment") from e
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise _Bad(
            BadReason.BAD_TIME, f"occurred_at: must lie in the years {FIRST_YEAR} to {LAST_YEAR}"
        )
    return moment


def _identities(
    customer: str | None, visitor: str | None, data: Mapping[str, object]
) -> tuple[str, str]:
    """Who was identified as whom; either id may stand in the envelope or in the data."""
    ids = {"customer_id": customer, "anonymous_id": visitor}
    for name, given in ids.items():
        told = data.get(name)
        if given is None and told is not None:
            ids[name] = _id(data, name)
        if given is not None and told is not None and told != given:
            raise _Bad(BadReason.PAYLOAD, f"data.{name}: differs from the envelope's {name}")
    for name, value in ids.items():
        if value is None:
            raise _Bad(BadReason.ENVELOPE, f"{name}: is missing")
    customer, visitor = ids["customer_id"], ids["anonymous_id"]
    assert customer is not None  # noqa: S101 - checked just above
    assert visitor is not None  # noqa: S101 - checked just above
    if customer == visitor:
        raise _Bad(BadReason.PAYLOAD, "anonymous_id and customer_id are the same")
    return customer, visitor


def _readable(value: object) -> str:
    return value[:MAX_ID].replace("\x00", "�") if isinstance(value, str) else ""
