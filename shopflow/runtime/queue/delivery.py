"""Delivering one channel for a while: the lanes of the embedded runner, by turns.

A channel has a seat for each worker that may deliver on it at a time. Leases keep them apart: no
message is in two hands, and turns of a pace are given once. Each turn at a seat is an owner of its
own, numbered by an epoch in SQL. What an owner that died had in its hands is taken back by the
next turn at that seat. One that only seemed dead begins no attempt after that, so at most those
that it had begun may come twice, and they are counted as uncertain.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

from shopflow.errors import StoreError
from shopflow.runtime.app import App
from shopflow.runtime.carrier import Carrier
from shopflow.runtime.deliver import Deliverer
from shopflow.runtime.embedded import StoreThread
from shopflow.store.protocol import Store
from shopflow.store.records import Fence

#: Seconds between two looks whether the turn is over.
LOOK = 0.01
#: Between the name of a channel and the number of a seat behind the first; no name holds it.
_SEAT = "-"


class Deliveries:
    """Delivers for one worker process, on one event loop, so that connections can be kept."""

    def __init__(self, store: Store, carriers: dict[str, Carrier]) -> None:
        self._store = store
        self._carriers = carriers
        self._write = StoreThread()
        self._loop = asyncio.Runner()

    @property
    def first_seats(self) -> list[str]:
        """The first seat of each channel, named as the channel is."""
        return list(self._carriers)

    @property
    def seats(self) -> list[str]:
        """Every seat of every channel."""
        return [
            name if number == 1 else f"{name}{_SEAT}{number}"
            for name, carrier in self._carriers.items()
            for number in range(1, carrier.deliverers + 1)
        ]

    def next_seat(self, seat: str) -> str | None:
        """The seat of the same channel after this one."""
        channel, _, number = seat.partition(_SEAT)
        following = f"{channel}{_SEAT}{int(number or 1) + 1}"
        return following if following in self.seats else None

    def work(
        self, app: App, seat: str, is_over: Callable[[], bool], call_help: Callable[[], None]
    ) -> None:
        """Delivers on the seat's channel, by the app's rules, until nothing may go or time is over.

        Calls for help once there is more than one can take.

        Raises:
            StoreError: Receipts can no longer be kept.
        """
        store = self._store
        name = _stream(seat)
        epoch, position = store.take_over(name)
        # The position is the last turn that has nothing in its hands any more. A call of it that
        # is still under way, or comes later, puts nothing there: leases are fenced.
        for earlier in range(int(position or 0) + 1, epoch):
            self._deliverer(app, seat, earlier).recover()
        with store.transaction(name, epoch) as batch:
            batch.advance(str(epoch - 1))
        deliverer = self._deliverer(app, seat, epoch)
        try:
            self._loop.run(_deliver(deliverer, is_over, call_help))
        finally:
            self._break_off(deliverer)

    def _break_off(self, deliverer: Deliverer) -> None:
        """Ends what the loop is left with, and takes back what that had in its hands.

        That is nothing, unless the loop itself was interrupted, as RQ does with a job that lasts.
        """
        left = asyncio.all_tasks(self._loop.get_loop())
        if left:
            self._loop.run(_ended(left))
            # By the thread that wrote for it, behind its last word.
            self._loop.run(_recovered(self._write, deliverer))

    def close(self) -> None:
        """Ends the thread and the loop."""
        self._write.close()
        self._loop.close()

    def _deliverer(self, app: App, seat: str, epoch: int) -> Deliverer:
        channel, _, number = seat.partition(_SEAT)
        carriers = {channel: self._carriers[channel]}
        owner = f"turn-{number}-{epoch}" if number else f"turn-{epoch}"
        fence = Fence(_stream(seat), epoch)
        return app.deliverer(self._write, owner=owner, fence=fence, carriers=carriers)


def _stream(seat: str) -> str:
    """The name that a seat's turns are counted under."""
    return f"deliver:{seat}"


async def _ended(tasks: Collection[asyncio.Task[object]]) -> None:
    for task in tasks:
        task.cancel()
    # What they end with is no news: the turn ends with what interrupted it.
    await asyncio.gather(*tasks, return_exceptions=True)


async def _recovered(write: StoreThread, deliverer: Deliverer) -> None:
    await write(deliverer.recover)


async def _deliver(
    deliverer: Deliverer, is_over: Callable[[], bool], call_help: Callable[[], None]
) -> None:
    running = asyncio.create_task(deliverer.run())
    called = False
    try:
        while not (deliverer.is_idle or running.done() or is_over()):
            await asyncio.wait([running], timeout=LOOK)
            if deliverer.has_more and not called:
                called = True
                call_help()
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
