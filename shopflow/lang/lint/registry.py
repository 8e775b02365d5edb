"""The checks of lint, in one list, and what each of them looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from shopflow.lang.lint import (
    conditions,
    coupons,
    files,
    flow,
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
    flow.parallel_is_bounded,
    flow.awaited_events_come,
    flow.holdout_has_a_purpose,
    trials.branches_can_be_compared,
    trials.trial_is_worth_it,
    triggers.trigger_can_be_indexed,
    sends.template_exists,
    sends.variables_match,
    sends.template_serves_the_purpose,
    texts.fits_one_segment,
    texts.can_be_stopped,
    coupons.coupon_exists,
    coupons.coupon_is_printed,
    coupons.coupon_is_used,
    coupons.code_lasts_until_it_is_sent,
    coupons.offer_is_marketing,
    recommendations.shoppers_are_known,
    recommendations.recommending_is_marketing,
    tests.names_exist,
    tests.payloads_are_valid,
)


def run_checks(subject: Subject) -> list[Problem]:
    """Every finding of every check."""
    return [problem for check in CHECKS for problem in check(subject)]
