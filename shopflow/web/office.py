"""Where pages ask for what is kept and bring wishes: one thread, opened when first needed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from shopflow.domain.customer import Customer
from shopflow.errors import SettingsError, StoreError
from shopflow.runtime.wishes import Asked, Wishes

Result = TypeVar("Result")

#: Seconds that a page waits for the database.
PATIENCE = 10.0


class Away(Exception):  # noqa: N818 - the name is the claim
    """Raised when nothing can be kept just now; whoever asked is to come again."""


class Runs(Protocol):
    """Runs calls of the store where all of them run, one after the other."""

    def __call__(self, call: Callable[[], Result], /) -> Awaitable[Result]:
        """The call's result."""
        ...


class Office:
    """The one who hears wishes, for pages that answer many people at a time."""

    def __init__(self, run: Runs, opened: Callable[[], Wishes]) -> None:
        self._run = run
        self._opened = opened

    async def customer(self, customer_id: str) -> Customer:
        """The person of that id as last committed; somebody new where there is none.

        Raises:
            Away: The database does not answer.
        """
        return await self.ask(lambda wishes: wishes.customer(customer_id))

    async def wish(self, customer_id: str, asked: Asked, *, anonymous: bool = False) -> Customer:
        """The person afterwards: what they asked for is kept and holds from now on.

        Raises:
            Away: It is not known to be kept.
            WishRefused: What is wished is no event.
        """
        return await self.ask(lambda w: w.take(customer_id, asked, anonymous=anonymous))

    async def ask(self, work: Callable[[Wishes], Result]) -> Result:
        """What the work gives, done where the store is called.

        Raises:
            Away: The database does not answer.
        """
        try:
            # Unlike `wait_for` of Python 3.11, this never loses a cancellation.
            async with asyncio.timeout(PATIENCE):
                return await self._run(lambda: work(self._opened()))
        except (StoreError, SettingsError, TimeoutError) as e:
            raise Away from e
        except RuntimeError as e:
            # The executor's word for a program that is about to end.
            if "shutdown" not in str(e):
                raise
            raise Away from e
