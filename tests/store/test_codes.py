"""The codes of coupons in every store: nobody gets a code that somebody else has."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest

from shopflow.domain.coupon import CodeState, DrawnCode, Redeem, Reserve, Settle
from shopflow.store.codes import NewCode

HELD = timedelta(minutes=10)
DAY = timedelta(days=1)


def drawn(code, draw="draw-1", pool="cart10", customer="anna", now=None, ends_at=None):
    one = DrawnCode(
        draw=draw,
        coupon="cart10",
        pool=pool,
        code=code,
        enrolment_id="enrolment-1",
        at=now,
        ends_at=ends_at,
    )
    return Reserve(drawn=one, customer_id=customer)


def change(store, *changes, owner="us"):
    with store.transaction() as batch:
        return batch.change_codes(changes, owner=owner)


def take(store, now, owner="us", limit=10, pool="cart10"):
    taken = store.codes.take(pool, limit=limit, owner=owner, now=now, until=now + HELD)
    return [one.code for one in taken]


def state_of(store, code="AAA", pool="cart10"):
    return next((one.state for one in store.codes.of_pool(pool) if one.code == code), None)


@pytest.fixture
def pool(store, now):
    """A store with three codes."""
    store.codes.add("cart10", [NewCode(code) for code in ("AAA", "BBB", "CCC")], now=now)
    return store


def test_an_import_says_what_is_new_and_what_was_there(store, now):
    codes = [NewCode("AAA"), NewCode("BBB"), NewCode("AAA")]
    assert store.codes.add("cart10", codes, now=now) == (2, 1)
    assert store.codes.add("cart10", [NewCode("BBB"), NewCode("CCC")], now=now) == (1, 1)


def test_a_code_is_in_the_hands_of_one(pool, now):
    assert take(pool, now, limit=2) == ["AAA", "BBB"]
    assert take(pool, now, owner="them") == ["CCC"]
    assert take(pool, now, owner="a third") == []


def test_what_was_not_used_in_time_is_free_again(pool, now):
    take(pool, now)
    assert take(pool, now + HELD, owner="them") == ["AAA", "BBB", "CCC"]


def test_what_is_given_back_is_free_at_once(pool, now):
    take(pool, now)
    assert pool.codes.give_back("us") == 3
    assert take(pool, now, owner="them") == ["AAA", "BBB", "CCC"]


def test_a_code_that_has_ended_is_not_taken(store, now):
    store.codes.add("cart10", [NewCode("OLD", now), NewCode("NEW", now + DAY)], now=now)
    assert take(store, now) == ["NEW"]


def test_a_code_taken_ahead_is_bound_once(pool, now):
    take(pool, now)
    assert change(pool, drawn("AAA", now=now)) == []
    [refused] = change(pool, drawn("AAA", draw="draw-2", customer="ben", now=now))
    assert refused.customer_id == "ben"
    assert state_of(pool) is CodeState.RESERVED


def test_binding_the_same_draw_again_changes_nothing(pool, now):
    take(pool, now)
    for _ in range(2):
        assert change(pool, drawn("AAA", now=now)) == []


def test_whose_time_is_over_cannot_bind_what_another_has_taken(pool, now):
    take(pool, now)
    take(pool, now + HELD, owner="them")
    assert len(change(pool, drawn("AAA", now=now), owner="us")) == 1
    assert change(pool, drawn("AAA", now=now), owner="them") == []


def test_a_batch_that_fails_leaves_its_codes_in_hand(pool, now):
    take(pool, now)
    reserved = drawn("AAA", now=now)
    with suppress(ZeroDivisionError), pool.transaction() as batch:
        batch.change_codes([reserved], owner="us")
        raise ZeroDivisionError
    assert state_of(pool) is CodeState.TAKEN
    assert change(pool, drawn("AAA", now=now)) == []


@pytest.mark.parametrize("state", [CodeState.ISSUED, CodeState.FREE])
def test_a_reserved_code_is_settled(pool, now, state):
    take(pool, now)
    change(pool, drawn("AAA", now=now))
    change(pool, Settle(draw="draw-1", state=state, at=now))
    assert state_of(pool) is state


def test_what_came_back_can_be_drawn_by_somebody_else(pool, now):
    take(pool, now)
    change(pool, drawn("AAA", now=now), Settle(draw="draw-1", state=CodeState.FREE, at=now))
    pool.codes.give_back("us")
    assert take(pool, now, owner="them", limit=1) == ["AAA"]
    assert change(pool, drawn("AAA", draw="draw-2", customer="ben", now=now), owner="them") == []
    assert next(pool.codes.of_pool("cart10")).customer_id == "ben"


def test_a_code_that_was_issued_never_comes_back(pool, now):
    take(pool, now)
    change(pool, drawn("AAA", now=now), Settle(draw="draw-1", state=CodeState.ISSUED, at=now))
    change(pool, Settle(draw="draw-1", state=CodeState.FREE, at=now))
    assert state_of(pool) is CodeState.ISSUED


@pytest.mark.parametrize("name", ["cart10", ""])
def test_a_code_that_was_used_is_used(pool, now, name):
    take(pool, now)
    change(pool, drawn("AAA", now=now), Redeem(code="AAA", pool=name, at=now))
    assert state_of(pool) is CodeState.USED


def test_codes_of_patterns_are_made_once(store, now):
    made = {"pool": "pattern:cart10", "now": now}
    assert change(store, drawn("CART-1", **made)) == []
    assert change(store, drawn("CART-1", **made)) == []
    assert len(change(store, drawn("CART-1", draw="draw-2", **made))) == 1


def test_a_made_code_that_nobody_saw_may_be_made_again(store, now):
    made = {"pool": "pattern:cart10", "now": now}
    change(store, drawn("CART-1", **made), Settle(draw="draw-1", state=CodeState.FREE, at=now))
    assert list(store.codes.of_pool("pattern:cart10")) == []
    assert change(store, drawn("CART-1", draw="draw-2", **made)) == []


def test_a_code_that_is_in_no_pool_is_refused(store, now):
    assert len(change(store, drawn("NEVER", now=now))) == 1


def test_a_pool_in_numbers(store, now):
    ends = [now, now + DAY, now + 2 * DAY, None, None]
    codes = [NewCode(f"C{number}", end) for number, end in enumerate(ends)]
    store.codes.add("cart10", codes, now=now)
    take(store, now)
    change(store, drawn("C3", now=now), drawn("C4", draw="draw-2", now=now))
    change(store, Settle(draw="draw-2", state=CodeState.ISSUED, at=now))
    [status] = store.codes.pools(now=now)
    assert status.counts == {CodeState.FREE: 3, CodeState.RESERVED: 1, CodeState.ISSUED: 1}
    assert (status.ended, status.next_end) == (1, now + DAY)


def test_takers_side_by_side_never_hold_the_same_code(opener, now):
    codes = [f"C{number:04}" for number in range(400)]
    opener().codes.add("cart10", map(NewCode, codes), now=now)
    stores = [opener() for _ in range(4)]

    def empty(number):
        mine = []
        while taken := take(stores[number], now, owner=f"owner-{number}", limit=7):
            mine += taken
        return mine

    with ThreadPoolExecutor(4) as pool:
        taken = [code for mine in pool.map(empty, range(4)) for code in mine]
    assert sorted(taken) == codes
