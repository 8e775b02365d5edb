"""What stands for pages of ours when a message is rehearsed: nobody is there to open them."""

from __future__ import annotations

from collections.abc import Mapping

from shopflow.domain.ruleset import Ruleset
from shopflow.lang.templates import Asker

#: They resolve, and lead to nothing of anybody's.
_PLACE = "https://example.com"
WAY_OUT = f"{_PLACE}/unsubscribe"
LINKS = {"confirm": f"{_PLACE}/confirm", "preferences": f"{_PLACE}/preferences"}


def mocked_links(ruleset: Ruleset) -> Mapping[str, object]:
    """The values of a template that lead to pages."""
    return {
        "unsubscribe_url": WAY_OUT,
        "links": LINKS,
        "question": Asker(ruleset.questions, _page),
    }


def _page(question: str, value: str) -> str:
    return f"{_PLACE}/{question}/{value}" if value else f"{_PLACE}/{question}"
