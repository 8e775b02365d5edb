"""Worker processes of their own for `bench run`: with few or many rules, one or two at a time."""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from time import perf_counter

from redis import Redis

from shopflow.bench.run_rules import with_rules
from shopflow.bench.run_shop import PARTITIONS, Clocked, deciders
from shopflow.runtime.memory import settled
from shopflow.runtime.queue.partition import Reader
from shopflow.store.opening import open_store

#: Which worker reads which partitions.
Share = Sequence[tuple["Worker", Collection[int]]]


class Worker:
    """A process that reads partitions when it is told to."""

    def __init__(self, url: str, redis: str, namespace: str, rules: int) -> None:
        # A process that was forked would share the measuring one's connections and memory.
        context = get_context("spawn")
        self._ours, theirs = context.Pipe()
        arguments = (theirs, url, redis, namespace, rules)
        self._process = context.Process(target=_work, args=arguments, daemon=True)
        self._process.start()
        theirs.close()

    def ready(self) -> None:
        """Returns once the rules are compiled and the database is open."""
        self._ours.recv()

    def tell(self, partitions: Collection[int]) -> None:
        """It starts on what waits in these partitions."""
        self._ours.send(tuple(partitions))

    def wait(self) -> None:
        """Returns when nothing is left to do."""
        self._ours.recv()

    def stop(self) -> None:
        """The process is gone."""
        self._ours.close()
        self._process.join(timeout=10)
        self._process.kill()
        self._process.join()


@contextmanager
def workers(url: str, redis: str, namespace: str, rules: Sequence[int]) -> Iterator[list[Worker]]:
    """A worker for each of these numbers of rules, ready to work; gone afterwards."""
    started = [Worker(url, redis, namespace, count) for count in rules]
    try:
        for worker in started:
            worker.ready()
        yield started
    finally:
        for worker in started:
            worker.stop()


def seconds(share: Share) -> float:
    """How long the workers take for their partitions, all at once."""
    start = perf_counter()
    for worker, partitions in share:
        worker.tell(partitions)
    for worker, _ in share:
        worker.wait()
    return perf_counter() - start


def _work(ours: Connection, url: str, redis: str, namespace: str, rules: int) -> None:
    """The process: ends when the one that started it closes the pipe."""
    store = open_store(url, partitions=PARTITIONS)
    with Redis.from_url(redis, protocol=2) as client:
        streams = Clocked(client, namespace, PARTITIONS)
        deciding = deciders(store, with_rules(rules))
        try:
            ours.send(None)
            with settled():
                while True:
                    partitions = ours.recv()
                    gc.collect()
                    for partition in partitions:
                        Reader(deciding, streams, partition).work(lambda: False)
                    ours.send(None)
        except (EOFError, BrokenPipeError):
            store.close()
