"""What channels over HTTP have in common: their settings, and that messages are posted.

How is `poster`'s, which brings httpx along: it is loaded with the first channel that is made, since
most commands only want to know which channels there are.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, ClassVar

from shopflow.channel import Message, Receipt

#: Hosts that are reached without a network.
THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})

#: What a channel makes of an answer's status and body; None where the status says it all.
Reading = Callable[[int, bytes], Receipt | None]

#: Settings that every channel over HTTP takes.
SETTINGS: Mapping[str, Mapping[str, object]] = {
    "url": {"type": "string", "minLength": 8, "x-secret": True},
    "allow_http": {
        "type": "boolean",
        "default": False,
        "description": "Allow http beyond this machine: bodies can be read on the way",
    },
    "allow_private": {
        "type": "boolean",
        "default": False,
        "description": "Allow this machine and private networks, where the shop's own services are",
    },
    "headers": {
        "type": "object",
        "additionalProperties": {"type": "string", "pattern": r"^[\x20-\x7e]*$"},
        "propertyNames": {"pattern": r"^[A-Za-z0-9-]+$"},
        "x-secret": True,
    },
    "authorization": {
        "type": "string",
        "pattern": r"^[\x20-\x7e]+$",
        "description": "The header Authorization, such as Bearer …",
        "x-secret": True,
    },
    "timeout": {"type": "number", "exclusiveMinimum": 0, "maximum": 120, "default": 10},
    "connections": {"type": "integer", "minimum": 1, "maximum": 100, "default": 4},
}


class PostingChannel(ABC):
    """A channel that posts; one of them says in `_post` what is posted for a message."""

    name: ClassVar[str]

    def __init__(self, settings: Mapping[str, Any], reading: Reading | None = None) -> None:
        from .poster import Poster  # noqa: PLC0415 - see above

        self._poster = Poster(self.name, settings, reading)

    def send(self, messages: Sequence[Message]) -> AsyncIterator[tuple[str, Receipt]]:
        """Each message's receipt as it is answered."""
        return self._poster.each(messages, self._post)

    async def aclose(self) -> None:
        """Lets go of the connections."""
        await self._poster.aclose()

    @abstractmethod
    async def _post(self, message: Message) -> Receipt:
        """Posts what it is for this message; what the answer says of it."""


def json_of(text: bytes) -> object:
    """The JSON of an answer's body; None when it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
