"""Every ranking of every strategy, from a shop's past and its catalogue."""

from __future__ import annotations

from collections.abc import Iterator

from shopflow.domain.recommendation import Ranking

from .catalogue import Catalogue
from .history import History
from .pairs import bought_together, compatible, premium_line, similar
from .popular import best_sellers, new_arrivals
from .searches import search_related


def compute(history: History, catalogue: Catalogue) -> Iterator[Ranking]:
    """The rankings, one after the other; the same past gives the same rankings.

    What a customer has looked at lately needs none: the customer knows.
    """
    yield from best_sellers(history, catalogue)
    yield from new_arrivals(catalogue)
    yield from bought_together(history)
    yield from similar(history, catalogue)
    yield from premium_line(catalogue)
    yield from compatible(history, catalogue)
    yield from search_related(history, catalogue)
