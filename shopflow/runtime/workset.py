"""The customers of one batch in memory, decided on one input after the other, written at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shopflow.domain.coupon import OutOfCodes, Redeem, Reserve, Settle
from shopflow.domain.customer import Customer
from shopflow.domain.event import (
    DeliveryReport,
    Event,
    Facts,
    Input,
    News,
    Outcome,
    time_of,
)
from shopflow.domain.ids import CustomerId, MessageId
from shopflow.domain.journal import (
    Cancel,
    DeadLetter,
    Decision,
    Effect,
    JournalEntry,
    LedgerEntry,
    Lift,
    Queue,
    Requeue,
    Suppress,
    Tell,
)
from shopflow.domain.message import Message
from shopflow.domain.trial import BeginTrial, CountResult, Trial
from shopflow.engine import Rulebook, decide
from shopflow.engine.profile import BOUNCED, COMPLAINED, UNUSABLE
from shopflow.engine.subjects import rows_of
from shopflow.runtime.addresses import link_changes
from shopflow.runtime.codes import CodesAhead, Draws
from shopflow.runtime.faults import raise_unless_fault_of_item
from shopflow.runtime.hashes import Hashes
from shopflow.runtime.ingest import as_sent
from shopflow.runtime.lines import failure, unusable_addresses
from shopflow.runtime.occasions import Occasions
from shopflow.runtime.products import ProductFacts
from shopflow.runtime.safety import SafetyLog
from shopflow.runtime.secrets import Secrets
from shopflow.runtime.stops import keep_stops
from shopflow.runtime.tombstones import Tombstones
from shopflow.runtime.trials import Results, Trials
from shopflow.store.protocol import Batch
from shopflow.store.records import Fate, Heard, Wait

#: Tells that one input may lead to, all customers together; more is a loop through aliases.
MAX_TOLD = 1000
_HEARD = frozenset({BOUNCED, COMPLAINED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What inputs are decided by."""

    rulebook: Rulebook
    facts: Facts
    secrets: Secrets
    #: None: no pool has a code.
    codes: CodesAhead | None = None
    #: None: the facts know of products what they always knew.
    products: ProductFacts | None = None
    #: None: nothing concerns everybody.
    occasions: Occasions | None = None
    #: None: addresses are suppressed for their customer alone.
    hashes: Hashes | None = None
    #: None: no split is tried.
    trials: Trials | None = None
    #: None: a restored backup would forget what it does not hold.
    safety: SafetyLog | None = None
    #: None: nobody was ever erased.
    tombstones: Tombstones | None = None

    def of_partition(self, partition: int | None) -> Rules:
        """The rules with what is known in the partition; None stands for all of them."""
        if self.occasions is None:
            return self
        return replace(self, facts=self.occasions.facts(self.facts, partition))


class Workset:
    """What one transaction reads, decides and writes.

    An input told to another customer is decided right after the one that caused it, so that
    neither the size of a batch nor where it was cut changes what is decided.
    """

    def __init__(
        self,
        batch: Batch,
        rules: Rules,
        *,
        clock: datetime,
        ours: Callable[[str], bool] | None = None,
    ) -> None:
        self._batch = batch
        self._rules = rules
        self._clock = clock
        #: Whose customers are decided here; the others have a reader of their own, which finds
        #: what they are told in their inbox. None: all are ours.
        self._ours = ours
        self._customers: dict[CustomerId, Customer] = {}
        self._changed: dict[CustomerId, None] = {}
        self._told: deque[tuple[CustomerId, Input]] = deque()
        self._journal: list[JournalEntry] = []
        self._outgoing: list[Queue | Requeue | Cancel] = []
        self._ledger: list[LedgerEntry] = []
        self._dead: list[DeadLetter] = []
        self._stops: list[Suppress | Lift] = []
        self._heard: list[Heard] = []
        facts = rules.facts
        if rules.trials is not None:
            # Its own, since what begins here has not begun until it is kept.
            facts = replace(facts, trials=dict(rules.trials.known))
        self._draws = Draws(rules.codes, facts)
        self._results = Results()
        #: The customers as they were kept, of those that have changed.
        self._before: dict[CustomerId, Customer] = {}

    def load(self, ids: Iterable[CustomerId]) -> None:
        """The customers of these ids are at hand, and those that aliases among them stand for."""
        wanted = dict.fromkeys(ids)
        for _ in range(2):
            missing = [key for key in wanted if key not in self._customers]
            if not missing:
                return
            self._customers.update(self._batch.load(missing))
            found = (self._customers.get(key) for key in missing)
            aliased = (one.alias_of for one in found if one and one.alias_of)
            wanted = dict.fromkeys(key for key in aliased if self._is_ours(key))

    def customer(self, customer_id: CustomerId) -> Customer:
        """The customer as it stands now; a new one when there is none."""
        if customer_id not in self._customers:
            self.load([customer_id])
        return self._customers.get(customer_id) or Customer(id=customer_id)

    def decide(self, customer_id: CustomerId, given: Input) -> None:
        """The input is decided, and everything that it tells others."""
        self._one(customer_id, given)
        told = 0
        while self._told:
            told += 1
            if told > MAX_TOLD:
                raise RecursionError(f"one input led to more than {MAX_TOLD} others")
            self._one(*self._told.popleft())

    def tell(self, told: Sequence[tuple[CustomerId, News]]) -> None:
        """Each hears of it; a customer who cannot be decided keeps it from nobody else."""
        self.load(customer_id for customer_id, _ in told)
        for customer_id, news in told:
            try:
                self.decide(customer_id, news)
            except Exception as e:  # noqa: BLE001 - one customer may be at fault
                raise_unless_fault_of_item(e)
                self._told.clear()
                self._journal.append(failure(customer_id, time_of(news), e))

    def begin_for_subjects(self, event: Event) -> None:
        """What the event starts for rows of their own is decided here, or told to their reader."""
        for row in rows_of(self._rules.rulebook, event, self._rules.facts):
            if self._is_ours(row):
                self.decide(row, event)
            else:
                self._batch.tell(row, event)

    def write(self) -> int:
        """Everything decided is in the batch; returns how many messages were queued.

        Raises:
            DecideAgain: A code is somebody else's, or a trial had begun before.
        """
        batch = self._batch
        # First what leaves: what is stopped in time is told its customer, who is yet to be saved.
        queued = self._write_outgoing()
        self._write_waits()
        batch.save(self._customers[key] for key in sorted(self._changed))
        batch.journal(self._journal)
        batch.ledger(self._ledger)
        if self._rules.hashes is not None:
            keep_stops(batch, self._stops, self._ledger, self._rules.hashes, self._rules.safety)
            moved = ((before, self._customers[key]) for key, before in self._before.items())
            link_changes(batch, moved, self._rules.hashes)
        if self._heard:
            batch.note_heard(self._heard)
        self._draws.write(batch)
        self._results.write(batch)
        for letter in self._dead:
            event = self._rules.secrets.blanked(letter.event)
            batch.dead_letter(letter.reason, at=self._clock, event=event, raw=as_sent(event))
        return queued

    def _one(self, customer_id: CustomerId, given: Input) -> None:
        before = self.customer(customer_id)
        at = time_of(given)
        if isinstance(given, Event) and given.type in _HEARD and (one := heard_of(given)):
            self._heard.append(one)
        if isinstance(given, Event) and UNUSABLE in given.data:
            self._journal += unusable_addresses(customer_id, given)
        facts = self._draws.facts
        clock = at if facts.event_clock else self._clock
        decision: Decision = decide(
            self._rules.rulebook.side(customer_id), before, given, at=at, clock=clock, facts=facts
        )
        if decision.customer is not before:
            self._before.setdefault(customer_id, before)
            self._customers[customer_id] = decision.customer
            self._changed[customer_id] = None
        for effect in decision.effects:
            self._take(effect)

    def _take(self, effect: Effect) -> None:
        match effect:
            case JournalEntry():
                self._journal.append(effect)
            case Queue() | Requeue() | Cancel():
                self._outgoing.append(effect)
            case Tell():
                if self._is_ours(effect.to):
                    self._told.append((effect.to, effect.input))
                else:
                    self._batch.tell(effect.to, effect.input)
            case LedgerEntry():
                self._ledger.append(effect)
            case Suppress() | Lift():
                self._stops.append(effect)
            case DeadLetter():
                self._dead.append(effect)
            case Reserve() | Settle() | Redeem() | OutOfCodes():
                self._draws.take(effect)
            case BeginTrial(trial=trial):
                self._begin(trial)
            case CountResult():
                self._results.count(effect)

    def _begin(self, trial: Trial) -> None:
        """The next customers of this batch come to a trial that has begun."""
        self._results.begin(trial)
        known = self._draws.facts.trials
        if isinstance(known, dict):
            known[trial.id] = trial

    def _is_ours(self, customer_id: CustomerId) -> bool:
        return self._ours is None or self._ours(customer_id)

    def _write_waits(self) -> None:
        gone, new = set[Wait](), set[Wait]()
        for customer_id, before in self._before.items():
            waited, waits = _waits_of(before), _waits_of(self._customers[customer_id])
            gone |= waited - waits
            new |= waits - waited
        if gone:
            self._batch.drop_waits(gone)
        if new:
            self._batch.add_waits(sorted(new))

    def _write_outgoing(self) -> int:
        """In the order decided: a message may be queued, cancelled and asked for again."""
        queued = 0
        outgoing, self._outgoing = self._outgoing, []
        for kind, effects in _runs(outgoing):
            if kind is Cancel:
                self._cancel([e for e in effects if isinstance(e, Cancel)])
                continue
            messages: list[Message] = [e.message for e in effects if not isinstance(e, Cancel)]
            queued += len(messages)
            put: Callable[[list[Message]], None] = (
                self._batch.queue if kind is Queue else self._batch.requeue
            )
            put(messages)
        return queued + self._write_outgoing() if self._outgoing else queued

    def _cancel(self, cancels: Sequence[Cancel]) -> None:
        stopped = self._batch.cancel(cancels)
        self._draws.free(cancels, stopped, self._clock)
        for cancel in cancels:
            message = stopped.pop(cancel.message_id, None) if cancel.tell else None
            if message is not None:
                report = DeliveryReport(
                    message=message,
                    outcome=Outcome.DROPPED,
                    at=self._clock,
                    reason=cancel.reason,
                )
                self.decide(message.customer_id, report)


def heard_of(event: Event) -> Heard | None:
    """What the event tells of a message that had been accepted; None when that is no news."""
    bounced = event.type == BOUNCED
    if event.concerns is None or (bounced and event.data.get("bounce") != "hard"):
        return None
    fate = Fate.BOUNCED if bounced else Fate.COMPLAINED
    message_id = MessageId(str(event.data.get("message_id") or ""))
    return Heard(fate, message_id, event.concerns, str(event.data.get("channel") or "email"))


def _waits_of(customer: Customer) -> set[Wait]:
    return {
        Wait(one.event_type, one.key, enrolment.id, customer.id, one.since)
        for enrolment in customer.enrolments
        for one in enrolment.awaits
    }


def _runs(
    effects: list[Queue | Requeue | Cancel],
) -> Iterable[tuple[type, list[Queue | Requeue | Cancel]]]:
    """Neighbours of one kind together, so that statements are few."""
    run: list[Queue | Requeue | Cancel] = []
    for effect in effects:
        if run and type(effect) is not type(run[0]):
            yield type(run[0]), run
            run = []
        run.append(effect)
    if run:
        yield type(run[0]), run
