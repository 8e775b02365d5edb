"""Doorbells: RQ jobs that say where there is work, never which; and who is answering them.

A bell is one RQ job with a fixed id, so that it waits at most once. RQ refuses a second one while
the first waits or runs, which would lose a ring that comes just as a run ends; so a ring also
leaves a mark, and whoever ends a run looks for it. Bells whose worker died are found by the lease
that nobody renews. Two schedulers, a lost mark or a ring too many do no harm: work is found by
looking, and kept from being done twice in SQL.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import Any, NamedTuple, cast
from uuid import uuid4

from redis import Redis
from rq import Queue
from rq.exceptions import DuplicateJobError
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

#: Seconds after which a lease that was not renewed is free.
LEASE = 10.0
#: Seconds between two renewals.
RENEWAL = 2.0
#: Seconds that a bell may be neither waiting nor answered, while a worker takes it up.
GRACE = 3.0
#: Seconds that a bell is remembered to have been found so.
SUSPECTED = 60.0
#: Seconds after which RQ ends a job that does not end by itself: a batch hangs.
TIMEOUT = 300
#: Seconds that RQ keeps a failed job for people to look at.
FAILURE_TTL = 24 * 3600

#: What RQ jobs name; only `shopflow worker` answers them.
ANSWER = "shopflow.runtime.queue.worker.answer"

_FREE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""
_RENEW = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
"""
#: A job that neither waits nor is answered is suspected at first sight and gone at a later one.
#: Time is Redis' own, so that no machine's clock matters; when that clock itself is set back, what
#: was to end soon would not end for long, and begins anew.
_MEND = """
local job, lease, queue, suspected = unpack(KEYS)
local id, grace, keep, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
if redis.call('PTTL', lease) > most then redis.call('PEXPIRE', lease, most) end
if redis.call('EXISTS', job) == 0 or redis.call('EXISTS', lease) == 1
    or redis.call('LPOS', queue, id) then
    redis.call('DEL', suspected)
    return 0
end
local rung_at = redis.call('HGET', job, 'created_at') or '-'
local left = redis.call('PTTL', suspected)
if redis.call('GET', suspected) ~= rung_at or left > keep then
    redis.call('SET', suspected, rung_at, 'PX', keep)
    return 0
end
if keep - left < grace then return 0 end
redis.call('DEL', job, suspected)
return 1
"""


class Kind(StrEnum):
    """The kinds of work, each with a queue of its own."""

    CLOCK = "clock"
    INGEST = "ingest"
    PROCESS = "process"
    DELIVER = "deliver"
    SWEEP = "sweep"


class Bell(NamedTuple):
    """One doorbell: `process-7`."""

    kind: Kind
    #: The partition or the channel; empty where there is only one.
    of: str = ""

    def __str__(self) -> str:
        return f"{self.kind}-{self.of}" if self.of else str(self.kind)

    @classmethod
    def parse(cls, text: str) -> Bell | None:
        """The bell of that name; None when it is none."""
        kind, _, of = text.partition("-")
        return cls(Kind(kind), of) if kind in set(Kind) else None


class Bells:
    """The doorbells of one installation."""

    def __init__(self, redis: Redis, namespace: str) -> None:
        self._redis = redis
        self._namespace = namespace
        #: Who we are in leases.
        self._owner = uuid4().hex
        self._rung = f"{namespace}:rung"
        self._queues = {kind: self._queue(kind) for kind in Kind}

    def queue_name(self, kind: Kind) -> str:
        """The RQ queue of a kind of work."""
        return f"{self._namespace}-{kind}"

    def job_id(self, bell: Bell) -> str:
        """The id of the bell's RQ job."""
        return f"{self._namespace}-{bell}"

    def bell_of(self, job_id: str) -> Bell | None:
        """The bell of an RQ job; None when it is not one of ours."""
        prefix = f"{self._namespace}-"
        return Bell.parse(job_id.removeprefix(prefix)) if job_id.startswith(prefix) else None

    def ring(self, bells: Iterable[Bell]) -> None:
        """Each of them is answered from now on, or once more when its answer is under way."""
        wanted = list(dict.fromkeys(bells))
        if not wanted:
            return
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.sadd(self._rung, *map(str, wanted))
            for bell in wanted:
                pipe.exists(Job.key_for(self.job_id(bell)))
            _, *known = pipe.execute()
        for bell, rings in zip(wanted, known, strict=True):
            if not rings:
                self._enqueue(bell)

    def heard(self, bell: Bell) -> None:
        """Its rings so far are being answered."""
        self._redis.srem(self._rung, str(bell))

    def ring_again(self, bell: Bell) -> None:
        """Rings when somebody rang while it was answered; for when its job is gone."""
        if self._redis.sismember(self._rung, str(bell)):
            self._enqueue(bell)

    def hold(self, bell: Bell) -> bool:
        """The bell is ours to answer; False while another worker does."""
        taken = self._redis.set(self._lease(bell), self._owner, nx=True, px=int(LEASE * 1000))
        return bool(taken)

    def renew(self, bell: Bell) -> bool:
        """It stays ours; False when it has run out."""
        held = self._redis.eval(_RENEW, 1, self._lease(bell), self._owner, str(int(LEASE * 1000)))
        return bool(held)

    def free(self, bell: Bell) -> None:
        """The bell is no longer ours."""
        self._redis.eval(_FREE, 1, self._lease(bell), self._owner)

    def held(self, bells: Collection[Bell]) -> bool:
        """True when a worker is answering one of them."""
        return bool(bells) and bool(self._redis.exists(*map(self._lease, bells)))

    def in_doubt(self, bells: Collection[Bell]) -> bool:
        """True when one of them is being answered, or was by a worker that may be dead."""
        keys = [key for bell in bells for key in (self._lease(bell), self._suspected(bell))]
        return bool(keys) and bool(self._redis.exists(*keys))

    def wait(self, kinds: Iterable[Kind]) -> bool:
        """True when bells of these kinds wait to be answered."""
        with self._redis.pipeline(transaction=False) as pipe:
            for kind in kinds:
                pipe.llen(self._queues[kind].key)
            return any(pipe.execute())

    def mend(self, bells: Iterable[Bell]) -> None:
        """Bells that were being answered by a worker that died ring again."""
        every = list(bells)
        with self._redis.pipeline(transaction=False) as pipe:
            for bell in every:
                keys = (
                    Job.key_for(self.job_id(bell)),
                    self._lease(bell),
                    self._queues[bell.kind].key,
                    self._suspected(bell),
                )
                times = (str(int(each * 1000)) for each in (GRACE, SUSPECTED, LEASE))
                pipe.eval(_MEND, len(keys), *keys, self.job_id(bell), *times)
            mended = pipe.execute()
        self.ring(bell for bell, stuck in zip(every, mended, strict=True) if stuck)

    def _lease(self, bell: Bell) -> str:
        return f"{self._namespace}:lease:{bell}"

    def _suspected(self, bell: Bell) -> str:
        return f"{self._namespace}:suspected:{bell}"

    def _queue(self, kind: Kind) -> Queue:
        return Queue(
            self.queue_name(kind), connection=self._redis, serializer=cast("Any", JSONSerializer)
        )

    def job(self, bell: Bell) -> Job:
        """The bell's RQ job, as it is before it waits."""
        return self._queues[bell.kind].create_job(
            ANSWER,
            args=(str(bell),),
            job_id=self.job_id(bell),
            timeout=TIMEOUT,
            # Uniqueness lasts as long as the job is kept.
            result_ttl=0,
            failure_ttl=FAILURE_TTL,
            description=str(bell),
            status=JobStatus.QUEUED,
        )

    def _enqueue(self, bell: Bell) -> None:
        try:
            self._queues[bell.kind].enqueue_job(self.job(bell), unique=True)
        except DuplicateJobError:
            # It rings already, and our mark is there.
            return
