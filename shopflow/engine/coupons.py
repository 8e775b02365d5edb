"""Codes of coupons: drawing one for a step, giving it back, and what becomes of it.

Where codes come from, and that nobody else gets the same one, is for those who carry out the
effects to see to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from shopflow.domain.coupon import (
    CodeInHand,
    CodeState,
    Coupon,
    DrawnCode,
    OutOfCodes,
    Redeem,
    Reserve,
    Settle,
    WhenExhausted,
    made_codes,
)
from shopflow.domain.customer import Enrolment, SentRecord, SlotState
from shopflow.domain.event import Event
from shopflow.domain.ids import DrawId, EnrolmentId, EventId, StepId, derive, draw_id
from shopflow.domain.message import Message
from shopflow.domain.step import Send
from shopflow.engine.names import plain
from shopflow.engine.turn import Turn

#: Tells the customer's workflows that a code has left; tells us that one was used.
ISSUED, USED = "coupon.issued", "coupon.used"
_ORDERED = "order.placed"
#: Events that tell of codes which were used.
CODE_EVENTS = frozenset({USED, _ORDERED})
#: How long a code is remembered that no longer can be used, and that no limit counts.
CODE_LIFE = timedelta(days=400)


class Place(NamedTuple):
    """Where a code is drawn: the same place gets the same code."""

    enrolment_id: EnrolmentId
    step: StepId
    visit: int


class Refused(NamedTuple):
    """There is no code for this customer; why, for the journal."""

    why: str


def draw(turn: Turn, place: Place, coupon_id: str, now: datetime) -> DrawnCode | Refused:
    """The code for this step: the one that it has drawn already, else a new one."""
    coupon = turn.rulebook.ruleset.coupons.get(coupon_id)
    if coupon is None:
        return Refused("unknown")
    key = draw_id(*place)
    known = next((drawn for drawn in turn.customer.codes if drawn.draw == key), None)
    if known is not None and not is_over(known, now):
        return known
    if known is not None:
        give_back(turn, [key], now)
    had = sum(drawn.coupon == coupon.id for drawn in turn.customer.codes)
    if coupon.per_customer is not None and had >= coupon.per_customer:
        return Refused("per_customer")
    found = _next_code(turn, coupon, key, now)
    if found is None:
        return Refused("exhausted")
    drawn = DrawnCode(
        draw=key,
        coupon=coupon.id,
        pool=coupon.pool,
        code=found.code,
        enrolment_id=place.enrolment_id,
        at=now,
        ends_at=_earlier(found.ends_at, coupon.valid_for, now),
    )
    turn.drawn.add((drawn.pool, drawn.code))
    turn.customer.codes = (*turn.customer.codes, drawn)
    turn.effects.append(Reserve(drawn=drawn, customer_id=turn.customer.id))
    return drawn


def _next_code(turn: Turn, coupon: Coupon, key: DrawId, now: datetime) -> CodeInHand | None:
    for each in _codes(turn, coupon, key):
        place = (coupon.pool, each.code)
        if place in turn.drawn or place in turn.facts.known_codes:
            continue
        if each.ends_at is None or each.ends_at > now:
            return each
    if coupon.pattern is None:
        turn.effects.append(OutOfCodes(pool=coupon.pool))
    return None


def _codes(turn: Turn, coupon: Coupon, key: DrawId) -> Iterable[CodeInHand]:
    if coupon.pattern is None:
        return turn.facts.codes.get(coupon.pool, ())
    return (CodeInHand(code=code) for code in made_codes(coupon.pattern, turn.facts.salt, key))


def _earlier(ends_at: datetime | None, length: timedelta | None, now: datetime) -> datetime | None:
    over = None if length is None else now + length
    return min((moment for moment in (ends_at, over) if moment is not None), default=None)


def is_over(drawn: DrawnCode, now: datetime) -> bool:
    """True when the code can no longer be used for its age."""
    return drawn.ends_at is not None and drawn.ends_at <= now


def is_needed(turn: Turn, coupon_id: str) -> bool:
    """True when a message must not go without a code of the coupon."""
    coupon = turn.rulebook.ruleset.coupons.get(coupon_id)
    return coupon is None or coupon.when_exhausted is WhenExhausted.DROP_MESSAGE


def shown(turn: Turn, drawn: DrawnCode) -> Mapping[str, object]:
    """What templates read as `coupon`."""
    coupon = turn.rulebook.ruleset.coupons[drawn.coupon]
    return {
        "id": coupon.id,
        "type": coupon.type.value,
        "value": coupon.value,
        "code": drawn.code,
        "expires_at": plain(drawn.ends_at),
    }


def carried(
    turn: Turn, enrolment: Enrolment, variables: Mapping[str, object]
) -> tuple[DrawnCode, ...]:
    """The codes drawn by earlier steps of this enrolment that the values of a message tell."""
    mine = [drawn for drawn in turn.customer.codes if drawn.enrolment_id == enrolment.id]
    if not mine:
        return ()
    texts = list(_texts(variables))
    return tuple(drawn for drawn in mine if any(drawn.code in text for text in texts))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def refreshed(turn: Turn, step: Send, message: Message, now: datetime) -> Message | None:
    """The message with codes that can be used; None when it must not go without one."""
    over = [drawn for drawn in message.codes if is_over(drawn, now)]
    if not over:
        return message
    mine = own(message)
    if step.coupon is None or over != [mine]:
        # What an earlier step drew was promised as it was: there is no other to put in its place.
        return None
    drawn = draw(turn, place_of(message), step.coupon, now)
    others = tuple(one for one in message.codes if one is not mine)
    if isinstance(drawn, DrawnCode):
        told = {**message.variables, "coupon": shown(turn, drawn)}
        return replace(message, variables=told, codes=(*others, drawn))
    if is_needed(turn, step.coupon):
        return None
    told = {name: value for name, value in message.variables.items() if name != "coupon"}
    return replace(message, variables=told, codes=others)


def own(message: Message) -> DrawnCode | None:
    """The code that the message's own step has drawn."""
    if not message.codes:
        return None
    key = draw_id(*place_of(message))
    return next((drawn for drawn in message.codes if drawn.draw == key), None)


def place_of(message: Message) -> Place:
    """Where the message's own code is drawn."""
    return Place(message.enrolment_id, message.step, message.visit)


def ends(codes: Iterable[DrawnCode]) -> Iterator[datetime]:
    """When the codes end, of those that do."""
    return (drawn.ends_at for drawn in codes if drawn.ends_at is not None)


def issue(turn: Turn, codes: Iterable[DrawnCode], at: datetime) -> None:
    """A message with these codes has left: they are the customer's for good."""
    for drawn in codes:
        known = next((one for one in turn.customer.codes if one.draw == drawn.draw), None)
        if known is not None and known.issued:
            continue
        others = (one for one in turn.customer.codes if one is not known)
        mine = replace(known or drawn, issued=True)
        turn.customer.codes = (*others, mine)
        turn.effects.append(Settle(draw=drawn.draw, state=CodeState.ISSUED, at=at))
        turn.pending.append(_issued(turn, mine, at))


def _issued(turn: Turn, drawn: DrawnCode, at: datetime) -> Event:
    coupon = turn.rulebook.ruleset.coupons.get(drawn.coupon)
    data = {
        "coupon_id": drawn.coupon,
        "code": drawn.code,
        "pool": drawn.pool,
        "kind": coupon.type.value if coupon else None,
        "value": coupon.value if coupon else None,
        "currency": turn.rulebook.ruleset.currency,
        "expires_at": plain(drawn.ends_at),
    }
    return Event(
        id=EventId(derive(ISSUED, drawn.draw)),
        type=ISSUED,
        occurred_at=at,
        data={name: value for name, value in data.items() if value is not None},
        customer_id=turn.customer.id,
        hops=turn.hops + 1,
    )


def give_back(turn: Turn, draws: Collection[DrawId], at: datetime) -> None:
    """No message with these codes will leave: they are free again, but for those issued before."""
    forget(turn, draws)
    issued = {one.draw for one in turn.customer.codes}
    turn.effects.extend(
        Settle(draw=key, state=CodeState.FREE, at=at) for key in draws if key not in issued
    )


def forget(turn: Turn, draws: Collection[DrawId]) -> None:
    """The customer no longer has these codes, unless they were issued."""
    turn.customer.codes = tuple(
        one for one in turn.customer.codes if one.issued or one.draw not in draws
    )


def settle_enrolment(turn: Turn, enrolment: Enrolment, at: datetime) -> None:
    """The enrolment is over: what its steps drew and no message on its way shows is given back."""
    if not turn.customer.codes:
        return
    on_their_way = on_the_way(turn.customer.sent, enrolment.id)
    draws = [
        drawn.draw
        for drawn in turn.customer.codes
        if drawn.enrolment_id == enrolment.id
        and not drawn.issued
        and drawn.draw not in on_their_way
    ]
    if draws:
        give_back(turn, draws, at)


def on_the_way(sent: Iterable[SentRecord], enrolment: EnrolmentId) -> set[DrawId]:
    """Draws of codes in messages of the enrolment that have no receipt yet."""
    return {
        key
        for record in sent
        if record.enrolment_id == enrolment and record.state is not SlotState.ACCEPTED
        for key in record.draws
    }


def unshown(turn: Turn, message: Message) -> list[DrawId]:
    """Draws of the codes that nobody gets to see when this message, whose slot is free, fails.

    What an earlier step drew stays with its enrolment, whose next message may show it.
    """
    if not message.codes:
        return []
    own = draw_id(*place_of(message))
    is_over = message.enrolment_id not in turn.customer.enrolments
    kept = on_the_way(turn.customer.sent, message.enrolment_id)
    return [
        drawn.draw
        for drawn in message.codes
        if drawn.draw not in kept and (is_over or drawn.draw == own)
    ]


def absorb(turn: Turn, event: Event) -> None:
    """Take in that codes were used."""
    if not turn.rulebook.ruleset.coupons:
        return
    for code, pool in _used(turn, event):
        turn.effects.append(Redeem(code=code, pool=pool, at=event.occurred_at))
        turn.customer.codes = tuple(
            replace(one, used_at=event.occurred_at)
            if one.code == code and one.used_at is None
            else one
            for one in turn.customer.codes
        )


def _used(turn: Turn, event: Event) -> Iterator[tuple[str, str]]:
    """The codes, each with its pool as far as it is known."""
    data = event.data
    if event.type == USED and isinstance(code := data.get("code"), str):
        coupon = turn.rulebook.ruleset.coupons.get(str(data.get("coupon_id", "")))
        yield code, coupon.pool if coupon else str(data.get("pool", ""))
    elif event.type == _ORDERED and isinstance(codes := data.get("coupon_codes"), list):
        yield from ((code, "") for code in codes if isinstance(code, str))


def forget_old(turn: Turn, at: datetime) -> None:
    """Drop codes that nothing can ask about any more."""
    if not turn.customer.codes:
        return
    coupons = turn.rulebook.ruleset.coupons
    kept = tuple(
        drawn
        for drawn in turn.customer.codes
        if drawn.at + CODE_LIFE >= at
        or ((coupon := coupons.get(drawn.coupon)) is not None and coupon.per_customer is not None)
    )
    if len(kept) < len(turn.customer.codes):
        turn.customer.codes = kept
