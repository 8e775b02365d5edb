"""How good recommendations are: on a shop's recorded orders, cut at an instant.

What was before the cut is learned from, what came after is to be foretold. Each answer is ten
products that the customer had not bought in the half year before, whoever gives it.
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

import orjson

from shopflow.domain.recommendation import Shopper, Strategy
from shopflow.errors import SettingsError
from shopflow.recommend import FixedShelves, History, Recommender, compute
from shopflow.recommend.history import ORDER, Order

#: The part of all orders that is learned from.
LEARNED = 0.8
#: Products of an answer.
TEN = 10
#: Owned lately, and so no longer to be recommended.
LATELY = timedelta(days=180)
#: Questions of each kind at most, spread evenly over the time after the cut.
QUESTIONS = 2_000
RANDOM = "random"
ANSWERS = (Strategy.BOUGHT_TOGETHER, Strategy.SIMILAR, Strategy.BEST_SELLERS, RANDOM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Who may want what, having taken these."""

    given: tuple[str, ...]
    owned: frozenset[str]
    #: One of these in the answer is a hit.
    wanted: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One way to answer: its share of hits for each kind of question."""

    answer: str
    #: A product taken out of an order is found by the rest of it.
    same_order: float
    #: Something new of the customer's next order is found by the order before.
    next_order: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All ways to answer, on one shop."""

    orders: int
    cut_at: datetime
    same_order: int
    next_order: int
    #: Seconds to compute every ranking, and milliseconds to answer once.
    computed: float
    answered: float
    lines: tuple[Line, ...]

    @property
    def reached(self) -> bool:
        """What is bought together beats what everybody buys, at both."""
        by_name = {line.answer: line for line in self.lines}
        ours, theirs = by_name[Strategy.BOUGHT_TOGETHER], by_name[Strategy.BEST_SELLERS]
        return ours.same_order > theirs.same_order and ours.next_order > theirs.next_order


def run(events: Path, *, done: Callable[[], object] = lambda: None) -> Report:
    """Measure on recorded events; `done` is called after each way to answer.

    Raises:
        SettingsError: There are too few orders to learn anything.
    """
    history, catalogue = read(events)
    orders = sorted(history.orders, key=lambda order: order.at)
    cut = int(len(orders) * LEARNED)
    learned = History(orders=orders[:cut])
    known = {sku for order in learned.orders for sku in order.skus}
    same, following = _questions(orders, cut, known)
    if not same or not following:
        raise SettingsError(f"{events}: too few orders to learn from and to ask about")
    began = perf_counter()
    rankings = list(compute(learned, {sku: catalogue[sku] for sku in sorted(known)}))
    computed = perf_counter() - began
    shelves = FixedShelves(rankings, {sku: catalogue[sku] for sku in known})
    lines, began = [], perf_counter()
    for name in ANSWERS:
        answer = _answering(name, shelves, sorted(known))
        lines.append(
            Line(
                answer=str(name),
                same_order=_hits(answer, same),
                next_order=_hits(answer, following),
            )
        )
        done()
    spent = perf_counter() - began
    return Report(
        orders=len(orders),
        cut_at=orders[cut].at,
        same_order=len(same),
        next_order=len(following),
        computed=computed,
        answered=1000 * spent / (len(ANSWERS) * (len(same) + len(following))),
        lines=tuple(lines),
    )


def read(events: Path) -> tuple[History, dict[str, Mapping[str, Any]]]:
    """The orders of recorded events, and the products as their lines tell of them."""
    history = History()
    catalogue: dict[str, Mapping[str, Any]] = {}
    opened = gzip.open if events.suffix == ".gz" else open
    with opened(events, "rb") as lines:
        for line in lines:
            event = orjson.loads(line)
            if event["type"] != ORDER or not event.get("customer_id"):
                continue
            at = datetime.fromisoformat(event["occurred_at"])
            history.add(ORDER, event["customer_id"], at, event["data"])
            catalogue |= {item["sku"]: item for item in event["data"].get("items", ())}
    return history, catalogue


def _questions(
    orders: Sequence[Order], cut: int, known: set[str]
) -> tuple[list[Question], list[Question]]:
    """Of each order after the cut: one of its products out of the rest, and it out of the last."""
    chance = Random(1)  # noqa: S311 - the same questions every time
    past: dict[str, list[Order]] = defaultdict(list)
    same: list[Question] = []
    following: list[Question] = []
    for number, order in enumerate(orders):
        before = past[order.who]
        if number >= cut:
            owned = frozenset(
                sku for each in before if order.at - each.at < LATELY for sku in each.skus
            )
            new = [sku for sku in order.skus if sku in known and sku not in owned]
            if new and len(order.skus) > 1:
                hidden = chance.choice(new)
                rest = tuple(sku for sku in order.skus if sku != hidden)
                same.append(Question(given=rest, owned=owned, wanted=frozenset({hidden})))
            if new and before:
                wanted = frozenset(new)
                following.append(Question(given=before[-1].skus, owned=owned, wanted=wanted))
        before.append(order)
    return _spread(same), _spread(following)


def _spread(questions: Sequence[Question]) -> list[Question]:
    step = max(1.0, len(questions) / QUESTIONS)
    return [questions[int(step * number)] for number in range(int(len(questions) / step))]


Answering = Callable[[Question], Iterator[str]]


def _answering(name: str, shelves: FixedShelves, skus: Sequence[str]) -> Answering:
    chance = Random(1)  # noqa: S311 - the same answers every time

    def by_strategy(question: Question) -> Iterator[str]:
        hidden = question.owned.union(question.given)
        recommend = Recommender(shelves, lambda: Shopper(bought=hidden))
        about = None if name == Strategy.BEST_SELLERS else question.given
        for product in recommend(name, about, limit=TEN):
            yield product["sku"]

    def at_random(question: Question) -> Iterator[str]:
        hidden = question.owned.union(question.given)
        left = [sku for sku in chance.sample(skus, len(skus)) if sku not in hidden]
        yield from left[:TEN]

    return at_random if name == RANDOM else by_strategy


def _hits(answer: Answering, questions: Sequence[Question]) -> float:
    hits = sum(not question.wanted.isdisjoint(answer(question)) for question in questions)
    return hits / len(questions)


def render(report: Report) -> str:
    """The report as a table for a terminal."""
    rows = [f"{'hit rate at 10':<18}{'same order':>12}{'next order':>12}"]
    rows += [
        f"{line.answer:<18}{line.same_order:>12.1%}{line.next_order:>12.1%}"
        for line in report.lines
    ]
    verdict = "beats" if report.reached else "does not beat"
    rows.append(f"bought_together {verdict} best_sellers")
    rows.append(
        f"{report.orders:,} orders, learned from those before {report.cut_at:%Y-%m-%d}; "
        f"{report.same_order:,} and {report.next_order:,} questions after"
    )
    rows.append(
        f"rankings computed in {report.computed:.1f} s, an answer takes {report.answered:.2f} ms"
    )
    return "\n".join(rows)


def render_json(report: Report) -> str:
    """The report for programs."""
    body = {**asdict(report), "cut_at": report.cut_at.isoformat(), "reached": report.reached}
    return json.dumps(body, indent=2)
