"""How an installation is at this moment, for people and for programs: what `status` says first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from shopflow.report.vitals import Lag, Part, Vitals, WorkerSeen
from shopflow.store.deployments import short
from shopflow.store.records import DeliveryState, Pause
from shopflow.store.vitals import OPEN, OutboxDepth, StoreVitals

#: The mark of the clock's last tick, as `shopflow.runtime.meter` has it.
TICK = ("tick",)
#: Seconds after which a clock that says nothing is worth a word.
SILENCE = 60.0
#: Digits of a digest that people are shown.
SHORT = 8
#: Letters of a machine's name that people are shown.
HOST = 13
#: Letters of the names of queues; more are counted.
QUEUES = 28
#: Lagging partitions and workers that are listed one by one.
MOST_LISTED = 8

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def as_json(vitals: Vitals) -> dict[str, object]:
    """The look as plain values."""
    store = vitals.store or StoreVitals()
    tick = vitals.marks.get(TICK)
    revision = store.revision
    return {
        "at": vitals.at.isoformat(),
        "up": {str(part): is_up for part, is_up in vitals.up.items()},
        "rules": revision
        and {"digest": revision.digest, "deployed_at": revision.deployed_at.isoformat()},
        "deployed": store.live
        and {
            "number": store.live.number,
            "bundle": store.live.digest,
            "revision": store.live.revision,
            "ramp": store.live.ramp,
            "share": store.live.share,
            "at": store.live.at.isoformat(),
            "by": store.live.by,
        },
        "clock": {
            "last_tick_seconds": None if tick is None else vitals.at.timestamp() - tick,
            "next_timer": store.next_due_at.isoformat() if store.next_due_at else None,
        },
        "workers": [_worker_json(one) for one in vitals.workers],
        "lag": {
            lag.stream: {"entries": lag.entries, "seconds": lag.seconds} for lag in vitals.lags
        },
        "outbox": [
            {
                "channel": one.channel,
                "state": str(one.state),
                "count": one.count,
                "oldest_seconds": _seconds_since(one.oldest_at, vitals.at),
            }
            for one in store.outbox
        ],
    }


def as_text(vitals: Vitals) -> Iterator[str]:
    """The look as people read it, within 80 columns."""
    for part, is_up in vitals.up.items():
        if not is_up:
            yield f"{part}: DOES NOT ANSWER"
    if vitals.up.get(Part.REDIS):
        yield from _workers(vitals)
        yield from _lags(vitals.lags)
    if vitals.store is not None:
        yield from _clock(vitals, vitals.store)
        yield from _outbox(vitals.store.outbox, vitals.at)
        yield from pauses(vitals.store.pauses)


def pauses(found: tuple[Pause, ...]) -> Iterator[str]:
    """The kill switches that are on, one a line."""
    for pause in found:
        yield f"PAUSED: {pause.scope} since {pause.at:%Y-%m-%d %H:%M} UTC ({pause.reason})"


def length(seconds: float) -> str:
    """A length of time as people say it: `4 s`, `12 min`, `3 h`, `2 d`."""
    for unit, name in _UNITS:
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"


def _workers(vitals: Vitals) -> Iterator[str]:
    if not vitals.workers:
        yield "workers: NONE"
        return
    yield f"workers: {len(vitals.workers)}"
    for one in vitals.workers[:MOST_LISTED]:
        up = f"up {length(_seconds_since(one.started_at, vitals.at))}"
        memory = f"{one.resident / 1e6:.0f} MB"
        names = ",".join(one.queues)
        queues = names if len(names) <= QUEUES else f"{len(one.queues)} queues"
        yield (
            f"  {one.host[:HOST]:<{HOST}} {one.pid:<7} {up:<9}{memory:>7}"
            f"  {one.digest[:SHORT]}  {queues}"
        )
    if (more := len(vitals.workers) - MOST_LISTED) > 0:
        yield f"  and {more} more: --format json lists them"
    revision = vitals.store.revision if vitals.store else None
    stale = [one for one in vitals.workers if revision and one.digest != revision.digest]
    if stale:
        yield f"  {len(stale)} of them do not run the rules deployed last"
    failed = sorted({one.failure for one in vitals.workers if one.failure})
    yield from (f"  CANNOT TAKE UP what was deployed: {failure}" for failure in failed)


def _lags(lags: tuple[Lag, ...]) -> Iterator[str]:
    behind = sorted((lag for lag in lags if lag.entries), key=lambda lag: -lag.seconds)
    if not behind:
        yield "lag: none"
        return
    entries, longest = sum(lag.entries for lag in behind), behind[0].seconds
    yield f"lag: {entries:,} entries in {len(behind)} of {len(lags)} streams, {length(longest)}"
    for lag in behind[:MOST_LISTED]:
        name = lag.stream if not lag.stream.isdigit() else f"partition {lag.stream}"
        yield f"  {name:<14}{lag.entries:>10,}  {length(lag.seconds)}"


def _clock(vitals: Vitals, store: StoreVitals) -> Iterator[str]:
    words = []
    tick = vitals.marks.get(TICK)
    if Part.REDIS in vitals.up:
        silent = None if tick is None else max(vitals.at.timestamp() - tick, 0.0)
        ok = silent is not None and silent <= SILENCE
        said = "never" if silent is None else f"{length(silent)} ago"
        words.append(f"last tick {said}" if ok else f"SILENT, last tick {said}")
    if store.next_due_at is not None:
        late = (vitals.at - store.next_due_at) / timedelta(seconds=1)
        said = f"{length(late)} overdue" if late > 0 else f"in {length(-late)}"
        words.append(f"next timer {said}")
    if words:
        yield f"clock: {', '.join(words)}"
    if store.revision is not None:
        at = store.revision.deployed_at
        yield f"rules: {store.revision.digest[:SHORT]}, deployed {at:%Y-%m-%d %H:%M} UTC"
    if (live := store.live) is not None:
        ramped = f", {live.ramped}" if live.ramp else ""
        yield (
            f"bundle: {short(live.digest)}{ramped}, number {live.number}, {live.move} by {live.by}"
        )


def _outbox(depths: tuple[OutboxDepth, ...], now: datetime) -> Iterator[str]:
    if not depths:
        yield "outbox: empty"
        return
    found = {(one.channel, one.state): one for one in depths}
    yield f"{'outbox':<14}{''.join(f'{state:>11}' for state in OPEN)}{'oldest':>11}"
    for channel in dict.fromkeys(one.channel for one in depths):
        row = [found.get((channel, state)) for state in OPEN]
        counts = "".join(f"{one.count if one else 0:>11,}" for one in row)
        waiting = [one.oldest_at for one in row if one and one.state is not DeliveryState.UNCERTAIN]
        oldest = length(_seconds_since(min(waiting), now)) if waiting else ""
        yield f"  {channel:<12}{counts}{oldest:>11}"


def _seconds_since(at: datetime, now: datetime) -> float:
    return max((now - at).total_seconds(), 0.0)


def _worker_json(worker: WorkerSeen) -> Mapping[str, object]:
    return {
        "name": worker.name,
        "host": worker.host,
        "pid": worker.pid,
        "version": worker.version,
        "rules": worker.digest,
        "bundle": worker.revision,
        "failure": worker.failure,
        "queues": list(worker.queues),
        "started_at": worker.started_at.isoformat(),
        "seen_at": worker.seen_at.isoformat(),
        "resident": worker.resident,
    }
