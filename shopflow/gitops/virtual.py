"""A shop's customers in memory and in virtual time: the events are the clock.

The engine decides exactly as it does in production; nothing is stored and nothing leaves. What is
made of the effects is left to who listens.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime

from shopflow.domain.customer import Customer
from shopflow.domain.event import Event, Facts, Input, Tick, time_of
from shopflow.domain.ids import CustomerId
from shopflow.domain.journal import Effect, Tell
from shopflow.domain.product import Product, after, is_about_product
from shopflow.engine import Rulebook, decide
from shopflow.engine.calendar import next_sweep
from shopflow.engine.news import JUST_BEFORE, keys_of
from shopflow.engine.subjects import rows_of
from shopflow.engine.trials import WinnerWanted
from shopflow.gitops.pools import EndlessPools
from shopflow.gitops.trials import Results, VirtualTrials
from shopflow.gitops.waiting import Waiting

#: Inputs that one input may lead to, all customers together; more is a loop of rules.
MAX_TOLD = 1000
#: After every timer that there can be.
FOREVER = datetime.max.replace(tzinfo=UTC)

Listener = Callable[[Effect], None]


class VirtualShop:
    """Every customer that an input was about, as the inputs so far have left them."""

    def __init__(
        self,
        rulebook: Rulebook,
        facts: Facts,
        listener: Listener,
        results: Results | None = None,
    ) -> None:
        self.rulebook = rulebook
        self.customers: dict[CustomerId, Customer] = {}
        self._trials = VirtualTrials(results or {})
        self._facts = replace(facts, trials=self._trials.known)
        self._listener = listener
        self._pools = EndlessPools(rulebook.ruleset)
        self._waiting = Waiting()
        #: When it all began, and up to when everybody has been looked at.
        self._began: datetime | None = None
        self._swept: datetime | None = None

    def watch(self, since: datetime) -> None:
        """What starts for everybody is watched for from this instant on."""
        self._began = since

    def hear(self, event: Event) -> None:
        """An event about no customer reaches everybody who waits for it, the longest first.

        Whoever is in an audience hears of it at the next input or tick.

        Raises:
            RuntimeError: The rules run in a circle.
        """
        is_of_product = is_about_product(event.type)
        if is_of_product or keys_of(self.rulebook, event):
            self.tick(event.occurred_at - JUST_BEFORE)
            if is_of_product:
                self._learn(event)
            for customer_id, news in self._waiting.told(self.rulebook, event):
                self.give(customer_id, news)
        if self.rulebook.has_audience(event):
            occasions = sorted((*self._facts.occasions, event), key=time_of)
            self._facts = replace(self._facts, occasions=tuple(occasions))
        for row in rows_of(self.rulebook, event, self._facts):
            self.give(row, event)

    def products(self, skus: Collection[str]) -> dict[str, Product]:
        """What is known of these products by now."""
        known = self._facts.products
        return {sku: known[sku] for sku in skus if sku in known}

    def _learn(self, event: Event) -> None:
        """What the event says of a product counts for every decision after it."""
        sku = str(event.data.get("sku"))
        known = self._facts.products
        product = after(event.type, event.data, known.get(sku))
        if product is not None:
            self._facts = replace(self._facts, products={**known, sku: product})

    def give(self, customer_id: CustomerId, given: Input) -> None:
        """The input is decided, and at once everything that it tells other customers.

        Raises:
            RuntimeError: The rules run in a circle; nothing has changed.
        """
        timers_only = isinstance(given, Tick) and given.timers_only
        while True:
            try:
                self._give(customer_id, given)
            except WinnerWanted as e:
                # Everything up to its end counts, and nothing of this input did yet.
                self._trials.begin(e.trial)
                self.tick(e.trial.decide_at - JUST_BEFORE, timers_only=timers_only)
                self._trials.settle(e.trial)
            else:
                return

    def _give(self, customer_id: CustomerId, given: Input) -> None:
        if self._swept is None:
            at = time_of(given) - JUST_BEFORE
            self._began = min(at, self._began or at)
        changed: dict[CustomerId, Customer] = {}
        effects: list[Effect] = []
        told: deque[tuple[CustomerId, Input]] = deque([(customer_id, given)])
        for _ in range(MAX_TOLD):
            if not told:
                break
            to, what = told.popleft()
            before = changed.get(to) or self.customers.get(to) or Customer(id=to)
            at = time_of(what)
            facts = self._pools.facts(self._facts)
            decision = decide(self.rulebook, before, what, at=at, clock=at, facts=facts)
            self._pools.take(decision.effects)
            changed[to] = decision.customer
            for effect in decision.effects:
                if isinstance(effect, Tell):
                    told.append((effect.to, effect.input))
                else:
                    effects.append(effect)
        else:
            raise RuntimeError(f"one input led to more than {MAX_TOLD} others")
        for one in changed.values():
            self._waiting.change(self.customers.get(one.id), one)
        self.customers.update(changed)
        for effect in effects:
            self._trials.take(effect)
            self._listener(effect)

    def tick(self, until: datetime, *, timers_only: bool = False) -> None:
        """Every timer due by then has fired; with `timers_only` nothing starts by calendar.

        Raises:
            RuntimeError: A timer is due again at once.
        """
        swept = None if timers_only else self._next_sweep()
        if swept is not None and swept <= until:
            self._swept = until
            for customer_id in sorted(self.customers):
                if self.customers[customer_id].calendar_at is not None:
                    self.give(customer_id, Tick(at=until))
        while due := self._due(until, timers_only=timers_only):
            for customer_id in due:
                self.give(customer_id, Tick(at=until, timers_only=timers_only))
                left = _due_at(self.customers[customer_id], timers_only=timers_only)
                if left is not None and left <= until:
                    raise RuntimeError("a timer is due again at once")

    def next_due(self, *, timers_only: bool = False) -> datetime | None:
        """The earliest instant at which something happens by itself."""
        due = [_due_at(one, timers_only=timers_only) for one in self.customers.values()]
        if not timers_only:
            due.append(self._next_sweep())
        return min((at for at in due if at is not None), default=None)

    def drain(self) -> None:
        """Every timer that is left has fired, each at its own time; nothing starts by calendar."""
        # Who was drained may have been told something by those after it, hence the rounds.
        while waiting := self._due(FOREVER, timers_only=True):
            for customer_id in waiting:
                while (timer := next_timer(self.customers[customer_id])) is not None:
                    self.give(customer_id, Tick(at=timer, timers_only=True))

    def _next_sweep(self) -> datetime | None:
        after = self._swept or self._began
        return None if after is None else next_sweep(self.rulebook, self._facts, after)

    def _due(self, until: datetime, *, timers_only: bool) -> list[CustomerId]:
        """Whose timer comes by then, the earliest first."""
        due = [
            (at, name)
            for name, customer in self.customers.items()
            if (at := _due_at(customer, timers_only=timers_only)) is not None and at <= until
        ]
        return [name for _, name in sorted(due)]


def _due_at(customer: Customer, *, timers_only: bool) -> datetime | None:
    return next_timer(customer) if timers_only else customer.next_due_at


def next_timer(customer: Customer) -> datetime | None:
    """The earliest timer of an enrolment or of a message on hold."""
    timers = [enrolment.due_at for enrolment in customer.enrolments]
    timers += [record.due_at for record in customer.sent]
    return min((timer for timer in timers if timer is not None), default=None)
