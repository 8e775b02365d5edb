"""What customers write into names and free text stays text: in real mails, taken by a real server.

A customer's name, a searched word and an address go through `shopflow run` and over SMTP; what
arrives is read by the standard library's parsers, as a mail program would.
"""

from __future__ import annotations

from email import message_from_bytes
from email.policy import default
from html.parser import HTMLParser

import pytest
from support.running import MailSink, a_project, an_event, shopflow, status, who, write_events

pytestmark = pytest.mark.slow

TEXTS = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)><a href='https://evil.example'>",
    "]]></mj-text></mj-column><mj-raw><script>alert(1)</script></mj-raw>",
    "--></style><iframe src=https://evil.example>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "Nora\r\nBcc: victim@example.com",
    "Nora\nContent-Type: text/html\n\n<b>not bold</b>",
    "Nora\u2028Bcc: victim@example.com\u0085Cc: victim@example.com",
    "\r\n.\r\nMAIL FROM:<evil@example.com>\r\nRCPT TO:<victim@example.com>\r\nDATA\r\n",
    ".",
    "..\r\n.\r\n.",
    "=?utf-8?q?=0D=0ABcc=3A_victim=40example.com?=",
    "{{ 7 * 7 }}{% raise %}{{ shop.contact }}",
    "${7*7} #{7*7} <%= 7*7 %> {{{7*7}}}",
    "${jndi:ldap://evil.example/a}",
    "\u202eevil\u202c",
    "'; DROP TABLE customers; --",
]
#: An address that a mail must not go to, nor to anybody whom it smuggles in.
ADDRESSES = [
    "anna@example.com\r\nRCPT TO:<victim@example.com>",
    "anna@example.com>\r\nDATA\r\nSubject: x",
    "anna@example.com, victim@example.com",
    "<victim@example.com>",
    "victim@example.com <anna@example.com>",
    '"victim@example.com "@example.com',
    "anna@example.com\x00",
    "@victim@example.com",
]
MAIL = """---
subject: "{{ customer.first_name }}, you looked for {{ query }}"
preheader: "{{ query }} is what you looked for, {{ customer.first_name }}"
purposes: [service]
variables: {query: string}
---
<mjml><mj-body><mj-section><mj-column>
<mj-text>Hello {{ customer.first_name }}</mj-text>
<mj-button href="https://shop.example/?q={{ query }}">{{ query }}</mj-button>
<mj-image src="https://shop.example/a.png" alt="{{ query }}" />
</mj-column></mj-section></mj-body></mjml>
"""
FILES = {
    "rules/traits.yaml": """
apiVersion: shopflow/v1
kind: Traits
attributes: {email: {type: string}, first_name: {type: string}}
""",
    "rules/workflows/searched.yaml": """
apiVersion: shopflow/v1
kind: Workflow
id: searched
version: 1
title: Searched
owner: team
status: live
purpose: service
trigger: {event: search.performed, key: event.id, reentry: parallel}
steps:
  - {id: answer, send: email, template: searched, with: {query: trigger.query}}
""",
    "rules/templates/searched/email.en.mjml": MAIL,
}
#: Every header of a service mail, once each.
HEADERS = {
    *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"),
    *("MIME-Version", "Content-Type", "X-Peer", "X-MailFrom", "X-RcptTo"),
}


class KeepingSink(MailSink):
    """Keeps what it is given, and who it is for."""

    def __init__(self):
        super().__init__()
        self.envelopes = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        self.envelopes.append((envelope.mail_from, [*envelope.rcpt_tos], envelope.original_content))
        return await super().handle_DATA(server, session, envelope)


class Page(HTMLParser):
    """The elements of a page, where they lead, and its text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.links, self.attributes, self.said = set(), [], set(), []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value for name, value in attrs if name in {"href", "src"}]

    def handle_data(self, data):
        self.said.append(data)


@pytest.fixture
def sink():
    with KeepingSink().listening() as listening:
        yield listening


def told(customer, **data):
    event = an_event(0, customer, "customer.updated", "2026-03-01T10:00:00Z", **data)
    return {**event, "id": f"told-{customer}"}


def searched(number, customer, query):
    at = "2026-03-01T10:00:01Z"
    return an_event(number, customer, "search.performed", at, query=query)


def run(folder, sink, events):
    a_project(folder, sink.port, **FILES)
    words = ("--clock", "event", "--until", "drain")
    shopflow(folder, "run", str(write_events(folder / "events.jsonl", events)), *words)


def test_names_and_words_of_strangers_are_text_in_a_mail(sink, tmp_path):
    events = []
    for number, text in enumerate(TEXTS):
        events += [who(f"c{number}"), told(f"c{number}", first_name=text)]
        events.append(searched(number, f"c{number}", text))
    run(tmp_path, sink, events)
    assert status(tmp_path)["events"]["accepted"] == len(events)
    assert len(sink.envelopes) == len(TEXTS)
    plain = Page(html_of(sink, "a", tmp_path))
    for sender, recipients, raw in sink.envelopes[: len(TEXTS)]:
        assert sender == "hello@shop.example"
        [recipient] = recipients
        text = TEXTS[int(recipient.partition("@")[0][1:])]
        mail = message_from_bytes(raw, policy=default)
        assert not mail.defects
        names = list(mail.keys())
        assert len(names) == len(set(names))
        assert set(names) <= HEADERS
        assert mail["To"] == recipient
        assert letters(mail["Subject"]) == letters(f"{text}, you looked for {text}")
        parts = [part.get_content_type() for part in mail.walk()]
        assert parts == ["multipart/alternative", "text/plain", "text/html"]
        page = Page(mail.get_body(("html",)).get_content())
        # Nothing is there that an honest word does not bring.
        assert page.tags == plain.tags
        assert page.attributes == plain.attributes
        assert all(link.startswith("https://shop.example/") for link in page.links)
        assert letters(text) in letters("".join(page.said))
        assert letters(text) in letters(mail.get_body(("plain",)).get_content())


def letters(text):
    """All but what separates lines and words."""
    return "".join(text.split())


def html_of(sink, word, folder):
    """The html of a mail about an honest word."""
    events = [who("honest"), told("honest", first_name=word), searched(999, "honest", word)]
    run(folder, sink, events)
    mail = message_from_bytes(sink.envelopes[-1][2], policy=default)
    return mail.get_body(("html",)).get_content()


def test_an_address_smuggles_nobody_in(sink, tmp_path):
    events = []
    for number, address in enumerate(ADDRESSES):
        events += [told(f"c{number}", email=address, first_name="Anna")]
        events.append(searched(number, f"c{number}", "lamp"))
    events += [who("honest"), told("honest", first_name="Nora"), searched(999, "honest", "lamp")]
    run(tmp_path, sink, events)
    recipients = [recipient for _, some, _ in sink.envelopes for recipient in some]
    assert recipients == ["honest@example.com"]
