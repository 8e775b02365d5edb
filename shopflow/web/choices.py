"""What a person may choose from, and what their choice means in events: no page, no form."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

from shopflow.domain.customer import Consent, ConsentState, Customer
from shopflow.domain.policy import MessageClass, Purpose
from shopflow.domain.ruleset import Ruleset
from shopflow.domain.words import in_language
from shopflow.engine.consent import OBJECTABLE
from shopflow.runtime.wishes import Wish

#: The channel that consent to tracking is asked for on: a message of it shows what is tracked.
TRACKED = "email"
_OBJECTIONS = frozenset({ConsentState.DENIED, ConsentState.WITHDRAWN, ConsentState.SUNSET})


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One box to tick."""

    channel: str
    purpose: Purpose
    is_on: bool
    state: ConsentState | None = None
    paused_until: datetime | None = None

    @property
    def name(self) -> str:
        """What it is called in a form."""
        return f"{self.channel}:{self.purpose.id}"


def choices(ruleset: Ruleset, customer: Customer, at: datetime) -> list[Choice]:
    """What the person may choose, by channel; parents before what is below them."""
    return [
        _choice(customer, channel, purpose, at)
        for channel in ruleset.channels
        if address(ruleset, customer, channel)
        for purpose in _in_order(ruleset)
        if _offers(purpose, channel)
    ]


def tracking(ruleset: Ruleset, customer: Customer, at: datetime) -> Choice | None:
    """The choice whether opens and clicks may be looked at; None where the shop never does."""
    for purpose in ruleset.purposes.values():
        if purpose.message_class is MessageClass.TRACKING:
            return _choice(customer, TRACKED, purpose, at)
    return None


def address(ruleset: Ruleset, customer: Customer, channel: str) -> str:
    """Where the channel reaches the person; empty for nowhere."""
    facts = ruleset.channels.get(channel)
    if facts is None or facts.address_attribute is None:
        return ""
    found = customer.attributes.get(facts.address_attribute)
    return found if isinstance(found, str) else ""


def changes(
    offered: Sequence[Choice],
    ticked: Collection[str],
    *,
    proven: str,
    source: str,
    locale: str,
) -> Iterator[Wish]:
    """The events that make of what is what the person wants; nothing where nothing changes.

    `proven` is the channel whose address the person has shown to be theirs.
    """
    on = {one.name for one in offered if one.name in ticked}
    by_name = {one.name: one for one in offered}
    for one in offered:
        above = f"{one.channel}:{one.purpose.parent}"
        if one.name in on and above in by_name and above not in on:
            # Withdrawing a parent withdraws what is below it.
            on.discard(one.name)
    for one in offered:
        if one.is_on and one.name not in on:
            data = {"channel": one.channel, "purpose": one.purpose.id, "source": source}
            yield Wish(type="consent.withdrawn", data=data)
    for one in offered:
        if not one.is_on and one.name in on:
            yield granted(one, proven=proven, source=source, locale=locale)


def text_version(purpose: Purpose, locale: str) -> str:
    """Names the very words that somebody agreed to, so that they can be shown later."""
    words = "\0".join(
        [purpose.id, in_language(purpose.title, locale), in_language(purpose.text, locale)]
    )
    return f"{locale}:{blake2b(words.encode(), digest_size=6).hexdigest()}"


def title_of(purpose: Purpose, locale: str) -> str:
    """What pages call the purpose."""
    return in_language(purpose.title, locale) or purpose.id.replace("_", " ").capitalize()


def granted(one: Choice, *, proven: str, source: str, locale: str) -> Wish:
    """The event by which the person agrees; confirmed already where the channel is proven."""
    data = {
        "channel": one.channel,
        "purpose": one.purpose.id,
        "source": source,
        "text_version": text_version(one.purpose, locale),
    }
    if one.channel != proven:
        return Wish(type="consent.granted", data=data)
    # The link to the page came to this very address: that is the second step of a double opt-in.
    proof = "by the link in a message to this address"
    return Wish(type="consent.confirmed", data={**data, "proof": proof})


def _choice(customer: Customer, channel: str, purpose: Purpose, at: datetime) -> Choice:
    entry = customer.consents.get((channel, purpose.id))
    if purpose.message_class is MessageClass.RELATIONSHIP:
        is_on = entry is None or entry.state not in _OBJECTIONS
    else:
        if entry is None and purpose.inherit and purpose.parent is not None:
            entry = customer.consents.get((channel, purpose.parent))
        is_on = entry is not None and entry.state in {ConsentState.GRANTED, ConsentState.PAUSED}
    return Choice(
        channel=channel,
        purpose=purpose,
        is_on=is_on,
        state=entry.state if entry else None,
        paused_until=_rest(entry, at),
    )


def _rest(entry: Consent | None, at: datetime) -> datetime | None:
    if entry is None or entry.state is not ConsentState.PAUSED or entry.until is None:
        return None
    return entry.until if entry.until > at else None


def _offers(purpose: Purpose, channel: str) -> bool:
    if purpose.message_class is MessageClass.MARKETING:
        return channel in purpose.channels
    return purpose.message_class in OBJECTABLE


def _in_order(ruleset: Ruleset) -> Iterator[Purpose]:
    """Each parent with what is below it behind it; marketing first."""
    purposes = ruleset.purposes
    roots = [one for one in purposes.values() if one.parent not in purposes]
    roots.sort(key=lambda one: one.message_class is not MessageClass.MARKETING)
    pending = list(reversed(roots))
    while pending:
        one = pending.pop()
        yield one
        pending += reversed([each for each in purposes.values() if each.parent == one.id])
