"""What comes back by mail: bounces (RFC 3464), complaints (RFC 5965), ways out, and replies.

A mail becomes an event about the customer whose message it answers; whose that is, the id of the
message or the sealed token of the way out says, and for a reply that names none, its sender. What
concerns nobody here is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from email import policy
from email.message import Message
from email.parser import BytesParser
from email.utils import parseaddr
from hashlib import sha256

from shopflow.domain.event import Event
from shopflow.domain.ids import CustomerId, EventId, MessageId
from shopflow.runtime.contact import email_address
from shopflow.runtime.links import Subject
from shopflow.runtime.stop_words import is_stop
from shopflow.store.records import StoredMessage

#: The longest mail that is read, and the longest answer that is kept.
MAX_BYTES = 25 * 1024 * 1024
_MAX_BODY = 10_000
REPLIED = "message.replied"

_IDS = re.compile(r"<([^<>@\s]{1,200})@[^<>\s]+>")
_TOKEN = re.compile(r"unsubscribe\s+([A-Za-z0-9_.-]{10,2000})", re.IGNORECASE)
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
    #: Who wrote it, by address: whose word it is where it names no message of ours.
    sender: str = ""
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


def events_of(
    said: Read,
    raw: bytes,
    find: Callable[[tuple[MessageId, ...]], list[StoredMessage]],
    who_has: Callable[[str], list[CustomerId]],
    at: datetime,
) -> list[Event]:
    """The events, one for each whom the mail concerns; none when nobody is known.

    `who_has` gives the customers at an address.
    """
    data, concerned = dict(said.data), [CustomerId(said.customer_id)] if said.customer_id else []
    if not concerned and (found := find(said.message_ids)):
        concerned = [found[0].message.customer_id]
        if said.type.startswith("message."):
            data["message_id"] = found[0].message.id
    if not concerned and said.sender:
        concerned = who_has(said.sender)
        if said.type == REPLIED and len(concerned) > 1:
            # Of several people at one address, nobody knows who wrote.
            return []
    digest = name_of(raw)
    return [
        Event(
            id=EventId(f"{digest}-{number}" if number else digest),
            type=said.type,
            occurred_at=at,
            data=data,
            customer_id=customer_id,
        )
        for number, customer_id in enumerate(concerned)
        if customer_id
    ]


def name_of(raw: bytes) -> str:
    """What the same mail has in common, however often it is given."""
    return f"mail-{sha256(raw).hexdigest()[:32]}"


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
    sender = email_address(parseaddr(_text(mail.get("From")))[1])
    body = _body(mail)
    if not ids and not (sender and body):
        return Read(why_not="it answers no message")
    if is_stop(body):
        data: dict[str, object] = {"channel": "email", "source": "reply"}
        return Read(type="consent.withdrawn", data=data, message_ids=ids, sender=sender)
    return Read(
        type=REPLIED,
        data={"channel": "email", "body": body[:_MAX_BODY]},
        message_ids=ids,
        sender=sender,
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
