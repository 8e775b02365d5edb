"""Ten thousand codes, many processes, some killed: each code has one owner, and none is lost."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from collections import Counter
from datetime import timedelta

import pytest

from shopflow.domain.coupon import CodeState
from shopflow.store.codes import NewCode
from shopflow.store.opening import open_store

CODES, HELD = 10_000, timedelta(minutes=10)

#: Takes codes ahead, and binds each in the transaction that gives it to a customer of its own.
DRAWER = """
import sys
from datetime import datetime, timedelta
from shopflow.domain.coupon import DrawnCode, Reserve
from shopflow.domain.customer import Customer
from shopflow.store.opening import open_store

url, name, at = sys.argv[1], sys.argv[2], datetime.fromisoformat(sys.argv[3])
store, number = open_store(url), 0
while codes := store.codes.take(
    "spring", limit=64, owner=name, now=at, until=at + timedelta(minutes=10)
):
    for start in range(0, len(codes), 16):
        drawn = []
        for one in codes[start : start + 16]:
            number += 1
            drawn.append(DrawnCode(
                draw=f"{name}-{number}", coupon="spring", pool="spring", code=one.code,
                enrolment_id="enrolment", at=at,
            ))
        with store.transaction() as batch:
            batch.save(Customer(id=one.draw, traits={"code": one.code}) for one in drawn)
            wanted = [Reserve(drawn=one, customer_id=one.draw) for one in drawn]
            assert not batch.change_codes(wanted, owner=name)
    print(number, flush=True)
store.close()
"""


def drawer(url, name, at):
    command = [sys.executable, "-c", textwrap.dedent(DRAWER), url, name, at.isoformat()]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_no_code_is_lost_and_none_has_two_owners(postgres_shop, now):
    store = open_store(postgres_shop)
    codes = [f"C{number:05}" for number in range(CODES)]
    store.codes.add("spring", map(NewCode, codes), now=now)
    drawers = [drawer(postgres_shop, f"p{number}", now) for number in range(4)]
    for doomed in drawers[:2]:
        assert doomed.stdout.readline()
        doomed.send_signal(signal.SIGKILL)
    for number, each in enumerate(drawers):
        each.stdout.read()
        each.stdout.close()
        assert each.wait(120) == (-signal.SIGKILL if number < 2 else 0)
    # What the dead had in hand is free once their time is over, and not before.
    heir = drawer(postgres_shop, "heir", now + HELD)
    heir.stdout.read()
    heir.stdout.close()
    assert heir.wait(120) == 0

    found = list(store.codes.of_pool("spring"))
    assert [one.code for one in found] == codes
    assert Counter(one.state for one in found) == {CodeState.RESERVED: CODES}
    owners = {one.customer_id: one.code for one in found}
    assert len(owners) == CODES
    saved = store.views.customers(owners)
    store.close()
    assert {key: one.traits["code"] for key, one in saved.items()} == owners
