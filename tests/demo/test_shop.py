"""The simulated shop: deterministic, in order of time, and valid against the event catalogue."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import jsonschema_rs
import pytest

from shopflow.demo.assortment import ASSORTMENT
from shopflow.demo.shop import simulate_shop

CATALOGUE = Path(__file__).parents[2] / "schemas" / "events"
START = datetime(2026, 3, 1, tzinfo=UTC)


@cache
def month() -> tuple[dict, ...]:
    return tuple(simulate_shop(customers=600, days=30, seed=7, start=START))


def happened(event: dict) -> datetime:
    return datetime.fromisoformat(event["occurred_at"])


def events_of(*types: str) -> list[dict]:
    return [event for event in month() if event["type"] in types]


def test_the_same_seed_gives_the_same_shop_and_another_seed_another():
    few = list(simulate_shop(customers=40, days=10, seed=7, start=START))
    assert few == list(simulate_shop(customers=40, days=10, seed=7, start=START))
    assert few != list(simulate_shop(customers=40, days=10, seed=8, start=START))


def test_events_come_oldest_first_with_ids_of_their_own():
    times = [happened(event) for event in month()]
    assert times == sorted(times)
    assert len({event["id"] for event in month()}) == len(month())


def test_events_lie_between_the_history_and_the_end_of_the_month():
    times = [happened(event) for event in month()]
    assert times[0] >= START - timedelta(days=270)
    early = [time for time in times if time < START - timedelta(days=111)]
    assert 0 < len(early) < len(times) / 100, "few came so long ago"
    assert min(set(times) - set(early)) < START - timedelta(days=60), "win-back needs old orders"
    assert START + timedelta(days=29) < times[-1] <= START + timedelta(days=30)


def test_a_default_month_has_some_fifty_thousand_events():
    # Half of the customers give about half of the events; the whole would be slow.
    events = sum(1 for _ in simulate_shop(customers=1000, days=30, seed=1, start=START))
    assert 40_000 / 2 < events < 60_000 / 2


def test_every_event_is_valid_against_the_catalogue():
    validators = {
        path.name.removesuffix(".schema.json"): jsonschema_rs.validator_for(
            json.loads(path.read_text(encoding="utf-8")), validate_formats=True
        )
        for path in CATALOGUE.glob("*.json")
    }
    for event in month():
        who = event.keys() - {"id", "type", "occurred_at", "data"}
        if event["type"].startswith("product.") and event["type"] != "product.viewed":
            assert not who
        elif event["type"] != "customer.identified":
            assert who in ({"customer_id"}, {"anonymous_id"})
        validators[event["type"]].validate(event["data"])


def test_addresses_cannot_reach_a_real_person():
    addresses = {event["data"]["email"] for event in month() if "email" in event["data"]}
    assert len(addresses) > 300
    assert all(
        address.isascii()
        and address.endswith(("example.com", "example.org", "example.net", ".example"))
        for address in addresses
    )


def test_each_person_keeps_one_address_and_one_language():
    told = defaultdict(set)
    for event in events_of("customer.registered", "newsletter.subscribed", "order.placed"):
        told[event["customer_id"]].add((event["data"]["email"], event["data"]["locale"]))
    assert all(len(seen) == 1 for seen in told.values())
    assert {locale for seen in told.values() for _, locale in seen} == {"fr", "en"}


def test_a_visitor_is_a_customer_from_the_moment_they_say_so():
    identified = {event["anonymous_id"]: event for event in events_of("customer.identified")}
    assert identified
    for event in month():
        known = identified.get(event.get("anonymous_id", ""))
        assert known is None or happened(event) <= happened(known)
    assert len({event["customer_id"] for event in identified.values()}) == len(identified)


def test_some_agree_to_marketing_some_only_do_not_refuse_and_some_refuse():
    registered = events_of("customer.registered")
    assert 0 < sum(bool(event["data"]["consents"]) for event in registered) < len(registered)
    refused = Counter(e["data"]["marketing_notice"]["refused"] for e in events_of("order.placed"))
    assert refused[False] > refused[True] > 0
    assert 0 < len(events_of("consent.withdrawn")) < len(events_of("consent.confirmed"))


def test_a_confirmation_follows_a_consent_that_was_asked_for():
    asked = set()
    for event in month():
        if event["data"].get("consents"):
            asked.add(event["customer_id"])
        if event["type"] in {"consent.confirmed", "consent.withdrawn"}:
            assert event["customer_id"] in asked


def test_transfers_are_awaited_and_end_as_money_or_as_a_canceled_order():
    ends = {
        e["data"]["order_id"]: e["type"] for e in events_of("payment.received", "order.canceled")
    }
    waiting = [e for e in events_of("payment.pending") if happened(e) < START + timedelta(days=18)]
    assert {ends[e["data"]["order_id"]] for e in waiting} == {"payment.received", "order.canceled"}


def test_an_order_is_placed_before_it_is_paid_shipped_delivered_and_reviewed():
    rank = ["order.placed", "payment.received", "order.shipped", "order.delivered", "review.posted"]
    reached = defaultdict(list)
    for event in events_of(*rank):
        reached[event["data"]["order_id"]].append(event["type"])
    assert all(types == rank[: len(types)] for types in reached.values())
    assert any(len(types) == len(rank) for types in reached.values())


def test_totals_are_the_sum_of_their_lines():
    for event in events_of("order.placed"):
        order = event["data"]
        goods = sum(round(line["price"] * 100) * line["quantity"] for line in order["items"])
        assert round(order["subtotal"] * 100) == goods
        assert round(order["total"] * 100) == goods + round(order["shipping_total"] * 100)


def test_people_sleep_at_night():
    hours = Counter(happened(event).hour for event in events_of("site.visited"))
    assert sum(hours[hour] for hour in range(1, 4)) < sum(hours[hour] for hour in range(18, 21)) / 5


def test_the_assortment_has_sixty_things_each_with_its_own_number():
    assert len({product.sku for product in ASSORTMENT}) == len(ASSORTMENT) == 60


def test_a_start_without_a_time_zone_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        simulate_shop(customers=1, days=1, seed=1, start=datetime(2026, 3, 1))  # noqa: DTZ001
