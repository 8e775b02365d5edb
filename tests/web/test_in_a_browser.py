"""A person in a real browser: subscribe, confirm, choose, leave, in French and in English."""

from __future__ import annotations

import json
import re
import shutil
from email import message_from_bytes, policy
from html import unescape
from pathlib import Path

import pytest
from support.browser import a_browser, looked_at
from support.pages import LINKS, PUBLIC, a_shop_with_pages
from support.production import wait_for
from support.running import MailSink

from shopflow.runtime.asking import Asked
from shopflow.runtime.links import For
from shopflow.web.pages import texts

REPO = Path(__file__).resolve().parents[2]
#: What the shipped policy calls two of its purposes.
NEWS = {"fr": "Nos nouvelles et nos offres", "en": "Our news and offers"}
CARTS = {"fr": "Rappels de panier", "en": "Cart reminders"}


class Letters(MailSink):
    """Keeps the mails whole."""

    def __init__(self):
        super().__init__()
        self.mails = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        mail = message_from_bytes(envelope.original_content, policy=policy.default)
        self.mails.append((envelope.rcpt_tos[0], mail))
        return await super().handle_DATA(server, session, envelope)

    def links(self, address, path):
        """The links of this kind in the mails to the address."""
        bodies = [
            mail.get_body(("html",)).get_content() for to, mail in self.mails if to == address
        ]
        found = (re.findall(rf'{PUBLIC}/{path}/[^"\s]+', unescape(text)) for text in bodies)
        return [link for links in found for link in links]


NO_TEXTS_AT_NIGHT = """\
apiVersion: shopflow/v1
kind: QuietHours
quiet_hours:
  - {id: night, channels: [sms, webpush, whatsapp], from: "20:00", to: "08:00", timezone: customer}
"""

# Ten pages, each looked at twice by a browser and by axe-core.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """`shopflow run` with the shipped rules and policies."""
    folder = tmp_path_factory.mktemp("browser")
    shutil.copytree(REPO / "rules", folder / "rules")
    # The test is run at night too, and mails are what it is about.
    (folder / "rules/policies/quiet-hours.yaml").write_text(NO_TEXTS_AT_NIGHT)
    settings = (REPO / "shopflow.yaml").read_text(encoding="utf-8")
    with a_shop_with_pages(folder, sink=Letters(), settings=settings) as found:
        yield found


@pytest.mark.parametrize("locale", ["fr", "en"])
def test_a_person_subscribes_confirms_chooses_and_leaves(shop, tmp_path, locale):
    (shop, sink), words = shop, texts(locale)
    address = f"nora.{locale}@example.com"

    def ours(link):
        return link.replace(PUBLIC, shop.url)

    with a_browser(locale) as page:
        page.goto(f"{shop.url}/subscribe")
        looked_at(page, tmp_path, "subscribe")
        page.get_by_label(words["email_label"]).fill("nora@")
        page.get_by_label(NEWS[locale]).check()
        page.get_by_role("button", name=words["subscribe_button"]).click()
        assert words["email_wrong"] in page.inner_text("main")
        looked_at(page, tmp_path, "subscribe-wrong")
        page.get_by_label(words["email_label"]).fill(address)
        page.get_by_label(words["first_name_label"]).fill("Nora")
        page.get_by_role("button", name=words["subscribe_button"]).click()
        assert page.inner_text("h1") == words["subscribed_title"]
        looked_at(page, tmp_path, "subscribed")

        wait_for(lambda: sink.links(address, "c"))
        page.goto(ours(sink.links(address, "c")[0]))
        assert NEWS[locale] in page.inner_text("main")
        looked_at(page, tmp_path, "confirm")
        page.get_by_role("button", name=words["confirm_button"]).click()
        assert page.inner_text("h1") == words["confirmed_title"]
        looked_at(page, tmp_path, "confirmed")

        # The welcome is marketing: it has the way out, and the way to the preferences.
        wait_for(lambda: sink.links(address, "p"))
        page.goto(ours(sink.links(address, "p")[0]))
        assert page.get_by_label(CARTS[locale]).is_checked()
        looked_at(page, tmp_path, "preferences")
        page.get_by_label(CARTS[locale]).uncheck()
        page.get_by_role("button", name=words["save_button"]).click()
        assert words["preferences_saved"] in page.inner_text("main")
        assert not page.get_by_label(CARTS[locale]).is_checked()
        assert page.get_by_label(NEWS[locale]).is_checked()
        looked_at(page, tmp_path, "preferences-saved")

        page.goto(ours(sink.links(address, "u")[0]))
        looked_at(page, tmp_path, "unsubscribe")
        # By keyboard alone.
        page.get_by_role("button", name=words["unsubscribe_button"]).focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("[role=status]")
        assert words["unsubscribed_title"] in page.inner_text("main")
        looked_at(page, tmp_path, "unsubscribed")

        page.goto(f"{shop.url}/u/0.forged")
        looked_at(page, tmp_path, "refused")


@pytest.mark.parametrize("locale", ["fr", "en"])
def test_a_person_answers_questions_by_mouse_and_by_keyboard(shop, tmp_path, locale):
    (shop, _), words = shop, texts(locale)
    address = f"paul.{locale}@example.com"
    wish = {"email": address, "purpose": "marketing"}
    shop.client.post(f"/subscribe?lang={locale}", data=wish)
    who = f"web-{LINKS.fingerprint('subscribe', address)}"

    def link(question, value=""):
        says = Asked(who, "email", LINKS.fingerprint(address), "a message", question, value)
        return f"{shop.url}/q/{shop.token(For.QUESTION, *says)}"

    with a_browser(locale) as page:
        page.goto(link("nps", "6"))
        assert page.get_by_label("6", exact=True).is_checked()
        looked_at(page, tmp_path, "nps")
        page.get_by_label("6", exact=True).focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        page.wait_for_selector("[role=status]")
        looked_at(page, tmp_path, "answered")

        page.goto(link("found_us"))
        page.get_by_role("button", name=words["answer_button"]).click()
        assert words["answer_value_wrong"] in page.inner_text("main")
        looked_at(page, tmp_path, "choice-wrong")
        for _ in range(3):
            page.get_by_role("radio").first.check()
            looked_at(page, tmp_path, "choice")
            page.get_by_role("button", name=words["answer_button"]).click()
        assert page.inner_text("h1") == words["answered_title"]

        page.goto(link("opinion"))
        page.get_by_role("textbox").fill("Plus de bleu.")
        looked_at(page, tmp_path, "words")
        page.get_by_role("button", name=words["answer_button"]).click()
        assert page.inner_text("h1") == words["answered_title"]

    told = [json.loads(one.payload)["data"] for one in shop.store.views.timeline(who).events]
    told = {one["question_id"]: one for one in told if "question_id" in one}
    assert told["nps"]["score"] == 7
    assert told["opinion"]["answer"] == "Plus de bleu."
    assert {"found_us", "hesitated", "buys_for"} <= told.keys()


def test_a_mail_program_unsubscribes_in_one_post_by_the_header(shop):
    (shop, sink), address = shop, "rfc8058@example.com"
    shop.client.post("/subscribe", data={"email": address, "purpose": "marketing"})
    wait_for(lambda: sink.links(address, "c"))
    shop.client.post(sink.links(address, "c")[0].removeprefix(PUBLIC))
    wait_for(lambda: sink.links(address, "u"))
    (mail,) = [one for to, one in sink.mails if to == address and one["List-Unsubscribe"]]
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    url = re.match(rf"<{PUBLIC}([^>]+)>", mail["List-Unsubscribe"])[1]
    answer = shop.client.post(url, data={"List-Unsubscribe": "One-Click"})
    assert (answer.status_code, answer.content) == (200, b"")
    who = shop.store.views.customer(f"web-{LINKS.fingerprint('subscribe', address)}")
    assert who.consents["email", "marketing"].state == "withdrawn"
