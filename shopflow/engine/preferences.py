"""What customers wish beside yes and no: a rest, a channel of their own, fewer messages.

A wish takes away or orders what consent allows; it never allows anything by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import product

from shopflow.domain.customer import Consent, ConsentState, LegalBasis
from shopflow.domain.event import Event
from shopflow.domain.policy import FrequencyCap, MessageClass
from shopflow.engine import consent
from shopflow.engine.turn import Draft, Turn

#: By this event the preference page tells what somebody wishes.
CHANGED = "preferences.changed"
#: Attributes that hold a wish.
PREFERRED_CHANNEL, MAX_PER_WEEK = "preferred_channel", "max_per_week"
#: The name of the cap that a customer has chosen.
PERSONAL_CAP = "personal"

WEEK = timedelta(days=7)


def absorb(turn: Turn, event: Event, *, late: bool) -> bool:
    """Take in what the customer wishes; True when what may be sent has changed.

    A field that is not there stays as it was, and null takes a wish back.
    """
    if event.type != CHANGED:
        return False
    if not late:
        _note(turn, event)
    if "paused_until" not in event.data:
        return False
    before = turn.customer.consents
    until = _instant(event.data["paused_until"])
    channel, purpose = event.data.get("channel"), event.data.get("purpose")
    for key in sorted({*named(turn, _text(channel), _text(purpose))}):
        current = turn.customer.consents.get(key) or presumed(turn, key[1], event.occurred_at)
        changed = _resting(current, event.occurred_at, until)
        if changed is not None:
            consent.record(turn, *key, changed, event=event, evidence=event.data)
    return turn.customer.consents is not before


def _note(turn: Turn, event: Event) -> None:
    told = {n: event.data[n] for n in (PREFERRED_CHANNEL, MAX_PER_WEEK) if n in event.data}
    if told:
        kept = {n: v for n, v in turn.customer.attributes.items() if n not in told}
        wishes = {name: value for name, value in told.items() if value is not None}
        turn.customer.attributes = {**kept, **wishes}


def _resting(current: Consent | None, at: datetime, until: datetime | None) -> Consent | None:
    if until is not None and until > at:
        return consent.paused(current, at, until)
    if current is None or current.state is not ConsentState.PAUSED:
        return None
    return Consent(state=ConsentState.GRANTED, at=at, basis=current.basis)


def named(turn: Turn, channel: str | None, purpose: str | None) -> Iterable[tuple[str, str]]:
    """The consents of a channel and a purpose, or of all; those that need not be asked for too."""
    ruleset = turn.rulebook.ruleset
    purposes = ruleset.purposes
    unasked = product(ruleset.channels, (p for p in purposes if _needs_no_opt_in(turn, p)))
    for key in (*turn.customer.consents, *unasked):
        rule = purposes.get(key[1])
        refusable = rule is not None and rule.message_class is not MessageClass.SERVICE
        if (
            refusable
            and channel in {None, key[0]}
            and (purpose in {None, key[1]} or (rule and rule.parent == purpose))
        ):
            yield key


def presumed(turn: Turn, purpose: str, at: datetime) -> Consent | None:
    """What may be sent without having been asked for can rest and end all the same."""
    if not _needs_no_opt_in(turn, purpose):
        return None
    basis = LegalBasis.LEGITIMATE_INTEREST
    return Consent(state=ConsentState.GRANTED, at=at, basis=basis)


def _needs_no_opt_in(turn: Turn, purpose: str) -> bool:
    return turn.rulebook.ruleset.purposes[purpose].message_class is MessageClass.RELATIONSHIP


def personal_cap(customer: Draft) -> FrequencyCap | None:
    """The cap that the customer has chosen: so many messages in any seven days."""
    most = customer.attributes.get(MAX_PER_WEEK)
    if type(most) is not int or most < 0:
        return None
    return FrequencyCap(id=PERSONAL_CAP, limit=most, window=WEEK)


def by_preference(customer: Draft, channels: Sequence[str]) -> tuple[str, ...]:
    """The channels in the order to be tried: the one that the customer prefers comes first."""
    preferred = customer.attributes.get(PREFERRED_CHANNEL)
    if preferred not in channels:
        return tuple(channels)
    return (str(preferred), *(each for each in channels if each != preferred))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _instant(value: object) -> datetime | None:
    """The instant of RFC 3339 text, or the beginning of a day; None for whatever else."""
    if not isinstance(value, str):
        return None
    try:
        told = datetime.fromisoformat(value)
    except ValueError:
        return None
    return told.replace(tzinfo=UTC) if told.tzinfo is None else told.astimezone(UTC)
