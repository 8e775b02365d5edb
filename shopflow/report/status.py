"""What `status` and the end of a run say: sums, messages and workflows, from what is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import groupby

from shopflow.report import fleet, trials
from shopflow.report.vitals import Vitals
from shopflow.store.records import DeliveryState, StatusReport, StoredMessage
from shopflow.store.sweeps import Sweep
from shopflow.store.tally import ACCEPTED, DEAD_LETTER, DUPLICATE

#: Messages in doubt that are listed one by one.
MOST_LISTED = 20


def as_json(report: StatusReport) -> dict[str, object]:
    """The report as plain values."""
    return {
        "events": {"in": events_in(report), **_events(report)},
        "dead_letters": dict(report.dead_letters),
        "customers": report.customers,
        "unusable_addresses": under(report.workflows.get("", {}), "unusable:"),
        "inbox": report.inbox,
        "waits": report.waits,
        "messages": {str(state): count for state, count in report.messages.items() if count},
        "workflows": {name: dict(results) for name, results in report.workflows.items() if name},
        "condition_errors": _condition_errors(report),
        "sweeps": [
            {
                "at": at.isoformat(),
                "partitions": {"done": sum(one.done for one in some), "all": len(some)},
                "looked_at": sum(one.looked for one in some),
                "told": sum(one.told for one in some),
            }
            for at, some in _sweeps(report)
        ],
        "trials": trials.as_json(report.trials),
        "uncertain": [_doubt(stored) for stored in report.uncertain],
        "pauses": [
            {"scope": pause.scope, "reason": pause.reason, "at": pause.at.isoformat()}
            for pause in report.pauses
        ],
        "streams": [
            {
                "stream": cursor.stream,
                "position": cursor.position,
                "read_to": cursor.read_to.isoformat() if cursor.read_to else None,
            }
            for cursor in report.cursors
        ],
    }


def as_text(report: StatusReport, vitals: Vitals) -> str:
    """The report as people read it."""
    parts = [*_totals(report), "", *fleet.as_text(vitals)]
    parts += [*_workflows(report), *_sweeps_told(report), *trials.as_text(report.trials)]
    parts += [*_doubts(report), *_errors(report)]
    return "\n".join(parts)


def _sweeps(report: StatusReport) -> Iterator[tuple[datetime, list[Sweep]]]:
    """The sweeps that are under way, each with all its partitions."""
    for at, group in groupby(report.sweeps, key=lambda sweep: sweep.at):
        some = list(group)
        if not all(one.done for one in some):
            yield at, some


def _sweeps_told(report: StatusReport) -> Iterator[str]:
    for at, some in _sweeps(report):
        yield (
            f"sweep for {at:%Y-%m-%d %H:%M} UTC: {sum(one.done for one in some)} of {len(some)} "
            f"partitions, {sum(one.looked for one in some):,} customers looked at, "
            f"{sum(one.told for one in some):,} with something to start"
        )


def events_in(report: StatusReport) -> int:
    """Every input there ever was: accepted, duplicates and dead letters."""
    return sum(_events(report).values())


def totals_line(counts: Mapping[str, int]) -> str:
    """The sum that always holds, in one line."""
    return (
        f"{sum(counts.values()):,} events in: {counts[ACCEPTED]:,} accepted, "
        f"{counts[DUPLICATE]:,} duplicates, {counts[DEAD_LETTER]:,} dead letters"
    )


def reasons_line(reasons: Mapping[str, int]) -> str:
    """Reasons and their numbers, most frequent first."""
    ordered = sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{reason} {count:,}" for reason, count in ordered)


def messages_line(messages: Mapping[DeliveryState, int]) -> str:
    """Messages by state, in the order of their life."""
    told = [f"{messages[state]:,} {state}" for state in DeliveryState if messages.get(state)]
    return ", ".join(told) or "none"


def entered(results: Mapping[str, int]) -> int:
    """How many enrolments began, also in place of another."""
    return results.get("entered", 0) + sum(under(results, "entered:").values())


def _events(report: StatusReport) -> dict[str, int]:
    return {name: report.events.get(name, 0) for name in (ACCEPTED, DUPLICATE, DEAD_LETTER)}


def _totals(report: StatusReport) -> Iterator[str]:
    yield totals_line(_events(report))
    if report.dead_letters:
        yield f"  dead letters: {reasons_line(report.dead_letters)}"
    yield f"{report.customers:,} customers"
    if unusable := under(report.workflows.get("", {}), "unusable:"):
        yield f"  told as addresses that are none: {reasons_line(unusable)}"
    yield f"messages: {messages_line(report.messages)}"
    if report.inbox:
        yield f"inbox: {report.inbox:,} to be told"
    if report.waits:
        yield f"{report.waits:,} enrolments wait for a product or a pool"


def _workflows(report: StatusReport) -> Iterator[str]:
    for name, results in sorted(report.workflows.items()):
        if not name:
            continue
        yield f"\n{name}"
        yield f"  entered {entered(results):,}, queued {results.get('queued', 0):,}" + (
            f", converted {results['converted']:,}" if results.get("converted") else ""
        )
        for label, prefix in (
            ("ended", "exited:"),
            ("dropped", "dropped:"),
            ("held", "held:"),
            ("refused", "refused:"),
            ("deliveries", "delivery:"),
            ("errors", "error:"),
        ):
            if found := under(results, prefix):
                yield f"  {label}: {reasons_line(found)}"


def _doubts(report: StatusReport) -> Iterator[str]:
    if not report.uncertain:
        return
    yield "\nin doubt: begun and never answered; what was sent again may have arrived twice"
    for stored in report.uncertain[:MOST_LISTED]:
        message = stored.message
        yield (
            f"  {message.id} {message.channel} {message.workflow}/{message.step} "
            f"{stored.state}, {stored.uncertain} in doubt of {stored.attempts} attempts"
        )
    if (more := len(report.uncertain) - MOST_LISTED) > 0:
        yield f"  and {more:,} more: --format json lists them"


def _errors(report: StatusReport) -> Iterator[str]:
    if errors := _condition_errors(report):
        yield f"\nconditions or values that failed and did not match: {reasons_line(errors)}"


def _condition_errors(report: StatusReport) -> dict[str, int]:
    found = {}
    for name, results in report.workflows.items():
        errors = results.get("error", 0) + sum(under(results, "error:").values())
        if errors:
            found[name or "(no workflow)"] = errors
    return found


def under(results: Mapping[str, int], prefix: str) -> dict[str, int]:
    """The results that begin with the prefix, by what follows it."""
    return {
        result.removeprefix(prefix): count
        for result, count in results.items()
        if result.startswith(prefix)
    }


def _doubt(stored: StoredMessage) -> dict[str, object]:
    message = stored.message
    return {
        "message_id": message.id,
        "customer_id": message.customer_id,
        "workflow": message.workflow,
        "step": message.step,
        "channel": message.channel,
        "state": str(stored.state),
        "attempts": stored.attempts,
        "uncertain": stored.uncertain,
    }
