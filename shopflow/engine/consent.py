"""Consent: what a customer's word does to it, and whether a channel may be used for a purpose.

In doubt the answer is no: an unknown purpose, a channel that the purpose does not cover and a
consent that nobody gave all read as refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from shopflow.domain.customer import (
    Consent,
    ConsentState,
    LegalBasis,
    SlotState,
    SuppressionScope,
)
from shopflow.domain.event import Event
from shopflow.domain.journal import Cancel, Kind, LedgerEntry, Lift, Reason
from shopflow.domain.policy import MessageClass, Purpose
from shopflow.engine.turn import Draft, Turn

#: Classes whose consent a customer can refuse; service mail belongs to the contract.
REFUSABLE = frozenset({MessageClass.MARKETING, MessageClass.RELATIONSHIP, MessageClass.TRACKING})
#: Of these, what messages are written under.
OBJECTABLE = REFUSABLE - {MessageClass.TRACKING}

#: States that a relationship purpose, which needs no opt-in, takes as an objection.
_OBJECTIONS = frozenset({ConsentState.DENIED, ConsentState.WITHDRAWN, ConsentState.SUNSET})

#: Which state a consent event, or an entry's own `state`, stands for.
_STATES: Mapping[str, ConsentState] = {
    "consent.granted": ConsentState.GRANTED,
    "consent.denied": ConsentState.DENIED,
    "consent.withdrawn": ConsentState.WITHDRAWN,
    "consent.confirmed": ConsentState.GRANTED,
}
_CONFIRMED = "consent.confirmed"
#: Events that are a customer's word.
CONSENT_EVENTS = frozenset(_STATES)
#: A complaint is an objection to everything that may be objected to on its channel.
_COMPLAINED = "message.complained"

#: What makes a message of each class lawful.
_BASES: Mapping[MessageClass, LegalBasis] = {
    MessageClass.SERVICE: LegalBasis.CONTRACT,
    MessageClass.RELATIONSHIP: LegalBasis.LEGITIMATE_INTEREST,
    MessageClass.MARKETING: LegalBasis.CONSENT,
    MessageClass.INTERNAL: LegalBasis.LEGITIMATE_INTEREST,
    MessageClass.TRACKING: LegalBasis.CONSENT,
}

#: At equal times the one that forbids wins.
_FORBIDDING = frozenset(
    {ConsentState.DENIED, ConsentState.WITHDRAWN, ConsentState.SUNSET, ConsentState.LAPSED}
)


def permits(customer: Draft, purpose: Purpose | None, channel: str, at: datetime) -> bool:
    """True when the purpose's class and the customer's consent let this channel be used."""
    if purpose is None:
        return False
    match purpose.message_class:
        case MessageClass.SERVICE | MessageClass.INTERNAL:
            return True
        case MessageClass.RELATIONSHIP:
            entry = customer.consents.get((channel, purpose.id))
            return entry is None or not (entry.state in _OBJECTIONS or _resting(entry, at))
        case MessageClass.MARKETING | MessageClass.TRACKING:
            return _granted(customer, purpose, channel, at)


def _granted(customer: Draft, purpose: Purpose, channel: str, at: datetime) -> bool:
    if purpose.channels and channel not in purpose.channels:
        return False
    entry = customer.consents.get((channel, purpose.id))
    if entry is None and purpose.inherit and purpose.parent is not None:
        entry = customer.consents.get((channel, purpose.parent))
    if entry is None:
        return False
    if entry.state is ConsentState.PAUSED:
        return not _resting(entry, at)
    return entry.state is ConsentState.GRANTED


def _resting(entry: Consent, at: datetime) -> bool:
    return entry.state is ConsentState.PAUSED and (entry.until is None or at < entry.until)


def suppressed(customer: Draft, message_class: MessageClass, channel: str) -> bool:
    """True when nothing, or nothing of this class, may go to the customer's address."""
    stops = {scope for where, scope in customer.suppressions if where in (channel, "")}
    if SuppressionScope.MARKETING in stops and message_class in REFUSABLE:
        return True
    return bool(stops - {SuppressionScope.MARKETING})


def call_back(turn: Turn, at: datetime) -> None:
    """Stop what was queued and may no longer leave, as far as no attempt has begun.

    Whether it was stopped is for the store to say, so its slot stays taken until word comes.
    """
    purposes = turn.rulebook.ruleset.purposes
    now = turn.clock(at)
    for record in turn.customer.sent:
        if record.state is not SlotState.RESERVED:
            continue
        if suppressed(turn.customer, record.message_class, record.channel):
            reason = Reason.SUPPRESSED
        elif not permits(turn.customer, purposes.get(record.purpose), record.channel, now):
            reason = Reason.NO_CONSENT
        else:
            continue
        turn.effects.append(Cancel(message_id=record.message_id, reason=reason, tell=True))


def address(turn: Turn, channel: str) -> str | None:
    """Where the channel reaches the customer: empty where none is needed, None for nowhere."""
    facts = turn.rulebook.ruleset.channels.get(channel)
    if facts is None:
        return None
    if facts.address_attribute is None:
        return ""
    found = turn.customer.attributes.get(facts.address_attribute)
    return found if isinstance(found, str) and found else None


def reachable(turn: Turn, channel: str, purpose_id: str | None, at: datetime) -> bool:
    """True when the channel has an address, is not suppressed, and consent allows the purpose."""
    if address(turn, channel) is None:
        return False
    purpose = turn.rulebook.ruleset.purposes.get(purpose_id) if purpose_id else None
    message_class = purpose.message_class if purpose else MessageClass.MARKETING
    if suppressed(turn.customer, message_class, channel):
        return False
    return purpose is None or permits(turn.customer, purpose, channel, at)


def absorb(turn: Turn, event: Event) -> bool:
    """Take in what the event says of consent; True when anything changed."""
    entries = event.data.get("consents")
    if (
        not entries
        and event.type not in _STATES
        and event.type != _COMPLAINED
        and not turn.rulebook.interest(event.type).soft_opt_ins
    ):
        return False
    before = turn.customer.consents
    if event.type in _STATES:
        _apply(turn, event, event.data, _STATES[event.type])
    elif event.type == _COMPLAINED:
        told = {"channel": event.data.get("channel") or "email"}
        _apply(turn, event, told, ConsentState.WITHDRAWN)
    if isinstance(entries, list):
        for entry in entries:
            if isinstance(entry, dict):
                _apply(turn, event, entry, _state_in(entry))
    _soft_opt_in(turn, event)
    return turn.customer.consents is not before


def _state_in(entry: Mapping[str, object]) -> ConsentState:
    """What an entry says: to be there is to agree, and a word that nobody knows is a no."""
    word = entry.get("state")
    if word is None:
        return ConsentState.GRANTED
    return _STATES.get(f"consent.{word}", ConsentState.DENIED)


def _apply(turn: Turn, event: Event, entry: Mapping[str, object], state: ConsentState) -> None:
    purposes = turn.rulebook.ruleset.purposes
    named = entry.get("purpose")
    confirmed = event.type == _CONFIRMED or entry.get("state") == "confirmed"
    for channel in _channels(turn, entry.get("channel")):
        for purpose in _purposes(purposes, named, state):
            wanted: ConsentState | None = state
            if state is ConsentState.GRANTED:
                wanted = _yes(turn, purpose, channel, confirmed=confirmed, at=event.occurred_at)
            if wanted is None:
                continue
            basis = _BASES[purpose.message_class]
            given = Consent(state=wanted, at=event.occurred_at, basis=basis)
            record(turn, channel, purpose.id, given, event=event, evidence=entry)


def _yes(
    turn: Turn, purpose: Purpose, channel: str, *, confirmed: bool, at: datetime
) -> ConsentState | None:
    """What a yes is worth: it may have to be confirmed; None where it says nothing new."""
    rule = purpose.channels.get(channel)
    double = rule is not None and rule.double_opt_in
    current = turn.customer.consents.get((channel, purpose.id))
    complained = purpose.message_class in OBJECTABLE and _complained(turn.customer, channel)
    if not confirmed:
        if double and not complained and current and current.state is ConsentState.GRANTED:
            return None
        return ConsentState.PENDING if double or complained else ConsentState.GRANTED
    asked = current is not None and current.state is ConsentState.PENDING and current.at <= at
    if not complained:
        lift(turn, channel, current.at if asked and current is not None else None)
        return ConsentState.GRANTED
    if not asked:
        # Some link from before the complaint: whoever complained is asked anew, and confirms that.
        return ConsentState.PENDING
    lift(turn, channel, current.at if current is not None else None)
    return ConsentState.GRANTED


def _complained(customer: Draft, channel: str) -> bool:
    return any(
        where in (channel, "") and scope is SuppressionScope.MARKETING
        for where, scope in customer.suppressions
    )


def lift(turn: Turn, channel: str, asked_at: datetime | None) -> None:
    """Nothing that stopped marketing before the question was asked stops it any more."""
    if asked_at is None:
        return
    stopped = {(where, SuppressionScope.MARKETING) for where in (channel, "")}
    if stopped & turn.customer.suppressions:
        turn.customer.suppressions = turn.customer.suppressions - stopped
    where = address(turn, channel) or ""
    turn.effects.append(
        Lift(customer_id=turn.customer.id, channel=channel, address=where, before=asked_at)
    )


def _channels(turn: Turn, named: object) -> Iterable[str]:
    if isinstance(named, str) and named:
        return (named,)
    known = {channel for channel, _ in turn.customer.consents}
    return sorted(known | set(turn.rulebook.ruleset.channels))


def _purposes(
    purposes: Mapping[str, Purpose], named: object, state: ConsentState
) -> Iterable[Purpose]:
    """The purposes that an entry is about; a withdrawal reaches the children, a grant does not."""
    if not isinstance(named, str) or not named:
        # One click and STOP name no purpose: all that can be refused is.
        return [p for p in purposes.values() if p.message_class in OBJECTABLE]
    purpose = purposes.get(named)
    if purpose is None:
        return []
    if state is ConsentState.GRANTED:
        return [purpose]
    return [p for p in purposes.values() if named in _lineage(purposes, p)]


def _lineage(purposes: Mapping[str, Purpose], purpose: Purpose) -> set[str]:
    line = {purpose.id}
    parent = purpose.parent
    while parent is not None and parent not in line and parent in purposes:
        line.add(parent)
        parent = purposes[parent].parent
    return line


def _soft_opt_in(turn: Turn, event: Event) -> None:
    """An order with a notice that was not refused lets similar products be advertised."""
    notice = event.data.get("marketing_notice")
    for purpose, channel, soft in turn.rulebook.interest(event.type).soft_opt_ins:
        given = isinstance(notice, dict) and notice.get("refused") is False
        refused = isinstance(notice, dict) and notice.get("refused") is True
        current = turn.customer.consents.get((channel, purpose))
        evidence = notice if isinstance(notice, dict) else {}
        if refused:
            state = ConsentState.DENIED
        elif (given or not soft.notice_required) and (
            current is None or current.state is ConsentState.PENDING
        ):
            state = ConsentState.GRANTED
        else:
            continue
        entry = Consent(state=state, at=event.occurred_at, basis=LegalBasis.SOFT_OPT_IN)
        record(turn, channel, purpose, entry, event=event, evidence=evidence)


def record(
    turn: Turn,
    channel: str,
    purpose: str,
    consent: Consent,
    *,
    event: Event | None = None,
    evidence: Mapping[str, object] | None = None,
    source: str = "",
) -> None:
    """Let the entry stand unless a newer one does, and write it into the ledger either way."""
    current = turn.customer.consents.get((channel, purpose))
    if current is None or stands(consent, current):
        turn.customer.consents = {**turn.customer.consents, (channel, purpose): consent}
    told = evidence or {}
    turn.effects.append(
        LedgerEntry(
            customer_id=turn.customer.id,
            channel=channel,
            purpose=purpose,
            consent=consent,
            source=str(told.get("source") or source or (event.type if event else "")),
            text_version=str(told.get("text_version") or ""),
            proof=str(told.get("proof") or ""),
            event_id=event.id if event else None,
        )
    )
    turn.journal(
        Kind.CONSENT,
        consent.at,
        channel=channel,
        reason=consent.state,
        event=event,
        values={"purpose": purpose},
    )


def stands(entry: Consent, current: Consent) -> bool:
    """True when of two entries on one matter the first one holds; of equals, what forbids."""
    if entry.at != current.at:
        return entry.at > current.at
    return entry.state in _FORBIDDING or current.state not in _FORBIDDING


def newest(ours: Consent | None, theirs: Consent | None) -> Consent | None:
    """Of two persons' entries the one that stands when they are one."""
    if ours is None or theirs is None:
        return theirs if ours is None else ours
    return theirs if stands(theirs, ours) and theirs.at >= ours.at else ours


def paused(current: Consent | None, at: datetime, until: datetime | None) -> Consent | None:
    """The entry, resting until then; None where there is nothing that could rest."""
    if current is None or current.state not in (ConsentState.GRANTED, ConsentState.PAUSED):
        return None
    return replace(current, state=ConsentState.PAUSED, at=at, until=until)
