"""Coupons: what is offered, the codes that stand for it, and a code drawn for one customer."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from shopflow.domain.ids import CustomerId, DrawId, EnrolmentId

#: 32 signs of which none is taken for another: no 0 and O, no 1 and I.
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
#: Codes that a pattern makes for one draw, should those before be somebody else's.
MADE_CODES = 100
#: Before the name of a coupon whose codes come from a pattern: no pool can be called so.
_MADE = "pattern:"
_RANDOM = re.compile(r"\{random:(\d+)\}")


class CouponType(StrEnum):
    """What a coupon takes off."""

    PERCENT = "percent"
    AMOUNT = "amount"
    FREE_SHIPPING = "free_shipping"
    GIFT = "gift"


class WhenExhausted(StrEnum):
    """What a send does when there is no code for this customer."""

    #: The message goes without its coupon.
    SKIP_BLOCK = "skip_block"
    DROP_MESSAGE = "drop_message"


class CodeState(StrEnum):
    """Where a code stands on its way from the pool to an order."""

    FREE = "free"
    #: In the hands of a process that may need it; free again when its time is over.
    TAKEN = "taken"
    #: Drawn by a decision; the message has not left.
    RESERVED = "reserved"
    ISSUED = "issued"
    USED = "used"


@dataclass(frozen=True, slots=True, kw_only=True)
class Coupon:
    """What a shop offers; its codes come from a pool of imported ones, or from a pattern."""

    id: str
    type: CouponType
    #: Percent, or an amount in the project's currency.
    value: float | None = None
    #: Exactly one of these two is set.
    imported_pool: str | None = None
    pattern: str | None = None
    #: How long a code may be used from when it was drawn; None: as long as the code itself.
    valid_for: timedelta | None = None
    #: How many one customer may have, ever.
    per_customer: int | None = None
    when_exhausted: WhenExhausted = WhenExhausted.SKIP_BLOCK

    @property
    def pool(self) -> str:
        """The name under which its codes are kept; codes of a pattern never meet imported ones."""
        return self.imported_pool or f"{_MADE}{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeInHand:
    """A code of a pool that a process has taken ahead, for decisions to draw from."""

    code: str
    #: The shop no longer takes it from then on.
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnCode:
    """A code that was drawn for one step of one enrolment, and so for one customer."""

    draw: DrawId
    coupon: str
    pool: str
    code: str
    enrolment_id: EnrolmentId
    at: datetime
    #: None: as long as the shop likes.
    ends_at: datetime | None = None
    #: A message with it has left.
    issued: bool = False
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserve:
    """Bind a drawn code to its customer: nobody else gets it."""

    drawn: DrawnCode
    customer_id: CustomerId


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """A reserved code is issued, or goes back to its pool; one that is issued stays so."""

    draw: DrawId
    state: CodeState
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeem:
    """An order was placed with the code; pool "" is any."""

    code: str
    pool: str = ""
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfCodes:
    """A decision found no code of the pool in hand, and decided without one."""

    pool: str


def is_made(pool: str) -> bool:
    """True when the codes of the pool come from a pattern."""
    return pool.startswith(_MADE)


def made_codes(pattern: str, salt: str, draw: DrawId) -> Iterator[str]:
    """What the pattern makes for the draw, in order: the same on every machine.

    Who does not know the salt cannot guess them.
    """
    for attempt in range(MADE_CODES):
        text = f"{salt}\x1f{pattern}\x1f{draw}\x1f{attempt}"
        number = int.from_bytes(hashlib.blake2b(text.encode()).digest(), "big")
        signs = _signs(number)
        yield _RANDOM.sub(lambda part: "".join(next(signs) for _ in range(int(part[1]))), pattern)  # noqa: B023 - used at once


def _signs(number: int) -> Iterator[str]:
    """The digits of the number in base 32; 512 bits are good for 102 of them, then noughts."""
    while True:
        number, digit = divmod(number, len(ALPHABET))
        yield ALPHABET[digit]
