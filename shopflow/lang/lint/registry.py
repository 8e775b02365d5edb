"""The checks of lint, in one list, and what each of them looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from shopflow.lang.lint import (
    caps,
    conditions,
    coupons,
    events,
    exits,
    files,
    flow,
    hours,
    loops,
    offers,
    overlaps,
    questions,
    ranges,
    recommendations,
    sends,
    tests,
    texts,
    trials,
    triggers,
)
from shopflow.lang.lint.subject import Subject
from shopflow.problem import Problem

__all__ = ["CHECKS", "Subject", "run_checks"]

Check = Callable[[Subject], Iterable[Problem]]

#: Every check; the order makes no difference, since findings are sorted by place.
CHECKS: tuple[Check, ...] = (
    files.id_is_file_name,
    files.ids_are_unique,
    conditions.types_fit,
    conditions.secrets_stay_secret,
    conditions.lets_are_used,
    ranges.can_be_met,
    ranges.cases_can_be_taken,
    flow.parallel_is_bounded,
    flow.awaited_events_come,
    flow.sends_are_apart,
    exits.conversion_ends_it,
    exits.no_exit_hides_another,
    loops.nothing_starts_itself,
    triggers.keys_tell_apart,
    flow.holdout_has_a_purpose,
    trials.branches_can_be_compared,
    trials.trial_is_worth_it,
    triggers.trigger_can_be_indexed,
    sends.template_exists,
    sends.variables_match,
    sends.template_serves_the_purpose,
    texts.languages_are_complete,
    texts.fits_one_segment,
    texts.can_be_stopped,
    coupons.coupon_exists,
    coupons.coupon_is_printed,
    coupons.coupon_is_used,
    coupons.code_lasts_until_it_is_sent,
    offers.offer_is_marketing,
    offers.no_notice_has_a_reason,
    hours.what_rings_has_quiet_hours,
    hours.a_minute_is_left,
    caps.marketing_is_capped,
    caps.caps_leave_room,
    caps.last_message_fits,
    conditions.keys_are_not_personal,
    recommendations.shoppers_are_known,
    recommendations.recommending_is_marketing,
    overlaps.customers_are_written_to_once,
    overlaps.no_workflow_stands_twice,
    questions.question_exists,
    questions.invitation_is_marketing,
    questions.choices_differ,
    questions.nothing_is_left_unread,
    tests.names_exist,
    tests.live_workflows_are_tested,
    triggers.cheap_parts_come_first,
    events.schemas_have_bounds,
    tests.payloads_are_valid,
)


def run_checks(subject: Subject) -> list[Problem]:
    """Every finding of every check."""
    return [problem for check in CHECKS for problem in check(subject)]
