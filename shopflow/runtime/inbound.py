"""What comes back by mail: bounces (RFC 3464), complaints (RFC 5965), ways out, and replies.

A mail becomes an event about the customer whose message it answers; whose that is, the id of the
message or the sealed token of the way out says. What answers nothing of ours is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from email import policy
from email.message import Message
from email.parser import BytesParser
from hashlib import sha256

from shopflow.domain.event import Event
from shopflow.domain.ids import CustomerId, EventId, MessageId
from shopflow.runtime.links import Subject
from shopflow.store.records import StoredMessage

#: The longest mail that is read, and the longest answer that is kept.
MAX_BYTES = 25 * 1024 * 1024
_MAX_BODY = 10_000

_IDS = re.compile(r"<([^<>@\s]{1,200})@[^<>\s]+>")
_TOKEN = re.compile(r"unsubscribe\s+([A-Za-z0-9_.-]{10,2000})", re.IGNORECASE)
#: What somebody writes who wants no more, alone on the first line.
_STOP = re.compile(
    r"\s*(stop|arr[eê]t|unsubscribe|d[eé]sinscription|d[eé]sinscrire|d[eé]sabonner|"
    r"me d[eé]sinscrire|remove me)\s*[.!]*\s*",
    re.IGNORECASE,
)
#: A full mailbox is emptied some day, whatever its server calls it.
_FULL = re.compile(r"5\.2\.2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What a mail says: an event to be, or why it is none."""

    type: str = ""
    data: dict[str, object] = field(default_factory=dict)
    #: Whose it may be, by the ids of messages it names; or known already.
    message_ids: tuple[MessageId, ...] = ()
    customer_id: str = ""
    why_not: str = ""


def read(raw: bytes, verify: Callable[[str], Subject | None]) -> Read:
    """What the mail says; never raises for what a stranger may send."""
    if len(raw) > MAX_BYTES:
        return Read(why_not="it is too large")
    mail = BytesParser(policy=policy.compat32).parsebytes(raw)
    kind = str(mail.get_param("report-type") or "").lower()
    if mail.get_content_type() == "multipart/report" and kind == "delivery-status":
        return _bounce(mail)
    if mail.get_content_type() == "multipart/report" and kind == "feedback-report":
        ids = _named(mail, *mail.walk())
        return Read(type="message.complained", data={"channel": "email"}, message_ids=ids)
    if (subject := _way_out(mail, verify)) is not None:
        return Read(
            type="consent.withdrawn",
            data={"channel": subject.channel, "source": "mailto", "reason": subject.purpose},
            customer_id=subject.customer_id,
        )
    return _reply(mail)


def event_of(
    said: Read,
    raw: bytes,
    find: Callable[[tuple[MessageId, ...]], list[StoredMessage]],
    at: datetime,
) -> Event | None:
    """The event; None when nobody is known whom it could be about."""
    customer_id, data = said.customer_id, dict(said.data)
    if not customer_id:
        found = find(said.message_ids)
        if not found:
            return None
        customer_id = found[0].message.customer_id
        if said.type.startswith("message."):
            data["message_id"] = found[0].message.id
    if not customer_id:
        return None
    return Event(
        # The same mail, given twice, is one event.
        id=EventId(f"mail-{sha256(raw).hexdigest()[:32]}"),
        type=said.type,
        occurred_at=at,
        data=data,
        customer_id=CustomerId(customer_id),
    )


def _bounce(mail: Message) -> Read:
    action, status, detail = "", "", ""
    for part in mail.walk():
        # Its body is groups of fields, which the parser takes for messages.
        action = action or str(part.get("Action", "")).strip().lower()
        status = status or str(part.get("Status", "")).strip()
        detail = detail or str(part.get("Diagnostic-Code", "")).strip()
    if action not in {"failed", "delayed"}:
        return Read(why_not=f"a delivery status that says '{action or 'nothing'}' is no bounce")
    hard = action == "failed" and status.startswith("5") and not _FULL.match(status)
    data: dict[str, object] = {"channel": "email", "bounce": "hard" if hard else "soft"}
    if re.fullmatch(r"\d\.\d{1,3}\.\d{1,3}", status):
        # The server's own words may name the person.
        data["detail"] = status
    return Read(type="message.bounced", data=data, message_ids=_named(mail, *mail.walk()))


def _way_out(mail: Message, verify: Callable[[str], Subject | None]) -> Subject | None:
    subject = re.sub(r"\s+", " ", _text(mail.get("Subject")))
    found = _TOKEN.search(subject)
    return verify(found[1]) if found else None


def _reply(mail: Message) -> Read:
    automatic = _text(mail.get("Auto-Submitted")).lower()
    if automatic not in {"", "no"} or _text(mail.get("Precedence")).lower() in {"bulk", "junk"}:
        return Read(why_not="it was not written by a person")
    ids = tuple(
        MessageId(each)
        for name in ("In-Reply-To", "References")
        for each in _IDS.findall(_text(mail.get(name)))
    )
    if not ids:
        return Read(why_not="it answers no message")
    body = _body(mail)
    first = next((line for line in body.splitlines() if line.strip()), "")
    if _STOP.fullmatch(first):
        data: dict[str, object] = {"channel": "email", "source": "reply"}
        return Read(type="consent.withdrawn", data=data, message_ids=ids)
    return Read(
        type="message.replied",
        data={"channel": "email", "body": body[:_MAX_BODY]},
        message_ids=ids,
    )


def _body(mail: Message) -> str:
    """The plain text of the mail, without what it quotes."""
    for part in mail.walk():
        if part.get_content_type() == "text/plain" and not part.is_multipart():
            raw = part.get_payload(decode=True)
            text = raw if isinstance(raw, bytes) else b""
            charset = part.get_content_charset("utf-8")
            try:
                told = text.decode(charset, "replace")
            except LookupError:
                told = text.decode("utf-8", "replace")
            lines = (line for line in told.replace("\0", "").splitlines() if line[:1] != ">")
            return "\n".join(lines).strip()
    return ""


def _named(*parts: Message) -> tuple[MessageId, ...]:
    """Ids of messages that the mail returns, in whichever part they stand."""
    return tuple(dict.fromkeys(MessageId(each) for each in _ids_in(parts)))


def _ids_in(parts: tuple[Message, ...]) -> Iterator[str]:
    for part in parts:
        for name in ("Original-Message-ID", "Message-ID", "References", "In-Reply-To"):
            yield from _IDS.findall(_text(part.get(name)))
        if part.get_content_type() in {"text/rfc822-headers", "message/rfc822-headers"}:
            raw = part.get_payload(decode=True)
            headers = BytesParser(policy=policy.compat32).parsebytes(
                raw if isinstance(raw, bytes) else b"", headersonly=True
            )
            yield from _IDS.findall(_text(headers.get("Message-ID")))


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()
