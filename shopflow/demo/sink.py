"""A mail server on this machine that keeps what it is given: the demo's mails end here."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern
from typing import TYPE_CHECKING

from shopflow.errors import SettingsError

if TYPE_CHECKING:
    from aiosmtpd.smtp import SMTP, Envelope, Session

#: Mails whose body is kept; of the others only their number.
KEPT = 20_000


_MESSAGE_ID = re.compile(rb"(?im)^message-id:\s*<([^@>]+)@")


@dataclass(slots=True)
class Sink:
    """What arrived; `port` is where it listens."""

    port: int = 0
    mails: list[bytes] = field(default_factory=list)
    arrived: int = 0
    recipients: Counter[str] = field(default_factory=Counter)

    async def handle_DATA(  # noqa: N802 - the name that aiosmtpd calls
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Keeps the mail."""
        self.arrived += 1
        self.recipients.update(envelope.rcpt_tos)
        content = envelope.content
        if isinstance(content, bytes) and len(self.mails) < KEPT:
            self.mails.append(content)
        return "250 OK"

    def page_of(self, wanted: Iterable[str]) -> tuple[str, str]:
        """The first of these messages whose mail has an HTML part, and the part; both may be ""."""
        by_id = {found[1].decode(): raw for raw in self.mails if (found := _MESSAGE_ID.search(raw))}
        for message_id in wanted:
            mail = message_from_bytes(by_id.get(message_id, b""), policy=modern)
            assert isinstance(mail, EmailMessage)  # noqa: S101 - what this policy makes
            body = mail.get_body(("html",))
            if body is not None:
                return message_id, body.get_content()
        return "", ""


@asynccontextmanager
async def listening() -> AsyncIterator[Sink]:
    """A sink at a free port, served by this event loop.

    Raises:
        SettingsError: The library that it is made of is not installed.
    """
    try:
        from aiosmtpd.smtp import SMTP  # noqa: PLC0415 - only the demo needs it
    except ImportError as e:
        raise SettingsError(
            "the demo sends its mails to a server that it starts itself, for which it needs "
            "aiosmtpd: pip install aiosmtpd"
        ) from e
    sink = Sink()
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(sink, hostname="demo.invalid"), "127.0.0.1", 0
    )
    sink.port = server.sockets[0].getsockname()[1]
    try:
        yield sink
    finally:
        server.close()
