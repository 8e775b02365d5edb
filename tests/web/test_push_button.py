"""Notifications: a button of the shop's page asks, the browser agrees, and the door is told."""

from __future__ import annotations

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4

import pytest
from support.browser import a_browser
from support.pages import CONSENT, FILES, LINKS, a_shop_with_pages, pages_in_process
from support.production import wait_for
from support.push_browser import Browser, vapid_key
from support.running import PROJECT

from shopflow.runtime.links import For

PUSH = {
    "shopflow.yaml": PROJECT.format(port=1, connections=1, timeout=30)
    + f"  webpush: {{private_key: {vapid_key()}, contact: 'mailto:a@shop.example'}}\n",
    "rules/policies/consent.yaml": CONSENT.replace(
        "{email: {double_opt_in: true}}", "{email: {double_opt_in: true}, webpush: {}}"
    ),
}


@pytest.fixture(scope="module")
def inside(tmp_path_factory):
    with pages_in_process(tmp_path_factory.mktemp("push"), PUSH) as found:
        yield found


def subscription():
    told = json.loads(Browser(1).subscription)
    return {**told, "endpoint": f"https://fcm.googleapis.com/fcm/send/{uuid4().hex}"}


async def tell(inside, visitor="", **more):
    told = {"subscription": subscription(), "purpose": "marketing", "locale": "fr-FR", **more}
    async with inside.client(f"192.0.2.{uuid4().int % 250}") as client:
        return told["subscription"], await client.post(
            f"/v1/push?visitor={visitor}", content=json.dumps(told)
        )


def token_of(inside, customer):
    return inside.url(For.SLOTS, customer).removeprefix("/s/")


@pytest.mark.anyio
async def test_a_browser_is_the_visitors_and_its_consent_is_provable(inside):
    browser, answer = await tell(inside, token_of(inside, "anna"))
    assert answer.json() == {"subscribed": True}
    assert answer.headers["access-control-allow-origin"] == "*"
    anna = inside.parts.wishes.customer("anna")
    assert json.loads(anna.attributes["webpush"])["endpoint"] == browser["endpoint"]
    assert inside.consent("anna", "webpush") == "granted"
    (event,) = [one for one in inside.events("anna") if one.type == "webpush.subscribed"]
    assert event.consents[0]["text_version"].startswith("fr:")
    assert browser["endpoint"] not in json.dumps(vars(event)), "where it is reached is a secret"


@pytest.mark.anyio
async def test_a_browser_of_nobody_known_is_a_visitor_of_its_own(inside):
    browser, answer = await tell(inside)
    assert answer.status_code == 200
    who = f"web-{inside.links.fingerprint('push', browser['endpoint'])}"
    assert inside.consent(who, "webpush") == "granted"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"subscription": None}, 400),
        ({"subscription": {"endpoint": "https://x.example"}}, 400),
        (
            {"subscription": {"endpoint": "http://10.0.0.1/", "keys": {"p256dh": "", "auth": ""}}},
            400,
        ),
        (
            {"subscription": {"endpoint": "https://x.example", "keys": {"p256dh": 1, "auth": 2}}},
            422,
        ),
        ({"purpose": "service"}, 400),
        ({"purpose": None}, 400),
        ({"locale": "x" * 20_000}, 413),
    ],
)
async def test_what_no_browser_of_ours_sends_is_refused(inside, more, status):
    sent = {"subscription": subscription(), "purpose": "marketing", **more}
    async with inside.client(f"192.0.2.{uuid4().int % 250}") as client:
        answer = await client.post("/v1/push", content=json.dumps(sent))
        assert answer.status_code == status, answer.text
        assert (await client.post("/v1/push", content=b"\xff")).status_code == 400


@pytest.mark.anyio
async def test_a_token_of_something_else_is_none(inside):
    other = LINKS.token(For.UNSUBSCRIBE, "anna", "email", "marketing")
    assert (await tell(inside, other))[1].status_code == 404
    assert (await tell(inside, "0.forged"))[1].status_code == 404


PAGE = """<!doctype html><html lang="en"><title>Shop</title>
<button data-shopflow-push hidden>Tell me of news</button>
<script src="{door}/push.js" data-key="{key}" data-visitor="{visitor}" defer></script>"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Says nothing."""


#: What notifications the page's worker has shown.
SHOWN = (
    "navigator.serviceWorker.ready.then((r) => r.getNotifications())"
    ".then((all) => all.map((each) => [each.title, each.body, each.data]))"
)


def push(page, origin, notice):
    """The browser gets the notice, as it would once its push service had it."""
    session, registrations = page.context.new_cdp_session(page), []
    session.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda told: registrations.extend(each["registrationId"] for each in told["registrations"]),
    )
    session.send("ServiceWorker.enable")
    page.wait_for_timeout(0)
    told = {"origin": origin, "registrationId": registrations[0], "data": json.dumps(notice)}
    session.send("ServiceWorker.deliverPushMessage", told)


@pytest.mark.slow
def test_a_button_of_the_shops_page_subscribes_and_a_push_is_shown(tmp_path):
    """In a real browser; only the push service, which is far away, is put in for."""
    site = tmp_path / "site"
    site.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    told = subscription()
    try:
        with a_shop_with_pages(tmp_path / "shop", files={**FILES, **PUSH}) as (shop, _):
            page_text = PAGE.format(
                door=shop.url, key=told["keys"]["p256dh"], visitor=shop.token(For.SLOTS, "nora")
            )
            (site / "index.html").write_text(page_text)
            worker = f'importScripts("{shop.url}/push-worker.js");'
            (site / "shopflow-worker.js").write_text(worker)
            with a_browser("en") as page:
                origin = f"http://127.0.0.1:{server.server_port}"
                page.context.grant_permissions(["notifications"], origin=origin)
                page.add_init_script(
                    f"PushManager.prototype.subscribe = async () => ({json.dumps(told)});"
                )
                page.goto(origin)
                page.get_by_role("button").click()
                wait_for(lambda: shop.store.views.customer("nora"))
                page.evaluate("navigator.serviceWorker.ready.then(() => true)")
                push(page, origin, {"title": "New lamps", "body": "Three", "url": "/lamps"})
                wait_for(lambda: page.evaluate(SHOWN))
                assert page.evaluate(SHOWN) == [["New lamps", "Three", "/lamps"]]
            nora = shop.store.views.customer("nora")
            assert nora.consents["webpush", "marketing"].state == "granted"
            assert json.loads(nora.attributes["webpush"])["keys"] == told["keys"]
    finally:
        server.shutdown()
        server.server_close()
