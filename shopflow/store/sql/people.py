"""Single persons in SQL: their ledger, aliases and suppressions, and their erasure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    RowMapping,
    Table,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from shopflow.domain.customer import Consent, ConsentState, LegalBasis
from shopflow.domain.ids import CustomerId, EventId, MessageId
from shopflow.domain.journal import LedgerEntry
from shopflow.store import tables
from shopflow.store.mentions import blanked, pattern_of
from shopflow.store.people import ENDED, LIFTABLE, Erased, Erasure, Lifted, Tombstone
from shopflow.store.records import PENDING, DeliveryState, StoredMessage, Suppression
from shopflow.store.sql import door, shapes
from shopflow.store.sql.database import Database, again
from shopflow.store.sql.rows import message_json, message_of, stored_message
from shopflow.store.tables import instant, micros

#: Rows that one page holds.
PAGE = 1_000

#: What others' rows may say of somebody, by table.
_TEXTS: tuple[tuple[Table, Column[str]], ...] = (
    (tables.events, tables.events.c.payload),
    (tables.journal, tables.journal.c.details),
    (tables.messages, tables.messages.c.message),
    (tables.inbox, tables.inbox.c.input),
    (tables.dead_letters, tables.dead_letters.c.payload),
    (tables.dead_letters, tables.dead_letters.c.detail),
    (tables.customers, tables.customers.c.state),
    (tables.sweeps, tables.sweeps.c.event),
)


def lift(connection: Connection, lifted: Iterable[Lifted]) -> None:
    """What stopped marketing to these hashes before then is gone."""
    table = tables.suppressions
    for one in sorted(set(lifted)):
        connection.execute(
            delete(table).where(
                table.c.hash == one.hash,
                table.c.channel.in_(["", one.channel]),
                table.c.scope.in_([scope.value for scope in LIFTABLE]),
                table.c.at <= micros(one.before),
            )
        )


def suppress(
    database: Database, connection: Connection, suppressions: Iterable[Suppression]
) -> None:
    """The hashes are suppressed; where one is already, the later word stays."""
    kept = sorted({(s.hash, s.channel, s.scope): s for s in suppressions}.items())
    rows = [(*key, one.reason, micros(one.at)) for key, one in kept]
    database.dialect.insert(connection, shapes.SUPPRESSIONS, rows)


def tombstones(connection: Connection, after: int) -> list[Tombstone]:
    """Who was erased, behind that number, in order."""
    table = tables.tombstones
    found = connection.execute(select(table).where(table.c.seq > after).order_by(table.c.seq))
    return [Tombstone(row.seq, row.hash, instant(row.at)) for row in found]


class SqlPeople:
    """`People` over the tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def aliases(self, customer_id: CustomerId) -> list[CustomerId]:
        """See `People`."""
        table = tables.aliases
        # A visitor's alias may have an alias of its own.
        found, pending = list[CustomerId](), [customer_id]
        with self._database.reading() as connection:
            while pending:
                wanted = select(table.c.alias).where(table.c.customer_id.in_(pending))
                ids = {CustomerId(each) for each in connection.execute(wanted).scalars()}
                pending = sorted(ids - {customer_id, *found})
                found += pending
        return found

    def ledger(self, ids: Collection[CustomerId]) -> list[LedgerEntry]:
        """See `People`."""
        table = tables.consents
        wanted = select(table).where(table.c.customer_id.in_(sorted(ids))).order_by(table.c.seq)
        with self._database.reading() as connection:
            return [ledger_entry(row) for row in connection.execute(wanted).mappings()]

    def messages(self, ids: Collection[MessageId]) -> list[StoredMessage]:
        """See `People`."""
        wanted = select(tables.messages).where(tables.messages.c.id.in_(sorted(ids)))
        with self._database.reading() as connection:
            return [stored_message(row) for row in connection.execute(wanted).mappings()]

    def suppressions(self) -> Iterator[Suppression]:
        """See `People`."""
        table = tables.suppressions
        key = tuple_(table.c.hash, table.c.channel, table.c.scope)
        last = ("", "", "")
        while True:
            wanted = select(table).where(key > last).order_by(*table.primary_key).limit(PAGE)
            with self._database.reading() as connection:
                page = connection.execute(wanted).mappings().all()
            if not page:
                return
            for row in page:
                yield Suppression(**{**row, "at": instant(row["at"])})
            last = (page[-1]["hash"], page[-1]["channel"], page[-1]["scope"])

    @again
    def suppress(self, suppressions: Sequence[Suppression]) -> None:
        """See `People`."""
        with self._database.writing() as connection:
            suppress(self._database, connection, suppressions)

    @again
    def unsuppress(self, hashes: Collection[str], channel: str) -> int:
        """See `People`."""
        table = tables.suppressions
        ours = and_(table.c.hash.in_(sorted(hashes)), table.c.channel == channel)
        with self._database.writing() as connection:
            return connection.execute(delete(table).where(ours)).rowcount

    @again
    def erase(self, erasure: Erasure) -> Erased:
        """See `People`."""
        ids = sorted(erasure.ids)
        partitions = sorted({self._database.partition_of(each) for each in ids})
        days = self._days()
        events = tables.events
        gone: dict[str, int] = {}
        with self._database.writing() as connection:
            # Nothing is decided meanwhile, so that no batch brings anybody back.
            cursors = select(tables.cursors.c.stream).order_by(tables.cursors.c.stream)
            connection.execute(cursors.with_for_update()).all()
            self._put_up(connection, erasure)
            # Wishes hold the customer's row, and receipts reach the inbox by their message.
            for owner in (
                tables.customers.c.id,
                tables.messages.c.customer_id,
                tables.inbox.c.customer_id,
                tables.waits.c.customer_id,
                tables.journal.c.customer_id,
                tables.dead_letters.c.customer_id,
                tables.addresses.c.customer_id,
            ):
                gone[owner.table.name] = _delete(connection, owner.table, owner.in_(ids))
            letters = tables.dead_letters
            for word in erasure.words:
                theirs = func.lower(letters.c.payload).contains(word.lower(), autoescape=True)
                gone["dead_letters"] += _delete(connection, letters, theirs)
            named = or_(tables.aliases.c.alias.in_(ids), tables.aliases.c.customer_id.in_(ids))
            gone["aliases"] = _delete(connection, tables.aliases, named)
            gone["consents"] = erase_entries(connection, tables.consents.c.customer_id.in_(ids))
            theirs = and_(events.c.partition.in_(partitions), events.c.customer_id.in_(ids))
            gone["events"] = sum(
                _delete(connection, events, and_(events.c.day == day, theirs)) for day in days
            )
            coupons = tables.coupons
            gone["coupons"] = connection.execute(
                update(coupons).where(coupons.c.customer_id.in_(ids)).values(customer_id="")
            ).rowcount
        return Erased(rows={name: count for name, count in gone.items() if count})

    def forget_bodies(self, before: datetime, *, since: datetime | None = None) -> int:
        """See `People`."""
        table = tables.messages
        old = [
            table.c.state.not_in([state.value for state in PENDING | {DeliveryState.RETURNED}]),
            table.c.changed_at < micros(before),
        ]
        if since is not None:
            old.append(table.c.changed_at >= micros(since))
        changed, last = 0, ""
        while True:
            page = select(table.c.id, table.c.message).where(*old, table.c.id > last)
            with self._database.reading() as connection:
                rows = connection.execute(page.order_by(table.c.id).limit(PAGE)).all()
            if not rows:
                return changed
            changed += self._forget_bodies({row.id: row.message for row in rows})
            last = rows[-1].id

    def _forget_bodies(self, found: Mapping[str, str]) -> int:
        table, changed = tables.messages, 0
        with self._database.writing() as connection:
            for key, text in found.items():
                message = message_of(text)
                if message.address or message.variables:
                    bare = message_json(replace(message, address="", variables={}))
                    same = and_(table.c.id == key, table.c.message == text)
                    done = connection.execute(update(table).where(same).values(message=bare))
                    changed += done.rowcount
        return changed

    def at_address(self, hashes: Sequence[str]) -> list[CustomerId]:
        """See `People`."""
        with self._database.reading() as connection:
            return door.at_address(connection, hashes)

    @again
    def forget_taken(self, before: datetime) -> None:
        """See `People`."""
        with self._database.writing() as connection:
            door.forget_taken(connection, before)

    @again
    def forget_proof(self, before: datetime) -> int:
        """See `People`."""
        table, end = tables.consents, tables.consents.alias()
        ended = exists().where(
            end.c.customer_id == table.c.customer_id,
            end.c.channel == table.c.channel,
            end.c.purpose == table.c.purpose,
            end.c.state.in_([state.value for state in ENDED]),
            end.c.at < micros(before),
            end.c.seq >= table.c.seq,
        )
        with self._database.writing() as connection:
            return erase_entries(connection, and_(table.c.at < micros(before), ended))

    @again
    def mentions(self, words: Collection[str], *, blank: str) -> int:
        """See `People`."""
        if not words:
            return 0
        changed = 0
        for table, column in _TEXTS:
            changed += self._blank(table, column, words, blank)
        return changed

    def scrub(self) -> None:
        """See `People`."""
        self._database.dialect.scrub()

    @again
    def hold_setting(self, name: str, value: str) -> str:
        """See `People`."""
        table = tables.settings
        with self._database.writing() as connection:
            self._database.dialect.insert(connection, shapes.SETTINGS, [(name, value)])
            kept = select(table.c.value).where(table.c.name == name)
            return str(connection.execute(kept).scalar_one())

    @again
    def set_setting(self, name: str, value: str) -> None:
        """See `People`."""
        with self._database.writing() as connection:
            self._database.dialect.insert(connection, shapes.KEPT_SETTINGS, [(name, value)])

    def _put_up(self, connection: Connection, erasure: Erasure) -> None:
        stones = [(each, micros(erasure.at)) for each in sorted(erasure.hashes)]
        self._database.dialect.insert(connection, shapes.TOMBSTONES, stones)
        suppress(self._database, connection, erasure.suppressions)

    def _days(self) -> list[int]:
        """The days of which there are events, so that each is looked into by its key."""
        with self._database.reading() as connection:
            return sorted(connection.execute(select(tables.events.c.day).distinct()).scalars())

    def _blank(self, table: Table, column: Column[str], words: Collection[str], blank: str) -> int:
        sought = pattern_of(words)
        found = or_(*(func.lower(column).contains(w.lower(), autoescape=True) for w in words))
        with self._database.reading() as connection:
            rows = connection.execute(select(*table.primary_key, column).where(found)).all()
        changed = 0
        for row in rows:
            *key, text = row
            new = blanked(sought, text, blank)
            if new == text:
                continue
            with self._database.writing() as connection:
                # Not if it has changed meanwhile: it is somebody else's to write.
                same = [c == value for c, value in zip(table.primary_key, key, strict=True)]
                changed += connection.execute(
                    update(table).where(*same, column == text).values({column.name: new})
                ).rowcount
        return changed


def ledger_entry(row: RowMapping) -> LedgerEntry:
    """The entry of a row of `consents`."""
    until = row["until"]
    return LedgerEntry(
        customer_id=CustomerId(row["customer_id"]),
        channel=row["channel"],
        purpose=row["purpose"],
        consent=Consent(
            state=ConsentState(row["state"]),
            at=instant(row["at"]),
            basis=LegalBasis(row["basis"]),
            until=None if until is None else instant(until),
        ),
        source=row["source"],
        text_version=row["text_version"],
        proof=row["proof"],
        event_id=None if row["event_id"] is None else EventId(row["event_id"]),
    )


def erase_entries(connection: Connection, which: ColumnElement[bool]) -> int:
    """These entries leave the ledger, which otherwise lets none go."""
    table, permits = tables.consents, tables.ledger_erasures
    connection.execute(insert(permits).from_select(["seq"], select(table.c.seq).where(which)))
    gone = _delete(connection, table, table.c.seq.in_(select(permits.c.seq)))
    connection.execute(delete(permits))
    return gone


def _delete(connection: Connection, table: Table, which: ColumnElement[bool]) -> int:
    return connection.execute(delete(table).where(which)).rowcount
