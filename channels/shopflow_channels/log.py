"""The log channel: one JSON line a message, to a file, to standard error or to a logger.

```yaml
channels:
  log: {file: messages.jsonl}
```
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, ClassVar

from shopflow.channel import ContentSpec, FailureReason, Message, OnUncertain, Receipt

_LOGGER = logging.getLogger("shopflow.messages")
#: A log is read by many: only its owner may read the file, messages are about people.
_MODE = 0o600


class LogChannel:
    """Writes messages down; needs no address, sends nothing."""

    name: ClassVar[str] = "log"
    settings_schema: ClassVar[Mapping[str, object]] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "file": {
                "type": "string",
                "minLength": 1,
                "description": "Lines are appended here; '-' is standard error; none: a logger",
            },
        },
    }
    needs_address: ClassVar[bool] = False
    content: ClassVar[ContentSpec] = ContentSpec(extensions=("txt",), optional=("text", "subject"))
    on_uncertain: ClassVar[OnUncertain] = OnUncertain.RESEND

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._file: str = settings.get("file", "")

    async def send(self, messages: Sequence[Message]) -> AsyncIterator[tuple[str, Receipt]]:
        """Accepted once written; a file that cannot be written to is tried again later."""
        text = "".join(_line(message) for message in messages)
        try:
            await asyncio.to_thread(self._write, text)
        except OSError as e:
            receipt = Receipt.failed(
                FailureReason.SETTINGS, retryable=True, detail=f"cannot write: {e.strerror}"
            )
        else:
            receipt = Receipt.accepted()
        for message in messages:
            yield message.id, receipt

    async def aclose(self) -> None:
        """Nothing is kept open."""

    def _write(self, text: str) -> None:
        if not self._file:
            for line in text.splitlines():
                _LOGGER.info("%s", line)
        elif self._file == "-":
            sys.stderr.write(text)
        else:
            # One write to a file opened for appending: lines of two processes do not mix.
            target = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _MODE)
            try:
                _write_all(target, text.encode())
            finally:
                os.close(target)


def _write_all(target: int, data: bytes) -> None:
    while data:
        data = data[os.write(target, data) :]


def _line(message: Message) -> str:
    line = {
        "id": message.id,
        "created_at": message.created_at.isoformat(),
        "customer_id": message.customer_id,
        "workflow": message.workflow,
        "step": message.step,
        "class": message.message_class,
        "purpose": message.purpose,
        "locale": message.locale,
        "attempt": message.attempt,
        "content": dict(message.content),
        "variables": dict(message.variables),
    }
    return json.dumps(line, default=str) + "\n"
