"""Picking for one customer: what is left out, what is refused, and that it stays the same."""

from __future__ import annotations

import pytest

from shopflow.domain.recommendation import Ranking, Shopper, Strategy
from shopflow.errors import TooFewProducts, WrongRequest
from shopflow.recommend import FixedShelves, Recommender

PRODUCTS = {
    **{sku: {"name": sku.upper(), "price": 10} for sku in "abcdefgh"},
    "sold_out": {"name": "Gone", "in_stock": False},
    "empty": {"name": "Gone too", "in_stock": True, "stock": 0},
}


def ranking(strategy, key, skus):
    scores = {sku: 1 / place for place, sku in enumerate(skus.split(), 1)}
    return Ranking(strategy=strategy, key=key, scores=scores)


SHELVES = FixedShelves(
    [
        ranking(Strategy.BOUGHT_TOGETHER, "a", "sold_out b empty unknown c d e f"),
        ranking(Strategy.BOUGHT_TOGETHER, "b", "c a d"),
        ranking(Strategy.BEST_SELLERS, "", "a b c d"),
        ranking(Strategy.BEST_SELLERS, "Light", "d c"),
        ranking(Strategy.SEARCH_RELATED, "red", "a b"),
        ranking(Strategy.SEARCH_RELATED, "lamp", "c b"),
    ],
    PRODUCTS,
)


def picked(*asked, shopper=Shopper(), **more):  # noqa: B008 - frozen
    return [product["sku"] for product in Recommender(SHELVES, lambda: shopper)(*asked, **more)]


def test_what_is_sold_out_or_unknown_to_the_catalogue_is_left_out():
    assert picked("bought_together", "a", limit=3) == ["b", "c", "d"]


def test_a_product_comes_with_what_the_catalogue_says_and_its_sku():
    (first,) = Recommender(SHELVES)("best_sellers", limit=1)
    assert first == {"sku": "a", "name": "A", "price": 10}


@pytest.mark.parametrize(
    "shopper", [Shopper(bought=frozenset("bc")), Shopper(cart=frozenset("bc"))]
)
def test_what_the_customer_has_is_left_out(shopper):
    assert picked("bought_together", "a", shopper=shopper) == ["d", "e", "f"]
    assert picked("best_sellers", shopper=shopper) == ["a", "d"]


@pytest.mark.parametrize("about", [["a", "b"], [{"sku": "a"}, {"sku": "b"}, {"name": "none"}]])
def test_of_several_products_what_goes_with_most_comes_first_and_none_of_them(about):
    assert picked("bought_together", about) == ["c", "d", "e", "f"]


def test_of_the_variants_of_one_product_only_the_best_is_shown_and_none_of_the_one_asked_about():
    sizes = {sku: {"name": "Shoe", "group": "shoe"} for sku in ("s40", "s41")}
    laces = {sku: {"name": "Laces", "group": "laces"} for sku in ("white", "black")}
    alone = {sku: {"name": sku} for sku in ("brush", "wax")}
    shelves = FixedShelves(
        [ranking(Strategy.BOUGHT_TOGETHER, "s40", "s41 black brush white wax")],
        {**sizes, **laces, **alone},
    )
    found = Recommender(shelves)("bought_together", "s40")
    assert [product["sku"] for product in found] == ["black", "brush", "wax"]


def test_words_of_a_search_count_together():
    # a and c are first for a word each; b is second for both, and so level with them.
    assert picked("search_related", "Red lamps") == ["a", "b", "c"]
    assert picked("search_related", "lamp") == ["c", "b"]


def test_what_was_looked_at_comes_newest_first_without_what_was_bought():
    shopper = Shopper(viewed=("c", "sold_out", "a", "b"), bought=frozenset("a"))
    assert picked("recently_viewed", shopper=shopper) == ["c", "b"]


def test_a_category_narrows_down_and_one_without_sales_has_none():
    assert picked("best_sellers", category="Light") == ["d", "c"]
    assert picked("best_sellers", category="Rugs") == []


def test_too_few_are_none_where_the_message_needs_some():
    assert picked("best_sellers", at_least=4) == ["a", "b", "c", "d"]
    with pytest.raises(TooFewProducts, match="best_sellers finds 2 of at least 3 products"):
        picked("best_sellers", category="Light", at_least=3)
    with pytest.raises(TooFewProducts):
        picked("bought_together", [], at_least=1)


@pytest.mark.parametrize(
    ("asked", "more", "told"),
    [
        (("best_seller",), {}, "no strategy of that name; there are bought_together"),
        ((None,), {}, "no strategy"),
        (("similar",), {}, "similar wants products"),
        (("search_related", ["a"]), {}, "wants the text of a search"),
        (("best_sellers", "a"), {}, "is about nothing but who it is for"),
        (("similar", "a"), {"category": "x"}, "takes no category"),
        (("best_sellers",), {"limit": 0}, "limit is a whole number from 1 to 20"),
        (("best_sellers",), {"limit": 21}, "limit"),
        (("best_sellers",), {"limit": "4"}, "limit"),
        (("best_sellers",), {"limit": True}, "limit"),
    ],
)
def test_a_wrong_request_is_told(asked, more, told):
    with pytest.raises(WrongRequest, match=told):
        picked(*asked, **more)


def test_within_one_message_the_same_question_has_one_answer():
    class Changing(FixedShelves):
        times = 0

        def rankings(self, strategy, keys):
            self.times += 1
            return super().rankings(strategy, keys) if self.times == 1 else {}

    recommend = Recommender(Changing([ranking(Strategy.BEST_SELLERS, "", "a b")], PRODUCTS))
    assert recommend("best_sellers") == recommend("best_sellers")


def test_the_customer_is_not_looked_at_before_anything_is_asked():
    asked = []
    recommend = Recommender(SHELVES, lambda: asked.append(1) or Shopper())
    assert asked == []
    recommend("best_sellers")
    assert asked == [1]
