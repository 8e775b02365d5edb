"""The RQ worker that answers doorbells in its own process, with the rules kept loaded.

Jobs are never unpickled nor called by name: a job is its id, which names a bell. So whoever can
write to Redis can make a worker look for work, and nothing else.
"""

from __future__ import annotations

import logging
import signal
import zlib
from collections.abc import Callable
from typing import Any, cast

from redis import Redis
from rq import Queue, SimpleWorker
from rq.exceptions import StopRequested
from rq.executions import Execution
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import DequeueStrategy

from shopflow.errors import SettingsError
from shopflow.runtime.queue.bells import Bell
from shopflow.runtime.queue.fleet import Fleet

log = logging.getLogger("shopflow.worker")

#: Jobs of a queue that are looked at before the first is answered.
LOOKED_AT = 1000
#: Seconds that a worker without work waits before it looks for other rules.
IDLE = 2
#: Every pickle since 2006 begins so.
_PICKLE = b"\x80"


def answer(bell: str) -> None:
    """What jobs name; only `shopflow worker` answers, and it does not call this."""
    raise SettingsError(f"the job {bell} is answered by `shopflow worker`, by no other RQ worker")


class BellJob(Job):
    """A job whose id says all."""

    #: Set by the worker before it performs the job.
    fleet: Fleet | None = None

    def perform(self) -> None:
        """Answers the bell; what else stands in the job is not looked at."""
        assert self.fleet is not None  # noqa: S101 - only BellWorker performs jobs of this class
        self.fleet.answer(bell_of(self.fleet, self))


class BellWorker(SimpleWorker):
    """Answers the bells of a fleet."""

    job_class = BellJob
    log_result_lifespan = False

    def __init__(self, fleet: Fleet, *, find_more: Callable[[], bool] | None = None) -> None:
        names = [fleet.bells.queue_name(kind) for kind in fleet.kinds]
        super().__init__(
            names,
            connection=fleet.streams.redis,
            serializer=cast("Any", JSONSerializer),
            log_job_description=False,
        )
        self._fleet = fleet
        #: In a burst: finds more to do; False when nothing is left.
        self._find_more = find_more
        self.stopping = False
        self._at_job = False

    def run(self) -> None:
        """Answers until stopped, or in a burst until nothing is left."""
        self.work(
            burst=self._find_more is not None,
            logging_level="WARNING",
            dequeue_strategy=DequeueStrategy.ROUND_ROBIN,
        )

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[Job, Queue] | None:
        """The next bell; a burst looks for more before it ends, others take up new rules."""
        while True:
            self._fleet.keep_up()
            most = IDLE if self._find_more is None else max_idle_time
            found = super().dequeue_job_and_maintain_ttl(timeout, most)
            if found is not None or self._stop_requested:
                return found
            if self._find_more is not None and not self._find_more():
                return None

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Performs the job here; then its bell may ring again."""
        self._at_job = True
        try:
            super().execute_job(job, queue)
            self._fleet.answered()
        finally:
            self._at_job = False

    def perform_job(self, job: Job, queue: Queue, execution: Execution) -> bool:
        """Performs the job with the fleet at hand."""
        assert isinstance(job, BellJob)  # noqa: S101 - this worker's job class
        job.fleet = self._fleet
        return super().perform_job(job, queue, execution)

    def handle_warm_shutdown_request(self) -> None:
        """The job at hand ends after its batch, and the worker after the job."""
        self.stopping = True
        self._fleet.cut()

    def _shutdown(self) -> None:
        """RQ asks Redis whether a job is at hand, which a signal cannot wait for, and may be away.

        Raises:
            StopRequested: None is.
        """
        # Also for when somebody takes that for an error of his own.
        self._stop_requested = True
        if not self._at_job:
            raise StopRequested

    def kill_horse(self, sig: signal.Signals = signal.SIGKILL) -> None:
        """RQ's command to stop a job: it ends after its batch."""
        del sig
        self._fleet.cut()


def bell_of(fleet: Fleet, job: Job) -> Bell:
    """The bell that the job stands for.

    Raises:
        SettingsError: It is no bell of this installation.
    """
    bell = fleet.bells.bell_of(job.id)
    if bell is None or bell not in fleet.every_bell:
        raise SettingsError(f"the job {job.id} is no doorbell of shopflow; nothing is run for it")
    return bell


def hold_to_json(fleet: Fleet) -> bool:
    """True when the queues of a fleet that begins hold nothing but JSON.

    Raises:
        SettingsError: A job in one of them was written by pickle.
    """
    for kind in fleet.kinds:
        refuse_pickle(fleet.streams.redis, fleet.bells.queue_name(kind))
    return True


def refuse_pickle(redis: Redis, queue: str) -> None:
    """Holds a queue to JSON.

    Raises:
        SettingsError: A job in it was written by pickle, which can run any code when it is read.
    """
    waiting = Queue(queue, connection=redis, serializer=cast("Any", JSONSerializer))
    for job_id in waiting.get_job_ids(0, LOOKED_AT):
        data = cast("bytes | None", redis.hget(Job.key_for(job_id), "data"))
        if data and (plain := _plain(data)).startswith(_PICKLE):
            raise SettingsError(
                f"the RQ queue {queue} holds a pickled job ({job_id}, {len(plain)} bytes), and "
                f"shopflow reads JSON only: empty it by `rq empty {queue}`, and let nothing else "
                "write to it"
            )


def _plain(data: bytes) -> bytes:
    try:
        return zlib.decompress(data)
    except zlib.error:
        return data
