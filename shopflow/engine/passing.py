"""Events that only count: nothing waits for them and nothing starts, so they change traits alone.

Most of what happens in a shop is looking. Whether `decide` would do anything with such an event is
told here from what the rules want of its type and from where the customer's enrolments stand,
before any of them is read. What is not plainly nothing is left to `decide`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from shopflow.domain.customer import Customer
from shopflow.domain.event import IDENTIFIED, Event, Facts
from shopflow.domain.ids import is_subject
from shopflow.domain.stored import with_parts
from shopflow.domain.trait import Trait
from shopflow.engine import calendar, consent, coupons, preferences, profile, traits, trials
from shopflow.engine.names import event_record
from shopflow.engine.news import JUST_BEFORE
from shopflow.engine.rulebook import Rulebook
from shopflow.engine.turn import Turn, same_values
from shopflow.errors import EvaluationError


def counted(rulebook: Rulebook, customer: Customer, event: Event, facts: Facts) -> Customer | None:
    """The customer after an event that changes traits and nothing else; None for any other."""
    at, watermark = event.occurred_at, customer.watermark
    due, after = customer.next_due_at, customer.calendar_at
    if (
        watermark is None
        or at < watermark
        # An event at the very instant of a timer comes first.
        or (due is not None and at > due)
        or (after is None and rulebook.has_calendar)
        or event.hops
        or not _only_counts(rulebook, event)
        or customer.alias_of is not None
        or customer.begun != rulebook.beginnings.everything
        or is_subject(customer.id)
        or any(rulebook.hears(*stand, event.type) for stand in customer.stands)
        or rulebook.index.lookup(event.type, event.data)
    ):
        return None
    changes: dict[str, object] = {"watermark": at}
    if after is not None:
        until = at - JUST_BEFORE
        if not calendar.is_quiet(rulebook, facts, after, until):
            return None
        changes["calendar_at"] = max(after, until)
        if rulebook.may_have_dates(customer.attributes) and _has_earlier_date(
            Turn(rulebook, customer, at, facts), after, due
        ):
            return None
    folded = _folded(rulebook, customer.traits, event)
    if folded is None or not _stays_in_segments(rulebook, customer, folded):
        return None
    if folded is not customer.traits:
        changes["traits"] = folded
    return with_parts(customer, changes)


def _only_counts(rulebook: Rulebook, event: Event) -> bool:
    """True when the rules want nothing of the event, whoever it concerns, but to fold traits."""
    known = rulebook.counting.get(event.type)
    if known is None:
        interest = rulebook.interest(event.type)
        known = rulebook.counting[event.type] = not (
            event.type in _TELLING
            or (rulebook.has_trials and event.type in trials.RESULT_EVENTS)
            or interest.is_goal
            or interest.soft_opt_ins
            or interest.exit_fields is not None
            or rulebook.moves_dates(interest.traits)
        )
    return known and not event.data.get("consents")


#: What the engine itself reads, whatever the rules say.
_TELLING = (
    {IDENTIFIED}
    | profile.TELLING_EVENTS
    | {preferences.CHANGED}
    | consent.CONSENT_EVENTS
    | coupons.CODE_EVENTS
)


def _has_earlier_date(turn: Turn, after: datetime, due: datetime | None) -> bool:
    """True when the rules are newer than the customer's timer, and start something before it."""
    return any(due is None or each.at < due for each in calendar.next_dates(turn, after))


def _folded(
    rulebook: Rulebook, states: Mapping[str, object], event: Event
) -> Mapping[str, object] | None:
    """The traits after the event; None when one of them could not be worked out."""
    definitions = rulebook.interest(event.type).traits
    if not definitions:
        return states
    failures: list[Trait] = []

    def failed(trait: Trait, _: EvaluationError) -> None:
        failures.append(trait)

    currency = rulebook.ruleset.currency
    folded = traits.fold(states, definitions, event, event_record(event), currency, failed)
    return None if failures else folded


def _stays_in_segments(
    rulebook: Rulebook, customer: Customer, folded: Mapping[str, object]
) -> bool:
    if not rulebook.watched_segments:
        return not customer.segments_by
    definitions = rulebook.segments_digest
    return (
        bool(definitions)
        and customer.segments_by == definitions
        and same_values(customer.traits, folded, rulebook.segment_reads)
    )
