"""Rule tests that recommend: what they say of the shop, and what comes of it."""

from __future__ import annotations

import pytest
from support.small_project import FULL, TRAITS, project_files

from shopflow.errors import RulesInvalid
from shopflow.gitops.expecting import judge
from shopflow.gitops.rehearsal import Stage
from shopflow.gitops.scenario import read_scenarios
from shopflow.rulebook import load_project

MAIL = """---
subject: "Your cart"
preheader: "Everything is as you left it, and there is no hurry at all."
purposes: [marketing]
variables: [total]
---
<html><body>{% for p in recommend('bought_together', 'A1', at_least=1) %}({{ p.name }})
{% endfor %}{% for p in recommend('new_arrivals') %}[{{ p.name }}]{% endfor %}</body></html>
"""
SKUS = {
    "bought_skus": {"event": "order.placed", "collect": "event.items.map(i, i.sku)"},
    "cart_skus": {"event": "cart.updated", "last": "event.items.map(i, i.sku)"},
}
FILES = {"rules/traits.yaml": {**TRAITS, "traits": {**TRAITS["traits"], **SKUS}}}
MARKETING = {
    "purpose": "marketing",
    "steps": [
        {"id": "settle", "wait": "1h"},
        {
            "id": "reminder",
            "send": "email",
            "template": "cart/ideas",
            "with": {"total": "trigger.total"},
        },
    ],
}
PRODUCTS = {
    "B2": {"name": "Bulb"},
    "C3": {"name": "Cord", "in_stock": False},
    "D4": {"name": "Dimmer", "published_at": "2026-03-01"},
}
MOCKS = {"products": PRODUCTS, "recommendations": {"bought_together": {"A1": ["C3", "B2"]}}}
ANNA = {"consent": {"email": ["marketing"]}}


SENT = {"at": "1h", "step": "reminder", "channel": "email"}


@pytest.fixture
def load(folder):
    """The project with a test of its own, loaded."""

    def run(**test):
        given = {"events": [FULL], "customer": ANNA, "mocks": MOCKS, **test}
        files = project_files(MARKETING, [given], **FILES)
        files["rules/templates/cart/ideas/email.en.html"] = MAIL
        loaded = load_project(folder(files), strict=False)
        assert [str(each) for each in loaded.errors] == []
        return loaded

    return run


@pytest.fixture
def problems(load):
    """What the test complains of."""

    def run(**test):
        loaded = load(**test)
        stage = Stage(loaded.ruleset, loaded.templates, {})
        (scenario,) = read_scenarios(loaded.tests, loaded.ruleset)
        return list(judge(stage.rehearse(scenario)).problems)

    return run


def says(*texts):
    return {"sends": [SENT], "render": {"step": "reminder", "contains": list(texts)}}


def test_a_message_says_what_the_test_recommends_and_what_follows_from_its_products(problems):
    assert problems(expect=says("(Bulb)", "[Dimmer]")) == []


def test_what_is_sold_out_is_not_in_the_message(problems):
    (problem,) = problems(expect=says("(Cord)"))
    assert "(Cord)" in problem


@pytest.mark.parametrize(
    "more",
    [
        {"customer": {**ANNA, "traits": {"bought_skus": ["B2"]}}},
        {"history": {"events": [{"at": "1d", "type": "order.placed",
                                 "data": {"order_id": "o1", "items": [{"sku": "B2"}]}}]}},
        {"events": [{**FULL, "data": {"total": 90.0, "items": [{"sku": "B2"}]}}]},
        {"mocks": {"products": PRODUCTS}},
        {"mocks": {"recommendations": MOCKS["recommendations"]}},
    ],
    ids=["bought", "bought before", "in the cart", "nothing known", "no catalogue"],
)  # fmt: skip
def test_too_little_to_recommend_drops_the_message_as_guarded(problems, more):
    expect = {"sends": [], "drops": [{"at": "1h", "step": "reminder", "reason": "guard"}]}
    assert problems(expect=expect, **more) == []


@pytest.mark.parametrize(
    ("mocked", "told"),
    [
        ({"bougth_together": {}}, "no strategy named 'bougth_together'"),
        ({"best_sellers": "B2"}, "the recommendations of best_sellers are no lists of skus"),
        ({"similar": {"A1": "B2"}}, "the recommendations of similar are no lists of skus"),
    ],
)
def test_a_mock_that_says_nothing_is_told(load, mocked, told):
    loaded = load(mocks={"recommendations": mocked}, expect={"sends": []})
    with pytest.raises(RulesInvalid) as caught:
        read_scenarios(loaded.tests, loaded.ruleset)
    assert [problem.message for problem in caught.value.problems] == [told]


def test_lint_wants_the_traits_that_keep_owned_products_out(folder):
    files = project_files(MARKETING)
    files["rules/templates/cart/ideas/email.en.html"] = MAIL
    loaded = load_project(folder(files), strict=False)
    told = [problem.message for problem in loaded.errors]
    assert told == [
        f"the template recommends products, and no trait '{name}' lists skus"
        for name in ("bought_skus", "cart_skus")
    ]


def test_lint_holds_recommended_products_to_marketing(folder):
    files = project_files({**MARKETING, "purpose": "service"}, **FILES)
    mail = MAIL.replace("purposes: [marketing]\n", "")
    files["rules/templates/cart/ideas/email.en.html"] = mail
    loaded = load_project(folder(files), strict=False)
    (problem,) = loaded.errors
    assert (problem.code, problem.message) == (
        "SF403",
        "recommended products in a message of class service",
    )
