"""What workers tell of themselves through Redis: that they live, and what they counted.

Sums of all processes of all machines are added up in one hash, so that they never go down when a
worker ends. They are for looking at: losing them, with Redis, loses nothing else.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import orjson
from redis import Redis, RedisError

import shopflow
from shopflow.report.vitals import Series, WorkerSeen
from shopflow.runtime.meter import Meter

log = logging.getLogger("shopflow.worker")

#: Seconds between two beats, and how long a worker that tells no more is remembered.
BEAT, FORGOTTEN = 5.0, 20.0


@dataclass(frozen=True, slots=True)
class Board:
    """Where the processes of one installation write down what they tell."""

    redis: Redis = field(repr=False)
    namespace: str

    @property
    def _sums(self) -> str:
        return f"{self.namespace}:sums"

    @property
    def _marks(self) -> str:
        return f"{self.namespace}:marks"

    @property
    def _workers(self) -> str:
        return f"{self.namespace}:workers"

    def hand_on(self, meter: Meter) -> None:
        """What the meter counted is added to what all others counted.

        Raises:
            RedisError: It is still in the meter.
        """
        sums, marks = meter.take()
        if not sums and not marks:
            return
        try:
            with self.redis.pipeline(transaction=True) as pipe:
                for series, amount in sums.items():
                    pipe.hincrbyfloat(self._sums, _text(series), amount)
                if marks:
                    # Two workers may overtake each other here, by a beat at most.
                    told: Any = {_text(series): stamp for series, stamp in marks.items()}
                    pipe.hset(self._marks, mapping=told)
                pipe.execute()
        except RedisError:
            meter.give_back(sums, marks)
            raise

    def tell(self, worker: WorkerSeen) -> None:
        """The worker lives."""
        document: Any = orjson.dumps(worker, option=orjson.OPT_UTC_Z)
        self.redis.hset(self._workers, worker.name, document)

    def forget(self, names: Iterable[str]) -> None:
        """These workers have ended."""
        if every := list(names):
            self.redis.hdel(self._workers, *every)

    def read(self) -> tuple[dict[Series, float], dict[Series, float], list[WorkerSeen]]:
        """All sums, all instants, and the workers that told of themselves lately."""
        with self.redis.pipeline(transaction=False) as pipe:
            pipe.hgetall(self._sums)
            pipe.hgetall(self._marks)
            pipe.hvals(self._workers)
            pipe.time()
            sums, marks, workers, (seconds, _) = pipe.execute()
        seen = [_worker(text) for text in cast("list[bytes]", workers)]
        alive = [one for one in seen if seconds - one.seen_at.timestamp() <= FORGOTTEN]
        self.forget({one.name for one in seen} - {one.name for one in alive})
        return _figures(sums), _figures(marks), sorted(alive, key=lambda one: one.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesAtWork:
    """Which rules a process runs."""

    #: What they compiled to.
    digest: str
    #: Of which bundle they are; `folder` where nothing was ever deployed.
    revision: str
    #: Why it does not run what was deployed last; empty when nothing went wrong.
    failure: str = ""


class Pulse(threading.Thread):
    """Tells of one worker, every few seconds until it ends."""

    def __init__(
        self,
        board: Board,
        meter: Meter,
        *,
        queues: Iterable[str],
        rules: Callable[[], RulesAtWork],
    ) -> None:
        super().__init__(name="pulse", daemon=True)
        self._board = board
        self._meter = meter
        self._rules = rules
        self._ended = threading.Event()
        host, pid, now = socket.gethostname(), os.getpid(), datetime.now(UTC)
        self._self = WorkerSeen(
            name=f"{host}-{pid}-{uuid4().hex[:8]}",
            host=host,
            pid=pid,
            version=shopflow.__version__,
            digest=rules().digest,
            queues=tuple(queues),
            started_at=now,
            seen_at=now,
        )

    def end(self) -> None:
        """The worker ends; what it counted is handed on."""
        self._ended.set()
        self.join(BEAT)
        try:
            self._hand_on()
            self._board.forget([self._self.name])
        except RedisError as e:
            log.warning("what this worker counted last is lost: %s", e)

    def run(self) -> None:
        """Beats until it is ended; a Redis that is away hears the next one."""
        while True:
            try:
                self._beat()
            except RedisError as e:
                log.info("Redis does not hear this worker: %s", e)
            if self._ended.wait(BEAT):
                return

    def _beat(self) -> None:
        # By Redis' clock, so that machines whose clocks differ agree on who lives.
        seconds, micros = self._board.redis.time()
        seen_at = datetime.fromtimestamp(seconds + micros / 1e6, UTC)
        rules = self._rules()
        self._board.tell(
            replace(
                self._self,
                seen_at=seen_at,
                resident=resident(),
                digest=rules.digest,
                revision=rules.revision,
                failure=rules.failure,
            )
        )
        self._hand_on()

    def _hand_on(self) -> None:
        done = self._meter.totals()
        self._board.hand_on(self._meter)
        if done:
            log.info("worked", extra=done)


def resident() -> int:
    """The memory of this process, in bytes; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _text(series: Series) -> str:
    return orjson.dumps(series).decode()


def _figures(kept: Mapping[bytes, bytes]) -> dict[Series, float]:
    return {tuple(orjson.loads(key)): float(value) for key, value in kept.items()}


def _worker(text: bytes) -> WorkerSeen:
    document = orjson.loads(text)
    return WorkerSeen(
        **{
            **document,
            "queues": tuple(document["queues"]),
            "started_at": datetime.fromisoformat(document["started_at"]),
            "seen_at": datetime.fromisoformat(document["seen_at"]),
        }
    )
