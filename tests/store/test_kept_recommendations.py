"""Rankings in each kind of store: kept whole, replaced by later ones, forgotten when outdated."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shopflow.domain.recommendation import Ranking, Strategy

NOW = datetime(2026, 3, 3, 10, tzinfo=UTC)
TOGETHER = Strategy.BOUGHT_TOGETHER
LATER = NOW + timedelta(days=1)


def a_ranking(key, strategy=TOGETHER, **scores):
    return Ranking(strategy=strategy, key=key, scores=scores)


def test_rankings_come_back_best_first(store):
    store.recommendations.keep([a_ranking("lamp", rug=0.9, bulb=0.5), a_ranking("rug", a=1.0)], NOW)
    found = store.recommendations.rankings(TOGETHER, ["lamp", "vase"])
    assert {key: list(scores.items()) for key, scores in found.items()} == {
        "lamp": [("rug", 0.9), ("bulb", 0.5)]
    }
    assert store.recommendations.computed_at() == NOW
    assert store.recommendations.counts() == {TOGETHER: 2}


def test_nothing_was_computed_yet(store):
    assert store.recommendations.computed_at() is None
    assert store.recommendations.rankings(TOGETHER, []) == {}
    assert store.recommendations.counts() == {}


def test_later_rankings_replace_earlier_ones_and_not_the_other_way(store):
    store.recommendations.keep([a_ranking("lamp", new=1.0)], LATER)
    store.recommendations.keep([a_ranking("lamp", old=1.0), a_ranking("rug", old=1.0)], NOW)
    found = store.recommendations.rankings(TOGETHER, ["lamp", "rug"])
    assert found == {"lamp": {"new": 1.0}, "rug": {"old": 1.0}}
    assert store.recommendations.forget(LATER) == 1
    assert store.recommendations.rankings(TOGETHER, ["lamp", "rug"]) == {"lamp": {"new": 1.0}}


def test_one_key_of_two_strategies_is_two_rankings(store):
    similar = a_ranking("lamp", Strategy.SIMILAR, other=1.0)
    store.recommendations.keep([a_ranking("lamp", rug=1.0), similar], NOW)
    assert store.recommendations.rankings(Strategy.SIMILAR, ["lamp"]) == {"lamp": {"other": 1.0}}


def test_products_are_looked_up_by_sku(store):
    with store.transaction() as batch:
        batch.save_products({"lamp": {"price": 1}, "rug": {"price": 2}}, NOW)
    assert store.recommendations.products(["rug", "vase"]) == {"rug": {"price": 2}}


@pytest.mark.parametrize("days", [[0], [3, 0, 40, 1]])
def test_the_past_comes_oldest_first_and_of_the_asked_types_only(store, make, days):
    with store.transaction() as batch:
        batch.accept_events(
            [
                make.arrival(partition=day % 4, id=f"{kind}-{day}", type=kind,
                             occurred_at=NOW + timedelta(days=day))
                for day in days
                for kind in ("order.placed", "cart.updated")
            ]
        )  # fmt: skip
    past = list(store.recommendations.past({"order.placed"}))
    assert [event.id for event in past] == [f"order.placed-{day}" for day in sorted(days)]
