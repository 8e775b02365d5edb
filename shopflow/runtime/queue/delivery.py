"""Delivering one channel for a while: the lanes of the embedded runner, by turns.

Each turn is an owner of its own, numbered by an epoch in SQL. What an owner that died had in its
hands is taken back by the next turn. One that only seemed dead begins no attempt after that, so
at most those that it had begun may come twice, and they are counted as uncertain.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from shopflow.errors import StoreError
from shopflow.runtime.app import App
from shopflow.runtime.deliver import Carrier, Deliverer
from shopflow.runtime.embedded import StoreThread

#: Seconds between two looks whether the turn is over.
LOOK = 0.01


class Deliveries:
    """Delivers for one worker process, on one event loop, so that connections can be kept."""

    def __init__(self, app: App, carriers: dict[str, Carrier]) -> None:
        self._app = app
        self._carriers = carriers
        self._write = StoreThread()
        self._loop = asyncio.Runner()

    @property
    def channels(self) -> list[str]:
        """The names of all channels."""
        return list(self._carriers)

    def work(self, channel: str, is_over: Callable[[], bool]) -> None:
        """Delivers on the channel until nothing may go or the time is over.

        Raises:
            StoreError: Receipts can no longer be kept.
        """
        store = self._app.store
        name = f"deliver:{channel}"
        epoch, position = store.take_over(name)
        # The position is the last turn that has nothing in its hands any more.
        for earlier in range(int(position or 0) + 1, epoch):
            self._deliverer(channel, earlier).recover()
        with store.transaction(name, epoch) as batch:
            batch.advance(str(epoch - 1))
        self._loop.run(_deliver(self._deliverer(channel, epoch), is_over))

    def close(self) -> None:
        """Ends the thread and the loop."""
        self._write.close()
        self._loop.close()

    def _deliverer(self, channel: str, epoch: int) -> Deliverer:
        carriers = {channel: self._carriers[channel]}
        return self._app.deliverer(self._write, owner=f"turn-{epoch}", carriers=carriers)


async def _deliver(deliverer: Deliverer, is_over: Callable[[], bool]) -> None:
    running = asyncio.create_task(deliverer.run())
    try:
        while not (deliverer.is_idle or running.done() or is_over()):
            await asyncio.wait([running], timeout=LOOK)
    finally:
        # Whatever ends the turn: what is under way gets its receipt.
        deliverer.stop()
        await asyncio.wait([running])
    try:
        running.result()
    except* StoreError as errors:
        raise _first(errors) from errors


def _first(errors: BaseExceptionGroup[StoreError]) -> StoreError:
    leaf: BaseException = errors
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    assert isinstance(leaf, StoreError)  # noqa: S101 - nothing else is caught
    return leaf
