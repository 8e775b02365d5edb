"""Erasing a person: from every table, stream and dead letter, with a tombstone that stays.

What others' rows say of the person's addresses is blanked. The opt-out outlives the person's data:
it hangs on hashes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from shopflow.domain.customer import Customer, SuppressionScope
from shopflow.domain.ids import CustomerId, derive
from shopflow.domain.journal import Stopped
from shopflow.runtime import safety
from shopflow.runtime.hashes import Hashes
from shopflow.runtime.queue.streams import Streams
from shopflow.runtime.safety import SafetyLog
from shopflow.runtime.secrets import BLANK
from shopflow.store.people import Erasure
from shopflow.store.protocol import Store
from shopflow.store.records import Suppression, Timeline

#: Attributes and fields of events that hold an address.
ADDRESSES = ("email", "phone")
#: Shorter words would be found in what is about somebody else.
_LEAST = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Everything that somebody is known by."""

    id: CustomerId
    #: The visitors that it was.
    aliases: tuple[CustomerId, ...] = ()
    addresses: tuple[str, ...] = ()
    is_known: bool = True

    @property
    def ids(self) -> tuple[CustomerId, ...]:
        """All ids."""
        return (self.id, *self.aliases)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What was done, without saying for whom."""

    number: str
    at: datetime
    #: By the hash of each id, under which it may be looked up again.
    hashes: tuple[str, ...]
    #: Rows that are gone, by table.
    rows: Mapping[str, int] = field(default_factory=dict)
    #: Entries of streams that are gone.
    entries: int = 0
    #: Others' rows in which an address was blanked.
    mentions: int = 0


def person_of(store: Store, customer_id: CustomerId) -> Person:
    """Whoever it is, by all ids and addresses; an alias stands for its customer."""
    found, seen = store.views.customer(customer_id), {customer_id}
    while found is not None and found.alias_of is not None and found.alias_of not in seen:
        customer_id = found.alias_of
        seen.add(customer_id)
        found = store.views.customer(customer_id)
    aliases = tuple(store.people.aliases(customer_id))
    addresses: dict[str, None] = {}
    known = found is not None
    for each in (customer_id, *aliases):
        timeline = store.views.timeline(each)
        known = known or bool(timeline.events or timeline.journal or timeline.messages)
        addresses |= dict.fromkeys(_addresses(store.views.customer(each), timeline))
    known = known or bool(store.people.ledger([customer_id]))
    return Person(id=customer_id, aliases=aliases, addresses=tuple(addresses), is_known=known)


def erase(
    store: Store,
    hashes: Hashes,
    person: Person,
    at: datetime,
    *,
    streams: Streams | None = None,
    log: SafetyLog | None = None,
    thorough: bool = True,
    opt_out: bool = True,
) -> Receipt:
    """Nothing is left of the person but hashes.

    Where it is not thorough, others' rows and the files are left as they are, which take long.
    Without `opt_out` they may be written to again as soon as they agree.

    Raises:
        StoreError: The database's files cannot be cleaned now; erasing once more does it.
    """
    wanted = erasure_of(hashes, person, at)
    if not opt_out:
        wanted = replace(wanted, suppressions=())
    if log is not None:
        log.note(safety.erased(wanted))
    done = store.people.erase(wanted)
    words = _long(person.addresses)
    entries = streams.forget(_about(person, words)) if streams is not None else 0
    mentions = 0
    if thorough:
        mentions = store.people.mentions(words, blank=BLANK)
        store.people.scrub()
    ids = tuple(map(hashes.customer, person.ids))
    return Receipt(
        number=derive("erasure", *ids, at.isoformat())[:12],
        at=at,
        hashes=ids,
        rows=done.rows,
        entries=entries,
        mentions=mentions,
    )


def erasure_of(hashes: Hashes, person: Person, at: datetime) -> Erasure:
    """The erasure, and the opt-out that outlives it."""
    ids = [hashes.customer(each) for each in person.ids]
    known = dict.fromkeys([*ids, *filter(None, map(hashes.address, person.addresses))])
    return Erasure(
        ids=person.ids,
        hashes=ids,
        at=at,
        words=[*map(_quoted, person.ids), *_long(person.addresses)],
        suppressions=[
            Suppression(hash=each, scope=SuppressionScope.PERSON, reason=Stopped.ERASED, at=at)
            for each in known
        ],
    )


def _quoted(customer_id: str) -> str:
    """The id as an event has it, so that a short one is not found in another."""
    return json.dumps(customer_id, ensure_ascii=False)


def _long(addresses: Iterable[str]) -> list[str]:
    return [address for address in addresses if len(address) >= _LEAST]


def _about(person: Person, words: Collection[str]) -> Callable[[bytes], bool]:
    """Tells whether an event is about the person, by the bytes it came in."""
    ids = {_quoted(each).encode() for each in person.ids}
    lower = {word.lower().encode() for word in words}

    def is_about(raw: bytes) -> bool:
        text = raw.lower()
        return any(each in raw for each in ids) or any(each in text for each in lower)

    return is_about


def _addresses(customer: Customer | None, timeline: Timeline) -> Iterator[str]:
    """Every address that the person has or had here."""
    told = [customer.attributes] if customer is not None else []
    for one in timeline.messages:
        yield from filter(None, [one.message.address])
    for event in timeline.events:
        told += _datas(event.payload)
    for values in told:
        yield from _texts(values.get(name) for name in ADDRESSES)


def _datas(payload: str) -> Iterable[Mapping[str, object]]:
    """The data of an event as it was sent."""
    try:
        data = json.loads(payload).get("data")
    except (ValueError, AttributeError):
        # A row whose payload was never kept.
        return []
    return [data] if isinstance(data, dict) else []


def _texts(values: Iterable[object]) -> Iterator[str]:
    return (value for value in values if isinstance(value, str) and value)
