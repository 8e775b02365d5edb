"""Journal entries and deliveries as sentences: why something was sent, held back or left alone."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from shopflow.domain.journal import EndReason, JournalEntry, Kind, Reason, Refusal
from shopflow.store.records import DeliveryState, StoredMessage

#: Why a send was dropped.
DROPPED: Mapping[str, str] = MappingProxyType(
    {
        Reason.EXITED: "an exit rule of the workflow held",
        Reason.PAUSED: "the workflow is paused",
        Reason.STALE: "it was too late: its max_lateness was over",
        Reason.GUARD: "the step's only_if did not hold",
        Reason.SUPPRESSED: "the address or the person is suppressed",
        Reason.NO_ADDRESS: "no address is known for the channel",
        Reason.NO_CONSENT: "there is no consent to this purpose on this channel",
        Reason.QUIET_HOURS: "quiet hours",
        Reason.CAPPED: "a frequency cap is full",
        Reason.HOLDOUT: "the customer is in the hold-out group",
        Reason.SHADOW: "the workflow is a shadow: it decides and sends nothing",
        Reason.NOT_ALLOWED_HERE: "this environment does not write to this address",
        Reason.NO_COUPON: "there is no code for its coupon, without which it does not go",
        Reason.TEMPLATE: "the message could not be made from its template and values",
        Reason.FAILED: "every channel failed for good",
    }
)
#: Why a trigger that matched started nothing.
REFUSED: Mapping[str, str] = MappingProxyType(
    {
        Refusal.ACTIVE: "an enrolment of the same key is under way",
        Refusal.ONCE: "it may start only once, and it has",
        Refusal.COOLDOWN: "its last message is not long enough ago (cooldown)",
        Refusal.OLDER: "a newer trigger of the same key came before",
        Refusal.TOO_MANY: "too many are under way already",
        Refusal.STALE: "it was too late",
    }
)
#: How an enrolment ended when the rules give no outcome of their own.
ENDED: Mapping[str, str] = MappingProxyType(
    {
        EndReason.COMPLETED: "all its steps are done",
        EndReason.RESTARTED: "a newer trigger took its place",
        EndReason.CONSENT_WITHDRAWN: "the consent to all its messages was withdrawn",
        EndReason.CAPPED: "a frequency cap that ends it is full",
        EndReason.EXPIRED: "it grew older than it may",
        EndReason.RETIRED: "its step is gone from the new version",
        EndReason.MERGED: "another enrolment of the same key stayed after two customers merged",
    }
)
_SENT: Mapping[DeliveryState, str] = MappingProxyType(
    {
        DeliveryState.QUEUED: "waits in the outbox",
        DeliveryState.LEASED: "is about to go out",
        DeliveryState.ATTEMPTED: "is being handed over",
        DeliveryState.SENT: "was accepted by the channel",
        DeliveryState.DELIVERED: "was delivered",
        DeliveryState.FAILED: "failed for good",
        DeliveryState.DROPPED: "was taken back",
        DeliveryState.UNCERTAIN: "was begun and never answered; it may have arrived",
        DeliveryState.RETURNED: "was handed back, since it had become too late",
    }
)


def sentence(entry: JournalEntry) -> str:  # noqa: C901, PLR0911, PLR0912 - one for each kind
    """What the entry tells, in words."""
    match entry.kind:
        case Kind.ENTERED:
            again = ", in place of the one under way" if entry.reason else ""
            return f"entered version {entry.version}{again}"
        case Kind.REFUSED:
            return f"did not enter: {REFUSED.get(entry.reason, entry.reason)}"
        case Kind.EXITED:
            return _ended(entry)
        case Kind.STEP:
            return f"step {entry.step}: {_way(entry)}"
        case Kind.QUEUED:
            return f"step {entry.step}: queued for {entry.channel}"
        case Kind.HELD:
            return f"step {entry.step}: held, {_why(entry)}{_until(entry)}"
        case Kind.DROPPED:
            return f"step {entry.step}: not sent by {entry.channel}, {_why(entry)}"
        case Kind.DELIVERY:
            return f"step {entry.step}: {entry.channel} could not deliver it ({entry.reason})"
        case Kind.CONVERTED:
            return f"converted{_worth(entry)}"
        case Kind.CONSENT:
            where = f"{entry.values.get('purpose', '')} by {entry.channel}"
            return f"consent to {where}: {entry.reason}"
        case Kind.ERROR:
            return f"failed and did not match: {entry.values.get('error', entry.reason)}"
        case Kind.UNUSABLE:
            return f"what was told as {entry.reason} is no address, and was not taken"
        case Kind.DISCARDED:
            return f"{entry.values.get('count', 0)} dead letters were dropped: {entry.reason}"
        case Kind.DECIDED:
            return f"step {entry.step}: {entry.reason} has won by {entry.values.get('by', '')}"
        case Kind.PAUSED | Kind.RESUMED:
            scope, why = entry.values.get("scope", ""), entry.values.get("reason", "")
            return f"{scope} was {entry.kind} by a {entry.reason}" + (f": {why}" if why else "")


def delivery_sentence(stored: StoredMessage) -> str:
    """What became of a message, in words."""
    told = _SENT[stored.state]
    if stored.reason:
        told += f" ({DROPPED.get(stored.reason, stored.reason)})"
    if stored.attempts > 1:
        told += f", at attempt {stored.attempts}"
    if stored.uncertain:
        told += "; an attempt before was never answered, so it may have arrived twice"
    return told


def masked(address: str) -> str:
    """An address that its owner recognises and nobody else can use."""
    local, at, domain = address.rpartition("@")
    if at:
        return f"{local[:1]}***@{domain}"
    return f"{address[:3]}***{address[-2:]}" if len(address) > len("+33612") else "***"


def _way(entry: JournalEntry) -> str:
    match entry.values.get("trial"):
        case "test":
            return f"{entry.reason}, one of those whom it is tried on"
        case "winner":
            return f"{entry.reason}, which has won"
        case "waits":
            return f"waits for the branch that wins{_until(entry)}"
        case _:
            return entry.reason or "done"


def _ended(entry: JournalEntry) -> str:
    by = entry.values.get("by")
    why = ENDED.get(entry.reason)
    told = f"ended: {entry.reason}"
    if by:
        return f"{told}, by the exit {by}"
    return f"{told}, {why}" if why else told


def _why(entry: JournalEntry) -> str:
    why = DROPPED.get(entry.reason, entry.reason)
    cap = entry.values.get("cap")
    return f"{why} ({cap})" if cap else why


def _until(entry: JournalEntry) -> str:
    until = entry.values.get("until")
    return f", until {until}" if until else ""


def _worth(entry: JournalEntry) -> str:
    value = entry.values.get("value")
    worth = f", worth {value}" if value is not None else ""
    return f"{worth} (hold-out)" if entry.values.get("holdout") else worth
