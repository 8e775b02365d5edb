"""A question's page: a link chooses, the button answers, and the last answer counts."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from support.pages import pages_in_process

from shopflow.runtime.asking import Asked
from shopflow.runtime.links import LIFE, For

pytestmark = pytest.mark.anyio

HEAD = "apiVersion: shopflow/v1\nkind: Question\n"
QUESTIONS = {
    "rules/questions/nps.yaml": f"""{HEAD}id: nps
type: nps
ask: {{en: "Would you recommend us?", fr: "Nous recommanderiez-vous ?"}}
comment: {{en: "Why this figure?"}}
""",
    "rules/questions/why.yaml": f"""{HEAD}id: why
type: choice
ask: {{en: "Why <b>now</b>?"}}
choices:
  - {{value: price, label: {{en: The price}}}}
  - {{value: gift, label: {{en: A gift}}}}
thanks: {{en: One more.}}
next: idea
invite: marketing
""",
    "rules/questions/idea.yaml": f"""{HEAD}id: idea
type: text
ask: {{en: "What next?"}}
hint: {{en: We read everything.}}
""",
}


@pytest.fixture(scope="module")
def inside(tmp_path_factory):
    with pages_in_process(tmp_path_factory.mktemp("questions"), QUESTIONS) as found:
        yield found


def page_of(inside, customer, question, value="", now=None, address=None):
    fingerprint = inside.links.fingerprint(address or f"{customer}@example.com")
    says = Asked(customer, "email", fingerprint, "m-1", question, value)
    return inside.url(For.QUESTION, *says, now=now) + "?lang=en"


def answers(inside, customer):
    return [one for one in inside.events(customer) if one.type == "question.answered"]


def form_of(page):
    return re.search(r'name="form" value="(\w+)"', page.text)[1]


async def test_a_link_chooses_and_changes_nothing(inside, anna):
    url = page_of(inside, anna, "nps", "9")
    async with inside.client() as client:
        page = await client.get(url)
        assert (await client.head(url)).status_code == 200
    assert page.status_code == 200
    assert 'value="9" required checked' in page.text
    assert page.text.count(" checked") == 1
    assert answers(inside, anna) == []


async def test_an_answer_is_an_event_of_whoever_was_asked(inside, anna):
    async with inside.client() as client:
        page = await client.post(
            page_of(inside, anna, "nps"), data={"value": "10", "words": " é\r\nx "}
        )
    assert "Thank you" in page.text
    (answer,) = answers(inside, anna)
    assert (answer.question_id, answer.score, answer.message_id) == ("nps", 10, "m-1")
    assert answer.answer == "é\nx"


async def test_a_form_sent_twice_is_one_answer_and_a_new_one_counts(inside, anna):
    url = page_of(inside, anna, "nps", "3")
    async with inside.client() as client:
        form = form_of(await client.get(url))
        for _ in range(2):
            page = await client.post(url, data={"value": "3", "form": form})
            assert "Thank you" in page.text
        assert [one.score for one in answers(inside, anna)] == [3]
        await client.post(url, data={"value": "8", "form": form_of(await client.get(url))})
        await client.post(url, data={"value": "3", "form": form_of(await client.get(url))})
    assert [one.score for one in answers(inside, anna)] == [3, 8, 3]


@pytest.mark.parametrize(
    ("question", "given", "told"),
    [
        ("nps", {"value": ""}, "Choose one"),
        ("nps", {"value": "11"}, "Choose one"),
        ("nps", {"value": "-1"}, "Choose one"),
        ("why", {"value": "'; DROP TABLE events--"}, "Choose one"),
        ("nps", {"value": "5", "words": "x" * 2001}, "2000 letters at most"),
        ("idea", {"words": "  "}, "Write a few words"),
    ],
)
async def test_what_is_no_answer_is_told_at_its_field_and_not_kept(
    inside, anna, question, given, told
):
    async with inside.client() as client:
        page = await client.post(page_of(inside, anna, question), data=given)
    assert page.status_code == 422
    assert told in page.text
    assert 'id="wrong"' in page.text
    assert answers(inside, anna) == []


async def test_one_question_leads_to_the_next(inside, anna):
    async with inside.client() as client:
        page = await client.post(page_of(inside, anna, "why"), data={"value": "gift"})
        assert "One more." in page.text
        assert "What next?" in page.text
        action = re.search(r'action="(/q/[^"]+)"', page.text)[1]
        page = await client.post(action, data={"words": "<script>alert(1)</script>"})
    assert "Thank you" in page.text
    first, second = answers(inside, anna)
    assert (first.choice, second.answer) == ("gift", "<script>alert(1)</script>")
    assert second.message_id == "m-1"


async def test_what_a_page_shows_of_rules_and_people_is_text(inside, anna):
    async with inside.client() as client:
        shown = await client.get(page_of(inside, anna, "why"))
        refused = await client.post(
            page_of(inside, anna, "nps"), data={"value": "x", "words": "</textarea><script>"}
        )
    assert "<b>now" not in shown.text
    assert "<script>" not in refused.text


async def test_the_newsletter_is_a_box_beside_the_answer_and_confirmed_by_the_link(inside):
    inside.tell("nora", "customer.updated", email="nora@example.com")
    async with inside.client() as client:
        page = await client.get(page_of(inside, "nora", "why"))
        assert "Our offers" in page.text
        assert 'name="agree" value="yes"' in page.text
        assert " checked" not in page.text
        await client.post(page_of(inside, "nora", "why"), data={"value": "gift"})
        assert inside.consent("nora") is None
        other = page_of(inside, "nora", "why", address="old@example.com")
        await client.post(other, data={"value": "gift", "agree": "yes"})
        assert inside.consent("nora") == "pending"
        await client.post(page_of(inside, "nora", "why"), data={"value": "price", "agree": "yes"})
        assert inside.consent("nora") == "granted"
        assert "agree" not in (await client.get(page_of(inside, "nora", "why"))).text


async def test_a_box_that_is_not_offered_grants_nothing(inside):
    inside.tell("otto", "customer.updated", email="otto@example.com")
    async with inside.client() as client:
        await client.post(page_of(inside, "otto", "nps"), data={"value": "1", "agree": "yes"})
    assert inside.consent("otto") is None


async def test_forged_foreign_old_and_orphaned_links_are_refused(inside, anna):
    good = page_of(inside, anna, "nps")
    late = datetime.now(UTC) - LIFE[For.QUESTION] - timedelta(minutes=1)
    async with inside.client() as client:
        assert (await client.post(good.replace("/q/", "/p/"), data={})).status_code == 404
        assert (await client.post("/q/0.forged", data={"value": "1"})).status_code == 404
        old = page_of(inside, anna, "nps", now=late)
        assert (await client.post(old, data={"value": "1"})).status_code == 410
        gone = await client.get(page_of(inside, anna, "gone"))
    assert gone.status_code == 410
    assert "closed" in gone.text
    assert answers(inside, anna) == []
