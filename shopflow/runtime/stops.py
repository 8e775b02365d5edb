"""What stops messages to an address, whoever has it: kept by hash, asked again at every lease."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shopflow.domain.customer import SuppressionScope
from shopflow.domain.ids import MessageId
from shopflow.domain.journal import LedgerEntry, Lift, Suppress
from shopflow.domain.message import Message
from shopflow.engine.consent import OBJECTABLE
from shopflow.runtime import safety
from shopflow.runtime.hashes import Hashes
from shopflow.runtime.safety import SafetyLog
from shopflow.store.people import Lifted
from shopflow.store.protocol import Batch, Views
from shopflow.store.records import Suppression


@dataclass(frozen=True, slots=True)
class Stops:
    """Knows which messages are not to leave."""

    views: Views
    hashes: Hashes

    def among(self, messages: Sequence[Message]) -> set[MessageId]:
        """The messages whose address, or whose customer, is suppressed; for where the store is."""
        known = {one.id: self._known_by(one) for one in messages}
        wanted = {each for hashes in known.values() for each in hashes}
        if not wanted:
            return set()
        by_hash: dict[str, list[Suppression]] = {}
        for found in self.views.suppressions(wanted):
            by_hash.setdefault(found.hash, []).append(found)
        if not by_hash:
            return set()
        return {
            one.id
            for one in messages
            if any(_stops(s, one) for each in known[one.id] for s in by_hash.get(each, ()))
        }

    def _known_by(self, message: Message) -> list[str]:
        hashes = [self.hashes.customer(message.customer_id)]
        if message.address:
            hashes.append(self.hashes.address(message.address))
        return hashes


def _stops(found: Suppression, message: Message) -> bool:
    if found.channel not in {"", message.channel}:
        return False
    # Whoever was erased and comes back is owed what a new order brings, and no more.
    return found.scope == SuppressionScope.ADDRESS or message.message_class in OBJECTABLE


def keep_stops(
    batch: Batch,
    effects: Sequence[Suppress | Lift],
    ledger: Sequence[LedgerEntry],
    hashes: Hashes,
    log: SafetyLog | None,
) -> None:
    """What stops, or no longer stops, is in the batch, in the order decided; and in the log."""
    lines = safety.refusals(ledger, hashes)
    for effect in effects:
        if isinstance(effect, Suppress):
            stops = [*stops_of(effect, hashes)]
            batch.suppress(stops)
            lines += safety.suppressed(stops)
        else:
            lifts = [*lifts_of(effect, hashes)]
            batch.lift(lifts)
            lines += safety.lifted(lifts)
    if log is not None:
        log.note(lines)


def stops_of(effect: Suppress, hashes: Hashes) -> Iterable[Suppression]:
    """What is kept of it: the address; a complaint holds for the person too."""
    known = [hashes.address(effect.address)] if effect.address else []
    if effect.scope is not SuppressionScope.ADDRESS:
        known.append(hashes.customer(effect.customer_id))
    for each in known:
        yield Suppression(
            hash=each,
            channel=effect.channel,
            scope=effect.scope,
            reason=effect.reason,
            at=effect.at,
        )


def lifts_of(effect: Lift, hashes: Hashes) -> Iterable[Lifted]:
    """What no longer stops the person, by address and by id."""
    known = [hashes.customer(effect.customer_id)]
    if effect.address:
        known.append(hashes.address(effect.address))
    for each in known:
        yield Lifted(each, effect.channel, effect.before)
