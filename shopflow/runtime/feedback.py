"""What becomes of a provider's word: an event about whoever it concerns, or about an address alone.

A word that names a message is about its customer; else the address says whom it is about. Whoever
wants no more gets no more even where nobody is known by the address: it is suppressed by its hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial

from shopflow.domain.customer import Customer, SuppressionScope
from shopflow.domain.ids import CustomerId, MessageId
from shopflow.domain.journal import Stopped
from shopflow.runtime import safety
from shopflow.runtime.addresses import who_has
from shopflow.runtime.providers import Means, Word
from shopflow.runtime.stop_words import is_stop
from shopflow.runtime.wishes import Wish, Wishes
from shopflow.store.records import Suppression

#: What an address is stopped for, though nobody is known by it.
_STOPS = {
    Means.BOUNCED: (SuppressionScope.ADDRESS, Stopped.HARD_BOUNCE),
    Means.COMPLAINED: (SuppressionScope.MARKETING, Stopped.COMPLAINT),
    Means.UNSUBSCRIBED: (SuppressionScope.MARKETING, Stopped.MANUAL),
}


class Taken(StrEnum):
    """What became of a word."""

    #: An event about somebody.
    TAKEN = "taken"
    #: Nobody is known by the address; it is suppressed.
    SUPPRESSED = "suppressed"
    #: It concerns nobody and nothing that is known here.
    LEFT_ALONE = "left_alone"


def take(wishes: Wishes, word: Word) -> Taken:
    """The word is kept once this returns; given twice, it is so once.

    Raises:
        StoreError: It cannot be kept; whether it was, nobody can tell.
    """
    means = word.means
    if means is Means.RECEIVED and is_stop(word.text):
        means = Means.UNSUBSCRIBED
    found, message_id = _concerned(wishes, word)
    wish = _wish(means, word, message_id)
    # Of several people at one address, nobody knows who wrote.
    if wish is None or not found or (means is Means.RECEIVED and len(found) > 1):
        return _suppressed(wishes, means, word)
    for customer_id in found:
        once = f"{word.provider}\0{means}\0{word.id}\0{customer_id}"
        wishes.take(customer_id, partial(_asks, replace(wish, once=once)))
    return Taken.TAKEN


def _asks(wish: Wish, _: Customer) -> list[Wish]:
    return [wish]


def _concerned(wishes: Wishes, word: Word) -> tuple[Sequence[CustomerId], str]:
    """Whom the word is about, and the id of the message that it is about; empty for no message."""
    people = wishes.store.people
    if word.message_id and (named := people.messages([MessageId(word.message_id)])):
        return [named[0].message.customer_id], named[0].message.id
    hashes = wishes.rules.hashes
    if not word.address or hashes is None:
        return [], ""
    known = who_has(wishes.store, hashes, word.address)
    for customer_id in known if word.provider_id else ():
        for one in wishes.store.views.timeline(customer_id).messages:
            if one.provider_id == word.provider_id:
                return [customer_id], one.message.id
    return known, ""


def _wish(means: Means, word: Word, message_id: str) -> Wish | None:
    """The event that it is; None where it needs a message and none is known."""
    data: dict[str, object] = {"channel": word.channel}
    if message_id:
        data["message_id"] = message_id
    match means:
        case Means.DELIVERED if message_id:
            return Wish(type="message.delivered", data=data)
        case Means.BOUNCED if message_id:
            return Wish(type="message.bounced", data={**data, "bounce": "hard"})
        case Means.SOFT_BOUNCED if message_id:
            return Wish(type="message.bounced", data={**data, "bounce": "soft"})
        case Means.COMPLAINED:
            return Wish(type="message.complained", data=data)
        case Means.UNSUBSCRIBED:
            told = {"channel": word.channel, "source": "provider"}
            return Wish(type="consent.withdrawn", data=told)
        case Means.RECEIVED:
            return Wish(type="message.replied", data={**data, "body": word.text})
        case _:
            return None


def _suppressed(wishes: Wishes, means: Means, word: Word) -> Taken:
    hashes = wishes.rules.hashes
    if means not in _STOPS or not word.address or hashes is None:
        return Taken.LEFT_ALONE
    scope, reason = _STOPS[means]
    stop = Suppression(
        hash=hashes.address(word.address),
        channel=word.channel,
        scope=scope,
        reason=reason,
        at=datetime.now(UTC),
    )
    if wishes.rules.safety is not None:
        wishes.rules.safety.note(safety.suppressed([stop]))
    wishes.store.people.suppress([stop])
    wishes.store.sync()
    return Taken.SUPPRESSED
