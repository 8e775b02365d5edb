"""One look at an installation in the form that Prometheus reads."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from shopflow.report.status import entered
from shopflow.report.vitals import Series, Vitals
from shopflow.runtime import meter
from shopflow.runtime.metrics_catalogue import METRICS, MetricKind
from shopflow.runtime.vitals import VitalsReader
from shopflow.store.deployments import revision_of
from shopflow.store.records import StatRow
from shopflow.store.tally import ACCEPTED, DEAD_LETTER, DUPLICATE
from shopflow.store.vitals import StoreVitals

#: Values of one metric by the values of its labels.
Values = Mapping[Series, float]

#: What the statistics call it, up to the colon, and the metric of it; what follows is a label.
_RESULTS = {
    "refused": "triggers_refused_total",
    "exited": "enrolments_ended_total",
    "held": "sends_held_total",
    "dropped": "sends_dropped_total",
    "delivery": "deliveries_total",
    "queued": "messages_queued_total",
    "converted": "conversions_total",
    "error": "condition_errors_total",
}
#: Sums of `Meter`, and the metric of each.
_COUNTED = {
    meter.BUSY: "busy_seconds_total",
    meter.REFUSED: "attempts_refused_total",
    meter.ANSWERED: "http_answers_total",
}
_TIMED = {meter.DECISION: "decision_seconds", meter.ACCEPTANCE: "acceptance_seconds"}


class Metrics(Collector):
    """Looks whenever it is asked."""

    def __init__(self, reader: VitalsReader) -> None:
        self._reader = reader
        self._registry = CollectorRegistry()
        self._registry.register(self)
        # Memory, processor and files of the process that answers.
        ProcessCollector(registry=self._registry)

    def text(self, accept: str) -> tuple[bytes, str]:
        """The page in the form that is wanted, and the name of that form."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def describe(self) -> Iterable[Family]:
        """Nothing ahead of time: registering must not look."""
        return ()

    def collect(self) -> Iterator[Family]:
        """Every metric that there is something to say of."""
        vitals = self._reader.read()
        for name, values in plain_values(vitals).items():
            yield _family(name, values)
        for kind, name in _TIMED.items():
            yield from _histogram(name, _rows_of(vitals.counted, kind))


def plain_values(vitals: Vitals) -> dict[str, Values]:
    """The values of every metric but those of lengths of time."""
    found: dict[str, Values] = {
        "up": {(str(part),): float(is_up) for part, is_up in vitals.up.items()},
        **_of_sums(vitals.sums),
        **_of_fleet(vitals),
        **{name: _rows_of(vitals.counted, kind) for kind, name in _COUNTED.items()},
    }
    if vitals.store is not None:
        found |= _of_store(vitals.store, vitals.at)
    return {name: values for name, values in found.items() if values}


def _of_sums(sums: Iterable[StatRow]) -> dict[str, Values]:
    found: defaultdict[str, Counter[Series]] = defaultdict(Counter)
    costs: Counter[Series] = Counter()
    for row in sums:
        workflow, channel, result = row.key.workflow, row.key.channel, row.key.result
        kind, _, reason = result.partition(":")
        if not workflow and result in {ACCEPTED, DUPLICATE, DEAD_LETTER}:
            found["events_total"][result,] += row.count
        elif began := entered({result: row.count}):
            found["enrolments_total"][workflow,] += began
        elif name := _RESULTS.get(kind):
            told = {"workflow": workflow, "channel": channel, "reason": reason}
            told |= {"outcome": reason}
            labels = tuple(told[label] for label in METRICS[name].labels)
            found[name][labels] += row.count
        if row.cost:
            costs[channel,] += float(row.cost)  # type: ignore[assignment]  # money as a float
    return {**found, "delivery_cost_total": costs}


def _of_store(store: StoreVitals, now: datetime) -> dict[str, Values]:
    depths = {(one.channel, str(one.state)): one for one in store.outbox}
    due, revision = store.next_due_at, store.revision
    overdue = max((now - due).total_seconds(), 0.0) if due else 0.0
    found: dict[str, Values] = {
        "dead_letters": {(reason,): count for reason, count in store.dead_letters.items()},
        "messages": {key: one.count for key, one in depths.items()},
        "oldest_message_seconds": {
            key: max((now - one.oldest_at).total_seconds(), 0.0) for key, one in depths.items()
        },
        "inbox": {(): store.inbox},
        "overdue_timer_seconds": {(): overdue},
        "paused": {(pause.scope, str(pause.source)): 1.0 for pause in store.pauses},
    }
    found["revision_info"] = {(revision_of(store.live),): 1.0}
    if revision is not None:
        found["ruleset_info"] = {(revision.digest,): 1.0}
        found["ruleset_deployed_timestamp_seconds"] = {(): revision.deployed_at.timestamp()}
    return found


def _of_fleet(vitals: Vitals) -> dict[str, Values]:
    workers = vitals.workers
    memory: Counter[Series] = Counter()
    for one in workers:
        memory[one.host,] += one.resident
    return {
        "workflow_last_send_timestamp_seconds": _rows_of(vitals.marks, meter.SENT),
        "last_tick_timestamp_seconds": _rows_of(vitals.marks, meter.TICK),
        "stream_entries": {(lag.stream,): lag.entries for lag in vitals.lags},
        "stream_lag_seconds": {(lag.stream,): lag.seconds for lag in vitals.lags},
        "workers": Counter((queue,) for one in workers for queue in one.queues),
        "worker_rules": Counter((one.version, one.digest) for one in workers),
        "worker_memory_bytes": memory,
        **_of_revisions(vitals),
    }


def _of_revisions(vitals: Vitals) -> dict[str, Values]:
    if vitals.store is None:
        return {}
    live = revision_of(vitals.store.live)
    stale = sum(one.revision not in {"", live} for one in vitals.workers)
    failed = vitals.failure or any(one.failure for one in vitals.workers)
    return {
        "revision_skew": {(): stale},
        "last_activation_successful": {(): 0.0 if failed else 1.0},
    }


def _rows_of(series: Mapping[Series, float], name: str) -> dict[Series, float]:
    return {key[1:]: value for key, value in series.items() if key[0] == name}


def _family(name: str, values: Values) -> Family:
    metric = METRICS[name]
    kind = CounterMetricFamily if metric.kind is MetricKind.COUNTER else GaugeMetricFamily
    family = kind(f"shopflow_{name}", metric.says, labels=metric.labels)
    for labels, value in sorted(values.items()):
        family.add_metric(labels, value)
    return family


def _histogram(name: str, rows: Mapping[Series, float]) -> Iterator[Family]:
    if not rows:
        return
    metric = METRICS[name]
    family = HistogramMetricFamily(f"shopflow_{name}", metric.says, labels=metric.labels)
    for labels in sorted({row[:-1] for row in rows}):
        count, buckets = 0.0, []
        for bound in [*map(str, meter.BOUNDS), "+Inf"]:
            count += rows.get((*labels, bound), 0.0)
            buckets.append((bound, count))
        family.add_metric(labels, buckets, sum_value=rows.get((*labels, "sum"), 0.0))
    yield family
