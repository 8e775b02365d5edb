"""What the consent ledger tells: where consents stood at any instant, and what shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from shopflow.domain.customer import Consent, ConsentState
from shopflow.domain.journal import LedgerEntry
from shopflow.engine.consent import stands


def standing(
    entries: Iterable[LedgerEntry], at: datetime
) -> dict[tuple[str, str], tuple[Consent, LedgerEntry]]:
    """Of each channel and purpose, where it stood at that instant, and the entry that says so.

    Entries come in the order in which they were written.
    """
    found: dict[tuple[str, str], tuple[Consent, LedgerEntry]] = {}
    for entry in entries:
        key = (entry.channel, entry.purpose)
        if entry.consent.at > at:
            continue
        if key not in found or stands(entry.consent, found[key][0]):
            found[key] = (entry.consent, entry)
    return {key: (_rested(consent, at), entry) for key, (consent, entry) in sorted(found.items())}


def _rested(consent: Consent, at: datetime) -> Consent:
    """A rest that is over has ended by itself."""
    over = consent.until is not None and consent.until <= at
    if consent.state is ConsentState.PAUSED and over:
        return replace(consent, state=ConsentState.GRANTED)
    return consent


def record(entry: LedgerEntry) -> Mapping[str, object]:
    """The entry, as it is exported."""
    consent = entry.consent
    return {
        "customer_id": entry.customer_id,
        "channel": entry.channel,
        "purpose": entry.purpose,
        "state": consent.state,
        "at": consent.at.isoformat(),
        "until": consent.until.isoformat() if consent.until else None,
        "legal_basis": consent.basis,
        "source": entry.source,
        "text_version": entry.text_version,
        "proof": entry.proof,
        "event_id": entry.event_id,
    }
