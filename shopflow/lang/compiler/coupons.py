"""Coupons: what a file of rules/coupons says."""

from __future__ import annotations

from shopflow.domain.coupon import Coupon, CouponType, WhenExhausted
from shopflow.lang.lengths import parse_length
from shopflow.lang.tree import Node


def compile_coupon(root: Node) -> Coupon:
    """The coupon of a file that its schema accepts."""
    codes = root["codes"]
    value, limit, length = root.get("value"), root.get("per_customer"), root.get("valid_for")
    return Coupon(
        id=root["id"].text,
        type=CouponType(root["type"].text),
        value=float(value.text) if value is not None else None,
        imported_pool=codes["pool"].text if "pool" in codes else None,
        pattern=codes["pattern"].text if "pattern" in codes else None,
        valid_for=parse_length(length.text) if length is not None else None,
        per_customer=int(limit.text) if limit is not None else None,
        when_exhausted=WhenExhausted(root["when_exhausted"].text)
        if "when_exhausted" in root
        else WhenExhausted.SKIP_BLOCK,
    )
