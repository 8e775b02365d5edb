"""Read by mypy only: what a plugin author writes must type-check as it is in docs/channels.md."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import ClassVar, assert_type

from shopflow.channel import (
    Channel,
    ChannelError,
    ContentSpec,
    FailureReason,
    Message,
    OnUncertain,
    Outcome,
    Receipt,
)
from shopflow.errors import RulesInvalid, ShopflowError
from shopflow.problem import Location, Problem


class CarrierPigeon:
    """A stranger's channel, without a base class."""

    name: ClassVar[str] = "pigeon"
    settings_schema: ClassVar[Mapping[str, object]] = {"type": "object"}
    needs_address: ClassVar[bool] = True
    content: ClassVar[ContentSpec] = ContentSpec(extensions=("txt",), required=("body",))
    on_uncertain: ClassVar[OnUncertain] = OnUncertain.HOLD

    def __init__(self, settings: Mapping[str, object]) -> None:
        self._loft = settings["loft"]

    async def send(self, messages: Sequence[Message]) -> AsyncIterator[tuple[str, Receipt]]:
        """One receipt for each message."""
        for message in messages:
            assert_type(message.content, Mapping[str, str])
            yield message.id, Receipt.accepted(provider_id=f"ring-{message.id}")

    async def aclose(self) -> None:
        """Nothing to let go of."""


def takes_a_channel(channel: Channel) -> None:
    """Any channel will do."""
    assert_type(channel.on_uncertain, OnUncertain)


def a_class_of_channels() -> type[Channel]:
    """A class that fits is a channel, without saying so."""
    return CarrierPigeon


takes_a_channel(CarrierPigeon({"loft": "roof"}))

receipt = Receipt.failed(FailureReason.TIMEOUT, retryable=True)
assert_type(receipt.outcome, Outcome)
assert_type(receipt.reason, FailureReason | None)

error: ShopflowError = ChannelError(FailureReason.AUTH, retryable=False)
invalid = RulesInvalid([Problem(code="SF001", location=Location(path="a.yaml"), message="no")])
assert_type(invalid.problems, tuple[Problem, ...])
