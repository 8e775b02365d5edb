"""The design that nobody should choose, measured: a job an event, each rule asked by cel-python.

RQ's SimpleWorker runs the jobs in this process; cel-python's compiled runner asks every rule that
listens to the event's type; one transaction keeps the event and its customer. Nothing is decided
beyond that and nothing is sent, so the real cost of that design is higher.
"""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from time import perf_counter
from typing import Any
from uuid import uuid4

import celpy
from celpy.adapter import json_to_cel
from celpy.celparser import CELParser
from celpy.evaluation import CELEvalError
from redis import Redis
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer

from shopflow.bench.run_events import Sent
from shopflow.domain.trigger import EventTrigger
from shopflow.rulebook import LoadedProject
from shopflow.runtime.ingest import Accepted, Ingest
from shopflow.store.protocol import Store
from shopflow.store.records import Arrival

_SEGMENTS = json_to_cel({"buyer": False, "vip": False})


class Naive:
    """What a job needs, compiled beforehand as the product's rules are."""

    def __init__(self, store: Store, loaded: LoadedProject, types: Collection[str]) -> None:
        self._store = store
        self._ingest = Ingest(loaded.events.schemas)
        self._programs: dict[str, Any] = {}
        limit = sys.getrecursionlimit()
        # cel-python keeps one parser for the process, made for the runner that came first.
        CELParser.CEL_PARSER = None
        self._environment = celpy.Environment(runner_class=celpy.CompiledRunner)
        self._rules = {
            name: [self._compiled(source) for source in _conditions(loaded, name)] for name in types
        }
        # cel-python raises it for the whole process.
        sys.setrecursionlimit(limit)

    def _compiled(self, source: str) -> Any:
        if source not in self._programs:
            compiled = self._environment.compile(source)
            self._programs[source] = self._environment.program(compiled)
        return self._programs[source]

    def handle(self, raw: bytes, received_at: datetime) -> int:
        """The event is kept; returns how many rules it meets."""
        read = self._ingest.read(raw, received_at=received_at)
        if not isinstance(read, Accepted):
            return 0
        event = read.event
        met = self._met(event.type, {"event": json_to_cel(dict(event.data)), "segments": _SEGMENTS})
        partition = self._store.partition_of(event.concerns or event.id)
        with self._store.transaction() as batch:
            batch.accept_events([Arrival(partition, event, raw)])
            if event.concerns is not None:
                batch.save(batch.load([event.concerns]).values())
        return met

    def _met(self, event_type: str, activation: dict[str, Any]) -> int:
        met = 0
        for program in self._rules[event_type]:
            try:
                met += bool(program.evaluate(activation))
            except CELEvalError:
                continue
        return met


def _conditions(loaded: LoadedProject, event_type: str) -> Iterator[str]:
    """What each rule asks that listens to the type."""
    for workflow in loaded.ruleset.workflows.values():
        trigger = workflow.trigger
        if isinstance(trigger, EventTrigger) and trigger.pattern.matches(event_type):
            yield "true" if trigger.when is None else trigger.when.source


#: What jobs of this process are done by.
_AT_WORK: list[Naive] = []


def job(raw: str, received_at: str) -> int:
    """One event, as RQ calls it."""
    return _AT_WORK[-1].handle(raw.encode(), datetime.fromisoformat(received_at))


def microseconds(redis: Redis, naive: Naive, events: Sequence[Sent]) -> float:
    """Of one event: putting its job into the queue, and doing it."""
    name = f"shopflow-bench-{uuid4().hex[:12]}"
    queue = Queue(name, connection=redis, serializer=JSONSerializer)
    worker = SimpleWorker([queue], connection=redis, serializer=JSONSerializer)
    logging.getLogger("rq.worker").setLevel(logging.ERROR)
    # It tells of every rule that asks for what an event does not have.
    logging.getLogger("celpy").setLevel(logging.CRITICAL)
    _AT_WORK.append(naive)
    # RQ takes these over and does not give them back.
    handlers = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        start = perf_counter()
        for sent in events:
            at = sent.event.occurred_at.isoformat()
            queue.enqueue(job, sent.raw.decode(), at, result_ttl=0)
        worker.work(burst=True, with_scheduler=False)
        return (perf_counter() - start) / len(events) * 1e6
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        _AT_WORK.clear()
        queue.delete(delete_jobs=True)
