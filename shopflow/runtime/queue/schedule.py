"""What rings by itself: the clock every few seconds, and the door as soon as an event is there.

Runs in a thread beside a worker. Two of them ring twice, which is harmless.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from dataclasses import replace

from redis import ConnectionPool, Redis, RedisError
from rq.cron import CronJob, CronScheduler
from rq.exceptions import SchedulerNotFound
from rq.job import Job

from shopflow.runtime.queue.bells import ANSWER, Bell, Bells, Kind
from shopflow.runtime.queue.streams import Streams, trouble

log = logging.getLogger("shopflow.worker")

#: Seconds between two rounds of the clock.
ROUND = 2
#: Milliseconds that the door is listened at, and seconds between two rings while events pour in.
LISTEN, PAUSE = 500, 0.02
#: Seconds until a lost Redis is tried again.
AGAIN = 1.0
#: Seconds after which an answer counts as lost. A Redis whose clock was set back keeps whoever
#: listens waiting until that clock has come as far again.
SILENCE = 10.0


class BellCron(CronJob):
    """Rings a bell; RQ's own job would be a pickle, and one more for every scheduler."""

    def __init__(self, bells: Bells, bell: Bell, interval: int) -> None:
        super().__init__(
            bells.queue_name(bell.kind), func_name=ANSWER, interval=interval, name=str(bell)
        )
        self._bells = bells
        self._bell = bell
        self._interval = interval
        self._rings_at = time.monotonic()

    def should_run(self) -> bool:
        """True when it is time; RQ goes by the wall clock, and is silent while that is set back."""
        return time.monotonic() >= self._rings_at

    def enqueue(self, connection: object) -> Job:
        """The bell rings."""
        del connection
        self._rings_at = time.monotonic() + self._interval
        # Whoever answers the clock looks after all other bells, but nobody answers for it.
        self._bells.mend([self._bell])
        self._bells.ring([self._bell])
        return self._bells.job(self._bell)


class Schedule(threading.Thread):
    """RQ's cron scheduler, seen by its monitoring, and an ear at the door."""

    def __init__(self, streams: Streams, bells: Bells) -> None:
        super().__init__(name="schedule", daemon=True)
        self._streams = replace(streams, redis=_impatient(streams.redis))
        self._bells = bells
        self._ended = threading.Event()
        self._cron = CronScheduler(streams.redis, logging_level=logging.WARNING)
        self._cron.get_jobs().append(BellCron(bells, Bell(Kind.CLOCK), ROUND))

    def end(self) -> None:
        """Rings no more."""
        self._ended.set()
        self.join(LISTEN / 1000 + AGAIN)

    def run(self) -> None:
        """Rings until it is ended; a lost Redis is tried again."""
        while not self._ended.is_set():
            try:
                self._ring()
            except RedisError as e:
                log.warning("%s", trouble(e))
            except Exception:  # whatever it is, time must not stand still for it
                log.exception("the clock stumbled and goes on")
            self._ended.wait(AGAIN)

    def _ring(self) -> None:
        self._cron.register_birth()
        try:
            heard = self._streams.last(self._streams.door)
            while not self._ended.is_set():
                if self._cron.enqueue_jobs():
                    self._cron.save()
                    self._cron.heartbeat()
                if self._streams.listen(heard, LISTEN):
                    self._bells.ring([Bell(Kind.INGEST)])
                    heard = self._streams.last(self._streams.door)
                    time.sleep(PAUSE)
        finally:
            # A Redis that came back empty knows of no scheduler.
            with suppress(SchedulerNotFound):
                self._cron.register_death()


def _impatient(redis: Redis) -> Redis:
    """The same server, over connections that do not wait for an answer for ever."""
    pool = redis.connection_pool
    settings = {**pool.connection_kwargs, "socket_timeout": SILENCE}
    kind = pool.connection_class
    return Redis(connection_pool=ConnectionPool(connection_class=kind, **settings))
