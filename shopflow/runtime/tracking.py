"""Links and a pixel that tell of a message being read: only where the person has agreed to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from html import escape, unescape
from typing import NamedTuple

from shopflow.domain.customer import Customer
from shopflow.domain.message import Message
from shopflow.domain.policy import MessageClass
from shopflow.domain.ruleset import Ruleset
from shopflow.engine.consent import permits
from shopflow.engine.turn import Draft
from shopflow.runtime.links import For, Links

_HREF = re.compile(r'(<a\b[^>]*?\shref=")(https?://[^"]+)(")', re.IGNORECASE)
_PIXEL = '<img src="{}" width="1" height="1" alt="" style="display:block;border:0">'


class Reading(NamedTuple):
    """What a link that tells says: of whose message, and where it leads."""

    customer_id: str
    message_id: str
    channel: str
    purpose: str
    workflow: str
    step: str
    url: str = ""


def may_track(ruleset: Ruleset, customer: Customer, channel: str, at: datetime) -> bool:
    """True when the person has agreed to being told of on this channel."""
    asked = [p for p in ruleset.purposes.values() if p.message_class is MessageClass.TRACKING]
    draft = Draft(customer)
    return bool(asked) and all(permits(draft, one, channel, at) for one in asked)


def tracked(
    content: Mapping[str, str], message: Message, links: Links, now: datetime
) -> Mapping[str, str]:
    """The content with links that tell, and a pixel; only a page can have them."""
    page = content.get("html")
    if not page or not links.base_url:
        return content
    says = Reading(
        customer_id=message.customer_id,
        message_id=message.id,
        channel=message.channel,
        purpose=message.purpose,
        workflow=message.workflow,
        step=message.step,
    )

    def telling(match: re.Match[str]) -> str:
        url = unescape(match[2])
        if url.startswith(f"{links.base_url.rstrip('/')}/"):
            return match[0]
        told = links.url(For.CLICK, *says._replace(url=url), now=now)
        return f"{match[1]}{escape(told)}{match[3]}"

    page = _HREF.sub(telling, page)
    pixel = _PIXEL.format(escape(links.url(For.OPEN, *says, now=now)))
    at = page.lower().rfind("</body>")
    page = page + pixel if at < 0 else page[:at] + pixel + page[at:]
    return {**content, "html": page}
