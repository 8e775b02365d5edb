"""After a restore: what the safety log tells is done again, before anything is delivered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from shopflow.domain.customer import SuppressionScope
from shopflow.domain.event import DeliveryReport, Outcome
from shopflow.domain.ids import (
    CustomerId,
    EnrolmentId,
    EventId,
    MessageId,
    StepId,
    WorkflowId,
    derive,
)
from shopflow.domain.journal import Cancel, Stopped
from shopflow.domain.message import Message
from shopflow.domain.policy import MessageClass
from shopflow.errors import SettingsError
from shopflow.runtime import erasure
from shopflow.runtime.hashes import Hashes
from shopflow.runtime.process import Entry, Processor
from shopflow.runtime.stream import Stream
from shopflow.store.people import Erasure, Lifted
from shopflow.store.protocol import Store
from shopflow.store.records import PENDING, Settled, Suppression

#: Who says that something had left, and why it does not leave again.
_OWNER = "restored"

#: Customers, and lines, that are looked at at a time.
PAGE = 1_000

#: The event by which each refusal is said again.
_EVENTS = {
    "withdrawn": "consent.withdrawn",
    "denied": "consent.denied",
    "paused": "preferences.changed",
}


@dataclass(slots=True, kw_only=True)
class Told:
    """What the lines of a log come to."""

    refused: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    stops: list[Suppression | Lifted] = field(default_factory=list)
    erased: dict[str, datetime] = field(default_factory=dict)
    sent: dict[MessageId, datetime] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Restored:
    """What was done again."""

    refusals: int = 0
    suppressions: int = 0
    erasures: int = 0
    sends: int = 0


def read(paths: Iterable[Path]) -> Told:
    """What the files tell, in the order of their lines.

    Raises:
        SettingsError: A file is no safety log; a last line that was cut off is left out.
    """
    told = Told()
    for path in paths:
        lines = path.read_bytes().split(b"\n")
        for number, raw in enumerate(lines[:-1], 1):
            try:
                _take(told, orjson.loads(raw))
            except (ValueError, KeyError, TypeError) as e:
                raise SettingsError(f"{path}:{number}: is no line of a safety log") from e
    return told


def replay(store: Store, processor: Processor, hashes: Hashes, told: Told) -> Restored:
    """The store holds all of it; doing it twice does no more than once."""
    done = Restored(suppressions=len(told.stops))
    _stop(store, told.stops)
    found = dict(_known(store, hashes, told))
    with store.transaction() as batch:
        stones = {(one.hash, one.at) for one in batch.tombstones(0)}
    for each, at in told.erased.items():
        if (each, at) not in stones:
            _erase(store, hashes, found.get(each), each, at)
            done.erasures += 1
    for each, entries in told.refused.items():
        if each in told.erased:
            continue
        _refuse(store, processor, found.get(each), each, entries)
        done.refusals += len(entries)
    sends = list(told.sent.items())
    for start in range(0, len(sends), PAGE):
        done.sends += _sent(store, dict(sends[start : start + PAGE]))
    store.people.scrub()
    return done


def _sent(store: Store, ids: Mapping[MessageId, datetime]) -> int:
    """What left does not leave again: neither what waits, nor what will be decided anew."""
    found = {one.message.id: one for one in store.people.messages(ids.keys())}
    waiting = [one for one in found.values() if one.state in PENDING]
    store.outbox.record(
        owner=_OWNER,
        settled=[
            Settled(
                report=DeliveryReport(
                    message=replace(one.message, variables={}),
                    outcome=Outcome.ACCEPTED,
                    at=ids[one.message.id],
                )
            )
            for one in waiting
        ],
    )
    unknown = {each: at for each, at in ids.items() if each not in found}
    with store.transaction() as batch:
        batch.queue([_placeholder(each, at) for each, at in unknown.items()])
        batch.cancel([Cancel(message_id=each, reason=_OWNER) for each in unknown])
    return len(waiting) + len(unknown)


def _placeholder(key: MessageId, at: datetime) -> Message:
    """Takes the place of a message that left and that the backup does not know."""
    return Message(
        id=key,
        customer_id=CustomerId(""),
        enrolment_id=EnrolmentId(""),
        workflow=WorkflowId(""),
        version=0,
        digest="",
        step=StepId(""),
        visit=0,
        channel="",
        purpose="",
        message_class=MessageClass.INTERNAL,
        priority=0,
        template="",
        locale="",
        address="",
        trigger_event_id=EventId(""),
        decided_at=at,
        cursor_at=at,
        send_by=at,
    )


def _take(told: Told, line: dict[str, Any]) -> None:
    match line["kind"]:
        case "refused":
            told.refused[line["customer"]].append(line)
        case "suppressed":
            known = {name: line[name] for name in ("hash", "channel", "scope", "reason")}
            told.stops.append(Suppression(**known, at=_instant(line["at"])))
        case "lifted":
            told.stops.append(Lifted(line["hash"], line["channel"], _instant(line["before"])))
        case "erased":
            told.erased |= dict.fromkeys(line["hashes"], _instant(line["at"]))
        case "sent":
            told.sent[MessageId(line["id"])] = _instant(line["at"])
        case "mark" | "log":
            pass
        case other:
            raise ValueError(other)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _stop(store: Store, stops: list[Suppression | Lifted]) -> None:
    for start in range(0, len(stops), PAGE):
        with store.transaction() as batch:
            for one in stops[start : start + PAGE]:
                if isinstance(one, Lifted):
                    batch.lift([one])
                else:
                    batch.suppress([one])


def _known(store: Store, hashes: Hashes, told: Told) -> Iterator[tuple[str, CustomerId]]:
    """Of the hashes that the log names, the customers whom the store knows."""
    wanted = {*told.refused, *told.erased}
    for partition in range(store.partitions if wanted else 0):
        after = ""
        while page := store.views.customers_after(partition, after, limit=PAGE):
            for one in page:
                if (known := hashes.customer(one.id)) in wanted:
                    yield known, one.id
            after = page[-1].id


def _erase(
    store: Store, hashes: Hashes, customer_id: CustomerId | None, hash_: str, at: datetime
) -> None:
    if customer_id is None:
        store.people.erase(Erasure(ids=(), hashes=(hash_,), at=at))
        return
    # Whoever came back after it went with the database: all that is here is from before.
    erasure.erase(store, hashes, erasure.person_of(store, customer_id), at)


def _refuse(
    store: Store,
    processor: Processor,
    customer_id: CustomerId | None,
    hash_: str,
    entries: list[dict[str, Any]],
) -> None:
    if customer_id is None:
        # The backup does not know them; should they come back, by old events, this still holds.
        newest: dict[str, datetime] = {}
        for one in entries:
            if one["state"] != "paused":
                at = _instant(one["at"])
                newest[one["channel"]] = max(at, newest.get(one["channel"], at))
        store.people.suppress(
            [
                Suppression(
                    hash=hash_,
                    channel=channel,
                    scope=SuppressionScope.MARKETING,
                    reason=Stopped.WITHDRAWN,
                    at=at,
                )
                for channel, at in newest.items()
            ]
        )
        return
    now = datetime.now(UTC)
    said = [Entry(orjson.dumps(_event(customer_id, one)), received_at=now) for one in entries]
    processor.take(Stream(_OWNER, store.take_over(_OWNER).epoch), said, now=now)


def _event(customer_id: CustomerId, line: Mapping[str, Any]) -> dict[str, object]:
    """The refusal, said again; the same each time, so that it counts once."""
    data = {"channel": line["channel"], "purpose": line["purpose"], "source": "safety log"}
    if line["state"] == "paused":
        data["paused_until"] = line["until"]
    told = (line["customer"], line["channel"], line["purpose"], line["state"], line["at"])
    return {
        "id": derive("restored", *told),
        "type": _EVENTS[line["state"]],
        "occurred_at": line["at"],
        "customer_id": customer_id,
        "data": data,
    }
