"""Templates that recommend: what lint knows of their calls, and what rendering gets."""

from __future__ import annotations

import pytest

from shopflow.domain.recommendation import Strategy
from shopflow.errors import TemplateError, TooFewProducts

FRONT = "---\nvariables: {items: list, query: string, total: number, any: any}\n---\n"


def template(call):
    return {"a/b/sms.fr.txt": FRONT + call}


@pytest.mark.parametrize(
    "call",
    [
        "{{ recommend('bought_together', items) | length }}",
        "{% for p in recommend('similar', items[0].sku, limit=2) %}{{ p.name }}{% endfor %}",
        "{% set picks = recommend('search_related', query, at_least=3) %}",
        '{% if recommend("best_sellers", category=items[0].category, limit=20) %}x{% endif %}',
        "{% set p = recommend('compatible', any) or recommend('new_arrivals') %}",
        "{{ recommend(any, items) | length }}",
        "{{ recommend('premium_line', [items[0], {'sku': 'a, b'}]) | length }}",
        "{# recommend('nothing') #}{{ any.recommend }}",
    ],
)
def test_a_call_with_an_answer_is_no_problem(load, call):
    _, problems = load(template(call))
    assert problems == []


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("{{ recommend() }}", ":4:4: error[SF326]: recommend wants a strategy"),
        (
            "{{ recommend('best_seller') }}",
            ":4:14: error[SF326]: no strategy named 'best_seller'",
        ),
        (
            "{% set p = recommend('similar') %}",
            ":4:22: error[SF326]: similar wants to be told products",
        ),
        (
            "{{ recommend('search_related') }}",
            ":4:14: error[SF326]: search_related wants to be told the text of a search",
        ),
        (
            "{{ recommend('similar', total) }}",
            ":4:25: error[SF326]: 'total' is number, and similar wants products",
        ),
        (
            "{{ recommend('search_related', items) }}",
            ":4:32: error[SF326]: 'items' is list, and search_related wants the text of a search",
        ),
        (
            "{{ recommend('best_sellers', items) }}",
            ":4:30: error[SF326]: best_sellers is about nothing but who it is for",
        ),
        (
            "{{ recommend('similar', items, 4) }}",
            ":4:32: error[SF326]: recommend takes two arguments without a name",
        ),
        (
            "{{ recommend('similar', items, category='x') }}",
            ":4:32: error[SF326]: similar takes no category",
        ),
        (
            "{{ recommend('similar', items, limt=4) }}",
            ":4:32: error[SF326]: recommend takes no 'limt'",
        ),
        ("{{ recommend('similar', items, limit=30) }}", ":4:32: error[SF326]: the limit is 30"),
    ],
)
def test_a_call_without_an_answer_is_told_with_its_place(load, call, told):
    _, problems = load(template(call))
    assert len(problems) == 1, problems
    assert told in problems[0]


def test_the_nearest_strategy_is_offered(load):
    _, (problem,) = load(template("{{ recommend('similiar', items) }}"))
    assert "did you mean 'similar'?" in problem


def test_a_template_knows_its_strategies_through_what_it_includes(loaded):
    templates = loaded(
        {
            "_shared/picks.txt": "{% for p in recommend('similar', items) %}{% endfor %}",
            "a/b/sms.fr.txt": "{% include '_shared/picks.txt' %}{{ recommend('new_arrivals') }}",
        }
    )
    (one,) = templates
    assert one.strategies == {Strategy.SIMILAR, Strategy.NEW_ARRIVALS}
    assert "recommend" not in templates.variables("a/b", "sms", "fr")


def test_recommended_products_are_rendered_like_any_value(loaded):
    text = "{% for p in recommend('similar', items, limit=2) %}{{ p.name }} {% endfor %}"
    templates = loaded(template(text))
    asked = []

    def recommend(*told, **more):
        asked.append((told, more))
        return [{"sku": "a", "name": "Rug"}, {"sku": "b", "name": "Vase"}]

    values = {"items": [{"sku": "x"}], "query": "", "total": 1, "any": 1, "recommend": recommend}
    assert templates.render("a/b", "sms", "fr", values) == {"text": "Rug Vase\n"}
    assert asked == [(("similar", [{"sku": "x"}]), {"limit": 2})]


def test_too_few_products_are_no_fault_of_the_template(loaded):
    templates = loaded(template("{{ recommend('similar', items, at_least=2) }}"))

    def recommend(*_, **__):
        raise TooFewProducts("similar finds none")

    values = {"items": [], "query": "", "total": 1, "any": 1, "recommend": recommend}
    with pytest.raises(TooFewProducts):
        templates.render("a/b", "sms", "fr", values)


def test_where_nobody_recommends_a_template_that_asks_is_not_rendered(loaded):
    templates = loaded(template("{{ recommend('similar', items) | length }}"))
    values = {"items": [], "query": "", "total": 1, "any": 1}
    with pytest.raises(TemplateError):
        templates.render("a/b", "sms", "fr", values)
