"""Every metric there is: its name, what it says and its labels; the page of metrics is held to it.

Labels hold words of the rules, the settings and the program only, so that series are few and none
says anything of a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple


class MetricKind(StrEnum):
    """How a metric is to be read."""

    #: As it is now.
    GAUGE = "gauge"
    #: Since the beginning; the name that is shown ends in `_total`.
    COUNTER = "counter"
    #: Lengths of time in classes; shown with `_bucket`, `_sum` and `_count`.
    HISTOGRAM = "histogram"


class Metric(NamedTuple):
    """One metric; its name begins with `shopflow_`."""

    kind: MetricKind
    says: str
    labels: tuple[str, ...] = ()


_GAUGE, _COUNTER, _HISTOGRAM = MetricKind.GAUGE, MetricKind.COUNTER, MetricKind.HISTOGRAM

METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "up": Metric(_GAUGE, "Whether the database and Redis answer.", ("part",)),
        "events_total": Metric(
            _COUNTER, "Events in: accepted, duplicate or dead_letter.", ("result",)
        ),
        "enrolments_total": Metric(_COUNTER, "Enrolments that began.", ("workflow",)),
        "triggers_refused_total": Metric(
            _COUNTER, "Triggers that began nothing, with the reason.", ("workflow", "reason")
        ),
        "enrolments_ended_total": Metric(
            _COUNTER, "Enrolments that ended, with the outcome.", ("workflow", "outcome")
        ),
        "messages_queued_total": Metric(
            _COUNTER, "Messages put into the outbox.", ("workflow", "channel")
        ),
        "sends_held_total": Metric(
            _COUNTER, "Sends put off, with the reason.", ("workflow", "channel", "reason")
        ),
        "sends_dropped_total": Metric(
            _COUNTER, "Sends given up, with the reason.", ("workflow", "channel", "reason")
        ),
        "conversions_total": Metric(_COUNTER, "Goals that were met.", ("workflow",)),
        "condition_errors_total": Metric(
            _COUNTER, "Conditions and values that failed, and so did not match.", ("workflow",)
        ),
        "deliveries_total": Metric(
            _COUNTER,
            "Last words on messages: accepted, failed, uncertain, delivered and so on.",
            ("workflow", "channel", "outcome"),
        ),
        "delivery_cost_total": Metric(
            _COUNTER, "What accepted messages cost, in the project's currency.", ("channel",)
        ),
        "dead_letters": Metric(_GAUGE, "Dead letters that are kept.", ("reason",)),
        "messages": Metric(
            _GAUGE,
            "Messages that may still leave (queued, leased, attempted) or wait for a person "
            "(uncertain).",
            ("channel", "state"),
        ),
        "oldest_message_seconds": Metric(
            _GAUGE, "How long ago the oldest of them was decided.", ("channel", "state")
        ),
        "inbox": Metric(_GAUGE, "What waits to be told to customers."),
        "overdue_timer_seconds": Metric(
            _GAUGE, "How late the earliest timer is; 0 when none is due."
        ),
        "paused": Metric(
            _GAUGE,
            "1 for each kill switch that is on, by a person or a breaker.",
            ("scope", "source"),
        ),
        "ruleset_info": Metric(_GAUGE, "1 for the rules deployed last.", ("digest",)),
        "ruleset_deployed_timestamp_seconds": Metric(_GAUGE, "When they were deployed."),
        "revision_info": Metric(
            _GAUGE,
            "1 for the bundle that is live; `folder` before there is one.",
            ("revision",),
        ),
        "revision_skew": Metric(_GAUGE, "Worker processes that run another one."),
        "last_activation_successful": Metric(
            _GAUGE, "0 while a process cannot take up what was deployed last, and runs older rules."
        ),
        "workflow_last_send_timestamp_seconds": Metric(
            _GAUGE, "When a message of the workflow was last accepted.", ("workflow",)
        ),
        "last_tick_timestamp_seconds": Metric(
            _GAUGE, "When the clock last spoke; without it no timer fires."
        ),
        "stream_entries": Metric(
            _GAUGE, "Entries that wait: at the `door`, or in a partition.", ("stream",)
        ),
        "stream_lag_seconds": Metric(
            _GAUGE, "How long the first of them has waited since it came to the door.", ("stream",)
        ),
        "workers": Metric(_GAUGE, "Worker processes that live, by what they do.", ("queue",)),
        "worker_rules": Metric(
            _GAUGE, "Worker processes that live, by version and rules.", ("version", "digest")
        ),
        "worker_memory_bytes": Metric(
            _GAUGE, "Memory of the worker processes of a machine.", ("host",)
        ),
        "busy_seconds_total": Metric(_COUNTER, "Time that workers spent working.", ("queue",)),
        "decision_seconds": Metric(
            _HISTOGRAM, "From the arrival of an event to its committed decision."
        ),
        "acceptance_seconds": Metric(
            _HISTOGRAM,
            "From the decision of a message to its acceptance by the provider.",
            ("channel", "class"),
        ),
        "attempts_refused_total": Metric(
            _COUNTER, "Attempts that did not end in acceptance.", ("channel", "reason")
        ),
        "http_answers_total": Metric(_COUNTER, "Answers of the HTTP door.", ("status",)),
    }
)


def shown_names() -> frozenset[str]:
    """Every name that a query may use."""
    names = set()
    for name, metric in METRICS.items():
        full = f"shopflow_{name}"
        names.add(full)
        if metric.kind is MetricKind.HISTOGRAM:
            names |= {f"{full}{end}" for end in ("_bucket", "_sum", "_count")}
    return frozenset(names)
