"""Questions in messages: the sealed links to their pages, and what such a link says."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from shopflow.domain.message import Message
from shopflow.domain.ruleset import Ruleset
from shopflow.lang.templates import Asker
from shopflow.runtime.links import For, Links


class Asked(NamedTuple):
    """Who is asked what: the text of a link to a question's page."""

    customer_id: str
    channel: str
    #: Of the address that the link was sent to.
    fingerprint: str
    message_id: str
    question: str
    #: What is chosen on the page already; empty for nothing.
    value: str = ""


def asker_of(ruleset: Ruleset, links: Links, message: Message, now: datetime) -> Asker:
    """What the message's template calls as `question`."""

    def link(question: str, value: str) -> str:
        return links.url(For.QUESTION, *says._replace(question=question, value=value), now=now)

    says = Asked(
        customer_id=message.customer_id,
        channel=message.channel,
        fingerprint=links.fingerprint(message.address),
        message_id=message.id,
        question="",
    )
    return Asker(ruleset.questions, link)
