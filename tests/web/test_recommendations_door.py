"""`GET /v1/recommendations/{strategy}`: what is answered, to whom, and how long it may be kept."""

from __future__ import annotations

import threading

import httpx
import pytest
from support.engine import T0, a_customer, a_ruleset, cel, on

from shopflow.domain.customer import Customer
from shopflow.domain.recommendation import Ranking, Strategy
from shopflow.domain.trait import Aggregate, Trait, TraitType
from shopflow.errors import StoreError
from shopflow.runtime.advice import Advice
from shopflow.runtime.door import Door
from shopflow.store.memory import MemoryStore
from shopflow.web.app import create_app

pytestmark = pytest.mark.anyio


def a_trait(name, event_type, aggregate, value):
    return Trait(
        name=name,
        type=TraitType.LIST,
        pattern=on(event_type),
        aggregate=aggregate,
        value=cel(value),
    )


TRAITS = {
    each.name: each
    for each in (
        a_trait("bought_skus", "order.placed", Aggregate.COLLECT, "event.items.map(i, i.sku)"),
        a_trait("cart_skus", "cart.updated", Aggregate.LAST, "event.items.map(i, i.sku)"),
        a_trait("viewed_skus", "product.viewed", Aggregate.COLLECT, "event.sku"),
    )
}


def a_shop():
    store = MemoryStore()
    with store.transaction() as batch:
        batch.save_products({sku: {"name": sku.title()} for sku in ("lamp", "bulb", "rug")}, T0)
        traits = {"bought_skus": ["bulb"], "viewed_skus": ["rug", "lamp"]}
        batch.save([a_customer(traits=traits), Customer(id="visitor", alias_of="anna")])
    scores = {"bulb": 0.9, "rug": 0.5}
    store.recommendations.keep(
        [
            Ranking(strategy=Strategy.BOUGHT_TOGETHER, key="lamp", scores=scores),
            Ranking(strategy=Strategy.BEST_SELLERS, key="", scores={"lamp": 2.0, **scores}),
            Ranking(strategy=Strategy.BEST_SELLERS, key="Light", scores={"bulb": 1.0}),
            Ranking(strategy=Strategy.SEARCH_RELATED, key="rug", scores={"rug": 1.0}),
        ],
        T0,
    )
    return store


@pytest.fixture
def ask():
    """Asks over ASGI; `traits`, `store` and `key` say who answers."""

    async def ask(path, *, traits=TRAITS, store=a_shop, key="", **headers):
        advice = Advice(a_ruleset(traits=traits), store, lambda: T0)
        transport = httpx.ASGITransport(app=create_app(Door(), api_key=key, advice=advice))
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            return await client.get(f"/v1/recommendations/{path}", headers=headers)

    return ask


def skus(response):
    assert response.status_code == 200, response.text
    return [product["sku"] for product in response.json()["products"]]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("bought_together?sku=lamp", ["bulb", "rug"]),
        ("bought_together?sku=lamp&sku=bulb", ["rug"]),
        ("bought_together?sku=unheard-of", []),
        ("bought_together?sku=lamp&limit=1", ["bulb"]),
        ("best_sellers", ["lamp", "bulb", "rug"]),
        ("best_sellers?category=Light", ["bulb"]),
        ("search_related?query=rugs", ["rug"]),
        ("best_sellers?customer_id=anna", ["lamp", "rug"]),
        ("best_sellers?customer_id=visitor", ["lamp", "rug"]),
        ("best_sellers?customer_id=nobody", ["lamp", "bulb", "rug"]),
        ("recently_viewed?customer_id=anna", ["lamp", "rug"]),
        ("recently_viewed?customer_id=nobody", []),
    ],
)
async def test_what_is_recommended(ask, path, found):
    assert skus(await ask(path)) == found


async def test_a_product_is_told_whole(ask):
    answered = await ask("bought_together?sku=lamp&limit=1")
    assert answered.json() == {
        "strategy": "bought_together",
        "products": [{"sku": "bulb", "name": "Bulb"}],
    }


async def test_what_is_for_somebody_is_kept_by_nobody(ask):
    assert (await ask("best_sellers")).headers["cache-control"] == "private, max-age=60"
    for_anna = await ask("best_sellers?customer_id=anna")
    assert for_anna.headers["cache-control"] == "private, no-store"


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("bestsellers", 404, "no strategy of that name"),
        ("best_sellers?sku=lamp", 400, "best_sellers takes no 'sku'; it takes category"),
        ("best_sellers?customer=anna", 400, "takes no 'customer'"),
        ("bought_together", 400, "bought_together wants products"),
        ("search_related", 400, "wants the text of a search"),
        ("recently_viewed", 400, "recently_viewed wants a customer"),
        ("best_sellers?limit=0", 400, "limit is a whole number from 1 to 20"),
        ("best_sellers?limit=99999999999999999999", 400, "limit"),
        ("best_sellers?limit=²", 400, "limit"),
        ("best_sellers?limit=2&limit=3", 400, "'limit' is given twice"),
        (f"search_related?query={'x' * 501}", 400, "more than 500 letters"),
        ("bought_together?sku=%00", 400, "one that is no text"),
        ("bought_together?" + "&".join(["sku=a"] * 51), 400, "51 skus; at most 50"),
    ],
)
async def test_a_question_without_an_answer_is_told(ask, path, status, told):
    answered = await ask(path)
    assert (answered.status_code, told in answered.json()["error"]) == (status, True)


async def test_the_key_is_asked_for(ask):
    assert (await ask("best_sellers", key="k")).status_code == 401
    assert (await ask("best_sellers", key="k", authorization="Bearer x")).status_code == 401
    assert (await ask("best_sellers", key="k", authorization="Bearer k")).status_code == 200


async def test_nobody_is_told_what_they_own_when_no_trait_says_what_that_is(ask):
    answered = await ask("best_sellers?customer_id=anna", traits={})
    assert answered.status_code == 501
    assert "bought_skus and cart_skus" in answered.json()["error"]
    assert (await ask("best_sellers", traits={})).status_code == 200


async def test_a_database_that_is_away_is_no_answer_and_is_tried_again(ask):
    def away():
        raise StoreError("it is away")

    assert (await ask("best_sellers", store=away)).status_code == 503


async def test_other_ways_to_ask_are_refused():
    advice = Advice(a_ruleset(), a_shop)
    transport = httpx.ASGITransport(app=create_app(Door(), advice=advice))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        assert (await client.post("/v1/recommendations/best_sellers")).status_code == 405
    without = httpx.ASGITransport(app=create_app(Door()))
    async with httpx.AsyncClient(transport=without, base_url="http://shop") as client:
        assert (await client.get("/v1/recommendations/best_sellers")).status_code == 404


async def test_the_store_is_opened_once_however_many_ask():
    opened = []

    def open_store():
        opened.append(threading.get_ident())
        return a_shop()

    advice = Advice(a_ruleset(), open_store)
    transport = httpx.ASGITransport(app=create_app(Door(), advice=advice))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        for _ in range(5):
            assert (await client.get("/v1/recommendations/best_sellers")).status_code == 200
    assert len(opened) == 1
    assert opened[0] != threading.get_ident()
