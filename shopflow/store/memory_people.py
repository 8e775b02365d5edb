"""Single persons in the memory store: their ledger, aliases and suppressions, and their erasure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from shopflow.domain.ids import CustomerId, MessageId
from shopflow.domain.journal import LedgerEntry
from shopflow.store.memory_state import State
from shopflow.store.people import LIFTABLE, Erased, Erasure, Lifted, Tombstone
from shopflow.store.records import StoredMessage, Suppression


def suppress(state: State, given: Suppression) -> None:
    """The hash is suppressed; where it is already, the later word stays."""
    key = (given.hash, given.channel, given.scope)
    known = state.suppressions.get(key)
    if known is None or known.at <= given.at:
        state.put(state.suppressions, key, given)


def lifted_by(state: State, lifted: Lifted) -> list[tuple[str, str, str]]:
    """The keys of what stops marketing to the hash no longer."""
    return [
        key
        for key, one in state.suppressions.items()
        if key[0] == lifted.hash
        and key[1] in {"", lifted.channel}
        and one.scope in LIFTABLE
        and one.at <= lifted.before
    ]


class MemoryPeople:
    """`People` over the dicts."""

    def __init__(self, state: State) -> None:
        self._state = state

    def aliases(self, customer_id: CustomerId) -> list[CustomerId]:
        """See `People`."""
        found, pending = list[CustomerId](), {customer_id}
        with self._state.lock:
            while pending:
                ids = {c.id for c in self._state.customers.values() if c.alias_of in pending}
                pending = ids - {customer_id, *found}
                found += sorted(pending)
        return found

    def ledger(self, ids: Collection[CustomerId]) -> list[LedgerEntry]:
        """See `People`."""
        with self._state.lock:
            return [entry for entry in self._state.ledger if entry.customer_id in ids]

    def messages(self, ids: Collection[MessageId]) -> list[StoredMessage]:
        """See `People`."""
        with self._state.lock:
            return [self._state.rows[each].stored for each in ids if each in self._state.rows]

    def suppressions(self) -> Iterator[Suppression]:
        """See `People`."""
        with self._state.lock:
            found = sorted(self._state.suppressions.items())
        return iter([one for _, one in found])

    def suppress(self, suppressions: Sequence[Suppression]) -> None:
        """See `People`."""
        with self._state.changing():
            for one in suppressions:
                suppress(self._state, one)

    def unsuppress(self, hashes: Collection[str], channel: str) -> int:
        """See `People`."""
        with self._state.changing():
            keys = [k for k in self._state.suppressions if k[0] in hashes and k[1] == channel]
            for key in keys:
                self._state.drop(self._state.suppressions, key)
        return len(keys)

    def erase(self, erasure: Erasure) -> Erased:
        """See `People`."""
        state, ids = self._state, erasure.ids
        gone: dict[str, int] = {}
        with state.changing():
            for each in sorted(erasure.hashes):
                stone = Tombstone(len(state.tombstones) + 1, each, erasure.at)
                state.append(state.tombstones, stone)
            for one in erasure.suppressions:
                suppress(state, one)
            of_rows = [
                key for key, row in state.rows.items() if row.stored.message.customer_id in ids
            ]
            for key in of_rows:
                state.drop(state.rows, key)
                state.drop(state.queued, key)
            gone["messages"] = len(of_rows)
            gone["inbox"] = 0
            for inbox in state.inbox:
                for seq in [seq for seq, (to, _) in inbox.items() if to in ids]:
                    state.drop(inbox, seq)
                    gone["inbox"] += 1
            gone["customers"] = sum(state.drop(state.customers, each) is not None for each in ids)
            for link in [one for one in state.addresses if one.customer_id in ids]:
                state.drop(state.addresses, link)
            waits = [key for key, wait in state.waits.items() if wait.customer_id in ids]
            for wait in waits:
                state.drop(state.waits, wait)
            events = [k for k, e in state.event_keys.items() if e and e.customer_id in ids]
            for event in events:
                state.drop(state.event_keys, event)
            letters = [
                seq
                for seq, one in state.dead_letters.items()
                if one.customer_id in ids
                or any(word.lower() in one.payload.lower() for word in erasure.words)
            ]
            for letter in letters:
                state.drop(state.dead_letters, letter)
            for place, code in state.codes.items():
                if code.stored.customer_id in ids:
                    kept = replace(code, stored=replace(code.stored, customer_id=""))
                    state.put(state.codes, place, kept)
            gone |= {"waits": len(waits), "events": len(events), "dead_letters": len(letters)}
            before = len(state.journal), len(state.ledger)
            state.journal[:] = [one for one in state.journal if one.customer_id not in ids]
            state.ledger[:] = [one for one in state.ledger if one.customer_id not in ids]
            gone["journal"] = before[0] - len(state.journal)
            gone["consents"] = before[1] - len(state.ledger)
        return Erased(rows={name: count for name, count in gone.items() if count})

    def forget_bodies(self, before: datetime, *, since: datetime | None = None) -> int:
        """See `People`."""
        # A simulation does not last for so long.
        del before, since
        return 0

    def at_address(self, hashes: Sequence[str]) -> list[CustomerId]:
        """See `People`."""
        with self._state.lock:
            return sorted({one.customer_id for one in self._state.addresses if one.hash in hashes})

    def forget_taken(self, before: datetime) -> None:
        """See `People`."""
        with self._state.changing():
            for key in [k for k, at in self._state.taken_once.items() if at < before]:
                self._state.drop(self._state.taken_once, key)

    def forget_proof(self, before: datetime) -> int:
        """See `People`."""
        del before
        return 0

    def mentions(self, words: Collection[str], *, blank: str) -> int:
        """See `People`."""
        # A simulation is over before anybody could ask to be forgotten.
        del words, blank
        return 0

    def scrub(self) -> None:
        """See `People`."""

    def hold_setting(self, name: str, value: str) -> str:
        """See `People`."""
        with self._state.changing():
            return self._state.settings.setdefault(name, value)

    def set_setting(self, name: str, value: str) -> None:
        """See `People`."""
        with self._state.changing():
            self._state.put(self._state.settings, name, value)
