"""A channel that keeps what it is given: for tests of rules and of the runtime."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import ClassVar

from shopflow.channel import ContentSpec, Message, OnUncertain, Receipt


class RecordingChannel:
    """Accepts everything, or answers with the receipts it was told to; sends nothing."""

    name: ClassVar[str] = "recording"
    settings_schema: ClassVar[Mapping[str, object]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {},
    }
    needs_address: ClassVar[bool] = False
    content: ClassVar[ContentSpec] = ContentSpec()
    on_uncertain: ClassVar[OnUncertain] = OnUncertain.RESEND

    def __init__(self, settings: Mapping[str, object] | None = None) -> None:
        self.settings = settings or {}
        #: Every message of every attempt, in order.
        self.messages: list[Message] = []
        self._answers: deque[Receipt] = deque()

    def answer_with(self, receipts: Iterable[Receipt]) -> None:
        """The next messages get these receipts, one each; those after them are accepted."""
        self._answers.extend(receipts)

    async def send(self, messages: Sequence[Message]) -> AsyncIterator[tuple[str, Receipt]]:
        """Each message's receipt, at once."""
        for message in messages:
            self.messages.append(message)
            answer = self._answers.popleft() if self._answers else None
            yield message.id, answer or Receipt.accepted(provider_id=f"recorded-{message.id}")

    async def aclose(self) -> None:
        """Nothing to let go of."""
